"""One page over all studies: the answer, the paper's claims, then each study with its table, figures and provenance. Reads
metrics files only."""

from collections.abc import Callable
from html import escape
from pathlib import Path

from tqdm import tqdm

from lcm.evidence import figures, label_space
from lcm.evidence.claims import (
    PAPER_STUDIES, SWEEPS, Curves, all_claims, answer, as_strong, last_epoch, plain_cells, rival, sweep_cells,
)  # fmt: skip
from lcm.evidence.comparison import READING, comparison_table
from lcm.evidence.findings import gaps
from lcm.evidence.paper import paper_accuracy, paper_source
from lcm.evidence.provenance import provenance_table
from lcm.evidence.render import to_html, to_markdown
from lcm.evidence.report import RIVALS, SECTIONS, Drawn, captioned, facts, forest_rows, forests, page, settings_details, write_figures
from lcm.evidence.results import DONE, METHODS, Cell, Grid, read_curves
from lcm.evidence.tables import (
    METHOD_NAMES, Table, calibration_table, changes_table, differences_table, labels_table, model_name, setting_name, sweep_table,
)  # fmt: skip
from lcm.evidence.verdicts import NOT_MEASURED, NOT_SUPPORTED, RULE, SUPPORTED, UNDECIDED, Claim, claim_table
from lcm.files import write_text

TITLES = {
    "benchmark": "Table 1: text classification", "confusion": "Tables 2 and 3: confusable labels", "noise": "Table 4: wrong labels",
    "images": "Table 5: images", "alpha": "Figure 3a: α", "early_stop": "Figure 3b: early stop", "ablation": "Ablations",
    "substitutes": "Substitutes: other vectors and encoders", "partial": "Partial editions of corpora",
}  # fmt: skip
_CHIPS = {SUPPORTED: "yes", NOT_SUPPORTED: "no", UNDECIDED: "open", NOT_MEASURED: "none"}
_CAPTIONS = {  # of the figures drawn over several cells
    "answer": "LCM’s gain over each rival in points of test accuracy, with 95 % (thin) and 90 % (thick) intervals; in brackets the number "
    "of splits. An interval that crosses zero decides nothing.",
    "embedding": "Fig. 2 of the paper, measured. Cosine of LCM’s label embeddings (blue: 1, alike; clear: 0; orange: −1, opposed) "
    "and their t-SNE map, first split, sorted "
    "and coloured by group; then, for every split (dots; bar: mean), how much more alike labels of one group are than labels of "
    "different groups. Had LCM "
    "learnt the groups, there would be blue squares along the diagonal, and all dots would lie right of zero.",
    "lcd": SECTIONS["lcd"][2],
    "noise": "Test accuracy by share of wrong training labels, always of the same group: mean over splits, band ± one standard "
    "deviation. Hollow marks: "
    "the paper’s numbers.",
    "alpha": "Fig. 3a of the paper: validation accuracy per epoch for each α (mean over splits, band ± one standard deviation). "
    "Then test accuracy at the "
    "chosen epoch: by α, and on the axis that LCM and label smoothing share, the mass that the training target leaves on the true "
    "label (for LCM as "
    "measured after the last epoch). Bars: ± one standard deviation over splits.",
    "early_stop": "Fig. 3b of the paper: validation accuracy per epoch with and without the early stop, mean over splits, band ± "
    "one standard deviation; label smoothing of the same strength beside it. Vertical line: from here on both learn one-hot labels.",
}


def write_site(grids: dict[str, Grid], root: Path, provenance: dict) -> None:
    """Write root/reports/index.html, tables.md and figures/; figures/summary.svg is for the README.

    grids: study -> grid, in the order of the page. provenance: commit, versions and the like, shown as given. The same input
    gives the same bytes.
    """
    root = Path(root)

    def curves(cell: Cell) -> list[dict]:
        return read_curves(cell, root)

    claims = all_claims(grids, curves)
    across = _draw_across(grids, curves)
    folder = root / "reports"
    write_figures(folder / "figures", across)
    write_text(folder / "tables.md", _markdown(grids, claims))
    write_text(folder / "index.html", _page(grids, claims, across, provenance))


# -------------------------------------------------------------------------------------------------------------- figures


