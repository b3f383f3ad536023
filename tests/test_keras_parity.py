"""Our layers and optimiser against Keras 2.3, the authors' framework, in NumPy and float64 from its documentation.

Nothing of ours is used to make the expected values: neither layers, nor initialisers, nor `pad_sequences`.
"""

import numpy as np
import pytest
import runs
import torch

from lcm.params import Train
from lcm.targets import LabelConfusionModel, lcm_loss
from lcm.text.encode import window
from lcm.training.optimizer import Optimizer

VOCABULARY, SIZE, HIDDEN, LABELS = 12, 5, 4, 3


def softmax(x):
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def glorot(fan_in, fan_out):
    return np.sqrt(6 / (fan_in + fan_out))


def is_uniform(values, limit):
    """Within +-limit, reaching to it, with the quarters equally full (to four standard deviations)."""
    values = values.detach().double().numpy().ravel()
    quarters = np.histogram(values, 4, (-limit, limit))[0] / len(values)
    return (
        np.abs(values).max() <= limit * (1 + 1e-6)
        and np.abs(values).max() > 0.95 * limit
        and np.abs(quarters - 0.25).max() < 4 * np.sqrt(0.1875 / len(values))
    )


# What Keras draws


def test_initialisers_of_lstm_and_dense():
    torch.manual_seed(0)
    predictor = runs.built("lstm", 20, vocabulary_size=3000, embedding=64, hidden=32)
    encoder, lstm = predictor.encoder, predictor.encoder.lstm
    assert encoder.embedding.weight.shape == (3000, 64) and is_uniform(encoder.embedding.weight, 0.05)
    assert is_uniform(encoder.embedding.weight[0], 0.05), "row 0, the pad's, is an ordinary one"
    kernel = lstm.weight_ih_l0.T  # Keras: (in, 4h)
    assert kernel.shape == (64, 4 * 32) and is_uniform(kernel, glorot(64, 4 * 32))
    recurrent = lstm.weight_hh_l0.T.detach().numpy()  # (h, 4h), rows orthonormal
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(32), atol=1e-5)
    bias = np.repeat([0, 1, 0, 0], 32)  # i, f, c, o
    np.testing.assert_array_equal(lstm.bias_ih_l0.detach(), bias)
    np.testing.assert_array_equal(lstm.bias_hh_l0.detach(), 0)
    assert lstm.bias_ih_l0.requires_grad and not lstm.bias_hh_l0.requires_grad, "Keras has one bias"
    assert is_uniform(predictor.output.weight, glorot(32, 20)) and not predictor.output.bias.any()


def test_initialisers_of_the_convolutions():
    torch.manual_seed(0)
    for convolution, width in zip(
        runs.built("cnn", embedding=64, filter_sizes=[3, 10], filters=100).encoder.convolutions, (3, 10), strict=True
    ):
        assert convolution.weight.shape == (100, 64, width)  # Keras: (width, 64, 100), fans times the width
        assert is_uniform(convolution.weight, glorot(width * 64, width * 100)) and not convolution.bias.any()


def test_initialisers_of_the_label_encoder():
    torch.manual_seed(0)
    model = LabelConfusionModel(300, 64, label_dim=32)
    assert is_uniform(model.embedding.weight, 0.05)
    assert is_uniform(model.encoder.weight, glorot(32, 64)) and is_uniform(model.confusion.weight, glorot(300, 300))
    assert not model.encoder.bias.any() and not model.confusion.bias.any()


# What Keras computes


class KerasWeights(dict):
    """Random float64 weights by name, in Keras' shapes."""

    def __init__(self, seed=0):
        random = np.random.RandomState(seed)
        shapes = {
            "embedding": (VOCABULARY, SIZE), "kernel": (SIZE, 4 * HIDDEN), "recurrent": (HIDDEN, 4 * HIDDEN),
            "bias": (4 * HIDDEN,), "dense": (HIDDEN, LABELS), "dense_bias": (LABELS,), "label_embedding": (LABELS, 6),
            "label_dense": (6, HIDDEN), "label_bias": (HIDDEN,), "confusion": (LABELS, LABELS),
            "confusion_bias": (LABELS,),
        }  # fmt: skip
        super().__init__({name: random.normal(0, 0.5, shape) for name, shape in shapes.items()})


