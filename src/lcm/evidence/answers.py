"""The answers in words: what the claims say, question by question."""

from lcm.evidence.comparisons import Evidence, compare
from lcm.evidence.names import model_name
from lcm.evidence.verdicts import (
    AGAINST,
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
    """A claim's verdict as the answer to a question."""
    return f"{YES_NO[claim.verdict]} ({told(claim)})." if claim.comparisons else "Not measured."


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
    """The study in a few lines, (question, answer), from the claims; the last from the study of single choices."""
    by_key = {claim.key: claim for claim in claims}
    families = (("LSTMs", "1a"), ("CNNs", "1b"), ("BERT", "1c"))
    ways = (
        ("Of the same strength?", "Q1"), ("Both tuned on the validation part?", "Q1b"), ("At other strengths?", "Q2"),
        ("The paper’s 0.1?", "3"),
    )  # fmt: skip
    rest = {
        "2": "lower spread", "4": "more gain on confusable labels", "5": "more gain where labels are wrong",
        "6": "images", "7a": "faster at first", "7b": "small α over-fits", "7c": "early stop helps",
    }  # fmt: skip
    ours = {
        "Q4": "mass on truly similar labels helps", "Q5": "a structured target beats tuned smoothing anywhere",
        "Q6": "under wrong labels only targets that know the noise help",
    }  # fmt: skip

    def listed(texts: dict[str, str]) -> str:
        text = "; ".join(f"{name}: {by_key[key].headline()}" for key, name in texts.items())
        return text[0].upper() + text[1:] + "."

    alike, words = by_key["Q3"], by_key["Q3"].words
    learns = (
        f"{YES_NO[alike.verdict]}: {words.count(FOR)} of {len(words)} tests speak for it, {words.count(AGAINST)} "
        f"against, {words.count(OPEN)} are open. Does it collapse onto one or two labels? "
        f"{by_key['Q7'].headline().capitalize()}."
    )
    found = [
        (
            "Does LCM beat plain cross-entropy?",
            " ".join(f"With {name}? {sentence(by_key[key])}" for name, key in families),
        ),
        ("Do softer targets only learn faster?", _lasts(by_key["Q8"])),
        ("Does LCM beat label smoothing?", " ".join(f"{question} {sentence(by_key[key])}" for question, key in ways)),
        ("Does its confusion distribution learn which labels are alike?", learns if words else "Not measured."),
        ("The paper’s other claims?", listed(rest)),
    ]
    if any(by_key[key].comparisons for key in ours):
        found.append(("Which target, then?", listed(ours)))
    if told := _choices(evidence):
        found.append(("Which choices that the paper leaves open change the result?", told))
    return found


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
    word = {SUPPORTED: "No", NOT_SUPPORTED: "They may", UNDECIDED: "Undecided"}[claim.verdict]
    return f"{word}: after three times as many epochs their lead is {told(claim)}."
