"""Comparisons that are no paired mean difference: of spreads, of the gains on two corpora, and means over settings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import stdtr, stdtrit

from lcm.evidence.statistics import Estimate, Paired, Scores, by_t, components, paired, table


def average(groups: Mapping[str, Sequence[Estimate]], collections: Mapping[str, str] | None = None) -> Estimate | None:
    """The mean over settings. groups: corpus -> its settings, whose splits are the same. collections: corpus -> where
    its documents come from, if others share them (4NG-H is a part of 20NG); else the corpus itself.

    Every setting weighs the same. Corpora of different collections have nothing to do with each other: errors add up by
    Welch and Satterthwaite. Corpora of one collection share documents, we do not know how much that binds their errors,
    and take the worst: see `_together`. A setting in which the two do not differ on any split has no error. None where
    an error is not known, or a group has fewer than two common splits.
    """
    parts = {corpus: _of_corpus(group) for corpus, group in groups.items()}
    if not parts or not all(part and part[0].error is not None for part in parts.values()):
        return None
    total = sum(map(len, groups.values()))
    value = sum(len(groups[corpus]) * mean.value for corpus, (mean, _) in parts.items()) / total
    of_collection: dict[str, list[tuple[float, Estimate, float]]] = {}
    for corpus, part in parts.items():
        place = (collections or {}).get(corpus, corpus)
        of_collection.setdefault(place, []).append((len(groups[corpus]) / total, *part))
    variances = [_together(of) for of in of_collection.values()]
    error = math.sqrt(sum(variance for variance, _ in variances))
    if not error:
        return None
    df = error**4 / sum(variance**2 / df for variance, df in variances)
    means = [mean for mean, _ in parts.values()]
    return by_t(value, error, df, min(mean.n for mean in means), sum(mean.runs for mean in means))


def _of_corpus(group: Sequence[Estimate]) -> tuple[Estimate, float] | None:
    """The mean over the settings of a corpus, and what optimisation, which seeds have told from the data, surely adds
    to its variance.

    Differences are averaged over the settings on each split that all of them have, and the corrected test takes these
    means with all of their spread between splits, as with one seed.
    """
    noise = sum((getattr(test, "within", None) or 0.0) / test.runs for test in group) / len(group) ** 2
    if len(group) == 1:
        return _exact(group[0]), noise
    if not all(isinstance(test, Paired) for test in group):
        return None
    tables = [dict(test.by_split) for test in group]
    splits = sorted(set.intersection(*(set(each) for each in tables)))
    if len(splits) < 2:
        return None
    means = {(split, 0): sum(each[split] for each in tables) / len(tables) for split in splits}
    return _exact(paired(means, dict.fromkeys(means, 0.0), max(test.widening for test in group))), noise


def _exact(test: Estimate) -> Estimate:
    """Without error if the two are the same on all of several splits, as cross-entropy and a strength of 0 are."""
    same = isinstance(test, Paired) and test.n > 1 and not any(difference for _, difference in test.by_split)
    return replace(test, error=0.0, df=test.n - 1) if test.error is None and same else test


def _together(parts: list[tuple[float, Estimate, float]]) -> tuple[float, float]:
    """The variance of a sum over the corpora of one collection, (weight, mean, noise) each, and its degrees of freedom.

    What the data add to the errors adds up as if all moved together (degrees of freedom: the mean of theirs, weighted
    by error); only optimisation, which no two runs share, is independent.
    """
    parts = [part for part in parts if part[1].error]
    if not parts:
        return 0.0, 1.0
    of_data = [share * math.sqrt(max(mean.error**2 - noise, 0.0)) for share, mean, noise in parts]
    errors = [share * mean.error for share, mean, _ in parts]
    variance = sum(of_data) ** 2 + sum(share**2 * min(noise, mean.error**2) for share, mean, noise in parts)
    df = sum(error * mean.df for error, (_, mean, _) in zip(errors, parts, strict=True)) / sum(errors)
    return variance, df


def std_ratio(a: Scores, b: Scores) -> Estimate | None:
    """std(a) / std(b) over the runs that both have, by the test of Pitman and Morgan.

    Biometrika 31 (1939): equal variances mean that a + b and a - b are uncorrelated. The interval inverts the test.
    Assumes normal scores and independent splits, which overlapping ones are not: at n = 5 to 10 a weak instrument.
    Seeds of one split are alike: N runs count as N / (1 + (K - 1) r_sum r_difference), where r are the shares of the
    variance of a + b and a - b that lie between splits and K is the harmonic mean of the numbers of seeds (K = 1: N).
    None with fewer than three splits or where one side does not vary at all.
    """
    common = sorted(a.keys() & b.keys())
    x, y = (np.array([scores[key] for key in common], dtype=float) for scores in (a, b))
    n_splits = len({split for split, _ in common})
    if n_splits < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    seeds = table(dict.fromkeys(common, 0.0))
    k = 1 / np.mean(1 / (~np.isnan(seeds)).sum(1))
    shares = [_between_share({key: a[key] + sign * b[key] for key in common}) for sign in (1, -1)]
    n = max(len(common) / (1 + (k - 1) * shares[0] * shares[1]), n_splits)
    f = float(x.var(ddof=1) / y.var(ddof=1))
    unshared = max(1 - float(np.corrcoef(x, y)[0, 1]) ** 2, 1e-12)
    t = (f - 1) * math.sqrt(n - 2) / (2 * math.sqrt(f * unshared))
    width = 1 + 2 * unshared * float(stdtrit(n - 2, 0.975)) ** 2 / (n - 2)
    half = math.sqrt(width * width - 1)
    ci95 = math.sqrt(f * (width - half)), math.sqrt(f * (width + half))
    return Estimate(math.sqrt(f), ci95, float(2 * stdtr(n - 2, -abs(t))), n_splits, len(common))


def _between_share(scores: Scores) -> float:
    found = components(table(scores), 0.0)
    total = float(found["between"] + found["within"])
    return float(found["between"]) / total if total else 1.0


def mean_difference(a: Scores, b: Scores, widening_a: float, widening_b: float) -> Estimate | None:
    """mean(a) - mean(b) of differences measured on two corpora, whose splits have nothing to do with each other.

    Welch's t-test with the variance of each mean as in `components`.
    None with fewer than two splits on a side; no interval where neither side varies.
    """
    tables = [table(scores) if scores else np.empty((0, 1)) for scores in (a, b)]
    if min(map(len, tables)) < 2:
        return None
    sides = [components(of, widening) for of, widening in zip(tables, (widening_a, widening_b), strict=True)]
    value = float(sides[0]["mean"] - sides[1]["mean"])
    variance = float(sides[0]["variance"] + sides[1]["variance"])
    n, runs = min(map(len, tables)), min(len(a), len(b))
    if variance == 0:
        return Estimate(value, None, None, n, runs)
    df = variance**2 / float(sum(side["variance"] ** 2 / side["df"] for side in sides))
    return by_t(value, math.sqrt(variance), df, n, runs)
