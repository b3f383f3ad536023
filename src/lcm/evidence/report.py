"""Write everything a study's reader looks at: metrics for DVC, Markdown tables, figures, and one HTML page.

Input are metrics files only; nothing is trained, and neither torch nor any model is imported.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from matplotlib.figure import Figure

from lcm.errors import UserError
from lcm.evidence import figures
from lcm.evidence.findings import findings, gaps
from lcm.evidence.paper import paper_source
from lcm.evidence.provenance import cell_configs, provenance_table
from lcm.evidence.render import to_html, to_markdown, to_text
from lcm.evidence.results import DONE, Grid, read_curves, read_grid
from lcm.evidence.statistics import Paired
from lcm.evidence.tables import (
    METHOD_NAMES, accuracy_table, calibration_table, changes_table, differences_table, labels_table, model_name, setting_name, sweep_table,
)  # fmt: skip
from lcm.files import new_folder, write_json, write_text

_MEANS = ("macro_f1", "ece", "nll")


RIVALS = ["base", "ls", "ls_matched"]  # whom LCM is compared with
# Section of the page: (heading, layout, caption under its figures).
SECTIONS = {
    "forest": (
        "LCM against its rivals", "panels",
        "Paired differences per cell: the mean over splits with its 95 % (thin) and 90 % (thick) interval from the "
        "corrected resampled t-test; in brackets the number of splits. An interval that crosses zero decides nothing.",
    ),
    "curves": (
        "Validation accuracy while training", "panels",
        "Mean over splits; band: ± one standard deviation. Runs that failed are left out.",
    ),
    "lcd": (
        "What the label confusion distribution (LCD) learns", "panels",
        "Mean over splits; band: ± one standard deviation. SLD: the simulated label distribution that LCM trains on. Dotted: "
        "a uniform LCD (blue), and the constant mass that matched label smoothing leaves on the true label (orange). A line "
        "that stays on its dots is label smoothing by another name.",
    ),
    "confusion": (
        "Which labels are confused", "wide",
        "The first finished LCM cell. Percent of each true label's test documents, all splits together; 3 % and more is printed.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A finished figure: the section of the page it belongs to, its title, its bytes, and what numbers in it stand for."""

    section: str
    title: str
    svg: str
    png: bytes
    key: str = ""


def write_report(
    study: str, params: dict, expected_config: Callable[[str, str, str], dict], root: Path, provenance: dict
) -> str:
    """Read root/metrics/cells/<study>/, write root/metrics/<study>* and root/reports/<study>/, return the terminal table.

    params: the whole of params.yaml. expected_config(study, model, arm): what a cell's "config" must equal to be used.
    provenance: shown as given at the end of the page (commit, versions, ...).
    The same input gives the same bytes. Raises UserError for an unknown study or an unreadable cell.
    """
    if study in ("cells", "curves"):  # metrics/<study>/ is swapped as a whole
        raise UserError(f"studies.{study}: metrics/{study}/ holds the cells' results; give the study another name")
    root = Path(root)
    grid = read_grid(study, params, expected_config, root)
    drawn = draw(grid, root)
    _write_metrics(grid, root)
    folder = root / "reports" / study
    write_figures(folder / "figures", drawn)
    write_text(folder / "table.md", _markdown(grid))
    write_text(folder / "index.html", _page(grid, drawn, provenance))
    return to_text(grid, f"reports/{study}/index.html")


def write_figures(folder: Path, drawn: dict[str, Drawn]) -> None:
    """<name>.svg and <name>.png of every figure; nothing of an earlier grid stays behind."""
    with new_folder(folder) as fresh:
        for name, figure in drawn.items():
            (fresh / f"{name}.svg").write_text(figures.standalone(figure.svg), encoding="utf-8", newline="\n")
            (fresh / f"{name}.png").write_bytes(figure.png)


