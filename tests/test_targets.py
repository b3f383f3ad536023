"""The label confusion model against an implementation in float64 NumPy that shares nothing with it, and by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lcm import LabelConfusionModel, lcm_loss, matched_epsilon, smoothing_loss

CASES = [(1, 2, 3), (5, 2, 4), (7, 20, 6), (1, 20, 8)]  # batch, classes, vector size


def softmax(z):
    z = np.exp(z - z.max(-1, keepdims=True))
    return z / z.sum(-1, keepdims=True)


def numpy_forward(w, v, y, logits, alpha):
    """Eq. of the paper, returns loss and every intermediate."""
    E = np.tanh(w["emb"] @ w["We"] + w["be"])  # (C, d)
    u = (v @ E.T) @ w["W"] + w["b"]
    c = softmax(u)
    z = alpha * np.eye(len(w["b"]))[y] + c
    s, p = softmax(z), softmax(logits)
    per_sample = (s * (np.log(s) - np.log(p))).sum(-1)
    return per_sample.mean(), {"E": E, "c": c, "s": s, "p": p, "per_sample": per_sample}


def numpy_gradients(w, v, y, logits, alpha):
    """By hand: dL/dlogits = p - s; g_k = s_k [(log s_k - log p_k) - L]; dL/du_j = c_j (g_j - sum_k c_k g_k)."""
    _, x = numpy_forward(w, v, y, logits, alpha)
    n = len(v)
    g = x["s"] * (np.log(x["s"]) - np.log(x["p"]) - x["per_sample"][:, None])
    du = x["c"] * (g - (x["c"] * g).sum(-1, keepdims=True)) / n
    ddot = du @ w["W"].T
    dE = ddot.T @ v
    dpre = dE * (1 - x["E"] ** 2)
    return {
        "logits": (x["p"] - x["s"]) / n,
        "v": ddot @ x["E"],
        "W": (v @ x["E"].T).T @ du,
        "b": du.sum(0),
        "We": w["emb"].T @ dpre,
        "be": dpre.sum(0),
        "emb": dpre @ w["We"].T,
    }


def make(batch, classes, size, alpha, seed=0, label_dim=5, **options):
    torch.manual_seed(seed)
    model = LabelConfusionModel(classes, size, alpha, label_dim, **options).double()
    for weight in model.parameters():  # away from the tame initial values
        torch.nn.init.normal_(weight)
    rng = np.random.default_rng(seed)
    v, logits = rng.normal(size=(batch, size)), rng.normal(size=(batch, classes))
    y = rng.integers(classes, size=batch)
    w = {
        "emb": model.embedding.weight, "We": model.encoder.weight.T, "be": model.encoder.bias,
        "W": model.confusion.weight.T, "b": model.confusion.bias,
    }  # fmt: skip
    return model, {name: tensor.detach().numpy().copy() for name, tensor in w.items()}, v, y, logits


@pytest.mark.parametrize("batch,classes,size", CASES)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 4.0])
def test_forward_and_gradients_equal_numpy(batch, classes, size, alpha):
    model, w, v, y, logits = make(batch, classes, size, alpha)
    tv, tl = torch.tensor(v, requires_grad=True), torch.tensor(logits, requires_grad=True)
    target = model(tv, torch.tensor(y))
    loss = lcm_loss(tl, target)
    expected, x = numpy_forward(w, v, y, logits, alpha)
    np.testing.assert_allclose(model.label_confusion(tv).detach().numpy(), x["c"], rtol=1e-12)
    np.testing.assert_allclose(target.detach().numpy(), x["s"], rtol=1e-12)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    loss.backward()
    gradients = numpy_gradients(w, v, y, logits, alpha)
    found = {
        "logits": tl.grad, "v": tv.grad, "W": model.confusion.weight.grad.T, "b": model.confusion.bias.grad,
        "We": model.encoder.weight.grad.T, "be": model.encoder.bias.grad, "emb": model.embedding.weight.grad,
    }  # fmt: skip
    for name, gradient in gradients.items():
        np.testing.assert_allclose(found[name].numpy(), gradient, rtol=1e-9, atol=1e-13, err_msg=name)
    assert tv.grad.abs().max() > 1e-6  # the target is not detached from the text vector


def test_gradients_equal_finite_differences():
    model, w, v, y, logits = make(3, 4, 5, 1.5, seed=3)
    tv, tl = torch.tensor(v, requires_grad=True), torch.tensor(logits, requires_grad=True)
    lcm_loss(tl, model(tv, torch.tensor(y))).backward()
    step = 1e-6
    for array, gradient in (
        (v, tv.grad.numpy()),
        (logits, tl.grad.numpy()),
        (w["emb"], model.embedding.weight.grad.numpy()),
    ):
        for place in np.ndindex(array.shape):
            old = array[place]
            array[place] = old + step
            above = numpy_forward(w, v, y, logits, 1.5)[0]
            array[place] = old - step
            below = numpy_forward(w, v, y, logits, 1.5)[0]
            array[place] = old
            assert (above - below) / (2 * step) == pytest.approx(gradient[place], abs=1e-8)


def test_large_alpha_is_one_hot_cross_entropy():
    model, _, v, y, logits = make(6, 5, 4, 200.0)
    loss = lcm_loss(torch.tensor(logits), model(torch.tensor(v), torch.tensor(y)))
    assert loss.item() == pytest.approx(F.cross_entropy(torch.tensor(logits), torch.tensor(y)).item(), rel=1e-9)


@pytest.mark.parametrize("classes", [2, 4, 20])
@pytest.mark.parametrize("alpha", [0.5, 4.0])
def test_uniform_confusion_is_label_smoothing_with_the_matched_epsilon(classes, alpha):
    model, _, v, y, logits = make(6, classes, 4, alpha)
    torch.nn.init.zeros_(model.confusion.weight)
    torch.nn.init.zeros_(model.confusion.bias)
    epsilon = matched_epsilon(alpha, classes)
    target = model(torch.tensor(v), torch.tensor(y))
    smoothed = (1 - epsilon) * np.eye(classes)[y] + epsilon / classes
    np.testing.assert_allclose(target.detach().numpy(), smoothed, rtol=1e-12)
    logits = torch.tensor(logits, requires_grad=True)
    lcm_gradient = torch.autograd.grad(lcm_loss(logits, target), logits)[0]
    ls_gradient = torch.autograd.grad(smoothing_loss(logits, torch.tensor(y), epsilon), logits)[0]
    torch.testing.assert_close(lcm_gradient, ls_gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "alpha,classes,epsilon",
    [(4, 20, 0.272), (4, 13, 0.195), (4, 14, 0.207), (4, 10, 0.157), (4, 4, 0.069), (0.5, 20, 0.969)],
)
def test_matched_epsilon_by_hand(alpha, classes, epsilon):
    assert matched_epsilon(alpha, classes) == pytest.approx(epsilon, abs=6e-4)  # three digits
    true = math.exp(alpha) / (math.exp(alpha) + classes - 1)
    assert 1 - matched_epsilon(alpha, classes) * (classes - 1) / classes == pytest.approx(true)


def test_two_classes_one_sample_by_hand():
    model = LabelConfusionModel(2, 1, alpha=1.0).double()
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    model.confusion.bias.data = torch.tensor(
        [0.0, math.log(3.0)], dtype=torch.float64
    )  # c = (1/4, 3/4) whatever the text
    target = model(torch.zeros(1, 1, dtype=torch.float64), torch.tensor([0]))
    s_true = math.exp(1.25) / (math.exp(1.25) + math.exp(0.75))
    assert target[0].tolist() == pytest.approx([s_true, 1 - s_true])
    loss = lcm_loss(torch.zeros(1, 2, dtype=torch.float64), target)
    assert loss.item() == pytest.approx(math.log(2) + s_true * math.log(s_true) + (1 - s_true) * math.log(1 - s_true))


def test_detach_stops_every_gradient_through_the_target():
    model, _, v, y, _ = make(3, 4, 5, 4.0, detach=True)
    tv = torch.tensor(v, requires_grad=True)
    assert not model(tv, torch.tensor(y)).requires_grad


def test_the_target_prefers_the_label_from_alpha_1_on_only():
    """The paper says from 0.5 on; all confusion on one wrong label beats that."""
    for alpha, keeps in ((0.5, False), (0.99, False), (1.01, True)):
        model = LabelConfusionModel(2, 1, alpha=alpha).double()
        torch.nn.init.zeros_(model.confusion.weight)
        model.confusion.bias.data = torch.tensor([-50.0, 50.0], dtype=torch.float64)  # c = (0, 1)
        s = model(torch.zeros(1, 1, dtype=torch.float64), torch.tensor([0]))
        assert bool(s[0, 0] > s[0, 1]) is keeps


def test_bad_arguments():
    with pytest.raises(ValueError, match="alpha"):
        LabelConfusionModel(3, 4, alpha=-1)
    with pytest.raises(ValueError, match="2 classes"):
        matched_epsilon(4, 1)
