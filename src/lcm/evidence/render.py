"""Tables as HTML, Markdown and terminal text. No numbers are made here."""

import textwrap
from html import escape

from lcm.evidence.findings import gaps
from lcm.evidence.paper import paper_accuracy
from lcm.evidence.results import ARMS, METHODS, NOT_RUN, STALE, Grid, compare_cells
from lcm.evidence.tables import (
    NOTHING, Entry, Table, finished, interval, ours, percent, points, setting_name, strengths,
)  # fmt: skip


def to_markdown(table: Table) -> str:
    """One GitHub-flavoured table per group, under the table's heading."""

    def flat(entry: Entry, glue: str = " ") -> str:
        text = entry if isinstance(entry, str) else glue.join(part for part in entry if part)
        return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")

    lines = [f"## {escape(table.title, quote=False)}", "", *([escape(table.note, quote=False), ""] if table.note else [])]
    for heading, rows in table.groups:
        name, small = (heading, "") if isinstance(heading, str) else heading
        lines += [*([f"### {flat(name)}", ""] if name else []), *([flat(small), ""] if small else [])]
        lines += ["| " + " | ".join(map(flat, table.columns)) + " |", "|---" + "|---:" * (len(table.columns) - 1) + "|"]
        lines += ["| " + " | ".join([flat(row[0], ", "), *map(flat, row[1:])]) + " |" for row in rows] + [""]
    return "\n".join(lines)


def to_html(table: Table, level: str = "h2", kind: str = "plain") -> str:
    """One table in a box that scrolls sideways; group headings are rows that stay in view.

    level: of the title's heading, "" for none. kind: CSS class.
    """

    def inner(entry: Entry) -> str:
        if isinstance(entry, str):
            return escape(entry)
        small = escape(entry[1]).replace("\n", " <br>")
        return escape(entry[0]) + (f" <small>{small}</small>" if small else "")

    def data(entry: Entry) -> str:
        gap = entry in (NOT_RUN, STALE) or "failed" in "".join(entry)
        return f"<td{' class=gap' if gap else ' class=none' if entry == NOTHING else ''}>{inner(entry)}</td>"

    head = "".join(f'<th scope="col">{inner(column)}</th>' for column in table.columns)
    body = ""
    for name, rows in table.groups:
        group = f'<th scope="rowgroup" colspan="{len(table.columns)}"><span>{inner(name)}</span></th>'
        body += f'<tbody><tr class="group">{group}</tr>\n' if name else "<tbody>"
        for row in rows:
            body += f'<tr><th scope="row">{inner(row[0])}</th>{"".join(map(data, row[1:]))}</tr>\n'
        body += "</tbody>\n"
    return (
        (f"<{level}>{escape(table.title)}</{level}>\n" if level else "")
        + f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead>\n{body}</table></div>\n'
        + (f'<p class="note">{escape(table.note)}</p>\n' if table.note else "")
    )


def _not_run(grid: Grid) -> list[tuple[str, list[str]]]:
    """(setting, its cells without a result: model and arm), [] for a setting of which nothing was run."""
    found = []
    for corpus, noise in grid.settings():
        cells = [cell for cell in grid.cells if (cell.corpus, cell.noise) == (corpus, noise)]
        missing = [cell for cell in cells if cell.state == NOT_RUN]
        if missing:
            some = len(missing) < len(cells)
            found.append((setting_name(corpus, noise), [cell.short_name for cell in missing] if some else []))
    return found


def to_text(grid: Grid, page: str) -> str:
    """The terminal's table, at most 100 columns: paper | ours | n for every method, what is missing, the page's path."""

    def ascii_minus(text: str) -> str:
        return text.replace("−", "-").replace(NOTHING, "-")

    head = f"  {'model':<14} {'method':<15}{'paper':>13}  {'ours':>13}  {'n':>3}   LCM - this [95 % CI]"
    lines = [f"study {grid.study}: test accuracy in %, mean ± std over n splits"]
    for corpus, noise in grid.settings():
        if all(cell.state == NOT_RUN for cell in grid.cells if (cell.corpus, cell.noise) == (corpus, noise)):
            continue
        lines += ["", f"{setting_name(corpus, noise)}   ({strengths(grid, corpus, noise) or 'no results yet'})", head]
        for model in [*grid.models(corpus, noise), "linear"]:
            if all(cell.state == NOT_RUN for cell in grid.cells if (cell.corpus, cell.noise, cell.model) == (corpus, noise, model)):
                continue
            for method in (*METHODS, *ARMS["linear"]):
                cell = grid.cell(corpus, noise, model, method)
                if cell is None:
                    continue
                test = grid.compare(corpus, noise, model, "lcm", method) if method in METHODS[:3] else None
                difference = f"{points(test.mean)} {interval(test.ci95)}" if test else ""
                entry = ours(cell, method)
                entry = entry if isinstance(entry, str) else entry[0]  # failed runs are listed below, and n shows them
                paper = percent(paper_accuracy(corpus, noise, model, method))
                line = f"  {model:<14} {method:<15}{paper:>13}  {entry:>13}  "
                line += f"{finished(grid, corpus, noise, model, (method,)):>3}   {difference}"
                lines.append(ascii_minus(line).rstrip())
            for cell in grid.variations(corpus, noise, model):
                (method,), lcm = cell.methods, grid.cell(corpus, noise, model, "lcm")
                test = compare_cells(lcm, "lcm", cell, method) if lcm else None
                entry = ours(cell, method)
                entry = entry if isinstance(entry, str) else entry[0]
                difference = f"{points(test.mean)} {interval(test.ci95)}" if test else ""
                line = f"  {model:<14} {cell.arm:<28}  {entry:>13}  {len(cell.scores(method, 'accuracy')):>3}   {difference}"
                lines.append(ascii_minus(line).rstrip())
    problems = [line for line in gaps(grid) if not line.endswith(f": {NOT_RUN}")]
    missing = [f"{name}: {', '.join(tails)}" if tails else name for name, tails in _not_run(grid)]
    problems += [f"not run: {'; '.join(missing)}"] * bool(missing)
    for problem in problems:
        lines += ["", *textwrap.wrap(ascii_minus(problem), 100, break_on_hyphens=False, subsequent_indent="  ")]
    return "\n".join([*lines, "", f"report: {page}"])
