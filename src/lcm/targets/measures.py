"""Where a loss stands: its implicit target, the strength of that, and its distance from uniform smoothing."""

import torch
from torch import Tensor

from lcm.targets.base import Target, of_label, one_hot

TOLERANCE = 1e-5  # rounding of float32 that still counts as a distribution


def implicit_target(
    target: Target, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
) -> Tensor:
    """Return s* = p - d loss / d logits, (B, C): the soft target whose cross-entropy has the gradient of this loss.

    Arguments as for `Target.losses`. The target's state stays as it is. Works under `vmap`. Rows sum to 1 if the loss
    depends on p only; entries can be negative, as for early-learning regularisation.
    """
    training = target.training
    target.eval()  # state stays
    try:
        gradient = torch.func.grad(lambda z: target.losses(z, labels, vector, samples).sum())(logits.detach())
    finally:
        target.train(training)
    return logits.detach().softmax(-1) - gradient


def strength(s: Tensor, labels: Tensor) -> Tensor:
    """Return the epsilon of label smoothing with the same mass on the label, (B,): (1 - s_y) C / (C - 1). s: (B, C)."""
    n_labels = s.shape[-1]
    return (1 - of_label(s, labels)) * n_labels / (n_labels - 1)


def structure(s: Tensor, labels: Tensor) -> Tensor:
    """Return KL(s || uniform smoothing of the same strength) in nats, (B,). 0: the mass off the label prefers no class.

    s: (B, C). nan where s is not a distribution (an entry below 0, or a sum other than 1).
    """
    off = (s * (1 - one_hot(labels, s))).clamp(min=0)  # rounding leaves less than nothing off a one-hot target's label
    mass = off.sum(-1)
    divergence = torch.xlogy(off, off).sum(-1) - torch.xlogy(mass, mass / (s.shape[-1] - 1))
    is_distribution = (s.amin(-1) >= -TOLERANCE) & ((s.sum(-1) - 1).abs() <= TOLERANCE)
    return torch.where(is_distribution, divergence.clamp(min=0), torch.nan)
