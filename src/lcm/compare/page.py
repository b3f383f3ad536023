"""What a person sees: a table for the terminal, and one self-contained page with files of its numbers beside it."""

import shlex
import sys
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lcm.compare import plan
from lcm.compare.plan import MODEL_NAMES
from lcm.compare.summary import METRICS, Row, Summary, confused_pairs
from lcm.evidence.tables import aligned, csv_text
from lcm.files import write_json, write_text
from lcm.study import LINEAR
from lcm.targets import target_class

SHOWN_DOUBTFUL = 20
MOST_COLUMNS = 6  # methods in the table of confusions, cross-entropy first
LONGEST_TEXT = 220  # characters of a doubtful row on the page; the file has all
COLUMNS = ("accuracy %", "n", "minus cross-entropy", "", "macro-F1 %", "ECE %", "log loss")


def percent(row: Row, metric: str) -> str:
    mean, std = row.mean(metric), row.std(metric)
    if mean is None:
        return ""
    return f"{100 * mean:.1f}" + (f" ± {100 * std:.1f}" if std is not None else "")


def difference(row: Row) -> str:
    test = row.against.get("accuracy")
    if test is None:
        return ""
    interval = f" [{100 * test.ci95[0]:+.1f}, {100 * test.ci95[1]:+.1f}]" if test.ci95 else ""
    return f"{100 * test.value:+.1f}{interval}"


def cells(row: Row) -> list[str]:
    """A row of the table, as text."""
    if not row.runs:
        return ["every run failed", "0", "", "", "", "", ""]
    ece, nll = row.mean("ece"), row.mean("nll")
    return [
        percent(row, "accuracy"), str(len(row.runs)), difference(row), row.verdict(), percent(row, "macro_f1"),
        "" if ece is None else f"{100 * ece:.1f}", "" if nll is None else f"{nll:.2f}",
    ]  # fmt: skip


def groups(summary: Summary) -> list[tuple[str, list[Row]]]:
    """(title, rows) of each network, then of the linear models."""
    found = [(MODEL_NAMES[model], summary.of(model)) for model in summary.models]
    linear = summary.of(LINEAR)
    if linear:
        beside = linear[0].beside
        found.append((MODEL_NAMES[LINEAR] + (f" (compared with the {MODEL_NAMES[beside]})" if beside else ""), linear))
    return found


def terminal(summary: Summary) -> str:
    """The table in plain text, and the recommendation."""
    lines = [["", *COLUMNS]]
    for title, rows in groups(summary):
        lines += [[title], *(["  " + row.label, *cells(row)] for row in rows)]
    notes = ["", *(f"!! {line}" for line in summary.under_trained), *summary.advice]
    if summary.doubtful:
        first = summary.doubtful[0]
        line = f"{first['place']} says {first['label']}, its text says {first['suggested']}"
        notes.append(f"{len(summary.doubtful)} rows are probably mislabelled. The most doubtful: {line}.")
    elif summary.doubtful_note:
        notes.append(f"Mislabelled rows: {summary.doubtful_note}")
    return "\n".join([*aligned(lines), *notes])


@dataclass(frozen=True)
class Plot:
    """A row of the plot of differences, in points: mean, interval and the splits' own differences."""

    label: str
    mean: float
    low: float
    high: float
    dots: list[float]
    verdict: str


def plots(summary: Summary) -> list[tuple[str, list[Plot]]]:
    """Differences to cross-entropy, of each network."""
    found = []
    for model in summary.models:
        rows = []
        for row in summary.of(model):
            test = row.against.get("accuracy")
            if test is None:
                continue
            dots = [100 * value for _, value in test.by_split]
            low, high = test.ci95 or (test.value, test.value)
            rows.append(Plot(row.short, 100 * test.value, 100 * low, 100 * high, dots, row.verdict()))
        if rows:
            found.append((MODEL_NAMES[model], rows))
    return found


