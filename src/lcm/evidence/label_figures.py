"""Figures over the labels of a corpus: how alike their embeddings are, which are confused, where a target's mass goes.

As those of `figures`: matplotlib objects on a transparent ground. No I/O here.
"""

import textwrap
from functools import cache

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from lcm.evidence.figures import BLUE, ORANGE, STYLE, colour_bar, lines, look, panel
from lcm.evidence.svg import GREY

# Each group of labels has a mark of its own.
GROUP_STYLES = [
    ("#2f74c8", "o"), ("#dd6b10", "s"), ("#3a9e5f", "^"), ("#9a6bd0", "D"), ("#c8507a", "v"), ("#a08a1a", "P"),
    ("#3aa0a8", "X"),
]  # fmt: skip
# In 25 steps, so that cells of one colour are one path.
DIVERGING = LinearSegmentedColormap.from_list("diverging", [(*ORANGE, 1.0), (0.5, 0.5, 0.5, 0.0), (*BLUE, 1.0)], 25)
SHADES = LinearSegmentedColormap.from_list("shades", [(*BLUE, 0.0), (*BLUE, 1.0)], 25)


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
    if tick_labels(labels) == labels:
        return ""
    return ", ".join(f"{number} {label}" for number, label in enumerate(labels, 1))


def cosine_matrix(cosine: np.ndarray, labels: list[str], title: str) -> Figure:
    """Fig. 2a: cosine between any two label embeddings, -1 orange, 0 clear, 1 blue. cosine: (C, C)."""
    return _matrix(cosine, labels, DIVERGING, (-1, 1), "cosine", title=title)


@mpl.rc_context(STYLE)
def _matrix(
    values: np.ndarray, labels: list[str], colours, ends: tuple[float, float], unit: str, entry=0.19, **texts
) -> Figure:
    """A (C, C) picture with labels on both axes and a colour bar. entry: its side in inches. texts: of the axes."""
    size = 2.6 + entry * len(labels)
    figure, axes = panel(size, size * 0.87, **texts)
    mesh = axes.pcolormesh(values, cmap=colours, vmin=ends[0], vmax=ends[1])
    axes.invert_yaxis()
    middles, names = np.arange(len(labels)) + 0.5, tick_labels(labels)
    axes.set_xticks(middles, names, rotation=90, fontsize=8)
    axes.set_yticks(middles, names, fontsize=8)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    colour_bar(figure, axes, mesh.norm, mesh.cmap, unit)
    return figure


@mpl.rc_context(STYLE)
def label_map(places: np.ndarray, labels: list[str], groups: list[str], title: str) -> Figure:
    """Fig. 2b: label embeddings in the plane, coloured and marked by group. places: (C, 2). groups: of each label."""
    figure, axes = panel(5.2, 4.4, title=title, xticks=[], yticks=[])
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
    figure, axes = panel(4.4, 1.1 + 0.34 * len(rows), title="all runs")
    axes.axvline(0, color=GREY, linewidth=1)
    for index, (_, values) in enumerate(rows):
        axes.plot(values, [-index] * len(values), "o", color="#2f74c8", markersize=5, alpha=0.55, markeredgewidth=0)
        axes.plot([np.mean(values)] * 2, [-index - 0.3, -index + 0.3], color=look("lcm")["color"], linewidth=2.5)
    lines(axes, [label for label, _ in rows], "cosine within groups minus between groups")
    return figure


@mpl.rc_context(STYLE)
def confusion(share: np.ndarray, labels: list[str], title: str, least: float = 3.0, signed: bool = False) -> Figure:
    """A confusion matrix, row = true, column = predicted, in percent of the row; or the difference of two, in points.

    share: (C, C). Entries of at least `least` either way are printed.
    """
    top = max(5.0, float(np.abs(share).max())) if signed else 100.0
    colours, ends = (DIVERGING, (-top, top)) if signed else (SHADES, (0, top))
    unit, texts = "points" if signed else "% of the true label’s documents", {"xlabel": "predicted", "ylabel": "true"}
    figure = _matrix(_seen(share), labels, colours, ends, unit, 0.25, title=title, **texts)
    for row, column in zip(*np.nonzero(np.abs(share) >= least), strict=True):
        value = share[row, column]
        colour = "#ffffff" if abs(value) > 0.6 * top else GREY
        text = f"{value:+.0f}".replace("-", "−") if signed else f"{value:.0f}"
        place = {"ha": "center", "va": "center", "fontsize": 6.5}
        figure.axes[0].text(column + 0.5, row + 0.5, text, color=colour, **place)
    return figure


def _seen(share: np.ndarray) -> np.ma.MaskedArray:
    """Percent (C, C) without what no eye can see, half of the bytes."""
    return np.ma.array(share, mask=np.abs(share) < 0.5)


def shares(matrix: np.ndarray) -> np.ndarray:
    """Counts (C, C) in percent of their row."""
    return 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def mean_distributions(means: np.ndarray, labels: list[str], title: str) -> Figure:
    """LCM's confusion distribution, mean over the documents of each true label (rows). means: (C, C), in [0, 1]."""
    texts = {"title": title, "xlabel": "label that gets the mass", "ylabel": "documents of"}
    return _matrix(_seen(100 * means), labels, SHADES, (0, 100), "% of the mass", **texts)


@mpl.rc_context(STYLE)
def worked_target(targets: list[tuple[str, str, np.ndarray]], labels: list[str], title: str) -> Figure:
    """Training targets of one document side by side, in percent. targets: (target, name, (C,) distribution)."""
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
