"""Comparisons that are no paired mean difference: of spreads, and of the gains on two corpora."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lcm.evidence import statistics
from lcm.evidence.statistics import Paired, Scores


@dataclass(frozen=True)
class Contrast:
    """An estimate with its two-sided 95 % interval and p-value.

    n: splits (of the smaller side). runs: pairs of runs, likewise. test: the paired test that it is, or None.
    """

    value: float
    ci95: tuple[float, float] | None
    p: float | None
    n: int
    runs: int
    test: Paired | None = None


def of_paired(test: Paired) -> Contrast:
    """The corrected test as a contrast."""
    return Contrast(test.mean, test.ci95, test.p, test.n, test.runs, test)


def std_ratio(a: Scores, b: Scores) -> Contrast | None:
    """std(a) / std(b) over the runs that both have, by the test of Pitman and Morgan.

    Biometrika 31 (1939): equal variances mean that a + b and a - b are uncorrelated. The interval inverts the test.
    Assumes
    normal scores and splits that are independent, which overlapping ones are not: at n = 5 to 10 a weak instrument.
    Seeds of one split are alike: N runs count as N / (1 + (K - 1) r_sum r_difference), where r are the shares of the
    variance of a + b and a - b that lie between splits and K is the harmonic mean of the numbers of seeds (K = 1: N).
    None with fewer than three splits or where one side does not vary at all.
    """
    common = sorted(a.keys() & b.keys())
    x, y = (np.array([scores[key] for key in common], dtype=float) for scores in (a, b))
    n_splits = len({split for split, _ in common})
    if n_splits < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    seeds = statistics.table(dict.fromkeys(common, 0.0))
    k = 1 / np.mean(1 / (~np.isnan(seeds)).sum(1))
    shares = [_between_share({key: a[key] + sign * b[key] for key in common}) for sign in (1, -1)]
    n = max(len(common) / (1 + (k - 1) * shares[0] * shares[1]), n_splits)
    f = float(x.var(ddof=1) / y.var(ddof=1))
    unshared = max(1 - float(np.corrcoef(x, y)[0, 1]) ** 2, 1e-12)
    t = (f - 1) * math.sqrt(n - 2) / (2 * math.sqrt(f * unshared))
    width = 1 + 2 * unshared * float(stats.t.ppf(0.975, n - 2)) ** 2 / (n - 2)
    half = math.sqrt(width * width - 1)
    ci95 = math.sqrt(f * (width - half)), math.sqrt(f * (width + half))
    return Contrast(math.sqrt(f), ci95, float(2 * stats.t.sf(abs(t), n - 2)), n_splits, len(common))


def _between_share(scores: Scores) -> float:
    found = statistics.components(statistics.table(scores), 0.0)
    total = float(found["between"] + found["within"])
    return float(found["between"]) / total if total else 1.0


def mean_difference(a: Scores, b: Scores, widening_a: float, widening_b: float) -> Contrast | None:
    """mean(a) - mean(b) of differences measured on two corpora, whose splits have nothing to do with each other.

    Welch's t-test with the variance of each mean as in `statistics.components`.
    None with fewer than two splits on a side; no interval where neither side varies.
    """
    tables = [statistics.table(scores) if scores else np.empty((0, 1)) for scores in (a, b)]
    if min(map(len, tables)) < 2:
        return None
    sides = [
        statistics.components(each, widening) for each, widening in zip(tables, (widening_a, widening_b), strict=True)
    ]
    value = float(sides[0]["mean"] - sides[1]["mean"])
    variance = float(sides[0]["variance"] + sides[1]["variance"])
    n, runs = min(map(len, tables)), min(len(a), len(b))
    if variance == 0:
        return Contrast(value, None, None, n, runs)
    df = variance**2 / float(sum(side["variance"] ** 2 / side["df"] for side in sides))
    error = math.sqrt(variance)
    ci95 = statistics.interval(value, error, df, 0.95)
    return Contrast(value, ci95, statistics.p_value(value, error, df), n, runs)
