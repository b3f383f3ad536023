"""Tables over all studies: claims, the headline, coverage, collapse, the map of targets, the glossary."""

import numpy as np

from lcm.evidence import label_space, rivals
from lcm.evidence.claims import PAPER_STUDIES, printed
from lcm.evidence.comparisons import Evidence, compare
from lcm.evidence.names import TEXTS, corpus_name, method_name, setting_name
from lcm.evidence.paper import SETTINGS, paper_accuracy
from lcm.evidence.results import grouped
from lcm.evidence.statistics import holm
from lcm.evidence.tables import NOTHING, Row, Table, count, mean_accuracy, named, ours, p_value, plain, table, tested
from lcm.evidence.verdicts import LEVEL, Claim, Decisions, interval
from lcm.study import LINEAR, target_facts


def claims_table(claims: list[Claim]) -> Table:
    rows: list[Row] = []
    for claim in claims:
        p = p_value(claim.average.p if claim.average else None)
        rows.append([claim.key, (claim.text, claim.source), claim.headline(), p, claim.tally()])
    return table("claims", "Claims", " | claim | verdict | p: of the mean | numbers", [("", rows)])


def robustness(claims: list[Claim]) -> str:
    """What the verdicts owe to the choice of the rule, in three sentences."""
    means = [claim for claim in claims if claim.average]
    adjusted = dict(zip((claim.key for claim in means), holm([claim.average.p for claim in means]), strict=True))
    tested = [claim.key for claim in means if claim.average.p < LEVEL]
    left = [key for key in tested if adjusted[key] < LEVEL]
    changed = grouped((c for c in means if c.verdict != c.one_by_one), lambda claim: claim.one_by_one)
    old = "; ".join(f"{word} would be {', '.join(claim.key for claim in of)}" for word, of in changed.items())
    return (
        f"The mean of a claim is one test at 5 %, not corrected over the claims. Of {len(means)} means {len(tested)} "
        f"have p below 0.05 ({', '.join(tested)}); after Holm’s correction over the claims as well, {len(left)} would "
        f"({', '.join(left) or 'none'}). Until 26 November 2026 the rule asked that half of a claim’s comparisons be "
        f"decided one by one; it was changed after its verdicts were known. By the old rule "
        f"{old or 'no verdict would be another'}."
    )


def claim_table(claim: Claim) -> Table:
    """Rows: the comparisons of one claim."""
    rows: list[Row] = []
    for c, word, p, needs in zip(claim.comparisons, claim.words, claim.adjusted, claim.needs, strict=True):
        value = c.show(c.estimate.value), interval(c.estimate.ci95, c.show)
        n = str(c.estimate.n) if c.estimate.runs == c.estimate.n else f"{c.estimate.n} ({c.estimate.runs} runs)"
        paper = NOTHING if c.paper is None else c.show(c.paper)
        rows.append([c.what, paper, value, p_value(p), (word, needs) if needs else word, n])
    columns = "comparison | paper | ours: 95 % CI | p: Holm | says | n"
    return table(f"claim-{claim.key}", f"{claim.key}. {claim.text}", columns, [("", rows)])


def headline_table(evidence: Evidence, claims: list[Claim]) -> Table:
    """Eight rows of the paper's settings: four of its first study, the noisiest of each other one, then more."""
    found = printed(evidence, PAPER_STUDIES)
    first, *others = [*grouped(found, lambda result: result.study).values(), []]
    order = [*first[:4], *(max(of, key=lambda result: result.noise) for of in others if of)]
    decisions, rows = Decisions(evidence, claims), []
    for result in [*order, *(result for result in found if result not in order)][:8]:
        rival = [evidence.rival(result, method) for method in ("ce", "ls_matched")]
        papers = [paper_accuracy(*result.setting, method) for method in ("ce", "lcm")]
        means = [mean_accuracy(r) for r in (*rival, result)]
        words = [decisions.word(result, r).replace("undecided", "") if r else "" for r in rival]  # most are
        tests = [tested(compare(result, r), word) if r else NOTHING for r, word in zip(rival, words, strict=True)]
        paper = " → ".join(f"{100 * number[0]:.2f}" if number else NOTHING for number in papers)
        rows.append([setting_name(*result.setting), paper, *means, *tests, count(result)])
    columns = "setting | paper: CE → LCM | CE | matched LS | LCM | LCM − CE: 95 % CI | LCM − matched LS: 95 % CI | n"
    return table("headline", "Test accuracy, %", columns, [("", rows)])


def coverage(evidence: Evidence) -> str:
    """How much of the paper was measured, in a sentence."""
    editions, substitutes = TEXTS["editions"], TEXTS["substitutes"]
    both = {result.setting for result in evidence.plain("lcm")} & {result.setting for result in evidence.plain("ce")}
    partial = {(editions[corpus], noise, model) for corpus, noise, model in both if corpus in editions}
    other = {(corpus, noise, substitutes[model]) for corpus, noise, model in both if model in substitutes}
    own = [setting for setting in SETTINGS if setting in both]
    other_only = [setting for setting in SETTINGS if setting not in both and setting in partial | other]
    families = [result.collection for result in evidence.plain("lcm") if result.setting in own]
    most = max(dict.fromkeys(families), key=families.count) if families else ""
    parts = f" ({families.count(most)} of them on {corpus_name(most)} or parts of it)" if most else ""
    return (
        f"Measured of the paper’s {len(SETTINGS)} settings: {len(own)}{parts}; {len(other_only)} more with a stand-in "
        f"only, an altered corpus or another model; {len(SETTINGS) - len(own) - len(other_only)} not at all."
    )


