"""Which setting of a target's grid is best on validation: an equal number of values and of runs for every target."""

from itertools import product

import numpy as np

from lcm.evidence.results import Result, Study
from lcm.params import Study as Spec
from lcm.study import tuning_grid


def validation_accuracy(result: Result | None, splits: int) -> float | None:
    """Mean validation accuracy of a result over its first splits, seed 0; None unless all of them are there."""
    scores = result.scores("val_accuracy", "run") if result else {}
    first = [score for (split, seed), score in scores.items() if seed == 0 and split < splits]
    return float(np.mean(first)) if len(first) == splits else None


def chosen(spec: Spec, study: Study) -> dict[tuple[str, int, str], list[str]]:
    """(corpus, noise, model) -> the best method of every grid (`gce.*`) that was tried there in full.

    Compared on the splits that the grid's entry names. Of equal values the first in the grid wins.
    """
    best: dict[tuple[str, int, str], list[str]] = {}
    for grid in spec.grids:
        for corpus, noise, model, name in product(grid.corpora, grid.noise, grid.models, grid.methods):
            if name.endswith(".*"):
                values, splits = tuning_grid(name), grid.splits or spec.splits
                scores = [validation_accuracy(study.find(corpus, noise, model, value), splits) for value in values]
                if None not in scores:
                    best.setdefault((corpus, noise, model), []).append(values[int(np.argmax(scores))])
    return best
