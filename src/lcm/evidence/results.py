"""Which results exist: the cells of a study, listed from the parameters, each file checked against them."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lcm.cell_files import check_cell, check_curves
from lcm.errors import UserError, one_line
from lcm.evidence.statistics import Scores, table, widening
from lcm.params import Params
from lcm.study import LINEAR, Cell, cell_config, cells, family

T, K = TypeVar("T"), TypeVar("K")
DONE, NOT_RUN, STALE = "done", "not run", "stale"


@dataclass(frozen=True)
class Summary:
    """A metric of one cell: number of splits and of runs, mean of the splits' means, sample std of several runs."""

    n: int
    runs: int
    mean: float
    std: float | None

    @property
    def count(self) -> str:
        """'10', or with several seeds a split '10 × 3' or '10 (14 runs)'."""
        if self.runs == self.n:
            return str(self.n)
        return f"{self.n} × {self.runs // self.n}" if self.runs % self.n == 0 else f"{self.n} ({self.runs} runs)"


@dataclass(frozen=True, eq=False)
class Result:
    """A cell and what its file says.

    state: "done", "not run" (no file) or "stale" (the file does not belong to these parameters; `reason` says where).
    record: the file's content with the runs that the study asks for; empty unless done, so that nothing stale is
    averaged.
    lacking: how many of the runs asked for are not there. family: of the model, as in "LSTM".
    """

    cell: Cell
    state: str = NOT_RUN
    reason: str = ""
    record: dict = field(default_factory=dict)
    lacking: int = 0
    family: str = ""
    root: Path = Path()
    read_from: Cell | None = None  # the cell whose files these are, where that is another study's
    parts: tuple["Result", ...] = ()  # of a tuned result: what it is chosen from

    def __getattr__(self, name: str):
        if name in ("study", "corpus", "noise", "model", "method", "target", "name"):
            return getattr(self.cell, name)
        raise AttributeError(name)

    @property
    def done(self) -> bool:
        return self.state == DONE

    @property
    def setting(self) -> tuple[str, float, str]:
        return self.cell.corpus, self.cell.noise, self.cell.model

    @property
    def collection(self) -> str:
        """Where its documents come from: 4ng-h and 20ng_raw are parts or forms of 20ng."""
        path = self.record.get("config", {}).get("corpus", {}).get("path")
        return Path(path).name if path else self.corpus

    @property
    def varied(self) -> bool:
        """Whether the method's name changes a setting."""
        return "." in self.cell.method

    @property
    def settings(self) -> dict:
        return self.record.get("settings", {})

    @property
    def failures(self) -> dict[tuple[int, int], str]:
        """(split, seed) -> why that run has no result."""
        return {_place(run): _failure(run) for run in self.record.get("runs", ()) if _failure(run)}

    @property
    def runs(self) -> list[dict]:
        """Those that finished."""
        return [run for run in self.record.get("runs", ()) if not _failure(run)]

    @property
    def official_test(self) -> bool:
        """Whether the test part is the publisher's own: no draw, as the split's share of it would be."""
        sizes = self.record["sizes"]
        return abs(sizes["test"] / sum(sizes.values()) - self.record["config"]["split"]["test"]) > 0.01

    def widening(self, part: str = "test") -> float:
        """What the corrected test adds to 1/S for scores measured on this part."""
        return widening(self.record["sizes"], part, self.official_test)

    def scores(self, metric: str = "accuracy", of: str = "test") -> dict[tuple[int, int], float]:
        """(split, seed) -> metric (in [0, 1] or nats, as stored) of the runs that finished and have it.

        of: "test" (at the chosen epoch), "test_last" (after the last epoch) or "run" (a field of the run itself).
        """
        values = {_place(run): (run if of == "run" else run.get(of, {})).get(metric) for run in self.runs}
        return {place: value for place, value in values.items() if value is not None}

    def summary(self, metric: str = "accuracy", of: str = "test") -> Summary | None:
        return summarise(self.scores(metric, of))

    def confusion(self) -> np.ndarray | None:
        """(C, C) counts over all runs, rows are true labels; None where they were not kept."""
        matrices = [run["confusion_matrix"] for run in self.runs if run.get("confusion_matrix")]
        if matrices:
            return np.sum(matrices, axis=0)
        whole = self.record.get("confusion_matrix")  # cells of before have the sum alone
        return np.array(whole) if whole else None

    @cached_property
    def curves(self) -> list[dict]:
        """Rows of the curves file, {split, seed, epoch, ...}, of the runs that are used; [] if there is none."""
        used = set(map(_place, self.runs))
        if self.parts:
            chosen = self.record["chosen"]
            rows = [row for part in self.parts for row in part.curves if chosen.get(row["split"]) == part.method]
            return [row for row in rows if _place(row) in used]
        path = (self.read_from or self.cell).path("curves")
        if not self.done or not (self.root / path).exists():
            return []
        rows = _checked(self.root, path, check_curves, "a file of curves")
        return sorted((row for row in rows if _place(row) in used), key=lambda row: row["epoch"])

    def by_run(self, column: str) -> dict[tuple[int, int], list[float]]:
        """(split, seed) -> values of one column of the curves, in the order of epochs."""
        values: dict[tuple[int, int], list[float]] = {}
        for row in self.curves:
            if row.get(column) is not None:
                values.setdefault(_place(row), []).append(row[column])
        return values

    def last(self, column: str) -> dict[tuple[int, int], float]:
        """(split, seed) -> value of one column of the curves after the last epoch in which it was measured."""
        return {place: values[-1] for place, values in self.by_run(column).items()}


