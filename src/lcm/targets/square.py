"""Square loss: the strong limit of label smoothing."""

from torch import Tensor

from lcm.schema import Group, Positive
from lcm.targets.base import Target, one_hot


class SquareLoss(Target):
    """loss = (1 / C) sum_k (z_k - size y_k)^2 of the logits z (Hui & Belkin 2021, where size is 1 up to 42 classes).

    size: the logit that the label is to reach; it sets how sure the predictions become, not which class they name.
    Cost O(B C), no memory. Implicit target: p - (2 / C)(z - size y), off the simplex in general. With centred logits,
    label smoothing tends to it as epsilon tends to 1, with size C (1 - epsilon).
    """

    name, label, short = "square", "square loss", "square"
    reference = "Hui & Belkin 2021"
    knob = "size"
    grid = tuple({"size": size} for size in (0.5, 1.0, 2.0, 3.0, 5.0, 10.0))

    class Settings(Group):
        size: Positive = 1.0

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        return (logits - self.size * one_hot(labels, logits)).square().mean(-1)
