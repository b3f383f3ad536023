"""From runs to an answer: scores, differences with intervals, confusions, and rows with doubtful labels."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from lcm.compare.plan import FEWEST_VAL, MODEL_NAMES, YARDSTICKS, Comparison, Method
from lcm.compare.train import Schedule
from lcm.evidence.names import listed
from lcm.evidence.statistics import Paired, equivalent, holm, paired, widening
from lcm.evidence.verdicts import EQUAL, EQUIVALENCE, SAYS, decided
from lcm.protocol.splits import TRAIN
from lcm.study import LINEAR
from lcm.study import YARDSTICKS as YARDSTICK_NAMES
from lcm.training import store
from lcm.training.held_out import held_out
from lcm.training.inputs import Data

UNDER_TRAINED = 0.10  # a network so far below the best linear model has not learnt
FELL = 0.03  # a validation accuracy that falls so far has been trained away
MOST_PAIRS = 10  # of confused classes
METRICS = ("accuracy", "macro_f1", "nll", "brier", "ece")
LOWER_IS_BETTER = ("nll", "brier", "ece")
WORDS = SAYS | {EQUAL: "level"}


@dataclass
class Row:
    """A method of a network, or a linear model.

    runs: the chosen run of each split. against: metric -> its comparison with cross-entropy of the same network, of the
    network `beside` for a linear model. p: metric -> after Holm's correction. chosen: method with settings -> on how
    many splits. failed: splits on which training failed.
    """

    model: str
    method: str
    label: str
    runs: list[dict]
    beside: str | None = None
    against: dict[str, Paired] = field(default_factory=dict)
    p: dict[str, float | None] = field(default_factory=dict)
    chosen: dict[str, int] = field(default_factory=dict)
    failed: int = 0

    @property
    def short(self) -> str:
        """The label in a figure."""
        from lcm.targets import target_class

        if self.model == LINEAR:
            return self.label
        return target_class(self.method).short + (", tuned" if self.label.endswith(", tuned") else "")

    def scores(self, metric: str) -> dict[tuple[int, int], float]:
        return {run["place"]: run["test"][metric] for run in self.runs if metric in run["test"]}

    def mean(self, metric: str) -> float | None:
        scores = list(self.scores(metric).values())
        return float(np.mean(scores)) if scores else None

    def std(self, metric: str) -> float | None:
        scores = list(self.scores(metric).values())
        return float(np.std(scores, ddof=1)) if len(scores) > 1 else None

    def verdict(self, metric: str = "accuracy") -> str:
        """better, worse, level or undecided, corrected over the methods of a network; "" for the reference itself."""
        test = self.against.get(metric)
        if test is None:
            return ""
        gain = -test.value if metric in LOWER_IS_BETTER else test.value
        equal = metric == "accuracy" and equivalent(test, EQUIVALENCE)
        return WORDS[decided(gain, self.p.get(metric), equal)]


@dataclass
class Summary:
    """Everything that the page and the terminal show."""

    comparison: Comparison
    schedule: Schedule
    rows: list[Row]
    advice: list[str] = field(default_factory=list)
    under_trained: list[str] = field(default_factory=list)
    doubtful: list[dict] = field(default_factory=list)
    doubtful_note: str = ""

    def of(self, model: str) -> list[Row]:
        return [row for row in self.rows if row.model == model]

    def row(self, model: str, method: str) -> Row | None:
        return next((row for row in self.of(model) if row.method == method), None)

    @property
    def models(self) -> list[str]:
        return [model for model in self.schedule.models if self.of(model)]


def summarise(comparison: Comparison, schedule: Schedule) -> Summary:
    rows = [_network(comparison, schedule, model, method) for model in schedule.models for method in comparison.methods]
    linear = [_yardstick(comparison, name, schedule.splits) for name in YARDSTICKS]
    summary = Summary(comparison, schedule, [row for row in [*rows, *linear] if row.runs or row.failed])
    spread = widening_of(comparison)
    for model in schedule.models:
        _compare([row for row in summary.of(model) if row.method != "ce"], summary.row(model, "ce"), spread)
    strongest = most_accurate(row for row in rows if row.method == "ce")
    _compare([row for row in linear if row.runs], strongest, spread)
    summary.under_trained = [*under_trained(summary), *over_trained(summary)]
    summary.doubtful, summary.doubtful_note = doubtful_rows(comparison)
    return summary


def most_accurate(rows: Iterable[Row]) -> Row | None:
    """The first of those with the best mean accuracy; None if no row has a run."""
    return max((row for row in rows if row.runs), key=lambda row: row.mean("accuracy"), default=None)


def under_trained(summary: Summary) -> list[str]:
    """A line for each network that is far below the best linear model."""
    lines = []
    linear = most_accurate(summary.of(LINEAR))
    best = linear.mean("accuracy") if linear else 0.0
    for model in summary.models:
        network = most_accurate(summary.of(model))
        top = network.mean("accuracy") if network else 0.0
        if top < best - UNDER_TRAINED:
            lines.append(
                f"The {MODEL_NAMES[model]} is UNDER-TRAINED: {100 * top:.1f} % at best, "
                f"a linear model has {100 * best:.1f} %. Its rows say little about targets on this table."
            )
    return lines


def over_trained(summary: Summary) -> list[str]:
    """A line for each network whose last epoch is tested though validation accuracy had fallen before it."""
    lines, rows = [], summary.comparison.documents.sizes["val"]
    for model in summary.models:
        fell = [row.label for row in summary.of(model) if _fall(row) > FELL + 0.5 / math.sqrt(rows * len(row.runs))]
        if fell and rows < FEWEST_VAL:
            lines.append(
                f"The {MODEL_NAMES[model]} is OVER-TRAINED with {listed(fell)}: validation accuracy is more than "
                f"{100 * FELL:.0f} points lower at the end than before. There “worse” says little; more rows would."
            )
    return lines


def _fall(row: Row) -> float:
    """By how much validation accuracy, averaged over the runs, falls from its best twentieth of training to the last
    third. Chance makes the best one look better; `over_trained` allows it a standard error, 1 / (2 sqrt(rows runs))."""
    curves = [[epoch["val_accuracy"] for epoch in run["curve"]] for run in row.runs if len(run.get("curve", ())) > 2]
    if not curves:
        return 0.0
    curve = np.mean(curves, axis=0)
    width = max(len(curve) // 20, 1)
    return max(np.convolve(curve, np.ones(width) / width, "valid")) - np.mean(curve[-(len(curve) // 3) :])


def _network(comparison: Comparison, schedule: Schedule, model: str, method: Method) -> Row:
    """The row of a method: in each split its candidate with the best validation accuracy, of equals the first."""
    from lcm.targets import target_class

    label = target_class(method.name).label + (", tuned" if method.tuned else "")
    row = Row(model, method.name, label, [])
    by_place: dict[tuple[int, int], list[dict]] = {}
    for candidate in method.candidates:
        for job in comparison.jobs(model, candidate, schedule.steps[model], schedule.splits):
            record = store.load_run(job.keys[0])
            if record is not None:
                place = comparison.place(job)
                by_place.setdefault(place, []).append({**record, "place": place, "method": candidate})
    for found in by_place.values():
        good = [record for record in found if "failed" not in record]
        if len(found) < len(method.candidates) or not good:
            row.failed += 1
            continue
        best = max(good, key=lambda record: record["val_accuracy"])
        row.runs.append(best)
        row.chosen[best["method"]] = row.chosen.get(best["method"], 0) + 1
    return row


def _yardstick(comparison: Comparison, name: str, splits: int) -> Row:
    fixed = comparison.documents.request.fixed
    row = Row(LINEAR, name, YARDSTICK_NAMES[name], [])
    for job in comparison.jobs(LINEAR, name, 0, 1 if fixed else splits):
        record = store.load_run(job.keys[0])
        if record is not None and "failed" not in record:
            # On given parts a linear model has one result, whatever the seed of the networks.
            places = [(seed, 0) for seed in range(splits)] if fixed else [comparison.place(job)]
            row.runs += [{**record, "place": place, "method": name} for place in places]
    return row


def widening_of(comparison: Comparison) -> float:
    """What the spread over splits leaves out, since their training parts overlap (evidence/statistics.py)."""
    request = comparison.documents.request
    return 0.0 if request.fixed else widening(comparison.documents.sizes, official=request.drawn == "dev")


def _compare(rows: list[Row], reference: Row | None, spread: float) -> None:
    if reference is None or not reference.runs:
        return
    for metric in METRICS:
        family = []
        for row in rows:
            scores = row.scores(metric)
            if scores.keys() & reference.scores(metric).keys():
                row.against[metric], row.beside = paired(scores, reference.scores(metric), spread), reference.model
                family.append(row)
        known = [row for row in family if row.against[metric].p is not None]
        for row, p in zip(known, holm([row.against[metric].p for row in known]), strict=True):
            row.p[metric] = p


def confused_pairs(rows: list[Row]) -> list[dict]:
    """The pairs of classes that the first row mistakes for each other most, and what the other rows make of them.

    Each: {"pair": (a, b), "share": of the first row's errors, "errors": mean number a run, of each row}.
    """
    if not rows:
        return []
    matrices = [np.mean([run["confusion_matrix"] for run in row.runs], 0) for row in rows]
    mistakes = [np.triu(matrix + matrix.T, 1) for matrix in matrices]
    first = mistakes[0]
    pairs = sorted(zip(*np.nonzero(first), strict=True), key=lambda pair: -first[pair])
    return [
        {"pair": pair, "share": float(first[pair] / first.sum()), "errors": [float(each[pair]) for each in mistakes]}
        for pair in pairs[:MOST_PAIRS]
    ]


def doubtful_rows(comparison: Comparison) -> tuple[list[dict], str]:
    """Rows whose label is probably wrong, the most doubtful first, and a note.

    Confident learning (Northcutt et al. 2021) on out-of-fold probabilities of a linear model.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            from cleanlab.filter import find_label_issues
    except ModuleNotFoundError:
        return [], "Not looked for: cleanlab is not installed (pip install cleanlab, then the same command again)."
    documents = comparison.documents
    labels = np.asarray(documents.data.corpus.labels).astype(int)
    everything = Data(documents.data.corpus, np.full((1, len(labels)), TRAIN, np.uint8), labels[None].astype(np.int16))
    with warnings.catch_warnings(action="ignore"):  # of scikit-learn: a class with fewer rows than folds
        probabilities = held_out(everything, 0).astype(np.float64)
        probabilities /= probabilities.sum(1, keepdims=True)
        found = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    names = comparison.names
    return [
        {
            "place": documents.places[row],
            "label": names[labels[row]],
            "suggested": names[int(probabilities[row].argmax())],
            "probability": float(probabilities[row, labels[row]]),
            "text": documents.texts[row],
        }
        for row in found.tolist()
    ], ""
