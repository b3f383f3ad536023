"""One page over all studies: answers, claims, then each study with its tables and figures. Reads results only."""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import jinja2

from lcm.evidence import overview, svg, tables
from lcm.evidence.answers import answers
from lcm.evidence.claims import PAPER_STUDIES, STRENGTHS, all_claims
from lcm.evidence.comparisons import Evidence
from lcm.evidence.draw import Drawn, draw
from lcm.evidence.names import TEXTS
from lcm.evidence.paper import SOURCE
from lcm.evidence.results import read_study
from lcm.evidence.snippets import answer_table, snippets
from lcm.evidence.study_tables import check_command, gaps, study_tables
from lcm.evidence.tables import Table
from lcm.evidence.verdicts import NOT_MEASURED, NOT_SUPPORTED, RULE, SUPPORTED, UNDECIDED, Claim, Decisions
from lcm.evidence.which import gains_table, linear_table, network_table, other_noise_table, short_gains_table
from lcm.files import new_folder, write_json, write_text
from lcm.params import OWN, Params

SAVED = ("summary", "which", "map-20ng-30-bag")  # figures that README.md and docs/ show
LONG, MOST = 100, 200  # rows above which a table is folded, and above which one that few read is a CSV file only
CHIPS = {SUPPORTED: "yes", NOT_SUPPORTED: "no", UNDECIDED: "open", NOT_MEASURED: "none"}


def read_evidence(params: Params, root: Path, studies: Iterable[str] | None = None) -> Evidence:
    """The results of these studies (default: all but the quickstart), in the order of the page."""
    names = list(studies or [name for name in params.studies if name not in ("quickstart", OWN)])
    first = [name for name in ("targets", *PAPER_STUDIES, STRENGTHS) if name in names]
    return Evidence(read_study(params, name, root) for name in dict.fromkeys([*first, *names]))


def write_page(params: Params, root: Path = Path(), studies: Iterable[str] | None = None) -> None:
    """Write root/reports/: index.html, tables.md, tables/*.csv, figures/*.svg (those that README.md shows),
    snippets.json.

    The same results give the same bytes: no date, no commit, no seconds.
    """
    evidence = read_evidence(params, root, studies)
    claims, drawn = all_claims(evidence), draw(evidence)
    found = _tables(evidence, claims)
    folder = root / "reports"
    with new_folder(folder / "figures") as fresh:
        for figure in drawn:
            if figure.name in SAVED:
                (fresh / f"{figure.name}.svg").write_text(svg.standalone(figure.svg), encoding="utf-8", newline="\n")
    with new_folder(folder / "tables") as fresh:
        for table in (table for section in found.values() for table in section.values() if table.groups):
            (fresh / f"{table.name}.csv").write_text(tables.to_csv(table), encoding="utf-8", newline="\n")
    words = snippets(evidence, claims)
    write_json(folder / "snippets.json", words)
    write_text(folder / "tables.md", _markdown(evidence, claims, found, words))
    write_text(folder / "index.html", _html(evidence, claims, found, words, drawn))


def _tables(evidence: Evidence, claims: list[Claim]) -> dict[str, dict[str, Table]]:
    """Section of the page -> kind -> table. A study's section has its name."""
    decisions = Decisions(evidence, claims)
    which = (make(evidence) for make in (gains_table, network_table, other_noise_table, linear_table))
    targets = (make(evidence) for make in (overview.matrix_table, overview.ranking_table))
    return {
        "top": {"answer": answer_table(claims, evidence), "instead": short_gains_table(evidence)},
        "claims": {claim.key: overview.claim_table(claim) for claim in claims},
        "collapse": {"collapse": overview.collapse_table(evidence)},
        "which": {table.name: table for table in which if table.groups},
        "map": {table.name: table for table in targets if table.groups},
        "glossary": {table.name: table for table in overview.glossary_tables(evidence)},
        **{f"study-{study.name}": study_tables(study, evidence, decisions) for study in evidence.values()},
    }


def _html(evidence: Evidence, claims: list[Claim], found: dict, words: dict[str, str], drawn: list[Drawn]) -> str:
    package = resources.files("lcm.evidence")
    loader = jinja2.FunctionLoader(lambda name: package.joinpath(name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["nobreak"] = lambda text: text.replace("n = ", "n\u00a0=\u00a0").replace(" %", "\u00a0%")
    gone = ("not run", "stale", "failed")
    environment.globals |= {"NOTHING": tables.NOTHING, "GAPS": gone, "LONG": LONG, "MOST": MOST}
    styles: dict[str, str] = {}
    panels: dict[str, list[str]] = {}
    for number, d in enumerate(drawn):
        shown = jinja2.utils.markupsafe.Markup(svg.inline(d.svg, f"f{number}", d.label, styles))
        panels.setdefault(d.section, []).append(shown)
    return environment.get_template("page.html.j2").render(
        words=words, intro=TEXTS["intro"], sure=TEXTS["sure"], answers=answers(claims, evidence), claims=claims,
        chips=CHIPS, rule=TEXTS["rule"], reading=TEXTS["reading"], captions=TEXTS["captions"], panels=panels,
        css=svg.css(styles), studies=list(evidence.values()), tables=found, gaps=gaps,
        check=check_command, paper=SOURCE,
    )  # fmt: skip


def _markdown(evidence: Evidence, claims: list[Claim], found: dict, words: dict[str, str]) -> str:
    def written(section: str, level: int) -> list[str]:
        return [tables.to_markdown(table, level) for table in found[section].values() if table.groups]

    lines = ["# Label confusion learning, measured again", "", TEXTS["intro"], ""]
    for question, key in (("Should you use LCM?", "answer"), ("Which target, then?", "instead")):
        lines += [f"**{question}** {words[key]}", "", tables.to_markdown(found["top"][key], 0)]
    lines += [f"**Would a linear model do?** {words['linear']}", ""]
    lines += [f"**How sure is that?** {TEXTS['sure']} {words['coverage']}", ""]
    lines += ["## Questions and answers", "", words["answers"], ""]
    lines += [tables.to_markdown(overview.claims_table(claims)), RULE, ""]
    for claim in claims:
        table = found["claims"][claim.key]
        lines += [tables.to_markdown(table, 3)] if table.groups else []
        lines += [*(f"- {note}" for note in claim.notes), *[""] * bool(claim.notes)]
    lines += [words["robustness"], "", *written("collapse", 2), *written("which", 2), *written("map", 2)]
    for study in evidence.values():
        lines += [f"## {study.title}", "", study.question, "", *written(f"study-{study.name}", 3)]
        if missing := gaps(study):
            lines += ["Not in these numbers:", "", *(f"- {line}" for line in missing), ""]
    lines += ["## How to read the tables", "", *(f"- {line}" for line in TEXTS["reading"]), "", *written("glossary", 3)]
    return "\n".join([*lines, f"Paper: {SOURCE}", ""])