def _gain_rows(grids: dict[str, Grid]) -> list[tuple[str, dict]]:
    rows = {}
    for study in PAPER_STUDIES:
        for label, tests in forest_rows(grids[study]) if study in grids else []:
            rows.setdefault(label.rpartition(" (")[0], (label, tests))  # a cell of two studies once, where it stands first, whatever its n
    return list(rows.values())


def _draw_across(grids: dict[str, Grid], curves: Curves) -> dict[str, Drawn]:
    """File name without suffix -> figure over several cells or studies; its section says where on the page it stands."""
    drawn: dict[str, Drawn] = {}
    bar = tqdm(desc="figures", unit=" figures", disable=None)

    def add(section: str, name: str, title: str, figure, key: str = "") -> None:
        drawn[f"{section}-{name}" if name else section] = Drawn(section, title, *figures.to_bytes(figure), key)
        bar.update()

    if rows := _gain_rows(grids):
        add("summary", "", "LCM minus its rivals", figures.gains(rows, RIVALS))
        for other in reversed(RIVALS):  # the page has them one by one, for a phone's width; the deciding one first
            if of_rival := [row for row in rows if other in row[1]]:
                add("answer", other, f"LCM minus {METHOD_NAMES[other]}, all cells", figures.gains(of_rival, [other]))
    for study, grid in grids.items():
        if any(cell.varied for cell in grid.cells):
            continue  # its plain arms are there for the variations, and drawn elsewhere
        for other, figure in forests(grid).items():
            add(f"forest-{study}", other, f"LCM minus {METHOD_NAMES[other]}, {_title(study)}", figure)
    _draw_embeddings(grids, curves, add)
    _draw_noise(grids, add)
    _draw_alpha(grids, curves, add)
    _draw_early_stop(grids, curves, add)
    bar.close()
    return drawn


def _draw_embeddings(grids: dict[str, Grid], curves: Curves, add) -> None:
    cells = [cell for cell in plain_cells(grids, PAPER_STUDIES, "lcm") if not cell.noise and label_space.has_groups(cell.record["labels"])]
    cells = [cell for cell in cells if label_space.embeddings(cell)]
    strip = []
    for cell in cells:
        groups = label_space.groups_of(cell.record["labels"])
        pairs = [label_space.within_and_between(embedding, groups) for _, embedding in sorted(label_space.embeddings(cell).items())]
        strip.append((f"{cell.corpus}\n{model_name(cell.model)}, n = {len(pairs)}", [within - between for within, between in pairs]))
    for cell in cells[:1]:
        (split, embedding), *_ = sorted(label_space.embeddings(cell).items())
        labels, groups = cell.record["labels"], label_space.groups_of(cell.record["labels"])
        order = sorted(range(len(labels)), key=lambda index: (groups[index], index))
        embedding, labels, groups = embedding[order], [labels[index] for index in order], [groups[index] for index in order]
        name, title = f"{cell.corpus}-{cell.model}", f"{setting_name(cell.corpus, cell.noise)}: {model_name(cell.model)}, split {split}"
        key = figures.label_key(labels)
        matrix = figures.cosine_matrix(label_space.cosines(embedding), labels, title)
        add("embedding", f"cosine-{name}", f"cosine matrix of label embeddings, {title}", matrix, key)
        plane = figures.label_map(label_space.in_the_plane(embedding), labels, groups, title)
        add("embedding", f"tsne-{name}", f"t-SNE map of label embeddings, {title}", plane, key)
    if strip:
        add("embedding", "groups", "cosine of label embeddings within groups minus between groups, all splits", figures.group_cosines(strip))
    for cell in cells:
        if rows := [row for row in _rows(curves(cell), "lcm") if row.get("lcd_true") is not None]:
            epsilon = cell.settings("ls_matched").get("epsilon")
            name, title = f"{cell.corpus}-{cell.model}", f"{setting_name(cell.corpus, cell.noise)}: {model_name(cell.model)}"
            figure = figures.confusion_distribution(rows, title, cell.record["n_labels"], epsilon)
            add("lcd", name, f"label confusion distribution, {title}", figure)


