"""Result tables: what stands in which row and column. `render` turns them into HTML, Markdown or terminal text."""

from dataclasses import dataclass, field

from lcm.evidence.paper import paper_accuracy, paper_labels
from lcm.evidence.results import ARMS, DONE, METHODS, Cell, Grid, Summary, compare_cells
from lcm.evidence.statistics import Paired, equivalent, holm

METHOD_NAMES = {
    "base": "cross-entropy", "ls": "label smoothing", "ls_matched": "matched label smoothing", "lcm": "LCM",
}  # fmt: skip
MODEL_NAMES = {
    "lstm_rand": "LSTM-rand", "lstm_pre": "LSTM-pre", "cnn_rand": "CNN-rand", "cnn_pre": "CNN-pre",
    "bert_tiny": "BERT-tiny", "albert_tiny_zh": "ALBERT-tiny", "image_cnn": "image CNN", "linear": "linear",
    "lstm_own": "LSTM, vectors of the corpus", "cnn_own": "CNN, vectors of the corpus", "minilm": "MiniLM",
    "bert_tiny_random": "BERT-tiny, not pre-trained", "lstm_rand_post": "LSTM-rand, padded behind",
    "lstm_rand_head": "LSTM-rand, first 100 tokens",
}  # fmt: skip
EDITION_NAMES = {  # never to be taken for the corpus itself
    "20ng_raw": "20ng, whole posts", "20ng_stripped": "20ng, without quotes and signatures",
    "ag_news_tokens": "ag_news_tokens (altered edition)", "ag_news_original_case": "ag_news_original_case (partial edition)",
    "dbpedia_fragment": "dbpedia_fragment (partial edition)", "thucnews_titles": "thucnews_titles (headlines only)",
    "thucnews_titles_b": "thucnews_titles_b (headlines only)",
}  # fmt: skip
SETTINGS = {  # of a variation, in words
    "alpha": "α = {}", "epsilon": "ε = {}", "stop_epoch": "until epoch {}", "detach": "detached target: {}",
    "label_dim": "label embeddings of {}", "stop_resets_optimizer": "fresh Adam at the stop: {}",
}  # fmt: skip
EQUIVALENCE = 0.005  # half a point either way is nothing, with differences of 0.5 to 4 points in the paper
# Which differences are tested: the paper's claim, its control, the paper's second claim, and what smoothing alone gives.
COMPARISONS = (("lcm", "base"), ("lcm", "ls_matched"), ("lcm", "ls"), ("ls_matched", "base"))
LINEAR = "TF-IDF + LinearSVC"
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
    """'20ng' or '20ng with 30 % noise'; a partial or altered edition says so."""
    name = EDITION_NAMES.get(corpus, corpus)
    return f"{name} with {noise:g} % noise" if noise else name


def model_name(model: str) -> str:
    return MODEL_NAMES.get(model, model)


def method_name(cell: Cell, method: str) -> str:
    """'LCM', or for a variation 'LCM, α = 0.5, until epoch 10'."""
    return variation_name(cell) if cell.varied else METHOD_NAMES.get(method, method)


def linear_sees(cell: Cell, method: str) -> str:
    """'whole document' or 'last 100 tokens', as the LSTM and the CNN."""
    settings = cell.planned | cell.settings(method)
    return "whole document" if method == "linear" else f"{'last' if settings['truncation'] == 'pre' else 'first'} {settings['maxlen']} tokens"


def variation_name(cell: Cell) -> str:
    """'LCM, α = 0.5, until epoch 10' for the arm `lcm.alpha=0.5,stop_epoch=10`."""
    group, _, changes = cell.arm.partition(".")
    parts = [SETTINGS.get(key, f"{key} = {{}}").format(value) for key, _, value in (change.partition("=") for change in changes.split(","))]
    return ", ".join([METHOD_NAMES[group], *parts])


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


def equivalence(test: Paired) -> str:
    """'equal within ±0.5' if the 90 % interval says so, else ''."""
    return f"equal within ±{100 * EQUIVALENCE:g}" if equivalent(test, EQUIVALENCE) else ""


