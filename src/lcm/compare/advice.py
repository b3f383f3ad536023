"""The recommendation in words. It says "undecided" where the runs do not decide."""

from lcm.compare.plan import MODEL_NAMES
from lcm.compare.summary import Row, Summary, most_accurate, widening_of
from lcm.evidence.names import listed
from lcm.evidence.statistics import Paired, paired
from lcm.evidence.verdicts import LEVEL
from lcm.study import LINEAR

# Of methods that cannot be told apart the first is advised: it has the fewest parts. All others come last.
SIMPLEST = ("ce", "ls", "ls_matched", "square", "prune", "lcm")


def advice(summary: Summary) -> list[str]:
    """Paragraphs, the recommendation first."""
    networks = [row for row in summary.rows if row.model != LINEAR and row.runs]
    if not networks:
        return ["Undecided: no run of a network finished."]
    if len(networks[0].runs) < 2:
        return [
            "Undecided: one run of each method says nothing about chance. Give it more time with --minutes; "
            "the runs so far are kept."
        ]
    best_model = most_accurate(networks).model
    others = (_other_model(summary, model) for model in summary.models if model != best_model)
    more = (say(summary, best_model) for say in (_lcm, _calibration, _linear))
    return list(filter(None, [_target(summary, best_model), *others, *more]))


def simplicity(row: Row) -> int:
    return SIMPLEST.index(row.method) if row.method in SIMPLEST else len(SIMPLEST)


def versus(summary: Summary, a: Row, b: Row) -> Paired | None:
    """The difference of their accuracies; None where no run of the one shares its split with a run of the other."""
    a, b = a.scores("accuracy"), b.scores("accuracy")
    return paired(a, b, widening_of(summary.comparison)) if a.keys() & b.keys() else None


def decided(test: Paired | None) -> bool:
    return test is not None and test.p is not None and test.p < LEVEL


def points(test: Paired | None) -> str:
    """`+1.2 points (95 % interval -0.3 to +2.7)`."""
    if test is None:
        return "there is no split on which both have a run"
    mean = f"{100 * test.value:+.1f} points"
    if test.ci95 is None:
        return mean
    return f"{mean} (95 % interval {100 * test.ci95[0]:+.1f} to {100 * test.ci95[1]:+.1f})"


def _target(summary: Summary, model: str) -> str:
    rows = [row for row in summary.of(model) if row.against.get("accuracy")]
    winners = [row for row in rows if row.verdict() == "better"]
    where = f"With the {MODEL_NAMES[model]}"
    if not rows:
        return f"Undecided: {where[0].lower()}{where[1:]}, cross-entropy shares no split with another method."
    if winners:
        best = most_accurate(winners)
        level = [row for row in winners if row is best or not decided(versus(summary, best, row))]
        choice = min(level, key=simplicity)
        others = [row.label for row in level if row is not choice]
        line = f"{where}, train with {choice.label}: {points(choice.against['accuracy'])} against cross-entropy."
        if others:
            line += f" {listed(others).capitalize()} cannot be told apart from it; it is the simplest of them."
        return line
    losers = [row.label for row in rows if row.verdict() == "worse"]
    level = [row for row in rows if row.verdict() == "level"]
    if len(level) == len(rows):
        return (
            f"{where}, the target does not matter: every method is within half a point of cross-entropy. "
            "Stay with cross-entropy."
        )
    means = [100 * row.against["accuracy"].value for row in rows]
    line = (
        f"Undecided: {where[0].lower()}{where[1:]}, no method is better than cross-entropy beyond chance; "
        f"the differences are {min(means):+.1f} to {max(means):+.1f} points. Stay with cross-entropy."
    )
    widths = [50 * (ci95[1] - ci95[0]) for row in rows if (ci95 := row.against["accuracy"].ci95)]
    if widths:
        middle, runs = sorted(widths)[len(widths) // 2], rows[0].against["accuracy"].n
        line += f" With {runs} runs this table can show only differences above about {middle:.1f} points."
    if summary.schedule.splits < summary.comparison.documents.request.splits:
        line += " More runs can show smaller ones: give more time with --minutes; the runs so far are kept."
    return line + (f" Worse than cross-entropy: {listed(losers)}." if losers else "")


def _other_model(summary: Summary, model: str) -> str:
    rows = [row for row in summary.of(model) if row.against.get("accuracy")]
    better, worse = ([row.label for row in rows if row.verdict() == word] for word in ("better", "worse"))
    found = [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {word} than cross-entropy"
        for names, word in ((better, "better"), (worse, "worse"))
        if names
    ]
    return f"With the {MODEL_NAMES[model]}, {' and '.join(found) or 'no difference to cross-entropy is decided'}."


def _lcm(summary: Summary, model: str) -> str:
    lcm, matched = summary.row(model, "lcm"), summary.row(model, "ls_matched")
    if not (lcm and matched and lcm.runs and matched.runs):
        return ""
    test = versus(summary, lcm, matched)
    if decided(test):
        word = "better" if test.value > 0 else "worse"
        return f"LCM is {word} than label smoothing of the same strength: {points(test)}."
    return (
        f"Whether LCM differs from label smoothing of the same strength is undecided: {points(test)}. "
        "As long as it is, label smoothing is the simpler choice."
    )


def _calibration(summary: Summary, model: str) -> str:
    rows = [row for row in summary.of(model) if row.against.get("nll")]
    better = [row for row in rows if row.verdict("nll") == "better"]
    reference = summary.row(model, "ce")
    if not better or reference is None:
        nothing = "If you use the probabilities: no method is better than cross-entropy beyond chance (log loss)."
        return nothing if rows else ""
    best = min(better, key=lambda row: row.mean("nll"))
    return (
        f"If you use the probabilities: {best.label} has the lowest log loss, {best.mean('nll'):.2f} where "
        f"cross-entropy has {reference.mean('nll'):.2f}; its calibration error (ECE) is "
        f"{100 * best.mean('ece'):.1f} %, that of cross-entropy {100 * reference.mean('ece'):.1f} %."
    )


def _linear(summary: Summary, model: str) -> str:
    linear, network = most_accurate(summary.of(LINEAR)), most_accurate(summary.of(model))
    if linear is None:
        return ""
    test = versus(summary, linear, network)
    if decided(test) and test.value > 0:
        return f"No network is needed here: {linear.label} on TF-IDF is better than the best network, {points(test)}."
    if decided(test):
        gain = points(versus(summary, network, linear))
        return f"The {MODEL_NAMES[model]} is better than the best linear model ({linear.label}): {gain}."
    return f"Whether {linear.label} on TF-IDF does as well as the best network is undecided: {points(test)}."
