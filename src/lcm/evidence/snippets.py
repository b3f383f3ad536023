"""The generated parts of README.md and docs/: every number in them is written between markers, by `fill`.

<!-- generated: coverage -->
...
<!-- end -->

A name is a snippet of the results or `measured-` and a file of benchmarks/measured, which a benchmark has printed.
"""

import json
import re
from collections import Counter
from pathlib import Path

from lcm.errors import UserError
from lcm.evidence import overview, tables
from lcm.evidence import which as targets
from lcm.evidence.answers import answers, sentence
from lcm.evidence.claims import measured
from lcm.evidence.comparisons import Evidence
from lcm.evidence.names import listed, model_name
from lcm.evidence.results import Study, grouped
from lcm.evidence.rivals import STUDY
from lcm.evidence.verdicts import (
    FOR,
    OPEN,
    RULE,
    SAYS,
    SUPPORTED,
    UNDECIDED,
    YES_NO,
    Claim,
    accuracies,
    interval,
    points,
)
from lcm.files import write_text
from lcm.study import LINEAR, read_seconds

FAMILIES = {"LSTMs": "1a", "CNNs": "1b", "BERT": "1c"}  # of the paper's Table 1, and the claims about them
NETWORKS = {"bag": "bag of embeddings", "MiniLM, frozen": "frozen MiniLM"}  # with several settings; not the paper's
MARKED = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
DOCUMENTS = ("README.md", "docs/*.md")


def snippets(evidence: Evidence, claims: list[Claim]) -> dict[str, str]:
    """Name -> Markdown: answer (should one use LCM?), instead (what else?), each with its -table, which (three
    questions), coverage, headline (a table of at most eight rows), answers, claims, rule, collapse, targets, studies,
    devices (what trained the runs), and verdict-<key> of each claim."""
    shown = {
        "gains": targets.gains_table(evidence),
        "networks": targets.network_table(evidence),
        "other-noise": targets.other_noise_table(evidence),
        "linear-table": targets.linear_table(evidence),
        "answer-table": answer_table(claims, evidence),
        "instead-table": targets.short_gains_table(evidence),
        "headline": overview.headline_table(evidence, claims),
        "claims": overview.claims_table(claims),
        "collapse": overview.collapse_table(evidence),
        "targets": overview.matrix_table(evidence),
        "studies": studies_table(evidence),
    }
    found = {
        "answer": answer(claims, evidence),
        "instead": targets.instead(evidence),
        "linear": targets.linear(evidence),
        "coverage": overview.coverage(evidence),
        "which": numbered(which(evidence, claims)),
        "answers": numbered(answers(claims, evidence)),
        "rule": RULE,
        "robustness": overview.robustness(claims),
        "devices": devices(evidence),
        **{name: tables.to_markdown(table, 0) or "Not measured." for name, table in shown.items()},
        **{f"verdict-{claim.key}": f"{claim.text}: **{claim.headline()}** ({claim.tally()})." for claim in claims},
    }
    return {name: text.strip() for name, text in found.items()}


def numbered(answers: list[tuple[str, str]]) -> str:
    return "\n".join(f"1. **{question}** {text}" for question, text in answers)


def answer(claims: list[Claim], evidence: Evidence) -> str:
    """Should one use LCM? A few sentences from the claims against cross-entropy and label smoothing."""
    by_key = {claim.key: claim for claim in claims}
    same, tuned = by_key["Q1"], by_key["Q1b"]
    if not same.comparisons:
        return "Not measured yet."
    first = YES_NO[same.verdict]
    if same.verdict == UNDECIDED and FOR not in [*same.words, *tuned.words]:
        first = "Nothing speaks for it"
    over = [name for name, key in FAMILIES.items() if key in by_key and by_key[key].verdict == SUPPORTED]
    parts = [first, *([f"LCM does beat cross-entropy in Table 1, with {listed(over)}"] if over else [])]
    parts += [f"Against label smoothing of the same strength, one line of code, it is {counted(same)}"]
    if tuned.comparisons:
        parts[-1] += f"; with both tuned, {counted(tuned)}"
    return f"{'. '.join(parts)}."


def answer_table(claims: list[Claim], evidence: Evidence) -> tables.Table:
    """Rows: what LCM gains on average over cross-entropy, here and there, and over label smoothing."""
    lstm = [result for result in measured(evidence) if result.family == "LSTM"]
    ours = [result for result in evidence.plain("lcm", [STUDY]) if result.family != "LSTM"]
    groups = {"all our LSTMs": lstm}
    groups |= {NETWORKS[m]: of for m, of in grouped(ours, lambda r: model_name(r.model)).items() if m in NETWORKS}
    by_key = {claim.key: claim for claim in claims}
    found = {f"cross-entropy, Table 1, {name}": by_key[key] for name, key in FAMILIES.items() if key in by_key}
    for name, of in groups.items():
        against = accuracies((result, evidence.rival(result, "ce")) for result in of)
        found[f"cross-entropy, {name}"] = Claim("", "", "", against)
    smoothing = {"Q1": "label smoothing of the same strength", "Q1b": "label smoothing, both tuned"}
    found |= {name: by_key[key] for key, name in smoothing.items() if key in by_key}
    rows: list[tables.Row] = [
        [name, (points(of.average.value), interval(of.average.ci95)), str(len(of.comparisons))]
        for name, of in found.items()
        if of.average
    ]
    return tables.table("answer", "", "LCM minus | points: 95 % CI | settings", [("", rows)])


