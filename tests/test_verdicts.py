"""From comparisons to a verdict, and to what would decide an open one: hand-made comparisons, no files."""

import numpy as np
import pytest

from lcm.evidence import label_space
from lcm.evidence.statistics import Estimate, decides, paired
from lcm.evidence.verdicts import EQUAL, FOR, NOT_SUPPORTED, OPEN, SUPPORTED, UNDECIDED, Claim, Comparison, times


def of(*words):
    """A claim whose comparisons have these words, and no mean: they are of ratios."""
    kinds = {
        FOR: Comparison("", Estimate(2.0, None, 1e-6, 3, 3), null=1.0, show=times),
        EQUAL: Comparison("", Estimate(1.0, None, 0.9, 3, 3), null=1.0, show=times, equal=True),
        OPEN: Comparison("", Estimate(1.5, None, 0.4, 3, 3), null=1.0, show=times),
    }
    claim = Claim("x", "", "", [kinds[word] for word in words])
    assert claim.words == list(words) and claim.average is None
    return claim


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ((FOR, OPEN), SUPPORTED),
        ((FOR, FOR, OPEN), SUPPORTED),
        ((FOR, OPEN, OPEN), UNDECIDED),
        ((FOR, EQUAL), SUPPORTED),
        ((EQUAL, OPEN), NOT_SUPPORTED),
        ((EQUAL, OPEN, OPEN), UNDECIDED),
        ((FOR, EQUAL, OPEN), UNDECIDED),
    ],
)
def test_half_of_the_comparisons_decide_where_they_have_no_mean(words, verdict):
    assert of(*words).verdict == verdict


def test_two_open_comparisons_need_more_seeds_than_one():
    """Holm's correction: each of two has to reach .025."""
    noise = np.random.RandomState(0).normal(size=(10, 2))
    scores = {(split, seed): 0.014 * value for (split, seed), value in np.ndenumerate(noise - noise.mean())}
    test = paired(scores, dict.fromkeys(scores, 0.0), 0.5)
    (one, _), (two, _) = (decides(test, 0.01, level) for level in (0.05, 0.025))
    assert test.runs / test.n < one < two
    comparison = Comparison("", test)
    needs = {n: Claim("x", "", "", [comparison] * n).needs for n in (1, 2)}
    assert needs[1] == [f"{one} seeds"]
    assert needs[2] == [f"{two} seeds"] * 2


def test_the_numbers_of_splits_are_the_fewest_and_the_most():
    def over(*counts):
        return Claim("x", "", "", [Comparison("", Estimate(0.0, None, 0.5, n, n)) for n in counts]).n

    assert (over(10, 3, 5), over(5, 5), over(3, 10)) == ("3–10", "5", "3–10")


def test_frequencies_are_those_of_the_true_labels():
    class Kept:
        def confusion(self):
            return np.array([[6, 2], [1, 1]])  # eight documents of the first label, seven predictions

    assert label_space.frequencies(Kept()) == pytest.approx([0.8, 0.2])
