"""The paper's claims and our questions: which comparisons each rests on.

The rule is in verdicts.py, the questions about other targets are in rivals.py, the answers in words in answers.py.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lcm.evidence import label_space, rivals
from lcm.evidence.comparisons import Evidence, same_training, true_mass
from lcm.evidence.contrasts import mean_difference, std_ratio
from lcm.evidence.names import corpus_name, model_name, setting_name
from lcm.evidence.paper import paper_accuracy, paper_gain
from lcm.evidence.results import Result, grouped
from lcm.evidence.statistics import Scores, paired
from lcm.evidence.verdicts import Claim, Comparison, accuracies, cosine, data_of, points, times

# Tables 1, 3, 4, 5, in the order in which a setting of two studies is looked up; the others change something.
PAPER_STUDIES = ("benchmark", "pretrained", "bert", "confusion", "noise", "images")
EDITIONS = "partial"  # the study of altered editions of the paper's corpora, which are none of its settings
STRENGTHS = "alpha"  # the study of Fig. 3: strengths of LCM and of label smoothing
SAME_STRENGTH = 0.02  # of mass on the true label: LCM's own target is that far from that of a uniform distribution


def all_claims(evidence: Evidence) -> list[Claim]:
    """Every claim, in the paper's order, then our questions."""
    lcm = printed(evidence, PAPER_STUDIES)
    table_1 = [result for result in lcm if paper_accuracy(*result.setting, "lcm")[1] is not None]

    def versus(key: str, text: str, source: str, results: list[Result], other: str, in_paper: int = 0) -> Claim:
        found = accuracies((result, evidence.rival(result, other)) for result in results)
        return Claim(key, text, source, found, in_paper=in_paper)

    def improves(key: str, family: str, in_paper: int) -> Claim:
        results = [result for result in table_1 if result.family == family]
        return versus(key, f"LCM improves {family} models", "Table 1", results, "ce", in_paper)

    strength = "LCM beats label smoothing of the same strength"
    found = [
        *(improves(*family) for family in (("1a", "LSTM", 10), ("1b", "CNN", 10), ("1c", "BERT", 5))),
        _steadier(evidence, table_1),
        versus("3", "LCM is superior to label smoothing", "abstract; Tables 4 and 5, ε = 0.1", lcm, "ls", 10),
        _confused(evidence),
        _noisy(evidence),
        versus("6", "LCM works on images", "Table 5", [r for r in lcm if r.study == "images"], "ce", 2),
        *_figure_3(evidence),
        versus("Q1", strength, "the control that the paper lacks", measured(evidence), "ls_matched"),
        _tuned(evidence),
        _at_other_strengths(evidence),
        _similarity(evidence, lcm),
        *rivals.claims(evidence),
        _collapse(evidence),
        _longer(evidence),
    ]
    return [replace(claim, notes=[*_by_collection(claim), *claim.notes]) for claim in found]


def _by_collection(claim: Claim) -> list[str]:
    """A claim's mean on each collection of documents, where it rests on several: they may disagree."""
    found = grouped(claim.comparisons, lambda comparison: comparison.collection or comparison.corpus)
    if len(found) < 2 or claim.average is None:
        return []
    values = {name: [comparison.estimate.value for comparison in of] for name, of in found.items()}
    means = (f"{corpus_name(name)} {points(float(np.mean(of)))} ({len(of)})" for name, of in values.items())
    return [f"Mean by collection of documents, and number of comparisons: {', '.join(means)}."]


# ---------------------------------------------------------------------------------------------------------- comparisons


def printed(evidence: Evidence, studies: Iterable[str]) -> list[Result]:
    """Finished results of LCM in settings of which the paper prints LCM's accuracy, each setting once."""
    return [result for result in evidence.plain("lcm", studies) if paper_accuracy(*result.setting, "lcm")]


def measured(evidence: Evidence) -> list[Result]:
    """LCM in the paper's settings, then with more than two splits on altered editions and in the study of targets,
    each setting once: a control needs no printed number."""
    ours = [result for result in evidence.plain("lcm", [EDITIONS, rivals.STUDY]) if result.summary().n > 2]
    found = [*printed(evidence, PAPER_STUDIES), *ours]
    return [of[0] for of in grouped(found, lambda result: result.setting).values()]


