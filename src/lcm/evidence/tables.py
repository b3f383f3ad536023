"""Every table: what stands in which row and column. The page's template, `to_markdown`, `to_text` and `to_csv` only
write it."""

import csv
import io
import re
from dataclasses import dataclass, field
from html import escape

import numpy as np
from scipy.stats import binomtest

from lcm.evidence import label_space, rivals
from lcm.evidence.claims import PAPER_STUDIES, printed
from lcm.evidence.names import (
    CORPORA,
    EDITIONS,
    MODELS,
    SUBSTITUTES,
    TUNED,
    corpus_name,
    method_name,
    model_name,
    setting_name,
)  # fmt: skip
from lcm.evidence.paper import paper_accuracy, paper_labels, paper_settings
from lcm.evidence.results import NOT_RUN, STALE, Evidence, Result, Study, Summary, compare, strengths, true_mass
from lcm.evidence.statistics import Paired
from lcm.evidence.verdicts import AGAINST, EQUAL, FOR, OPEN, Claim, accuracy, interval, points
from lcm.study import LINEAR, YARDSTICKS

NOTHING = "–"
NO_NUMBER = (NOTHING, NOT_RUN.split()[0], STALE, "failed")
WORDS = {FOR: "LCM better", AGAINST: "LCM worse", EQUAL: "equal", OPEN: "undecided"}
RIVALS = ("ls_matched", "ls", "ce")  # whom LCM is compared with, the deciding one first
Entry = str | tuple[str, str]  # a table entry, or (entry, small print under it)


@dataclass(frozen=True)
class Table:
    """name: of its CSV file. Rows stand in groups with a heading each ("" for none); a row's first entry names it."""

    name: str
    title: str
    columns: list[Entry]
    groups: list[tuple[Entry, list[list[Entry]]]] = field(default_factory=list)
    note: str = ""


def percent(value: Summary | tuple | None, digits: int = 2) -> str:
    """Mean ± std in percent with the paper's precision; a single run has no ±."""
    mean, std = value if isinstance(value, tuple) else (value.mean, value.std) if value else (None, None)
    if mean is None:
        return NOTHING
    return f"{100 * mean:.{digits}f}" + ("" if std is None else f" ± {100 * std:.{digits}f}")


def plain(value: Summary | None) -> str:
    """Mean ± std of something in nats or without a unit."""
    return NOTHING if value is None else f"{value.mean:.3f}" + ("" if value.std is None else f" ± {value.std:.3f}")


def p_value(p: float | None) -> str:
    return NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def stacked(mean_and_std: str) -> Entry:
    mean, _, std = mean_and_std.partition(" ± ")
    return (mean, f"± {std}") if std else mean


def ours(result: Result, metric: str = "accuracy", show=percent, of: str = "test") -> Entry:
    """Our entry: mean and std, or why there is none. Failed runs are always named."""
    if not result.done:
        return result.state
    summary, failed = result.summary(metric, of), len(result.failures)
    if failed:
        return show(summary) if summary else "failed", f"{failed} of {len(result.record['runs'])} runs failed"
    return stacked(show(summary))


def count(result: Result) -> str:
    summary = result.summary()
    return summary.count if summary else "0"


# ------------------------------------------------------------------------------------------------------------- verdicts


class Decisions:
    """What is decided between two results: the word of the claim that holds the comparison, else of its study's
    family."""

    def __init__(self, evidence: Evidence, claims: list[Claim]):
        families = list(claims)
        for study in evidence.values():
            for other in (*RIVALS, f"ls.{TUNED}"):
                pairs = [(r, evidence.rival(r, other)) for r in study.results if r.done and r.method == "lcm"]
                found = [c for a, b in pairs if (c := accuracy(a, b))]
                families.append(Claim(study.name, "", "", found))
        self._words: dict[tuple, str] = {}
        for claim in families:
            for comparison, word in zip(claim.comparisons, claim.words, strict=True):
                if comparison.pair and comparison.sign > 0:
                    self._words.setdefault(_key(*comparison.pair), word)

    def word(self, a: Result, b: Result) -> str:
        """ "LCM better" and the like; "" where no family holds the comparison."""
        return WORDS.get(self._words.get(_key(a, b), ""), "")


