"""Comparisons that are no paired mean difference: of spreads, of the gains on two corpora, and means over settings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from lcm.evidence import statistics
from lcm.evidence.statistics import Paired, Scores


@dataclass(frozen=True)
class Contrast:
    """An estimate with its two-sided 95 % interval and p-value.

    n: splits (of the smaller side). runs: pairs of runs, likewise. test: the paired test that it is, or None.
    error: standard error of the estimate, with df degrees of freedom; None where it is not known.
    noise: what optimisation, which seeds have told from the data, surely adds to its variance.
    """

    value: float
    ci95: tuple[float, float] | None
    p: float | None
    n: int
    runs: int
    test: Paired | None = None
    error: float | None = None
    df: float | None = None
    noise: float = 0.0

    @property
    def ci90(self) -> tuple[float, float] | None:
        return statistics.interval(self.value, self.error, self.df, 0.90) if self.error else None


def of_paired(test: Paired) -> Contrast:
    """The corrected test as a contrast."""
    noise = (test.within or 0.0) / test.runs
    return Contrast(test.mean, test.ci95, test.p, test.n, test.runs, test, test.error, test.df, noise)


def average(groups: Mapping[str, Sequence[Contrast]], collections: Mapping[str, str] | None = None) -> Contrast | None:
    """The mean over settings. groups: corpus -> its settings, whose splits are the same. collections: corpus -> where
    its documents come from, if others share them (4NG-H is a part of 20NG); else the corpus itself.

    Within a group, differences are averaged over its settings on each split that all of them have, and the corrected
    test takes these means with all of their spread between splits, as with one seed. Every setting weighs the same.
    Corpora of different collections have nothing to do with each other: errors add up by Welch and Satterthwaite.
    Corpora of one collection share documents, we do not know how much that binds their errors, and take the worst:
    what the data add to the errors adds up as if all moved together (degrees of freedom: the mean of theirs, weighted
    by error); only optimisation, which no two runs share, is independent.
    None where an error is not known, or a group has fewer than two common splits.
    """
    parts: list[tuple[str, int, Contrast]] = []
    for corpus, group in groups.items():
        place = (collections or {}).get(corpus, corpus)
        if len(group) == 1:
            parts.append((place, 1, group[0]))
            continue
        if any(contrast.test is None for contrast in group):
            return None
        tables = [dict(contrast.test.by_split) for contrast in group]
        splits = sorted(set.intersection(*(set(each) for each in tables)))
        if len(splits) < 2:
            return None
        means = {(split, 0): sum(each[split] for each in tables) / len(tables) for split in splits}
        widening = max(contrast.test.widening for contrast in group)
        found = of_paired(statistics.paired(means, dict.fromkeys(means, 0.0), widening))
        noise = sum(contrast.noise for contrast in group) / len(group) ** 2
        parts.append((place, len(group), replace(found, noise=noise)))
    if not parts or any(not part.error for _, _, part in parts):
        return None
    total = sum(weight for _, weight, _ in parts)
    value = sum(weight * part.value for _, weight, part in parts) / total
    variances = []  # of each collection, with its degrees of freedom
    for place in dict.fromkeys(place for place, _, _ in parts):
        mine = [(weight / total, part) for of, weight, part in parts if of == place]
        of_data = [share * math.sqrt(max(part.error**2 - part.noise, 0.0)) for share, part in mine]
        errors = [share * part.error for share, part in mine]
        variance = sum(of_data) ** 2 + sum(share**2 * min(part.noise, part.error**2) for share, part in mine)
        df = sum(error * part.df for error, (_, part) in zip(errors, mine, strict=True)) / sum(errors)
        variances.append((variance, df))
    error = math.sqrt(sum(variance for variance, _ in variances))
    df = error**4 / sum(variance**2 / df for variance, df in variances)
    n, runs = min(part.n for _, _, part in parts), sum(part.runs for _, _, part in parts)
    ci95, p = statistics.interval(value, error, df, 0.95), statistics.p_value(value, error, df)
    return Contrast(value, ci95, p, n, runs, error=error, df=df)


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
    width = 1 + 2 * unshared * float(stdtrit(n - 2, 0.975)) ** 2 / (n - 2)
    half = math.sqrt(width * width - 1)
    ci95 = math.sqrt(f * (width - half)), math.sqrt(f * (width + half))
    return Contrast(math.sqrt(f), ci95, float(2 * stdtr(n - 2, -abs(t))), n_splits, len(common))


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
    return Contrast(value, ci95, statistics.p_value(value, error, df), n, runs, error=error, df=df)
