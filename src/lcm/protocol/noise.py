"""Wrong labels to learn from, at a given rate: of the same group (paper, "Experiments on Noisy Datasets"), or any."""

import numpy as np

from lcm.errors import UserError
from lcm.params import Noise
from lcm.protocol.splits import TEST, TRAIN


def label_groups(names: list[str], chosen: list[str] | None = None) -> list[np.ndarray]:
    """Groups of labels that share the part of their name before the first dot (comp.*, rec.*, talk.*).

    names: the labels, by index. chosen: which groups, default all. Returns index arrays of groups with at least two
    labels. Raises UserError for a chosen group that does not exist or has one label only.
    """
    members: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        members.setdefault(name.split(".")[0], []).append(index)
    usable = {group: indices for group, indices in members.items() if len(indices) > 1}
    unknown = [group for group in chosen or [] if group not in usable]
    if unknown:
        raise UserError(
            f"noise.groups: {unknown[0]!r} is no group of at least two labels here; these are: "
            f"{', '.join(usable) or 'none'}"
        )
    return [np.array(usable[group]) for group in (chosen or usable)]


def labels_to_learn(
    labels: np.ndarray, splits: np.ndarray, groups: list[np.ndarray], rate: float, settings: Noise
) -> np.ndarray:
    """Return the labels to learn from in every split, (n_splits, n): wrong ones in the training part, in validation too
    if `val` is noisy.

    labels: (n,) true labels. splits: (n_splits, n) of TRAIN, VAL, TEST. groups, rate: as in `add_noise`; if `kind` is
    uniform, all labels are one group. Test labels are never touched.
    """
    hit = splits == TRAIN if settings.val == "clean" else splits != TEST
    if settings.kind == "uniform":
        groups = [np.unique(labels)]
    return np.stack([add_noise(labels, where, groups, rate, settings.seed + k) for k, where in enumerate(hit)])


def given_labels(labels: np.ndarray, given: np.ndarray, splits: np.ndarray, settings: Noise) -> np.ndarray:
    """Return the labels to learn from, (n_splits, n), where somebody gave them: as `labels_to_learn`, with `given` in
    place of noise.
    """
    hit = splits == TRAIN if settings.val == "clean" else splits != TEST
    return np.where(hit, given, labels)


def transition(labels: np.ndarray, fit_labels: np.ndarray, mask: np.ndarray, n_labels: int) -> np.ndarray:
    """Return how the labels to learn from come from the true ones: (C, C) float64, P(label to learn from | true label),
    rows sum to 1.

    labels, fit_labels: (n,) integers below n_labels. mask: (n,) bool, the samples that are counted. A class that has
    none keeps its label.
    """
    counts = np.zeros((n_labels, n_labels))
    np.add.at(counts, (labels[mask], fit_labels[mask]), 1)
    counts[counts.sum(1) == 0] = np.eye(n_labels)[counts.sum(1) == 0]
    return counts / counts.sum(1, keepdims=True)


def add_noise(labels: np.ndarray, where: np.ndarray, groups: list[np.ndarray], rate: float, seed: int) -> np.ndarray:
    """Give samples another label of their group, uniformly, so that a share `rate` of those in `where` is wrong.

    labels: (n,) true labels. where: (n,) bool, the samples that may be hit (the training part). rate: overall share of
    wrong labels among them; the rate inside the groups follows from it (30 % overall is 46.6 % inside comp, rec and
    talk). Returns a copy of labels. Raises UserError if the groups hold too few samples for the rate.
    """
    noisy = labels.copy()
    if rate == 0:
        return noisy
    random = np.random.RandomState(seed)
    members = [np.flatnonzero(where & np.isin(labels, group)) for group in groups]
    can_be_wrong = sum(map(len, members))
    wanted = rate * where.sum()
    if wanted > can_be_wrong:
        raise UserError(
            f"noise of {rate:.0%} is impossible: the groups hold only {can_be_wrong / where.sum():.1%} of the training "
            "samples; lower noise.rates or name more noise.groups"
        )
    within = wanted / can_be_wrong
    for group, samples in zip(groups, members, strict=True):
        hit = random.permutation(samples)[: round(within * len(samples))]
        position = np.searchsorted(np.sort(group), labels[hit])
        step = random.randint(1, len(group), size=len(hit))  # 1 to size - 1: never its own label
        noisy[hit] = np.sort(group)[(position + step) % len(group)]
    return noisy
