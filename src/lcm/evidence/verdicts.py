"""How comparisons become a verdict: by one rule, `RULE`, from each one's estimate, interval and p-value alone.

Every word on the page that says better, worse, equal or undecided comes from `Claim.words`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product

from lcm.evidence.comparisons import Evidence, compare
from lcm.evidence.contrasts import average
from lcm.evidence.names import TEXTS, TUNED, method_name, setting_name
from lcm.evidence.paper import paper_gain
from lcm.evidence.results import Result, grouped
from lcm.evidence.statistics import Estimate, Paired, decides, equivalent, holm

LEVEL = 0.05  # of the tests, after Holm's correction
EQUIVALENCE = 0.005  # half a point either way is nothing, with differences of 0.5 to 4 points in the paper
SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_MEASURED = "supported", "not supported", "undecided", "not measured"
YES_NO = {SUPPORTED: "Yes", NOT_SUPPORTED: "No", UNDECIDED: "Undecided", NOT_MEASURED: "Not measured"}
RULE = "\n".join(f"- {line}" for line in TEXTS["rule"])
RIVALS = ("ls_matched", "ls", "ce")  # whom LCM is compared with, the deciding one first
PRINTED = ("ce", "ls")  # those that the paper has
FOR, AGAINST, EQUAL, OPEN = "for", "against", "equal", "open"
SAYS = {FOR: "better", AGAINST: "worse", EQUAL: "equal", OPEN: "undecided"}
WORDS = SAYS | {FOR: "LCM better", AGAINST: "LCM worse"}


def points(difference: float, digits: int = 2) -> str:
    """A difference of accuracies in percentage points, signed."""
    value = round(100 * difference, digits)
    return (f"{value:+.{digits}f}" if value else f"{0:.{digits}f}").replace("-", "−")  # -0.0 is 0, too


def times(ratio: float) -> str:
    return f"×{ratio:.2f}"


def cosine(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def interval(ci: tuple[float, float] | None, show: Callable[[float], str] = points) -> str:
    """The interval, written as its value is."""
    return "no interval" if ci is None else f"[{show(ci[0])}, {show(ci[1])}]"


def decided(gain: float, p: float | None, equal: bool | None) -> str:
    """for, against, equal or open. gain: above 0 speaks for the claim. p: corrected. equal: by `equivalent`."""
    if p is not None and p < LEVEL:
        return FOR if gain > 0 else AGAINST
    return EQUAL if equal else OPEN


@dataclass(frozen=True)
class Comparison:
    """One estimate that bears on a claim. sign: +1 if values above `null` speak for it, -1 if values below do.

    paper: the same number from the paper's printed means, or None. show: how values are written.
    equal: the 90 % interval excludes every difference that would matter.
    pair: the two results whose test accuracies are compared, if that is what it is.
    corpus: whose splits these are. collection: where its documents come from, "" for the corpus itself.
    """

    what: str
    estimate: Estimate
    paper: float | None = None
    null: float = 0.0
    sign: int = 1
    show: Callable[[float], str] = points
    unit: str = " points"
    equal: bool = False
    pair: tuple[Result, Result] | None = None
    corpus: str = ""
    collection: str = ""


def accuracies(pairs: Iterable[tuple[Result | None, Result | None]], what: str = "", sign: int = 1) -> list[Comparison]:
    """The test accuracy of a minus that of b, for every pair of which there is such a number."""
    found = []
    for a, b in pairs:
        test = compare(a, b) if a and b else None
        if test is None:
            continue
        gain = paper_gain(*a.setting, a.method, b.method)
        said = what or f"{setting_name(*a.setting)}: {method_name(a.method)} − {method_name(b.method)}"
        # Half a point refutes no gain of a fifth of a point, which is all there is to gain on MNIST: where the paper
        # lacks the rival, what LCM gains there over others counts.
        printed = [gain]
        if gain is None and a.target == "lcm":
            printed = [paper_gain(*a.setting, "lcm", other) for other in PRINTED]
        equal = bool(equivalent(test, _margin(printed)))
        found.append(Comparison(said, test, gain, sign=sign, equal=equal, pair=(a, b), **data_of(a)))
    return found


def _margin(printed: Iterable[float | None]) -> float:
    """What is nothing: half a point, or half of the least gain that the paper prints, if that is less."""
    return min([EQUIVALENCE, *(abs(gain) / 2 for gain in printed if gain is not None)])


def data_of(result: Result) -> dict[str, str]:
    """What `Comparison` wants to know of the data of a result."""
    return {"corpus": result.corpus, "collection": result.collection}


@dataclass(frozen=True)
class Claim:
    """key: 1a, 1b, ... of the paper, Q1 and on ours. source: where the paper says it. notes: what the rule does not
    read.

    in_paper: how many such comparisons the paper's tables hold, 0 if that is no question. anywhere: one decided
    comparison is enough.
    """

    key: str
    text: str
    source: str
    comparisons: list[Comparison]
    notes: list[str] = field(default_factory=list)
    in_paper: int = 0
    anywhere: bool = False

    @property
    def adjusted(self) -> list[float | None]:
        """Holm's p-value per comparison, None where there is no test."""
        values = iter(holm([c.estimate.p for c in self.comparisons if c.estimate.p is not None]))
        return [None if c.estimate.p is None else next(values) for c in self.comparisons]

    @property
    def words(self) -> list[str]:
        """for, against, equal or open, per comparison."""
        both = zip(self.comparisons, self.adjusted, strict=True)
        return [decided((c.estimate.value - c.null) * c.sign, p, c.equal) for c, p in both]

    @property
    def counts(self) -> dict[str, int]:
        """Word -> how many comparisons it is said of, the words that are said at all."""
        return {word: count for word in SAYS if (count := self.words.count(word))}

    @property
    def average(self) -> Estimate | None:
        """The mean of two or more comparisons of accuracies, all with the same sign; else None."""
        if self.anywhere or len(self.comparisons) < 2 or any(c.show is not points for c in self.comparisons):
            return None
        if len({(c.sign, c.null) for c in self.comparisons}) > 1:
            return None
        by_corpus = grouped(self.comparisons, lambda c: c.corpus)
        groups = {corpus: [c.estimate for c in of] for corpus, of in by_corpus.items()}
        return average(groups, {c.corpus: c.collection or c.corpus for c in self.comparisons})

    @property
    def average_word(self) -> str:
        """for, against, equal or open, for the mean of the comparisons."""
        found = self.average
        printed = [c.paper for c in self.comparisons if c.paper is not None]
        margin = _margin([sum(printed) / len(printed)] if printed else [])
        return decided(found.value * self.comparisons[0].sign, found.p, equivalent(found, margin))

    @property
    def verdict(self) -> str:
        """By `RULE`."""
        words = self.words
        if not words:
            return NOT_MEASURED
        if self.anywhere:
            if FOR in words:
                return SUPPORTED
            return NOT_SUPPORTED if 2 * (len(words) - words.count(OPEN)) >= len(words) else UNDECIDED
        if AGAINST not in words and self.average:
            return {FOR: SUPPORTED, OPEN: UNDECIDED}.get(self.average_word, NOT_SUPPORTED)
        return self.one_by_one

    @property
    def one_by_one(self) -> str:
        """The verdict where a claim has no mean: at least half of its comparisons decide alike, and none against it."""
        words = self.words
        if AGAINST in words:
            return NOT_SUPPORTED
        if 2 * words.count(FOR) >= len(words):
            return SUPPORTED
        return NOT_SUPPORTED if 2 * words.count(EQUAL) >= len(words) else UNDECIDED

    @property
    def needs(self) -> list[str]:
        """For each open comparison of accuracies how many seeds would decide one point, if any; else ""."""
        words = self.words
        level = LEVEL / max(words.count(OPEN), 1)  # Holm's correction when the decided ones are out of the way
        return [_needs(c, level) if word == OPEN else "" for c, word in zip(self.comparisons, words, strict=True)]

    @property
    def n(self) -> str:
        """Number of splits, or the range of it."""
        counts = sorted({c.estimate.n for c in self.comparisons})
        return "–".join(str(n) for n in dict.fromkeys([*counts[:1], *counts[-1:]]))

    def headline(self) -> str:
        """The verdict, with n where it is open."""
        return f"undecided at n = {self.n}" if self.verdict == UNDECIDED else self.verdict

    def tally(self) -> str:
        """How the comparisons went, in one line."""
        if not self.comparisons:
            return f"none of the paper’s {self.in_paper} comparisons" if self.in_paper else "no comparison yet"
        values, first = [c.estimate.value for c in self.comparisons], self.comparisons[0]
        show, unit = first.show, first.unit
        if len(values) == 1:
            return f"{show(values[0])}{unit} {interval(first.estimate.ci95, show)}, n = {self.n}{self.coverage()}"
        same = len({c.show for c in self.comparisons}) == 1
        spread = f", {show(min(values))} to {show(max(values))}{unit}" if same else ""
        mean = self.average
        first = f"on average {show(mean.value)} {interval(mean.ci95, show)}; one by one " if mean else ""
        counts = ", ".join(f"{word}: {count}" for word, count in self.counts.items())
        return f"{first}{counts} of {len(values)}{spread}; n = {self.n}{self.coverage()}"

    def coverage(self) -> str:
        """How many of the paper's comparisons these are, unless all."""
        printed = sum(c.paper is not None for c in self.comparisons)
        return f"; {printed} of the paper’s {self.in_paper}" if self.in_paper and printed < self.in_paper else ""


