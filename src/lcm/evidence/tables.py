"""What a table is, how its entries are written, and the forms it takes: Markdown, CSV, text (and the page's HTML)."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from itertools import compress

from lcm.evidence.names import SYMBOLS, TEXTS, method_name
from lcm.evidence.results import Result, Summary
from lcm.evidence.statistics import Paired
from lcm.evidence.verdicts import interval, points
from lcm.study import YARDSTICKS, target_facts

NOTHING = "–"
Entry = str | tuple[str, str]  # a table entry, or (entry, small print under it)
Row = list[Entry]


@dataclass(frozen=True)
class Table:
    """name: of its CSV file. Rows stand in groups with a heading each ("" for none); a row's first entry names it."""

    name: str
    title: str
    columns: Row
    groups: list[tuple[str, list[Row]]] = field(default_factory=list)
    note: str = ""

    @cached_property
    def words(self) -> list[bool]:
        """Which columns hold words: they are aligned left, numbers right."""
        rows = [row for _, rows in self.groups for row in rows]
        return [not all(map(_is_number, column)) for column in zip(*rows, strict=True)] if rows else []

    @property
    def size(self) -> int:
        """How many rows it has."""
        return sum(len(rows) for _, rows in self.groups)


def table(name: str, title: str, columns: str, groups: list[tuple[str, list[Row]]], note: str = "") -> Table:
    """A table without its empty groups. columns: "name | name: small print | ...". note: a key of the texts' notes."""
    heads: Row = [
        (head[0], head[1]) if len(head := c.strip().split(": ", 1)) > 1 else head[0] for c in columns.split("|")
    ]
    return Table(name, title, heads, [group for group in groups if group[1]], TEXTS["notes"].get(note, note))


# -------------------------------------------------------------------------------------------------------------- entries


def percent(value: Summary | tuple | None) -> Entry:
    """Mean and std in percent with the paper's precision."""
    return _with_std(value, 100, 2)


def plain(value: Summary | tuple | None) -> Entry:
    """Mean and std of something in nats or without a unit."""
    return _with_std(value, 1, 3)


def _with_std(value: Summary | tuple | None, scale: float, digits: int) -> Entry:
    """A single run has no std."""
    if value is None:
        return NOTHING
    mean, std = value if isinstance(value, tuple) else (value.mean, value.std)
    text = f"{scale * mean:.{digits}f}"
    return text if std is None else (text, f"± {scale * std:.{digits}f}")


def mean_accuracy(result: Result | None) -> str:
    """In percent with one digit."""
    return f"{100 * result.summary().mean:.1f}" if result else NOTHING


def p_value(p: float | None) -> str:
    return NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def ours(result: Result, metric: str = "accuracy", show=percent, of: str = "test") -> Entry:
    """Our entry: mean and std, or why there is none. Failed runs are always named."""
    if not result.done:
        return result.state
    summary, failed = result.summary(metric, of), len(result.failures)
    if failed:
        return flat(show(summary)) if summary else "failed", f"{failed} of {len(result.record['runs'])} runs failed"
    return show(summary)


def count(result: Result) -> str:
    summary = result.summary()
    return summary.count if summary else "0"


def tested(test: Paired | None, word: str = "") -> Entry:
    """A difference in points with its 95 % interval and, if given, the verdict's word; of two splits neither."""
    if test is None:
        return NOTHING
    small = [interval(test.ci95), word] if test.n > 2 else ["n too small"]
    return points(test.value), "\n".join(filter(None, small))


def named(result: Result) -> Entry:
    """A method's short name, and below it its strength, or that it is a ceiling."""
    short = method_name(result.method, short=True)
    if result.method in YARDSTICKS:
        return short
    target, below = target_facts()[result.target], ""
    knob = "epsilon" if result.target == "ls_matched" else target.knob
    if result.parts:
        by_method = {part.method: part.settings.get(knob, 0.0) for part in result.parts}  # cross-entropy has none
        values = [by_method[method] for method in result.record["chosen"].values()]
        often = max(dict.fromkeys(values), key=values.count)
        at_end = often in {max(by_method.values())} | ({min(by_method.values())} - {0.0})
        below = f"most often {_setting(knob, often)}{', the end of what was tried' if at_end else ''}"
    elif knob in result.settings and (result.target == "ls_matched" or not result.varied):
        below = _setting(knob, result.settings[knob])
    below = ", ".join(filter(None, [below, "ceiling" if target.ceiling else ""]))
    return (short, below) if below else short