def _draw_noise(grids: dict[str, Grid], add) -> None:
    noisy = [cell for cell in plain_cells(grids, ("noise",), "lcm") if cell.noise]
    for corpus, model in dict.fromkeys((cell.corpus, cell.model) for cell in noisy):
        points, paper = {}, {}
        for method in METHODS:
            cells = [c for c in plain_cells(grids, ("noise", *PAPER_STUDIES), method) if (c.corpus, c.model) == (corpus, model)]
            found = sorted((c.noise, summary.mean, summary.std) for c in cells if (summary := c.summary(method, "accuracy")))
            printed = [(rate, number[0]) for rate, *_ in found if (number := paper_accuracy(corpus, rate, model, method))]
            points |= {method: found} if found else {}
            paper |= {method: printed} if printed else {}
        title = f"{corpus}: {model_name(model)}"
        add("noise", f"{corpus}-{model}", f"test accuracy by share of wrong labels, {title}", figures.noise(points, paper, title))


def _by_number(cells: list[Cell], method: str, key: str) -> dict[float, Cell]:
    """Value of one setting -> cell in which nothing else was changed, ascending."""
    found: dict[float, Cell] = {}
    for cell in cells:
        settings = cell.settings(method)
        if settings.get("stop_epoch") is None and not settings.get("detach"):
            found.setdefault(settings[key], cell)
    return dict(sorted(found.items()))


def _draw_alpha(grids: dict[str, Grid], curves: Curves, add) -> None:
    for cells in _same_data(sweep_cells(grids, "alpha", "lcm")):
        by_alpha = _by_number(cells, "lcm", "alpha")
        if len(by_alpha) < 2:
            continue
        first = next(iter(by_alpha.values()))
        name, title = f"{first.corpus}-{first.model}", f"{setting_name(first.corpus, first.noise)}: {model_name(first.model)}"
        series = [
            (f"LCM α = {alpha:g}", _rows(curves(cell), "lcm"), {"color": colour})
            for (alpha, cell), colour in zip(by_alpha.items(), figures.ramp(len(by_alpha)), strict=True)
        ]
        base = rival(grids, first, "base")
        if base:
            series.append(_base_series(curves(base)))
        add("alpha", f"epochs-{name}", f"validation accuracy per epoch by α, {title}", figures.curves(series, title))
        n_labels = first.record["n_labels"]
        of_lcm = [(alpha, cell.summary("lcm", "accuracy"), cell) for alpha, cell in by_alpha.items()]
        by_x = {"lcm": [(alpha, s.mean, s.std, "") for alpha, s, _ in of_lcm if s]}
        level = base.summary("base", "accuracy") if base else None
        add("alpha", f"accuracy-{name}", f"test accuracy by α, {title}", figures.sweep(by_x, title, "α", level.mean if level else None))
        by_mass: dict[str, list] = {"lcm": []}
        for alpha, summary, cell in of_lcm:
            mass = last_epoch(curves(cell), "lcm", "sld_true_mean")
            if summary and mass:
                by_mass["lcm"].append((sum(mass.values()) / len(mass), summary.mean, summary.std, f"α {alpha:g}"))
        smoothed = {0.0: (base, "base")} if base else {}
        swept = [cell for study in SWEEPS for cell in sweep_cells(grids, study, "ls") if _alike(cell, first)]
        smoothed |= {epsilon: (cell, "ls") for epsilon, cell in _by_number(swept, "ls", "epsilon").items()}
        matched = rival(grids, first, "ls_matched")
        if matched:
            smoothed.setdefault(matched.settings("ls_matched")["epsilon"], (matched, "ls_matched"))
        for epsilon, (cell, method) in smoothed.items():
            if summary := cell.summary(method, "accuracy"):
                text = "" if method == "base" else f"ε {epsilon:.2g}"  # the legend names cross-entropy
                by_mass.setdefault(method, []).append((1 - epsilon + epsilon / n_labels, summary.mean, summary.std, text))
        if by_mass["lcm"]:
            figure = figures.sweep(by_mass, title, "mass of the target on the true label")
            add("alpha", f"mass-{name}", f"test accuracy by mass of the target on the true label, {title}", figure)


