"""How comparisons become a verdict on a claim: by one rule, `RULE`, from each comparison's estimate, interval and p-value alone."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lcm.evidence.contrasts import Contrast
from lcm.evidence.statistics import holm
from lcm.evidence.tables import NOTHING, Table, p_value, points

LEVEL = 0.05
SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_MEASURED = "supported", "not supported", "undecided", "not measured"
FOR, AGAINST, EQUAL, OPEN = "for", "against", "equal", "open"
RULE = (
    "A comparison decides when its p-value is below 0.05 after Holm's correction over all comparisons of its claim. "
    "Supported: at least half of the comparisons decide for the claim and none against it. "
    "Not supported: at least one decides against it, or at least half are equal, which means that the 90 % interval lies within ±0.5 points, "
    "or within half of the gain that the paper prints where that is less. "
    "Undecided: everything else; n is the number of splits, and more of them might decide. "
    "Not measured: there is no comparison. "
    "Differences of accuracy are paired by split and tested with the Nadeau–Bengio corrected resampled t-test. Gains on two corpora "
    "have no common splits: Welch's t-test with the same widening. Spreads: the test of Pitman and Morgan, which takes overlapping "
    "splits for "
    "independent and is weak at n = 5 to 10. Cells that were not run count neither way."
)


@dataclass(frozen=True)
class Comparison:
    """One estimate that bears on a claim. sign: +1 if values above `null` speak for it, -1 if values below do.

    paper: the same number from the paper's printed means, or None. show: how values are written. equal: the 90 % interval
    excludes every difference that would matter.
    """

    what: str
    contrast: Contrast
    paper: float | None = None
    null: float = 0.0
    sign: int = 1
    show: Callable[[float], str] = points
    unit: str = " points"
    equal: bool = False


@dataclass(frozen=True)
class Claim:
    """key: 1a, 1b, ... of the paper, Q1 to Q3 ours. source: where the paper says it. notes: numbers that the rule does not read.

    in_paper: how many such comparisons the paper's tables hold, 0 if that is no question.
    """

    key: str
    text: str
    source: str
    comparisons: list[Comparison]
    notes: list[str] = field(default_factory=list)
    in_paper: int = 0

    @property
    def adjusted(self) -> list[float | None]:
        """Holm's p-value per comparison, None where there is no test."""
        values = iter(holm([c.contrast.p for c in self.comparisons if c.contrast.p is not None]))
        return [None if c.contrast.p is None else next(values) for c in self.comparisons]

    @property
    def words(self) -> list[str]:
        """for, against, equal or open, per comparison."""

        def word(c: Comparison, p: float | None) -> str:
            if p is None or p >= LEVEL:
                return EQUAL if c.equal else OPEN
            return FOR if (c.contrast.value - c.null) * c.sign > 0 else AGAINST

        return [word(c, p) for c, p in zip(self.comparisons, self.adjusted, strict=True)]

    @property
    def verdict(self) -> str:
        """By `RULE`."""
        words = self.words
        if not words:
            return NOT_MEASURED
        if AGAINST in words:
            return NOT_SUPPORTED
        if 2 * words.count(FOR) >= len(words):
            return SUPPORTED
        return NOT_SUPPORTED if 2 * words.count(EQUAL) >= len(words) else UNDECIDED

    @property
    def n(self) -> str:
        """Number of splits, or the range of it."""
        counts = sorted({c.contrast.n for c in self.comparisons})
        return "–".join(str(n) for n in dict.fromkeys([*counts[:1], *counts[-1:]]))

    def headline(self) -> str:
        """The verdict, with n where that is what is missing."""
        return f"undecided at n = {self.n}" if self.verdict == UNDECIDED else self.verdict

    def tally(self) -> str:
        """How the comparisons went, in one line."""
        if not self.comparisons:
            return f"none of the paper's {self.in_paper} comparisons" if self.in_paper else "no comparison yet"
        words, values = self.words, [c.contrast.value for c in self.comparisons]
        show, unit, total = self.comparisons[0].show, self.comparisons[0].unit, len(words)
        if total == 1:
            return f"{show(values[0])}{unit} {interval(self.comparisons[0])}, n = {self.n}{self.coverage()}"
        spread = f"; from {show(min(values))} to {show(max(values))}{unit}" if len({c.show for c in self.comparisons}) == 1 else ""
        counts = ", ".join(f"{word}: {words.count(word)}" for word in (FOR, AGAINST, EQUAL, OPEN) if words.count(word))
        return f"{counts} of {total}{spread}, n = {self.n}{self.coverage()}"

    def coverage(self) -> str:
        """How many of the paper's comparisons these are, unless all."""
        printed = sum(c.paper is not None for c in self.comparisons)
        return f"; {printed} of the paper's {self.in_paper}" if self.in_paper and printed < self.in_paper else ""


def interval(comparison: Comparison) -> str:
    """The 95 % interval, written as the value is."""
    ci = comparison.contrast.ci95
    return "(no interval)" if ci is None else f"[{comparison.show(ci[0])}, {comparison.show(ci[1])}]"


def times(ratio: float) -> str:
    return f"×{ratio:.2f}"


def cosine(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def claim_table(claim: Claim) -> Table:
    """Rows: the comparisons of one claim."""
    rows = [
        [c.what, c.show(c.paper) if c.paper is not None else NOTHING, (c.show(c.contrast.value), interval(c)), p_value(p), word, str(c.contrast.n)]
        for c, word, p in zip(claim.comparisons, claim.words, claim.adjusted, strict=True)
    ]
    columns = ["comparison", "paper", ("ours", "[95 % CI]"), ("p", "Holm"), "says", "n"]
    return Table(f"{claim.key}. {claim.text}", columns, [("", rows)] if rows else [])