def _gains(evidence: Evidence, result: Result) -> dict[tuple[int, int], float]:
    """(split, seed) -> test accuracy of LCM minus that of cross-entropy; empty if it has no result."""
    rival = evidence.rival(result, "ce")
    theirs = rival.scores() if rival else {}
    return {place: score - theirs[place] for place, score in result.scores().items() if place in theirs}


def _compared(what: str, result: Result, a: Scores, b: Scores | float, part: str = "test", **says) -> list[Comparison]:
    """The corrected test of a - b over their common splits and seeds, as a list of one; of none if there are none.

    result: whose data they are. part: where they were measured.
    """
    other = dict.fromkeys(a, b) if isinstance(b, float) else b
    if not a.keys() & other.keys():
        return []
    return [Comparison(what, paired(a, other, result.widening(part)), **data_of(result), **says)]


def _printed_more(a: Result, b: Result) -> float | None:
    """By how much LCM gains more over cross-entropy in the setting of a than in that of b, as the paper prints it."""
    gains = [paper_gain(*result.setting) for result in (a, b)]
    return None if None in gains else gains[0] - gains[1]


# --------------------------------------------------------------------------------------------------------------- claims


def _steadier(evidence: Evidence, results: list[Result]) -> Claim:
    comparisons = []
    for result in results:
        base = evidence.rival(result, "ce")
        ratio = std_ratio(result.scores(), base.scores()) if base else None
        if ratio:
            spreads = [paper_accuracy(*result.setting, method)[1] for method in ("lcm", "ce")]
            what = f"{setting_name(*result.setting)}: std of LCM / cross-entropy"
            paper = spreads[0] / spreads[1] if all(spreads) else None
            comparisons.append(Comparison(what, ratio, paper, null=1.0, sign=-1, show=times, unit=""))
    notes = ["A ratio of two spreads needs far more than 10 splits: even a halved one is seldom decided here."]
    text, source = "LCM has a lower standard deviation over splits", "Table 1, “usually lower”"
    return Claim("2", text, source, comparisons, notes if comparisons else [], in_paper=25)


def _confused(evidence: Evidence) -> Claim:
    cells = {(r.corpus, r.model): r for r in printed(evidence, ("confusion",)) if r.noise == 0}
    comparisons = []
    for (corpus, model), hard in cells.items():
        easy = cells.get((f"{corpus.removesuffix('-h')}-e", model))
        if not corpus.endswith("-h") or easy is None:
            continue
        gained = mean_difference(*(_gains(evidence, r) for r in (hard, easy)), *(r.widening() for r in (hard, easy)))
        if gained:
            what = f"{model_name(model)}: gain on {corpus_name(corpus)} − gain on {corpus_name(easy.corpus)}"
            comparisons.append(Comparison(what, gained, _printed_more(hard, easy), **data_of(hard)))
    text, source = "LCM helps more where labels are confusable", "Table 3; gain: LCM − cross-entropy"
    return Claim("4", text, source, comparisons, in_paper=2)


def _noisy(evidence: Evidence) -> Claim:
    clean = {r.setting: r for r in printed(evidence, PAPER_STUDIES) if not r.noise}
    comparisons = []
    for result in printed(evidence, ("noise", "bert")):
        right = clean.get((result.corpus, 0, result.model))
        if not result.noise or right is None or right.record["corpus_digest"] != result.record["corpus_digest"]:
            continue
        # The splits are the same at every rate, only training labels differ, so gains are paired by split.
        what = f"{model_name(result.model)}: gain at {result.noise:g} % wrong labels − gain at 0 %"
        gains = (_gains(evidence, result), _gains(evidence, right))
        comparisons += _compared(what, result, *gains, paper=_printed_more(result, right))
    text, source = "LCM helps more where labels are wrong", "Table 4; gain: LCM − cross-entropy"
    return Claim("5", text, source, comparisons, in_paper=6)


def sweep(evidence: Evidence) -> list[Result]:
    """Results of LCM in the study of strengths that differ in alpha or the stop alone, each method once."""
    found = (r for r in evidence.results([STRENGTHS]) if r.target == "lcm" and not r.settings.get("detach"))
    return [of[0] for of in grouped(found, lambda result: (result.setting, result.method)).values()]


def never_stopped(results: list[Result]) -> dict[float, Result]:
    """Alpha -> result that never stops early, ascending."""
    found = (result for result in results if result.settings.get("stop_epoch") is None)
    by_alpha = grouped(found, lambda result: result.settings["alpha"])
    return {alpha: by_alpha[alpha][0] for alpha in sorted(by_alpha)}


