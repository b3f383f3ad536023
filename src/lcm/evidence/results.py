"""Which results exist: the cells of a study are listed from the parameters, and each one's file is checked against
them."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lcm.cell_files import check_cell, check_curves
from lcm.errors import UserError, one_line
from lcm.evidence.names import TUNED
from lcm.evidence.statistics import Paired, Scores, paired, widening
from lcm.params import Params
from lcm.study import LINEAR, Cell, cell_config, cells, family, target_facts

DONE, NOT_RUN, STALE = "done", "not run", "stale"


@dataclass(frozen=True)
class Summary:
    """A metric of one cell: number of splits and of runs, mean of the splits' means, sample std of the runs (None for
    one)."""

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
    def varied(self) -> bool:
        """Whether the method's name changes a setting."""
        return "." in self.cell.method

    @property
    def settings(self) -> dict:
        return self.record.get("settings", {})

    @property
    def failures(self) -> dict[tuple[int, int], str]:
        """(split, seed) -> why that run has no result."""
        return {(run["split"], run["seed"]): _failure(run) for run in self.record.get("runs", ()) if _failure(run)}

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
        values = {
            (run["split"], run["seed"]): (run if of == "run" else run.get(of, {})).get(metric) for run in self.runs
        }
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
        path = self.root / (self.read_from or self.cell).path("curves")
        used = {(run["split"], run["seed"]) for run in self.runs}
        if self.parts:
            chosen = self.record["chosen"]
            rows = [row for part in self.parts for row in part.curves if chosen.get(row["split"]) == part.method]
            return [row for row in rows if (row["split"], row["seed"]) in used]
        if not self.done or not path.exists():
            return []
        try:
            rows = check_curves(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, RecursionError) as error:
            shown = path.relative_to(self.root)
            raise UserError(
                one_line(f"{shown}: not a file of curves ({error}); delete it and train again", 400)
            ) from None
        return sorted((row for row in rows if (row["split"], row["seed"]) in used), key=lambda row: row["epoch"])

    def by_run(self, column: str) -> dict[tuple[int, int], list[float]]:
        """(split, seed) -> values of one column of the curves, in the order of epochs."""
        values: dict[tuple[int, int], list[float]] = {}
        for row in self.curves:
            if row.get(column) is not None:
                values.setdefault((row["split"], row["seed"]), []).append(row[column])
        return values

    def last(self, column: str) -> dict[tuple[int, int], float]:
        """(split, seed) -> value of one column of the curves after the last epoch in which it was measured."""
        return {place: values[-1] for place, values in self.by_run(column).items()}


def summarise(scores: Scores) -> Summary | None:
    """None without scores."""
    if not scores:
        return None
    values, splits = list(scores.values()), {split for split, _ in scores}
    means = [np.mean([value for (split, _), value in scores.items() if split == wanted]) for wanted in splits]
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(len(splits), len(values), float(np.mean(means)), std)


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
    found = []
    for cell in cells(params, name):
        expected = json.loads(json.dumps(cell_config(params, cell)))  # tuples to lists, as in the file
        found.append(_read(Result(cell, family=family(params, cell), root=root), expected))
    spec = params.studies[name]
    return Study(name, spec.title, spec.question, tuple(found))


def _read(result: Result, expected: dict) -> Result:
    path = result.root / result.cell.path()
    if not path.exists():
        return result
    try:
        record = check_cell(json.loads(path.read_text(encoding="utf-8")))
        reasons = _mismatches(result.cell, record, expected)
        wanted = {(run.split, run.seed) for run in result.cell.runs()}
        runs = [run for run in record["runs"] if (run["split"], run["seed"]) in wanted]
    except (ValueError, RecursionError) as error:
        shown = path.relative_to(result.root)
        raise UserError(
            one_line(f"{shown}: not a result file of this pipeline ({error}); delete it and train again", 400)
        ) from None
    if reasons or not runs:
        reasons = reasons or [f"holds none of the {len(wanted)} runs"]
        return replace(result, state=STALE, reason="; ".join(reasons[:3]) + (" ..." if len(reasons) > 3 else ""))
    return replace(result, state=DONE, record=record | {"runs": runs}, lacking=len(wanted) - len(runs))


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


