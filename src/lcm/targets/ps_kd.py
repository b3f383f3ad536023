"""Progressive self-distillation: the label, mixed with the model's predictions in earlier epochs."""

import torch
from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Fraction, Target, Task, one_hot, soft_cross_entropy


class ProgressiveSelfDistillation(Target):
    """loss = -sum_k s_k log p_k with s = (1 - a) y + a t_i, a = weight (epoch / epochs) (PS-KD, Kim et al. 2021).

    t_i is what the model, in training mode, said of this sample in the epoch before; y where it said nothing yet. epoch
    counts from 1, `task.epochs` is how many there are. weight: its strength in the last epoch. memory: t_i <- memory
    t_i + (1 - memory) p, so 0 is PS-KD and .9 a running mean. Cost O(B C), memory n C numbers. Implicit target: s.
    """

    name, label, short = "ps_kd", "progressive self-distillation", "PS-KD"
    reference = "Kim et al. 2021"
    knob = "weight"
    grid = tuple({"weight": weight, "memory": memory} for memory in (0.0, 0.7) for weight in (0.5, 0.8, 0.95))
    needs = ("n_samples",)

    class Settings(Group):
        weight: Fraction = 0.8
        memory: Fraction = 0.0

    def __init__(self, task: Task | int, **settings):
        super().__init__(task, **settings)
        self.register_buffer("table", torch.zeros(self.task.n_samples, self.task.n_labels))

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        y, past = one_hot(labels, logits), self.table[samples]
        known = past.sum(-1, keepdim=True) > 0
        share = self.weight * ((self.epoch + 1) / self.task.epochs).clamp(max=1)
        if self.training:
            p = logits.detach().softmax(-1)
            self.table[samples] = torch.where(known, self.memory * past + (1 - self.memory) * p, p)
        return soft_cross_entropy(logits, (1 - share) * y + share * torch.where(known, past, y))
