"""matplotlib's SVG as a file of its own, or as a part of the page, without what nobody sees. No I/O here."""

import io
import re
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

GREY = "#7d7d7d"  # readable on white and on black; in the page and in files it becomes `currentColor`
FONT = "'DejaVu Sans',sans-serif"
JOINS = "stroke-linejoin:round;stroke-linecap:butt"  # of every shape, unless its own style says otherwise
UNSEEN = (  # heads and comments, names of groups, shapes without a colour, turns by nothing, fonts
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<style.*?</style>",
    r'(?<=<g) id="[^"]*"(?=>)',
    r'<path d="[^"]*"(?: clip-path="[^"]*")? style="fill: none"/>',
    r' transform="rotate\(-?0 [^"]*"',
    r" font-family: [^\";]*;",
)
PLACES = re.compile(r' (?:d|x|y|transform)="[^"]*"')
NUMBER = re.compile(r"-?\d+\.\d+")


def to_svg(figure: Figure) -> str:
    """The same text for the same figure, coordinates in tenths of a point; for `standalone` or `inline`."""
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lcm"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = file.getvalue()
    for pattern in UNSEEN:
        svg = re.sub(pattern, "", svg, flags=re.DOTALL)
    svg = PLACES.sub(lambda place: NUMBER.sub(lambda number: f"{float(number[0]):.1f}", place[0]), svg)
    svg = re.sub(r"\s+", " ", svg).replace("> <", "><")
    return svg.replace(GREY, "currentColor").replace("<svg", f'<svg font-family="{FONT}"', 1)


def standalone(svg: str) -> str:
    """The SVG as a file of its own: its grey becomes a text colour that follows the reader's light or dark setting."""
    classes: dict[str, str] = {}
    svg = _with_classes(svg, classes)
    style = f"svg{{color:#3d444d}}@media(prefers-color-scheme:dark){{svg{{color:#c9d1d9}}}}*{{{JOINS}}}{css(classes)}"
    return svg.replace(">", f"><style>{style}</style>", 1) + "\n"


def inline(svg: str, name: str, label: str, classes: dict[str, str]) -> str:
    """The SVG as part of a page: ids made unique by `name`, `label` for screen readers.

    Styles become classes. classes: style -> class, of the whole page; new ones are added.
    """
    width = float(svg.split('viewBox="0 0 ')[1].split()[0])  # hardly enlarged, or its letters outgrow the page's
    svg = re.sub(r'<svg[^>]* (viewBox="[^"]*")[^>]*>', r"<svg \1>", svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    attributes = f'role="img" aria-label="{escape(label)}" style="max-width:{width / 11:.1f}rem"'
    return _with_classes(svg, classes).replace("<svg", f"<svg {attributes}", 1)


def css(classes: dict[str, str]) -> str:
    """The rules of what `inline` has made classes of."""
    return "".join(f".{name}{{{style}}}" for style, name in classes.items())


def _with_classes(svg: str, classes: dict[str, str]) -> str:
    return re.sub(r' style="([^"]*)"', lambda m: f' class="{classes.setdefault(m[1], f"z{len(classes)}")}"', svg)
