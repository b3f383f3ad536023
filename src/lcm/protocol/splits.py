"""Random train / validation / test splits (paper, "Experimental Results": train and test merged, then split at random
10 times).
"""

import numpy as np

from lcm.errors import UserError, short

TRAIN, VAL, TEST = 0, 1, 2
SMALL_CLASS = 20  # samples; of fewer, a random split may leave a part without any


def make_splits(
    labels: np.ndarray,
    n_splits: int,
    test: float,
    val: float,
    stratified: bool = False,
    names: list[str] | None = None,
    official_test: np.ndarray | None = None,
    official_val: np.ndarray | None = None,
) -> np.ndarray:
    """Assign every sample to train, validation or test, `n_splits` times.

    labels: (n,) integers from 0. test, val: shares of all samples. official_test, official_val: (n,) bool; where given
    they are these parts of every split, `test` or `val` does not count, and the other part is drawn from the rest.
    Returns (n_splits, n) uint8 of TRAIN, VAL, TEST. Row k depends on k alone, so that asking for more splits leaves the
    first ones as they are. Raises UserError if a class is too small to appear in all three parts, naming it.
    """
    counts = np.bincount(labels)
    names = names or [str(label) for label in range(len(counts))]
    for label, count in enumerate(counts):
        if count < 3:
            raise UserError(
                f"class {short(names[label])} has {count} samples, a split needs at least 3 (train, validation, test); "
                "add samples to it or leave it out"
            )
    splits = np.empty((n_splits, len(labels)), np.uint8)
    for k in range(n_splits):
        # RandomState, because NumPy promises to keep its stream for ever.
        order = np.random.RandomState(k).permutation(len(labels))
        if stratified:
            order = order[np.argsort(labels[order], kind="stable")]
            parts = np.split(order, np.cumsum(counts)[:-1])
        else:
            parts = [order]
        for part in parts:
            n_test, n_val = (max(1, round(share * len(part))) for share in (test, val))
            if official_test is not None:
                splits[k, part[official_test[part]]] = TEST
                part, n_test = part[~official_test[part]], 0
            if official_val is not None:
                splits[k, part[official_val[part]]] = VAL
                part, n_val = part[~official_val[part]], 0
            splits[k, part[:n_test]] = TEST
            splits[k, part[n_test : n_test + n_val]] = VAL
            splits[k, part[n_test + n_val :]] = TRAIN
        missing = np.flatnonzero(np.bincount(labels[splits[k] == TRAIN], minlength=len(counts)) == 0)
        if len(missing):
            raise UserError(
                f"split {k} has no training sample of class {short(names[missing[0]])} ({counts[missing[0]]} samples "
                "in all); "
                "set stratified to true for this corpus in params.yaml, or leave the class out"
            )
    return splits
