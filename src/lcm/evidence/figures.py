"""Figures of scores and curves, as matplotlib objects on a transparent ground; `svg` writes them.

Everything that is not a target's colour is drawn in one middle grey, readable on white and on black. In the page it
becomes `currentColor`, so that the figures follow the reader's light or dark setting. No I/O here.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_hex
from matplotlib.figure import Figure

from lcm.evidence.names import method_name
from lcm.evidence.rivals import Place
from lcm.evidence.statistics import Estimate
from lcm.evidence.svg import GREY
from lcm.evidence.verdicts import points
from lcm.study import target_facts

# Cross-entropy grey, label smoothing light and dark blue, LCM orange, then the others in the registry's order;
# neighbours differ in hue or lightness for every kind of colour vision, and by dash and mark as well.
PALETTE = ("#999999", "#4aa3df", "#2b62c4", "#dd6b10", "#3a9e5f", "#9a6bd0", "#c8507a", "#a08a1a", "#3aa0a8", "#b0503a")
DASHES = ((0, (1, 1)), (0, (4, 1.5)), "-", "-", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (2, 1)))
MARKS = "o^sDvPX<>hp*"
ORANGE, BLUE = (0.87, 0.42, 0.06), (0.14, 0.45, 0.75)
SOLID = LinearSegmentedColormap.from_list("solid", [ORANGE, (0.6, 0.6, 0.6), BLUE], 25)
# In 25 steps: a page has a rule for each colour that it shows.
DIVERGING = LinearSegmentedColormap.from_list("diverging", [(*ORANGE, 1.0), (0.5, 0.5, 0.5, 0.0), (*BLUE, 1.0)], 25)
SHADES = LinearSegmentedColormap.from_list("shades", [(*BLUE, 0.0), (*BLUE, 1.0)], 25)
STYLE = {
    "text.parse_math": False, "font.size": 9, "legend.fontsize": 8,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "legend.frameon": False,
    "text.color": GREY, "axes.labelcolor": GREY, "axes.titlecolor": GREY, "axes.edgecolor": GREY, "xtick.color": GREY,
    "ytick.color": GREY, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
    "xtick.bottom": False, "ytick.left": False,
    "axes.grid": True, "grid.color": GREY, "grid.alpha": 0.25, "grid.linewidth": 0.6, "lines.linewidth": 1.6,
}  # fmt: skip


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


def panel(width: float, height: float, **texts) -> tuple[Figure, Axes]:
    """A figure of one pair of axes. texts: title, xlabel, ..."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot(**texts)


def _line(axes, x, mean, std, **style) -> None:
    """A line in percent with a band of one standard deviation, if there is one."""
    axes.plot(x, 100 * mean, **style)
    if std is not None:
        axes.fill_between(x, 100 * (mean - std), 100 * (mean + std), color=style["color"], alpha=0.15, linewidth=0)


def ramp(n: int) -> list[str]:
    """n colours in an order that every kind of colour vision sees, readable on white and on black."""
    return [to_hex(mpl.colormaps["plasma"](x)) for x in np.linspace(0.78, 0.30, n)]


