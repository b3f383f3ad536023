"""Result tables: what stands in which row and column. `render` turns them into HTML, Markdown or terminal text."""

from dataclasses import dataclass, field

from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import ARMS, DONE, METHODS, Cell, Grid, Summary
from lcm.evidence.statistics import Paired, holm

METHOD_NAMES = {
    "base": "cross-entropy", "ls": "label smoothing", "ls_matched": "matched label smoothing", "lcm": "LCM",
}  # fmt: skip
MODEL_NAMES = {
    "lstm_rand": "LSTM-rand", "lstm_pre": "LSTM-pre", "cnn_rand": "CNN-rand", "cnn_pre": "CNN-pre",
    "bert": "BERT", "image_cnn": "image CNN", "linear": "linear",
}  # fmt: skip
# Which differences are tested: the paper's claim, its control, the paper's second claim, and what smoothing alone gives.
COMPARISONS = (("lcm", "base"), ("lcm", "ls_matched"), ("lcm", "ls"), ("ls_matched", "base"))
LINEAR_ROWS = {  # what the two linear methods see
    "linear": ("TF-IDF + LinearSVC", "whole document"),
    "linear_window": ("TF-IDF + LinearSVC", "only the networks' tokens"),
}
NOTHING = "–"

Entry = str | tuple[str, str]  # a table entry, or (entry, small print under it)


@dataclass(frozen=True)
class Table:
    """Columns, and rows in groups with a heading each. The first entry of a row names it."""

    title: str
    columns: list[Entry]
    groups: list[tuple[Entry, list[list[Entry]]]] = field(default_factory=list)
    note: str = ""


def setting_name(corpus: str, noise: float) -> str:
    """'20ng' or '20ng with 30 % noise'."""
    return f"{corpus} with {noise:g} % noise" if noise else corpus


def model_name(model: str) -> str:
    return MODEL_NAMES.get(model, model)


def percent(summary: Summary | tuple | None) -> str:
    """Mean ± std in percent with the paper's precision; a single run has no ±."""
    if summary is None:
        return NOTHING
    mean, std = summary if isinstance(summary, tuple) else (summary.mean, summary.std)
    return f"{100 * mean:.2f}" + ("" if std is None else f" ± {100 * std:.2f}")


def points(difference: float, digits: int = 2) -> str:
    """A difference of accuracies in percentage points, signed."""
    value = round(100 * difference, digits) + 0.0  # + 0.0 turns -0.0 into 0.0
    return (f"{value:+.{digits}f}" if value else f"{0:.{digits}f}").replace("-", "−")


def interval(ci: tuple[float, float] | None) -> str:
    return "no interval" if ci is None else f"[{points(ci[0])}, {points(ci[1])}]"


def p_value(p: float | None, name: str = "") -> str:
    if p is None:
        return NOTHING
    text = "< 0.001" if p < 0.001 else f"{p:.3f}"
    return text if not name else f"{name} {text}" if p < 0.001 else f"{name} = {text}"


def verdict(test: Paired) -> str:
    """'better', 'worse' or 'undecided at n = ..', by the 95 % interval of the corrected test."""
    if test.ci95 is None or test.ci95[0] <= 0 <= test.ci95[1]:
        return f"undecided at n = {test.n}"
    return "better" if test.mean > 0 else "worse"


def ours(cell: Cell | None, method: str, metric: str = "accuracy", show=percent, of: str = "test") -> Entry:
    """Our entry for one method: the mean ± std, or why there is none. Failed runs are always named."""
    if cell is None:
        return NOTHING
    if cell.state != DONE:
        return cell.state
    summary, failures = cell.summary(method, metric, of), cell.failures(method)
    if not failures:
        return show(summary) if summary else NOTHING
    return show(summary) if summary else "failed", f"{len(failures)} of {cell.n_splits} runs failed"


def finished(grid: Grid, corpus: str, noise: float, model: str, methods: tuple[str, ...]) -> str:
    """How many runs finished: one number if the methods agree, else one each."""
    cells = [(grid.cell(corpus, noise, model, method), method) for method in methods]
    counts = [len(cell.scores(method, "accuracy")) for cell, method in cells if cell and cell.state == DONE]
    return ", ".join(map(str, dict.fromkeys(counts))) or "0"


def strengths(grid: Grid, corpus: str, noise: float) -> str:
    """The smoothing strengths behind the methods' names, as recorded by the cells of one setting."""
    parts = []
    for method, key, label in (("ls", "epsilon", "LS ε"), ("ls_matched", "epsilon", "matched LS ε"), ("lcm", "alpha", "LCM α")):
        found = [grid.cell(corpus, noise, m, method) for m in grid.models(corpus, noise)]
        values = {f"{cell.settings(method)[key]:.4g}" for cell in found if cell and key in cell.settings(method)}
        if values:
            parts.append(f"{label} = {' / '.join(sorted(values))}")
    return ", ".join(parts)


