"""Which target to use: what each gains over tuned label smoothing, and whether a linear model would do."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from lcm.evidence import rivals
from lcm.evidence.comparisons import Evidence, compare, tuned
from lcm.evidence.names import TEXTS, corpus_name, listed, method_name, model_name, setting_name
from lcm.evidence.results import Result
from lcm.evidence.statistics import Estimate, equivalent, holm
from lcm.evidence.tables import NOTHING, Entry, Row, Table, mean_accuracy, table
from lcm.evidence.verdicts import EQUIVALENCE, FOR, OPEN, SAYS, Claim, decided, interval, points
from lcm.study import LINEAR, target_facts

RIGHT, WRONG, CROWD = "right labels", "wrong labels", "a crowd’s labels"
OTHER_NOISE = {"noisy_val": "in validation, too", "uniform_noise": "any other label"}  # studies: what is wrong there


@dataclass(frozen=True)
class Gain:
    """What a target gains on average over tuned label smoothing in settings of one kind, both tuned.

    word: for, against, equal or open, after Holm's correction over the targets of that kind.
    """

    target: str
    mean: Estimate
    settings: int
    word: str


def kinds(setting: Result) -> list[str]:
    """What the labels of a setting are like; a crowd's are wrong ones too."""
    if not rivals.is_noisy(setting):
        return [RIGHT]
    return [WRONG, CROWD] if setting.corpus in TEXTS["crowd"] else [WRONG]


@cache
def over_smoothing(evidence: Evidence, kind: str) -> list[Gain]:
    """Every target that is no ceiling in the settings of a kind, the best first; cross-entropy as it is.

    The mean over the settings is taken as for a claim. A target without at least two settings is left out.
    """
    settings = [each for each in rivals.settings_of(evidence) if kind in kinds(each)]
    return _gains(evidence, settings) if len(settings) > 1 else []


def _gains(evidence: Evidence, settings: list[Result]) -> list[Gain]:
    """What every target gains in one setting, or on average over several; Holm's correction over the targets."""
    means: dict[str, tuple[Estimate, int]] = {}
    for name, target in target_facts().items():
        if not target.ceiling and name not in ("ls", "ls_matched"):
            pairs = ((_version(evidence, each, name), evidence.tuned(each, "ls")) for each in settings)
            claim = Claim("", "", "", rivals.judged(pairs))
            mean = claim.average if len(settings) > 1 else next((c.estimate for c in claim.comparisons), None)
            if mean:
                means[name] = mean, len(claim.comparisons)
    found = []
    adjusted = holm([mean.p for mean, _ in means.values()])
    for (name, (mean, n)), p in zip(means.items(), adjusted, strict=True):
        found.append(Gain(name, mean, n, decided(mean.value, p, equivalent(mean, EQUIVALENCE))))
    return sorted(found, key=lambda gain: -gain.mean.value)


def gains_table(evidence: Evidence) -> Table:
    """Rows: targets, by what they gain where labels are wrong. Columns: kinds of labels, and what it does to ECE."""
    by_kind = {kind: {gain.target: gain for gain in over_smoothing(evidence, kind)} for kind in (RIGHT, WRONG, CROWD)}
    names = [name for kind in (WRONG, RIGHT) for name in by_kind[kind]]
    rows: list[Row] = []
    for name in dict.fromkeys(names):
        gains = [of_kind.get(name) for of_kind in by_kind.values()]
        entries = [_entry(gain, "\n", f", {gain.settings} settings") if gain else NOTHING for gain in gains]
        rows.append([target_facts()[name].label, *entries, _calibration(evidence, name)])
    columns = f"target | {RIGHT}: 95 % CI | {WRONG}: 95 % CI | of these, {CROWD}: 95 % CI | ECE − that of CE: points"
    return table("gains", "Each target minus tuned label smoothing", columns, [("", rows)], "gains")


def _entry(gain: Gain, glue: str, more: str = "") -> Entry:
    return points(gain.mean.value), f"{interval(gain.mean.ci95)}{glue}{SAYS[gain.word]}{more}"


def _calibration(evidence: Evidence, name: str) -> str:
    """By how much the tuned target's expected calibration error is above cross-entropy's, where labels are right."""
    found = []
    for setting in (each for each in rivals.settings_of(evidence) if kinds(each) == [RIGHT]):
        mine, plain = evidence.tuned(setting, name), evidence.rival(setting, "ce")
        if mine and plain and (test := compare(mine, plain, "ece")):
            found.append(test.value)
    return points(float(np.mean(found)), 1) if found else NOTHING


