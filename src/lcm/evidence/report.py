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

from lcm.errors import UserError
from lcm.evidence import figures
from lcm.evidence.findings import findings, gaps
from lcm.evidence.paper import paper_source
from lcm.evidence.provenance import cell_configs, provenance_table
from lcm.evidence.render import to_html, to_markdown, to_text
from lcm.evidence.results import DONE, Grid, read_curves, read_grid
from lcm.evidence.tables import (
    accuracy_table, calibration_table, changes_table, differences_table, labels_table, model_name, setting_name, sweep_table,
)  # fmt: skip
from lcm.files import new_folder, write_json, write_text

_MEANS = ("macro_f1", "ece", "nll")


# Section of the page: (heading, layout, caption under its figures).
_SECTIONS = {
    "forest": (
        "LCM against its two rivals", "single",
        "Paired differences per cell: the mean over splits with its 95 % (thin) and 90 % (thick) interval from the "
        "corrected resampled t-test. An interval that crosses zero decides nothing.",
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
        "The first finished LCM cell. Percent of each true label's test items, all splits together; 3 % and more is printed.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A finished figure: the section of the page it belongs to, its title, and its bytes."""

    section: str
    title: str
    svg: str
    png: bytes


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
    drawn = _draw(grid, root)
    _write_metrics(grid, root)
    folder = root / "reports" / study
    with new_folder(folder / "figures") as fresh:  # nothing of an earlier grid stays behind
        for name, figure in drawn.items():
            (fresh / f"{name}.svg").write_text(figure.svg, encoding="utf-8", newline="\n")
            (fresh / f"{name}.png").write_bytes(figure.png)
    write_text(folder / "table.md", _markdown(grid))
    write_text(folder / "index.html", _page(grid, drawn, provenance))
    return to_text(grid, f"reports/{study}/index.html")


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


def _draw(grid: Grid, root: Path) -> dict[str, Drawn]:
    """File name without suffix -> figure, in the order of the page; only figures for which there are data."""
    drawn: dict[str, Drawn] = {}

    def add(section: str, name: str, title: str, figure) -> None:
        drawn[f"{section}-{name}" if name else section] = Drawn(section, title, *figures.to_bytes(figure))

    rows = []
    for key in grid.triples():
        tests = {other: test for other in ("base", "ls_matched") if (test := grid.compare(*key, "lcm", other))}
        if tests:
            n = "/".join(dict.fromkeys(str(test.n) for test in tests.values()))
            rows.append((f"{setting_name(*key[:2])}: {model_name(key[2])} (n = {n})", tests))
    if rows:
        add("forest", "", "LCM minus its two rivals, per cell", figures.forest(rows))
    for corpus, noise, model in grid.triples():
        cells = [cell for cell in grid.cells if (cell.corpus, cell.noise, cell.model) == (corpus, noise, model) and not cell.varied]
        name, title = f"{corpus}-noise{noise:g}-{model}", f"{setting_name(corpus, noise)}: {model_name(model)}"
        curves = {cell.arm: read_curves(cell, root) for cell in cells}
        if rows := [row for of_arm in curves.values() for row in of_arm]:
            add("curves", name, title, figures.curves(rows, title))
        lcm = next((cell for cell in cells if cell.arm == "lcm" and cell.state == DONE), None)
        if lcm is None:
            continue
        if of_lcm := [row for row in curves["lcm"] if row.get("lcd_true") is not None]:
            epsilon = lcm.settings("ls_matched").get("epsilon")
            add("lcd", name, title, figures.confusion_distribution(of_lcm, title, lcm.record["n_labels"], epsilon))
        matrix, labels = lcm.record["methods"]["lcm"].get("confusion_matrix"), lcm.record["labels"]
        if matrix and len(matrix) == len(labels) and not any(figure.section == "confusion" for figure in drawn.values()):
            add("confusion", name, f"{title}, LCM", figures.confusion(matrix, labels, f"{title}, LCM"))
    return drawn


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
        heading, layout, caption = _SECTIONS[wanted]
        shown = [
            figures.inline(figure.svg, name, figure.title) for name, figure in drawn.items() if figure.section == wanted
        ]
        if not shown:
            return ""
        panels = f'<div class="{layout}">\n{"".join(shown)}</div>'
        return f"<h2>{heading}</h2>\n<figure>{panels}<figcaption>{caption}</figcaption></figure>\n"

    def table(built) -> str:
        return to_html(built) if built.groups else ""

    missing = "".join(f"<li>{escape(line)}</li>\n" for line in gaps(grid))
    details = "".join(
        f"<details><summary>{escape(name)}</summary><pre>{escape(config)}</pre></details>\n"
        for name, config in cell_configs(grid)
    )
    facts = "".join(
        f"<dt>{escape(str(key))}</dt><dd>{escape(value if isinstance(value, str) else json.dumps(value, sort_keys=True))}</dd>\n"
        for key, value in sorted(provenance.items())
    )
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
        f"<h2>This report</h2>\n<dl>\n{facts}<dt>paper</dt><dd>{escape(paper_source())}</dd>\n</dl>\n",
    ]
    package = resources.files("lcm.evidence")
    return Template(package.joinpath("template.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"Label confusion learning: study {grid.study}"),
        css=package.joinpath("report.css").read_text(encoding="utf-8"),
        findings="".join(f"<li>{escape(sentence)}</li>\n" for sentence in findings(grid)).replace("n = ", "n&nbsp;=&nbsp;"),
        body="".join(body),
    )
