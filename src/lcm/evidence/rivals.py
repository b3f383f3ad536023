"""Every target on the same splits: which one wins where, what is decided apart, and where each stands on the map."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

import numpy as np

from lcm.evidence.comparisons import Evidence, compare
from lcm.evidence.label_space import has_groups
from lcm.evidence.names import method_name, setting_name
from lcm.evidence.results import Result, grouped
from lcm.evidence.statistics import Paired, holm, paired
from lcm.evidence.verdicts import FOR, LEVEL, Claim, Comparison, accuracies, data_of, interval, points
from lcm.study import target_facts

STUDY = "targets"
SAME_EPSILON = 0.005
LEAST_SPLITS = 3  # grids are tried on two splits, which choose a setting and judge nothing
PLAIN = ("ce", "ls", "ls_matched")  # targets whose mass off the label is spread evenly
KNOWS_NOISE = {"transition", "held_out", "true_labels"}  # what a target may need that tells wrong from right labels


def claims(evidence: Evidence) -> list[Claim]:
    """Q4 to Q6."""
    return [_premise(evidence), _structured(evidence), _knowing(evidence)]


def best_version(evidence: Evidence, result: Result, target: str) -> Result | None:
    """A target on the data of `result` with its strength chosen by validation, or as it is if it was run once."""
    versions = evidence.versions(result, target)
    return evidence.tuned(result, target) or next((version for version in versions if not version.varied), None)


@cache
def settings_of(evidence: Evidence) -> list[Result]:
    """One result of label smoothing for each setting of the study of targets."""
    return list({result.setting: result for result in evidence.results([STUDY]) if result.target == "ls"}.values())


def judged(pairs: Iterable[tuple[Result | None, Result | None]], **says) -> list[Comparison]:
    """The test accuracies of all pairs that have enough splits in common."""
    return [found for found in accuracies(pairs, **says) if found.estimate.n >= LEAST_SPLITS]


def is_noisy(result: Result) -> bool:
    return any(result.record.get("realised_noise") or [0])


def structure_of(result: Result) -> float | None:
    """Mean structure of a result's implicit target after the last epoch, in nats; None where it was not recorded."""
    values = list(result.last("structure").values())
    return float(np.mean(values)) if values else None


def _premise(evidence: Evidence) -> Claim:
    comparisons, shared, errors = [], [], []
    for result in evidence.results():
        if result.target != "oracle_group" or not has_groups(result.record["labels"]):
            continue
        epsilon = result.settings["epsilon"]
        rivals = [*evidence.versions(result, "ls"), *evidence.versions(result, "ls_matched")]
        rivals = [r for r in rivals if abs(r.settings["epsilon"] - epsilon) <= SAME_EPSILON]
        rival = max(rivals, key=lambda r: len(r.scores().keys() & result.scores().keys()), default=None)
        what = f"{setting_name(*result.setting)}: {method_name(result.method)} − label smoothing ε = {epsilon:g}"
        comparisons += accuracies([(result, rival)], what=what)
        for other in evidence.versions(result, "permuted_group"):
            if rival and abs(other.settings["epsilon"] - epsilon) <= SAME_EPSILON:
                shared.append(_on_shared_runs(result, other, rival))
        plain = None if result.noise else evidence.rival(result, "ce")
        errors += plain.scores("in_group_errors").values() if plain else []
    means = [Claim("", "", "", [of[index] for of in shared if of]).average for index in range(3)]
    notes = []
    if errors:
        notes = [f"Groups hold {100 * np.mean(errors):.0f} % of cross-entropy’s errors where labels are right."]
    if all(means):
        true, behind, apart = (f"{points(mean.value)} {interval(mean.ci95)}" for mean in means)
        notes.append(f"On the runs that all have: these groups {true}, shuffled ones {behind}, the difference {apart}.")
    text = "At equal strength, mass on labels of the same group helps"
    source = "the paper’s premise, its groups given: labels of one prefix, such as comp.*, get nine tenths of ε = 0.27"
    return Claim("Q4", text, source, comparisons, notes)


def _on_shared_runs(true: Result, shuffled: Result, even: Result) -> list[Comparison]:
    """True groups minus even mass, shuffled groups minus even mass, true minus shuffled, on the runs that all have."""
    a, b, c = (result.scores() for result in (true, shuffled, even))
    shared = a.keys() & b.keys() & c.keys()
    pairs = [({place: x[place] for place in shared}, y) for x, y in ((a, c), (b, c), (a, b))] if shared else []
    return [Comparison("", paired(x, y, true.widening()), **data_of(true)) for x, y in pairs]


