"""SEAL: train, then train again on the mean of the first model's predictions for each sample."""

import torch
from torch import Tensor

from lcm.targets.base import Target, Task, one_hot, soft_cross_entropy


class SelfEvolutionAverageLabel(Target):
    """loss = -sum_k s_k log p_k; s = y in the first round, in the second the mean of p over the first round's epochs
    (Chen et al. 2021).

    The authors predict all samples anew after each epoch; here p is the model's prediction in training, which costs
    nothing. No strength to set. Cost: two trainings; O(B C) a step, memory 2 n C + n numbers. Implicit target: s.
    """

    name, label, short = "seal", "self-evolution average label", "SEAL"
    reference = "Chen et al. 2021"
    needs = ("n_samples",)
    rounds = 2

    def __init__(self, task: Task | int, **settings):
        super().__init__(task, **settings)
        for buffer in ("table", "sums"):  # s of each sample; what is summed for the next round
            self.register_buffer(buffer, torch.zeros(self.task.n_samples, self.task.n_labels))
        self.register_buffer("counts", torch.zeros(self.task.n_samples))

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        soft = self.table[samples]
        if self.training:
            self.sums[samples] = self.sums[samples] + logits.detach().softmax(-1)
            self.counts[samples] = self.counts[samples] + 1
        return soft_cross_entropy(logits, torch.where(soft.sum(-1, keepdim=True) > 0, soft, one_hot(labels, logits)))

    def end_round(self) -> None:
        super().end_round()
        self.table.copy_(self.sums / self.counts.clamp(min=1).unsqueeze(-1))
        self.sums.zero_()
        self.counts.zero_()
