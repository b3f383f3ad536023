"""Is one method better than another? Paired tests over the random splits of one corpus.

Random splits overlap: with 70 % training data any two training sets share about 70 % of their items, so the per-split
differences are correlated and the plain paired t-test finds effects that are not there. The Nadeau-Bengio corrected
resampled t-test widens the variance of the mean from 1/J to 1/J + n_test/n_train and is the one that decides here; the plain
t-test (the paper's) and Wilcoxon's signed-rank test stand beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Paired:
    """Paired differences a - b over n splits, in the unit of the inputs.

    `std` is the sample standard deviation of the differences (ddof = 1). `ci90`, `ci95` and `p_corrected` come from the
    corrected resampled t-test, `p_plain` from the plain paired t-test, `p_wilcoxon` from the signed-rank test; all
    two-sided. With n = 1 nothing is known about the spread: `std`, both intervals and all p-values are None. Where every
    split has the same difference (accuracies are counts: a few splits can agree by chance) `std` is 0, and an interval
    of no width or a p-value of 0 or 1 would claim to know what the t-tests cannot: theirs are None too.
    `wins`, `ties`, `losses` count the splits on which a is above, equal to or below b.
    """

    n: int
    mean: float
    std: float | None
    ci90: tuple[float, float] | None
    ci95: tuple[float, float] | None
    p_corrected: float | None
    p_plain: float | None
    p_wilcoxon: float | None
    wins: int
    ties: int
    losses: int


def paired(a: Sequence[float], b: Sequence[float], test_share: float, train_share: float) -> Paired:
    """Compare two methods on the same splits.

    a, b: one score per split, shape (n,), same order of splits. test_share, train_share: size of one test and one training
    set, as shares or as counts (only their ratio is used).
    Raises ValueError for unequal lengths, no splits at all, values that are not finite, or shares that are not positive.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or a.size == 0:
        raise ValueError(f"paired scores must be two equally long, non-empty lists, not shapes {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("paired scores must be finite numbers: leave out the splits on which a run failed")
    if not (test_share > 0 and train_share > 0):
        raise ValueError(f"test and training share must be positive, not {test_share} and {train_share}")
    # .72 - .71 and .52 - .51 differ in the 17th digit: without rounding, equal differences would not be ties.
    d = np.round(a - b, 12)
    n, mean = d.size, float(d.mean())
    wins, ties, losses = int((d > 0).sum()), int((d == 0).sum()), int((d < 0).sum())
    if n == 1:
        return Paired(n, mean, None, None, None, None, None, None, wins, ties, losses)

    p_wilcoxon = float(stats.wilcoxon(d).pvalue) if wins + losses else 1.0
    if np.ptp(d) == 0:
        return Paired(n, mean, 0.0, None, None, None, None, p_wilcoxon, wins, ties, losses)
    std = float(d.std(ddof=1))
    error = std * math.sqrt(1 / n + test_share / train_share)

    def interval(level: float) -> tuple[float, float]:
        half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * error
        return mean - half, mean + half

    return Paired(
        n=n, mean=mean, std=std, ci90=interval(0.90), ci95=interval(0.95),
        p_corrected=_p_of_t(mean, error, n - 1), p_plain=_p_of_t(mean, std / math.sqrt(n), n - 1),
        p_wilcoxon=p_wilcoxon, wins=wins, ties=ties, losses=losses,
    )  # fmt: skip


def equivalent(test: Paired, margin: float) -> bool | None:
    """Whether the two methods are the same for all that matters: the whole 90 % interval lies within ± margin.

    Two one-sided tests at 5 % each (Schuirmann 1987). margin: in the unit of the scores. None without an interval.
    """
    return None if test.ci90 is None else -margin <= test.ci90[0] and test.ci90[1] <= margin


def _p_of_t(mean: float, error: float, df: int) -> float:
    return float(2 * stats.t.sf(abs(mean) / error, df))


def holm(pvalues: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values for one family of tests, in the order given; valid under any dependence.

    Raises ValueError for a value outside [0, 1].
    """
    if not all(0 <= p <= 1 for p in pvalues):
        raise ValueError(f"p-values must lie in [0, 1], not {list(pvalues)}")
    adjusted, running = [0.0] * len(pvalues), 0.0
    for rank, index in enumerate(sorted(range(len(pvalues)), key=lambda i: pvalues[i])):
        # The running maximum keeps the adjusted values in the order of the raw ones.
        running = max(running, min(1.0, (len(pvalues) - rank) * pvalues[index]))
        adjusted[index] = running
    return adjusted
