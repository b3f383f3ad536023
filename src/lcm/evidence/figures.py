"""The figures, as matplotlib objects on a transparent ground, and their bytes as SVG and PNG.

Everything that is not a method's colour is drawn in one middle grey, readable on white and on black. In the page it
becomes `currentColor`, so that the figures follow the reader's light or dark setting. No I/O here.
"""

import io
import logging
import re
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from lcm.evidence.statistics import Paired
from lcm.evidence.tables import METHOD_NAMES

GREY = "#7d7d7d"
# Label smoothing is blue twice, LCM orange, the plain baseline grey; distinct in hue or lightness to every kind of
# colour vision, and by dash as well.
COLOURS = {"base": "#999999", "ls": "#4aa3df", "ls_matched": "#2f74c8", "lcm": "#dd6b10"}
DASHES = {"base": (0, (1, 1)), "ls": (0, (4, 1.5)), "ls_matched": "-", "lcm": "-"}
SHADES = LinearSegmentedColormap.from_list("shades", [(0.14, 0.45, 0.75, 0.0), (0.14, 0.45, 0.75, 1.0)])
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "lcm", "text.parse_math": False, "font.size": 9, "legend.fontsize": 8,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "legend.frameon": False,
    "text.color": GREY, "axes.labelcolor": GREY, "axes.titlecolor": GREY, "axes.edgecolor": GREY, "xtick.color": GREY,
    "ytick.color": GREY, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
    "axes.grid": True, "grid.color": GREY, "grid.alpha": 0.25, "grid.linewidth": 0.6, "lines.linewidth": 1.6,
}  # fmt: skip
LCD_LINES = {  # column of the curves file: (label, colour)
    "sld_true_mean": ("SLD: mass on the true label", "#dd6b10"),
    "lcd_true": ("LCD: mass on the true label", "#2f74c8"),
    "lcd_in_group": ("LCD: mass on other labels of its group", "#4aa3df"),
    "lcd_label_share": ("LCD: share of variance between labels", "#9a6bd0"),
}


def band(rows: list[dict], key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Epochs, mean and sample std over splits of one column, each of shape (epochs,).

    Only epochs that every split has and where the value is there: a mean over the survivors would mislead. The std is
    None for a single split.
    """
    splits: dict[int, dict[int, float]] = {}
    for row in rows:
        if row.get(key) is not None:
            splits.setdefault(row["split"], {})[row["epoch"]] = row[key]
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


@mpl.rc_context(STYLE)
def curves(rows: list[dict], title: str) -> Figure:
    """Validation accuracy in percent per epoch, one line per method: mean over splits, band ± std."""
    figure = Figure(figsize=(4.4, 3.1), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylabel="validation accuracy, %")
    for method, colour in COLOURS.items():
        mine = [row for row in rows if row["method"] == method]
        if mine:
            style = {"color": colour, "linestyle": DASHES[method], "label": METHOD_NAMES[method]}
            _line(axes, mine, "val_accuracy", 100, **style)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="lower right")
    return figure


@mpl.rc_context(STYLE)
def forest(rows: list[tuple[str, dict[str, Paired]]]) -> Figure:
    """Paired differences LCM - other in points per cell: dot, thick 90 % and thin 95 % interval of the corrected test.

    rows: (cell's label, {other method: test}), drawn from top to bottom.
    """
    figure = Figure(figsize=(4.8, 1.15 + 0.62 * len(rows)), layout="constrained")
    axes = figure.add_subplot(xlabel="difference in test accuracy, points")
    axes.axvline(0, color=GREY, linewidth=1)
    marks = {"base": "o", "ls_matched": "s"}
    for index, (label, tests) in enumerate(rows):
        axes.text(0, -index + 0.36, label, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
        for offset, (other, test) in zip((0.0, 0.27), tests.items(), strict=False):
            style = {"color": COLOURS[other], "solid_capstyle": "butt"}
            for ci, width in ((test.ci95, 1.3), (test.ci90, 3.4)):
                if ci:
                    axes.plot([100 * ci[0], 100 * ci[1]], [-index - offset] * 2, linewidth=width, **style)
            axes.plot(100 * test.mean, -index - offset, marks[other], color=COLOURS[other], markersize=6)
    for other, mark in marks.items():
        axes.plot([], [], mark, color=COLOURS[other], label=f"LCM minus {METHOD_NAMES[other]}")
    axes.set(ylim=(-len(rows) + 0.45, 0.6), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside upper left", ncols=2, handletextpad=0.1, columnspacing=1.2)
    return figure


@mpl.rc_context(STYLE)
def confusion(matrix: list[list[int]], labels: list[str], title: str) -> Figure:
    """Row-normalised confusion matrix in percent. matrix: (labels, labels) counts, row = true, column = predicted."""
    counts = np.asarray(matrix, dtype=float)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    k = len(share)
    size = 2.4 + 0.25 * k
    figure = Figure(figsize=(size, size * 0.92), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="predicted", ylabel="true")
    axes.pcolormesh(share, cmap=SHADES, vmin=0, vmax=100, edgecolors="none")
    axes.invert_yaxis()
    for row, column in zip(*np.nonzero(share >= 3), strict=True):
        value = share[row, column]
        colour = "#ffffff" if value > 45 else GREY
        axes.text(column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center", fontsize=6.5, color=colour)
    middles = np.arange(k) + 0.5
    axes.set_xticks(middles, labels, rotation=90, fontsize=7)
    axes.set_yticks(middles, labels, fontsize=7)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure


@mpl.rc_context(STYLE)
def confusion_distribution(rows: list[dict], title: str, n_labels: int, matched_epsilon: float | None) -> Figure:
    """What LCM's label confusion distribution does per epoch: mean over splits, band ± std.

    Dotted lines: an LCD that has learnt nothing (uniform, 1 / n_labels) and the constant target of matched smoothing.
    """
    figure = Figure(figsize=(4.4, 3.3), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylim=(0, 1.02))
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


def to_bytes(figure: Figure) -> tuple[str, bytes]:
    """(SVG, PNG) of a figure, the same bytes for the same figure."""
    # Labels may need glyphs (Chinese) that the PNG's bundled font lacks; the SVG leaves fonts to the reader.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    svg, png = io.StringIO(), io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        figure.set_layout_engine("none")  # the layout stands; working it out again would take half the time
        figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    return svg.getvalue(), png.getvalue()


def inline(svg: str, name: str, label: str) -> str:
    """The SVG as part of a page: no prologue, ids made unique by `name`, `label` for screen readers.

    The grey becomes the page's text colour. The embedded style sheet goes, for it would apply to the whole page.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace(GREY, "currentColor").replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
