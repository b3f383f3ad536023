"""Adam in PyTorch's form or in Keras', with one learning-rate schedule for every method of a study."""

from collections.abc import Iterable

import torch
from torch import Tensor

from lcm.params import Train

BETAS = (0.9, 0.999)


class Optimizer:
    """Adam or AdamW for weights of any shape. Updates are elementwise, so a leading run axis makes no difference.

    weights: what to train. settings: the group `train` of params.yaml. Nothing here waits for the device: with a
    schedule, step number and learning rate are tensors on the weights' device, so a CUDA graph can capture a step.
    """

    def __init__(self, weights: Iterable[Tensor], settings: Train):
        weights = list(weights)
        self.settings = settings
        self.step_number = 0
        self.steps = torch.zeros(
            (), dtype=torch.int64, device=weights[0].device
        )  # the same on the device, for the schedule
        kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
        lr = torch.tensor(settings.lr, device=weights[0].device) if self.has_schedule else settings.lr
        on_gpu = weights[0].is_cuda
        self.adam = kind(
            weights,
            lr=lr,
            betas=BETAS,
            eps=settings.adam_eps,
            weight_decay=settings.weight_decay,
            fused=True,
            capturable=on_gpu,
        )

    @property
    def has_schedule(self) -> bool:
        return self.settings.warmup_steps > 0 or self.settings.decay_end_step > 0

    def zero_grad(self) -> None:
        self.adam.zero_grad()

    def step(self) -> None:
        """Update the weights by their gradients.

        Raises RuntimeError for Keras' epsilon in a CUDA graph, where it could not change.
        """
        if (
            self.settings.adam_form == "keras"
            and torch.cuda.is_available()
            and torch.cuda.is_current_stream_capturing()
        ):
            raise RuntimeError("train.adam_form keras changes with every step and cannot be captured in a CUDA graph")
        (group,) = self.adam.param_groups
        self.step_number += 1
        if self.has_schedule:
            self.steps += 1
            group["lr"].copy_(self.settings.lr * lr_share(self.steps, self.settings))
        if self.settings.adam_form == "keras":
            # lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt v + eps), in PyTorch's terms
            group["eps"] = self.settings.adam_eps / (1 - BETAS[1] ** self.step_number) ** 0.5
        self.adam.step()

    def state_dict(self) -> dict:
        """Return the state as PyTorch does: its tensors keep changing, so copy what must stay."""
        return {"adam": self.adam.state_dict(), "steps": self.steps, "step_number": self.step_number}

    def load_state_dict(self, state: dict) -> None:
        self.adam.load_state_dict(state["adam"])
        self.steps.copy_(state["steps"])
        self.step_number = state["step_number"]


def lr_share(step: Tensor, settings: Train) -> Tensor:
    """Return the share of `train.lr` at a step, counted from 1, as float32 of the shape of `step`.

    It rises from 0 to 1 at warmup_steps, falls to final_lr_share at decay_end_step, and is flat afterwards: the
    piecewise-linear schedule of the authors' BERT.
    """
    warm = (
        (step / settings.warmup_steps).clamp(max=1)
        if settings.warmup_steps
        else torch.ones_like(step, dtype=torch.float32)
    )
    if not settings.decay_end_step:
        return warm
    decayed = ((step - settings.warmup_steps) / (settings.decay_end_step - settings.warmup_steps)).clamp(0, 1)
    return warm * (1 - decayed * (1 - settings.final_lr_share))
