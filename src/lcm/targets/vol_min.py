"""VolMinNet: forward correction whose noise matrix is learnt, as small as the labels allow."""

import math

import torch
from torch import Tensor, nn

from lcm.schema import Group, NotNegative, Share
from lcm.targets.base import Target, Task
from lcm.targets.forward import noisy_label_loss

SPEED = 10  # the authors train the matrix with ten times the usual learning rate of Adam: w = 10 v, and v is trained


class VolMinNet(Target):
    """loss = -log sum_k p_k T_ky + penalty log |det T|, T = rows of (I + off-diagonal sigmoid(w)), each divided by its
    sum (Li et al. 2021).

    penalty: the smaller the volume |det T|, the more of the labels' disorder is taken for noise; its strength.
    diagonal: of T at first, .48 as in the authors' code. Cost O(B C + C^3), memory C^2 weights.
    Implicit target: softmax(log p + log T_.y), the posterior of the true label.
    """

    name, label, short = "vol_min", "forward correction, learnt matrix", "VolMin"
    reference = "Li et al. 2021"
    knob = "penalty"
    grid = tuple(
        {"penalty": penalty, "diagonal": diagonal} for diagonal in (0.48, 0.8) for penalty in (1e-4, 1e-3, 1e-2)
    )

    class Settings(Group):
        penalty: NotNegative = 1e-4
        diagonal: Share = 0.48

    def __init__(self, task: Task | int, **settings):
        super().__init__(task, **settings)
        n_labels, diagonal = self.task.n_labels, self.settings.diagonal
        off = (1 / diagonal - 1) / (n_labels - 1)  # the sigmoid that makes it so
        if off >= 1:
            raise ValueError(f"vol_min.diagonal: expected more than 1 / {n_labels}, found {diagonal}")
        self.slow = nn.Parameter(torch.full((n_labels, n_labels), math.log(off / (1 - off)) / SPEED))

    def log_matrix(self) -> Tensor:
        """log T: (C, C), rows of T sum to 1."""
        eye = torch.eye(self.task.n_labels, dtype=self.slow.dtype, device=self.slow.device)
        matrix = eye + (1 - eye) * torch.sigmoid(SPEED * self.slow)
        return matrix.log() - matrix.sum(-1, keepdim=True).log()

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        log_matrix = self.log_matrix()
        return (
            noisy_label_loss(logits, labels, log_matrix)
            + self.penalty * torch.linalg.slogdet(log_matrix.exp()).logabsdet
        )
