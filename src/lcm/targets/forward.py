"""Forward correction with the true noise matrix: what knowing the noise is worth."""

import torch
from torch import Tensor

from lcm.targets.base import Target, Task


class ForwardCorrection(Target):
    """loss = -log sum_k p_k T_ky, the likelihood of the given label y when T_ky = P(given y | true k) is known (Patrini
    et al. 2017).

    No strength to set. Cost O(B C), memory C^2 numbers. Implicit target: softmax(log p + log T_.y), the posterior of
    the true label.
    """

    name, label, short = "forward", "forward correction, true noise matrix", "true T"
    reference = "Patrini et al. 2017"
    ceiling = True
    needs = ("transition",)

    def __init__(self, task: Task, **settings):
        super().__init__(task, **settings)
        self.register_buffer("log_matrix", log_transition(self))

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        return noisy_label_loss(logits, labels, self.log_matrix)


def log_transition(target: Target) -> Tensor:
    """log T of the target's task, (C, C). Raises ValueError if a row of T is no distribution."""
    matrix = target.of_task("transition", target.task.n_labels, target.task.n_labels)
    if matrix.min() < 0 or (matrix.sum(-1) - 1).abs().max() > 1e-4:
        raise ValueError(f"{target.name}: expected rows of transition that sum to 1, found {matrix.sum(-1).tolist()}")
    return matrix.log()


def noisy_label_loss(logits: Tensor, labels: Tensor, log_matrix: Tensor) -> Tensor:
    """-log sum_k p_k T_ky: (B,). logits: (B, C). labels: (B,). log_matrix: (C, C), log T."""
    return -torch.logsumexp(logits.log_softmax(-1) + log_matrix.T[labels], -1)