def _early(result: Result) -> Scores:
    """Mean validation accuracy of the first quarter of the epochs."""
    runs = result.by_run("val_accuracy")
    return {place: float(np.mean(v[: math.ceil(len(v) / 4)])) for place, v in runs.items()}


def _drop(result: Result) -> Scores:
    """Best minus last validation accuracy."""
    return {place: max(values) - values[-1] for place, values in result.by_run("val_accuracy").items()}


def _figure_3(evidence: Evidence) -> list[Claim]:
    by_alpha = never_stopped(sweep(evidence))
    low, high = (by_alpha[pick(by_alpha)] if len(by_alpha) > 1 else None for pick in (min, max))

    faster, worse, stopped = [], [], []
    quarter = "first quarter of the epochs: LCM α = {:g} − {}"
    for alpha, result in by_alpha.items():
        if base := evidence.rival(result, "ce"):
            what = quarter.format(alpha, "cross-entropy")
            faster += _compared(what, result, _early(result), _early(base), "val")
    if low:
        what = quarter.format(min(by_alpha), f"α = {max(by_alpha):g}")
        faster += _compared(what, low, _early(low), _early(high), "val")
        what = f"best − last validation accuracy: LCM α = {min(by_alpha):g} minus the same at α = {max(by_alpha):g}"
        worse += _compared(what, low, _drop(low), _drop(high), "val")
    for result in sweep(evidence):
        alpha, stop = result.settings["alpha"], result.settings.get("stop_epoch")
        whole = by_alpha.get(alpha)
        if stop is None or whole is None or not same_training(result, whole):
            continue
        what = f"test accuracy: LCM α = {alpha:g} stopped after {stop} epochs − never stopped"
        stopped += _compared(what, result, result.scores(), whole.scores())
    fig = "Fig. 3a; validation accuracy"
    return [
        Claim("7a", "LCM learns faster at first, the more so the smaller α", fig, faster),
        Claim("7b", "Too small an α over-fits: accuracy falls again", fig, worse),
        Claim("7c", "Early stop of LCM helps where α is small", "Fig. 3b", stopped),
    ]


def as_strong(evidence: Evidence, result: Result) -> Result | None:
    """The label smoothing nearest in strength to an LCM result that stops after the same epoch, or None."""
    n_labels = result.record["n_labels"]
    mass = true_mass("lcm", result.settings, n_labels)
    rivals = [
        (abs(true_mass("ls", other.settings, n_labels) - mass), other)
        for other in evidence.versions(result, "ls")
        if other.settings.get("stop_epoch") == result.settings.get("stop_epoch")
    ]
    distance, nearest = min(rivals, key=lambda rival: rival[0], default=(1.0, None))
    return nearest if distance <= SAME_STRENGTH else None


def _tuned(evidence: Evidence) -> Claim:
    comparisons, notes = [], []
    for result in evidence.plain("lcm"):
        ours, theirs = evidence.tuned(result, "lcm"), evidence.tuned(result, "ls")
        if found := rivals.judged([(ours, theirs)]):
            comparisons += found
            tried = [len(each.record["tried"]) for each in (ours, theirs)]
            notes.append(f"{setting_name(*result.setting)}: {tried[0]} values of α, {tried[1]} of ε.")
    settings = [comparison.pair[0].setting for comparison in comparisons]
    if other := sum(paper_accuracy(*setting, "lcm") is None for setting in settings):
        notes.insert(0, f"For {other} of these {len(settings)} settings the paper has no number.")
    text = "LCM beats label smoothing when both choose their strength on the validation part"
    return Claim("Q1b", text, "among the values that were run", comparisons, list(dict.fromkeys(notes)))


def _at_other_strengths(evidence: Evidence) -> Claim:
    comparisons = []
    varied = [result for result in sweep(evidence) if result.varied]
    for result in sorted(varied, key=lambda result: -result.settings["alpha"]):
        if rival := as_strong(evidence, result):
            alpha, epsilon, stop = (
                result.settings["alpha"],
                rival.settings["epsilon"],
                result.settings.get("stop_epoch"),
            )
            until = f", both until epoch {stop}" if stop is not None else ""
            what = f"{setting_name(*result.setting)}: LCM α = {alpha:g} − label smoothing ε = {epsilon:g}{until}"
            comparisons += accuracies([(result, rival)], what=what)
    text = "LCM beats label smoothing of the same strength at other strengths too"
    return Claim("Q2", text, "α sweep and early stop", comparisons)