def _structured(evidence: Evidence) -> Claim:
    comparisons = []
    for setting in settings_of(evidence):
        smoothing = evidence.tuned(setting, "ls")
        for name in target_facts() if smoothing else ():
            result = None if name in PLAIN or target_facts()[name].ceiling else best_version(evidence, setting, name)
            if result and (name == "lcm" or (structure_of(result) or 0.0) > 1e-3):
                comparisons += judged([(result, smoothing)])
    text, source = "A structured target beats tuned uniform smoothing anywhere", "structure above 0.001 nats"
    return Claim("Q5", text, source, comparisons, anywhere=True)


def _knowing(evidence: Evidence) -> Claim:
    comparisons = []
    for setting in filter(is_noisy, settings_of(evidence)):
        smoothing = evidence.tuned(setting, "ls")
        for name in target_facts() if smoothing else ():
            knows = bool(KNOWS_NOISE & set(target_facts()[name].needs))
            if name not in PLAIN and (knows or not target_facts()[name].ceiling):
                result = best_version(evidence, setting, name)
                comparisons += judged([(result, smoothing)], sign=1 if knows else -1)
    text = "Under wrong labels only targets that know the noise, or were held out, help"
    claim = Claim("Q6", text, "to help is to beat label smoothing tuned on the validation part", comparisons)
    speak = [c for c, word in zip(comparisons, claim.words, strict=True) if word == FOR]
    ahead = [c for c in speak if c.sign > 0]
    ceilings = sum(target_facts()[c.pair[0].target].ceiling for c in ahead)
    note = (
        f"Of the {len(speak)} comparisons for it, {len(ahead)} are targets that know the noise and are ahead "
        f"({ceilings} of them ceilings), {len(speak) - len(ahead)} are targets that do not know it and are behind."
    )
    return replace(claim, notes=[note] * bool(speak))


# -------------------------------------------------------------------------------------------------- ranking and the map


@dataclass(frozen=True)
class Rank:
    """A target in one setting. letters: those that share one are not decided apart. over: it − matched smoothing."""

    result: Result
    mean: float
    letters: str
    over: Paired | None


@cache
def ranking(evidence: Evidence, setting: Result) -> list[Rank]:
    """The best version of every target in a setting, the most accurate first.

    All pairs are tested with Holm's correction. A letter is a bar of a critical-difference diagram.
    """
    matched = evidence.rival(setting, "ls_matched")
    base = matched.summary().mean if matched else 0.0
    found = []
    for result in (best_version(evidence, setting, name) for name in target_facts()):
        if result and result.summary():
            test = compare(result, matched) if matched and result.target != "ls_matched" else None
            # By the paired difference: means over different splits do not compare.
            gain = test.value if test else result.summary().mean - base
            found.append((gain, result, test))
    found.sort(key=lambda each: -each[0])
    tests = {(i, j): compare(found[i][1], found[j][1]) for i, j in combinations(range(len(found)), 2)}
    known = [pair for pair, test in tests.items() if test and test.p is not None]
    adjusted = zip(known, holm([tests[pair].p for pair in known]), strict=True)
    letters = _letters(len(found), {pair for pair, p in adjusted if p < LEVEL})
    return [Rank(r, r.summary().mean, of, test) for (_, r, test), of in zip(found, letters, strict=True)]


def _letters(n: int, apart: set[tuple[int, int]]) -> list[str]:
    """For each of n places the letters of its bars: the longest runs of places of which no two are apart."""
    letters, reached, bars = [""] * n, 0, 0
    for first in range(n):
        last = first
        while last + 1 < n and not any((index, last + 1) in apart for index in range(first, last + 1)):
            last += 1
        if last + 1 > reached:  # else the run lies within the one before
            for index in range(first, last + 1):
                letters[index] += chr(ord("a") + bars)
            reached, bars = last + 1, bars + 1
    return letters


@dataclass(frozen=True)
class Place:
    """A target on the map. path: mean (strength, structure) after each epoch. gain: over matched smoothing."""

    name: str
    path: list[tuple[float, float]]
    gain: float
    ceiling: bool


def places(evidence: Evidence, setting: Result) -> list[Place]:
    """Where each target's best version stands. Those that leave the simplex, or were not recorded, have no place."""
    found = []
    for rank in ranking(evidence, setting):
        strength, structure = (_by_epoch(rank.result, column) for column in ("strength", "structure"))
        path = [(strength[epoch], structure[epoch]) for epoch in sorted(strength.keys() & structure.keys())]
        if path and (rank.over or rank.result.target == "ls_matched"):
            target = target_facts()[rank.result.target]
            found.append(Place(target.short, path, rank.over.value if rank.over else 0.0, target.ceiling))
    return found


def _by_epoch(result: Result, column: str) -> dict[int, float]:
    rows = (row for row in result.curves if row.get(column) is not None)
    by_epoch = grouped(rows, lambda row: row["epoch"])
    return {epoch: float(np.mean([row[column] for row in of])) for epoch, of in by_epoch.items()}
