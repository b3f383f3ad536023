"""Symmetric cross-entropy: cross-entropy plus its reverse."""

import math

from torch import Tensor

from lcm.schema import Group, NotNegative
from lcm.targets.base import Target, of_label

LOG_OF_ZERO = math.log(1e-4)  # the authors' code in place of the log of a one-hot label's zeros


class SymmetricCrossEntropy(Target):
    """loss = -alpha log p_y - beta A (1 - p_y), A = log 1e-4 = -9.21 (Wang et al. 2019).

    The second term is the cross-entropy of y under p: with one-hot labels, 9.21 times the share of p off the label.
    alpha, beta: the authors' .1 and 1 for 10 classes, 6 and .1 for 100. Cost O(B C), no memory.
    Implicit target: p + (alpha + 9.21 beta p_y)(y - p).
    """

    name, label, short = "sce", "symmetric cross-entropy", "SCE"
    reference = "Wang et al. 2019"
    knob = "alpha"
    grid = tuple({"alpha": alpha, "beta": beta} for beta in (0.1, 1.0) for alpha in (0.1, 0.4, 6.0))

    class Settings(Group):
        alpha: NotNegative = 0.1
        beta: NotNegative = 1.0

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        log_p = of_label(logits.log_softmax(-1), labels)
        return -self.alpha * log_p + self.beta * LOG_OF_ZERO * log_p.expm1()
