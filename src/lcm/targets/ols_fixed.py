"""Online label smoothing whose strength does not die out: its table says only where the mass off the label goes."""

from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Epsilon, off_label, smoothed, soft_cross_entropy
from lcm.targets.ols import OnlineLabelSmoothing


class FixedOnlineLabelSmoothing(OnlineLabelSmoothing):
    """loss = -sum_k s_k log p_k; s leaves as much mass off the label as label smoothing, and shares it out as S_y does.

    s_y = 1 - epsilon (C - 1) / C, s_k = epsilon (C - 1) / C S_yk / sum_{j != y} S_yj, S as in `ols`; uniform in the
    first epoch. epsilon: its strength. Cost and memory as `ols`. Implicit target: s.
    """

    name, label, short = "ols_fixed", "online label smoothing, fixed strength", "OLS fixed"
    reference = "this study, after Zhang et al. 2021"
    knob = "epsilon"
    grid = tuple({"epsilon": epsilon} for epsilon in (0.1, 0.27, 0.5, 0.75, 0.9, 0.97))

    class Settings(Group):
        epsilon: Epsilon = 0.27

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        shares = off_label(self.table[labels], labels)
        if self.training:
            self.count(logits.detach(), labels)
        return soft_cross_entropy(logits, smoothed(labels, shares, self.epsilon))
