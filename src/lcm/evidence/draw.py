"""Which figures there are: from results to drawn figures, each with the section of the page that it stands in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lcm.evidence import figures, label_figures, label_space, rivals, svg
from lcm.evidence.claims import PAPER_STUDIES, STRENGTHS, as_strong, measured, never_stopped, printed, sweep
from lcm.evidence.comparisons import Evidence, compare, true_mass
from lcm.evidence.label_figures import label_key
from lcm.evidence.names import method_name, model_name, setting_name
from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import Result, grouped
from lcm.evidence.statistics import Paired
from lcm.evidence.verdicts import RIVALS
from lcm.study import LINEAR

METHODS = ("ce", "ls", "ls_matched", "lcm")
Tests = dict[str, Paired]  # rival -> LCM minus it


@dataclass(frozen=True)
class Drawn:
    """name: of its file, section: of the page, label: for screen readers, key: what numbers in it stand for."""

    name: str
    section: str
    label: str
    svg: str
    key: str = ""


def draw(evidence: Evidence) -> list[Drawn]:
    """All figures for which there are data, in the order of the page."""
    steps = (
        _answers, _embeddings, _groups, _collapse, _lcd, _maps, _rankings, _worked, _studies, _noise, _strengths,
        _early_stop, _confusion, _curves,
    )  # fmt: skip
    return [drawn for step in steps for drawn in step(evidence)]


def _drawn(section: str, name: str, label: str, figure, key: str = "") -> Drawn:
    return Drawn(f"{section}-{name}" if name else section, section, label, svg.to_svg(figure), key)


def _of(result: Result, section: str, what: str, figure, part: str = "", key: str = "") -> Drawn:
    """A figure of a result's setting."""
    name = f"{part}-{_place(result)}" if part else _place(result)
    return _drawn(section, name, f"{what}, {_title(result)}", figure, key)


def _title(result: Result) -> str:
    return setting_name(*result.setting)


def _place(result: Result) -> str:
    return f"{result.corpus}-{result.noise:g}-{result.model}"


def _gain_rows(evidence: Evidence, results: list[Result]) -> list[tuple[str, Tests]]:
    rows = []
    for result in results:
        found = {other: rival for other in RIVALS if (rival := evidence.rival(result, other))}
        tests = {other: test for other, rival in found.items() if (test := compare(result, rival))}
        if tests:
            n = "/".join(dict.fromkeys(str(test.n) for test in tests.values()))
            rows.append((f"{_title(result)} ({n})", tests))
    return rows


def _answers(evidence: Evidence) -> Iterator[Drawn]:
    if rows := _gain_rows(evidence, measured(evidence)):
        yield _drawn("summary", "", "LCM minus its rivals", figures.gains(rows, list(RIVALS)))
        yield from _one_by_one("answer", rows, "all settings")


def _one_by_one(section: str, rows: list[tuple[str, Tests]], what: str) -> Iterator[Drawn]:
    """A figure for each rival, narrow enough for a phone, all on one scale."""
    for other in RIVALS:
        if mine := [row for row in rows if other in row[1]]:
            figure = figures.gains(mine, [other], figures.reach(rows))
            yield _drawn(section, other, f"LCM minus {method_name(other)}, {what}", figure)


def _studies(evidence: Evidence) -> Iterator[Drawn]:
    """Per-split differences of the studies that the answer does not show."""
    shown = {id(result) for result in measured(evidence)}
    for study in evidence.values():
        results = [r for r in study.results if r.done and r.method == "lcm" and id(r) not in shown]
        if results and not any("." in result.method for result in study.results):
            yield from _one_by_one(f"gains-{study.name}", _gain_rows(evidence, results), study.title)


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
        title, key = f"{_title(result)}, split {min(found)[0]}", label_key(labels)
        cosines = label_figures.cosine_matrix(label_space.cosines(embedding), labels, title)
        yield _drawn("embedding", "cosine", f"cosine matrix of label embeddings, {title}", cosines, key)
        plane = label_figures.label_map(label_space.in_the_plane(embedding), labels, groups, title)
        yield _drawn("embedding", "tsne", f"t-SNE map of label embeddings, {title}", plane, key)
        return


def _groups(evidence: Evidence) -> Iterator[Drawn]:
    strip = []
    for result in _grouped(evidence):
        groups, found = label_space.groups_of(result.record["labels"]), label_space.embeddings(result)
        pairs = [label_space.within_and_between(embedding, groups) for _, embedding in sorted(found.items())]
        if pairs:
            strip.append((f"{_title(result)} ({len(pairs)})", [within - between for within, between in pairs]))
    if strip:
        label = "cosine of label embeddings within groups minus between groups, all runs"
        yield _drawn("embedding", "groups", label, label_figures.group_cosines(strip))


