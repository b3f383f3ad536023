"""Which results exist: the grid of a study is enumerated from the parameters, and each cell's file is checked against them.

Files are never globbed. DVC leaves the cells of a shrunken grid behind, and a glob would quietly average two alphas.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lcm.errors import UserError
from lcm.evidence.statistics import Paired, paired, widening

ARMS = {"ls": ("base", "ls"), "lcm": ("ls_matched", "lcm"), "linear": ("linear", "linear_window")}
GRIDS = ("text", "text_forms", "vectors", "bert", "bert_noise", "bert_zh", "images", "variations")  # of a study, in the order of its tables
METHODS = ("base", "ls", "ls_matched", "lcm")
DONE, NOT_RUN, STALE = "done", "not run", "stale"


@dataclass(frozen=True)
class Summary:
    """A metric over the splits that finished: n, mean, and the sample std (ddof = 1; None when n = 1)."""

    n: int
    mean: float
    std: float | None


@dataclass(frozen=True)
class Cell:
    """One (corpus, noise, model, arm) of a study's grid and what its file says.

    arm: "ls", "lcm", "linear", or a variation such as "lcm.alpha=2", whose one method is "lcm".
    planned: the parameters of the arm's group, also where nothing was run.
    state: "done", "not run" (no file) or "stale" (the file does not belong to these parameters; `reason` says where).
    record: the file's content, empty unless done, so that nothing stale can be averaged by mistake.
    """

    study: str
    corpus: str
    noise: float
    model: str
    arm: str
    n_splits: int
    planned: dict = field(default_factory=dict)
    state: str = NOT_RUN
    reason: str = ""
    record: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        """File name without folder and suffix."""
        return f"{self.corpus}-noise{self.noise:g}-{self.short_name}"

    @property
    def short_name(self) -> str:
        """Model and arm."""
        return "linear" if self.arm == "linear" else f"{self.model}-{self.arm}"

    @property
    def methods(self) -> tuple[str, ...]:
        return ARMS.get(self.arm) or (self.arm.partition(".")[0],)

    @property
    def varied(self) -> bool:
        """Whether the arm is an expression."""
        return self.arm not in ARMS

    def settings(self, method: str) -> dict:
        return self.record.get("methods", {}).get(method, {}).get("settings", {})

    def runs(self, method: str) -> list[dict]:
        return self.record.get("methods", {}).get(method, {}).get("runs", [])

    def failures(self, method: str) -> dict[int, str]:
        """Split -> why that run has no result."""
        return {run["split"]: _failure(run) for run in self.runs(method) if _failure(run)}

    def scores(self, method: str, metric: str, of: str = "test") -> dict[int, float]:
        """Split -> metric (in [0, 1] or nats, as stored) of the runs that finished and have it.

        of: "test" (at the chosen epoch), "test_last" (after the last epoch) or "run" (a field of the run itself).
        """
        scores = {}
        for run in self.runs(method):
            value = (run if of == "run" else run.get(of, {})).get(metric)
            if value is not None and not _failure(run):
                scores[run["split"]] = value
        return scores

    def summary(self, method: str, metric: str, of: str = "test") -> Summary | None:
        """Mean and std over splits; None if no finished run has the metric."""
        values = list(self.scores(method, metric, of).values())
        if not values:
            return None
        return Summary(len(values), float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


def _failure(run: dict) -> str:
    if "failed" in run:
        return str(run["failed"])
    accuracy = run["test"]["accuracy"]
    return "" if math.isfinite(accuracy) else f"test accuracy is {accuracy}"


@dataclass(frozen=True)
class Point:
    """A method of a cell on the axis that label smoothing and LCM share.

    strength: epsilon, or LCM's alpha; None for the matched epsilon of a cell that was not run.
    true_mass: what the training target leaves on the true label, in [0, 1]; None while nothing of the corpus was run.
    """

    cell: Cell
    method: str
    strength: float | None
    true_mass: float | None


@dataclass(frozen=True)
class Grid:
    """All cells of one study, in the order of the parameters."""

    study: str
    cells: tuple[Cell, ...]

    def settings(self) -> list[tuple[str, float]]:
        """The (corpus, noise percent) pairs."""
        return list(dict.fromkeys((cell.corpus, cell.noise) for cell in self.cells))

    def models(self, corpus: str, noise: float) -> list[str]:
        """Neural models tried on one setting."""
        here = (c for c in self.cells if (c.corpus, c.noise) == (corpus, noise) and c.arm != "linear")
        return list(dict.fromkeys(c.model for c in here))

    def triples(self) -> list[tuple[str, float, str]]:
        """All (corpus, noise percent, neural model)."""
        return [(corpus, noise, model) for corpus, noise in self.settings() for model in self.models(corpus, noise)]

    def cell(self, corpus: str, noise: float, model: str, method: str) -> Cell | None:
        """The cell that holds a method at the study's own settings, or None if the grid has no such cell."""
        for cell in self.cells:
            if (cell.corpus, cell.noise, cell.model) == (corpus, noise, model) and method in cell.methods and not cell.varied:
                return cell
        return None

    def variations(self, corpus: str, noise: float, model: str) -> list[Cell]:
        """The cells with settings changed (`lcm.alpha=2`), one method each, in the order of the parameters."""
        return [cell for cell in self.cells if (cell.corpus, cell.noise, cell.model) == (corpus, noise, model) and cell.varied]

    def sweep(self, corpus: str, noise: float, model: str) -> list[Point]:
        """Every soft-label method of one model that differs from another in strength alone: the weakest softening first.

        Cross-entropy, the study's own LS, matched LS and LCM, and the variations of epsilon and alpha; [] without a variation
        of these. Also what was not run.
        """
        cells = [cell for cell in self.cells if (cell.corpus, cell.noise, cell.model) == (corpus, noise, model)]
        if not any(cell.varied and _only_strength(cell) for cell in cells):
            return []
        n_labels = next((cell.record["n_labels"] for cell in cells if cell.state == DONE), None)
        points = [
            Point(cell, method, strength, true_mass(method, strength, n_labels) if n_labels and strength is not None else None)
            for cell in cells
            if not cell.varied or _only_strength(cell)
            for method in cell.methods
            for strength in [_strength(cell, method)]
        ]
        return sorted(points, key=lambda point: (point.true_mass is None, -(point.true_mass or 0.0)))

    def compare(self, corpus: str, noise: float, model: str, method: str, other: str) -> Paired | None:
        """Paired test-accuracy difference method - other over the splits on which both finished.

        None if either has no result, or if the two cells did not see the same data (edition, sizes or noise differ).
        """
        a, b = self.cell(corpus, noise, model, method), self.cell(corpus, noise, model, other)
        return compare_cells(a, method, b, other) if a and b else None