def span(found: list[tuple[str, list[Plot]]]) -> tuple[float, float]:
    """The x-axis of all plots, in points: the same for all."""
    values = [value for _, rows in found for row in rows for value in (row.low, row.high, *row.dots)] or [0.0]
    low, high = min(*values, -1.0), max(*values, 1.0)
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def ticks(low: float, high: float) -> list[float]:
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 50) if (high - low) / step <= 9)
    first = -(-low // step)
    return [step * k for k in range(int(first), int(high // step) + 1)]


def settings(summary: Summary) -> list[tuple[str, str]]:
    """How the numbers were made, for people: (what, how)."""
    comparison = summary.comparison
    documents, request = comparison.documents, comparison.documents.request
    meta, sizes, runs = documents.data.corpus.meta, documents.sizes, summary.schedule.splits
    train, val, test = (
        f"{sizes[part]} rows {use}"
        for part, use in (("train", "to train on"), ("val", "to validate"), ("test", "to test"))
    )
    splits = {
        "test": f"{runs} random splits: {train}, {val}, {test}",
        "dev": f"the test file as given ({test}); {runs} random divisions of the rest: {train}, {val}",
        "nothing": f"{train}, {val}, {test}, as given; {runs} random seeds. Intervals say what other seeds would give "
        "on these files, not what other rows would",
    }[request.drawn]  # fmt: skip
    median = meta["tokens_per_document"]["median"]
    rows = [
        ("files", ", ".join(str(path) for path in request.files.values())),
        ("rows", f"{len(documents.texts)}, of {len(comparison.names)} classes; median length {median:.0f} words"),
        ("splits", splits),
        *((MODEL_NAMES[model], _network(summary, model)) for model in summary.models),
    ]  # fmt: skip
    for row in summary.rows:
        if any("." in name for name in row.chosen):
            named = {name.partition(".")[2].replace("epsilon", "ε"): count for name, count in row.chosen.items()}
            chosen = ", ".join(f"{value} on {count}" for value, count in sorted(named.items()))
            how = f"chosen on the validation part of each run: {chosen}"
            rows.append((f"{row.label}, {MODEL_NAMES[row.model]}", how))
    return rows


def _network(summary: Summary, model: str) -> str:
    documents = summary.comparison.documents
    train, config = plan.training(model, documents, summary.schedule.steps[model]), plan.model_config(model, documents)
    steps = train.epochs * -(-documents.sizes["train"] // train.batch_size)
    reads = "the first 128 wordpieces of a row"
    if hasattr(config, "maxlen"):
        reads = f"the {config.vocabulary_size - 1} most frequent words, the first {config.maxlen} of a row"
    tested = "best epoch on the validation part" if train.select == "best_val" else "last epoch"
    return (
        f"reads {reads}; {train.epochs} epochs in batches of {train.batch_size} ({steps} steps), "
        f"Adam with rate {train.lr:g}; the {tested} is tested"
    )


def write(summary: Summary, out: Path, command: list[str]) -> Path:
    """Write index.html, results.json, runs.csv and doubtful.csv to the folder. Returns the page."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("lcm.compare", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("page.html").render(_content(summary, command))
    write_text(out / "index.html", page)
    write_json(out / "results.json", numbers(summary))
    write_text(out / "runs.csv", _runs(summary))
    if summary.doubtful:
        rows = [summary.doubtful[0], *(row.values() for row in summary.doubtful)]
        write_text(out / "doubtful.csv", csv_text(rows))
    else:
        (out / "doubtful.csv").unlink(missing_ok=True)  # of an earlier call, perhaps of another table
    return out / "index.html"


def _content(summary: Summary, command: list[str]) -> dict:
    """What the template shows."""
    found = plots(summary)
    low, high = span(found)
    confusions = []
    for model in summary.models:
        rows = [row for row in summary.of(model) if row.runs][:MOST_COLUMNS]
        confusions.append((MODEL_NAMES[model], rows, confused_pairs(rows)))
    return {
        "summary": summary,
        "title": " and ".join(path.name for path in summary.comparison.documents.request.files.values()),
        "groups": groups(summary),
        "columns": COLUMNS,
        "cells": cells,
        "plots": found,
        "low": low,
        "high": high,
        "ticks": ticks(low, high),
        "confusions": confusions,
        "doubtful": summary.doubtful[:SHOWN_DOUBTFUL],
        "one_file": len(summary.comparison.documents.request.files) == 1,
        "longest": LONGEST_TEXT,
        "settings": settings(summary),
        "tuned": [
            (target_class(method.name).label.capitalize(), len(method.candidates))
            for method in summary.comparison.methods
            if method.tuned
        ],
        "command": shlex.join(command),
        "today": date.today().isoformat(),
        "versions": _versions(),
    }


def numbers(summary: Summary) -> dict:
    """All results for programs."""
    return {
        "classes": summary.comparison.names,
        "sizes": summary.comparison.documents.sizes,
        "splits": summary.schedule.splits,
        "advice": summary.advice,
        "under_trained": summary.under_trained,
        "mislabelled": len(summary.doubtful),
        "rows": [_numbers(row) for row in summary.rows],
    }


def _numbers(row: Row) -> dict:
    means = {metric: {"mean": row.mean(metric), "std": row.std(metric)} for metric in METRICS if row.scores(metric)}
    against = {}
    for metric, test in row.against.items():
        found = {"mean": test.value, "ci95": test.ci95, "p_holm": row.p.get(metric), "verdict": row.verdict(metric)}
        against[metric] = found
    start = {"model": row.model, "method": row.method, "n": len(row.runs), "chosen": row.chosen}
    return start | means | {"minus_cross_entropy": against}


def _runs(summary: Summary) -> str:
    rows = [["model", "method", "chosen", "split", *METRICS]]
    for row in summary.rows:
        for run in row.runs:
            scores = (run["test"].get(metric, "") for metric in METRICS)
            rows.append([row.model, row.method, run["method"], run["place"][0], *scores])
    return csv_text(rows)


def _versions() -> str:
    found = [f"Python {sys.version.split()[0]}"]
    for name in ("lcm-study", "torch", "scikit-learn"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            pass
    return ", ".join(found)
