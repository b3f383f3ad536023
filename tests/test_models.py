"""Encoders against NumPy in float64, written from the definitions (Keras' as in the study's PROTOCOL 6), not from PyTorch's layers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lcm.models import build
from lcm.models.cnn import CnnEncoder, ConvolutionMaximum
from lcm.models.image_cnn import ImageCnnEncoder
from lcm.models.lstm import LstmEncoder
from lcm.params import load_params


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_lstm(encoder, tokens, skip_pads):
    """Last state of a Keras LSTM: one bias, gates i f g o, a masked step changes nothing."""
    w, u = encoder.lstm.weight_ih_l0.detach().numpy(), encoder.lstm.weight_hh_l0.detach().numpy()
    bias = (encoder.lstm.bias_ih_l0 + encoder.lstm.bias_hh_l0).detach().numpy()
    table = encoder.embedding.weight.detach().numpy()
    states = []
    for row in tokens:
        h = c = np.zeros(u.shape[1])
        for token in row:
            if skip_pads and token == 0:
                continue
            i, f, g, o = np.split(w @ table[token] + u @ h + bias, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


TOKENS = np.array([[0, 0, 3, 1, 2], [4, 4, 1, 2, 3], [5, 2, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 6]])


@pytest.mark.parametrize("mask", [False, True])
def test_lstm_equals_numpy(mask):
    torch.manual_seed(0)
    encoder = LstmEncoder(7, 4, 3, mask, "keras").double()
    torch.nn.init.normal_(encoder.embedding.weight)
    torch.nn.init.normal_(encoder.lstm.bias_ih_l0)
    found = encoder(torch.tensor(TOKENS)).detach().numpy()
    np.testing.assert_allclose(found, numpy_lstm(encoder, TOKENS, mask), rtol=1e-10, atol=1e-14)


def test_with_a_mask_the_padding_side_does_not_matter_without_it_does():
    torch.manual_seed(0)
    left, right = torch.tensor([[0, 0, 3, 1, 2]]), torch.tensor([[3, 1, 2, 0, 0]])
    masked, plain = LstmEncoder(7, 4, 3, True, "keras"), LstmEncoder(7, 4, 3, False, "keras")
    torch.testing.assert_close(masked(left), masked(right))
    assert not torch.allclose(plain(left), plain(right))


def test_keras_initialisation_of_the_lstm():
    torch.manual_seed(0)
    encoder = LstmEncoder(20000, 64, 64, False, "keras")
    table = encoder.embedding.weight
    assert table.abs().max() <= 0.05 and table[0].abs().max() > 0  # the pad's row is an ordinary one
    assert table.std().item() == pytest.approx(0.1 / 12**0.5, rel=0.01)
    kernel = encoder.lstm.weight_ih_l0
    limit = (6 / (64 + 256)) ** 0.5  # Glorot over the fused (in, 4h) kernel
    assert kernel.abs().max() <= limit and kernel.abs().max() > 0.98 * limit
    recurrent = encoder.lstm.weight_hh_l0
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(64), atol=1e-5, rtol=0)
    assert encoder.lstm.bias_ih_l0[64:128].eq(1).all() and encoder.lstm.bias_ih_l0.sum() == 64
    assert encoder.lstm.bias_hh_l0.eq(0).all() and not encoder.lstm.bias_hh_l0.requires_grad


def test_torch_initialisation_is_left_alone():
    torch.manual_seed(0)
    assert LstmEncoder(2000, 64, 64, False, "torch").embedding.weight.std().item() == pytest.approx(1, rel=0.02)


def test_cnn_equals_numpy():
    torch.manual_seed(0)
    encoder = CnnEncoder(9, 4, [2, 3], 5, "keras").double()
    tokens = np.random.default_rng(0).integers(0, 9, (3, 8))
    table = encoder.embedding.weight.detach().numpy()
    expected = []
    for row in tokens:
        parts = []
        for convolution in encoder.convolutions:
            w, b = convolution.weight.detach().numpy(), convolution.bias.detach().numpy()
            width = w.shape[2]
            windows = np.stack([table[row[t : t + width]] for t in range(len(row) - width + 1)])  # (time, width, embedding)
            parts.append(np.maximum(np.einsum("twe,few->tf", windows, w) + b, 0).max(0))
        expected.append(np.concatenate(parts))
    np.testing.assert_allclose(encoder(torch.tensor(tokens)).detach().numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("width", [1, 3, 10])
def test_gradients_through_the_maximum_equal_dense_ones(width):
    torch.manual_seed(width)
    inputs, weight, bias = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((4, 12, 5), (6, 5, width), (6,)))
    upstream = torch.randn(4, 6, dtype=torch.float64)
    dense = torch.autograd.grad((F.conv1d(inputs.transpose(1, 2), weight, bias).amax(-1) * upstream).sum(), (inputs, weight, bias))
    sparse = torch.autograd.grad((ConvolutionMaximum.apply(inputs, weight, bias) * upstream).sum(), (inputs, weight, bias))
    for found, expected in zip(sparse, dense, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    assert torch.autograd.gradcheck(ConvolutionMaximum.apply, (inputs, weight, bias))


def test_equal_windows_share_or_take_the_gradient_alike():
    """Pads make windows equal, so maxima tie: autograd splits the gradient, ours gives it to one; the embedding's sum is the same."""
    torch.manual_seed(0)
    table, weight, bias = torch.randn(4, 5, dtype=torch.float64), torch.randn(6, 5, 2, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    tokens = torch.zeros(3, 9, dtype=torch.int64)
    tokens[:, -1] = 2
    grads = []
    for operation in (lambda x, w, b: F.conv1d(x.transpose(1, 2), w, b).amax(-1), ConvolutionMaximum.apply):
        leaf = table.clone().requires_grad_()
        grads.append(torch.autograd.grad(operation(leaf[tokens], weight, bias).square().sum(), leaf)[0])
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("size", [8, 28])
def test_image_cnn_takes_bytes(size):
    encoder = ImageCnnEncoder(size, [4, 6], 10, 0.5, "keras").eval()
    images = torch.randint(0, 256, (3, size, size), dtype=torch.uint8)
    assert encoder(images).shape == (3, 10)
    black, white = (encoder(torch.full((1, size, size), value, dtype=torch.uint8)) for value in (0, 255))
    assert torch.allclose(black, encoder.layers(torch.zeros(1, 1, size, size))) and torch.allclose(white, encoder.layers(torch.ones(1, 1, size, size)))


@pytest.mark.parametrize("name,vector_size", [("lstm_rand", 64), ("cnn_rand", 300), ("image_cnn", 64)])
def test_every_model_of_params_is_built_alike_from_a_seed(name, vector_size):
    settings = load_params("params.yaml").models[name]
    models = []
    for _ in range(2):
        torch.manual_seed(3)
        models.append(build(settings, 20, 28))
    inputs = torch.randint(0, 255, (2, 28, 28), dtype=torch.uint8) if name == "image_cnn" else torch.randint(0, 20000, (2, 100))
    vector, logits = models[0].eval()(inputs)
    assert vector.shape == (2, vector_size) and logits.shape == (2, 20)
    assert all(torch.equal(a, b) for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True))