def true_mass(method: str, strength: float, n_labels: int) -> float:
    """What the target leaves on the true label: 1 - epsilon + epsilon / C for label smoothing of strength epsilon.

    For LCM of strength alpha e^alpha / (e^alpha + C - 1), its value for a uniform label confusion distribution.
    """
    if method == "lcm":
        return 1 / (1 + (n_labels - 1) * math.exp(-strength))
    return 1 - strength + strength / n_labels


def _strength(cell: Cell, method: str) -> float | None:
    if method == "base":
        return 0.0
    key = "alpha" if method == "lcm" else "epsilon"
    return cell.settings(method).get(key, cell.planned.get(key))


def _only_strength(cell: Cell) -> bool:
    return cell.varied and cell.arm.partition(".")[2].partition("=")[0] in ("alpha", "epsilon") and "," not in cell.arm


def compare_cells(a: Cell, method: str, b: Cell, other: str) -> Paired | None:
    """`Grid.compare` for a method of one cell and a method of another."""
    if a.state != DONE or b.state != DONE or data_differs(a, b):
        return None
    of_a, of_b = a.scores(method, "accuracy"), b.scores(other, "accuracy")
    splits = sorted(of_a.keys() & of_b.keys())
    if not splits:
        return None
    return paired(by_seed(of_a), by_seed(of_b), widening(a.record["sizes"]))


def by_seed(scores: dict[int, float]) -> dict[tuple[int, int], float]:
    """Split -> score as (split, seed) -> score; these cells have one seed a split."""
    return {(split, 0): score for split, score in scores.items()}


def data_differs(a: Cell, b: Cell) -> str:
    """The first thing in which two finished cells' data differ, or "" if both saw the same."""
    common = min(a.n_splits, b.n_splits)  # realised noise is a list over splits, and one of the two may have more of them
    for key in ("corpus_digest", "sizes", "realised_noise"):
        of_a, of_b = (cell.record.get(key)[:common] if key == "realised_noise" else cell.record.get(key) for cell in (a, b))
        if of_a != of_b:
            return f"{key}: {of_a} in {a.name}, {of_b} in {b.name}"
    return ""