def _key(a: Result, b: Result) -> tuple:
    return a.setting, a.method, b.method, len(a.runs), len(b.runs)


# -------------------------------------------------------------------------------------------------- a study's results


def results_table(study: Study, evidence: Evidence, decisions: Decisions | None = None) -> Table:
    """Rows: the methods at the study's own settings and, of those with several strengths, the tuned one.

    One group per setting; what was not run at all is one row per corpus. decisions: for the words; None leaves them
    out.
    """
    groups, missing = [], {}
    for setting in study.settings:
        results = study.of(*setting)
        if not any(result.done for result in results):
            missing.setdefault(setting[0], []).append(setting)
            continue
        lcm = next((result for result in results if result.method == "lcm" and result.done), None)
        rows = [_row(result, lcm, decisions) for result in _shown(results, evidence)]
        yardsticks = [_row(r, None, None) for r in study.of(*setting[:2], LINEAR) if r.done]
        later = any(place[:2] == setting[:2] for place in study.settings[study.settings.index(setting) + 1 :])
        groups.append((setting_name(*setting), rows + ([] if later else yardsticks)))
    rows = []
    for corpus, settings in missing.items():
        models = {
            model: [noise for _, noise, m in settings if m == model] for model in dict.fromkeys(s[2] for s in settings)
        }
        states = {result.state for setting in settings for result in study.of(*setting)}
        what = ", ".join(
            model_name(m) + (f" ({', '.join(f'{n:g} %' for n in rates)})" * any(rates)) for m, rates in models.items()
        )
        rows.append([(corpus_name(corpus), what), "", STALE if STALE in states else NOT_RUN, "", "", ""])
    if rows:
        groups.append(("Not run", rows))
    columns: list[Entry] = ["method", "paper", "ours", ("ours", "− paper"), ("LCM − this", "95 % CI"), "n"]
    return Table(study.name, study.title, columns, groups)


def _shown(results: list[Result], evidence: Evidence) -> list[Result]:
    shown = []
    for target in dict.fromkeys(result.target for result in results):
        mine = [result for result in results if result.target == target]
        shown += [result for result in mine if not result.varied] or [r for r in mine if r.done][:1]
        first = next((result for result in mine if result.done), None)
        chosen = evidence.tuned(first, target) if first and len(strengths(mine)) > 1 else None
        shown += [chosen] if chosen else []
    return shown


def _row(result: Result, lcm: Result | None, decisions: Decisions | None) -> list[Entry]:
    printed = paper_accuracy(*result.setting, result.method) if not result.varied else None
    summary = result.summary()
    row: list[Entry] = [_name(result), stacked(percent(printed)), ours(result)]
    if summary is None:
        return [*row, NOTHING, NOTHING, "0"]
    test = compare(lcm, result) if lcm and lcm is not result else None
    entry = tested(test, decisions.word(lcm, result) if decisions else "") if test else NOTHING
    return [*row, points(summary.mean - printed[0]) if printed else NOTHING, entry, count(result)]


def _name(result: Result) -> Entry:
    if result.method in YARDSTICKS:
        return YARDSTICKS[result.method]
    if "tried" in result.record:
        values = [method_name(method, short=True).rpartition(", ")[2] for method in result.record["chosen"].values()]
        often = max(dict.fromkeys(values), key=values.count)
        return method_name(result.method, short=True), f"most often {often}" if "=" in often else "most often as above"
    number = [
        f"{key} = {result.settings[name]:.3g}"
        for name, key in (("alpha", "α"), ("epsilon", "ε"))
        if result.settings.get(name)
    ]
    return (
        (method_name(result.method, short=True), number[0])
        if number and not result.varied
        else method_name(result.method, short=True)
    )


def tested(test: Paired | None, word: str = "") -> Entry:
    """A difference in points with its 95 % interval and, if given, the verdict's word."""
    if test is None:
        return NOTHING
    return points(test.mean), "\n".join(filter(None, [interval(test.ci95), word]))


