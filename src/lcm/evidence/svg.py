"""matplotlib's SVG made small: the same picture in a sixth of the bytes. No I/O here.

matplotlib writes a group, an id and a style for every tick. Here an SVG is a flat list of shapes and texts. Shapes of
one style become one path where nothing lies between them; coordinates are tenths of a point and relative.
"""

import io
import re
from dataclasses import dataclass, field
from html import escape
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

GREY = "#7d7d7d"  # readable on white and on black; in the page and in files it becomes `currentColor`
FONT = "'DejaVu Sans',sans-serif"
_NUMBER = re.compile(r"-?[\d.]+(?:e-?\d+)?")
_PATH = re.compile(r"([MLCQz])([^MLCQz]*)")
_STYLE = re.compile(r' style="([^"]*)"')
_DEFAULTS = {"text-anchor": "start", "stroke-dashoffset": "0", "stroke-linecap": "butt", "stroke-linejoin": "round"}
_CIRCLE = 8  # Bézier curves of which matplotlib makes a circle

Point = tuple[int, int]  # in tenths of a point
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass
class _Shape:
    """A path (commands) or a text. box: what it may cover."""

    style: str
    box: Box
    clip: str = ""
    commands: list[tuple[str, list[Point]]] = field(default_factory=list)
    text: str = ""


def to_svg(figure: Figure) -> str:
    """The same text for the same figure, ready to be a file once `standalone` has coloured its grey."""
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lcm"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"|<!DOCTYPE[^>]*>', "", file.getvalue()).replace("xlink:", ""))
    clips = {clip.get("id"): _rectangle(clip.find("rect")) for clip in root.iter("clipPath")}
    marks = {path.get("id"): path for path in root.iter("path") if path.get("id")}
    shapes = _merged(_shapes(root, "", clips, marks))
    used = {shape.clip for shape in shapes}
    parts = [
        f'<clipPath id="{name}"><path d="{_written(_box_path(box))}"/></clipPath>'
        for name, box in clips.items() if name in used
    ]  # fmt: skip
    parts += _elements(shapes)
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{root.get("viewBox")}" font-family="{FONT}">'
    return f"{start}{''.join(parts)}</svg>\n"


def standalone(svg: str) -> str:
    """The SVG as a file of its own: its grey becomes a text colour that follows the reader's light or dark setting."""
    width, height = svg[svg.index('viewBox="0 0 ') + 13 :].partition('"')[0].split()
    style = "<style>svg{color:#3d444d}@media(prefers-color-scheme:dark){svg{color:#c9d1d9}}</style>"
    size = f'<svg width="{width}pt" height="{height}pt"'
    return svg.replace("<svg", size, 1).replace(">", f">{style}", 1).replace(GREY, "currentColor")


def inline(svg: str, name: str, label: str, classes: dict[str, str]) -> str:
    """The SVG as part of a page: ids made unique by `name`, `label` for screen readers.

    Styles become classes. classes: style -> class, of the whole page; new ones are added.
    """
    width = float(svg.split('viewBox="0 0 ')[1].split()[0])  # hardly enlarged, or its letters outgrow the page's
    svg = re.sub(r' xmlns="[^"]*"| font-family="[^"]*"', "", svg.strip()).replace(GREY, "currentColor")
    svg = re.sub(r'(\bid="|url\(#)', rf"\g<1>{name}-", svg)
    svg = _STYLE.sub(lambda match: f" class={classes.setdefault(match[1], f'z{len(classes)}')}", svg)
    attributes = f'role="img" aria-label="{escape(label)}" style="max-width:{width / 11:.1f}rem"'
    return svg.replace("<svg", f"<svg {attributes}", 1)


# -------------------------------------------------------------------------------------------------------------- reading


def _shapes(node: ElementTree.Element, clip: str, clips: dict[str, Box], marks: dict) -> list[_Shape]:
    clip = node.get("clip-path", clip)
    if node.tag == "text":
        return [_text(node)]
    if node.tag in ("path", "use"):
        shape = _path(node, marks)
        if shape and clip and not _inside(shape.box, clips[clip[5:-1]]):
            shape.clip = clip[5:-1]
        return [shape] if shape else []
    return [s for child in node if child.tag != "defs" for s in _shapes(child, clip, clips, marks)]


def _path(node: ElementTree.Element, marks: dict) -> _Shape | None:
    """A path, or a mark where it is used. None for what cannot be seen."""
    x, y = float(node.get("x", 0)), float(node.get("y", 0))
    mark = marks[node.get("href")[1:]] if node.tag == "use" else node
    style = _style(mark) | _style(node)
    if style.get("fill") == "none" and "stroke" not in style:
        return None
    commands = []
    for letter, numbers in _PATH.findall(mark.get("d")):
        values = [float(number) for number in _NUMBER.findall(numbers)]
        points = [(round(10 * (x + a)), round(10 * (y + b))) for a, b in zip(values[::2], values[1::2], strict=True)]
        commands.append((letter, points))
    width = float(style.get("stroke-width", 1)) if "stroke" in style else 0.0
    curves = [letter for letter, _ in commands].count("C")
    if mark is not node and curves == _CIRCLE and style.get("fill") == style.get("stroke", style.get("fill")):
        # A filled circle is a dot: a line of no length with a round cap.
        left, _, right, _ = _around([point for _, points in commands for point in points], 0)
        width += right - left
        style = {"fill": "none", "stroke": style["fill"], "stroke-width": f"{width:.1f}", "stroke-linecap": "round"} | (
            {"stroke-opacity": style["fill-opacity"]} if "fill-opacity" in style else {}
        )
        commands = [("M", [(round(10 * x), round(10 * y))]), ("L", [(round(10 * x), round(10 * y))])]
    box = _around([point for _, points in commands for point in points], width / 2)
    return _Shape(_joined(style), box, commands=commands)


