"""What every target is made of: `Task`, `Target` and `UntilEpoch`.

Shapes: B batch, C classes, d size of the text vector, n samples. p = softmax(logits), y the one-hot label.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn

from lcm.schema import Group
from lcm.targets import checks

Epochs = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Epsilon = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True)
class Task:
    """What a target may know of a run. A target's `needs` lists the fields that it requires.

    n_labels: C. vector_size: d. n_samples: number of rows of state that a target keeps; `samples` index them from 0.
    epochs: number of epochs in a round of the run. groups: (C,) int64, the group of each label.
    transition: (C, C), the true P(given label | true label), rows sum to 1. held_out: (n, C) out-of-fold probabilities.
    labels: (n,) int64, the given labels of the training part, -1 elsewhere. true_labels: (n,) int64, for oracles only.
    """

    n_labels: int
    vector_size: int | None = None
    n_samples: int = 0
    epochs: int = 1
    groups: Tensor | None = None
    transition: Tensor | None = None
    held_out: Tensor | None = None
    labels: Tensor | None = None
    true_labels: Tensor | None = None


class Numbers(nn.Module):
    """A module whose numeric settings are buffers, so that `stack_module_state` stacks them over runs.

    A state dict shows them, but they keep the values that the module was built with: loading another value raises
    RuntimeError. A change of dtype starts from the exact numbers again.
    """

    def numbers(self) -> dict[str, float | int]:
        """Return the buffers' names and exact values: floats in PyTorch's default dtype, ints in int64."""
        raise NotImplementedError

    def register_numbers(self) -> None:
        for name, value in self.numbers().items():
            self.register_buffer(name, torch.tensor(value))

    def _fill_numbers(self) -> None:
        for name, value in self.numbers().items():
            getattr(self, name).fill_(value)

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self._fill_numbers()
        return self

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        *_, error_msgs = rest
        for name, value in self.numbers().items():
            own = getattr(self, name)
            found = state_dict.setdefault(prefix + name, own)  # older states do not have them all
            if found.shape == own.shape and not math.isclose(found.item(), value, rel_tol=1e-6):
                built = f"this {type(self).__name__} was built with {value:.7g}"
                error_msgs.append(f"{prefix}{name}: the state holds {found.item():.7g}, {built}")
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._fill_numbers()


class Target(Numbers):
    """A training target: a loss with its settings and, if it has any, its state.

    A target is one file in this folder and one subclass in it, which sets the attributes below, `Settings` and
    `losses`. Used alone, a target is an `nn.Module` like any loss: `target(logits, labels, vector, samples)` is the
    mean loss. Call `end_epoch()` after each epoch. The training loop calls `losses`, for many runs at once under
    `torch.vmap`.
    """

    name: ClassVar[str]  # the file's name; also in params.yaml and on the command line
    key_name: ClassVar[str | None] = None  # its name in run keys if different, for older results
    label: ClassVar[str]  # for people
    short: ClassVar[str]  # the same in 10 characters
    reference: ClassVar[str]
    ceiling: ClassVar[bool] = False  # whether it is told what nobody knows, such as true labels; drawn grey
    knob: ClassVar[str | None] = None  # the setting that sets its strength
    grid: ClassVar[tuple[dict[str, Any], ...]] = ()  # the settings that tuning tries: six, or none
    needs: ClassVar[tuple[str, ...]] = ()  # fields of Task
    groups: ClassVar[tuple[str, ...]] = ()  # groups of params.yaml that its settings come from, where not its own
    structural: ClassVar[tuple[str, ...]] = ()  # settings that change code or shapes: equal in all runs of a fleet
    rounds: ClassVar[int] = 1  # trainings from scratch; the target keeps its state between them

    class Settings(Group):
        pass

    def __init__(self, task: Task | int, **settings):
        """task: a Task, or the number of labels where the target needs no more. settings: fields of `Settings`.

        Raises ValueError, one line, for a setting that is unknown or impossible, and where `task` lacks what the target
        needs.
        """
        super().__init__()
        self.task = Task(task) if isinstance(task, int) else task
        if self.task.n_labels < 2:
            raise ValueError(f"{self.name}: expected at least 2 labels, found n_labels {self.task.n_labels}")
        for field in self.needs:
            if getattr(self.task, field) is None or (field == "n_samples" and self.task.n_samples < 1):
                raise ValueError(
                    f"{self.name} needs {field}: give it as Task(n_labels={self.task.n_labels}, {field}=...)"
                )
        try:
            self.settings = self.Settings(**settings)
        except ValidationError as error:
            found = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}, found {e['input']!r}" for e in error.errors()
            )
            raise ValueError(f"{self.name}.{found}") from None
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))  # finished epochs of this round
        self.register_numbers()

    @classmethod
    def resolve(cls, own: dict, groups: dict[str, dict], n_labels: int) -> dict:
        """Return the settings for a corpus of n_labels classes.

        own: the target's group of params.yaml (empty if it has none) with a study's changes. groups: all groups by
        name.
        """
        return dict(own)

    @classmethod
    def key_settings(cls, settings: Group) -> dict:
        """Return the settings as they enter a run's key."""
        return settings.model_dump()

    @classmethod
    def fleet_key(cls, settings: Group) -> tuple:
        """Return a key: runs whose targets have equal keys can be stacked; all other settings are buffers."""
        return (cls.name, *(getattr(settings, field) for field in cls.structural))

    def numbers(self) -> dict[str, float | int]:
        """Return every float among the settings that is not structural, by default."""
        return {
            name: value for name, value in self.settings if isinstance(value, float) and name not in self.structural
        }

    def of_task(self, field: str, *shape: int, floating: bool = True) -> Tensor:
        """Return a tensor of the task, in PyTorch's default float dtype or int64.

        Raises ValueError for another shape.
        """
        tensor = torch.as_tensor(getattr(self.task, field))
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{self.name}: expected {field} of shape {shape}, found {tuple(tensor.shape)}")
        return tensor.to(torch.get_default_dtype() if floating else torch.int64)

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        """Return the loss of each sample, (B,). Nothing is checked: the code runs under `vmap` and in CUDA graphs.

        logits: (B, C). labels: (B,) int64. vector: (B, d) text vectors. samples: (B,) int64 rows of per-sample state.
        In training mode this also updates the target's state, in place.
        """
        raise NotImplementedError

    def end_epoch(self) -> None:
        """Call this after each epoch of training. It updates buffers in place, also under `vmap`."""
        self.epoch.add_(1)

    def end_round(self) -> None:
        """Call this after the last `end_epoch` of a round (`rounds`), before the predictor starts anew."""
        self.epoch.zero_()

    def forward(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        """Return the mean loss of a batch, a scalar, for your own training loop.

        Everything is checked, also under autocast. logits: (B, C), or (B, T, C) for T places a text. labels: (B,) or
        (B, T) integers. Places labelled -100 do not count; a batch with no other places has loss 0. vector: (B, d) or
        (B, T, d), if `needs` names vector_size. samples: (B,) or (B, T) rows of state, if it names n_samples.
        Half-precision floats are raised to float32. Raises ValueError, one line.
        """
        batch = checks.batch(self.name, self.task, self.needs, logits, labels, vector, samples)
        if not len(batch.labels):
            return batch.logits.sum()
        with torch.autocast(logits.device.type, enabled=False):
            return self.losses(*batch).mean()

    def extra_repr(self) -> str:
        return ", ".join([f"n_labels={self.task.n_labels}", *(f"{name}={value}" for name, value in self.settings)])


class UntilEpoch(Target):
    """A target that ends early: one-hot targets follow after `stop_epoch` epochs. Subclasses define `soft_losses`.

    With `stop_epoch` None it never ends.
    """

    class Settings(Group):
        stop_epoch: Epochs | None = None

    @classmethod
    def fleet_key(cls, settings: Group) -> tuple:
        return (*super().fleet_key(settings), settings.stop_epoch is None)

    def numbers(self) -> dict[str, float | int]:
        stop = self.settings.stop_epoch
        return super().numbers() | ({} if stop is None else {"stop_epoch": stop})

    def soft_losses(self, logits: Tensor, labels: Tensor, vector: Tensor | None, samples: Tensor | None) -> Tensor:
        """Return the loss before the end, as `losses`."""
        raise NotImplementedError

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        soft = self.soft_losses(logits, labels, vector, samples)
        if self.settings.stop_epoch is None:
            return soft
        return torch.where(self.epoch < self.stop_epoch, soft, cross_entropy(logits, labels))


def of_label(values: Tensor, labels: Tensor) -> Tensor:
    """Return values (B, C) at the labels (B,): (B,)."""
    return values.gather(1, labels.unsqueeze(1)).squeeze(1)


def one_hot(labels: Tensor, like: Tensor) -> Tensor:
    """Return y, (B, C), of the dtype of `like`, (B, C)."""
    # Not F.one_hot: that looks at the labels' values, which `vmap` and CUDA graphs cannot wait for.
    return (labels.unsqueeze(-1) == torch.arange(like.shape[-1], device=labels.device)).to(like.dtype)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return -log p_y of logits (B, C) and labels (B,): (B,)."""
    return -of_label(logits.log_softmax(-1), labels)


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return -sum_k s_k log p_k of logits and a target s, both (B, C): (B,)."""
    return -(target * logits.log_softmax(-1)).sum(-1)


def off_label(weights: Tensor, labels: Tensor) -> Tensor:
    """Return weights (B, C) >= 0 without the label's, scaled to sum to 1: (B, C). Uniform if nothing is left."""
    others = 1 - one_hot(labels, weights)
    rest = weights * others
    total = rest.sum(-1, keepdim=True)
    return torch.where(total > 1e-30, rest / total.clamp(min=1e-30), others / (weights.shape[-1] - 1))


def smoothed(labels: Tensor, shares: Tensor, epsilon: Tensor | float) -> Tensor:
    """Return a soft target of the strength epsilon, whose mass off the label goes to the other labels by `shares`.

    shares: (B, C), 0 at the label, rows sum to 1. Returns (B, C), with 1 - epsilon (C - 1) / C on the label. Uniform
    shares give label smoothing.
    """
    off = epsilon * (shares.shape[-1] - 1) / shares.shape[-1]
    return (1 - off) * one_hot(labels, shares) + off * shares
