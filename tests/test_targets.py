"""The label confusion model by hand. An implementation in NumPy that shares nothing with it: test_targets_all.py."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lcm import LabelConfusionModel, lcm_loss, matched_epsilon, smoothing_loss


def make(batch, classes, size, alpha, **options):
    torch.manual_seed(0)
    model = LabelConfusionModel(classes, size, alpha, label_dim=5, **options).double()
    for weight in model.parameters():  # away from the tame initial values
        torch.nn.init.normal_(weight)
    rng = np.random.default_rng(0)
    v, logits = rng.normal(size=(batch, size)), rng.normal(size=(batch, classes))
    y = rng.integers(classes, size=batch)
    return model, v, y, logits


def test_large_alpha_is_one_hot_cross_entropy():
    model, v, y, logits = make(6, 5, 4, 200.0)
    loss = lcm_loss(torch.tensor(logits), model(torch.tensor(v), torch.tensor(y)))
    assert loss.item() == pytest.approx(F.cross_entropy(torch.tensor(logits), torch.tensor(y)).item(), rel=1e-9)


@pytest.mark.parametrize("classes", [2, 4, 20])
@pytest.mark.parametrize("alpha", [0.5, 4.0])
def test_uniform_confusion_is_label_smoothing_with_the_matched_epsilon(classes, alpha):
    model, v, y, logits = make(6, classes, 4, alpha)
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
    model, v, y, _ = make(3, 4, 5, 4.0, detach=True)
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


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="2 classes"):
        matched_epsilon(4, 1)
