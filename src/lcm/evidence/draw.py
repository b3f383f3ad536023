"""Which figures there are: from results to drawn figures, each with the section of the page that it stands in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lcm.evidence import figures, label_space, rivals, svg, which
from lcm.evidence.claims import PAPER_STUDIES, as_strong, measured, never_stopped, printed, sweep
from lcm.evidence.comparisons import Evidence, compare, true_mass
from lcm.evidence.names import method_name, setting_name
from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import Result, grouped
from lcm.evidence.verdicts import AGAINST, FOR, RIVALS
from lcm.study import target_facts

METHODS = ("ce", "ls", "ls_matched", "lcm")
DECIDED = {FOR: ("#2b62c4", "D"), AGAINST: ("#dd6b10", "v")}  # word of a mean -> colour and mark; grey: neither


@dataclass(frozen=True)
class Drawn:
    """name: of its file, section: of the page, label: for screen readers."""

    name: str
    section: str
    label: str
    svg: str


def draw(evidence: Evidence) -> list[Drawn]:
    """All figures for which there are data, in the order of the page."""
    steps = (_answers, _which, _embeddings, _collapse, _maps, _noise, _strengths, _early_stop)
    return [drawn for step in steps for drawn in step(evidence)]


def _drawn(section: str, name: str, label: str, figure) -> Drawn:
    return Drawn(f"{section}-{name}" if name else section, section, label, svg.to_svg(figure))


def _of(result: Result, section: str, what: str, figure, part: str = "") -> Drawn:
    """A figure of a result's setting."""
    name = f"{part}-{_place(result)}" if part else _place(result)
    return _drawn(section, name, f"{what}, {_title(result)}", figure)


def _title(result: Result) -> str:
    return setting_name(*result.setting)


def _place(result: Result) -> str:
    return f"{result.corpus}-{result.noise:g}-{result.model}"


def _answers(evidence: Evidence) -> Iterator[Drawn]:
    rows, titles = [], {other: f"LCM minus {method_name(other)}" for other in RIVALS}
    for result in (each for each in measured(evidence) if each.study != rivals.STUDY):  # ours have a map
        found = {other: rival for other in RIVALS if (rival := evidence.rival(result, other))}
        tests = {other: test for other, rival in found.items() if (test := compare(result, rival))}
        if tests:
            n = "/".join(dict.fromkeys(str(test.n) for test in tests.values()))
            looks = {other: figures.look("lcm" if other == "ce" else other) for other in tests}
            marked = {titles[o]: (test, looks[o]["color"], looks[o]["marker"]) for o, test in tests.items()}
            rows.append((f"{_title(result)} ({n})", marked))
    if rows:
        yield _drawn("summary", "", "LCM minus its rivals", figures.gains(rows, list(titles.values())))


def _which(evidence: Evidence) -> Iterator[Drawn]:
    """What each target gains over tuned label smoothing, the best with wrong labels first."""
    kinds = {kind: which.over_smoothing(evidence, kind) for kind in (which.RIGHT, which.WRONG)}
    rows: dict[str, dict[str, tuple]] = {}
    for kind in (which.WRONG, which.RIGHT):
        for gain in kinds[kind]:
            marked = (gain.mean, *DECIDED.get(gain.word, ("#999999", "o")))
            rows.setdefault(target_facts()[gain.target].label, {})[kind] = marked
    if rows:
        figure = figures.gains(list(rows.items()), list(kinds))
        yield _drawn("which", "", "each target minus tuned label smoothing", figure)


def _grouped(evidence: Evidence) -> list[Result]:
    """LCM on the paper's corpora whose labels have groups, without wrong labels."""
    results = printed(evidence, PAPER_STUDIES)
    return [r for r in results if not r.noise and label_space.has_groups(r.record["labels"])]


def _embeddings(evidence: Evidence) -> Iterator[Drawn]:
    """Of the first result that kept its label embeddings, the labels sorted by group."""
    for result in _grouped(evidence):
        if not (found := label_space.embeddings(result)):
            continue
        labels, groups = result.record["labels"], label_space.groups_of(result.record["labels"])
        order = sorted(range(len(labels)), key=lambda index: (groups[index], index))
        embedding = found[min(found)][order]
        labels, groups = [labels[index] for index in order], [groups[index] for index in order]
        title = f"{_title(result)}, split {min(found)[0]}"
        cosines = figures.cosine_matrix(label_space.cosines(embedding), labels, title)
        yield _drawn("embedding", "cosine", f"cosine matrix of label embeddings, {title}", cosines)
        plane = figures.label_map(label_space.in_the_plane(embedding), groups, title)
        yield _drawn("embedding", "tsne", f"t-SNE map of label embeddings, {title}", plane)
        return


def _collapse(evidence: Evidence) -> Iterator[Drawn]:
    for result in _grouped(evidence):
        if (means := label_space.first_means(result)) is not None:
            title = f"{_title(result)}, split 0"
            figure = figures.mean_distributions(means, result.record["labels"], title)
            yield _of(result, "collapse", "mean confusion distribution by label", figure)


def _maps(evidence: Evidence) -> Iterator[Drawn]:
    """The map of targets of each setting; one scale for all: they stand side by side."""
    settings = rivals.settings_of(evidence)
    mapped = [(setting, places) for setting in settings if (places := rivals.places(evidence, setting))]
    if not mapped:
        return
    x, y = np.array([place.path[-1] for _, places in mapped for place in places]).T
    x_ends, y_max = (min(-0.04, 1.08 * x.min()), max(0.4, 1.08 * x.max())), 1.6 * max(0.02, y.max())
    for setting, places in mapped:
        yield _of(setting, "map", "map of targets", figures.target_map(places, _title(setting), x_ends, y_max))


