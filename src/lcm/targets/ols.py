"""Online label smoothing: half the label, half the mean prediction for samples of that label.

The mean is over the samples that were classified correctly in the epoch before.
"""

import torch
from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Fraction, Target, Task, one_hot, soft_cross_entropy


class OnlineLabelSmoothing(Target):
    """loss = mix CE(y, p) + (1 - mix) CE(S_y, p), CE(s, p) = -sum_k s_k log p_k (Zhang et al. 2021, as their code has
    it).

    S_k is the mean of p over the training samples of label k that the model got right in the epoch before; uniform for
    a label with none; 0 in the first epoch. mix: share of the one-hot label, its strength (less is softer). Cost O(B
    C^2) for the sums, memory 2 C^2 + C numbers. Implicit target: (mix y + (1 - mix) S_y), and in the first epoch (1 -
    mix) p in place of the second term. S_y tends to y as training accuracy rises, so the strength dies out.
    """

    name, label, short = "ols", "online label smoothing", "OLS"
    reference = "Zhang et al. 2021"
    knob = "mix"
    grid = tuple({"mix": mix} for mix in (0.9, 0.75, 0.5, 0.25, 0.1, 0.05))

    class Settings(Group):
        mix: Fraction = 0.5

    def __init__(self, task: Task | int, **settings):
        super().__init__(task, **settings)
        n_labels = self.task.n_labels
        self.register_buffer("table", torch.zeros(n_labels, n_labels))  # S, a row a label
        self.register_buffer("sums", torch.zeros(n_labels, n_labels))  # of this epoch's right answers
        self.register_buffer("counts", torch.zeros(n_labels))

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        soft = self.table[labels]
        if self.training:
            self.count(logits.detach(), labels)
        return soft_cross_entropy(logits, self.mix * one_hot(labels, logits) + (1 - self.mix) * soft)

    def count(self, logits: Tensor, labels: Tensor) -> None:
        """Add the correctly classified samples of this batch to the sums."""
        right = one_hot(labels, logits) * (logits.argmax(-1) == labels).unsqueeze(-1)
        # A matrix product, because on a GPU `index_add` adds in any order.
        self.sums.add_(right.T @ logits.softmax(-1))
        self.counts.add_(right.sum(0))

    def end_epoch(self) -> None:
        super().end_epoch()
        counts = self.counts.unsqueeze(-1)
        self.table.copy_(torch.where(counts > 0, self.sums / counts.clamp(min=1), 1 / self.task.n_labels))
        self.sums.zero_()
        self.counts.zero_()