def _setting(key: str, value: float) -> str:
    return SYMBOLS.get(key, f"{key} = {{}}").format(f"{value:.3g}")


# -------------------------------------------------------------------------------------------------------------- writing


def flat(entry: Entry) -> str:
    """An entry and its small print in one line: '71.6 ± 0.5', '+2.97 [+1.77, +4.16] LCM better', 'LCM, α = 2'."""
    parts = [entry] if isinstance(entry, str) else [part for part in entry if part]
    glue = " " if parts[1:] and parts[1][0] in "±[" else ", "
    return glue.join(parts).replace("\n", " ")


def to_markdown(table: Table, level: int = 2) -> str:
    """One GitHub-flavoured table per group, under the table's heading (level 0: none, and groups have bold lines)."""

    def line(row: Row) -> str:
        return "| " + " | ".join(escape(flat(entry), quote=False).replace("|", "\\|") for entry in row) + " |"

    lines = [f"{'#' * level} {escape(table.title, quote=False)}", ""] if level else []
    lines += [escape(table.note, quote=False), ""] if table.note else []
    for heading, rows in table.groups:
        above = escape(heading, quote=False)
        lines += [f"{'#' * (level + 1)} {above}" if level else f"**{above.capitalize()}**", ""] if heading else []
        sides = ["---" if words or not index else "---:" for index, words in enumerate(table.words)]
        lines += [line(table.columns), f"|{'|'.join(sides)}|"]
        lines += [*map(line, rows), ""]
    return "\n".join(lines)


def _is_number(entry: Entry) -> bool:
    """Return whether an entry begins with a number or stands for a missing one; such columns are aligned right."""
    return re.match(r"[-−+×<]?\s?\d|$|–|not run|stale|failed", flat(entry)) is not None


def to_text(table: Table) -> str:
    """The table for a terminal, only the columns with an entry; ASCII but for ± and letters."""
    rows = [row for _, of in table.groups for row in of]
    used = [any(row[index] not in (NOTHING, "") for row in rows) for index in range(len(table.columns))]

    def line(row: Row) -> list[str]:
        first, *rest = (_ascii(entry) for entry in compress(row, used))
        return [f"  {first}", *rest]

    lines = []
    for heading, of in table.groups:
        lines += [[""], [_ascii(heading)], line(table.columns), *map(line, of)]
    return "\n".join(aligned(lines))


def aligned(lines: list[list[str]]) -> list[str]:
    """Text in columns as wide as they must be, the first aligned left and the others right.

    A line of one entry is a heading: it takes no part in the widths.
    """
    columns = zip(*(line for line in lines if len(line) > 1), strict=True)
    first, *rest = (max(map(len, column)) for column in columns)
    # `map` ends with the line.
    return ["  ".join([line[0].ljust(first), *map(str.rjust, line[1:], rest)]).rstrip() for line in lines]


def _ascii(entry: Entry) -> str:
    return flat(entry).replace("−", "-").replace("–", "-")


def to_csv(table: Table) -> str:
    """Comma-separated values; the group's heading is the first column, small print a column of its own."""
    rows = [(heading, row) for heading, of in table.groups for row in of]
    small = [any(isinstance(row[index], tuple) for _, row in rows) for index in range(len(table.columns))]
    heads = zip(map(flat, table.columns), small, strict=True)
    lines = [["group", *(name for head, two in heads for name in [head, f"{head} (more)"][: 1 + two])]]
    for heading, row in rows:
        pairs = [(entry, "") if isinstance(entry, str) else entry for entry in row]
        entries = [pair[: 1 + two] for pair, two in zip(pairs, small, strict=True)]
        lines.append([heading, *(part.replace("\n", "; ") for pair in entries for part in pair)])
    return csv_text(lines)


def csv_text(rows: Iterable[Iterable]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
