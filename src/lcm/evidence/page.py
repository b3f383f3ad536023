"""One page over all studies: the answers, the claims, then each study with its tables and figures. Reads results
only."""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import jinja2

from lcm.evidence import figures, tables
from lcm.evidence.claims import PAPER_STUDIES, SWEEPS, all_claims, answers
from lcm.evidence.draw import Drawn, draw
from lcm.evidence.paper import paper_source
from lcm.evidence.results import Evidence, read_study
from lcm.evidence.snippets import snippets
from lcm.evidence.tables import Table
from lcm.evidence.verdicts import NOT_MEASURED, NOT_SUPPORTED, RULE, SUPPORTED, UNDECIDED, Claim
from lcm.files import new_folder, write_json, write_text
from lcm.params import Params

SAVED = (
    "summary",
    "map",
    "alpha-mass",
    "collapse",
)  # figures that README.md and docs/ show, by the beginning of their name
CHIPS = {SUPPORTED: "yes", NOT_SUPPORTED: "no", UNDECIDED: "open", NOT_MEASURED: "none"}
READING = (
    "Test accuracy in percent: mean, below it ± the sample standard deviation over all runs. n: random splits, with several "
    "seeds each where a second number follows. Differences are in points.",
    "CE: cross-entropy on the labels as they are. LS: label smoothing, ε = 0.1 in the paper. Matched LS: label smoothing that "
    "leaves as much mass on the true label as LCM does when its confusion distribution is uniform; the control that the "
    "paper lacks. Tuned: on each split the strength with the best validation accuracy.",
    "LCM − this: LCM (the α of params.yaml) minus the row’s method, paired by split and seed, with its 95 % interval. Better, "
    "worse, equal and undecided follow the rule above, everywhere on this page.",
    "The linear yardsticks read TF-IDF vectors. LinearSVC and ComplementNB choose their regularisation on the validation "
    "part; “C = 1” does not. “Not run” means just that: no number of ours, and none of the paper’s in its place.",
)
CAPTIONS = {  # section of a figure -> what is under it
    "answer": "LCM’s gain over each rival in points of test accuracy. Large mark: mean; thick and thin line: 90 % and 95 % "
    "interval; small dots: the splits; in brackets the number of splits. An interval that crosses zero decides nothing.",
    "embedding": "Fig. 2 of the paper, measured. Cosine of LCM’s label embeddings and their t-SNE map, first split, sorted and "
    "coloured by group; then, for every run (dots; bar: mean), how much more alike labels of one group are than labels of "
    "different groups. Had LCM learnt the groups, there would be blue squares along the diagonal, and all dots would lie "
    "right of zero.",
    "collapse": "LCM’s confusion distribution, averaged over the validation documents of each true label (rows), at the end "
    "of one run. A distribution that knew similar labels would be dark along the blocks of the diagonal; a column is the "
    "same label for every document.",
    "lcd": "LCM’s target and its confusion distribution per epoch: mean over runs, band ± one standard deviation. Dotted: a "
    "uniform confusion distribution (blue), and what matched label smoothing leaves on the true label (orange).",
    "worked": "What a network is asked to fit for one document of 20 Newsgroups. LCM’s target is computed from the mean "
    "confusion distribution of its label’s validation documents at the end of one run.",
    "map": "Where each target stands after the last epoch. Strength: how much mass its implicit target takes off the given "
    "label. Structure: how unevenly it spreads it. Colour and number: accuracy in points over matched label smoothing. Faint "
    "lines: the way there, epoch by epoch. Squares: ceilings, which are told what nobody knows.",
    "ranking": "The best version of every target in each setting: points over matched label smoothing with 90 % and 95 % "
    "intervals. Targets with a common letter are not decided apart.",
    "noise": "Test accuracy by share of wrong training labels, always of the same group: mean over runs, band ± one standard "
    "deviation. Hollow marks: the paper’s numbers.",
    "alpha": "Fig. 3a of the paper: validation accuracy per epoch for each α (mean over runs, band ± one standard deviation). "
    "Then test accuracy at the chosen epoch: by α, and on the axis that LCM and label smoothing share, the mass that the "
    "training target leaves on the true label (for LCM as measured after the last epoch). Bars: ± one standard deviation.",
    "early_stop": "Fig. 3b of the paper: validation accuracy per epoch with and without the early stop; label smoothing of "
    "the same strength beside it. Vertical line: from here on all learn one-hot labels.",
    "matrices": "Percent of each true label’s test documents, all runs together; 3 % and more is printed. Third: LCM minus "
    "matched smoothing, in points; 1.5 and more is printed.",
    "curves": "Validation accuracy while training: mean over runs, band ± one standard deviation.",
}
CAPTIONS["gains"] = CAPTIONS["answer"]


