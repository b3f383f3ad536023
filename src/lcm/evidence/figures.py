"""The figures, as matplotlib objects on a transparent ground; `svg` writes them.

Everything that is not a target's colour is drawn in one middle grey, readable on white and on black. In the page it
becomes `currentColor`, so that the figures follow the reader's light or dark setting. No I/O here.
"""

import textwrap
from functools import cache

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from lcm.evidence.names import method_name
from lcm.evidence.rivals import Place
from lcm.evidence.statistics import Paired
from lcm.evidence.svg import GREY
from lcm.study import target_facts

# Cross-entropy grey, label smoothing light and dark blue, LCM orange, then the others in the registry's order;
# neighbours differ in hue or lightness for every kind of colour vision, and by dash and mark as well.
PALETTE = ("#999999", "#4aa3df", "#2b62c4", "#dd6b10", "#3a9e5f", "#9a6bd0", "#c8507a", "#a08a1a", "#3aa0a8", "#b0503a")
DASHES = ((0, (1, 1)), (0, (4, 1.5)), "-", "-", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (2, 1)))
MARKS = "o^sDvPX<>hp*"
# For label groups and the like: each with a mark of its own.
GROUP_STYLES = [
    ("#2f74c8", "o"), ("#dd6b10", "s"), ("#3a9e5f", "^"), ("#9a6bd0", "D"), ("#c8507a", "v"), ("#a08a1a", "P"),
    ("#3aa0a8", "X"),
]  # fmt: skip
ORANGE, BLUE = (0.87, 0.42, 0.06), (0.14, 0.45, 0.75)
# In 25 steps, so that cells of one colour are one path.
DIVERGING = LinearSegmentedColormap.from_list("diverging", [(*ORANGE, 1.0), (0.5, 0.5, 0.5, 0.0), (*BLUE, 1.0)], 25)
SOLID = LinearSegmentedColormap.from_list("solid", [ORANGE, (0.6, 0.6, 0.6), BLUE], 25)
SHADES = LinearSegmentedColormap.from_list("shades", [(*BLUE, 0.0), (*BLUE, 1.0)], 25)
STYLE = {
    "text.parse_math": False, "font.size": 9, "legend.fontsize": 8,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "legend.frameon": False,
    "text.color": GREY, "axes.labelcolor": GREY, "axes.titlecolor": GREY, "axes.edgecolor": GREY, "xtick.color": GREY,
    "ytick.color": GREY, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
    "xtick.bottom": False, "ytick.left": False,
    "axes.grid": True, "grid.color": GREY, "grid.alpha": 0.25, "grid.linewidth": 0.6, "lines.linewidth": 1.6,
}  # fmt: skip
LCD_LINES = {  # column of the curves file: (label, colour)
    "sld_true_mean": ("target: mass on the true label", "#dd6b10"),
    "lcd_true": ("confusion distribution: mass on the true label", "#2b62c4"),
    "lcd_in_group": ("confusion distribution: mass on others of its group", "#4aa3df"),
    "lcd_label_share": ("confusion distribution: variance between labels, not within", "#9a6bd0"),
}


def look(target: str) -> dict:
    """Colour, dash and mark of a target, by its place in the registry; ceilings are grey."""
    index = list(target_facts()).index(target)
    colour = GREY if target_facts()[target].ceiling else PALETTE[index % len(PALETTE)]
    return {"color": colour, "linestyle": DASHES[index % len(DASHES)], "marker": MARKS[index % len(MARKS)]}


