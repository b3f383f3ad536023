"""Figures over the labels of a corpus: how alike their embeddings are, where the confusion distribution puts its mass.

As those of `figures`: matplotlib objects on a transparent ground. No I/O here.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from lcm.evidence.figures import BLUE, ORANGE, STYLE, colour_bar, panel
from lcm.evidence.svg import GREY

# Each group of labels has a mark of its own.
GROUP_STYLES = [
    ("#2f74c8", "o"), ("#dd6b10", "s"), ("#3a9e5f", "^"), ("#9a6bd0", "D"), ("#c8507a", "v"), ("#a08a1a", "P"),
    ("#3aa0a8", "X"),
]  # fmt: skip
# In 25 steps: a page has a rule for each colour that it shows.
DIVERGING = LinearSegmentedColormap.from_list("diverging", [(*ORANGE, 1.0), (0.5, 0.5, 0.5, 0.0), (*BLUE, 1.0)], 25)
SHADES = LinearSegmentedColormap.from_list("shades", [(*BLUE, 0.0), (*BLUE, 1.0)], 25)


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
def label_map(places: np.ndarray, labels: list[str], groups: list[str], title: str) -> Figure:
    """Fig. 2b: label embeddings in the plane, coloured and marked by group. places: (C, 2). groups: of each label."""
    figure, axes = panel(5.2, 4.4, title=title, xticks=[], yticks=[])
    shared = [group for group in dict.fromkeys(groups) if groups.count(group) > 1]
    names = [
        text.removeprefix(f"{group}.") if group in shared else text for text, group in zip(labels, groups, strict=True)
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


def mean_distributions(means: np.ndarray, labels: list[str], title: str) -> Figure:
    """LCM's confusion distribution, mean over the documents of each true label (rows). means: (C, C), in [0, 1]."""
    texts = {"title": title, "xlabel": "label that gets the mass", "ylabel": "documents of"}
    seen = np.ma.array(100 * means, mask=100 * means < 0.5)  # without what no eye can see, half of the bytes
    return _matrix(seen, labels, SHADES, (0, 100), "% of the mass", **texts)