# -------------------------------------------------------------------------------------------------------- comparisons


def data_differs(a: Result, b: Result) -> str:
    """The first thing in which two finished cells' data differ, or "" if both saw the same."""
    rates = [result.record.get("realised_noise") or [] for result in (a, b)]
    common = min(map(len, rates))  # a list over splits, and one of the two may have more of them
    for key in ("corpus_digest", "sizes", "realised_noise"):
        of_a, of_b = (
            rate[:common] if key == "realised_noise" else result.record.get(key)
            for result, rate in zip((a, b), rates, strict=True)
        )
        if of_a != of_b:
            return f"{key}: {of_a} in {a.cell}, {of_b} in {b.cell}"
    return ""


def compare(a: Result, b: Result, metric: str = "accuracy", of: str = "test") -> Paired | None:
    """The paired difference a - b over the splits and seeds on which both finished.

    None if either has no result, or if the two did not see the same data (edition, sizes or noise differ).
    """
    if not (a.done and b.done) or data_differs(a, b):
        return None
    x, y = a.scores(metric, of), b.scores(metric, of)
    return paired(x, y, a.widening()) if x.keys() & y.keys() else None


def same_training(a: Result, b: Result) -> bool:
    """Whether two finished cells trained the same model in the same way on the same data: only the method may
    differ."""
    configs = [result.record["config"] for result in (a, b)]
    return (
        a.setting == b.setting
        and not data_differs(a, b)
        and all(configs[0].get(key) == configs[1].get(key) for key in ("train", "model"))
    )


def tuned(candidates: Iterable[Result]) -> Result | None:
    """A result made of one target's results at several strengths, chosen by the accuracy on the validation part.

    On a split where all strengths were run: the best there, compared over the seeds that all have. On a split where
    some
    were: the one that is best over the splits with all, if it is there (strengths may be screened on a few splits).
    Nothing is trained for it, and the test part has no say. None with fewer than two strengths.
    The record's `chosen` says the method by split, `tried` which ones there were.
    """
    candidates = [result for result in candidates if result.done]
    if len(candidates) < 2:
        return None
    validation = [result.scores("val_accuracy", "run") for result in candidates]
    splits = [{split for split, _ in scores} for scores in validation]
    everywhere = set.intersection(*splits)

    def seeds(split: int, index: int) -> set[int]:
        return {seed for s, seed in validation[index] if s == split}

    def best(among: set[int]) -> int:
        shared = {split: set.intersection(*(seeds(split, i) for i in range(len(candidates)))) for split in among}
        places = [(split, seed) for split in sorted(among) for seed in sorted(shared[split])]
        return max(range(len(candidates)), key=lambda i: np.mean([validation[i][p] for p in places]) if places else 0.0)

    overall, runs, chosen = best(everywhere), [], {}
    for split in sorted(everywhere | splits[overall]) if everywhere else ():
        index = best({split}) if split in everywhere else overall
        shared = set.intersection(*(seeds(split, i) for i in range(len(candidates)) if split in splits[i]))
        chosen[split] = candidates[index].method
        runs += [run for run in candidates[index].runs if run["split"] == split and run["seed"] in shared]
    if not runs:
        return None
    first = candidates[0]
    record = first.record | {"runs": runs, "settings": {}, "chosen": chosen, "tried": [r.method for r in candidates]}
    record.pop("confusion_matrix", None)
    cell = replace(first.cell, method=f"{first.target}.{TUNED}")
    return replace(first, cell=cell, record=record, lacking=0, parts=tuple(candidates))


def strengths(results: Iterable[Result]) -> list[Result]:
    """Of one target's finished results, those that differ in nothing but a key of its tuning grid: its plain one and
    others."""
    results = [result for result in results if result.done]
    if not results or results[0].model == LINEAR:
        return []
    keys = {key for setting in target_facts()[results[0].target].grid for key in setting}
    plain = [{key: value for key, value in r.settings.items() if key not in keys and value} for r in results]
    usual = next((rest for result, rest in zip(results, plain, strict=True) if not result.varied), plain[0])
    found: dict[tuple, Result] = {}
    for result, rest in zip(results, plain, strict=True):
        if rest == usual and same_training(result, results[0]):
            place = tuple(result.settings.get(key) for key in sorted(keys))
            if place not in found or len(result.runs) > len(found[place].runs):  # `ls` and `ls.epsilon=0.1` are one
                found[place] = result
    return list(found.values())


