"""The figures, as matplotlib objects on a transparent ground, and their bytes as SVG and PNG.

Everything that is not a method's colour is drawn in one middle grey, readable on white and on black. In the page it
becomes `currentColor`, so that the figures follow the reader's light or dark setting. No I/O here.
"""

import io
import re
from functools import cache
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from lcm.evidence.statistics import Paired
from lcm.evidence.tables import METHOD_NAMES

GREY = "#7d7d7d"
# Label smoothing is blue twice, LCM orange, the plain baseline grey; distinct in hue or lightness to every kind of
# colour vision, and by dash as well.
COLOURS = {"base": "#999999", "ls": "#4aa3df", "ls_matched": "#2f74c8", "lcm": "#dd6b10"}
DASHES = {"base": (0, (1, 1)), "ls": (0, (4, 1.5)), "ls_matched": "-", "lcm": "-"}
MARKS = {"base": "o", "ls": "^", "ls_matched": "s", "lcm": "D"}
# For label groups and the like: tab10 without its greys, each with a mark of its own.
GROUP_STYLES = [("#2f74c8", "o"), ("#dd6b10", "s"), ("#3a9e5f", "^"), ("#9a6bd0", "D"), ("#c8507a", "v"), ("#a08a1a", "P"), ("#3aa0a8", "X")]
DIVERGING = LinearSegmentedColormap.from_list("diverging", [(0.87, 0.42, 0.06, 1.0), (0.5, 0.5, 0.5, 0.0), (0.14, 0.45, 0.75, 1.0)])
_GEOMETRY = re.compile(r' (?:d|x|y|transform|points)="[^"]+"')
_DECIMALS = re.compile(r"-?\d+\.\d{2,}(?![\d.]|e)")
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


def method_series(rows: list[dict]) -> list[tuple[str, list[dict], dict]]:
    """Rows of curves files -> (label, rows, line style) of each method, for `curves`."""
    return [
        (METHOD_NAMES[method], mine, {"color": colour, "linestyle": DASHES[method]})
        for method, colour in COLOURS.items()
        if (mine := [row for row in rows if row["method"] == method])
    ]


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
    axes.legend(loc="lower right")
    return figure


@mpl.rc_context(STYLE)
def gains(rows: list[tuple[str, dict[str, Paired]]], others: list[str]) -> Figure:
    """Paired differences LCM - other in points: one column per other method, one line per cell, from top to bottom.

    Dot: mean over splits; thick 90 % and thin 95 % interval of the corrected test. rows: (cell's label, {other method: test}).
    """
    figure = Figure(figsize=(2.0 + 2.4 * len(others), 1.0 + 0.24 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(others), sharex=True, sharey=True, squeeze=False)[0]  # one scale: panels are compared
    for axes, other in zip(panels, others, strict=True):
        axes.axvline(0, color=GREY, linewidth=1)
        for index, (_, tests) in enumerate(rows):
            if other not in tests:
                continue
            test, style = tests[other], {"color": COLOURS["lcm"] if other == "base" else COLOURS[other], "solid_capstyle": "butt"}
            for ci, width in ((test.ci95, 1.3), (test.ci90, 3.4)):
                if ci:
                    axes.plot([100 * ci[0], 100 * ci[1]], [-index] * 2, linewidth=width, **style)
            axes.plot(100 * test.mean, -index, MARKS[other], markersize=5, **style)
        axes.set_title(f"LCM minus {METHOD_NAMES[other]}", fontsize=9, loc="left" if len(others) == 1 else "center")
        axes.set(xlabel="points of test accuracy", ylim=(-len(rows) + 0.4, 0.6))
        axes.set_yticks(-np.arange(len(rows)), [label for label, _ in rows], fontsize=8)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.08)
    return figure