def band(rows: list[dict], key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Epochs, mean and sample std over runs of one column, each of shape (epochs,).

    Only epochs that every run has and where the value is there: a mean over the survivors would mislead. The std is
    None for a single run.
    """
    splits: dict[tuple, dict[int, float]] = {}
    for row in rows:
        if row.get(key) is not None:
            splits.setdefault((row["split"], row["seed"]), {})[row["epoch"]] = row[key]
    if not splits:
        return np.empty(0), np.empty(0), None
    epochs = sorted(set.intersection(*(set(values) for values in splits.values())))
    table = np.array([[splits[split][epoch] for epoch in epochs] for split in sorted(splits)], dtype=float)
    return np.array(epochs), table.mean(axis=0), table.std(axis=0, ddof=1) if len(table) > 1 else None


def _line(axes, rows: list[dict], key: str, scale: float = 1.0, **style) -> None:
    epochs, mean, std = band(rows, key)
    if epochs.size:
        axes.plot(epochs, scale * mean, **style)
        if std is not None:
            axes.fill_between(
                epochs, scale * (mean - std), scale * (mean + std), color=style["color"], alpha=0.15, linewidth=0
            )


def ramp(n: int) -> list[str]:
    """n colours in an order that every kind of colour vision sees, readable on white and on black."""
    return [to_hex(mpl.colormaps["plasma"](x)) for x in np.linspace(0.78, 0.30, n)]


@mpl.rc_context(STYLE)
def curves(series: list[tuple[str, list[dict], dict]], title: str, stop: int | None = None) -> Figure:
    """Validation accuracy in percent per epoch: mean over splits, band ± std.

    series: (label, rows of curves files, line style). stop: an epoch to mark, after which LCM was switched off.
    """
    figure = Figure(figsize=(4.4, 3.1), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylabel="validation accuracy, %")
    for label, rows, style in series:
        _line(axes, rows, "val_accuracy", 100, label=label, **style)
    if stop is not None:
        axes.axvline(stop + 0.5, color=GREY, linestyle=(0, (2, 2)), linewidth=1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if max(len(label) for label, _, _ in series) > 20:  # it would cover the curves
        figure.legend(loc="outside lower left", ncols=1)
    else:
        axes.legend(loc="lower right")
    return figure


@mpl.rc_context(STYLE)
def gains(rows: list[tuple[str, dict[str, Paired]]], others: list[str], limits: tuple | None = None) -> Figure:
    """Paired differences LCM - other in points: one column per other method, one line per setting, from top to bottom.

    Large mark: mean; thick 90 % and thin 95 % interval of the corrected test; small dots: the splits.
    rows: (label, {other: test}). limits: of the axis, for figures that stand side by side.
    """
    figure = Figure(figsize=(2.2 + 2.4 * len(others), 1.0 + 0.26 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(others), sharex=True, sharey=True, squeeze=False)[
        0
    ]  # one scale: panels are compared
    for axes, other in zip(panels, others, strict=True):
        axes.axvline(0, color=GREY, linewidth=1)
        style = look("lcm" if other == "ce" else other)
        for index, (_, tests) in enumerate(rows):
            if other in tests:
                _difference(axes, -index, tests[other], style["color"], style["marker"], dots=True)
        title = f"LCM minus {method_name(other)}"
        _lines(axes, [label for label, _ in rows], "points of test accuracy")
        if len(others) == 1:
            figure.suptitle(title, fontsize=10, color=GREY)
        else:
            axes.set_title(title, fontsize=9)
        if limits:
            axes.set_xlim(limits)
    return figure


def reach(rows: list[tuple[str, dict[str, Paired]]]) -> tuple[float, float]:
    """Limits in points that hold all intervals and splits of `gains`."""
    tests = [test for _, of in rows for test in of.values()]
    ends = [end for test in tests for end in (*(test.ci95 or ()), *(value for _, value in test.by_split))]
    return 100 * min(ends) - 0.3, 100 * max(ends) + 0.3


def _difference(axes, y: float, test: Paired, colour: str, mark: str, dots: bool = False) -> None:
    """Mean and intervals of a test in points, and below them the splits' own differences as dots."""
    if dots:
        splits = [100 * value for _, value in test.by_split]
        axes.plot(splits, [y - 0.24] * len(splits), ".", color=colour, alpha=0.55, markersize=3)
    for ci, width in ((test.ci95, 1.3), (test.ci90, 3.4)):
        if ci:
            axes.plot([100 * ci[0], 100 * ci[1]], [y] * 2, linewidth=width, color=colour, solid_capstyle="butt")
    axes.plot(100 * test.mean, y, mark, markersize=5, color=colour)


def _lines(axes, labels: list[str], xlabel: str) -> None:
    """One labelled line of an axis for each row, from top to bottom."""
    axes.set(xlabel=xlabel, ylim=(-len(labels) + 0.4, 0.6))
    axes.set_yticks(-np.arange(len(labels)), labels, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.08)


@mpl.rc_context(STYLE)
def ranking(rows: list[tuple[str, str, Paired | None, str]], title: str) -> Figure:
    """Targets from best to worst, as points over matched smoothing. rows: (target, label, test or None for itself,
    letters)."""
    figure = Figure(figsize=(4.4, 1.0 + 0.24 * len(rows)), layout="constrained")
    axes = figure.add_subplot(title=title)
    axes.axvline(0, color=GREY, linewidth=1)
    for index, (target, _, test, letters) in enumerate(rows):
        style = look(target)
        if test:
            _difference(axes, -index, test, style["color"], style["marker"])
        else:
            axes.plot(0, -index, style["marker"], markersize=5, color=style["color"])
        axes.text(1.01, -index, letters, transform=axes.get_yaxis_transform(), fontsize=7, va="center")
    _lines(axes, [label for _, label, _, _ in rows], "points over matched label smoothing; common letter: tied")
    return figure


@mpl.rc_context(STYLE)
def target_map(places: list[Place], title: str, limit: float, x_ends: tuple[float, float], y_max: float) -> Figure:
    """Where targets stand: strength (x), structure (y), accuracy over matched smoothing in points (colour, +- limit).

    A mark's number is the target's rank by accuracy, named below. Faint lines: the path over the epochs. Squares:
    ceilings. x_ends, y_max: of the axes.
    """
    lines = -(-len(places) // 3)
    figure = Figure(figsize=(5.0, 4.2 + 0.17 * lines), layout="constrained")
    axes, names = figure.subplots(2, 1, height_ratios=(4.0, 0.17 * lines))
    axes.set(title=title, xlabel="strength: ε of uniform smoothing", ylabel="structure: nats from uniform smoothing")
    axes.set(xlim=x_ends, ylim=(-0.0015, y_max))
    axes.set_yscale("symlog", linthresh=0.01, linscale=0.6)
    ticks = [tick for tick in (0, 0.01, 0.1, 1, 10) if tick <= y_max]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.minorticks_off()
    norm = Normalize(-limit, limit)
    marks = _apart(axes, [place.path[-1] for place in places])
    for number, (place, at) in reversed(list(enumerate(zip(places, marks, strict=True), 1))):  # the best on top
        colour = SOLID(norm(100 * place.gain))
        axes.plot(*zip(*place.path, at), color=colour, alpha=0.35, linewidth=1)
        mark = "s" if place.ceiling else "o"
        axes.plot(*at, mark, color=colour, markersize=10, alpha=0.9, clip_on=False)
        axes.text(*at, str(number), color="#ffffff", fontsize=6.5, ha="center", va="center")
    names.axis("off")
    for index, place in enumerate(places):
        gain = f"{100 * place.gain:+.1f}".replace("-", "−") if place.gain else ""
        text = f"{index + 1} {place.name} {gain}"
        names.text(index // lines / 2.8 - 0.04, 1 - (index % lines + 0.5) / lines, text, fontsize=7.5, va="center")
    _colour_bar(figure, axes, norm, SOLID, "points over matched smoothing")
    return figure


def _apart(axes: Axes, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where to put marks of 10 points so that each can be read: one that would cover an earlier one stands above it."""
    to_axes = axes.transData - axes.transAxes  # its shares of width and height hardly depend on the layout
    step, found = 0.04, []
    for x, y in to_axes.transform(points):
        while any(abs(x - other[0]) < 0.8 * step and abs(y - other[1]) < 0.9 * step for other in found):
            y += step / 4
        found.append((x, y))
    return [tuple(map(float, point)) for point in to_axes.inverted().transform(found)]


@mpl.rc_context(STYLE)
def noise(
    points: dict[str, list[tuple[float, float, float | None]]], paper: dict[str, list[tuple[float, float]]], title: str
) -> Figure:
    """Test accuracy by rate of wrong labels, band ± std over splits; small marks: the paper's numbers.

    points: method -> (noise in percent, mean and std in [0, 1]), ascending. paper: method -> (noise, mean).
    """
    figure = Figure(figsize=(4.4, 3.1), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="wrong labels in the training part, %", ylabel="test accuracy, %")
    for method, values in points.items():
        rates, means = [rate for rate, _, _ in values], np.array([mean for _, mean, _ in values])
        stds = np.array([std or 0.0 for _, _, std in values])
        style = look(method) | {"markersize": 4}
        axes.plot(rates, 100 * means, label=method_name(method), **style)
        axes.fill_between(
            rates, 100 * (means - stds), 100 * (means + stds), color=style["color"], alpha=0.15, linewidth=0
        )
    for method, values in paper.items():
        style = look(method) | {"linestyle": "none", "markersize": 6, "fillstyle": "none"}
        axes.plot([rate for rate, _ in values], [100 * mean for _, mean in values], **style)
    axes.set_xticks(sorted({rate for values in points.values() for rate, _, _ in values}))
    axes.legend(loc="lower left")
    return figure


@mpl.rc_context(STYLE)
def sweep(
    points: dict[str, list[tuple[float, float, float | None, str]]], title: str, xlabel: str, level: float | None = None
) -> Figure:
    """Test accuracy in percent over one number.

    points: method -> (x, mean and std in [0, 1], its name on the edge). level: cross-entropy's mean, where it has no x.
    """
    figure = Figure(figsize=(4.4, 3.6), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=xlabel, ylabel="test accuracy, %")
    if level is not None:
        base = look("ce")
        axes.axhline(100 * level, color=base["color"], linestyle=base["linestyle"], label=method_name("ce"))
    for method, values in points.items():
        values = sorted(values)
        style = look(method) | ({} if len(values) > 1 else {"linestyle": "none"})
        x, means, stds = ([value[column] for value in values] for column in (0, 1, 2))
        bars = [100 * (std or 0.0) for std in stds]
        axes.errorbar(
            x, [100 * mean for mean in means], yerr=bars, markersize=5, elinewidth=1, label=method_name(method), **style
        )
        for at, _, _, text in values:  # along an edge, upright: beside their dots neighbours would cover each other
            height, side = (0.98, "top") if method in ("ls", "ls_matched") else (0.02, "bottom")
            place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": side, "rotation": 90}
            axes.text(at, height, text, fontsize=7, color=style["color"], **place)
    axes.margins(0.05, 0.3 if any(text for values in points.values() for *_, text in values) else 0.1)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def tick_labels(labels: list[str]) -> list[str]:
    """The labels, or their numbers from 1 if matplotlib's own font lacks a letter of one of them (Chinese).

    Their widths would be unknown, and any other font may be missing on the next machine.
    """
    return labels if all(map(_drawable, "".join(labels))) else [str(number) for number in range(1, len(labels) + 1)]


@cache
def _drawable(letter: str) -> bool:
    return get_font(findfont(FontProperties(family="DejaVu Sans"))).get_char_index(ord(letter)) != 0


def label_key(labels: list[str]) -> str:
    """What the numbers of `tick_labels` stand for, or "" if it shows the labels themselves."""
    return (
        ""
        if tick_labels(labels) == labels
        else ", ".join(f"{number} {label}" for number, label in enumerate(labels, 1))
    )


@mpl.rc_context(STYLE)
def cosine_matrix(cosine: np.ndarray, labels: list[str], title: str) -> Figure:
    """Fig. 2a: cosine between any two label embeddings, -1 orange, 0 clear, 1 blue. cosine: (C, C)."""
    size = 2.6 + 0.19 * len(labels)
    figure = Figure(figsize=(size, size * 0.86), layout="constrained")
    axes = figure.add_subplot(title=title)
    mesh = axes.pcolormesh(cosine, cmap=DIVERGING, vmin=-1, vmax=1)
    _matrix(figure, axes, mesh, labels, "cosine")
    return figure


def _matrix(figure: Figure, axes, mesh, labels: list[str], unit: str) -> None:
    """Labels on both axes of a (C, C) picture, and its colour bar."""
    axes.invert_yaxis()
    middles, names = np.arange(len(labels)) + 0.5, tick_labels(labels)
    axes.set_xticks(middles, names, rotation=90, fontsize=8)
    axes.set_yticks(middles, names, fontsize=8)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    _colour_bar(figure, axes, mesh.norm, mesh.cmap, unit)


def _colour_bar(figure: Figure, axes, norm, colours, unit: str) -> None:
    bar = figure.colorbar(mpl.cm.ScalarMappable(norm, colours), ax=axes, shrink=0.5, aspect=25, label=unit)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)


@mpl.rc_context(STYLE)
def label_map(places: np.ndarray, labels: list[str], groups: list[str], title: str) -> Figure:
    """Fig. 2b: label embeddings in the plane, coloured and marked by group. places: (C, 2). groups: of each label."""
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.add_subplot(title=title, xticks=[], yticks=[])
    shared = [group for group in dict.fromkeys(groups) if groups.count(group) > 1]
    names = [
        text.removeprefix(f"{group}.") if group in shared else text
        for text, group in zip(tick_labels(labels), groups, strict=True)
    ]
    shares = (places - places.min(axis=0)) / np.ptp(places, axis=0)
    sides = _beside(shares * (260, 250), [4.4 * len(name) for name in names])  # about its size in points
    for group in [*shared, None]:
        mine = [index for index, name in enumerate(groups) if (name if name in shared else None) == group]
        colour, mark = GROUP_STYLES[shared.index(group) % len(GROUP_STYLES)] if group else (GREY, "o")
        if mine:
            axes.plot(*places[mine].T, mark, color=colour, markersize=6, label=group or "alone in its group")
        for index in mine:
            side, shift = sides[index][2], sides[index][:2]
            text = {"xytext": shift, "textcoords": "offset points", "ha": side, "fontsize": 7, "color": colour}
            axes.annotate(names[index], places[index], **text)
    axes.margins(0.2, 0.06)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, handletextpad=0.1, columnspacing=1.0)
    return figure


SIDES = [
    (6, -2.5, "left"), (-6, -2.5, "right"), (0, 6, "center"), (0, -11, "center"), (5, 5, "left"), (5, -10, "left"),
    (-5, 5, "right"), (-5, -10, "right"),
]  # fmt: skip


def _beside(marks: np.ndarray, widths: list[float], height: float = 8.0) -> list[tuple[float, float, str]]:
    """Where each text stands beside its mark: the first of SIDES that covers no other mark and no text before it.

    marks: (n, 2) in points. If every side covers something, the one that covers least.
    """

    def box(index: int, side: tuple) -> tuple[float, ...]:
        x, y = marks[index] + side[:2]
        x -= {"left": 0.0, "center": widths[index] / 2, "right": widths[index]}[side[2]]
        return x, y - 1, x + widths[index], y + height - 1

    def common(a: tuple, b: tuple) -> float:
        return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))

    dots, found, taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in marks], {}, []
    for index in np.argsort(marks[:, 1]):
        others = [*taken, *dots[:index], *dots[index + 1 :]]
        found[index] = min(SIDES, key=lambda side: sum(common(box(index, side), other) for other in others))
        taken.append(box(index, found[index]))
    return [found[index] for index in range(len(marks))]


@mpl.rc_context(STYLE)
def group_cosines(rows: list[tuple[str, list[float]]]) -> Figure:
    """Mean cosine of label embeddings within groups minus between groups: a dot per run, a bar at their mean.

    rows: (label, one number per run), from top to bottom.
    """
    figure = Figure(figsize=(4.4, 1.1 + 0.34 * len(rows)), layout="constrained")
    axes = figure.add_subplot(title="all runs")
    axes.axvline(0, color=GREY, linewidth=1)
    for index, (_, values) in enumerate(rows):
        axes.plot(values, [-index] * len(values), "o", color="#2f74c8", markersize=5, alpha=0.55, markeredgewidth=0)
        axes.plot([np.mean(values)] * 2, [-index - 0.3, -index + 0.3], color=look("lcm")["color"], linewidth=2.5)
    _lines(axes, [label for label, _ in rows], "cosine within groups minus between groups")
    return figure


@mpl.rc_context(STYLE)
def confusion(share: np.ndarray, labels: list[str], title: str, least: float = 3.0, signed: bool = False) -> Figure:
    """A confusion matrix, row = true, column = predicted, in percent of the row; or the difference of two, in points.

    share: (C, C). Entries of at least `least` either way are printed.
    """
    size = 2.6 + 0.25 * len(share)
    figure = Figure(figsize=(size, size * 0.88), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="predicted", ylabel="true")
    top = max(5.0, float(np.abs(share).max())) if signed else 100.0
    colours = DIVERGING if signed else SHADES
    mesh = axes.pcolormesh(_seen(share), cmap=colours, vmin=-top if signed else 0, vmax=top)
    for row, column in zip(*np.nonzero(np.abs(share) >= least), strict=True):
        value = share[row, column]
        colour = "#ffffff" if abs(value) > 0.6 * top else GREY
        text = f"{value:+.0f}".replace("-", "−") if signed else f"{value:.0f}"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=6.5, color=colour)
    _matrix(figure, axes, mesh, labels, "points" if signed else "% of the true label’s documents")
    return figure


def _seen(share: np.ndarray) -> np.ma.MaskedArray:
    """Percent (C, C) without what no eye can see, half of the bytes."""
    return np.ma.array(share, mask=np.abs(share) < 0.5)


def shares(matrix: np.ndarray) -> np.ndarray:
    """Counts (C, C) in percent of their row."""
    return 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


@mpl.rc_context(STYLE)
def mean_distributions(means: np.ndarray, labels: list[str], title: str) -> Figure:
    """LCM's confusion distribution, mean over the documents of each true label (rows). means: (C, C), in [0, 1]."""
    size = 2.6 + 0.19 * len(labels)
    figure = Figure(figsize=(size, size * 0.86), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="label that gets the mass", ylabel="documents of")
    mesh = axes.pcolormesh(_seen(100 * means), cmap=SHADES, vmin=0, vmax=100)
    _matrix(figure, axes, mesh, labels, "% of the mass")
    return figure


@mpl.rc_context(STYLE)
def worked_target(targets: list[tuple[str, str, np.ndarray]], labels: list[str], title: str) -> Figure:
    """Training targets of one document side by side. targets: (target, name, (C,) distribution); mass in
    percent."""
    figure = Figure(figsize=(5.4, 1.2 + 0.2 * len(labels)), layout="constrained")
    panels = figure.subplots(1, len(targets), sharey=True, squeeze=False)[0]
    for axes, (target, name, mass) in zip(panels, targets, strict=True):
        bars = axes.barh(-np.arange(len(labels)), 100 * mass, color=look(target)["color"], height=0.7)
        for bar, value in zip(bars, 100 * mass, strict=True):
            axes.text(bar.get_width() + 1.5, bar.get_y() + 0.35, f"{value:.1f}", va="center", fontsize=6.5)
        axes.set_title(name, fontsize=9)
        axes.set(xlim=(0, 125), xticks=(0, 50, 100))
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
    panels[0].set_yticks(-np.arange(len(labels)), tick_labels(labels), fontsize=7.5)
    figure.suptitle(textwrap.fill(title, 60), fontsize=9, color=GREY)
    figure.supxlabel("mass of the training target, %", fontsize=9, color=GREY)
    return figure


@mpl.rc_context(STYLE)
def confusion_distribution(rows: list[dict], title: str, n_labels: int, matched_epsilon: float | None) -> Figure:
    """What LCM's label confusion distribution does per epoch: mean over splits, band ± std.

    Dotted lines: an LCD that has learnt nothing (uniform, 1 / n_labels) and the constant target of matched smoothing.
    """
    figure = Figure(figsize=(4.4, 3.3), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylabel="share", ylim=(0, 1.02))
    for key, (label, colour) in LCD_LINES.items():
        if any(row.get(key) is not None for row in rows):
            _line(axes, rows, key, color=colour, label=label)
    axes.axhline(1 / n_labels, color=LCD_LINES["lcd_true"][1], linestyle=":", linewidth=1)
    if matched_epsilon is not None:
        level = 1 - matched_epsilon + matched_epsilon / n_labels
        axes.axhline(level, color=LCD_LINES["sld_true_mean"][1], linestyle=":", linewidth=1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside lower left", ncols=1)
    return figure
