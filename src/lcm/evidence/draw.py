"""Which figures there are: from results to drawn figures, each with the section of the page that it stands in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lcm.evidence import figures, label_figures, label_space, rivals, svg
from lcm.evidence.claims import PAPER_STUDIES, STRENGTHS, as_strong, never_stopped, printed, sweep
from lcm.evidence.comparisons import Evidence, compare
from lcm.evidence.names import method_name, model_name, setting_name
from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import Result, Study
from lcm.evidence.verdicts import RIVALS
from lcm.study import LINEAR, target_facts

METHODS = ("ce", "ls", "ls_matched", "lcm")


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
    steps = (_answers, _embeddings, _targets, _worked, _studies, _noise, _strengths, _early_stop, _confusion, _curves)
    return [drawn for step in steps for drawn in step(evidence)]


def _drawn(section: str, name: str, label: str, figure, key: str = "") -> Drawn:
    return Drawn(f"{section}-{name}" if name else section, section, label, svg.to_svg(figure), key)


def _title(result: Result) -> str:
    return setting_name(*result.setting)


def _place(result: Result) -> str:
    return f"{result.corpus}-{result.noise:g}-{result.model}"


def _gain_rows(evidence: Evidence, results: list[Result]) -> list[tuple[str, dict]]:
    rows = []
    for result in results:
        found = {other: rival for other in RIVALS if (rival := evidence.rival(result, other))}
        tests = {other: test for other, rival in found.items() if (test := compare(result, rival))}
        if tests:
            n = "/".join(dict.fromkeys(str(test.n) for test in tests.values()))
            rows.append((f"{_title(result)} ({n})", tests))
    return rows


def _answers(evidence: Evidence) -> Iterator[Drawn]:
    rows = _gain_rows(evidence, printed(evidence, PAPER_STUDIES))
    if not rows:
        return
    yield _drawn("summary", "", "LCM minus its rivals", figures.gains(rows, list(RIVALS)))
    yield from _one_by_one("answer", rows, "all settings of the paper")


def _one_by_one(section: str, rows: list[tuple[str, dict]], what: str) -> Iterator[Drawn]:
    """A figure for each rival, narrow enough for a phone, all on one scale."""
    for other in RIVALS:
        if mine := [row for row in rows if other in row[1]]:
            figure = figures.gains(mine, [other], figures.reach(rows))
            yield _drawn(section, other, f"LCM minus {method_name(other)}, {what}", figure)


def _studies(evidence: Evidence) -> Iterator[Drawn]:
    """Per-split differences of the studies that the answer does not show."""
    shown = {id(result) for result in printed(evidence, PAPER_STUDIES)}
    for study in evidence.values():
        results = [r for r in study.results if r.done and r.method == "lcm" and id(r) not in shown]
        if any("." in result.method for result in study.results) or not results:
            continue
        yield from _one_by_one(f"gains-{study.name}", _gain_rows(evidence, results), study.title)


def _embeddings(evidence: Evidence) -> Iterator[Drawn]:
    grouped = [
        r for r in printed(evidence, PAPER_STUDIES) if not r.noise and label_space.has_groups(r.record["labels"])
    ]
    kept = [(result, found) for result in grouped if (found := label_space.embeddings(result))]
    for result, found in kept[:1]:
        labels, groups = result.record["labels"], label_space.groups_of(result.record["labels"])
        order = sorted(range(len(labels)), key=lambda index: (groups[index], index))
        embedding = found[min(found)][order]
        labels, groups = [labels[index] for index in order], [groups[index] for index in order]
        title, key = f"{_title(result)}, split {min(found)[0]}", label_figures.label_key(labels)
        cosines = label_figures.cosine_matrix(label_space.cosines(embedding), labels, title)
        yield _drawn("embedding", "cosine", f"cosine matrix of label embeddings, {title}", cosines, key)
        plane = label_figures.label_map(label_space.in_the_plane(embedding), labels, groups, title)
        yield _drawn("embedding", "tsne", f"t-SNE map of label embeddings, {title}", plane, key)
    strip = []
    for result, found in kept:
        groups = label_space.groups_of(result.record["labels"])
        pairs = [label_space.within_and_between(embedding, groups) for _, embedding in sorted(found.items())]
        strip.append((f"{_title(result)} ({len(pairs)})", [within - between for within, between in pairs]))
    if strip:
        label = "cosine of label embeddings within groups minus between groups, all runs"
        yield _drawn("embedding", "groups", label, label_figures.group_cosines(strip))
    for result in grouped:
        kept_means = [run["lcd_by_class"] for run in result.runs if run.get("lcd_by_class")][:1]
        if kept_means:
            labels, label = result.record["labels"], f"mean confusion distribution by label, {_title(result)}"
            figure = label_figures.mean_distributions(
                label_space.by_label(kept_means[0], len(labels)), labels, f"{_title(result)}, split 0"
            )
            yield _drawn("collapse", _place(result), label, figure, label_figures.label_key(labels))
    for result in grouped:
        if result.last("lcd_true"):
            matched = evidence.rival(result, "ls_matched")
            epsilon = matched.settings.get("epsilon") if matched else None
            n_labels = result.record["n_labels"]
            figure = figures.confusion_distribution(result.curves, _title(result), n_labels, epsilon)
            yield _drawn("lcd", _place(result), f"label confusion distribution, {_title(result)}", figure)


def _targets(evidence: Evidence) -> Iterator[Drawn]:
    settings = rivals.settings_of(evidence)
    mapped = [(setting, places) for setting in settings if (places := rivals.places(evidence, setting))]
    found = [place for _, places in mapped for place in places]
    if found:  # one scale for all: they stand side by side
        x, y = (np.array(values) for values in zip(*(place.path[-1] for place in found), strict=True))
        x_ends, y_max = (min(-0.04, 1.08 * x.min()), max(0.4, 1.08 * x.max())), 1.6 * max(0.02, y.max())
        limit = 2.0  # points; few gain more, and their colour is that of the end
        for setting, places in mapped:
            figure = figures.target_map(places, _title(setting), limit, x_ends, y_max)
            yield _drawn("map", _place(setting), f"map of targets, {_title(setting)}", figure)
    for setting in settings:
        ranks = rivals.ranking(evidence, setting)
        rows = [(r.result.target, target_facts()[r.result.target].short, r.over, r.letters) for r in ranks]
        figure = figures.ranking(rows, _title(setting))
        yield _drawn("ranking", _place(setting), f"ranking of targets, {_title(setting)}", figure)


# A real document: number 503 of 20 Newsgroups, in the test part of split 0, its first words as the networks read them.
DOCUMENT = {
    "20ng": ("comp.graphics", "“a graphic design newsgroup which newsgroup discusses graphic design on pcs and macs …”")
}


def _worked(evidence: Evidence) -> Iterator[Drawn]:
    """The targets of one document. LCM's is that of the mean confusion distribution of its label's documents."""
    for result in printed(evidence, PAPER_STUDIES):
        means = next((run["lcd_by_class"] for run in result.runs if run.get("lcd_by_class")), None)
        matched = evidence.rival(result, "ls_matched")
        if means is None or matched is None or result.corpus not in DOCUMENT:
            continue
        label, text = DOCUMENT[result.corpus]
        labels, c = result.record["labels"], result.record["n_labels"]
        true = np.eye(c)[labels.index(label)]
        epsilon, mixed = (
            matched.settings["epsilon"],
            result.settings["alpha"] * true + label_space.by_label(means, c)[labels.index(label)],
        )
        targets = [
            ("ce", "cross-entropy", true),
            ("ls_matched", "matched smoothing", (1 - epsilon) * true + epsilon / c),
            ("lcm", "LCM", np.exp(mixed) / np.exp(mixed).sum()),
        ]
        figure, key = label_figures.worked_target(targets, labels, text), label_figures.label_key(labels)
        yield _drawn("worked", "", f"training targets of one document of {label}", figure, key)
        return


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


def _by_setting(results: list[Result]) -> list[list[Result]]:
    found: dict[tuple, list[Result]] = {}
    for result in results:
        found.setdefault(result.setting, []).append(result)
    return list(found.values())


def _strengths(evidence: Evidence) -> Iterator[Drawn]:
    for results in _by_setting(sweep(evidence)):
        by_alpha = never_stopped(results)
        if len(by_alpha) < 2:
            continue
        first, title = next(iter(by_alpha.values())), _title(results[0])
        colours = figures.ramp(len(by_alpha))
        pairs = zip(by_alpha.items(), colours, strict=True)
        series = [(f"LCM α = {alpha:g}", r.curves, {"color": colour}) for (alpha, r), colour in pairs]
        figure = figures.curves([*series, *_ce_series(evidence, first)], title)
        yield _drawn("alpha", f"epochs-{_place(first)}", f"validation accuracy per epoch by α, {title}", figure)
        n_labels, base = first.record["n_labels"], evidence.rival(first, "ce")
        of_lcm = [(alpha, r, s) for alpha, r in by_alpha.items() if (s := r.summary())]
        level = base.summary().mean if base else None
        by_x = {"lcm": [(alpha, s.mean, s.std, "") for alpha, _, s in of_lcm]}
        figure = figures.sweep(by_x, title, "α", level)
        yield _drawn("alpha", f"accuracy-{_place(first)}", f"test accuracy by α, {title}", figure)
        masses = [(r.last("sld_true_mean"), s, f"α {alpha:g}") for alpha, r, s in of_lcm]
        by_mass = {"lcm": [(float(np.mean(list(m.values()))), s.mean, s.std, text) for m, s, text in masses if m]}
        for result in [
            *([base] if base else []),
            *evidence.versions(first, "ls"),
            *evidence.versions(first, "ls_matched"),
        ]:
            epsilon, summary = result.settings.get("epsilon", 0.0), result.summary()
            if summary and result.settings.get("stop_epoch") is None:
                text = "" if result.target == "ce" else f"ε {epsilon:.2g}"  # the legend names cross-entropy
                point = 1 - epsilon + epsilon / n_labels, summary.mean, summary.std, text
                by_mass.setdefault(result.target, []).append(point)
        if by_mass["lcm"]:
            figure = figures.sweep(by_mass, title, "mass of the target on the true label")
            label = f"test accuracy by mass of the target on the true label, {title}"
            yield _drawn("alpha", f"mass-{_place(first)}", label, figure)


def _early_stop(evidence: Evidence) -> Iterator[Drawn]:
    for results in _by_setting(sweep(evidence)):
        stopped = [r for r in results if r.settings.get("stop_epoch") is not None]
        for alpha in sorted({result.settings["alpha"] for result in stopped}):
            mine = [result for result in stopped if result.settings["alpha"] == alpha]
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
            yield _drawn("matrices", f"{_place(result)}-{number}", label, figure, label_figures.label_key(labels))


def _curves(evidence: Evidence) -> Iterator[Drawn]:
    """Validation accuracy of the four first methods while training, a panel for each setting."""
    for study in evidence.values():
        if study.name == STRENGTHS:
            continue  # drawn by strength
        for setting in study.settings:
            yield from _of_setting(study, setting)


def _of_setting(study: Study, setting: tuple) -> Iterator[Drawn]:
    results = [r for r in study.of(*setting) if r.model != LINEAR and r.method in METHODS and r.curves]
    if len(results) > 1:
        series = [(method_name(r.method, short=True), r.curves, _line(r.target)) for r in results]
        figure = figures.curves(series, setting_name(*setting[:2], ""))
        figure.axes[0].set_title(setting_name(*setting))
        label = f"validation accuracy, {setting_name(*setting)}, {model_name(setting[2])}"
        yield _drawn(f"curves-{study.name}", _place(results[0]), label, figure)