def _text(node: ElementTree.Element) -> _Shape:
    style = _style(node)
    place = node.get("transform", "")
    turned = re.search(r"rotate\((-?[\d.]+)", place)
    angle = float(turned[1]) if turned else 0.0
    if place.startswith("translate"):
        x, y = (float(number) for number in _NUMBER.findall(place)[:2])
    else:
        x, y = float(node.get("x")), float(node.get("y"))
    at = f'x="{x:.1f}" y="{y:.1f}"' if not angle else f'transform="translate({x:.1f} {y:.1f})rotate({angle:g})"'
    size = float(style["font-size"].removesuffix("px"))
    long = 0.75 * size * len(node.text or "")
    left = x - {"middle": long / 2, "end": long}.get(style.get("text-anchor"), 0)
    box = (left, y - size, left + long, y + size / 3) if not angle else (x - long, y - long, x + long, y + long)
    return _Shape(
        _joined(style), box, text=f"<text {at.replace('.0', '')}>{escape(node.text or '', quote=False)}</text>"
    )


def _style(node: ElementTree.Element) -> dict[str, str]:
    pairs = (part.partition(":") for part in node.get("style", "").split(";") if part.strip())
    style = {key.strip(): value.strip() for key, _, value in pairs}
    return {key: value for key, value in style.items() if key != "font-family" and _DEFAULTS.get(key) != value}


def _joined(style: dict[str, str]) -> str:
    for key in ("fill-opacity", "stroke-opacity"):
        if key in style:
            style[key] = f"{float(style[key]):.2g}".removeprefix("0")
    return ";".join(f"{key}:{value}" for key, value in style.items())


# ---------------------------------------------------------------------------------------------------- boxes and merging


def _rectangle(node: ElementTree.Element) -> Box:
    x, y, width, height = (float(node.get(key)) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _box_path(box: Box) -> list[tuple[str, list[Point]]]:
    left, top, right, bottom = (round(10 * value) for value in box)
    return [("M", [(left, top)]), ("L", [(right, top)]), ("L", [(right, bottom)]), ("L", [(left, bottom)]), ("z", [])]


def _around(points: list[Point], more: float) -> Box:
    xs, ys = [x / 10 for x, _ in points], [y / 10 for _, y in points]
    return min(xs) - more, min(ys) - more, max(xs) + more, max(ys) + more


def _inside(box: Box, of: Box, slack: float = 1.0) -> bool:
    return all(box[i] >= of[i] - slack for i in (0, 1)) and all(box[i] <= of[i] + slack for i in (2, 3))


def _overlap(a: Box, b: Box, slack: float = 0.15) -> bool:
    return all(a[i] < b[i + 2] - slack and b[i] < a[i + 2] - slack for i in (0, 1))


def _merged(shapes: list[_Shape]) -> list[_Shape]:
    """Each path joins the last one of its style, each text stands behind it, if nothing in between overlaps it."""
    found: list[_Shape] = []
    for shape in shapes:
        for index in range(len(found) - 1, -1, -1):
            other = found[index]
            if (other.style, other.clip, bool(other.text)) == (shape.style, shape.clip, bool(shape.text)):
                if shape.text:
                    found.insert(index + 1, shape)
                else:
                    other.commands += shape.commands
                    boxes = list(zip(other.box, shape.box, strict=True))
                    other.box = (*map(min, boxes[:2]), *map(max, boxes[2:]))
                break
            if _overlap(other.box, shape.box):
                found.append(shape)
                break
        else:
            found.append(shape)
    return found


# -------------------------------------------------------------------------------------------------------------- writing


def _elements(shapes: list[_Shape]) -> list[str]:
    parts, before = [], ""
    for shape in shapes:
        style = shape.style if shape.text else ""
        if before and style != before:
            parts.append("</g>")
        if style and style != before:
            parts.append(f'<g style="{style}">')
        before = style
        clip = f' clip-path="url(#{shape.clip})"' if shape.clip else ""
        path = _written(shape.commands, closed="stroke" not in shape.style)
        parts.append(shape.text or f'<path style="{shape.style}"{clip} d="{path}"/>')
    return [*parts, "</g>"] if before else parts


def _written(commands: list[tuple[str, list[Point]]], closed: bool = True) -> str:
    """Relative commands, without what moves nowhere. closed: a filled path, which needs no line back to its start."""
    text, last, here, start = "", "", (0, 0), (0, 0)
    for number, (letter, points) in enumerate(commands):
        if letter == "z":
            text, last, here = f"{text}z", "z", start
            continue
        dx, dy = points[-1][0] - here[0], points[-1][1] - here[1]
        following = commands[number + 1][0] if number + 1 < len(commands) else ""
        if letter == "L" and points[-1] == here and last != "m":
            continue
        if letter == "L" and points[-1] == start and (following == "z" or (closed and following in ("M", ""))):
            continue
        if letter == "L" and 0 in (dx, dy):
            letter, numbers = ("h", [dx]) if dy == 0 else ("v", [dy])
        else:
            letter = letter.lower()
            numbers = [value - here[i] for point in points for i, value in enumerate(point)]
        written = "".join(map(_tenths, numbers))
        repeated = letter == last and letter != "m"
        text += written if repeated else letter + written.removeprefix(" ")
        last, here = letter, points[-1]
        start = here if letter == "m" else start
    return text


def _tenths(value: int) -> str:
    sign, (whole, tenth) = "-" if value < 0 else " ", divmod(abs(value), 10)
    return f"{sign}{whole}" if not tenth else f"{sign}{whole or ''}.{tenth}"
