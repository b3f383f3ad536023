"""Group smoothing: the ceiling of the paper's premise, with mass on the labels that are truly alike."""

import torch
from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Epsilon, Fraction, Target, Task, off_label, one_hot, smoothed, soft_cross_entropy


class OracleGroup(Target):
    """loss = -sum_k s_k log p_k; s has label smoothing's strength, its mass off the label is mostly in the group
    (this study).

    s_y = 1 - epsilon (C - 1) / C; of the rest a share rho goes evenly to the other labels of y's group, 1 - rho evenly
    to all other labels. A label alone in its group has label smoothing. epsilon: its strength. rho: 0 is label
    smoothing. Cost O(B C), memory C^2 numbers. Implicit target: s.
    """

    name, label, short = "oracle_group", "smoothing over the true group", "own group"
    reference = "this study"
    ceiling = True
    knob = "epsilon"
    grid = tuple({"epsilon": epsilon, "rho": rho} for rho in (0.5, 0.9) for epsilon in (0.27, 0.5, 0.75))
    needs = ("groups",)

    class Settings(Group):
        epsilon: Epsilon = 0.27
        rho: Fraction = 0.9

    def __init__(self, task: Task, **settings):
        super().__init__(task, **settings)
        every = torch.arange(self.task.n_labels)
        self.register_buffer(
            "shares", off_label(self.preferred(self.of_task("groups", self.task.n_labels, floating=False)), every)
        )

    def preferred(self, groups: Tensor) -> Tensor:
        """Which labels a label prefers: (C, C), a row a label, 0 or 1."""
        return (groups.unsqueeze(0) == groups.unsqueeze(1)).to(torch.get_default_dtype())

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        even = (1 - one_hot(labels, logits)) / (logits.shape[-1] - 1)
        shares = self.rho * self.shares[labels] + (1 - self.rho) * even
        return soft_cross_entropy(logits, smoothed(labels, shares, self.epsilon))
