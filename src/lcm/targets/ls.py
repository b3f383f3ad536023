"""Label smoothing: a share of the mass goes to all labels alike."""

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from lcm.schema import Group
from lcm.targets.base import Epochs, UntilEpoch, of_label


class LabelSmoothing(UntilEpoch):
    """loss = -sum_k s_k log p_k with s = (1 - epsilon) y + epsilon / C (Szegedy et al. 2016, section 7).

    epsilon: its strength, 0 is cross-entropy. stop_epoch: one-hot labels follow after this epoch, None never.
    Cost O(B C), no memory. Implicit target: s.
    """

    name, label, short = "ls", "label smoothing", "LS"
    reference = "Szegedy et al. 2016"
    knob = "epsilon"
    grid = tuple({"epsilon": epsilon} for epsilon in (0.1, 0.27, 0.5, 0.75, 0.9, 0.97))

    class Settings(Group):
        epsilon: Annotated[float, Field(ge=0, lt=1)] = 0.1
        stop_epoch: Epochs | None = None

    @classmethod
    def key_settings(cls, settings: Group) -> dict:
        """`stop_epoch` only where it is set: it was added when results existed."""
        return settings.model_dump(exclude={"stop_epoch"} if settings.stop_epoch is None else None)

    def numbers(self) -> dict[str, float | int]:
        epsilon = self.settings.epsilon
        return super().numbers() | {"on_label": 1 - epsilon, "on_each": epsilon / self.task.n_labels}

    def soft_losses(self, logits: Tensor, labels: Tensor, vector: Tensor | None, samples: Tensor | None) -> Tensor:
        log_p = logits.log_softmax(
            -1
        )  # the terms in the order of F.cross_entropy: the same numbers to the last bit or nearly
        return self.on_label * -of_label(log_p, labels) + self.on_each * -log_p.sum(-1)


def smoothing_loss(logits: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Cross-entropy with label smoothing: target (1 - epsilon) y + epsilon / C. epsilon = 0 is plain cross-entropy.

    logits: (B, C). labels: (B,) int64. Returns a scalar, the mean over the batch.
    """
    return F.cross_entropy(logits, labels, label_smoothing=epsilon)
