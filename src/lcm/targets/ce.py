"""Cross-entropy with one-hot labels: the baseline of every study."""

from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Target, cross_entropy


class CrossEntropy(Target):
    """loss = -log p_y.

    No setting. Cost O(B C), no memory. Implicit target: y.
    """

    name, key_name, label, short = "ce", "base", "cross-entropy", "CE"
    reference = "Good 1952"

    @classmethod
    def key_settings(cls, settings: Group) -> dict:
        return {"epsilon": 0.0}  # it once was label smoothing of strength 0, and results are found by their keys

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        return cross_entropy(logits, labels)
