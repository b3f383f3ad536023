"""Encoders: their gradients, stacked against alone, and what is not in Keras (LSTM and CNN: test_keras_parity.py)."""

import copy

import numpy as np
import pytest
import runs
import torch
import torch.nn.functional as F
from torch.func import functional_call, stack_module_state

from lcm.models import Start, build
from lcm.models.cnn import ConvolutionMaximum
from lcm.models.dropout import Dropout, next_step, seed_dropout
from lcm.models.stacked import vmappable
from lcm.params import load_params


def lstm(vocabulary_size, embedding, hidden, mask, init):
    sizes = {"vocabulary_size": vocabulary_size, "embedding": embedding, "hidden": hidden}
    return runs.built("lstm", mask=mask, init=init, **sizes).encoder


def image_cnn(channels, hidden, dropout, size=8):
    return runs.built("image_cnn", image_size=size, channels=channels, hidden=hidden, dropout=dropout).encoder


TOKENS = np.array([[0, 0, 3, 1, 2], [4, 4, 1, 2, 3], [5, 2, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 6]])


def test_torch_initialisation_is_left_alone():
    torch.manual_seed(0)
    assert lstm(2000, 64, 64, False, "torch").embedding.weight.std().item() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("width", [1, 3, 10])
def test_gradients_through_the_maximum_equal_dense_ones(width):
    torch.manual_seed(width)
    inputs, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((4, 12, 5), (6, 5, width), (6,))
    )
    upstream = torch.randn(4, 6, dtype=torch.float64)
    dense = torch.autograd.grad(
        (F.conv1d(inputs.transpose(1, 2), weight, bias).amax(-1) * upstream).sum(), (inputs, weight, bias)
    )
    sparse = torch.autograd.grad(
        (ConvolutionMaximum.apply(inputs, weight, bias) * upstream).sum(), (inputs, weight, bias)
    )
    for found, expected in zip(sparse, dense, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    assert torch.autograd.gradcheck(ConvolutionMaximum.apply, (inputs, weight, bias))


def test_equal_windows_share_or_take_the_gradient_alike():
    """Where windows are equal autograd splits the gradient, ours gives it to one; the embedding's sum is the same."""
    torch.manual_seed(0)
    table, weight, bias = (
        torch.randn(4, 5, dtype=torch.float64),
        torch.randn(6, 5, 2, dtype=torch.float64),
        torch.randn(6, dtype=torch.float64),
    )
    tokens = torch.zeros(3, 9, dtype=torch.int64)
    tokens[:, -1] = 2
    grads = []
    for operation in (lambda x, w, b: F.conv1d(x.transpose(1, 2), w, b).amax(-1), ConvolutionMaximum.apply):
        leaf = table.clone().requires_grad_()
        grads.append(torch.autograd.grad(operation(leaf[tokens], weight, bias).square().sum(), leaf)[0])
    torch.testing.assert_close(*grads)


def test_the_bag_is_the_mean_of_the_vectors_of_real_tokens():
    encoder = runs.built("bag", vocabulary_size=7, embedding=4, init="torch").encoder
    torch.nn.init.normal_(encoder.embedding.weight)  # the row of the padding too
    table = encoder.embedding.weight.detach().numpy()
    expected = [table[[token for token in row if token]].mean(0) if row.any() else np.zeros(4) for row in TOKENS]
    found = encoder(torch.tensor(TOKENS)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name,vector_size", [("lstm_rand", 64), ("cnn_rand", 300), ("image_cnn", 64)])
def test_every_model_of_params_is_built_alike_from_a_seed(name, vector_size):
    settings = load_params("params.yaml").model(name)
    models = []
    for _ in range(2):
        torch.manual_seed(3)
        models.append(build(settings, 20, Start(image_size=28)))
    inputs = (
        torch.randint(0, 255, (2, 28, 28), dtype=torch.uint8)
        if name == "image_cnn"
        else torch.randint(0, 20000, (2, 100))
    )
    vector, logits = models[0].eval()(inputs)
    assert vector.shape == (2, vector_size) and logits.shape == (2, 20)
    assert all(torch.equal(a, b) for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True))


def test_the_dense_layer_of_bert_is_keras_too(tmp_path):
    torch.manual_seed(0)
    dense = runs.built("bert", folder=runs.bert_folder(tmp_path), hidden=48).encoder.dense
    limit = (6 / (64 + 48)) ** 0.5  # Glorot; PyTorch's own would end at 1 / 8
    assert 0.98 * limit < dense.weight.abs().max() <= limit and dense.bias.eq(0).all()
    torch.manual_seed(0)
    assert runs.built("bert", folder=tmp_path, hidden=48, init="torch").encoder.dense.bias.abs().max() > 0


@pytest.mark.parametrize("model", ["lstm", "cnn", "bag", "image_cnn"])
def test_with_keras_init_every_bias_starts_at_zero_but_the_forget_gates(model):
    torch.manual_seed(0)
    wide = {"channels": [30, 40]} if model == "image_cnn" else {}
    for name, weight in runs.built(model, **wide).named_parameters():
        if "bias" in name:
            assert weight.sum() == (8 if name.endswith("bias_ih_l0") else 0), name
        elif weight.dim() > 2:  # a convolution: Glorot over channels x places
            places = weight[0, 0].numel()
            limit = (6 / (places * (weight.shape[0] + weight.shape[1]))) ** 0.5
            assert 0.9 * limit < weight.abs().max() <= limit, name


@pytest.mark.parametrize("init", ["keras", "torch"])
@pytest.mark.parametrize("model", [*runs.MODELS, *runs.MORE_MODELS])
def test_stacked_models_give_what_each_gives_alone(model, init, tmp_path):
    """Forward and backward, every weight of its own kind: PyTorch's LSTM has two biases that are not zero."""
    folder = runs.bert_folder(tmp_path, dropout=0.0)
    inputs = torch.from_numpy(runs.documents(model)[0][:9])
    inputs = inputs.long() if inputs.dtype == torch.int32 else inputs
    alone = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        alone.append(runs.built(model, folder=folder, init=init, **({"dropout": 0.0} if model == "image_cnn" else {})))
    weights, buffers = stack_module_state(alone)
    expected = [each(inputs)[1] for each in alone]
    mould = vmappable(copy.deepcopy(alone[0])).to("meta")
    found = torch.vmap(lambda state: functional_call(mould, state, (inputs,))[1], randomness="error")(weights | buffers)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    found.square().sum().backward()
    for r, each in enumerate(alone):
        expected[r].square().sum().backward()
        for name, weight in each.named_parameters():
            if weight.requires_grad:
                torch.testing.assert_close(weights[name].grad[r], weight.grad, rtol=1e-3, atol=1e-4, msg=name)


def test_dropout_called_again_in_a_step_drops_others_and_the_same_in_the_next_run_of_the_step():
    """ALBERT's layers are one layer, called again and again."""
    layer, inputs = torch.nn.Sequential(Dropout(0.5)), torch.ones(4, 50)
    seed_dropout(layer, 3)
    steps = []
    for _ in range(2):
        next_step(layer, dict(layer.named_buffers()))
        steps.append([layer(inputs), layer(inputs), layer(inputs)])
    masks = [mask for step in steps for mask in step]
    assert not any(torch.equal(masks[i], masks[j]) for i in range(6) for j in range(i))
    seed_dropout(layer, 3)
    for step in steps:
        next_step(layer, dict(layer.named_buffers()))
        assert all(torch.equal(layer(inputs), mask) for mask in step)


def test_pixels_are_shares_of_white():
    encoder = image_cnn([3, 4], 5, 0.0)
    images = torch.randint(0, 256, (2, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(encoder(images), encoder.layers((images.double() / 255).float()[:, None]))


def test_bert_looks_at_no_pad_and_takes_the_vector_of_cls(tmp_path):
    torch.manual_seed(0)
    predictor = runs.built("bert", folder=runs.bert_folder(tmp_path)).eval()
    tokens = torch.tensor([[5, 9, 7, 0, 0], [5, 9, 7, 3, 8]])
    vector, logits = predictor(tokens)
    torch.testing.assert_close(vector[:1], predictor(tokens[:1, :3])[0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(predictor.encoder.forward_stacked(tokens), vector, rtol=1e-4, atol=1e-6)
    states = predictor.encoder.bert(input_ids=tokens[1:]).last_hidden_state
    torch.testing.assert_close(
        vector[1:],
        (states[:, 0] @ predictor.encoder.dense.weight.T + predictor.encoder.dense.bias).tanh(),
        rtol=1e-4,
        atol=1e-6,
    )
    torch.testing.assert_close(logits, vector @ predictor.output.weight.T + predictor.output.bias)


def test_vectors_fill_the_first_rows_and_no_others():
    torch.manual_seed(0)
    vectors = np.random.RandomState(0).normal(size=(5, 6)).astype(np.float32)
    table = runs.built("cnn", start_vectors=vectors, embedding=None, vectors="any").encoder.embedding.weight
    assert torch.equal(table[:5], torch.from_numpy(vectors)) and table[5:].abs().max() <= 0.05
    assert len(table) == 40 and table.requires_grad
