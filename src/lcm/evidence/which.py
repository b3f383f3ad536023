"""Which target to use: what each gains over tuned label smoothing, and whether a linear model would do."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from lcm.evidence import rivals, verdicts
from lcm.evidence.comparisons import Evidence, compare, tuned
from lcm.evidence.names import TEXTS, corpus_name, listed, method_name, model_name, setting_name
from lcm.evidence.results import Result, grouped
from lcm.evidence.statistics import Estimate, equivalent, holm
from lcm.evidence.tables import NOTHING, Entry, Row, Table, mean_accuracy, p_value, table
from lcm.evidence.verdicts import EQUIVALENCE, FOR, OPEN, SAYS, Claim, Comparison, decided, interval, points
from lcm.study import LINEAR, target_facts

RIGHT, WRONG, CROWD = "right labels", "wrong labels", "a crowd’s labels"
OTHER_NOISE = {"noisy_val": "in validation, too", "uniform_noise": "any other label"}  # studies: what is wrong there


PAPERS = "LSTM and CNN"  # the paper's networks, one column of the table of networks


@dataclass(frozen=True)
class Gain:
    """What a target gains on average over tuned label smoothing in settings of one kind, both tuned.

    p, and word (for, against, equal or open): after Holm's correction over the targets of that kind.
    """

    target: str
    mean: Estimate
    settings: int
    p: float
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
    return _gains(evidence, settings, least=2)


def _gains(evidence: Evidence, settings: list[Result], least: int = 1) -> list[Gain]:
    """What every target gains on average over settings, the best first; Holm's correction over the targets.

    least: 2 leaves out targets that were run in a single one of them.
    """
    means: dict[str, tuple[Estimate, int]] = {}
    for name, target in target_facts().items():
        if not target.ceiling and name not in ("ls", "ls_matched"):
            claim = Claim("", "", "", _over(evidence, settings, name, "ls"))
            mean = claim.average or (claim.comparisons[0].estimate if len(claim.comparisons) == least == 1 else None)
            if mean and mean.p is not None:  # else all splits agree to the digit, which no t-test can use
                means[name] = mean, len(claim.comparisons)
    found = []
    adjusted = holm([mean.p for mean, _ in means.values()])
    for (name, (mean, n)), p in zip(means.items(), adjusted, strict=True):
        found.append(Gain(name, mean, n, p, decided(mean.value, p, equivalent(mean, EQUIVALENCE))))
    return sorted(found, key=lambda gain: -gain.mean.value)


def _by_kind(evidence: Evidence) -> dict[str, dict[str, Gain]]:
    return {kind: {gain.target: gain for gain in over_smoothing(evidence, kind)} for kind in (RIGHT, WRONG, CROWD)}


def gains_table(evidence: Evidence) -> Table:
    """Rows: targets, by what they gain where labels are wrong. Columns: kinds of labels, and how well confidence fits.

    Label smoothing itself stands where it would gain nothing.
    """
    by_kind = _by_kind(evidence)
    names = [name for kind in (WRONG, RIGHT) for name in by_kind[kind]]
    ahead = sum(gain.mean.value > 0 for gain in by_kind[WRONG].values())
    rows: list[Row] = []
    for name in dict.fromkeys([*names[:ahead], *["ls"][: len(names)], *names[ahead:]]):
        gains = [of_kind.get(name) for of_kind in by_kind.values()]
        entries = [
            _entry(gain, "\n", f", {_settings(gain.settings)},\np {_equals(gain.p)}") if gain else NOTHING
            for gain in gains
        ]
        confidence = [_confidence(evidence, name, metric) for metric in ("ece", "auroc")]
        rows.append([target_facts()[name].label, *(["0"] * 3 if name == "ls" else entries), *confidence])
    columns = (
        f"target | {RIGHT}: 95 % CI | {WRONG}: 95 % CI | of these, {CROWD}: 95 % CI | "
        "ECE − that of CE: less is better | AUROC − that of CE: more is better"
    )
    return table("gains", "Each target minus tuned label smoothing", columns, [("", rows)], "gains")


def short_gains_table(evidence: Evidence) -> Table:
    """Of the table of gains the targets that `instead` names, LCM and cross-entropy; it stands on top of README.md."""
    by_kind = _by_kind(evidence)
    told = {gain.target for kind in (RIGHT, WRONG) for gains in _ahead(evidence, kind) for gain in gains}
    rows: list[Row] = [
        [target_facts()[name].label, *(_brief(of[name]) if name in of else NOTHING for of in by_kind.values())]
        for name in dict.fromkeys(name for kind in (WRONG, RIGHT) for name in by_kind[kind])
        if name in {*told, "lcm", "ce"} - {"prune_window"}  # `instead` has the control's number
    ]
    columns = f"minus tuned label smoothing: points, 95 % CI | {RIGHT} | {WRONG} | of these, {CROWD}"
    return table("instead", "", columns, [("", rows)])


def _entry(gain: Gain, glue: str, more: str = "") -> Entry:
    return points(gain.mean.value), f"{interval(gain.mean.ci95)}{glue}{SAYS[gain.word]}{more}"


def _equals(p: float) -> str:
    shown = p_value(p)
    return shown if shown.startswith("<") else f"= {shown}"


def _brief(gain: Gain) -> Entry:
    """Without the word if it is undecided, as most are."""
    word = "" if gain.word == OPEN else f" {SAYS[gain.word]}"
    return points(gain.mean.value), f"{interval(gain.mean.ci95)}{word}"


def _confidence(evidence: Evidence, name: str, metric: str) -> Entry:
    """A metric of the tuned target's confidence minus cross-entropy's: points, mean over settings with right labels."""
    found = []
    for setting in (each for each in rivals.settings_of(evidence) if kinds(each) == [RIGHT]):
        mine, plain = evidence.tuned(setting, name), evidence.rival(setting, "ce")
        if mine and plain and (test := compare(mine, plain, metric)):
            found.append(test.value)
    return (points(float(np.mean(found)), 1), _settings(len(found))) if found else NOTHING


def network_table(evidence: Evidence) -> Table:
    """Rows: targets that were run with several networks, where labels are right and where we made them wrong.

    Columns: networks, the worst setting of all, and the target that is best with wrong labels minus this one.
    """
    first = next((gain.target for gain in over_smoothing(evidence, WRONG)), "")
    networks = list(dict.fromkeys(map(_network, rivals.settings_of(evidence))))
    groups = [(kind, _by_network(evidence, kind, networks, first)) for kind in (WRONG, RIGHT)]
    best = target_facts()[first].label if first else ""
    titles = [*(f"{title}: 95 % CI" for title in networks), "worst setting", f"{best} − this: 95 % CI"]
    return table("networks", "Which target with which network?", " | ".join(["target", *titles]), groups, "networks")


def _network(setting: Result) -> str:
    return PAPERS if setting.model in ("lstm_rand", "cnn_rand") else model_name(setting.model)


def _by_network(evidence: Evidence, kind: str, networks: list[str], first: str) -> list[Row]:
    settings = [each for each in rivals.settings_of(evidence) if kinds(each) == [kind]]
    of_network = grouped(settings, _network)
    found = [{gain.target: gain for gain in _gains(evidence, of_network.get(name, []))} for name in networks]
    rows: list[Row] = []
    for name in [gain.target for gain in over_smoothing(evidence, kind)]:
        gains = [of.get(name) for of in found]
        if sum(gain is not None for gain in gains) > 1:
            worst = min(_over(evidence, settings, name, "ls"), key=lambda comparison: comparison.estimate.value)
            where = (points(worst.estimate.value), setting_name(*worst.pair[0].setting))
            entries = [_entry(gain, "\n", f", {_settings(gain.settings)}") if gain else NOTHING for gain in gains]
            rows.append([target_facts()[name].label, *entries, where, _mean(_over(evidence, settings, first, name))])
    return rows


def _settings(number: int) -> str:
    return f"{number} setting{'s' * (number > 1)}"


def _mean(comparisons: list[Comparison]) -> Entry:
    """The mean of several comparisons and its interval, if it has one."""
    mean = Claim("", "", "", comparisons).average
    return (points(mean.value), interval(mean.ci95)) if mean and mean.ci95[0] < mean.ci95[1] else NOTHING


def _over(evidence: Evidence, settings: list[Result], name: str, other: str) -> list[Comparison]:
    """A target minus another in each of these settings, both tuned."""
    return rivals.judged((_version(evidence, each, name), _version(evidence, each, other)) for each in settings)


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
    """A target tuned, on the data of a setting; one without a grid, as cross-entropy, as it is."""
    return evidence.tuned(setting, name) if target_facts()[name].grid else evidence.rival(setting, name)


# ------------------------------------------------------------------------------------------- the linear model


@dataclass(frozen=True)
class Yardstick:
    """The best network on a corpus with a rate of wrong labels (by test accuracy, over all models and all targets but
    ceilings) beside the linear models, of which the validation part chooses one: on whole texts, and on their last
    100 words."""

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
    columns = "corpus | best network: and its target | linear: on the last 100 words | linear: on whole texts"
    return table("linear", "Would a linear model do?", columns, [("", rows)], "linear")


# ------------------------------------------------------------------------------------------- sentences


def instead(evidence: Evidence) -> str:
    """Which targets beat tuned label smoothing, with right and with wrong labels, in a few sentences."""
    told = []
    for kind in (RIGHT, WRONG):
        best, first, maybe = _ahead(evidence, kind)
        if best:
            told.append(f"With {kind}, {_listed(best)} {_verb(best, 'beat')} it on average.")
        elif first:
            told.append(
                f"With {kind}, no target is known to beat it; {_listed(first)} comes first ({SAYS[first[0].word]})."
            )
        told += [*_direct(evidence, kind, best, maybe), *_with_network_words(evidence, kind, best)]
    crowd = [gain for gain in over_smoothing(evidence, CROWD) if gain.word == FOR]
    if crowd:
        corpora = {corpus_name(each.corpus): None for each in rivals.settings_of(evidence) if CROWD in kinds(each)}
        told.append(
            f"Where a crowd gave the wrong labels ({listed(list(corpora))}), {_listed(crowd)} {_verb(crowd, 'lead')}."
        )
    if not told:
        return "Not measured yet."
    return " ".join(["Label smoothing, with ε tuned on validation.", *told, *_temperature(evidence)])


def _ahead(evidence: Evidence, kind: str) -> tuple[list[Gain], list[Gain], list[Gain]]:
    """The targets that beat tuned label smoothing; if none does, the first of all; those that may beat it."""
    gains = over_smoothing(evidence, kind)
    best = [gain for gain in gains if gain.word == FOR]
    first = gains[: not best]
    return best, first, [gain for gain in gains[len(first) :] if gain.word == OPEN and gain.mean.ci95[0] > 0]


def _verb(subjects: list, verb: str) -> str:
    return f"{verb}s" if len(subjects) == 1 else verb


def _direct(evidence: Evidence, kind: str, best: list[Gain], maybe: list[Gain]) -> list[str]:
    """The best target against the next, in a sentence, where only the best is decided."""
    if not best or not maybe:
        return []
    settings = [each for each in rivals.settings_of(evidence) if kind in kinds(each)]
    mean = Claim("", "", "", _over(evidence, settings, best[0].target, maybe[0].target)).average
    if mean is None or mean.p is None:  # they have no two settings in common, or agree to the digit
        return []
    ours, theirs = (target_facts()[gains[0].target].label for gains in (best, maybe))
    who = "it" if len(best) == 1 else ours
    word = "decided" if mean.p < verdicts.LEVEL else "undecided"
    return [f"Against {theirs} {who} gains {points(mean.value)} {interval(mean.ci95)}, {word}."]


def _with_network_words(evidence: Evidence, kind: str, best: list[Gain]) -> list[str]:
    """If pruning is among the best, in a sentence what is left of its gain when its helper reads no more than we do."""
    control = next((gain for gain in over_smoothing(evidence, kind) if gain.target == "prune_window"), None)
    if control is None or "prune" not in [gain.target for gain in best]:
        return []
    return [
        f"Its helper is a linear model that reads whole texts; where that reads the network’s words, the gain is "
        f"{points(control.mean.value)} {interval(control.mean.ci95)}, {SAYS[control.word]}."
    ]


def _temperature(evidence: Evidence) -> list[str]:
    """What smoothing does to probabilities, if it is bad."""
    error = _confidence(evidence, "ls", "ece")
    if error == NOTHING or error[0][0] != "+":
        return []
    return [f"Smoothing makes probabilities too low (calibration error {error[0]} points): fit a temperature."]


def _listed(gains: list[Gain]) -> str:
    """'square loss and early-learning regularisation'."""
    return listed([target_facts()[gain.target].label for gain in gains])


def linear(evidence: Evidence) -> str:
    """Does a linear model on TF-IDF beat the best network? A sentence."""
    found = yardsticks(evidence)
    if not found:
        return "Not measured yet."
    won, same = (
        sum(model.summary().mean > each.network.summary().mean for each in found if (model := getattr(each, read)))
        for read in ("whole", "window")
    )
    first = found[0]
    return (
        f"A linear model on TF-IDF of whole texts is ahead of the best network on {won} of {len(found)} data sets "
        f"({corpus_name(first.network.corpus)}: {mean_accuracy(first.whole)} against "
        f"{mean_accuracy(first.network)} %); on the last 100 words, which the bag, LSTM and CNN read, on {same}."
    )