def other_noise_table(evidence: Evidence) -> Table:
    """Rows: targets. Columns: what they gain over tuned label smoothing if labels are wrong as in the study of targets,
    and as in each study of OTHER_NOISE on the same corpus, rate and model."""
    others = {name: result for name in OTHER_NOISE for result in evidence.results([name]) if result.method == "ls"}
    plain = [each for each in rivals.settings_of(evidence) if each.setting in {r.setting for r in others.values()}]
    columns = {"of the same group": plain[0]} if plain else {}
    columns |= {OTHER_NOISE[name]: result for name, result in others.items()}
    found = [{gain.target: gain for gain in _gains(evidence, [setting])} for setting in columns.values()]
    asked = {name for gains in found[len(plain[:1]) :] for name in gains}
    rows: list[Row] = [
        [target_facts()[name].label, *(_entry(gains[name], " ") if name in gains else NOTHING for gains in found)]
        for name in dict.fromkeys(name for gains in found for name in gains)
        if name in asked
    ]
    titles = " | ".join(["target", *(f"{title}: 95 % CI" for title in columns)])
    return table("other-noise", "Other wrong labels", titles, [("", rows)], "other-noise")


def _version(evidence: Evidence, setting: Result, name: str) -> Result | None:
    """A target tuned, on the data of a setting; cross-entropy as it is."""
    return evidence.rival(setting, "ce") if name == "ce" else evidence.tuned(setting, name)


# ------------------------------------------------------------------------------------------- the linear model


@dataclass(frozen=True)
class Yardstick:
    """The best network on a corpus with a rate of wrong labels (by test accuracy, over all models and all targets but
    ceilings) beside the linear models, of which the validation part chooses one: on whole texts, and on the 100 words
    that the networks read."""

    network: Result
    whole: Result
    window: Result | None


@cache
def yardsticks(evidence: Evidence) -> list[Yardstick]:
    """One for each corpus and rate of the study of targets that has linear models."""
    networks: dict[tuple[str, float], list[Result]] = {}
    for setting in rivals.settings_of(evidence):
        best = [rivals.best_version(evidence, setting, n) for n, target in target_facts().items() if not target.ceiling]
        networks.setdefault(setting.setting[:2], []).extend(result for result in best if result and result.summary())
    found = []
    for place, results in networks.items():
        of = evidence[rivals.STUDY].of(*place, LINEAR)
        whole, window = (tuned(r for r in of if r.method.endswith("_window") == short) for short in (False, True))
        if whole:
            found.append(Yardstick(max(results, key=lambda result: result.summary().mean), whole, window))
    return found


def linear_table(evidence: Evidence) -> Table:
    """Rows: corpora and rates of wrong labels. The best network beside the linear models."""
    rows: list[Row] = []
    for each in yardsticks(evidence):
        what = f"{model_name(each.network.model)}: {method_name(each.network.method)}"
        network, window, whole = map(mean_accuracy, (each.network, each.window, each.whole))
        rows.append([setting_name(*each.network.setting[:2]), (network, what), window, whole])
    columns = "corpus | best network: and its target | linear: on 100 words | linear: on whole texts"
    return table("linear", "Would a linear model do?", columns, [("", rows)], "linear")


# ------------------------------------------------------------------------------------------- sentences


def instead(evidence: Evidence) -> str:
    """Which targets beat tuned label smoothing, with right and with wrong labels, in a few sentences."""
    told = []
    for kind in (RIGHT, WRONG):
        gains = over_smoothing(evidence, kind)
        best = [gain for gain in gains if gain.word == FOR]
        maybe = [gain for gain in gains[not best :] if gain.word == OPEN and gain.mean.ci95[0] > 0]
        if best:
            verb = "beats" if len(best) == 1 else "beat"
            told.append(f"With {kind}, {_listed(best)} {verb} it on average.")
        elif gains:
            told.append(f"With {kind}, nothing is known to beat it; ahead is {_listed(gains[:1])}.")
        if maybe:
            told.append(f"Ahead too, but undecided after correction: {_listed(maybe)}.")
    crowd = [gain for gain in over_smoothing(evidence, CROWD) if gain.word == FOR]
    if crowd:
        told.append(f"Where a crowd gave the wrong labels, ahead is {_listed(crowd)}.")
    return " ".join(["Label smoothing, with ε tuned on validation.", *told]) if told else "Not measured yet."


def _listed(gains: list[Gain]) -> str:
    """'square loss (+1.70 points [+0.62, +2.78]) and ...'."""
    means = ((target_facts()[gain.target].label, gain.mean) for gain in gains)
    return listed([f"{label} ({points(mean.value)} points {interval(mean.ci95)})" for label, mean in means])


def linear(evidence: Evidence) -> str:
    """Does a linear model on TF-IDF beat the best network? A sentence."""
    found = yardsticks(evidence)
    if not found:
        return "Not measured yet."
    won = sum(each.whole.summary().mean > each.network.summary().mean for each in found)
    first = found[0]
    return (
        f"A linear model on TF-IDF of whole texts is ahead of the best network on {won} of {len(found)} data sets "
        f"({corpus_name(first.network.corpus)}: {mean_accuracy(first.whole)} against "
        f"{mean_accuracy(first.network)} %)."
    )
