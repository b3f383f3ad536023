"""The control that decides the question: label smoothing of the same strength as LCM."""

import math


def matched_epsilon(alpha: float, n_labels: int) -> float:
    """The epsilon at which label smoothing leaves as much mass on the true label as LCM with a uniform confusion
    distribution.

    The simulated label distribution then has s_true = e^alpha / (e^alpha + C - 1), label smoothing has 1 - epsilon +
    epsilon / C. 0.272 at alpha = 4 and 20 classes, where the paper compares with 0.1.
    """
    if n_labels < 2:
        raise ValueError(f"label smoothing needs at least 2 classes, got {n_labels}")
    true_mass = 1 / (1 + (n_labels - 1) * math.exp(-alpha))
    return (1 - true_mass) * n_labels / (n_labels - 1)