@mpl.rc_context(STYLE)
def curves(series: list[tuple[str, list[dict], dict]], title: str, stop: int | None = None) -> Figure:
    """Validation accuracy in percent per epoch: mean over splits, band ± std.

    series: (label, rows of curves files, line style). stop: an epoch to mark, after which LCM was switched off.
    """
    figure, axes = panel(4.4, 3.1, title=title, xlabel="epoch", ylabel="validation accuracy, %")
    for label, rows, style in series:
        if (found := band(rows, "val_accuracy"))[0].size:
            _line(axes, *found, label=label, **style)
    if stop is not None:
        axes.axvline(stop + 0.5, color=GREY, linestyle=(0, (2, 2)), linewidth=1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if max(len(label) for label, _, _ in series) > 20:  # it would cover the curves
        figure.legend(loc="outside lower left", ncols=1)
    else:
        axes.legend(loc="lower right")
    return figure


@mpl.rc_context(STYLE)
def gains(rows: list[tuple[str, dict[str, tuple[Estimate, str, str]]]], titles: list[str]) -> Figure:
    """Differences in points: one column per title, one line per row, from top to bottom.

    Large mark: mean; thick 90 % and thin 95 % interval of the corrected test; small dots: the splits, where it has any.
    rows: (label, {title: (test, colour, mark)}).
    """
    figure = Figure(figsize=(2.2 + 2.4 * len(titles), 1.0 + 0.26 * len(rows)), layout="constrained")
    # One scale: panels are compared.
    panels = figure.subplots(1, len(titles), sharex=True, sharey=True, squeeze=False)[0]
    for axes, title in zip(panels, titles, strict=True):
        axes.axvline(0, color=GREY, linewidth=1)
        for index, (_, tests) in enumerate(rows):
            if title in tests:
                _difference(axes, -index, *tests[title])
        axes.set_title(title, fontsize=9)
        axes.set(xlabel="points of test accuracy", ylim=(-len(rows) + 0.4, 0.6))
        axes.set_yticks(-np.arange(len(rows)), [label for label, _ in rows], fontsize=8)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.08)
    return figure


def _difference(axes, y: float, test: Estimate, colour: str, mark: str) -> None:
    """Mean and intervals of a test in points, and below them the splits' own differences as dots."""
    splits = [100 * value for _, value in getattr(test, "by_split", ())]
    axes.plot(splits, [y - 0.24] * len(splits), ".", color=colour, alpha=0.55, markersize=3)
    for ci, width in ((test.ci95, 1.3), (test.ci90, 3.4)):
        if ci:
            axes.plot([100 * ci[0], 100 * ci[1]], [y] * 2, linewidth=width, color=colour, solid_capstyle="butt")
    axes.plot(100 * test.value, y, mark, markersize=5, color=colour)