def true_mass(target: str, settings: dict, n_labels: int) -> float | None:
    """What the training target leaves on the true label; None for a target that has no such constant.

    Label smoothing: 1 - epsilon + epsilon / C. LCM: e^alpha / (e^alpha + C - 1), for a uniform confusion distribution.
    """
    if target == "lcm":
        return 1 / (1 + (n_labels - 1) * math.exp(-settings["alpha"]))
    if target in ("ce", "ls", "ls_matched"):
        epsilon = settings.get("epsilon", 0.0)
        return 1 - epsilon + epsilon / n_labels
    return None


class Evidence(dict[str, Study]):
    """Studies by name, in the order of the page, and look-ups across them.

    Where two studies have the same cell (data, model, training, method), both show the runs of the one that has more.
    """

    def __init__(self, studies: Iterable[Study]):
        studies = list(studies)
        fullest: dict[str, Result] = {}
        for result in (result for study in studies for result in study.results if result.done):
            known = fullest.setdefault(_content(result), result)
            if len(result.runs) > len(known.runs):
                fullest[_content(result)] = result

        def full(result: Result) -> Result:
            other = fullest[_content(result)] if result.done else result
            cell = replace(other.cell, study=result.study)
            return result if other is result else replace(other, cell=cell, read_from=other.cell, lacking=0)

        super().__init__((s.name, replace(s, results=tuple(map(full, s.results)))) for s in studies)

    def results(self, studies: Iterable[str] | None = None) -> list[Result]:
        """Finished results, of these studies or of all."""
        names = self if studies is None else [name for name in studies if name in self]
        return [result for name in names for result in self[name].results if result.done]

    def plain(self, method: str, studies: Iterable[str] | None = None) -> list[Result]:
        """Finished results of a method, one a setting: where it stands first."""
        found: dict[tuple, Result] = {}
        for result in self.results(studies):
            if result.method == method:
                found.setdefault(result.setting, result)
        return list(found.values())

    def rival(self, result: Result, method: str) -> Result | None:
        """Another method on the same data with the same model and training: of the same study, or the first of
        another."""
        if method.endswith(f".{TUNED}"):
            return self.tuned(result, method.partition(".")[0])
        return next((other for other in self._alike(result) if other.method == method), None)

    def versions(self, result: Result, target: str) -> list[Result]:
        """All finished results of a target on the same data, model and training, each method once."""
        found: dict[str, Result] = {}
        for other in self._alike(result):
            if other.target == target:
                best = found.setdefault(other.method, other)
                if len(other.runs) > len(best.runs):
                    found[other.method] = other
        return list(found.values())

    def _alike(self, result: Result) -> list[Result]:
        """All finished results that differ from `result` in the method at most, those of its own study first."""
        found = [other for other in self._by_setting.get(result.setting, ()) if same_training(result, other)]
        return sorted(found, key=lambda other: other.study != result.study)

    @cached_property
    def _by_setting(self) -> dict[tuple, list[Result]]:
        found: dict[tuple, list[Result]] = {}
        for result in self.results():
            found.setdefault(result.setting, []).append(result)
        return found

    def tuned(self, result: Result, target: str) -> Result | None:
        """A target with its strength chosen on the validation part, on the data of `result`."""
        grid = target_facts()[target].grid
        known = [
            r
            for r in strengths(self.versions(result, target))
            if any(r.settings.items() >= point.items() for point in grid)
        ]
        return tuned(known)


def _content(result: Result) -> str:
    """What tells results with the same numbers from others: setting, method, data and all parameters."""
    parts = [result.setting, result.method, result.record["corpus_digest"], result.record["config"]]
    return json.dumps(parts, sort_keys=True)