def edition(grid: Grid, corpus: str, noise: float) -> str:
    """The edition of a corpus as its cells record it, '' while nothing was run."""
    return next((cell.record.get("edition", "") for cell in grid.cells if (cell.corpus, cell.noise) == (corpus, noise) and cell.state == DONE), "")


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
                row.append(_tested(grid.compare(corpus, noise, model, "lcm", other)))
            rows.append([*row, finished(grid, corpus, noise, model, METHODS)])
        for method in ARMS["linear"]:
            cell = grid.cell(corpus, noise, "linear", method)
            if cell:
                base = columns.index(("CE", "ours"))
                row = [(LINEAR, linear_sees(cell, method)), *[NOTHING] * (len(columns) - 2)]
                rows.append([*row[:base], ours(cell, method), *row[base + 1 :], finished(grid, corpus, noise, "linear", (method,))])
        small = " · ".join(filter(None, [edition(grid, corpus, noise), strengths(grid, corpus, noise)]))
        groups.append(((setting_name(corpus, noise), small), rows))
    return Table(
        "Test accuracy", columns, groups,
        "Percent, mean ± sample standard deviation over n random splits. CE: cross-entropy on the labels as they are. "
        "LS: label smoothing. Matched LS: label smoothing that leaves as much mass on the true label as LCM starts with. "
        "Differences in points, paired by split. The linear models stand in the CE column: they have no soft-label variant.",
    )  # fmt: skip


def differences_table(grid: Grid) -> Table:
    """Rows: (setting, model). One group per comparison, which is also the family of Holm's correction."""
    columns: list[Entry] = [
        "cell", "verdict", "difference", ("95 % CI", "90 % CI"), ("p", "corrected t\nHolm"), ("p", "the paper's plain t"),
        ("splits", "won/tied/lost"), "n",
    ]  # fmt: skip
    groups = []
    for method, other in COMPARISONS:
        tests = [(key, test) for key in grid.triples() if (test := grid.compare(*key, method, other))]
        raw = [test.p for _, test in tests if test.p is not None]
        adjusted = iter(holm(raw))
        rows: list[list[Entry]] = []
        for (corpus, noise, model), test in tests:
            row: list[Entry] = [(model_name(model), setting_name(corpus, noise)), (verdict(test), equivalence(test)), points(test.mean)]
            if test.ci95 is not None:
                row += [(interval(test.ci95), interval(test.ci90)), (p_value(test.p), p_value(next(adjusted)))]
                row += [p_value(test.p_plain)]
            else:
                row += [interval(None), NOTHING, NOTHING]
            rows.append([*row, f"{test.wins}/{test.ties}/{test.losses}", str(test.n)])
        if rows:
            groups.append((f"{METHOD_NAMES[method]} minus {METHOD_NAMES[other]}", rows))
    return Table(
        "Is the difference real?", columns, groups,
        "Points of test accuracy, paired by split. The verdict reads the 95 % interval of the Nadeau–Bengio corrected "
        "resampled t-test: random splits share most of their data, so the plain t-test (the paper's) is too sure of itself. "
        "Holm: p of the corrected test, adjusted for all rows of its block. Equal within ±0.5: the whole 90 % interval lies "
        "within half a point, two one-sided tests at 5 %; not being decided is no such proof.",
    )  # fmt: skip


def _plain(summary: Summary | None) -> str:
    if summary is None:
        return NOTHING
    return f"{summary.mean:.3f}" + ("" if summary.std is None else f" ± {summary.std:.3f}")


def sweep_table(grid: Grid) -> Table:
    """Rows: label smoothing and LCM of every strength tried, on one axis: the mass that the target leaves on the true label."""
    columns: list[Entry] = [
        "target", ("on the true label", "%"), "test accuracy", ("minus CE", "[95 % CI]\np"), ("minus LCM", "[95 % CI]\np"), ("ECE", "%"),
        ("NLL", "nats"), "n",
    ]  # fmt: skip
    groups = []
    for corpus, noise, model in grid.triples():
        rows: list[list[Entry]] = []
        for point in grid.sweep(corpus, noise, model):
            cell, method = point.cell, point.method
            shown = method_name(cell, method)
            if not cell.varied and method != "base" and point.strength is not None:
                shown += f", {'α' if method == 'lcm' else 'ε'} = {point.strength:.4g}"
            row: list[Entry] = [shown, NOTHING if point.true_mass is None else f"{100 * point.true_mass:.1f}", ours(cell, method)]
            for other in ("base", "lcm"):
                rival = grid.cell(corpus, noise, model, other)
                test = None if rival is None or (rival, other) == (cell, method) else compare_cells(cell, method, rival, other)
                row.append(_tested(test))
            row += [ours(cell, method, "ece"), ours(cell, method, "nll", _plain)]
            rows.append([*row, str(len(cell.scores(method, "accuracy")))])
        if rows:
            groups.append(((f"{model_name(model)}, {setting_name(corpus, noise)}", edition(grid, corpus, noise)), rows))
    return Table(
        "Label smoothing and LCM on one axis", columns, groups,
        "Sorted by what the training target leaves on the true label: 1 − ε + ε / C for label smoothing, e^α / (e^α + C − 1) for LCM, "
        "which is its value while the label confusion distribution is uniform. If LCM were label smoothing by another name, "
        "neighbours would be equal.",
    )  # fmt: skip