def read_grid(study: str, params: dict, expected_config: Callable[[str, str, str], dict], root: Path) -> Grid:
    """Enumerate the study's grid from params and read each cell's file under root/metrics/cells/.

    expected_config(study, model, arm) gives what a cell's "config" must equal. Raises UserError for a study or arm that
    does not exist and for a file that is not JSON or lacks the contract's fields.
    """
    if study not in params["studies"]:
        raise UserError(f"studies.{study}: no such study in params.yaml; there are: {', '.join(params['studies'])}")
    n_splits = params["studies"][study]["splits"]
    n_splits_of = params["studies"][study].get("splits_of", {})
    cells = []
    for corpus, noise, model, arm in _enumerate(study, params["studies"][study]):
        expected = json.loads(json.dumps(expected_config(study, model, arm)))  # tuples to lists, as in the file
        planned = expected.get(arm.partition(".")[0], {})
        cell = Cell(study, corpus, noise, model, arm, n_splits_of.get(model, n_splits), planned)
        cells.append(_read(cell, expected, root))
    return Grid(study, tuple(cells))


def _enumerate(study: str, spec: dict) -> Iterator[tuple[str, float, str, str]]:
    settings: dict[tuple[str, float], list[tuple[str, str]]] = {}
    texts = set()
    for part in GRIDS:
        grid = spec.get(part)
        if not grid:
            continue
        for arm in grid["arms"]:
            if arm.partition(".")[0] not in ("ls", "lcm"):
                raise UserError(f"studies.{study}.{part}.arms: unknown arm {arm!r}; known: ls, lcm, and these with settings, as in lcm.alpha=2")
        for setting in ((corpus, noise) for corpus in grid["corpora"] for noise in grid["noise"]):
            settings.setdefault(setting, []).extend((model, arm) for model in grid["models"] for arm in grid["arms"])
            if part not in ("images", "variations"):
                texts.add(setting)
    for (corpus, noise), cells in settings.items():
        yield from ((corpus, noise, model, arm) for model, arm in dict.fromkeys(cells))
        if (corpus, noise) in texts:  # every text table carries the linear yardstick
            yield corpus, noise, "linear", "linear"


def _read(cell: Cell, expected: dict, root: Path) -> Cell:
    path = root / "metrics" / "cells" / cell.study / f"{cell.name}.json"
    if not path.exists():
        return cell
    shown = path.relative_to(root)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        reasons = _mismatches(cell, record, expected)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"{shown}: not a result file of this pipeline ({error!r}); delete it and run its stage again"
        ) from error
    if reasons:
        return replace(cell, state=STALE, reason="; ".join(reasons[:3]) + (" ..." if len(reasons) > 3 else ""))
    return replace(cell, state=DONE, record=record)


def _mismatches(cell: Cell, record: dict, expected: dict) -> list[str]:
    """What in the file disagrees with the parameters. Touches every field that the report relies on."""
    _ = (record["sizes"]["train"], record["sizes"]["test"], record["labels"], record["n_labels"])
    reasons = []
    for name in ("study", "corpus", "noise", "model", "arm"):
        if record.get(name) != getattr(cell, name):
            reasons.append(f"differs in {name}: {getattr(cell, name)!r} in params, {record.get(name)!r} in cell")
    wanted, found = _flat(expected), _flat(record["config"])
    for path in sorted(wanted.keys() | found.keys()):
        a, b = wanted.get(path, "absent"), found.get(path, "absent")
        if a != b:
            reasons.append(f"differs in {path}: {a} in params, {b} in cell")
    for method in cell.methods:
        if method not in record["methods"]:
            reasons.append(f"holds no runs of {method}")
            continue
        runs = record["methods"][method]["runs"]
        for run in runs:
            _failure(run)
        splits = sorted(run["split"] for run in runs)
        if splits != list(range(cell.n_splits)):
            reasons.append(f"differs in splits: {cell.n_splits} in params, {_spans(splits)} in cell")
    return list(dict.fromkeys(reasons))


def _flat(value: object, path: str = "") -> dict[str, object]:
    """Nested dicts as {dotted path: leaf}; lists are leaves."""
    if not isinstance(value, dict) or (not value and path):
        return {path: value}
    leaves: dict[str, object] = {}
    for key, item in value.items():
        leaves |= _flat(item, f"{path}.{key}" if path else str(key))
    return leaves


def _spans(splits: list[int]) -> str:
    whole = splits == list(range(len(splits)))
    return str(len(splits)) if whole else "only " + ", ".join(map(str, splits))


def read_curves(cell: Cell, root: Path) -> list[dict]:
    """Rows of a finished cell's curves file, without the runs that failed; [] if there is none."""
    path = root / "metrics" / "curves" / cell.study / f"{cell.name}.json"
    if cell.state != DONE or not path.exists():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    failed = {method: cell.failures(method) for method in cell.methods}
    return [row for row in rows if row["method"] in failed and row["split"] not in failed[row["method"]]]