def _draw_early_stop(grids: dict[str, Grid], curves: Curves, add) -> None:
    for cells in _same_data([cell for study in SWEEPS for cell in sweep_cells(grids, study, "lcm")]):
        stopped = [cell for cell in cells if cell.study == "early_stop" and cell.settings("lcm").get("stop_epoch") is not None]
        for alpha in sorted({cell.settings("lcm")["alpha"] for cell in stopped}):
            of_alpha = [cell for cell in stopped if cell.settings("lcm")["alpha"] == alpha]
            first = of_alpha[0]
            name = f"{first.corpus}-{first.model}-{alpha:g}"
            title = f"{setting_name(first.corpus, first.noise)}: {model_name(first.model)}, α = {alpha:g}"
            series = []
            if never := _by_number(cells, "lcm", "alpha").get(alpha):
                series.append(("LCM, never stopped", _rows(curves(never), "lcm"), {"color": figures.COLOURS["lcm"]}))
            for cell, colour in zip(of_alpha, ["#9a6bd0", "#3a9e5f", "#c8507a", "#3aa0a8"], strict=False):
                series.append((f"LCM, stopped after {cell.settings('lcm')['stop_epoch']}", _rows(curves(cell), "lcm"), {"color": colour}))
            for cell, text in [(never, "never stopped"), *((cell, f"stopped after {cell.settings('lcm')['stop_epoch']}") for cell in of_alpha)]:
                if cell and (smoothed := as_strong(grids, cell)):
                    style = {"color": figures.COLOURS["ls" if cell is never else "ls_matched"], "linestyle": figures.DASHES["ls"]}
                    series.append((f"smoothing as strong, {text}", _rows(curves(smoothed), "ls"), style))
            if base := rival(grids, first, "base"):
                series.append(_base_series(curves(base)))
            stop = first.settings("lcm")["stop_epoch"] if len(of_alpha) == 1 else None
            add("early_stop", name, f"validation accuracy with and without early stop, {title}", figures.curves(series, title, stop))


def _rows(rows: list[dict], method: str) -> list[dict]:
    return [row for row in rows if row["method"] == method]


def _base_series(rows: list[dict]) -> tuple[str, list[dict], dict]:
    return "cross-entropy", _rows(rows, "base"), {"color": figures.COLOURS["base"], "linestyle": figures.DASHES["base"]}


def _alike(a: Cell, b: Cell) -> bool:
    return (a.corpus, a.noise, a.model) == (b.corpus, b.noise, b.model)


def _same_data(cells: list[Cell]) -> list[list[Cell]]:
    """Cells by corpus, noise and model."""
    found: dict[tuple, list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.corpus, cell.noise, cell.model), []).append(cell)
    return list(found.values())


# ----------------------------------------------------------------------------------------------------------------- page


def extra_tables(grid: Grid) -> list[Table]:
    """Table 2, sweeps and single changes, for the studies that have them."""
    return [table for table in (labels_table(grid), sweep_table(grid), changes_table(grid)) if table.groups]


def _title(study: str) -> str:
    return TITLES.get(study, study)


def _states(grid: Grid) -> str:
    """One line: how much of the study there is, on what machine and how long it took."""
    done = [cell for cell in grid.cells if cell.state == DONE]
    runs = [run for cell in done for method in cell.methods for run in cell.runs(method)]
    networks = [run for cell in done if cell.arm != "linear" for method in cell.methods for run in cell.runs(method)]
    devices = ", ".join(sorted({str(run["device"]) for run in networks or runs if run.get("device")})) or "an unrecorded device"
    hours = sum(run.get("seconds", 0.0) for run in runs) / 3600
    return f"{len(done)} of {len(grid.cells)} cells measured, {len(runs)} runs, {hours:.1f} hours of training on {devices}."


def _claim_html(claim: Claim) -> str:
    table = claim_table(claim)
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in claim.notes)
    body = (to_html(table, level="") if table.groups else "<p>No comparison yet.</p>\n") + (f"<ul class=note>{notes}</ul>\n" if notes else "")
    return (
        f'<details class="claim" id="claim-{claim.key}"><summary><span class="chip {_CHIPS[claim.verdict]}">{claim.headline()}</span> '
        f"<b>{escape(claim.key)}. {escape(claim.text)}</b> <small>{escape(claim.source)}</small> "
        f"<small>{escape(claim.tally())}</small></summary>\n{body}</details>\n"
    ).replace("n = ", "n&nbsp;=&nbsp;")


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n{body}</details>\n" if body else ""


