"""Checks of what people pass to a target in their own training loop.

The training loop of the study does not use them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

IGNORE = -100  # PyTorch's and Hugging Face's label of a place that has none


class Batch(NamedTuple):
    """A batch as `Target.losses` takes it: places in one row, without those that have no label, floats of at least 32
    bits.
    """

    logits: Tensor
    labels: Tensor
    vector: Tensor | None
    samples: Tensor | None


def batch(
    name: str,
    task,
    needs: tuple[str, ...],
    logits: Tensor,
    labels: Tensor,
    vector: Tensor | None,
    samples: Tensor | None,
) -> Batch:
    """A checked batch. Raises ValueError, one line that starts with `name` and names the sizes.

    task, needs: of the target. logits: (..., C). labels: (...), integers from 0 to C - 1, or -100 for a place to leave
    out. vector: (..., d), needed where `needs` names vector_size. samples: (...), integers from 0 to n - 1, where it
    names n_samples.
    """
    n_labels, vector_size, n_samples = (
        getattr(task, size) if size == "n_labels" or size in needs else None
        for size in ("n_labels", "vector_size", "n_samples")
    )
    of_floats(name, "logits", logits, n_labels, labels)
    labels = of_labels(name, labels, logits, n_labels)
    if vector_size is not None:
        if vector is None:
            raise ValueError(
                f"{name} needs the text vectors: expected vector of shape {(*labels.shape, vector_size)}, found None"
            )
        of_floats(name, "vector", vector, vector_size, labels)
        if vector.shape[:-1] != labels.shape:
            raise ValueError(
                f"{name}: expected vector of shape {(*labels.shape, vector_size)}, found {tuple(vector.shape)}"
            )
    if n_samples is not None:
        if samples is None:
            raise ValueError(
                f"{name} needs to know the samples: expected samples of shape {tuple(labels.shape)}, found None"
            )
        samples = of_integers(name, "samples", samples, labels.shape, n_samples)
    return _labelled(
        Batch(
            at_least_float32(logits.flatten(0, -2)),
            labels.flatten(),
            None if vector_size is None else at_least_float32(vector.flatten(0, -2)),
            None if n_samples is None else samples.flatten(),
        )
    )


def of_floats(name: str, what: str, tensor: Tensor, size: int, labels: Tensor) -> None:
    """Raises ValueError unless `tensor` is of floats, (..., size), with something in it."""
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        hint = f"; are {what} and labels swapped?" if isinstance(labels, Tensor) and labels.is_floating_point() else ""
        raise ValueError(f"{name}: expected {what} of floats, found {_shown(tensor)}{hint}")
    if tensor.dim() < 2 or tensor.shape[-1] != size:
        raise ValueError(f"{name}: expected {what} of shape (batch, {size}), found {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        raise ValueError(f"{name}: the batch is empty, {what} has shape {tuple(tensor.shape)}")


def of_labels(name: str, labels: Tensor, beside: Tensor, n_labels: int) -> Tensor:
    """labels as int64. Raises ValueError unless they are integers, (...), that fit to `beside`, (..., size)."""
    return of_integers(name, "labels", labels, beside.shape[:-1], n_labels, IGNORE)


def of_integers(
    name: str, what: str, tensor: Tensor, shape: torch.Size, limit: int, other: int | None = None
) -> Tensor:
    """Indices as int64. Raises ValueError unless they have this shape and are below limit, or are `other`."""
    if (
        not isinstance(tensor, Tensor)
        or tensor.is_floating_point()
        or tensor.is_complex()
        or tensor.dtype == torch.bool
    ):
        raise ValueError(f"{name}: expected {what} of integers, found {_shown(tensor)}")
    if tensor.shape != shape:
        hint = f"; use {what}.squeeze(-1)" if tensor.shape == (*shape, 1) else ""
        raise ValueError(f"{name}: expected {what} of shape {tuple(shape)}, found {tuple(tensor.shape)}{hint}")
    tensor = tensor.long()
    if not torch.compiler.is_compiling():  # values are not there then
        wrong = ((tensor < 0) | (tensor >= limit)) & (
            torch.ones_like(tensor).bool() if other is None else tensor != other
        )
        if wrong.any():
            or_other = "" if other is None else f", or {other} for none"
            raise ValueError(
                f"{name}: expected {what} from 0 to {limit - 1}{or_other}, found {tensor[wrong][0].item()}"
            )
    return tensor


def distribution(name: str, target: Tensor) -> None:
    """Raises ValueError unless the rows of `target` (..., C) are distributions, or zeros for places without a label."""
    if torch.compiler.is_compiling():
        return
    sums = target.detach().sum(-1)
    if target.min() < 0 or (((sums - 1).abs() > 1e-2) & (sums != 0)).any():  # bfloat16 is right to a few thousandths
        found = f"sums from {sums.min().item():.4g} to {sums.max().item():.4g}, least entry {target.min().item():.4g}"
        raise ValueError(f"{name}: expected distributions as target, found {found}; are logits and target swapped?")


def at_least_float32(tensor: Tensor | None) -> Tensor | None:
    """Half-precision floats as float32; anything else as it is."""
    return tensor.float() if tensor is not None and tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _labelled(batch: Batch) -> Batch:
    """The places whose label is not -100."""
    keep = batch.labels != IGNORE
    return Batch(*(tensor if tensor is None else tensor[keep] for tensor in batch)) if not keep.all() else batch


def _shown(value: object) -> str:
    return f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