def collapse_table(evidence: Evidence) -> Table:
    """Rows: LCM results that kept their mean confusion distribution. Onto which labels does its mass go?"""
    rows, rare, runs = [], 0, 0
    for result in evidence.plain("lcm"):
        lcds = list(label_space.mean_lcd(result).values())
        if not lcds:
            continue
        labels = result.record["labels"]
        rank = np.argsort(np.argsort(label_space.frequencies(result))) + 1  # 1: the rarest
        winners = [int(np.argmax(lcd)) for lcd in lcds]
        counts = sorted(
            ((winners.count(index), labels[index]) for index in set(winners)), key=lambda pair: (-pair[0], pair[1])
        )
        mass = [f"{100 * np.mean([np.sort(lcd)[-k:].sum() for lcd in lcds]):.0f}" for k in (1, 2)]
        same = list(result.last("lcd_label_share").values())
        often = ", ".join(f"{label} ({times})" for times, label in counts[:3])
        ranks = f"{np.mean(rank[winners]):.1f} of {len(labels)}"
        between = f"{100 * np.mean(same):.0f}" if same else NOTHING
        rows.append([setting_name(*result.setting), *mass, often, ranks, between, str(len(lcds))])
        rare, runs = rare + int((rank[winners] <= len(labels) / 2).sum()), runs + len(lcds)
    note = (
        f"The label with most of the mass is among the rarer half of the labels in {rare} of the {runs} runs that "
        f"recorded it (chance: half). Rank 1 is the rarest label."
    )
    columns = (
        "setting | first label: % of the mass | first two: % of the mass | which label: runs | its rank: by frequency "
        "| variance: between labels, % | runs"
    )
    return table("collapse", "Where the confusion distribution puts its mass", columns, [("", rows)], note)


def matrix_table(evidence: Evidence) -> Table:
    """Target × setting."""
    settings = rivals.settings_of(evidence)
    ranks = [{rank.result.target: rank for rank in rivals.ranking(evidence, setting)} for setting in settings]
    of_target = grouped((rank for of in ranks for rank in of.values()), lambda rank: rank.result.target)
    gains = {name: np.mean([rank.over.value if rank.over else 0.0 for rank in of]) for name, of in of_target.items()}
    rows: list[Row] = [
        [_with_ceiling(name), *(f"{100 * of[name].mean:.1f}" if name in of else NOTHING for of in ranks)]
        for name in sorted(gains, key=lambda name: -gains[name])
    ]
    heads = [f"{corpus_name(s.corpus)}: {setting_name('', s.noise, s.model).strip(', ')}" for s in settings]
    return table("targets-matrix", "Target × setting", " | ".join(["target", *heads]), [("", rows)], "matrix")


def ranking_table(evidence: Evidence) -> Table:
    """The targets of each setting, the best first, with what is decided apart."""
    groups = []
    for setting in rivals.settings_of(evidence):
        rows: list[Row] = []
        for r in rivals.ranking(evidence, setting):
            metrics = [ours(r.result, "nll", plain), ours(r.result, "ece"), ours(r.result, "in_group_errors")]
            start = [named(r.result), f"{100 * r.mean:.2f}", tested(r.over), r.letters]
            rows.append([*start, *metrics, count(r.result)])
        groups.append((setting_name(*setting.setting), rows))
    columns = (
        "target | accuracy: % | minus matched LS: 95 % CI | tied | NLL: nats | ECE: % | errors: in own group, % | n"
    )
    return table("targets-ranking", "Ranking by setting", columns, groups, "ranking")


def _with_ceiling(name: str) -> str | tuple[str, str]:
    return (method_name(name), "ceiling") if target_facts()[name].ceiling else method_name(name)


def glossary_tables(evidence: Evidence) -> list[Table]:
    """What the names of the models and corpora stand for."""
    cells = [result.cell for study in evidence.values() for result in study.results]
    found = []
    for kind, key in (("models", "model"), ("corpora", "corpus")):
        known, seen = TEXTS[kind], dict.fromkeys(getattr(cell, key) for cell in cells)
        rows: list[Row] = [[(known[name][0], name), known[name][1]] for name in seen if name in known]
        found.append(table(f"glossary-{kind}", kind.capitalize(), "name | what it is", [("", rows)]))
    seen = {result.target for study in evidence.values() for result in study.results if result.model != LINEAR}
    rows = [[(of.short, name), f"{of.label}: {of.about}"] for name, of in target_facts().items() if name in seen]
    return [table("glossary-targets", "Targets", "name | what it is", [("", rows)]), *found]
