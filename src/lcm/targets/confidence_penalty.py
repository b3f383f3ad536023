"""Confidence penalty: cross-entropy that rewards unsure predictions."""

from torch import Tensor

from lcm.schema import Group, NotNegative
from lcm.targets.base import Target, of_label


class ConfidencePenalty(Target):
    """loss = -log p_y - beta H(p), with the entropy H(p) = -sum_k p_k log p_k in nats (Pereyra et al. 2017).

    beta: its strength, 0 is cross-entropy. Cost O(B C), no memory. Implicit target: y - beta p (log p + H).
    """

    name, label, short = "confidence_penalty", "confidence penalty", "CP"
    reference = "Pereyra et al. 2017"
    knob = "beta"
    grid = tuple({"beta": beta} for beta in (0.05, 0.1, 0.3, 0.5, 1.0, 2.0))

    class Settings(Group):
        beta: NotNegative = 0.1

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        log_p = logits.log_softmax(-1)
        return self.beta * (log_p.exp() * log_p).sum(-1) - of_label(log_p, labels)