def accuracy_table(grid: Grid) -> Table:
    """Rows: models. Columns: each method, paper beside ours, then the two deciding differences."""
    printed = {
        method
        for corpus, noise, model in grid.triples()
        for method in METHODS
        if paper_accuracy(corpus, noise, model, method)
    }
    columns: list[Entry] = ["model"]
    for method in METHODS:
        name = {"base": "CE", "ls": "LS", "ls_matched": "matched LS", "lcm": "LCM"}[method]
        columns += [(name, "paper")] * (method in printed) + [(name, "ours")]
    columns += [("LCM − CE", "[95 % CI]\np"), ("LCM − matched LS", "[95 % CI]\np"), "n"]
    groups = []
    for corpus, noise in grid.settings():
        rows = []
        for model in grid.models(corpus, noise):
            row: list[Entry] = [model_name(model)]
            for method in METHODS:
                if method in printed:
                    row.append(percent(paper_accuracy(corpus, noise, model, method)))
                row.append(ours(grid.cell(corpus, noise, model, method), method))
            for other in ("base", "ls_matched"):
                test = grid.compare(corpus, noise, model, "lcm", other)
                small = test and (f"{interval(test.ci95)}\n{p_value(test.p_corrected, 'p')}" if test.n > 1 else "no interval")
                row.append((points(test.mean), small) if test else NOTHING)
            rows.append([*row, finished(grid, corpus, noise, model, METHODS)])
        for method in ARMS["linear"]:
            cell = grid.cell(corpus, noise, "linear", method)
            if cell:
                base = columns.index(("CE", "ours"))
                row = [LINEAR_ROWS[method], *[NOTHING] * (len(columns) - 2)]
                rows.append([*row[:base], ours(cell, method), *row[base + 1 :], finished(grid, corpus, noise, "linear", (method,))])
        groups.append(((setting_name(corpus, noise), strengths(grid, corpus, noise)), rows))
    return Table(
        "Test accuracy", columns, groups,
        "Percent, mean ± sample standard deviation over n random splits. CE: cross-entropy on the labels as they are. "
        "LS: label smoothing. Matched LS: label smoothing that leaves as much mass on the true label as LCM starts with. "
        "Differences in points, paired by split. The linear models stand in the CE column: they have no soft-label variant.",
    )  # fmt: skip


def differences_table(grid: Grid) -> Table:
    """Rows: (setting, model). One group per comparison, which is also the family of Holm's correction."""
    columns: list[Entry] = [
        "cell", "verdict", "difference", "95 % CI", "90 % CI", ("p", "corrected t"), ("p", "Holm"), ("p", "plain t"),
        ("p", "Wilcoxon"), ("splits", "won/tied/lost"), "n",
    ]  # fmt: skip
    groups = []
    for method, other in COMPARISONS:
        tests = [(key, test) for key in grid.triples() if (test := grid.compare(*key, method, other))]
        raw = [test.p_corrected for _, test in tests if test.p_corrected is not None]
        adjusted = iter(holm(raw))
        rows: list[list[Entry]] = []
        for (corpus, noise, model), test in tests:
            row: list[Entry] = [(model_name(model), setting_name(corpus, noise)), verdict(test), points(test.mean)]
            row += [interval(test.ci95), interval(test.ci90), p_value(test.p_corrected)]
            row += [NOTHING if test.p_corrected is None else p_value(next(adjusted))]
            row += [p_value(test.p_plain), p_value(test.p_wilcoxon), f"{test.wins}/{test.ties}/{test.losses}"]
            rows.append([*row, str(test.n)])
        if rows:
            groups.append((f"{METHOD_NAMES[method]} minus {METHOD_NAMES[other]}", rows))
    return Table(
        "Is the difference real?", columns, groups,
        "Points of test accuracy, paired by split. The verdict reads the 95 % interval of the Nadeau–Bengio corrected "
        "resampled t-test: random splits share most of their data, so the plain t-test (the paper's) is too sure of itself. "
        "Holm: p of the corrected test, adjusted for all rows of its block.",
    )  # fmt: skip


def _plain(summary: Summary | None) -> str:
    if summary is None:
        return NOTHING
    return f"{summary.mean:.3f}" + ("" if summary.std is None else f" ± {summary.std:.3f}")


def calibration_table(grid: Grid) -> Table:
    """Rows: (model, method). How far the probabilities can be trusted, and what the choice of epoch did."""
    columns: list[Entry] = [
        "model, method", ("macro-F1", "%"), ("NLL", "nats"), ("ECE", "%"), "Brier",
        ("accuracy", "after the last epoch, %"), "chosen epoch", "n",
    ]  # fmt: skip
    groups = []
    for corpus, noise in grid.settings():
        rows: list[list[Entry]] = []
        for cell in (c for c in grid.cells if (c.corpus, c.noise) == (corpus, noise) and c.state == DONE):
            for method in cell.methods:
                name = LINEAR_ROWS.get(method, (model_name(cell.model), METHOD_NAMES.get(method, "")))
                best = cell.summary(method, "best_epoch", "run")
                row: list[Entry] = [name, ours(cell, method, "macro_f1")]
                row += [ours(cell, method, metric, show) for metric, show in (("nll", _plain), ("ece", percent), ("brier", _plain))]
                row += [ours(cell, method, "accuracy", percent, "test_last"), f"{best.mean:.1f}" if best else NOTHING]
                rows.append([*row, str(len(cell.scores(method, "accuracy")))])
        if rows:
            groups.append((setting_name(corpus, noise), rows))
    return Table(
        "Calibration and macro-F1", columns, groups,
        "On the test set. NLL, ECE (expected calibration error) and Brier score: smaller is better. Smoothed targets make a "
        "model less confident on purpose, so these compare methods only with that in mind. LinearSVC gives no probabilities.",
    )  # fmt: skip