def _study_html(grid: Grid, grids: dict[str, Grid], of: Callable[[str], str]) -> str:
    heading = f'<section id="{escape(grid.study)}"><h2>{escape(_title(grid.study))}</h2>\n'
    if not any(cell.state == DONE for cell in grid.cells):
        return f"{heading}<p>Not run: none of its {len(grid.cells)} cells.</p>\n</section>\n"
    differences, calibration, provenance = differences_table(grid), calibration_table(grid), provenance_table(grid)
    missing = "".join(f"<li>{escape(line)}</li>\n" for line in gaps(grid))
    return "".join([
        f"{heading}<p>{_states(grid)}</p>\n",
        to_html(comparison_table(grid, grids), level="", kind="compare"),
        *(to_html(table, "h3") for table in extra_tables(grid)),
        of(f"forest-{grid.study}"),
        of(grid.study),
        _folded(f"Not in these numbers ({len(gaps(grid))})", f"<ul>\n{missing}</ul>\n" if missing else ""),
        _folded("Every test: is the difference real?", to_html(differences, level="") if differences.groups else ""),
        _folded("Calibration and macro-F1", to_html(calibration, level="") if calibration.groups else ""),
        _folded("Provenance: edition, device, minutes, settings", to_html(provenance, level="") + settings_details(grid)),
        f'<p><a href="{escape(grid.study)}/index.html">Every cell’s curves and a confusion matrix</a> (a page of its own, beside this one)</p>\n',
        "</section>\n",
    ])  # fmt: skip


def _page(grids: dict[str, Grid], claims: list[Claim], across: dict[str, Drawn], provenance: dict) -> str:
    def of(section: str) -> str:
        caption = SECTIONS["forest"][2] if section.startswith("forest-") else _CAPTIONS.get(section, "")
        return captioned("panels", caption, {name: figure for name, figure in across.items() if figure.section == section})

    links = [("claims", "Claims"), ("embeddings", "Figure 2"), *((study, _title(study).split(":")[0]) for study in grids), ("about", "About")]
    navigation = "<nav>" + "".join(f'<a href="#{escape(anchor)}">{escape(text)}</a>' for anchor, text in links) + "</nav>\n"
    reading = "".join(f"<li>{escape(line)}</li>\n" for line in READING)
    body = [
        '<section id="claims"><h2>The paper’s claims, and three questions of ours</h2>\n',
        *(_claim_html(claim) for claim in claims),
        _folded("The rule behind the verdicts", f"<p>{escape(RULE)}</p>\n").replace("<details>", '<details id="rule" open>'),
        "</section>\n",
        f'<section id="embeddings"><h2>Figure 2: what LCM learns of labels</h2>\n{of("embedding") or "<p>Not run.</p>"}\n'
        + _folded("The label confusion distribution, epoch by epoch", of("lcd"))
        + "</section>\n",
        _folded("How to read the tables", f"<ul>\n{reading}</ul>\n").replace("<details>", "<details open>"),
        *(_study_html(grid, grids, of) for grid in grids.values()),
        f'<section id="about"><h2>About this page</h2>\n{facts(provenance)}</section>\n',
    ]
    lines = "".join(f"<li><b>{escape(question)}</b> {escape(text)}</li>\n" for question, text in answer(claims, grids))
    lead = f'<ol class="findings">\n{lines}</ol>\n{of("answer")}'
    return page("Label confusion learning, measured again", lead, "".join(body), navigation)


def _markdown(grids: dict[str, Grid], claims: list[Claim]) -> str:
    def safe(text: str) -> str:
        return escape(text, quote=False).replace("|", "\\|")

    lines = ["# Label confusion learning, measured again", "", *(f"1. **{safe(q)}** {safe(text)}" for q, text in answer(claims, grids)), ""]
    lines += ["## Claims", "", "| | claim | verdict | numbers |", "|---|---|---|---|"]
    lines += [f"| {c.key} | {safe(c.text)} ({safe(c.source)}) | **{c.headline()}** | {safe(c.tally())} |" for c in claims]
    lines += ["", safe(RULE), ""]
    for claim in claims:
        table = claim_table(claim)
        lines += [to_markdown(table)] if table.groups else []
        lines += [*(f"- {safe(note)}" for note in claim.notes), *[""] * bool(claim.notes)]
    for study, grid in grids.items():
        lines += [f"# {_title(study)}", ""]
        if not any(cell.state == DONE for cell in grid.cells):
            lines += [f"Not run: none of its {len(grid.cells)} cells.", ""]
            continue
        lines += [_states(grid), "", to_markdown(comparison_table(grid, grids)), *map(to_markdown, extra_tables(grid))]
        if missing := gaps(grid):
            lines += ["Not in these numbers:", "", *(f"- {safe(line)}" for line in missing), ""]
    lines += ["# How to read the tables", "", *(f"- {safe(line)}" for line in READING), "", f"Paper: {paper_source()}", ""]
    return "\n".join(lines)
