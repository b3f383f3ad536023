"""Early-learning regularisation: predictions are held near the mean of earlier ones for the sample.

The mean is a running one, over the epochs.
"""

import torch
from torch import Tensor

from lcm.schema import Group, NotNegative
from lcm.targets.base import Fraction, Target, Task, cross_entropy

EDGE = 1e-4  # the authors' clamp of p


class EarlyLearningRegularisation(Target):
    """loss = -log p_y + weight log(1 - <t_i, p>), t_i <- memory t_i + (1 - memory) p (Liu et al. 2020).

    t_i belongs to the sample, is 0 at first and is updated, without gradient, before the loss is taken; p is clamped to
    [1e-4, 1 - 1e-4] in the second term and renormalised in the update. weight: the authors' 3 to 7; memory: .7 to .9.
    Cost O(B C), memory n C numbers. Implicit target: y + weight p (t - <t, p>) / (1 - <t, p>), off the simplex in
    general.
    """

    name, label, short = "elr", "early-learning regularisation", "ELR"
    reference = "Liu et al. 2020"
    knob = "weight"
    grid = tuple({"weight": weight, "memory": memory} for memory in (0.7, 0.9) for weight in (1.0, 3.0, 7.0))
    needs = ("n_samples",)

    class Settings(Group):
        weight: NotNegative = 3.0
        memory: Fraction = 0.7

    def __init__(self, task: Task | int, **settings):
        super().__init__(task, **settings)
        self.register_buffer("table", torch.zeros(self.task.n_samples, self.task.n_labels))

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        p = logits.softmax(-1).clamp(EDGE, 1 - EDGE)
        past = self.table[samples]
        if self.training:
            now = p.detach()
            past = self.memory * past + (1 - self.memory) * now / now.sum(-1, keepdim=True)
            self.table[samples] = past
        return cross_entropy(logits, labels) + self.weight * (1 - (past * p).sum(-1)).log()
