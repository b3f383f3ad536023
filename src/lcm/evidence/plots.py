"""Small files for `dvc plots show` and `dvc plots diff` (and the VS Code extension): curves, confusion matrices, the sweep of strengths.

Means over splits, so that a study stays a few hundred kilobytes in git. Lists of rows, as DVC wants them; the templates that draw
them are in .dvc/plots.
"""

from pathlib import Path

import numpy as np

from lcm.evidence.figures import band
from lcm.evidence.results import DONE, Cell, Grid, read_curves
from lcm.evidence.tables import METHOD_NAMES, method_name, model_name, setting_name
from lcm.files import new_folder, write_json

LEAST_SHARE = 0.5  # percent of a label's documents; a confusion matrix without the rest is a tenth of the size


def write_plots(grid: Grid, root: Path) -> None:
    """root/reports/<study>/plots/{curves,variations,confusion,sweep}.json, those for which there are data."""
    with new_folder(root / "reports" / grid.study / "plots") as folder:
        for name, rows in (
            ("curves", _curves([cell for cell in grid.cells if not cell.varied], root)),
            ("variations", _curves([cell for cell in grid.cells if cell.varied], root)),
            ("confusion", _confusion(grid)),
            ("sweep", _sweep(grid)),
        ):
            if rows:
                write_json(folder / f"{name}.json", rows)


def _title(cell: Cell) -> str:
    return f"{model_name(cell.model)}, {setting_name(cell.corpus, cell.noise)}"


def _curves(cells: list[Cell], root: Path) -> list[dict]:
    """Validation accuracy per epoch: mean, and mean ± std as low and high."""
    found = []
    for cell in cells:
        rows = read_curves(cell, root)
        for method in cell.methods:
            epochs, mean, std = band([row for row in rows if row["method"] == method], "val_accuracy")
            for index, epoch in enumerate(epochs):
                spread = 0.0 if std is None else std[index]
                found.append(
                    {"cell": _title(cell), "method": cell.arm if cell.varied else method, "target": method_name(cell, method), "epoch": int(epoch)}
                    | {"val_accuracy": round(mean[index], 5), "low": round(mean[index] - spread, 5), "high": round(mean[index] + spread, 5)}
                )
    return found


def _confusion(grid: Grid) -> list[dict]:
    """Percent of a true label's documents by predicted label, of cross-entropy and LCM, all splits together."""
    found = []
    for cell in grid.cells:
        for method in ("base", "lcm"):
            matrix = cell.record.get("methods", {}).get(method, {}).get("confusion_matrix") if cell.state == DONE and not cell.varied else None
            if not matrix or len(matrix) != len(cell.record["labels"]):
                continue
            counts = np.array(matrix, dtype=float)
            share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
            found += [
                {"cell": f"{_title(cell)}: {METHOD_NAMES[method]}", "actual": cell.record["labels"][i], "predicted": cell.record["labels"][j]}
                | {"share": round(share[i, j], 1)}
                for i, j in zip(*np.nonzero(share >= LEAST_SHARE), strict=True)
            ]
    return found


def _sweep(grid: Grid) -> list[dict]:
    """Test accuracy by what the training target leaves on the true label."""
    found = []
    for key in grid.triples():
        for point in grid.sweep(*key):
            summary = point.cell.summary(point.method, "accuracy")
            if summary is None or point.true_mass is None:
                continue
            spread = summary.std or 0.0
            family = {"base": "cross-entropy", "lcm": "LCM"}.get(point.method, "label smoothing")
            found.append(
                {"cell": _title(point.cell), "target": method_name(point.cell, point.method), "family": family}
                | {"true_mass": round(point.true_mass, 4), "accuracy": round(summary.mean, 5), "n": summary.n}
                | {"low": round(summary.mean - spread, 5), "high": round(summary.mean + spread, 5)}
            )
    return found
