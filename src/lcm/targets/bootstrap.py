"""Soft bootstrapping: the label, mixed with the model's current prediction."""

from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Fraction, Target, one_hot


class Bootstrapping(Target):
    """loss = -sum_k s_k log p_k with s = beta y + (1 - beta) p (Reed et al. 2015, soft).

    beta: trust in the label; 1 is cross-entropy. detach: whether s is taken as given. The published codes do not detach
    it; the loss then is beta CE + (1 - beta) H(p) and rewards sure predictions, the opposite of a confidence penalty.
    Cost O(B C), no memory. Implicit target: s; without detach beta y + (1 - beta) p (1 + log p + H).
    """

    name, label, short = "bootstrap", "bootstrapping", "bootstrap"
    reference = "Reed et al. 2015"
    knob = "beta"
    grid = tuple({"beta": beta} for beta in (0.95, 0.9, 0.8, 0.6, 0.4, 0.2))
    structural = ("detach",)

    class Settings(Group):
        beta: Fraction = 0.95
        detach: bool = True

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        log_p = logits.log_softmax(-1)
        p = log_p.detach().exp() if self.settings.detach else log_p.exp()
        return -((self.beta * one_hot(labels, p) + (1 - self.beta) * p) * log_p).sum(-1)