def _write_metrics(grid: Grid, root: Path) -> None:
    """metrics/<study>/<model>-<method>.json for `dvc metrics show`, metrics/<study>.json for `dvc metrics diff`."""
    shown: dict[str, dict[str, float]] = {}
    nested: dict = {}
    for cell in grid.cells:
        key = f"{cell.corpus}_noise{cell.noise:g}" if cell.noise else cell.corpus
        for method in cell.methods:
            shown_as = cell.arm if cell.varied else method
            accuracy, failed = cell.summary(method, "accuracy"), len(cell.failures(method))
            if accuracy is None and not failed:
                continue
            entry: dict[str, float] = {"n": accuracy.n if accuracy else 0}
            if failed:
                entry["failed"] = failed
            elif accuracy:  # one bare number has no room for "2 of 3 runs", so it stands for complete cells only
                shown.setdefault(f"{cell.model}-{shown_as}.json", {})[key] = round(accuracy.mean, 6)
            if accuracy:
                entry["accuracy_mean"] = round(accuracy.mean, 6)
                if accuracy.std is not None:
                    entry["accuracy_std"] = round(accuracy.std, 6)
                for metric in _MEANS:
                    if summary := cell.summary(method, metric):
                        entry[f"{metric}_mean"] = round(summary.mean, 6)
            nested.setdefault(key, {}).setdefault(cell.model, {})[shown_as] = entry
    if not shown:  # git knows no empty folders, and DVC would make the report again in every clone
        shown["not_run.json"] = {"cells": len(grid.cells)}
    with new_folder(root / "metrics" / grid.study) as fresh:
        for name, content in shown.items():
            write_json(fresh / name, content)
    write_json(root / "metrics" / f"{grid.study}.json", nested)


def forest_rows(grid: Grid) -> list[tuple[str, dict[str, Paired]]]:
    """(cell's name and n, {rival: test of LCM against it}) of every cell that has one."""
    rows = []
    for corpus, noise, model in grid.triples():
        tests = {other: test for other in RIVALS if (test := grid.compare(corpus, noise, model, "lcm", other))}
        if tests:
            n = "/".join(dict.fromkeys(str(test.n) for test in tests.values()))
            setting = f"{corpus} {noise:g} %" if noise else corpus
            rows.append((f"{setting} {model_name(model)} ({n})", tests))
    return rows


def forests(grid: Grid) -> dict[str, Figure]:
    """Rival -> figure of LCM's differences from it."""
    rows = forest_rows(grid)
    of_rivals = {other: [row for row in rows if other in row[1]] for other in RIVALS}
    return {other: figures.gains(rows, [other]) for other, rows in of_rivals.items() if rows}


def draw(grid: Grid, root: Path) -> dict[str, Drawn]:
    """File name without suffix -> figure, in the order of the page; only figures for which there are data."""
    drawn: dict[str, Drawn] = {}

    def add(section: str, name: str, title: str, figure, key: str = "") -> None:
        drawn[f"{section}-{name}"] = Drawn(section, title, *figures.to_bytes(figure), key)

    for other, figure in forests(grid).items():
        add("forest", other, f"LCM minus {METHOD_NAMES[other]}, per cell", figure)
    for corpus, noise, model in grid.triples():
        cells = [cell for cell in grid.cells if (cell.corpus, cell.noise, cell.model) == (corpus, noise, model) and not cell.varied]
        name, title = f"{corpus}-noise{noise:g}-{model}", f"{setting_name(corpus, noise)}: {model_name(model)}"
        curves = {cell.arm: read_curves(cell, root) for cell in cells}
        if rows := [row for of_arm in curves.values() for row in of_arm]:
            add("curves", name, f"validation accuracy, {title}", figures.curves(figures.method_series(rows), title))
        lcm = next((cell for cell in cells if cell.arm == "lcm" and cell.state == DONE), None)
        if lcm is None:
            continue
        if of_lcm := [row for row in curves["lcm"] if row.get("lcd_true") is not None]:
            epsilon = lcm.settings("ls_matched").get("epsilon")
            figure = figures.confusion_distribution(of_lcm, title, lcm.record["n_labels"], epsilon)
            add("lcd", name, f"label confusion distribution, {title}", figure)
        matrix, labels = lcm.record["methods"]["lcm"].get("confusion_matrix"), lcm.record["labels"]
        if matrix and len(matrix) == len(labels) and not any(figure.section == "confusion" for figure in drawn.values()):
            figure = figures.confusion(matrix, labels, f"{title}, LCM")
            add("confusion", name, f"confusion matrix, {title}, LCM", figure, figures.label_key(labels))
    return drawn