def ours(weights, mask=False):
    """The same weights in our modules; what is (in, out) in Keras is (out, in) in PyTorch."""
    predictor = runs.built(
        "lstm", LABELS, vocabulary_size=VOCABULARY, embedding=SIZE, hidden=HIDDEN, mask=mask
    ).double()
    confusion = LabelConfusionModel(LABELS, HIDDEN, 4.0, 6).double()
    lstm = predictor.encoder.lstm
    places = {
        "embedding": predictor.encoder.embedding.weight, "kernel": lstm.weight_ih_l0, "recurrent": lstm.weight_hh_l0,
        "bias": lstm.bias_ih_l0, "dense": predictor.output.weight, "dense_bias": predictor.output.bias,
        "label_embedding": confusion.embedding.weight, "label_dense": confusion.encoder.weight,
        "label_bias": confusion.encoder.bias, "confusion": confusion.confusion.weight,
        "confusion_bias": confusion.confusion.bias,
    }  # fmt: skip
    with torch.no_grad():
        for name, place in places.items():
            place.copy_(torch.from_numpy(weights[name] if "embedding" in name else weights[name].T))
    return predictor, confusion, places


def keras_lstm(weights, tokens, mask_zero=False):
    """The last output of Embedding -> LSTM: tanh and sigmoid, gates in the order i, f, c, o, starting from zeros."""
    h = c = np.zeros((len(tokens), HIDDEN))
    for step in tokens.T:
        x = weights["embedding"][step]
        i, f, g, o = np.split(x @ weights["kernel"] + h @ weights["recurrent"] + weights["bias"], 4, axis=1)
        new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        new_h = sigmoid(o) * np.tanh(new_c)
        keep = (step == 0)[:, None] if mask_zero else np.zeros((len(tokens), 1), bool)
        h, c = np.where(keep, h, new_h), np.where(keep, c, new_c)
    return h


POST = np.array([[3, 1, 2, 0, 0, 0], [4, 0, 0, 0, 0, 0], [5, 6, 7, 8, 9, 11], [0, 0, 0, 0, 0, 0]])


@pytest.mark.parametrize("mask", [False, True])
def test_lstm_reads_the_pads_of_a_text_unless_masked(mask):
    weights, tokens = KerasWeights(), np.concatenate([POST, [[0, 0, 3, 1, 0, 2], [0, 0, 0, 0, 0, 6]]])
    vector, logits = ours(weights, mask)[0](torch.from_numpy(tokens))
    expected = keras_lstm(weights, tokens, mask)
    np.testing.assert_allclose(vector.detach(), expected, rtol=1e-10, atol=1e-14)
    probabilities = softmax(expected @ weights["dense"] + weights["dense_bias"])
    np.testing.assert_allclose(logits.softmax(-1).detach(), probabilities, rtol=1e-10)
    other = keras_lstm(weights, tokens, not mask)
    assert np.abs(expected - other).max() > 0.05, "else the mask would go untested"


def test_conv1d_relu_and_global_maximum():
    """Keras: Conv1D(valid, relu) is a correlation over time; kernels (width, in, filters)."""
    random = np.random.RandomState(1)
    encoder = runs.built(
        "cnn", vocabulary_size=VOCABULARY, embedding=SIZE, filter_sizes=[2, 4], filters=3
    ).encoder.double()
    table = random.normal(size=(VOCABULARY, SIZE))
    encoder.embedding.weight.data.copy_(torch.from_numpy(table))
    expected = []
    for convolution, width in zip(encoder.convolutions, (2, 4), strict=True):
        kernel, bias = (
            random.normal(size=(width, SIZE, 3)),
            random.normal(size=3) - 3,
        )  # low, so that ReLU has something to do
        convolution.weight.data.copy_(torch.from_numpy(kernel.transpose(2, 1, 0)))
        convolution.bias.data.copy_(torch.from_numpy(bias))
        embedded = table[POST]
        outputs = [np.tensordot(embedded[:, t : t + width], kernel, 2) + bias for t in range(POST.shape[1] - width + 1)]
        expected.append(np.maximum(outputs, 0).max(0))
    expected = np.concatenate(expected, 1)
    assert (expected == 0).any() and (expected > 0).any()
    np.testing.assert_allclose(encoder(torch.from_numpy(POST)).detach(), expected, rtol=1e-10, atol=1e-14)


# How Keras learns