def changes_table(grid: Grid) -> Table:
    """Rows: LCM with one thing changed (stopped early, no gradient through the target, ...) against LCM without it."""
    columns: list[Entry] = [
        "changed", "against", ("test accuracy", "after the last epoch"), ("of the other", "after the last epoch"),
        ("difference", "[95 % CI]\np"), "verdict", "n",
    ]  # fmt: skip
    groups = []
    for corpus, noise, model in grid.triples():
        rows: list[list[Entry]] = []
        for cell, other in changes(grid, corpus, noise, model):
            method, test = cell.methods[0], compare_cells(cell, cell.methods[0], other, cell.methods[0])
            row: list[Entry] = [variation_name(cell), method_name(other, method)]
            for one in (cell, other):
                entry, last = ours(one, method), ours(one, method, "accuracy", percent, "test_last")
                row.append((entry, last) if isinstance(entry, str) and isinstance(last, str) and one.state == DONE else entry)
            rows.append([*row, _tested(test), (verdict(test), equivalence(test)) if test else NOTHING, str(test.n) if test else "0"])
        if rows:
            groups.append(((f"{model_name(model)}, {setting_name(corpus, noise)}", edition(grid, corpus, noise)), rows))
    return Table(
        "One setting changed", columns, groups,
        "The test epoch is chosen on the validation part, which already stops early; the accuracy after the last epoch shows what "
        "happens without that choice.",
    )  # fmt: skip


def changes(grid: Grid, corpus: str, noise: float, model: str) -> list[tuple[Cell, Cell]]:
    """(variation, the cell that differs from it in one setting other than its strength: without that setting)."""
    pairs = []
    for cell in grid.variations(corpus, noise, model):
        keys = [change.partition("=")[0] for change in cell.arm.partition(".")[2].split(",")]
        changed = [key for key in keys if key not in ("alpha", "epsilon")]
        for other in grid.cells:
            same = (other.corpus, other.noise, other.model, cell.methods[0] in other.methods) == (corpus, noise, model, True)
            if same and [key for key in cell.planned if other.planned.get(key) != cell.planned[key]] == changed[:1] and len(changed) == 1:
                pairs.append((cell, other))
                break
    return pairs


def labels_table(grid: Grid) -> Table:
    """Rows: the subsets of the paper's Table 2 with their labels."""
    rows: list[list[Entry]] = []
    for corpus in dict.fromkeys(corpus for corpus, _ in grid.settings()):
        printed = paper_labels(corpus)
        done = next((cell for cell in grid.cells if cell.corpus == corpus and cell.state == DONE), None)
        if printed is not None and done is not None:
            labels = done.record["labels"]
            rows.append([corpus, ", ".join(labels), "yes" if sorted(labels) == sorted(printed) else "no: " + ", ".join(printed), str(sum(done.record["sizes"].values()))])
    return Table("Labels of the subsets", ["corpus", "labels", "as in the paper's Table 2", "documents"], [("Subsets of 20ng", rows)] if rows else [])


def _tested(test: Paired | None) -> Entry:
    if test is None:
        return NOTHING
    return points(test.mean), f"{interval(test.ci95)}\n{p_value(test.p, 'p')}" if test.ci95 is not None else "no interval"


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
                linear = method in ARMS["linear"]
                name = (LINEAR, linear_sees(cell, method)) if linear else (model_name(cell.model), method_name(cell, method))
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