def summarise(scores: Scores) -> Summary | None:
    """None without scores."""
    if not scores:
        return None
    values, means = list(scores.values()), np.nanmean(table(scores), axis=1)
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(len(means), len(values), float(np.mean(means)), std)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """key of an item -> the items that have it, in their order."""
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def fullest(results: Iterable[Result]) -> Result:
    """The one with the most runs, of equals the first."""
    return max(results, key=lambda result: len(result.runs))


def _place(row: dict) -> tuple[int, int]:
    """The split and the seed of a run, or of a row of its curves."""
    return row["split"], row["seed"]


def _failure(run: dict) -> str:
    if "failed" in run:
        return str(run["failed"])
    accuracy = run["test"]["accuracy"]
    return "" if math.isfinite(accuracy) else f"test accuracy is {accuracy}"


# ------------------------------------------------------------------------------------------------------------ studies


@dataclass(frozen=True)
class Study:
    """A study's title and question, and its results in the order of the parameters."""

    name: str
    title: str
    question: str
    results: tuple[Result, ...]

    @property
    def settings(self) -> list[tuple[str, float, str]]:
        """(corpus, noise, model) of the networks."""
        return list(dict.fromkeys(result.setting for result in self.results if result.model != LINEAR))

    def find(self, corpus: str, noise: float, model: str, method: str) -> Result | None:
        place = (corpus, noise, model, method)
        return next((r for r in self.results if (*r.setting, r.method) == place), None)

    def of(self, corpus: str, noise: float, model: str) -> list[Result]:
        """All results of one setting."""
        return [result for result in self.results if result.setting == (corpus, noise, model)]


def read_study(params: Params, name: str, root: Path = Path()) -> Study:
    """Read the results of a study below root/metrics/cells.

    Raises UserError for a study that does not exist, and for a file that is not JSON or lacks the format's fields.
    """
    found = [
        _read(Result(cell, family=family(params, cell), root=root), cell_config(params, cell))
        for cell in cells(params, name)
    ]
    spec = params.studies[name]
    return Study(name, spec.title, spec.question, tuple(found))


def _read(result: Result, expected: dict) -> Result:
    path = result.cell.path()
    if not (result.root / path).exists():
        return result
    record = _checked(result.root, path, check_cell, "a result file of this pipeline")
    reasons = _mismatches(result.cell, record, expected)
    wanted = {(run.split, run.seed) for run in result.cell.runs()}
    runs = [run for run in record["runs"] if _place(run) in wanted]
    if reasons or not runs:
        reasons = reasons or [f"holds none of the {len(wanted)} runs"]
        return replace(result, state=STALE, reason="; ".join(reasons[:3]) + (" ..." if len(reasons) > 3 else ""))
    return replace(result, state=DONE, record=record | {"runs": runs}, lacking=len(wanted) - len(runs))


def _checked(root: Path, path: Path, check: Callable[[object], Any], what: str) -> Any:
    """The content of a JSON file. Raises UserError where it is not what it must be."""
    try:
        return check(json.loads((root / path).read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        raise UserError(one_line(f"{path}: not {what} ({error}); delete it and train again", 400)) from None


def _mismatches(cell: Cell, record: dict, expected: dict) -> list[str]:
    """What in the file disagrees with the parameters."""
    reasons = [
        f"differs in {name}: {getattr(cell, name)!r} in params, {record.get(name)!r} in cell"
        for name in ("study", "corpus", "noise", "model", "method")
        if record.get(name) != getattr(cell, name)
    ]
    wanted, found = _flat(expected), _flat(record["config"])
    for path in sorted(wanted.keys() | found.keys()):
        a, b = wanted.get(path, "absent"), found.get(path, "absent")
        if a != b:
            reasons.append(f"differs in {path}: {a} in params, {b} in cell")
    return reasons


def _flat(value: object, path: str = "") -> dict[str, object]:
    """Nested dicts as {dotted path: leaf}; lists are leaves."""
    if not isinstance(value, dict) or (not value and path):
        return {path: value}
    leaves: dict[str, object] = {}
    for key, item in value.items():
        leaves |= _flat(item, f"{path}.{key}" if path else str(key))
    return leaves
