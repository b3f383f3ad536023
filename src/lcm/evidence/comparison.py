"""The table that a reader looks at first: paper | ours | difference | is it significant. One method per row, narrow enough for a phone."""

from lcm.evidence.claims import rival
from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import ARMS, DONE, METHODS, Cell, Grid, compare_cells
from lcm.evidence.tables import (
    NOTHING, Entry, Table, equivalence, interval, linear_sees, model_name, p_value, percent, points, setting_name, verdict,
)  # fmt: skip

READING = [
    "Test accuracy in percent: mean, below it ± the sample standard deviation over n random splits. Differences in points.",
    "CE: cross-entropy on the labels as they are. LS: label smoothing, ε = 0.1 in the paper. Matched LS: label smoothing that "
    "leaves as much mass on the true "
    "label as LCM does when its confusion distribution is uniform; the control that the paper lacks.",
    "LCM − this: LCM (the α of params.yaml) minus the row’s method, paired by split, with the 95 % interval and the p-value of the "
    "Nadeau–Bengio corrected "
    "resampled t-test, one test at a time. An interval that contains zero is undecided, not a draw; “equal” is said only where the "
    "90 % interval lies within ±0.5 points.",
    "TF-IDF + LinearSVC is a yardstick, not the paper’s. “Not run” means just that: no number of ours, and none of the paper’s in its place.",
]
_SHORT = {"base": "CE", "ls": "LS", "ls_matched": "matched LS", "lcm": "LCM"}
_SYMBOLS = {"alpha": "α", "epsilon": "ε"}


def comparison_table(grid: Grid, grids: dict[str, Grid]) -> Table:
    """Rows: the four methods at the study's own settings; one group per (corpus, noise, model). Variations have tables of their own.

    grids: where an LCM cell that this study does not train itself may be found.
    """
    groups = []
    for corpus, noise in grid.settings():
        for model in [*grid.models(corpus, noise), "linear"]:
            cells = [cell for cell in grid.cells if (cell.corpus, cell.noise, cell.model) == (corpus, noise, model)]
            order = [*METHODS, *ARMS["linear"]]
            pairs = [(cell, method) for cell in cells if not cell.varied for method in cell.methods]
            rows = [_row(grids, cell, method) for cell, method in sorted(pairs, key=lambda pair: order.index(pair[1]))]
            if rows:
                name = "TF-IDF + LinearSVC" if model == "linear" else model_name(model)
                groups.append((f"{setting_name(corpus, noise)}: {name}", rows))
    columns: list[Entry] = ["method", "paper", "ours", ("ours", "− paper"), ("LCM − this", "95 % CI, p"), "n"]
    return Table("Paper and ours", columns, groups)


def _stacked(mean_and_std: str) -> Entry:
    mean, _, std = mean_and_std.partition(" ± ")
    return (mean, f"± {std}") if std else mean


def _row(grids: dict[str, Grid], cell: Cell, method: str) -> list[Entry]:
    printed = paper_accuracy(cell.corpus, cell.noise, cell.model, method)
    summary, failed = cell.summary(method, "accuracy"), len(cell.failures(method))
    row: list[Entry] = [_name(cell, method), _stacked(percent(printed))]
    if cell.state != DONE or summary is None:
        return [*row, cell.state if cell.state != DONE else "failed", NOTHING, NOTHING, "0"]
    test = None
    lcm = rival(grids, cell, "lcm") if cell.arm != "linear" else None
    if lcm is not None and (lcm is not cell or method != "lcm"):
        test = compare_cells(lcm, "lcm", cell, method)
    entry: Entry = NOTHING
    if test:
        word = {"better": "LCM better", "worse": "LCM worse"}.get(verdict(test), equivalence(test) or "undecided")
        p = f",\n{p_value(test.p, 'p')}" if test.p is not None else ""
        entry = (points(test.mean), f"{interval(test.ci95)}\n{word}{p}")
    mean: Entry = _stacked(percent(summary))
    if failed:
        mean = (mean if isinstance(mean, str) else mean[0], f"{failed} of {cell.n_splits} runs failed")
    return [*row, mean, points(summary.mean - printed[0]) if printed else NOTHING, entry, str(summary.n)]


def _name(cell: Cell, method: str) -> Entry:
    if method in ARMS["linear"]:
        return linear_sees(cell, method)
    settings = cell.settings(method)
    number = next((f"{_SYMBOLS[key]} = {settings[key]:.3g}" for key in ("alpha", "epsilon") if settings.get(key)), "")
    return _SHORT[method], number