def which(evidence: Evidence, claims: list[Claim]) -> list[tuple[str, str]]:
    """Which target to use, in three answers. Settings are those of the study of targets."""
    similar = next(claim for claim in claims if claim.key == "Q4")
    return [
        ("Which target?", targets.instead(evidence)),
        (
            "At equal strength, does it help to put the mass on similar labels?",
            " ".join([sentence(similar), *similar.notes[-2:]]),
        ),
        ("Would a linear model do?", targets.linear(evidence)),
    ]


def counted(claim: Claim) -> str:
    """'better in 0 of 13 settings, equal in 3, undecided in 10', with the range of differences if there is no mean.

    One or two settings in which the first is better are named.
    """
    words, values = claim.words, [comparison.estimate.value for comparison in claim.comparisons]
    if len(words) == 1:
        return f"{SAYS[words[0]]} in one setting ({points(values[0])} points)"
    won = [c.what.partition(":")[0] for c, word in zip(claim.comparisons, words, strict=True) if word == FOR]
    better = f"better in {len(won)} of {len(words)} settings"
    if len(won) in (1, 2) and all(won):
        better += f" ({'; '.join(won)})"
    known = [word for word in claim.counts if word != FOR and not (claim.average and word == OPEN)]  # open: the rest
    told = ", ".join([better, *(f"{SAYS[word]} in {claim.counts[word]}" for word in known)])
    return told if claim.average else f"{told} ({points(min(values))} to {points(max(values))} points)"


def studies_table(evidence: Evidence) -> tables.Table:
    """Rows: the measured studies of the paper's tables and figures, and that of targets.

    Columns: command, what training the measured networks anew takes, on two cores and on one H200 shared by seven
    processes, and how many networks are measured.
    """
    rows = []
    for study in evidence.values():
        kind = study.title.partition(",")[0]
        networks = [result for result in study.results if result.model != LINEAR]
        if not kind.startswith(("Table", "Figure", "Targets")) or not any(result.done for result in networks):
            continue
        link = f"[{kind}](studies/{study.name}.yaml)"
        hours = [_hours(study, "seconds"), _hours(study, "gpu_seconds")]
        hours = [hours[0] / 2 if hours[0] else None, hours[1]]
        written = [tables.NOTHING if not h else f"{h:.{1 if h >= 0.05 else 2}f}" for h in hours]
        status = f"{sum(result.done for result in networks)} of {len(networks)}"
        rows.append([link, f"`dvc repro {study.name}`", *written, status])
    columns = ["study", "command", ("hours", "2 cores"), ("hours", "GPU"), "networks"]
    return tables.Table("studies", "", columns, [("", rows)])


def _hours(study: Study, key: str) -> float | None:
    """What the networks of the measured cells take, in hours, from the recorded seconds of a run under `key`.

    A cell without a time takes as long as the others of its model and corpus; None if there is none.
    """
    total = 0.0
    networks = (result for result in study.results if result.done and result.model != LINEAR)
    for (corpus, _), alike in grouped(networks, lambda result: (result.corpus, result.model)).items():
        recorded = read_seconds(study.name, corpus, alike[0].root)
        known = {result.name: recorded.get(result.name, {}).get(key) for result in alike}
        times = [time for time in known.values() if time is not None]
        if not times:
            return None
        mean = sum(times) / len(times)
        total += sum(len(result.record["runs"]) * (known[result.name] or mean) for result in alike)
    return total / 3600


def devices(evidence: Evidence) -> str:
    """How many runs of networks each kind of device has trained."""
    results = [result for study in evidence.values() for result in study.results if result.model != LINEAR]
    by_key = {run["key"]: run.get("device", "cpu") for result in results for run in result.runs}  # studies share runs
    counts = Counter("CPUs" if device.startswith("cpu") else device for device in by_key.values())
    if not counts:
        return "Nothing is measured yet."
    told = " and ".join(f"{count:,} were trained on {device}" for device, count in counts.most_common())
    return f"Of the {len(by_key):,} runs of networks in git, {told}."


def filled(text: str, found: dict[str, str], where: str = "the text") -> str:
    """The text with every marked part replaced. Raises UserError for a name that is no snippet."""

    def replace(match: re.Match) -> str:
        if match[2] not in found:
            raise UserError(f"{where}: no generated part is called {match[2]}; there are {', '.join(found)}")
        return f"{match[1]}{found[match[2]]}\n{match[3]}"

    return MARKED.sub(replace, text)


def generated(root: Path = Path()) -> dict[str, str]:
    """Return name -> Markdown: the snippets of the last page, and what benchmarks have printed."""
    found = json.loads((root / "reports/snippets.json").read_text(encoding="utf-8"))
    measured = (root / "benchmarks/measured").glob("*.md")
    return found | {f"measured-{path.stem}": path.read_text(encoding="utf-8").strip() for path in measured}


def fill(root: Path = Path()) -> list[Path]:
    """Write the generated parts of README.md and docs/*.md; returns the files that changed."""
    found, changed = generated(root), []
    for pattern in DOCUMENTS:
        for path in sorted(root.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            new = filled(text, found, str(path.relative_to(root)))
            if new != text:
                write_text(path, new)
                changed.append(path)
    return changed