def captioned(layout: str, caption: str, drawn: dict[str, Drawn]) -> str:
    """Figures side by side, as far as there is room, over one caption; "" without figures."""
    if not drawn:
        return ""
    panels = "".join(figures.inline(figure.svg, name, figure.title) for name, figure in drawn.items())
    keys = "".join(f" Labels: {escape(key)}." for key in dict.fromkeys(figure.key for figure in drawn.values()) if key)
    return f'<figure><div class="{layout}">\n{panels}</div><figcaption>{caption}{keys}</figcaption></figure>\n'


def _markdown(grid: Grid) -> str:
    middle = [sweep_table(grid), changes_table(grid), labels_table(grid), differences_table(grid), calibration_table(grid)]
    tables = [accuracy_table(grid), *middle, provenance_table(grid)]
    lines = [f"# Label confusion learning: study {grid.study}", "", *(f"- {escape(s, quote=False)}" for s in findings(grid)), ""]
    lines += [to_markdown(table) for table in tables if table.groups]
    if missing := gaps(grid):
        lines += ["## Not in these numbers", "", *(f"- {escape(line, quote=False)}" for line in missing), ""]
    return "\n".join([*lines, f"Paper: {paper_source()}", ""])


def _page(grid: Grid, drawn: dict[str, Drawn], provenance: dict) -> str:
    def section(wanted: str) -> str:
        heading, layout, caption = SECTIONS[wanted]
        shown = captioned(layout, caption, {name: figure for name, figure in drawn.items() if figure.section == wanted})
        return f"<h2>{heading}</h2>\n{shown}" if shown else ""

    def table(built) -> str:
        return to_html(built) if built.groups else ""

    missing = "".join(f"<li>{escape(line)}</li>\n" for line in gaps(grid))
    details = settings_details(grid)
    body = [
        table(accuracy_table(grid)),
        table(sweep_table(grid)),
        table(changes_table(grid)),
        section("forest"),
        f"<h2>Not in these numbers</h2>\n<ul>\n{missing}</ul>\n" if missing else "",
        table(differences_table(grid)),
        table(labels_table(grid)),
        section("curves"),
        section("lcd"),
        table(calibration_table(grid)),
        section("confusion"),
        table(provenance_table(grid)),
        f"<h2>Settings of each cell</h2>\n{details}" if details else "",
        f"<h2>This report</h2>\n{facts(provenance)}",
    ]
    sentences = "".join(f"<li>{escape(sentence)}</li>\n" for sentence in findings(grid))
    return page(f"Label confusion learning: study {grid.study}", f'<ul class="findings">\n{sentences}</ul>', "".join(body))


def settings_details(grid: Grid) -> str:
    """What each finished cell was trained with, folded away."""
    return "".join(f"<details><summary>{escape(name)}</summary><pre>{escape(config)}</pre></details>\n" for name, config in cell_configs(grid))


def facts(provenance: dict) -> str:
    """Commit, versions and the paper's citation as a list."""
    rows = [(str(key), value if isinstance(value, str) else json.dumps(value, sort_keys=True)) for key, value in sorted(provenance.items())]
    return "<dl>\n" + "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>\n" for key, value in [*rows, ("paper", paper_source())]) + "</dl>\n"


def page(title: str, lead: str, body: str, navigation: str = "") -> str:
    """The whole page; nothing in it is loaded from anywhere."""
    package = resources.files("lcm.evidence")
    return Template(package.joinpath("template.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        css=package.joinpath("report.css").read_text(encoding="utf-8"),
        navigation=navigation,
        lead=lead.replace("n = ", "n&nbsp;=&nbsp;"),
        body=body,
    )
