"""Comparisons that are no paired mean difference: of spreads, and of the gains on two corpora."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lcm.evidence.statistics import Paired


@dataclass(frozen=True)
class Contrast:
    """An estimate with its two-sided 95 % interval and p-value; n is the number of splits (of the smaller side)."""

    value: float
    ci95: tuple[float, float] | None
    p: float | None
    n: int


def of_paired(test: Paired) -> Contrast:
    """The corrected resampled t-test as a contrast."""
    return Contrast(test.mean, test.ci95, test.p_corrected, test.n)


def std_ratio(a: Sequence[float], b: Sequence[float]) -> Contrast | None:
    """std(a) / std(b) of paired scores, shape (n,), by the test of Pitman and Morgan.

    Biometrika 31 (1939): equal variances mean that a + b and a - b are uncorrelated. The interval inverts the test. Assumes
    normal scores and splits that are independent, which overlapping ones are not: at n = 5 to 10 a weak instrument.
    None with fewer than three splits or where one side does not vary at all.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"paired scores must be two equally long lists, not shapes {a.shape} and {b.shape}")
    n = a.size
    if n < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    f = float(a.var(ddof=1) / b.var(ddof=1))
    unshared = max(1 - float(np.corrcoef(a, b)[0, 1]) ** 2, 1e-12)
    t = (f - 1) * math.sqrt(n - 2) / (2 * math.sqrt(f * unshared))
    k = 1 + 2 * unshared * float(stats.t.ppf(0.975, n - 2)) ** 2 / (n - 2)
    half = math.sqrt(k * k - 1)
    return Contrast(math.sqrt(f), (math.sqrt(f * (k - half)), math.sqrt(f * (k + half))), float(2 * stats.t.sf(abs(t), n - 2)), n)


def mean_difference(a: Sequence[float], b: Sequence[float], ratio_a: float, ratio_b: float) -> Contrast | None:
    """mean(a) - mean(b) of differences measured on two corpora, whose splits have nothing to do with each other.

    Welch's t-test with the variance of each mean widened as in the corrected resampled t-test: s^2 (1/n + n_test/n_train).
    ratio_a, ratio_b: n_test / n_train of each corpus. None with fewer than two splits on a side; no interval where neither side varies.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if min(a.size, b.size) < 2:
        return None
    parts = [float(x.var(ddof=1)) * (1 / x.size + ratio) for x, ratio in ((a, ratio_a), (b, ratio_b))]
    value, variance = float(a.mean() - b.mean()), sum(parts)
    n = min(a.size, b.size)
    if variance == 0:
        return Contrast(value, None, None, n)
    df = variance**2 / (parts[0] ** 2 / (a.size - 1) + parts[1] ** 2 / (b.size - 1))
    half = float(stats.t.ppf(0.975, df)) * math.sqrt(variance)
    return Contrast(value, (value - half, value + half), float(2 * stats.t.sf(abs(value) / math.sqrt(variance), df)), n)