def _collapse(evidence: Evidence) -> Iterator[Drawn]:
    for result in _grouped(evidence):
        if (means := label_space.first_means(result)) is not None:
            labels = result.record["labels"]
            figure = label_figures.mean_distributions(means, labels, f"{_title(result)}, split 0")
            yield _of(result, "collapse", "mean confusion distribution by label", figure, key=label_key(labels))


def _lcd(evidence: Evidence) -> Iterator[Drawn]:
    for result in _grouped(evidence):
        if result.last("lcd_true"):
            matched = evidence.rival(result, "ls_matched")
            epsilon = matched.settings.get("epsilon") if matched else None
            figure = figures.confusion_distribution(result.curves, _title(result), result.record["n_labels"], epsilon)
            yield _of(result, "lcd", "label confusion distribution", figure)


# A real document: number 503 of 20 Newsgroups, in the test part of split 0, its first words as the networks read them.
DOCUMENT = {
    "20ng": ("comp.graphics", "“a graphic design newsgroup which newsgroup discusses graphic design on pcs and macs …”")
}


def _worked(evidence: Evidence) -> Iterator[Drawn]:
    """The targets of one document. LCM's is that of the mean confusion distribution of its label's documents."""
    for result in printed(evidence, PAPER_STUDIES):
        means, matched = label_space.first_means(result), evidence.rival(result, "ls_matched")
        if means is None or matched is None or result.corpus not in DOCUMENT:
            continue
        label, text = DOCUMENT[result.corpus]
        labels, c = result.record["labels"], result.record["n_labels"]
        true = np.eye(c)[labels.index(label)]
        epsilon = matched.settings["epsilon"]
        mixed = result.settings["alpha"] * true + means[labels.index(label)]
        targets = [
            ("ce", "cross-entropy", true),
            ("ls_matched", "matched smoothing", (1 - epsilon) * true + epsilon / c),
            ("lcm", "LCM", np.exp(mixed) / np.exp(mixed).sum()),
        ]
        figure, key = label_figures.worked_target(targets, labels, text), label_key(labels)
        yield _drawn("worked", "", f"training targets of one document of {label}", figure, key)
        return


def _confusion(evidence: Evidence) -> Iterator[Drawn]:
    """LCM, matched smoothing and their difference: one setting with right and one with the most wrong labels."""
    wrong = sorted(printed(evidence, ("noise",)), key=lambda result: -result.noise)
    for result in [*printed(evidence, ("benchmark",))[:1], *wrong[:1]]:
        matched = evidence.rival(result, "ls_matched")
        if matched is None or result.confusion() is None or matched.confusion() is None:
            continue
        ours, theirs = (label_figures.shares(each.confusion()) for each in (result, matched))
        labels, title = result.record["labels"], _title(result)
        panels = (("LCM", ours, False), ("matched LS", theirs, False), ("LCM − matched LS", ours - theirs, True))
        for number, (name, share, signed) in enumerate(panels):
            figure = label_figures.confusion(share, labels, f"{title}: {name}", 1.5 if signed else 3.0, signed)
            label = f"confusion matrix, {title}, {name}"
            yield _drawn("matrices", f"{_place(result)}-{number}", label, figure, label_key(labels))


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


def _rankings(evidence: Evidence) -> Iterator[Drawn]:
    for setting in rivals.settings_of(evidence):
        figure = figures.ranking(rivals.ranking(evidence, setting), _title(setting))
        yield _of(setting, "ranking", "ranking of targets", figure)


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


def _curves(evidence: Evidence) -> Iterator[Drawn]:
    """Validation accuracy of the four first methods while training, a panel for each setting."""
    for study, setting in ((each, setting) for each in evidence.values() for setting in each.settings):
        if study.name == STRENGTHS:
            continue  # drawn by strength
        results = [r for r in study.of(*setting) if r.model != LINEAR and r.method in METHODS and r.curves]
        if len(results) > 1:
            series = [(method_name(r.method, short=True), r.curves, _line(r.target)) for r in results]
            figure = figures.curves(series, setting_name(*setting))
            label = f"validation accuracy, {setting_name(*setting)}, {model_name(setting[2])}"
            yield _drawn(f"curves-{study.name}", _place(results[0]), label, figure)