@mpl.rc_context(STYLE)
def target_map(places: list[Place], title: str, x_ends: tuple[float, float], y_max: float) -> Figure:
    """Where targets stand: strength (x), structure (y), accuracy over matched smoothing in points (colour).

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
    norm = Normalize(-2, 2)  # points; few gain more, and their colour is that of the end
    marks = _apart(axes, [place.path[-1] for place in places])
    for number, (place, at) in reversed(list(enumerate(zip(places, marks, strict=True), 1))):  # the best on top
        colour = SOLID(norm(100 * place.gain))
        axes.plot(*zip(*place.path, at), color=colour, alpha=0.35, linewidth=1)
        mark = "s" if place.ceiling else "o"
        axes.plot(*at, mark, color=colour, markersize=10, alpha=0.9, clip_on=False)
        axes.text(*at, str(number), color="#ffffff", fontsize=6.5, ha="center", va="center")
    names.axis("off")
    for index, place in enumerate(places):
        gain = points(place.gain, 1) if place.gain else ""
        text = f"{index + 1} {place.name} {gain}"
        names.text(index // lines / 2.8 - 0.04, 1 - (index % lines + 0.5) / lines, text, fontsize=7.5, va="center")
    colour_bar(figure, axes, norm, SOLID, "points over matched smoothing")
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
    texts = {"xlabel": "wrong labels in the training part, %", "ylabel": "test accuracy, %"}
    figure, axes = panel(4.4, 3.1, title=title, **texts)
    for method, values in points.items():
        rates, means, stds = (np.array([value or 0.0 for value in column]) for column in zip(*values, strict=True))
        _line(axes, rates, means, stds, label=method_name(method), **look(method), markersize=4)
    for method, values in paper.items():
        rates, means = np.array(values).T
        axes.plot(rates, 100 * means, **look(method) | {"linestyle": "none", "markersize": 6, "fillstyle": "none"})
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
    figure, axes = panel(4.4, 3.6, title=title, xlabel=xlabel, ylabel="test accuracy, %")
    if level is not None:
        base = look("ce")
        axes.axhline(100 * level, color=base["color"], linestyle=base["linestyle"], label=method_name("ce"))
    for method, values in points.items():
        x, means, stds, names = zip(*sorted(values), strict=True)
        style = look(method) | ({} if len(values) > 1 else {"linestyle": "none"})
        means, bars = 100 * np.array(means), [100 * (std or 0.0) for std in stds]
        axes.errorbar(x, means, yerr=bars, markersize=5, elinewidth=1, label=method_name(method), **style)
        # Names stand along an edge, upright: beside their dots neighbours would cover each other.
        for at, text in zip(x, names, strict=True):
            height, side = (0.98, "top") if method in ("ls", "ls_matched") else (0.02, "bottom")
            place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": side, "rotation": 90}
            axes.text(at, height, text, fontsize=7, color=style["color"], **place)
    axes.margins(0.05, 0.3 if any(text for values in points.values() for *_, text in values) else 0.1)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def colour_bar(figure: Figure, axes, norm, colours, unit: str) -> None:
    """A thin scale beside the axes."""
    bar = figure.colorbar(mpl.cm.ScalarMappable(norm, colours), ax=axes, shrink=0.5, aspect=25, label=unit)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)


def cosine_matrix(cosine: np.ndarray, labels: list[str], title: str) -> Figure:
    """Fig. 2a: cosine between any two label embeddings, -1 orange, 0 clear, 1 blue. cosine: (C, C)."""
    return _matrix(cosine, labels, DIVERGING, (-1, 1), "cosine", title=title)


@mpl.rc_context(STYLE)
def _matrix(values: np.ndarray, labels: list[str], colours, ends: tuple[float, float], unit: str, **texts) -> Figure:
    """A (C, C) picture with labels on both axes and a colour bar. texts: of the axes."""
    size = 2.6 + 0.19 * len(labels)
    figure, axes = panel(size, size * 0.87, **texts)
    mesh = axes.pcolormesh(values, cmap=colours, vmin=ends[0], vmax=ends[1])
    axes.invert_yaxis()
    middles = np.arange(len(labels)) + 0.5
    axes.set_xticks(middles, labels, rotation=90, fontsize=8)
    axes.set_yticks(middles, labels, fontsize=8)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    colour_bar(figure, axes, mesh.norm, mesh.cmap, unit)
    return figure


@mpl.rc_context(STYLE)
def label_map(places: np.ndarray, groups: list[str], title: str) -> Figure:
    """Fig. 2b: label embeddings in the plane, coloured and marked by group. places: (C, 2). groups: of each label."""
    figure, axes = panel(5.2, 4.4, title=title, xticks=[], yticks=[])
    shared = [group for group in dict.fromkeys(groups) if groups.count(group) > 1]
    axes.plot(*places[~np.isin(groups, shared)].T, "o", color=GREY, markersize=6, label="alone in its group")
    for index, group in enumerate(shared):
        colour, mark = PALETTE[2 + index % (len(PALETTE) - 2)], MARKS[1 + index % (len(MARKS) - 1)]
        axes.plot(*places[np.isin(groups, group)].T, mark, color=colour, markersize=6, label=group)
    axes.margins(0.06)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, handletextpad=0.1, columnspacing=1.0)
    return figure


def mean_distributions(means: np.ndarray, labels: list[str], title: str) -> Figure:
    """LCM's confusion distribution, mean over the documents of each true label (rows). means: (C, C), in [0, 1]."""
    texts = {"title": title, "xlabel": "label that gets the mass", "ylabel": "documents of"}
    seen = np.ma.array(100 * means, mask=100 * means < 0.5)  # without what no eye can see, half of the bytes
    return _matrix(seen, labels, SHADES, (0, 100), "% of the mass", **texts)