def _needs(comparison: Comparison, level: float) -> str:
    test = comparison.estimate
    if not isinstance(test, Paired) or comparison.show is not points:
        return ""
    if test.n == 1:
        return "one split decides nothing: it takes two"
    found = decides(test, 0.01, level)
    if found is None:
        return "all splits agree to the digit, which no t-test can use"
    fewest, most = found
    if fewest is None:
        return "no number of seeds would do"
    if fewest == most:
        return "1 point would have shown" if fewest <= test.runs / test.n else f"{fewest} seeds"
    return f"{fewest} to {'∞' if most is None else most} seeds"


class Decisions:
    """What is decided between LCM and another result: by the claim that holds the comparison, else by its study."""

    def __init__(self, evidence: Evidence, claims: list[Claim]):
        families = list(claims)
        for study, other in product(evidence.values(), (*RIVALS, f"ls.{TUNED}")):
            lcm = (result for result in study.results if result.done and result.method == "lcm")
            families.append(Claim("", "", "", accuracies((result, evidence.rival(result, other)) for result in lcm)))
        self._words: dict[tuple, str] = {}
        for claim in families:
            for comparison, word in zip(claim.comparisons, claim.words, strict=True):
                if comparison.pair and comparison.sign > 0:
                    self._words.setdefault(_key(*comparison.pair), WORDS[word])

    def word(self, a: Result, b: Result) -> str:
        """LCM better, and the like; "" where no family holds the comparison."""
        return self._words.get(_key(a, b), "")


def _key(a: Result, b: Result) -> tuple:
    return a.setting, a.method, b.method, len(a.runs), len(b.runs)
