"""The generated parts of README.md and docs/: every number in them is written between markers, by `fill`.

<!-- generated: coverage -->
...
<!-- end -->
"""

import json
import re
from pathlib import Path

from lcm.errors import UserError
from lcm.evidence import tables
from lcm.evidence.claims import answers
from lcm.evidence.results import Evidence
from lcm.evidence.verdicts import RULE, Claim
from lcm.files import write_text

MARKED = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
DOCUMENTS = ("README.md", "docs/*.md")


def snippets(evidence: Evidence, claims: list[Claim]) -> dict[str, str]:
    """Name -> Markdown. coverage, headline (a table of at most eight rows), answers, claims, rule, collapse, targets,
    studies, and verdict-<key> of each claim."""
    studies = [
        [
            f"[{study.name}](../studies/{study.name}.yaml)",
            study.title,
            f"{sum(r.done for r in study.results)} of {len(study.results)}",
        ]
        for study in evidence.values()
    ]
    table = tables.Table("studies", "", ["study", "what it is", "cells measured"], [("", studies)])
    found = {
        "coverage": tables.coverage(evidence),
        "headline": tables.to_markdown(tables.headline_table(evidence, claims), 0),
        "answers": "\n".join(f"1. **{question}** {text}" for question, text in answers(claims)),
        "claims": tables.to_markdown(tables.claims_table(claims), 0),
        "rule": RULE,
        "collapse": tables.to_markdown(tables.collapse_table(evidence), 0),
        "targets": "\n".join(tables.to_markdown(each, 2) for each in tables.targets_tables(evidence)),
        "studies": tables.to_markdown(table, 0),
        **{f"verdict-{claim.key}": f"{claim.text}: **{claim.headline()}** ({claim.tally()})." for claim in claims},
    }
    return {name: text.strip() for name, text in found.items()}


def filled(text: str, found: dict[str, str], where: str = "the text") -> str:
    """The text with every marked part replaced. Raises UserError for a name that is no snippet."""

    def replace(match: re.Match) -> str:
        if match[2] not in found:
            raise UserError(f"{where}: no generated part is called {match[2]}; there are {', '.join(found)}")
        return f"{match[1]}{found[match[2]]}\n{match[3]}"

    return MARKED.sub(replace, text)


def fill(root: Path = Path()) -> list[Path]:
    """Write the generated parts of README.md and docs/*.md from reports/snippets.json; returns the files that
    changed."""
    found = json.loads((root / "reports/snippets.json").read_text(encoding="utf-8"))
    changed = []
    for pattern in DOCUMENTS:
        for path in sorted(root.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            new = filled(text, found, str(path.relative_to(root)))
            if new != text:
                write_text(path, new)
                changed.append(path)
    return changed