def sweep_table(study: Study, evidence: Evidence) -> Table:
    """Rows: label smoothing and LCM of every strength, on one axis: the mass that the target leaves on the true
    label."""
    groups = []
    for setting in study.settings:
        results = study.of(*setting)
        if not any(r.varied and not _changed(r) and r.target in ("ls", "lcm") for r in results):
            continue
        base = {name: next((r for r in results if r.method == name), None) for name in ("ce", "lcm")}
        found = []
        for result in results:
            n_labels = result.record.get("n_labels")
            mass = true_mass(result.target, result.settings, n_labels) if result.done else None
            if not _changed(result) and result.target in ("ce", "ls", "ls_matched", "lcm"):
                entries = [tested(compare(result, r)) if r and r is not result else NOTHING for r in base.values()]
                metrics = [ours(result), *entries, ours(result, "ece"), ours(result, "nll", plain), count(result)]
                name = method_name(result.method) if result.varied else _name(result)
                found.append((mass, [name, NOTHING if mass is None else f"{100 * mass:.1f}", *metrics]))
        found.sort(key=lambda pair: (pair[0] is None, -(pair[0] or 0)))
        groups.append((setting_name(*setting), [row for _, row in found]))
    columns: list[Entry] = [
        "target", ("on the true label", "%"), "accuracy", ("minus CE", "[95 % CI]"), ("minus LCM", "[95 % CI]"), ("ECE", "%"),
        ("NLL", "nats"), "n",
    ]  # fmt: skip
    note = (
        "Sorted by what the training target leaves on the true label: 1 − ε + ε / C for label smoothing, e^α / (e^α + C − 1) "
        "for LCM, which is its value while the confusion distribution is uniform. If LCM were label smoothing by another "
        "name, neighbours would be equal."
    )
    return Table(f"{study.name}-strengths", "Label smoothing and LCM on one axis", columns, groups, note)


def _changed(result: Result) -> list[str]:
    """What a method's name changes other than a strength."""
    keys = [change.partition("=")[0] for change in result.method.partition(".")[2].split(",") if change]
    return [key for key in keys if key not in ("alpha", "epsilon")]


def changes_table(study: Study) -> Table:
    """Rows: a method with one thing changed (stopped early, no gradient through the target) against the same
    without."""
    groups = []
    for setting in study.settings:
        rows: list[list[Entry]] = []
        for result in study.of(*setting):
            changed = _changed(result)
            if len(changed) != 1:
                continue
            kept = [
                part for part in result.method.partition(".")[2].split(",") if not part.startswith(f"{changed[0]}=")
            ]
            other = study.find(*setting, ".".join(filter(None, [result.target, ",".join(kept)])))
            if other:
                test = compare(result, other)
                last = [
                    stacked(percent(r.summary("accuracy", "test_last"))) if r.done else NOTHING for r in (result, other)
                ]
                row = [
                    method_name(result.method),
                    method_name(other.method),
                    ours(result),
                    ours(other),
                    *last,
                    tested(test),
                ]
                rows.append([*row, str(test.n) if test else "0"])
        if rows:
            groups.append((setting_name(*setting), rows))
    columns: list[Entry] = [
        "changed", "against", "accuracy", ("accuracy", "of the other"), ("last epoch", "changed"), ("last epoch", "other"),
        ("difference", "[95 % CI]"), "n",
    ]  # fmt: skip
    note = "The test epoch is chosen on the validation part, which stops early by itself; the last epoch shows what happens without."
    return Table(f"{study.name}-changes", "One setting changed", columns, groups, note)


def labels_table(study: Study) -> Table:
    """Rows: the subsets of the paper's Table 2 with their labels."""
    rows: list[list[Entry]] = []
    for corpus in dict.fromkeys(corpus for corpus, _, _ in study.settings):
        printed = paper_labels(corpus)
        record = next((r.record for r in study.results if r.corpus == corpus and r.done), None)
        if printed and record:
            labels = record["labels"]
            same = "yes" if sorted(labels) == sorted(printed) else f"no: {', '.join(printed)}"
            rows.append([corpus_name(corpus), ", ".join(labels), same, str(sum(record["sizes"].values()))])
    columns = ["corpus", "labels", "as in the paper’s Table 2", "documents"]
    return Table(f"{study.name}-labels", "Labels of the subsets", columns, [("", rows)] if rows else [])


