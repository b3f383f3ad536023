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
    first ones as they are. Raises UserError, naming the class, for one of fewer than 3 samples, and for one that no
    training part has.
    """
    counts = np.bincount(labels)
    names = names or [str(label) for label in range(len(counts))]
    if counts.min() < 3:
        raise UserError(
            f"class {short(names[counts.argmin()])} has {counts.min()} samples, a split needs at least 3 (train, "
            "validation, test); add samples to it or leave it out"
        )
    splits = np.full((n_splits, len(labels)), TRAIN, np.uint8)
    for k, split in enumerate(splits):
        # RandomState, because NumPy promises to keep its stream for ever.
        order = np.random.RandomState(k).permutation(len(labels))
        parts = [order[labels[order] == label] for label in range(len(counts))] if stratified else [order]
        for part in parts:
            _divide(split, part, test, val, official_test, official_val)
        missing = np.flatnonzero(np.bincount(labels[split == TRAIN], minlength=len(counts)) == 0)
        if len(missing):
            raise UserError(
                f"split {k} has no training sample of class {short(names[missing[0]])} ({counts[missing[0]]} samples "
                "in all); set stratified to true for this corpus in params.yaml, or leave the class out"
            )
    return splits


def _divide(
    split: np.ndarray,
    samples: np.ndarray,
    test: float,
    val: float,
    official_test: np.ndarray | None,
    official_val: np.ndarray | None,
) -> None:
    """Mark test and validation samples in `split`, (n,), which is TRAIN elsewhere; `samples` stand in random order."""
    n_test, n_val = (max(1, round(share * len(samples))) for share in (test, val))
    if official_test is not None:
        split[samples[official_test[samples]]] = TEST
        samples, n_test = samples[~official_test[samples]], 0
    if official_val is not None:
        split[samples[official_val[samples]]] = VAL
        samples, n_val = samples[~official_val[samples]], 0
    split[samples[:n_test]] = TEST
    split[samples[n_test : n_test + n_val]] = VAL
