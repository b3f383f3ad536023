"""The paired tests against numbers worked out by hand (the arithmetic stands beside each)."""

import math

import pytest
from scipy import stats

from lcm.evidence.statistics import equivalent, holm, paired

ZEROS_3, ONE_TO_THREE = [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]


def test_three_splits_by_hand():
    # d = 1, 2, 3: mean 2, variance ((-1)^2 + 0 + 1^2) / 2 = 1. Shares .3 / .7: factor 1/3 + 3/7 = 16/21.
    # Corrected t = 2 / sqrt(16/21) = sqrt(5.25). With 2 degrees of freedom p has a closed form: 1 - t / sqrt(t^2 + 2).
    test = paired(ONE_TO_THREE, ZEROS_3, test_share=0.3, train_share=0.7)
    assert (test.n, test.mean, test.std) == (3, 2.0, 1.0)
    assert test.p_corrected == pytest.approx(1 - math.sqrt(5.25 / 7.25))  # .1490
    # Plain t = 2 / sqrt(1/3) = sqrt(12).
    assert test.p_plain == pytest.approx(1 - math.sqrt(12 / 14))  # .0742
    # Half width = quantile * sqrt(16/21) = quantile * .872872; t quantiles with 2 df from a printed table: 4.303 and 2.920.
    assert test.ci95 == pytest.approx((2 - 4.302653 * 0.872872, 2 + 4.302653 * 0.872872), abs=1e-5)
    assert test.ci90 == pytest.approx((2 - 2.919986 * 0.872872, 2 + 2.919986 * 0.872872), abs=1e-5)
    # All three positive: two of the 2^3 sign patterns are as extreme, 2/8.
    assert test.p_wilcoxon == pytest.approx(0.25)
    assert (test.wins, test.ties, test.losses) == (3, 0, 0)


def test_ten_splits_by_hand():
    # d = 1..10: mean 5.5, squares of the deviations 2 * (.25 + 2.25 + 6.25 + 12.25 + 20.25) = 82.5, variance 82.5 / 9.
    # Factor .1 + .428571 = .528571; standard error sqrt(.528571 * 9.166667) = sqrt(4.845238) = 2.201190.
    test = paired([float(k) for k in range(1, 11)], [0.0] * 10, test_share=0.3, train_share=0.7)
    assert test.std == pytest.approx(3.027650, abs=1e-6)
    assert test.ci95 == pytest.approx((5.5 - 2.262157 * 2.201190, 5.5 + 2.262157 * 2.201190), abs=1e-4)
    assert test.ci90 == pytest.approx((5.5 - 1.833113 * 2.201190, 5.5 + 1.833113 * 2.201190), abs=1e-4)
    # t = 5.5 / 2.201190 = 2.49864, between the tabled 2.262 (p = .05) and 2.821 (p = .02).
    assert 0.02 < test.p_corrected < 0.05
    assert test.p_wilcoxon == pytest.approx(2 / 1024)  # the floor at n = 10: .001953


def test_correction_shrinks_t_by_0435_at_ten_splits_of_70_30():
    # sqrt(.1 / .528571) = .43496: a plain t of 4.21 is needed for a corrected p of .1.
    d = [0.01 * k for k in (1, -2, 3, 4, 2, 5, -1, 2, 3, 1)]
    test = paired(d, [0.0] * 10, 30, 70)  # counts do as well as shares

    def t_of(p):
        return stats.t.isf(p / 2, 9)

    assert t_of(test.p_corrected) / t_of(test.p_plain) == pytest.approx(0.43496, abs=1e-5)


def test_sign_and_counts_follow_a_minus_b():
    test = paired([0.5, 0.7, 0.6], [0.6, 0.7, 0.8], 0.3, 0.7)
    assert test.mean == pytest.approx(-0.1)
    assert (test.wins, test.ties, test.losses) == (0, 1, 2)
    assert test.ci95[0] < test.ci90[0] < test.mean < test.ci90[1] < test.ci95[1]


def test_rounding_noise_is_a_tie_and_equal_differences_have_no_spread():
    test = paired([0.3, 0.72, 0.52], [0.1 + 0.2, 0.72, 0.52], 0.3, 0.7)
    assert (test.mean, test.ties, test.std) == (0.0, 3, 0.0)
    test = paired([0.72, 0.52, 0.33], [0.71, 0.51, 0.32], 0.3, 0.7)
    assert (test.std, test.p_corrected, test.p_plain, test.ci95, test.ci90) == (0.0, None, None, None, None)
    assert test.p_wilcoxon == 0.25  # of 2^3 signs two are as extreme
    assert equivalent(test, 0.5) is None


def test_all_differences_zero():
    test = paired([0.5] * 4, [0.5] * 4, 0.3, 0.7)
    assert (test.p_corrected, test.p_plain, test.p_wilcoxon) == (None, None, 1.0)
    assert (test.ci95, test.ties) == (None, 4)


def test_one_split_has_no_spread_and_no_interval():
    test = paired([0.7], [0.6], 0.3, 0.7)
    assert test.mean == pytest.approx(0.1)
    assert (test.n, test.wins) == (1, 1)
    assert [test.std, test.ci90, test.ci95, test.p_corrected, test.p_plain, test.p_wilcoxon] == [None] * 6


@pytest.mark.parametrize(
    ("a", "b", "shares"),
    [
        ([0.1, math.nan], [0.1, 0.2], (0.3, 0.7)),
        ([0.1, 0.2], [math.inf, 0.2], (0.3, 0.7)),
        ([0.1], [0.1, 0.2], (0.3, 0.7)),
        ([], [], (0.3, 0.7)),
        ([0.1], [0.1], (0.3, 0.0)),
        ([0.1], [0.1], (math.nan, 0.7)),
    ],
)
def test_bad_input_is_refused(a, b, shares):
    with pytest.raises(ValueError):
        paired(a, b, *shares)


def test_holm_by_hand():
    # Sorted .01, .02, .03, .04 times 4, 3, 2, 1 = .04, .06, .06, .04; running maximum .04, .06, .06, .06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]  # 1.2 is cut at 1
    assert holm([]) == []
    with pytest.raises(ValueError):
        holm([0.2, math.nan])


def test_equivalent_means_the_whole_90_percent_interval_is_inside():
    # d = .001 * (1, 2, 3): by the first test 90 % half width 2.919986 * .872872 * .001 = .0025488, interval -.00055 to .00455.
    test = paired([0.701, 0.702, 0.703], [0.7] * 3, test_share=0.3, train_share=0.7)
    assert test.ci90 == pytest.approx((-0.0005488, 0.0045488), abs=1e-6)
    assert equivalent(test, 0.0046) is True and equivalent(test, 0.0045) is False
    # the 95 % interval reaches .00576: a margin of half a point would be missed by it
    assert test.ci95[1] > 0.005 and equivalent(test, 0.005) is True
    assert equivalent(paired([0.7, 0.701, 0.699], [0.703, 0.705, 0.704], 0.3, 0.7), 0.005) is False  # mean -.0043, all negative
    assert equivalent(paired([0.7], [0.7], 0.3, 0.7), 0.005) is None