METRICS = (  # column, metric, how it is written
    (("macro-F1", "%"), "macro_f1", percent), (("NLL", "nats"), "nll", plain), (("ECE", "%"), "ece", percent),
    (("ECE", "equal bins, %"), "adaptive_ece", percent), ("Brier", "brier", plain), ("AURC", "aurc", plain),
    ("AUROC", "auroc", plain), (("errors", "in own group, %"), "in_group_errors", percent),
)  # fmt: skip


def metrics_table(study: Study) -> Table:
    """Rows: methods. How far the probabilities can be trusted, which mistakes are made, what the choice of epoch
    did."""
    done = [result for result in study.results if result.done]
    shown = [metric for metric in METRICS if any(result.scores(metric[1]) for result in done)]
    groups = []
    for place in dict.fromkeys(result.setting for result in done):
        rows = []
        for result in (r for r in done if r.setting == place):
            entries = [ours(result, metric, show) for _, metric, show in shown]
            best = result.summary("best_epoch", "run")
            last = ours(result, "accuracy", percent, "test_last")
            rows.append(
                [method_name(result.method), *entries, last, f"{best.mean:.1f}" if best else NOTHING, count(result)]
            )
        groups.append((setting_name(*place), rows))
    columns: list[Entry] = [
        "method",
        *(column for column, _, _ in shown),
        ("accuracy", "last epoch, %"),
        "chosen epoch",
        "n",
    ]
    note = (
        "On the test part. Smaller is better but for macro-F1 and AUROC. ECE: expected calibration error, in bins of equal "
        "width or of equally many samples. AURC: area under the curve of risk over coverage. AUROC: does confidence tell "
        "right from wrong predictions? Smoothed targets make a model less confident on purpose. SVMs give no probabilities."
    )
    return Table(f"{study.name}-metrics", "Calibration, mistakes and macro-F1", columns, groups, note)


def provenance_table(study: Study) -> Table:
    """Rows: settings. Edition, sizes and the machines."""
    rows = []
    for setting in dict.fromkeys(result.setting for result in study.results):
        results = [result for result in study.of(*setting) if result.done]
        if results:
            record, runs = results[0].record, [run for result in results for run in result.runs]
            rates = record.get("realised_noise") or [0.0]

            def seen(key: str, runs=runs) -> str:
                return ", ".join(sorted({str(run[key]) for run in runs if run.get(key) is not None})) or NOTHING

            sizes = "/".join(str(record["sizes"].get(part, NOTHING)) for part in ("train", "val", "test"))
            digest = str(record.get("corpus_digest", NOTHING)).split(":")[-1][:12]
            row = [
                setting_name(*setting),
                str(record.get("edition", NOTHING)),
                digest,
                sizes,
                f"{100 * np.mean(rates):.2f}",
            ]
            rows.append([*row, seen("epochs"), seen("device"), seen("torch"), str(len(runs))])
    columns: list[Entry] = [
        "setting", "edition", ("corpus", "digest"), ("items", "train/val/test"), ("wrong labels", "%"), "epochs", "device",
        "torch", "runs",
    ]  # fmt: skip
    note = f"All parameters of a cell and every run: metrics/cells/{study.name}/."
    return Table(f"{study.name}-provenance", "Provenance", columns, [("", rows)] if rows else [], note)


def gaps(study: Study) -> list[str]:
    """One line for each thing that is not in the tables though a network of its setting is."""
    lines = []
    for result in study.results:
        if result.state == STALE:
            lines.append(f"{result.cell}: stale ({result.reason})")
        elif result.state == NOT_RUN and any(other.done for other in study.of(*result.setting)):
            lines.append(f"{result.cell}: not run")
        if result.lacking:
            lines.append(
                f"{result.cell}: {result.lacking} of {result.lacking + len(result.record['runs'])} runs are not there yet"
            )
        lines += [
            f"{result.cell}, split {split}, seed {seed}: failed ({why})"
            for (split, seed), why in result.failures.items()
        ]
    return lines