def keras_lcm_loss(weights, tokens, labels):
    """Authors' lcm_loss: -CE(s, s) + CE(s, p), mean over the batch."""
    v = keras_lstm(weights, tokens)
    p = softmax(v @ weights["dense"] + weights["dense_bias"])
    label_vectors = np.tanh(weights["label_embedding"] @ weights["label_dense"] + weights["label_bias"])
    c = softmax((v @ label_vectors.T) @ weights["confusion"] + weights["confusion_bias"])
    s = softmax(4.0 * np.eye(LABELS)[labels] + c)
    return ((s * np.log(s)).sum(1) - (s * np.log(p)).sum(1)).mean()


def numeric_gradients(weights, tokens, labels, step=1e-5):
    """Central differences of every weight."""
    gradients = {}
    for name, values in weights.items():
        gradient = gradients[name] = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            kept = values[place]
            values[place] = kept + step
            above = keras_lcm_loss(weights, tokens, labels)
            values[place] = kept - step
            gradient[place] = (above - keras_lcm_loss(weights, tokens, labels)) / (2 * step)
            values[place] = kept
    return gradients


class KerasAdam:
    """p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps): no bias correction of eps; every row is updated."""

    def __init__(self, lr, eps):
        self.lr, self.eps, self.t, self.m, self.v = lr, eps, 0, {}, {}

    def update(self, weights, gradients):
        self.t += 1
        for name, g in gradients.items():
            self.m[name] = 0.9 * self.m.get(name, 0) + 0.1 * g
            self.v[name] = 0.999 * self.v.get(name, 0) + 0.001 * g**2
            lr = self.lr * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
            weights[name] -= lr * self.m[name] / (np.sqrt(self.v[name]) + self.eps)


LABELS_OF = np.array([0, 2, 1, 2])


@pytest.mark.parametrize("form", ["keras", "torch"])
def test_steps_of_adam_on_lstm_and_lcm(form):
    """Three steps, with an epsilon as large as the gradients: PyTorch's form must miss Keras' weights."""
    eps = 0.01
    weights = KerasWeights()
    predictor, confusion, places = ours(weights)
    settings = Train(epochs=1, batch_size=4, lr=0.01, adam_eps=eps, adam_form=form, select="last")
    optimizer = Optimizer(
        [weight for module in (predictor, confusion) for weight in module.parameters() if weight.requires_grad],
        settings,
    )
    keras = KerasAdam(0.01, eps)
    batches = [(POST, LABELS_OF), (POST[::-1].copy(), LABELS_OF), (POST, LABELS_OF[::-1].copy())]
    for tokens, labels in batches:
        optimizer.zero_grad()
        vector, logits = predictor(torch.from_numpy(tokens))
        lcm_loss(logits, confusion(vector, torch.from_numpy(labels))).backward()
        optimizer.step()
        keras.update(weights, numeric_gradients(weights, tokens, labels))
    errors = []
    for name, expected in weights.items():
        found = places[name].detach().numpy()
        errors.append(np.abs((found if "embedding" in name else found.T) - expected).max())
    assert (max(errors) < 1e-7) == (form == "keras"), errors
    assert not predictor.encoder.lstm.bias_hh_l0.any(), "the second bias stays zero"


# What Keras feeds


def pad_sequences(sequences, maxlen, padding="pre", truncating="pre"):
    """Keras' rule, written anew: cut at one side, fill with zeros at one side."""
    rows = []
    for sequence in sequences:
        kept = (
            sequence[len(sequence) - maxlen :] if truncating == "pre" and len(sequence) > maxlen else sequence[:maxlen]
        )
        zeros = [0] * (maxlen - len(kept))
        rows.append(zeros + kept if padding == "pre" else kept + zeros)
    return rows


@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("padding", ["pre", "post"])
def test_pad_sequences_after_num_words(padding, truncating):
    """Tokenizer(num_words=8) leaves ids 1 to 7, then pad_sequences; the authors pad post and truncate pre."""
    texts = [[1, 9, 2, 3], [7, 8, 8, 1, 2, 3, 4, 5, 6], [9, 10], [4], [1, 2, 3, 4, 5]]
    known = [[word for word in text if word < 8] for text in texts]
    offsets = np.cumsum([0, *map(len, texts)])
    found = window(np.concatenate(texts).astype(np.int32), offsets, 8, 5, truncating, padding)
    assert found.tolist() == pad_sequences(known, 5, padding, truncating)
