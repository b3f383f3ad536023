"""Is one method better than another? Paired tests over the random splits of one corpus and the seeds within them.

d_sk is the difference of two methods on split s with seed k: d_sk = mu + a_s + e_sk. a_s belongs to the split (which
items were trained and tested on), e_sk to the optimisation (initialisation, order of the batches, rounding).

Random splits overlap: with 70 % training data any two training sets share about 70 % of their items, so the a_s are
correlated and the plain paired t-test finds effects that are not there. Nadeau & Bengio (2003) widen the variance of
the mean from 1/S to 1/S + n_test/n_train. Only a_s overlaps: two seeds share nothing. So only its variance is widened:

    var(mean) = var_a (1/S + n_test/n_train) + var_e / (S K)

The design, seeds within splits, is that of Bouthillier et al. (2021, "Accounting for variance in machine learning
benchmarks"). With one seed a split the two parts cannot be told apart, all of the spread counts as a_s, and this is
exactly the corrected resampled t-test.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # scipy.stats.t does the same, and takes a second to import

Scores = Mapping[tuple[int, int], float]  # (split, seed) -> score
MANY_SEEDS = 100  # `decides` looks no further: nobody trains more
POWER = 0.8
LEAST_DF = 2  # Satterthwaite's number falls below 1 where both parts nearly cancel; simulated tests keep their size


@dataclass(frozen=True)
class Estimate:
    """An estimate with its two-sided 95 % interval and p-value; both are None where nothing is known of its error.

    n: splits (of the smaller side). runs: pairs of runs, likewise. error: standard error, with df degrees of freedom;
    None for a test that is no t-test.
    """

    value: float
    ci95: tuple[float, float] | None
    p: float | None
    n: int
    runs: int
    error: float | None = None
    df: float | None = None

    @property
    def ci90(self) -> tuple[float, float] | None:
        return interval(self.value, self.error, self.df, 0.90) if self.error else None


@dataclass(frozen=True)
class Paired(Estimate):
    """Paired differences a - b over splits and seeds, in the unit of the inputs.

    value: the mean of the splits' means, so each split counts once.
    widening: as given. by_split: (split, its mean), ascending.
    between, within: estimated variances of a_s and e_sk; within is None where no split has two seeds.
    Intervals and p come from the corrected test, two-sided. With n = 1 nothing is known about the spread, and where
    all differences are equal (accuracies are counts: a few splits can agree by chance) the t-test is undefined: then
    all but the value is None.
    """

    widening: float = 0.0
    by_split: tuple[tuple[int, float], ...] = ()
    between: float | None = None
    within: float | None = None


def widening(sizes: Mapping[str, int], part: str = "test", official: bool = False) -> float:
    """Return what the corrected test adds to 1/S: n_part / n_train, for scores measured on that part of random splits.

    official: the test part is the data set's own (MNIST), the same in every split. Then no two test parts differ, their
    draw adds nothing to the spread over splits, and every statement is about this test part. What each split draws anew
    is which of the other items are for validation, so the term is n_val / n_train.
    sizes: number of items by part: train, val, test. Raises ValueError where one of the two is not positive.
    """
    part = "val" if official else part
    drawn, train = sizes[part], sizes["train"]
    if not (drawn > 0 and train > 0):
        raise ValueError(f"sizes of the parts must be positive, not {drawn} ({part}) and {train} (train)")
    return drawn / train


def components(differences: np.ndarray, widening: float) -> dict[str, np.ndarray]:
    """Estimate the mean, its error and both variances from differences of shape (..., S, K), S >= 2.

    Splits may have unequal numbers of seeds: the missing ones are nan, at least one a split is not. The method is the
    analysis of variance of unweighted means (Yates 1934): the mean of the splits' means, and for K the harmonic mean of
    the numbers of seeds. A negative estimate of var_a is set to 0. Degrees of freedom by Satterthwaite (1946), at least
    2, at most S - 1. Simulated false positives at 5 % stay at or below 6.5 % for up to 10 splits and 5 seeds
    (tests/test_statistics.py); at 20 splits with 5 seeds they reach 8 %.

    Returns arrays of shape (...): mean, spread (variance of the splits' means), between, within (0 where K = 1),
    variance (of the mean) and df.
    """
    seen = ~np.isnan(differences)
    seeds = seen.sum(-1)
    n = differences.shape[-2]
    of_split = np.where(seen, differences, 0.0).sum(-1) / seeds
    spare = seeds.sum(-1) - n  # degrees of freedom within splits
    squares = np.where(seen, (differences - of_split[..., None]) ** 2, 0.0).sum((-1, -2))
    within = np.where(spare > 0, squares / np.maximum(spare, 1), 0.0)
    spread = of_split.var(-1, ddof=1)
    between, variance, df = _error(spread, within, (1 / seeds).mean(-1), n, spare, widening)
    return {
        "mean": of_split.mean(-1),
        "spread": spread,
        "between": between,
        "within": within,
        "variance": variance,
        "df": df,
    }


def _error(spread, within, inverse_seeds, n: int, spare, widening: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """var_a, the variance of the mean and its df, from the two observed variances and the mean of 1 / K."""
    noise = within * inverse_seeds  # what the seeds add to the variance of a split's mean
    between = np.maximum(spread - noise, 0.0)
    variance = between * (1 / n + widening) + noise / n
    # That is A spread - B noise where var_a > 0, and noise / n where it is not.
    parts = ((1 / n + widening) * spread) ** 2 / (n - 1) + (widening * noise) ** 2 / np.maximum(spare, 1)
    df = np.where(between > 0, variance**2 / np.maximum(parts, 1e-300), spare)
    return between, variance, np.where(spare > 0, np.clip(df, min(LEAST_DF, n - 1), n - 1), n - 1)


def table(scores: Scores) -> np.ndarray:
    """(split, seed) -> score as an array (S, K), splits and seeds ascending, nan where a split lacks a seed."""
    splits = sorted({split for split, _ in scores})
    rows = [[value for (split, _), value in sorted(scores.items()) if split == wanted] for wanted in splits]
    filled = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in zip(filled, rows, strict=True):
        row[: len(values)] = values
    return filled


ROUNDING = 2.1e-6  # records keep six digits: differences that are equal differ by so much at most


def paired(a: Scores, b: Scores, widening: float) -> Paired:
    """Compare two methods on the splits and seeds that both have.

    a, b: (split, seed) -> score. widening: see the function of that name.
    Raises ValueError where nothing is common, for values that are not finite, and for a widening that is negative.
    """
    common = sorted(a.keys() & b.keys())
    if not common:
        raise ValueError("no split and seed has a score of both methods")
    if not all(math.isfinite(x[key]) for x in (a, b) for key in common):
        raise ValueError("scores must be finite numbers: leave out the runs that failed")
    if not widening >= 0:
        raise ValueError(f"widening must be n_test / n_train, not {widening}")
    # .72 - .71 and .52 - .51 differ in the 17th digit: without rounding, equal differences would not be ties.
    d = np.round(table({key: a[key] - b[key] for key in common}), 12)
    of_split = np.round(np.nanmean(d, axis=1), 12)
    n, mean = len(d), float(of_split.mean())
    by_split = tuple(zip(sorted({split for split, _ in common}), of_split.tolist(), strict=True))
    if n == 1 or np.nanmax(d) - np.nanmin(d) <= ROUNDING:
        return Paired(mean, None, None, n, len(common), widening=widening, by_split=by_split)
    found = {name: float(value) for name, value in components(d, widening).items()}
    within = found["within"] if len(common) > n else None
    parts = {"widening": widening, "by_split": by_split, "between": found["between"], "within": within}
    return by_t(mean, math.sqrt(found["variance"]), found["df"], n, len(common), Paired, **parts)


def by_t(value: float, error: float, df: float, n: int, runs: int, kind: type = Estimate, **more) -> Estimate:
    """An estimate whose interval and two-sided p-value come from the t distribution."""
    p = float(2 * stdtr(df, -abs(value) / error))
    return kind(value, interval(value, error, df, 0.95), p, n, runs, error, df, **more)


def interval(mean: float, error: float, df: float, level: float) -> tuple[float, float]:
    """The two-sided t interval of a mean with this standard error."""
    half = float(stdtrit(df, 0.5 + level / 2)) * error
    return mean - half, mean + half


def equivalent(test: Estimate, margin: float) -> bool | None:
    """Whether the two methods are the same for all that matters: the whole 90 % interval lies within ± margin.

    Two one-sided tests at 5 % each (Schuirmann 1987). margin: in the unit of the scores. None without an interval.
    """
    return None if test.ci90 is None else -margin <= test.ci90[0] and test.ci90[1] <= margin


def decides(test: Paired, difference: float = 0.01, level: float = 0.05) -> tuple[int | None, int | None] | None:
    """How many seeds on each of the same splits would find a true difference of this size in four of five studies?

    Returns (fewest, most); None in it means that no number up to MANY_SEEDS would. They are equal where both variances
    are known, which takes two seeds on some split. With one seed a split the spread may be all optimisation (fewest) or
    all data (most). None where nothing is known of the spread. level: of the two-sided test, after what Holm's
    correction leaves of it.
    """
    if test.between is None:
        return None
    known = [(test.between, test.within)] if test.within is not None else [(0.0, test.between), (test.between, 0.0)]
    needed = [_seeds(test, between, within, difference, level) for between, within in known]
    return needed[0], needed[-1]


def _seeds(test: Paired, between: float, within: float, difference: float, level: float) -> int | None:
    def power(seeds: int) -> float:
        return _power(test, between, within, seeds, difference, level)

    # Power grows with the number of seeds.
    fewest = bisect_left(range(MANY_SEEDS + 1), POWER, lo=1, key=power)
    return fewest if fewest <= MANY_SEEDS else None


def _power(test: Paired, between: float, within: float, seeds: int, difference: float, level: float) -> float:
    """Share of 4,000 studies, the same in every call, that find the difference if these are the true variances."""
    random, n, spare = np.random.default_rng(0), test.n, test.n * (seeds - 1)
    truth = between * (1 / n + test.widening) + within / (n * seeds)
    mean = difference + math.sqrt(truth) * random.normal(size=4000)
    spread = (between + within / seeds) * random.chisquare(n - 1, 4000) / (n - 1)
    of_seeds = within * random.chisquare(spare, 4000) / spare if spare else np.zeros(4000)
    _, variance, df = _error(spread, of_seeds, 1 / seeds, n, spare, test.widening)
    return float((np.abs(mean) > -stdtrit(df, level / 2) * np.sqrt(variance)).mean())


def holm(pvalues: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values for one family of tests, in the order given; valid under any dependence.

    Raises ValueError for a value outside [0, 1].
    """
    if not all(0 <= p <= 1 for p in pvalues):
        raise ValueError(f"p-values must lie in [0, 1], not {list(pvalues)}")
    order = np.argsort(pvalues, kind="stable")
    multiplied = np.arange(len(pvalues), 0, -1) * np.array(pvalues, dtype=float)[order]
    adjusted = np.empty(len(pvalues))
    # The running maximum keeps the adjusted values in the order of the raw ones.
    adjusted[order] = np.minimum(np.maximum.accumulate(multiplied), 1.0)
    return adjusted.tolist()