# --------------------------------------------------------------------------------------------------- over all studies


def claims_table(claims: list[Claim]) -> Table:
    rows = [[claim.key, (claim.text, claim.source), claim.headline(), claim.tally()] for claim in claims]
    return Table("claims", "Claims", ["", "claim", "verdict", "numbers"], [("", rows)])


def claim_table(claim: Claim) -> Table:
    """Rows: the comparisons of one claim."""
    rows = []
    for c, word, p, needs in zip(claim.comparisons, claim.words, claim.adjusted, claim.needs, strict=True):
        value = c.show(c.contrast.value), interval(c.contrast.ci95, c.show)
        n = str(c.contrast.n) if c.contrast.runs == c.contrast.n else f"{c.contrast.n} ({c.contrast.runs} runs)"
        rows.append(
            [
                c.what,
                NOTHING if c.paper is None else c.show(c.paper),
                value,
                p_value(p),
                (word, needs) if needs else word,
                n,
            ]
        )
    columns: list[Entry] = ["comparison", "paper", ("ours", "[95 % CI]"), ("p", "Holm"), "says", "n"]
    return Table(f"claim-{claim.key}", f"{claim.key}. {claim.text}", columns, [("", rows)] if rows else [])


def headline_table(evidence: Evidence, claims: list[Claim], most: int = 8) -> Table:
    """At most eight rows: LCM against cross-entropy and matched smoothing in the paper's settings, the largest noise
    first."""
    decisions, rows = Decisions(evidence, claims), []
    found = printed(evidence, PAPER_STUDIES)
    per_study = {study: [r for r in found if r.study == study] for study in dict.fromkeys(r.study for r in found)}
    order = [r for of_study in per_study.values() for r in of_study[:4] if r.study == found[0].study]
    order += [max(of, key=lambda r: r.noise) for study, of in per_study.items() if of and study != found[0].study]
    for result in [*order, *(r for r in found if r not in order)][:most]:
        ce, matched = (evidence.rival(result, method) for method in ("ce", "ls_matched"))
        papers = [
            percent(number and (number[0], None))
            for m in ("ce", "lcm")
            if (number := paper_accuracy(*result.setting, m)) or True
        ]
        means = [percent(r.summary() and (r.summary().mean, None), 1) if r else NOTHING for r in (ce, matched, result)]
        differences = [tested(compare(result, r), decisions.word(result, r)) if r else NOTHING for r in (ce, matched)]
        rows.append([setting_name(*result.setting), " → ".join(papers), *means, *differences, count(result)])
    columns: list[Entry] = [
        "setting", ("paper", "CE → LCM"), "CE", "matched LS", "LCM", ("LCM − CE", "95 % CI"), ("LCM − matched LS", "95 % CI"), "n",
    ]  # fmt: skip
    return Table("headline", "Test accuracy, %", columns, [("", rows)] if rows else [])


def coverage(evidence: Evidence) -> str:
    """How much of the paper was measured, in one line: of its settings with an LCM number, and of Table 1."""
    both = {result.setting for result in evidence.plain("lcm")} & {result.setting for result in evidence.plain("ce")}
    partial = {(EDITIONS[corpus], noise, model) for corpus, noise, model in both if corpus in EDITIONS}
    substitute = {(corpus, noise, SUBSTITUTES[model]) for corpus, noise, model in both if model in SUBSTITUTES}

    def counts(settings: list) -> list[int]:
        own = [s for s in settings if s in both]
        rest = [s for s in settings if s not in both]
        edition = [s for s in rest if s in partial]
        other = [s for s in rest if s not in partial and s in substitute]
        return [len(own), len(edition), len(other), len(settings) - len(own) - len(edition) - len(other), len(settings)]

    wanted = paper_settings()
    all_of_it = counts(wanted)
    table_1 = counts([s for s in wanted if (paper_accuracy(*s, "lcm") or (0, None))[1] is not None])
    text = "{} on its own corpora and models, {} on a partial or altered edition only, {} with a substitute model only, {} not"
    return (
        f"Measured of the paper’s {all_of_it[4]} settings: {text.format(*all_of_it)} at all. "
        f"Of the {table_1[4]} in Table 1: {text.format(*table_1)} at all."
    )


