"""The answers in words: what the claims say, question by question."""

import jinja2

from lcm.evidence.comparisons import Evidence, compare
from lcm.evidence.names import TEXTS, listed, model_name
from lcm.evidence.statistics import equivalent
from lcm.evidence.verdicts import (
    AGAINST,
    EQUIVALENCE,
    FOR,
    NOT_SUPPORTED,
    OPEN,
    SAYS,
    SUPPORTED,
    UNDECIDED,
    YES_NO,
    Claim,
    interval,
    points,
)


def sentence(claim: Claim) -> str:
    """A claim's verdict as the answer to a question; a gain that hardly matters is said to be one."""
    if not claim.comparisons:
        return "Not measured."
    small = claim.verdict == SUPPORTED and claim.average and equivalent(claim.average, EQUIVALENCE)
    return f"{YES_NO[claim.verdict]}{', by less than half a point' if small else ''} ({told(claim)})."


def told(claim: Claim) -> str:
    """How comparisons of accuracies went: 'of 13 settings 3 equal, 10 undecided; -0.99 to +0.29 points; n = 5'."""
    values = [c.estimate.value for c in claim.comparisons]
    low, high = points(min(values)), points(max(values))
    spread = f"{low} to {high} points" if low != high else f"{low} points"
    parts = ", ".join(f"{count} {SAYS[word]}" for word, count in claim.counts.items())
    settings = len({c.pair[0].setting for c in claim.comparisons if c.pair})
    if len(values) == 1:
        where = f"one setting, {parts[2:]}"
    elif settings < len(values):
        where = f"of {len(values)} comparisons in {settings} setting{'s' * (settings > 1)} {parts}"
    else:
        where = f"of {len(values)} settings {parts}"
    if mean := claim.average:
        where = f"on average {points(mean.value)} {interval(mean.ci95)}; {where}"
    return f"{where}; {spread}; n = {claim.n}{claim.coverage()}"


def answers(claims: list[Claim], evidence: Evidence) -> list[tuple[str, str]]:
    """The study in a few lines, (question, answer), as texts.yaml has them."""
    by_key = {claim.key: claim for claim in claims}
    says = {
        "sentence": lambda key: sentence(by_key[key]),
        "verdict": lambda key: by_key[key].headline(),
        "winners": lambda key: _winners(by_key[key]),
        "measured": lambda *keys: any(by_key[key].comparisons for key in keys),
        "lasts": _lasts(by_key["Q8"]),
        "learns": _learns(by_key["Q3"], by_key["Q7"]),
        "choices": _choices(evidence),
    }
    found = [(question, jinja2.Template(text).render(says)) for question, text in TEXTS["answers"].items()]
    return [(question, answer) for question, answer in found if answer]


def _winners(claim: Claim) -> str:
    """' (where: what won)' of a claim that one comparison supports."""
    won = [c.what for c, word in zip(claim.comparisons, claim.words, strict=True) if word == FOR]
    return f" ({listed(won)})" if len(won) in (1, 2) else ""


def _learns(alike: Claim, collapse: Claim) -> str:
    if not alike.comparisons:
        return "Not measured."
    likeness, mass = (dict.fromkeys(SAYS, 0) | claim.counts for claim in (alike, collapse))
    return (
        f"{YES_NO[alike.verdict]}: {likeness[FOR]} of {len(alike.words)} tests speak for it, {likeness[AGAINST]} "
        f"against, {likeness[OPEN]} are open. Does it collapse onto one or two labels? In {mass[FOR]} of "
        f"{len(collapse.words)} settings its two first labels hold more than half of the mass; in {mass[AGAINST]} they "
        f"do not, {mass[OPEN]} are open."
    )


def _choices(evidence: Evidence) -> str:
    """What another form of the LSTM does to LCM, on the same splits."""
    plain = next((r for r in evidence.results(("ablation",)) if r.method == "lcm" and r.model == "lstm_rand"), None)
    others = [r for r in evidence.results(("ablation",)) if r.method == "lcm" and plain and r.model != plain.model]
    tests = [(r, test) for r in others if r.corpus == plain.corpus and (test := compare(r, plain))]
    parts = [f"{model_name(r.model)} {points(test.value)} {interval(test.ci95)}" for r, test in tests if test.n > 2]
    return f"Points of accuracy over {model_name(plain.model)}, both with LCM: {', '.join(parts)}." if parts else ""


def _lasts(claim: Claim) -> str:
    if not claim.comparisons:
        return "Not measured."
    word = {SUPPORTED: "Not only", NOT_SUPPORTED: "They may", UNDECIDED: "Undecided"}[claim.verdict]
    return " ".join([f"{word}: after three times as many epochs their lead is {told(claim)}.", *claim.notes])
