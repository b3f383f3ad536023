"""Pruning by confident learning: leave out samples whose label held-out models doubt."""

from typing import Literal

import torch
from torch import Tensor

from lcm.schema import Group, Positive
from lcm.targets.base import Target, Task, cross_entropy


class ConfidentPruning(Target):
    """loss = -k_i log p_y; k_i is 0 if confident learning finds the label of sample i wrong, else 1 (Northcutt et al.
    2021).

    Which labels are found wrong: `cleanlab.filter.find_label_issues` on `task.labels` and the out-of-fold probabilities
    `task.held_out`. share: how much of the estimated number of errors to prune, its strength (`frac_noise` there). by:
    the rule (`filter_by`). The mean runs over all samples of a batch, so the loss shrinks by the share that is kept;
    Adam does not notice. Cost: the models of the folds; O(B C) a step, memory n numbers. Implicit target: y, or p for a
    pruned sample.
    """

    name, label, short = "prune", "pruning by confident learning", "prune"
    reference = "Northcutt et al. 2021"
    knob = "share"
    grid = tuple({"by": by, "share": share} for by in ("prune_by_noise_rate", "both") for share in (0.5, 0.75, 1.0))
    needs = ("held_out", "labels", "n_samples")

    class Settings(Group):
        share: Positive = 1.0
        by: Literal["prune_by_noise_rate", "prune_by_class", "both"] = "prune_by_noise_rate"

    def __init__(self, task: Task, **settings):
        super().__init__(task, **settings)
        n_samples = self.task.n_samples
        labels, held_out = (
            self.of_task("labels", n_samples, floating=False),
            self.of_task("held_out", n_samples, self.task.n_labels),
        )
        self.register_buffer(
            "keep", keep_mask(labels, held_out, self.settings.share, self.settings.by).to(held_out.dtype)
        )

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        return self.keep[samples] * cross_entropy(logits, labels)


def keep_mask(labels: Tensor, held_out: Tensor, share: float = 1.0, by: str = "prune_by_noise_rate") -> Tensor:
    """Which samples to keep, (n,) bool; those without a label (-1) are kept.

    labels: (n,) int64. held_out: (n, C) out-of-fold probabilities. share, by: as in `ConfidentPruning`.
    Raises ModuleNotFoundError, one line, without cleanlab.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"target prune needs the package cleanlab ({error}); install it with `pip install cleanlab`"
        ) from None
    keep, known = torch.ones_like(labels, dtype=torch.bool), labels >= 0
    wrong = find_label_issues(
        labels[known].numpy(), held_out[known].double().numpy(), frac_noise=share, filter_by=by, n_jobs=1
    )
    keep[known] = ~torch.from_numpy(wrong)
    return keep