def collapse_table(evidence: Evidence) -> Table:
    """Rows: LCM results that kept their mean confusion distribution. Onto which labels does its mass go?"""
    rows, rare, runs = [], 0, 0
    for result in evidence.plain("lcm"):
        lcds = label_space.mean_lcd(result)
        if not lcds:
            continue
        shares, labels = label_space.frequencies(result), result.record["labels"]
        rank = np.argsort(np.argsort(shares)) + 1  # 1: the rarest
        winners = [int(np.argmax(lcd)) for lcd in lcds.values()]
        names = [labels[index] for index in winners]
        often = ", ".join(
            f"{name} ({names.count(name)})" for name in sorted(set(names), key=lambda n: (-names.count(n), n))[:3]
        )
        two = np.mean([np.sort(lcd)[-2:].sum() for lcd in lcds.values()])
        one = np.mean([lcd.max() for lcd in lcds.values()])
        same = result.last("lcd_label_share")
        rare, runs = rare + sum(rank[index] <= len(labels) / 2 for index in winners), runs + len(winners)
        rows.append([
            setting_name(*result.setting), f"{100 * one:.0f}", f"{100 * two:.0f}", often,
            f"{np.mean([rank[index] for index in winners]):.1f} of {len(labels)}",
            f"{100 * np.mean(list(same.values())):.0f}" if same else NOTHING, str(len(winners)),
        ])  # fmt: skip
    note = ""
    if runs:
        p = binomtest(int(rare), runs, 0.5).pvalue
        note = (
            f"The label with most of the mass is among the rarer half of the labels in {rare} of {runs} runs (chance: one "
            f"half; p = {p_value(p)}, taking runs for independent). Rank 1 is the rarest label."
        )
    columns: list[Entry] = [
        "setting", ("first label", "% of the mass"), ("first two", "% of the mass"), ("which label", "runs"),
        ("its rank", "by frequency"), ("variance", "between labels, %"), "runs",
    ]  # fmt: skip
    return Table(
        "collapse", "Where the confusion distribution puts its mass", columns, [("", rows)] if rows else [], note
    )


def targets_tables(evidence: Evidence) -> list[Table]:
    """One table target × setting; then the ranking of each setting with what is decided apart."""
    settings = rivals.settings_of(evidence)
    ranks = [rivals.ranking(evidence, setting) for setting in settings]
    if not ranks:
        return []
    targets = list(dict.fromkeys(rank.result.target for of in ranks for rank in of))
    by_target = [{rank.result.target: rank for rank in of} for of in ranks]
    means = {t: np.mean([of[t].over.mean for of in by_target if t in of and of[t].over] or [0.0]) for t in targets}
    rows = [
        [method_name(t), *(f"{100 * of[t].mean:.1f}" if t in of else NOTHING for of in by_target)]
        for t in sorted(targets, key=lambda t: -means[t])
    ]
    columns: list[Entry] = [
        "target",
        *((corpus_name(s.corpus), setting_name("", s.noise, s.model).strip(", ")) for s in settings),
    ]
    note = "Test accuracy in percent, each target with its strength chosen on the validation part."
    matrix = Table("targets-matrix", "Target × setting", columns, [("", rows)], note)
    groups = [
        (
            setting_name(*setting.setting),
            [
                [_name(r.result), f"{100 * r.mean:.2f}", tested(r.over), r.letters, *(ours(r.result, m, s) for m, s in (("nll", plain), ("ece", percent), ("in_group_errors", percent))), count(r.result)]
                for r in of
            ],
        )
        for setting, of in zip(settings, ranks, strict=True)
    ]  # fmt: skip
    columns = [
        "target",
        ("accuracy", "%"),
        ("minus matched LS", "[95 % CI]"),
        "tied",
        ("NLL", "nats"),
        ("ECE", "%"),
        ("errors", "in own group, %"),
        "n",
    ]
    note = "Targets that share a letter are not decided apart (all pairs of a setting, Holm’s correction)."
    return [matrix, Table("targets-ranking", "Ranking by setting", columns, groups, note)]


