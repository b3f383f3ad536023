"""Held-out LCM: models that have not seen a sample's label give its confusion distribution."""

import torch
from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Epsilon, Fraction, Target, Task, off_label, one_hot, smoothed, soft_cross_entropy

TEMPERATURES = [2 ** (step / 16) for step in range(-32, 33)]  # a quarter to four


class HeldOutLcm(Target):
    """loss = -sum_k s_k log p_k; s has label smoothing's strength, its mass off the label goes by c_i and evenly
    (this study).

    s_y = 1 - epsilon (C - 1) / C, s_k = epsilon (C - 1) / C (rho c_ik / sum_{j != y} c_ij + (1 - rho) / (C - 1)). c_i:
    the sample's out-of-fold probabilities, `task.held_out`, at the temperature that fits them best to `task.labels` if
    these are given. epsilon: its strength. rho: 0 is label smoothing. whole: s = (1 - epsilon) y + epsilon c_i, which
    may leave a wrong label. Cost: the models of the folds; O(B C) a step, memory n C numbers. Implicit target: s.
    """

    name, label, short = "held_out_lcm", "held-out LCM", "held-out"
    reference = "this study"
    knob = "epsilon"
    grid = tuple({"epsilon": epsilon, "rho": rho} for rho in (0.5, 0.9) for epsilon in (0.27, 0.5, 0.75))
    needs = ("held_out", "n_samples")
    structural = ("whole",)

    class Settings(Group):
        epsilon: Epsilon = 0.27
        rho: Fraction = 0.9
        whole: bool = False

    def __init__(self, task: Task, **settings):
        super().__init__(task, **settings)
        held_out = self.of_task("held_out", self.task.n_samples, self.task.n_labels)
        if self.task.labels is not None:
            held_out = calibrated(held_out, self.of_task("labels", self.task.n_samples, floating=False))
        self.register_buffer("confusion", held_out)

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        confusion = self.confusion[samples]
        if self.settings.whole:
            return soft_cross_entropy(logits, (1 - self.epsilon) * one_hot(labels, logits) + self.epsilon * confusion)
        even = (1 - one_hot(labels, logits)) / (logits.shape[-1] - 1)
        shares = self.rho * off_label(confusion, labels) + (1 - self.rho) * even
        return soft_cross_entropy(logits, smoothed(labels, shares, self.epsilon))


def calibrated(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Probabilities (n, C) at the temperature, of `TEMPERATURES`, with the least loss on the samples whose label is not
    -1.
    """
    log_p, known = probabilities.clamp(min=1e-12).log(), labels >= 0

    def loss(temperature: float) -> float:
        return torch.nn.functional.cross_entropy(log_p[known] / temperature, labels[known]).item()

    return (log_p / min(TEMPERATURES, key=loss)).softmax(-1) if known.any() else probabilities