def read_evidence(params: Params, root: Path, studies: Iterable[str] | None = None) -> Evidence:
    """The results of these studies (default: all but the quickstart), in the order of the page."""
    names = list(studies or [name for name in params.studies if name != "quickstart"])
    first = [name for name in ("targets", *PAPER_STUDIES, *SWEEPS) if name in names]
    return Evidence(read_study(params, name, root) for name in dict.fromkeys([*first, *names]))


def write_page(params: Params, root: Path = Path(), studies: Iterable[str] | None = None) -> None:
    """Write root/reports/: index.html, tables.md, tables/*.csv, figures/*.svg (those that README.md and docs/ show),
    snippets.json.

    The same results give the same bytes: no date, no commit, no seconds.
    """
    evidence = read_evidence(params, root, studies)
    claims, drawn = all_claims(evidence), draw(evidence)
    found = _tables(evidence, claims)
    folder = root / "reports"
    with new_folder(folder / "figures") as fresh:
        for figure in drawn:
            if figure.name.startswith(SAVED):
                (fresh / f"{figure.name}.svg").write_text(
                    figures.standalone(figure.svg), encoding="utf-8", newline="\n"
                )
    with new_folder(folder / "tables") as fresh:
        for table in (table for section in found.values() for table in section.values() if table.groups):
            (fresh / f"{table.name}.csv").write_text(tables.to_csv(table), encoding="utf-8", newline="\n")
    write_json(folder / "snippets.json", snippets(evidence, claims))
    write_text(folder / "tables.md", _markdown(evidence, claims, found))
    write_text(folder / "index.html", _html(evidence, claims, found, drawn))


def _tables(evidence: Evidence, claims: list[Claim]) -> dict[str, dict[str, Table]]:
    """Section of the page -> kind -> table. A study's section has its name."""
    decisions = tables.Decisions(evidence, claims)
    found = {
        "claims": {claim.key: tables.claim_table(claim) for claim in claims},
        "collapse": {"collapse": tables.collapse_table(evidence)},
        "map": {table.name: table for table in tables.targets_tables(evidence)},
        "glossary": {table.name: table for table in tables.glossary_tables(evidence)},
    }
    for study in evidence.values():
        found[f"study-{study.name}"] = {
            "results": tables.results_table(study, evidence, decisions),
            "labels": tables.labels_table(study),
            "strengths": tables.sweep_table(study, evidence),
            "changes": tables.changes_table(study),
            "metrics": tables.metrics_table(study),
            "provenance": tables.provenance_table(study),
        }
    return found


def _html(evidence: Evidence, claims: list[Claim], found: dict, drawn: list[Drawn]) -> str:
    package = resources.files("lcm.evidence")
    loader = jinja2.FunctionLoader(lambda name: package.joinpath(name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["nobreak"] = lambda text: text.replace("n = ", "n\u00a0=\u00a0")
    environment.globals |= {"NOTHING": tables.NOTHING, "GAPS": ("not run", "stale", "failed")}

    def panels(section: str) -> list[dict]:
        return [
            {"svg": jinja2.utils.markupsafe.Markup(figures.inline(d.svg, f"f{number}", d.label)), "key": d.key}
            for number, d in enumerate(drawn)
            if d.section == section
        ]

    return environment.get_template("page.html.j2").render(
        answers=answers(claims), claims=claims, chips=CHIPS, rule=RULE, reading=READING, captions=CAPTIONS, panels=panels,
        coverage=tables.coverage(evidence), studies=list(evidence.values()), tables=found, gaps=tables.gaps, paper=paper_source(),
    )  # fmt: skip


def _markdown(evidence: Evidence, claims: list[Claim], found: dict) -> str:
    def written(section: str, level: int) -> list[str]:
        return [tables.to_markdown(table, level) for table in found[section].values() if table.groups]

    lines = ["# Label confusion learning, measured again", "", tables.coverage(evidence), ""]
    lines += [*(f"1. **{question}** {text}" for question, text in answers(claims)), ""]
    lines += [tables.to_markdown(tables.claims_table(claims)), RULE, ""]
    for claim in claims:
        table = found["claims"][claim.key]
        lines += [tables.to_markdown(table, 3)] if table.groups else []
        lines += [*(f"- {note}" for note in claim.notes), *[""] * bool(claim.notes)]
    lines += [*written("collapse", 2), *written("map", 2)]
    for study in evidence.values():
        lines += [f"## {study.title}", "", study.question, "", *written(f"study-{study.name}", 3)]
        if missing := tables.gaps(study):
            lines += ["Not in these numbers:", "", *(f"- {line}" for line in missing), ""]
    lines += ["## How to read the tables", "", *(f"- {line}" for line in READING), "", *written("glossary", 3)]
    return "\n".join([*lines, f"Paper: {paper_source()}", ""])