def glossary_tables(evidence: Evidence) -> list[Table]:
    results = [result for study in evidence.values() for result in study.results]
    tables = []
    for name, title, known, seen in (
        ("models", "Models", MODELS, (r.model for r in results)),
        ("corpora", "Corpora", CORPORA, (r.corpus for r in results)),
    ):
        rows = [[(known[key][0], key), known[key][1]] for key in dict.fromkeys(seen) if key in known]
        tables.append(Table(f"glossary-{name}", title, ["name", "what it is"], [("", rows)]))
    return tables


# -------------------------------------------------------------------------------------------------------------- writing


def flat(entry: Entry, glue: str = " ") -> str:
    """An entry and its small print in one line."""
    text = entry if isinstance(entry, str) else glue.join(part for part in entry if part)
    return text.replace("\n", " ")


def to_markdown(table: Table, level: int = 2) -> str:
    """One GitHub-flavoured table per group, under the table's heading (level 0: none)."""

    def safe(entry: Entry, glue: str = " ") -> str:
        return escape(flat(entry, glue), quote=False).replace("|", "\\|")

    lines = [f"{'#' * level} {safe(table.title)}", ""] if level else []
    lines += [safe(table.note), ""] if table.note else []
    for heading, rows in table.groups:
        lines += [f"{'#' * (level + 1)} {safe(heading)}", ""] if heading else []
        sides = ["---:" if i and all(_is_number(row[i]) for row in rows) else "---" for i in range(len(table.columns))]
        lines += ["| " + " | ".join(map(safe, table.columns)) + " |", "|" + "|".join(sides) + "|"]
        lines += ["| " + " | ".join([safe(row[0], ", "), *map(safe, row[1:])]) + " |" for row in rows] + [""]
    return "\n".join(lines)


def _is_number(entry: Entry) -> bool:
    """Return whether an entry begins with a number or stands for a missing one; such columns are aligned right."""
    return re.match(r"[-−+×<]?\s?\d|$", flat(entry)) is not None or flat(entry).split(" ")[0] in NO_NUMBER


def to_text(table: Table) -> str:
    """The table for a terminal: ASCII but for ± and letters, columns as wide as they must be."""

    def cell(entry: Entry) -> str:
        return flat(entry).replace("−", "-").replace(NOTHING, "-").replace("–", "-")

    rows = [[cell(entry) for entry in row] for _, of in table.groups for row in of]
    head = [cell(column) for column in table.columns]
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]

    def line(row: list[str]) -> str:
        first, *rest = (
            text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(["  " + first, *rest]).rstrip()

    lines = []
    for heading, of in table.groups:
        lines += ["", cell(heading), line(head), *(line([cell(entry) for entry in row]) for row in of)]
    return "\n".join(lines)


def to_csv(table: Table) -> str:
    """The table as comma-separated values; the group's heading is the first column, small print a column of its own."""
    small = [
        any(isinstance(row[i], tuple) for _, rows in table.groups for row in rows) for i in range(len(table.columns))
    ]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head = [flat(column) for column in table.columns]
    writer.writerow(
        [
            "group",
            *(x for name, two in zip(head, small, strict=True) for x in ([name, f"{name} (more)"] if two else [name])),
        ]
    )
    for heading, rows in table.groups:
        for row in rows:
            entries = [flat(heading)]
            for entry, two in zip(row, small, strict=True):
                main, more = entry if isinstance(entry, tuple) else (entry, "")
                entries += [main, more.replace("\n", "; ")] if two else [main]
            writer.writerow(entries)
    return file.getvalue()
