"""Generalised cross-entropy: between cross-entropy and the mean absolute error."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Target, cross_entropy


class GeneralisedCrossEntropy(Target):
    """loss = (1 - p_y^q) / q (Zhang & Sabuncu 2018, without truncation).

    q: its strength; towards 0 it is cross-entropy, at 1 the mean absolute error. Cost O(B C), no memory.
    Implicit target: p + p_y^q (y - p), self-distillation that trusts the label by p_y^q.
    """

    name, label, short = "gce", "generalised cross-entropy", "GCE"
    reference = "Zhang & Sabuncu 2018"
    knob = "q"
    grid = tuple({"q": q} for q in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0))

    class Settings(Group):
        q: Annotated[float, Field(gt=0, le=1)] = 0.7

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        return -torch.expm1(-self.q * cross_entropy(logits, labels)) / self.q