def _similarity(evidence: Evidence, results: list[Result]) -> Claim:
    comparisons, notes = [], []
    for result in results:
        labels = result.record["labels"]
        uniform = label_space.uniform_in_group(result)
        if result.noise or not label_space.has_groups(labels) or uniform is None:
            continue
        mass, name = result.last("lcd_in_group"), setting_name(*result.setting)
        what = f"{name}: LCD mass on other labels of the group − that of a uniform one"
        comparisons += _compared(what, result, mass, uniform, "val")
        groups = label_space.groups_of(labels)
        embeddings = label_space.embeddings(result)
        pairs = {place: label_space.within_and_between(each, groups) for place, each in embeddings.items()}
        within, between = ({place: pair[side] for place, pair in pairs.items()} for side in (0, 1))
        what = f"{name}: cosine of label embeddings within groups − between groups"
        comparisons += _compared(what, result, within, between, show=cosine, unit="")
        if mass:
            notes.append(_describe(evidence, result, uniform))
    source = "“captures the dependency among labels”; Fig. 2"
    return Claim("Q3", "The confusion distribution (LCD) learns which labels are alike", source, comparisons, notes)


def _describe(evidence: Evidence, result: Result, uniform: float) -> str:
    def last(column: str) -> float:
        return float(np.mean(list(result.last(column).values())))

    c, matched = result.record["n_labels"], evidence.rival(result, "ls_matched")
    control = f", matched label smoothing {true_mass('ls', matched.settings, c):.3f}" if matched else ""
    return (
        f"{setting_name(*result.setting)}, after the last epoch: entropy of the LCD {last('lcd_entropy'):.2f} of "
        f"at most {math.log(c):.2f} nats; {100 * last('lcd_true'):.1f} % of it on the true label "
        f"(uniform: {100 / c:.1f} %), {100 * last('lcd_in_group'):.1f} % on the others of its group "
        f"(uniform: {100 * uniform:.1f} %); {100 * last('lcd_label_share'):.0f} % of its variance lies between "
        f"labels, the rest between documents of one label. LCM’s target leaves {last('sld_true_mean'):.3f} on the "
        f"true label, give or take {last('sld_true_std'):.3f}{control}."
    )


def _collapse(evidence: Evidence) -> Claim:
    comparisons = []
    for result in evidence.plain("lcm"):
        mass = {place: float(np.sort(lcd)[-2:].sum()) for place, lcd in label_space.mean_lcd(result).items()}
        if result.record["n_labels"] > 4:
            what = f"{setting_name(*result.setting)}: LCD mass on its two first labels − one half"
            comparisons += _compared(what, result, mass, 0.5, "val")
    text = "The confusion distribution collapses onto one or two labels, the same for every document"
    source = "more than half of its mass over all documents; of four labels two always have that"
    return Claim("Q7", text, source, comparisons)


def _longer(evidence: Evidence) -> Claim:
    longer = [r for r in evidence.results(("ablation",)) if r.model == "lstm_rand_long" and r.method != "ce"]
    found = accuracies((result, evidence.rival(result, "ce")) for result in longer)
    leads = [_leads(evidence, result) for result in longer]
    notes = []
    if leads and all(leads):
        before, after = np.mean(leads, 0)
        notes = [f"On the same splits the mean lead is {points(before)} after 20 epochs and {points(after)} after 60."]
        if base := evidence.rival(longer[0], "ce"):
            best = np.mean([max(range(len(v)), key=lambda i: v[i]) + 1 for v in base.by_run("val_accuracy").values()])
            if best > 0.9 * len(next(iter(base.by_run("val_accuracy").values()))):
                notes.append(f"There cross-entropy is best at epoch {best:.0f} on average: it may still rise.")
    text = "Softer targets still beat cross-entropy when all train for three times as many epochs"
    return Claim("Q8", text, "60 epochs; if not, their gain would be speed", found, notes)


def _leads(evidence: Evidence, longer: Result) -> tuple[float, float] | None:
    """Mean lead over cross-entropy of the usual training and of the longer one, on the runs that both have."""
    place = (longer.corpus, longer.noise, longer.model.removesuffix("_long"))
    usual = next((r for r in evidence.results() if (r.setting, r.method) == (place, longer.method)), None)
    gains = [_gains(evidence, result) for result in (usual, longer) if result]
    common = set.intersection(*map(set, gains))
    return tuple(float(np.mean([of[p] for p in common])) for of in gains) if usual and common else None
