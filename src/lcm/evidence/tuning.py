"""Which setting of a target's grid is best on validation: an equal number of values and of runs for every target."""

import json
from itertools import product
from pathlib import Path

import numpy as np

from lcm.params import Study
from lcm.study import Cell, tuning_grid


def validation_accuracy(cell: Cell, splits: int, root: Path = Path()) -> float | None:
    """Mean validation accuracy of a cell over its first splits, seed 0; None unless all of them are there."""
    try:
        runs = json.loads((root / cell.path()).read_text(encoding="utf-8"))["runs"]
        scores = [run["val_accuracy"] for run in runs if run["seed"] == 0 and run["split"] < splits]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return float(np.mean(scores)) if len(scores) == splits else None


def chosen(spec: Study, cells: list[Cell], root: Path = Path()) -> dict[tuple[str, int, str], list[str]]:
    """(corpus, noise, model) -> the best method of every grid (`gce.*`) that was tried there in full.

    Compared on the splits that the grid's entry names. Of equal values the first in the grid wins.
    """
    by_place = {(cell.corpus, cell.noise, cell.model, cell.method): cell for cell in cells}
    best: dict[tuple[str, int, str], list[str]] = {}
    for grid in spec.grids:
        for corpus, noise, model, name in product(grid.corpora, grid.noise, grid.models, grid.methods):
            if not name.endswith(".*"):
                continue
            values = tuning_grid(name)
            scores = [
                validation_accuracy(by_place[corpus, noise, model, value], grid.splits or spec.splits, root)
                for value in values
            ]
            if None not in scores:
                best.setdefault((corpus, noise, model), []).append(values[int(np.argmax(scores))])
    return best