@mpl.rc_context(STYLE)
def noise(points: dict[str, list[tuple[float, float, float | None]]], paper: dict[str, list[tuple[float, float]]], title: str) -> Figure:
    """Test accuracy by rate of wrong labels, band ± std over splits; small marks: the paper's numbers.

    points: method -> (noise in percent, mean and std in [0, 1]), ascending. paper: method -> (noise, mean).
    """
    figure = Figure(figsize=(4.4, 3.1), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="wrong labels in the training part, %", ylabel="test accuracy, %")
    for method, values in points.items():
        rates, means = [rate for rate, _, _ in values], np.array([mean for _, mean, _ in values])
        stds = np.array([std or 0.0 for _, _, std in values])
        style = {"color": COLOURS[method], "linestyle": DASHES[method], "marker": MARKS[method], "markersize": 4}
        axes.plot(rates, 100 * means, label=METHOD_NAMES[method], **style)
        axes.fill_between(rates, 100 * (means - stds), 100 * (means + stds), color=COLOURS[method], alpha=0.15, linewidth=0)
    for method, values in paper.items():
        style = {"color": COLOURS[method], "linestyle": "none", "marker": MARKS[method], "markersize": 6, "fillstyle": "none"}
        axes.plot([rate for rate, _ in values], [100 * mean for _, mean in values], **style)
    axes.set_xticks(sorted({rate for values in points.values() for rate, _, _ in values}))
    axes.legend(loc="lower left")
    return figure


@mpl.rc_context(STYLE)
def sweep(points: dict[str, list[tuple[float, float, float | None, str]]], title: str, xlabel: str, level: float | None = None) -> Figure:
    """Test accuracy in percent over one number.

    points: method -> (x, mean and std in [0, 1], its name on the edge). level: cross-entropy's mean, where it has no x.
    """
    figure = Figure(figsize=(4.4, 3.6), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=xlabel, ylabel="test accuracy, %")
    if level is not None:
        axes.axhline(100 * level, color=COLOURS["base"], linestyle=DASHES["base"], label=METHOD_NAMES["base"])
    for method, values in points.items():
        values = sorted(values)
        style = {"color": COLOURS[method], "linestyle": DASHES[method] if len(values) > 1 else "none", "marker": MARKS[method]}
        x, means, stds = ([value[column] for value in values] for column in (0, 1, 2))
        bars = [100 * (std or 0.0) for std in stds]
        axes.errorbar(x, [100 * mean for mean in means], yerr=bars, markersize=5, elinewidth=1, label=METHOD_NAMES[method], **style)
        for at, _, _, text in values:  # along an edge, upright: beside their dots neighbours would cover each other
            height, side = (0.98, "top") if method in ("ls", "ls_matched") else (0.02, "bottom")
            place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": side, "rotation": 90}
            axes.text(at, height, text, fontsize=7, color=COLOURS[method], **place)
    axes.margins(0.05, 0.3 if any(text for values in points.values() for *_, text in values) else 0.1)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def tick_labels(labels: list[str]) -> list[str]:
    """The labels, or their numbers from 1 if matplotlib's own font lacks a letter of one of them (Chinese).

    The PNG would show boxes, and any other font may be missing on the next machine.
    """
    return labels if all(map(_drawable, "".join(labels))) else [str(number) for number in range(1, len(labels) + 1)]


@cache
def _drawable(letter: str) -> bool:
    return get_font(findfont(FontProperties(family="DejaVu Sans"))).get_char_index(ord(letter)) != 0


def label_key(labels: list[str]) -> str:
    """What the numbers of `tick_labels` stand for, or "" if it shows the labels themselves."""
    return "" if tick_labels(labels) == labels else ", ".join(f"{number} {label}" for number, label in enumerate(labels, 1))


@mpl.rc_context(STYLE)
def cosine_matrix(cosine: np.ndarray, labels: list[str], title: str) -> Figure:
    """Fig. 2a: cosine between any two label embeddings, -1 orange, 0 clear, 1 blue. cosine: (C, C)."""
    size = 2.4 + 0.17 * len(labels)
    figure = Figure(figsize=(size, size * 0.9), layout="constrained")
    axes = figure.add_subplot(title=title)
    axes.pcolormesh(cosine, cmap=DIVERGING, vmin=-1, vmax=1, edgecolors="none")
    axes.invert_yaxis()
    middles, names = np.arange(len(labels)) + 0.5, tick_labels(labels)
    axes.set_xticks(middles, names, rotation=90, fontsize=7)
    axes.set_yticks(middles, names, fontsize=7)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure


@mpl.rc_context(STYLE)
def label_map(places: np.ndarray, labels: list[str], groups: list[str], title: str) -> Figure:
    """Fig. 2b: label embeddings in the plane, coloured and marked by group. places: (C, 2). groups: of each label."""
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.add_subplot(title=title, xticks=[], yticks=[])
    shared = [group for group in dict.fromkeys(groups) if groups.count(group) > 1]
    for group in [*shared, None]:
        mine = [index for index, name in enumerate(groups) if (name if name in shared else None) == group]
        colour, mark = GROUP_STYLES[shared.index(group) % len(GROUP_STYLES)] if group else (GREY, "o")
        if mine:
            axes.plot(*places[mine].T, mark, color=colour, markersize=6, label=group or "alone in its group")
        for index in mine:
            text = tick_labels(labels)[index].removeprefix(f"{group}.")
            axes.annotate(text, places[index], xytext=(5, 2), textcoords="offset points", fontsize=7, color=colour)
    axes.margins(0.16, 0.06)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, handletextpad=0.1, columnspacing=1.0)
    return figure


@mpl.rc_context(STYLE)
def group_cosines(rows: list[tuple[str, list[float]]]) -> Figure:
    """Mean cosine of label embeddings within groups minus between groups: a dot per split, a bar at their mean.

    rows: (cell's label, one number per split), from top to bottom.
    """
    figure = Figure(figsize=(4.4, 1.1 + 0.34 * len(rows)), layout="constrained")
    axes = figure.add_subplot(title="all splits", xlabel="cosine within groups minus between groups")
    axes.axvline(0, color=GREY, linewidth=1)
    for index, (_, values) in enumerate(rows):
        axes.plot(values, [-index] * len(values), "o", color=COLOURS["ls_matched"], markersize=5, alpha=0.55, markeredgewidth=0)
        axes.plot([np.mean(values)] * 2, [-index - 0.3, -index + 0.3], color=COLOURS["lcm"], linewidth=2.5)
    axes.set(ylim=(-len(rows) + 0.4, 0.6))
    axes.set_yticks(-np.arange(len(rows)), [label for label, _ in rows], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
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
    middles, names = np.arange(k) + 0.5, tick_labels(labels)
    axes.set_xticks(middles, names, rotation=90, fontsize=7)
    axes.set_yticks(middles, names, fontsize=7)
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
    svg, png = io.StringIO(), io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        figure.set_layout_engine("none")  # the layout stands; working it out again would take half the time
        figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    # A tenth of a point is precise enough, and a third of the bytes.
    return _GEOMETRY.sub(lambda part: _DECIMALS.sub(lambda number: f"{float(number[0]):.1f}", part[0]), svg.getvalue()), png.getvalue()


def standalone(svg: str) -> str:
    """The SVG as a file of its own: its grey becomes a text colour that follows the reader's light or dark setting."""
    style = '<style>svg{color:#3d444d}@media(prefers-color-scheme:dark){svg{color:#c9d1d9}}</style>'
    start = svg.index(">", svg.index("<svg")) + 1
    return svg[:start] + style + svg[start:].replace(GREY, "currentColor")


def inline(svg: str, name: str, label: str) -> str:
    """The SVG as part of a page: no prologue, ids made unique by `name`, `label` for screen readers.

    The grey becomes the page's text colour. The embedded style sheet goes, for it would apply to the whole page.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])  # never enlarged by more than a third, or its letters outgrow the page's
    attributes = f'role="img" aria-label="{escape(label)}" style="max-width:{width / 9:.1f}rem"'
    return svg.replace(GREY, "currentColor").replace("<svg", f"<svg {attributes}", 1)
