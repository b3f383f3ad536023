"""What was measured and what came out, in a few plain sentences made from the numbers alone."""

from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import DONE, METHODS, NOT_RUN, STALE, Grid, data_differs
from lcm.evidence.statistics import Paired
from lcm.evidence.tables import METHOD_NAMES, model_name, points, setting_name, strengths, verdict

_AGAINST = {"base": "cross-entropy", "ls_matched": "label smoothing of the same strength"}
_TRAINED_WITH = {
    "base": "cross-entropy", "ls": "label smoothing", "lcm": "LCM", "ls_matched": "label smoothing as strong as LCM (matched)",
}  # fmt: skip
_FEW_CELLS = 3  # up to here each cell gets its own sentence, beyond it they are counted


def findings(grid: Grid) -> list[str]:
    """Three to six sentences: the set-up, LCM against its two rivals, the linear yardstick, and what is missing."""
    done = [key for key in grid.triples() if grid.compare(*key, "lcm", "base") or grid.compare(*key, "lcm", "ls_matched")]
    if len(done) > _FEW_CELLS:
        results = [_count(grid, other) for other in _AGAINST]
    else:
        results = [_one_cell(grid, *key) for key in done]
    return [sentence for sentence in [_setup(grid), *results, _linear(grid), _missing(grid)] if sentence]


def _list(items: list[str]) -> str:
    items = list(dict.fromkeys(items))
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def _setup(grid: Grid) -> str:
    models = _list([model_name(model) for _, _, model in grid.triples()])
    methods = {method for cell in grid.cells for method in cell.methods}
    trained = _list([name for method, name in _TRAINED_WITH.items() if method in methods])
    settings = grid.settings()
    strength = dict.fromkeys(filter(None, (strengths(grid, *setting) for setting in settings)))
    how = f" ({next(iter(strength))})" if len(strength) == 1 else ""
    counts = sorted({cell.n_splits for cell in grid.cells})
    splits = "one random split" if counts == [1] else f"{' to '.join(map(str, [counts[0], counts[-1]][: len(counts)]))} random splits"
    return (
        f"Measured: test accuracy of {models} on {_list([setting_name(*s) for s in settings])}, {splits} each, trained "
        f"with {trained}{how}."
    )


def _points(value: float) -> str:
    return f"{points(value)} points"


def _interval(test: Paired) -> str:
    if test.ci95 is None:
        return "n = 1, so no interval"
    return f"95 % CI {points(test.ci95[0])} to {points(test.ci95[1])}, n = {test.n}"


def _one_cell(grid: Grid, corpus: str, noise: float, model: str) -> str:
    clauses = []
    for other, name in _AGAINST.items():
        test = grid.compare(corpus, noise, model, "lcm", other)
        if test is None:
            clauses.append(f"LCM against {name}: no comparison yet")
            continue
        word, interval = verdict(test), _interval(test)
        if word in ("better", "worse"):
            verb = "beats" if word == "better" else "is worse than"
            clause = f"LCM {verb} {name} by {_points(test.mean)} ({interval})".replace("by −", "by ").replace("by +", "by ")
        else:
            clause = f"against {name} the difference of LCM is {_points(test.mean)} ({interval}): {word}"
        printed = [paper_accuracy(corpus, noise, model, method) for method in ("lcm", other)]
        if all(printed):
            clause += f"; the paper prints {points(printed[0][0] - printed[1][0])}"
        clauses.append(clause)
    return f"{model_name(model)} on {setting_name(corpus, noise)}: {'; '.join(clauses)}."


def _count(grid: Grid, other: str) -> str:
    tests = [test for key in grid.triples() if (test := grid.compare(*key, "lcm", other))]
    if not tests:
        return f"LCM against {_AGAINST[other]}: no comparison yet."
    words = [verdict(test) for test in tests]
    better, worse = words.count("better"), words.count("worse")
    low, high = min(test.mean for test in tests), max(test.mean for test in tests)
    return (
        f"LCM against {_AGAINST[other]}: better in {better}, worse in {worse}, undecided in {len(tests) - better - worse} of "
        f"{len(tests)} cells by the 95 % interval; mean differences from {points(low)} to {points(high)} points."
    )


def _linear(grid: Grid) -> str:
    """The yardstick per text setting; only wins are counted when there are many."""
    parts, beaten = [], 0
    for corpus, noise in grid.settings():
        cell = grid.cell(corpus, noise, "linear", "linear")
        if cell is None or cell.state != DONE or not cell.summary("linear", "accuracy"):
            continue
        whole, window = cell.summary("linear", "accuracy"), cell.summary("linear_window", "accuracy")
        networks = [
            (summary.mean, f"{model_name(model)} with {METHOD_NAMES[method]}")
            for model in grid.models(corpus, noise)
            for method in METHODS
            if (one := grid.cell(corpus, noise, model, method)) and (summary := one.summary(method, "accuracy"))
        ]
        part = f"{100 * whole.mean:.1f} % on {setting_name(corpus, noise)}"
        if window:
            part += f" ({100 * window.mean:.1f} % on exactly the tokens the networks read)"
        if networks:
            best, name = max(networks)
            part += f", the best network {100 * best:.1f} % ({name})"
            beaten += whole.mean > best
        parts.append(part)
    if not parts:
        return ""
    if len(parts) > _FEW_CELLS:
        return f"TF-IDF + LinearSVC on the whole document beats every network in {beaten} of {len(parts)} text settings."
    return f"The linear yardstick, TF-IDF + LinearSVC, which trains in seconds, reaches {'; '.join(parts)}."


def _missing(grid: Grid) -> str:
    states = [cell.state for cell in grid.cells]
    failed = sum(len(cell.failures(method)) for cell in grid.cells for method in cell.methods)
    parts = [f"{states.count(state)} {text}" for state, text in ((NOT_RUN, "not run"), (STALE, "stale")) if state in states]
    text = f"Of {len(states)} cells {_list(parts)}: listed below, and in no number here." if parts else ""
    if failed:
        text += f" {failed} training run{'s' * (failed > 1)} failed and {'are' if failed > 1 else 'is'} in no mean."
    return text.strip()


def gaps(grid: Grid) -> list[str]:
    """One line for each thing that is not in the tables: cells not run or stale, failed runs, data that do not match."""
    lines = []
    for cell in grid.cells:
        if cell.state == NOT_RUN:
            lines.append(f"{cell.name}: not run")
        elif cell.state == STALE:
            lines.append(f"{cell.name}: stale ({cell.reason})")
        for method in cell.methods:
            lines += [f"{cell.name}, {method}, split {s}: failed ({why})" for s, why in cell.failures(method).items()]
    for setting in grid.settings():
        done = [cell for cell in grid.cells if (cell.corpus, cell.noise) == setting and cell.state == DONE]
        for cell in done[1:]:
            if difference := data_differs(done[0], cell):
                lines.append(f"{cell.name}: not compared, trained on other data ({difference})")
    return lines