def _noise(evidence: Evidence) -> Iterator[Drawn]:
    noisy = [result for result in printed(evidence, ("noise", "bert")) if result.noise]
    for corpus, model in dict.fromkeys((result.corpus, result.model) for result in noisy):
        points, paper = {}, {}
        for method in METHODS:
            results = [r for r in evidence.plain(method, PAPER_STUDIES) if (r.corpus, r.model) == (corpus, model)]
            found = sorted((r.noise, summary.mean, summary.std) for r in results if (summary := r.summary()))
            printed_too = [(rate, n[0]) for rate, *_ in found if (n := paper_accuracy(corpus, rate, model, method))]
            points |= {method: found} if found else {}
            paper |= {method: printed_too} if printed_too else {}
        title = setting_name(corpus, 0, model)
        figure = figures.noise(points, paper, title)
        yield _drawn("noise", f"{corpus}-{model}", f"test accuracy by share of wrong labels, {title}", figure)


def _ce_series(evidence: Evidence, result: Result) -> list[tuple]:
    base = evidence.rival(result, "ce")
    return [("cross-entropy", base.curves, _line("ce"))] if base else []


def _line(target: str) -> dict:
    return {key: value for key, value in figures.look(target).items() if key != "marker"}


def _strengths(evidence: Evidence) -> Iterator[Drawn]:
    for results in grouped(sweep(evidence), lambda result: result.setting).values():
        by_alpha = never_stopped(results)
        if len(by_alpha) < 2:
            continue
        first, title = next(iter(by_alpha.values())), _title(results[0])
        pairs = zip(by_alpha.items(), figures.ramp(len(by_alpha)), strict=True)
        series = [(f"LCM α = {alpha:g}", r.curves, {"color": colour}) for (alpha, r), colour in pairs]
        figure = figures.curves([*series, *_ce_series(evidence, first)], title)
        yield _of(first, "alpha", "validation accuracy per epoch by α", figure, "epochs")
        base = evidence.rival(first, "ce")
        by_x = {"lcm": [point for alpha, result in by_alpha.items() for point in _point(result, alpha)]}
        figure = figures.sweep(by_x, title, "α", base.summary().mean if base else None)
        yield _of(first, "alpha", "test accuracy by α", figure, "accuracy")
        by_mass = _by_mass(evidence, by_alpha)
        if "lcm" in by_mass:
            figure = figures.sweep(by_mass, title, "mass of the target on the true label")
            yield _of(first, "alpha", "test accuracy by mass of the target on the true label", figure, "mass")


def _point(result: Result, x: float, text: str = "") -> list[tuple]:
    """A point of `figures.sweep`, as a list of one; of none for a result without an accuracy."""
    summary = result.summary()
    return [(x, summary.mean, summary.std, text)] if summary else []


def _by_mass(evidence: Evidence, by_alpha: dict[float, Result]) -> dict[str, list[tuple]]:
    """Target -> points by the mass on the true label: LCM's as measured, beside cross-entropy and label smoothing."""
    found = []
    for alpha, result in by_alpha.items():
        if mass := result.last("sld_true_mean"):
            found += [("lcm", point) for point in _point(result, float(np.mean(list(mass.values()))), f"α {alpha:g}")]
    first = next(iter(by_alpha.values()))
    for target in ("ce", "ls", "ls_matched"):
        for result in evidence.versions(first, target):
            if result.settings.get("stop_epoch") is None:
                mass = true_mass(target, result.settings, result.record["n_labels"])
                text = "" if target == "ce" else f"ε {result.settings['epsilon']:.2g}"  # the legend names cross-entropy
                found += [(target, point) for point in _point(result, mass, text)]
    return {target: [point for _, point in of] for target, of in grouped(found, lambda pair: pair[0]).items()}


def _early_stop(evidence: Evidence) -> Iterator[Drawn]:
    for results in grouped(sweep(evidence), lambda result: result.setting).values():
        stopped = [r for r in results if r.settings.get("stop_epoch") is not None]
        for alpha, mine in sorted(grouped(stopped, lambda result: result.settings["alpha"]).items()):
            never = never_stopped(results).get(alpha)
            named = [(r, f"stopped after {r.settings['stop_epoch']}") for r in mine]
            named = [(never, "never stopped"), *named] if never else named
            title, series = f"{_title(mine[0])}, α = {alpha:g}", []
            for (result, text), colour in zip(named, ("#dd6b10", "#9a6bd0", "#3a9e5f", "#c8507a"), strict=False):
                series.append((f"LCM, {text}", result.curves, {"color": colour}))
            for (result, text), target in zip(named, ("ls", "ls_matched"), strict=False):
                if smoothed := as_strong(evidence, result):
                    style = {**_line(target), "linestyle": figures.DASHES[1]}
                    series.append((f"LS of the same strength, {text}", smoothed.curves, style))
            stop = mine[0].settings["stop_epoch"] if len(mine) == 1 else None
            figure = figures.curves([*series, *_ce_series(evidence, mine[0])], title, stop)
            label = f"validation accuracy with and without early stop, {title}"
            yield _drawn("early_stop", f"{_place(mine[0])}-{alpha:g}", label, figure)
