"""What was measured and what came out, in a few plain sentences made from the numbers alone."""

from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import DONE, METHODS, NOT_RUN, STALE, Grid, Point, compare_cells, data_differs
from lcm.evidence.statistics import Paired
from lcm.evidence.tables import (
    METHOD_NAMES, changes, equivalence, linear_sees, method_name, model_name, points, setting_name, strengths, variation_name, verdict,
)  # fmt: skip

_AGAINST = {"base": "cross-entropy", "ls_matched": "label smoothing of the same strength"}
_TRAINED_WITH = {
    "base": "cross-entropy", "ls": "label smoothing", "lcm": "LCM", "ls_matched": "label smoothing as strong as LCM (matched)",
}  # fmt: skip
_FEW_CELLS = 3  # up to here each cell gets its own sentence, beyond it they are counted


def findings(grid: Grid) -> list[str]:
    """A few sentences: the set-up, LCM against its two rivals, sweeps and single changes, the linear yardstick, and what is missing."""
    done = [key for key in grid.triples() if grid.compare(*key, "lcm", "base") or grid.compare(*key, "lcm", "ls_matched")]
    if len(done) > _FEW_CELLS:
        results = [_count(grid, other) for other in _AGAINST]
    else:
        results = [_one_cell(grid, *key) for key in done]
    varied = [sentence for key in grid.triples() for sentence in (_sweep(grid, *key), *_changes(grid, *key))]
    return [sentence for sentence in [_setup(grid), *results, *varied, _linear(grid), _missing(grid)] if sentence]


def _list(items: list[str]) -> str:
    items = list(dict.fromkeys(items))
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def _setup(grid: Grid) -> str:
    done = [cell for cell in grid.cells if cell.state == DONE and cell.arm != "linear"]
    if not done:
        return "No network of this study has been trained yet."
    models = _list([model_name(cell.model) for cell in done])
    methods = {method for cell in done for method in cell.methods}
    trained = _list([name for method, name in _TRAINED_WITH.items() if method in methods])
    settings = list(dict.fromkeys((cell.corpus, cell.noise) for cell in done))
    strength = dict.fromkeys(filter(None, (strengths(grid, *setting) for setting in settings)))
    how = f" ({next(iter(strength))})" if len(strength) == 1 else ""
    counts = sorted({cell.n_splits for cell in done})
    splits = "one random split" if counts == [1] else f"{' to '.join(map(str, [counts[0], counts[-1]][: len(counts)]))} random splits"
    return (
        f"Measured: test accuracy of {models} on {_list([setting_name(*s) for s in settings])}, {splits} each, trained "
        f"with {trained}{how}."
    )


def _points(value: float) -> str:
    return f"{points(value)} points"


def _interval(test: Paired) -> str:
    if test.ci95 is None:
        return "n = 1, so no interval" if test.n == 1 else f"the same on all {test.n} splits, so no interval"
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
            clause = f"against {name} the difference of LCM is {_points(test.mean)} ({interval}): {_same_or(test, word)}"
        printed = [paper_accuracy(corpus, noise, model, method) for method in ("lcm", other)]
        if all(printed):
            clause += f"; the paper prints {points(printed[0][0] - printed[1][0])}"
        clauses.append(clause)
    return f"{model_name(model)} on {setting_name(corpus, noise)}: {'; '.join(clauses)}."


def _same_or(test: Paired, word: str) -> str:
    return f"{equivalence(test)} points" if equivalence(test) else word


def _sweep(grid: Grid, corpus: str, noise: float, model: str) -> str:
    """The best strength of LCM and of label smoothing. Both are chosen on the test part, which flatters both alike."""
    best: dict[str, tuple[float, Point]] = {}
    points_tried = grid.sweep(corpus, noise, model)
    if not any(point.cell.varied and point.cell.state == DONE for point in points_tried):
        return ""
    for point in points_tried:
        summary = point.cell.summary(point.method, "accuracy")
        kind = "lcm" if point.method == "lcm" else "ls"
        if summary and point.method != "base" and point.true_mass is not None and summary.mean > best.get(kind, (0.0,))[0]:
            best[kind] = summary.mean, point
    if len(best) < 2:
        return ""
    (of_lcm, lcm), (of_ls, ls) = best["lcm"], best["ls"]
    test = compare_cells(lcm.cell, lcm.method, ls.cell, ls.method)
    compared = f"; LCM minus label smoothing {_points(test.mean)} ({_interval(test)}): {_same_or(test, verdict(test))}" if test else ""
    return (
        f"{model_name(model)} on {setting_name(corpus, noise)}, over all strengths tried: LCM is best at α = {lcm.strength:g} "
        f"({100 * of_lcm:.1f} %, {100 * lcm.true_mass:.0f} % of the target on the true label), label smoothing at ε = {ls.strength:.3g} "
        f"({100 * of_ls:.1f} %, {100 * ls.true_mass:.0f} % on the true label){compared}. Both are picked by test accuracy, which flatters both."
    )


def _changes(grid: Grid, corpus: str, noise: float, model: str) -> list[str]:
    sentences = []
    for cell, other in changes(grid, corpus, noise, model):
        (method,) = cell.methods
        if test := compare_cells(cell, method, other, method):
            sentences.append(
                f"{model_name(model)} on {setting_name(corpus, noise)}: {variation_name(cell)} minus {method_name(other, method)} is "
                f"{_points(test.mean)} ({_interval(test)}): {_same_or(test, verdict(test))}."
            )
    return sentences


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
            part += f" ({100 * window.mean:.1f} % on the {linear_sees(cell, 'linear_window')})"
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
