"""The paired tests against numbers worked out by hand (the arithmetic stands beside each) and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from lcm.evidence.contrasts import average, mean_difference, std_ratio
from lcm.evidence.statistics import components, decides, equivalent, holm, paired, widening

W = 0.3 / 0.7


def of(*splits):
    """Each argument: the scores of one split, a number or a list over seeds."""
    rows = [split if isinstance(split, (list, tuple)) else [split] for split in splits]
    return {(s, k): value for s, row in enumerate(rows) for k, value in enumerate(row)}


def against_zero(*splits, w=W):
    scores = of(*splits)
    return paired(scores, dict.fromkeys(scores, 0.0), w)


# --------------------------------------------------------------------------------------------------- one seed a split


def test_three_splits_by_hand():
    # d = 1, 2, 3: mean 2, variance ((-1)^2 + 0 + 1^2) / 2 = 1. Shares .3 / .7: factor 1/3 + 3/7 = 16/21.
    # Corrected t = 2 / sqrt(16/21) = sqrt(5.25). With 2 degrees of freedom p has a closed form: 1 - t / sqrt(t^2 + 2).
    test = against_zero(1.0, 2.0, 3.0)
    assert (test.n, test.runs, test.value) == (3, 3, 2.0)
    assert (test.between, test.within, test.df) == (1.0, None, 2)
    assert test.p == pytest.approx(1 - math.sqrt(5.25 / 7.25))  # .1490
    # Half width = quantile * sqrt(16/21) = quantile * .872872; t quantiles with 2 df from a printed table: 4.303 and
    # 2.920.
    assert test.ci95 == pytest.approx((2 - 4.302653 * 0.872872, 2 + 4.302653 * 0.872872), abs=1e-5)
    assert test.ci90 == pytest.approx((2 - 2.919986 * 0.872872, 2 + 2.919986 * 0.872872), abs=1e-5)
    assert test.by_split == ((0, 1.0), (1, 2.0), (2, 3.0))


def test_ten_splits_by_hand():
    # d = 1..10: mean 5.5, squares of the deviations 2 * (.25 + 2.25 + 6.25 + 12.25 + 20.25) = 82.5, variance 82.5 / 9.
    # Factor .1 + .428571 = .528571; standard error sqrt(.528571 * 9.166667) = sqrt(4.845238) = 2.201190.
    test = against_zero(*(float(k) for k in range(1, 11)))
    assert test.error == pytest.approx(2.201190, abs=1e-6)
    assert test.ci95 == pytest.approx((5.5 - 2.262157 * 2.201190, 5.5 + 2.262157 * 2.201190), abs=1e-4)
    assert test.ci90 == pytest.approx((5.5 - 1.833113 * 2.201190, 5.5 + 1.833113 * 2.201190), abs=1e-4)
    # t = 5.5 / 2.201190 = 2.49864, between the tabled 2.262 (p = .05) and 2.821 (p = .02).
    assert 0.02 < test.p < 0.05


def test_correction_shrinks_t_by_0435_at_ten_splits_of_70_30():
    # sqrt(.1 / .528571) = .43496: a plain t of 4.21 is needed for a corrected p of .1.
    d = [0.01 * k for k in (1, -2, 3, 4, 2, 5, -1, 2, 3, 1)]
    test = against_zero(*d)

    def t_of(p):
        return stats.t.isf(p / 2, 9)

    assert t_of(test.p) / stats.ttest_1samp(d, 0.0).statistic == pytest.approx(0.43496, abs=1e-5)


def test_sign_and_counts_follow_a_minus_b():
    test = paired(of(0.5, 0.7, 0.6), of(0.6, 0.7, 0.8), W)
    assert test.value == pytest.approx(-0.1)
    assert [value for _, value in test.by_split] == pytest.approx([-0.1, 0.0, -0.2])
    assert test.ci95[0] < test.ci90[0] < test.value < test.ci90[1] < test.ci95[1]


def test_rounding_noise_is_a_tie_and_equal_differences_have_no_spread():
    test = paired(of(0.3, 0.72, 0.52), of(0.1 + 0.2, 0.72, 0.52), W)
    assert test.by_split == ((0, 0.0), (1, 0.0), (2, 0.0))
    test = paired(of(0.72, 0.52, 0.33), of(0.71, 0.51, 0.32), W)
    assert (test.error, test.p, test.ci95, test.ci90) == (None,) * 4
    assert equivalent(test, 0.5) is None and decides(test) is None


def test_one_split_has_no_spread_and_no_interval():
    test = paired(of([0.7, 0.72]), of([0.6, 0.6]), W)
    assert test.value == pytest.approx(0.11)
    assert (test.n, test.runs) == (1, 2)
    assert [test.error, test.ci90, test.ci95, test.p] == [None] * 4
    assert decides(test) is None


@pytest.mark.parametrize(
    ("a", "b", "w"),
    [
        (of(0.1, math.nan), of(0.1, 0.2), W),
        (of(0.1, 0.2), of(math.inf, 0.2), W),
        ({}, {}, W),
        ({(0, 0): 0.1}, {(0, 1): 0.1}, W),  # nothing in common
        (of(0.1), of(0.1), -0.1),
        (of(0.1), of(0.1), math.nan),
    ],
)
def test_bad_input_is_refused(a, b, w):
    with pytest.raises(ValueError):
        paired(a, b, w)


def test_widening_is_the_drawn_part_over_the_training_part():
    sizes = {"train": 60, "val": 10, "test": 30}
    assert (widening(sizes), widening(sizes, "val")) == (0.5, 1 / 6)
    assert widening(sizes, official=True) == 1 / 6  # MNIST: only the validation part is drawn anew
    with pytest.raises(ValueError):
        widening({"train": 0, "val": 1, "test": 1})


# ---------------------------------------------------------------------------------------------- several seeds a split


def test_two_seeds_by_hand():
    # Splits 1, 3 | 4, 6 | 6, 10: means 2, 5, 8, grand mean 5, variance of the means 9.
    # Within: (1 + 1) + (1 + 1) + (4 + 4) = 12 over 3 degrees of freedom: var_e = 4, of a mean of two 2. var_a = 9 - 2 =
    # 7. Variance 7 (1/3 + 1/2) + 4 / 6 = 6.5. Satterthwaite gives 42.25 / (28.125 + .3333) = 1.48463
    # degrees of freedom; 2 is the least.
    test = against_zero([1.0, 3.0], [4.0, 6.0], [6.0, 10.0], w=0.5)
    assert (test.n, test.runs, test.value) == (3, 6, 5.0)
    assert (test.between, test.within) == pytest.approx((7.0, 4.0))
    assert test.error == pytest.approx(math.sqrt(6.5))
    assert test.df == 2
    assert test.p == pytest.approx(2 * stats.t.sf(5 / math.sqrt(6.5), 2))
    assert test.ci95[1] == pytest.approx(5 + 4.302653 * math.sqrt(6.5))


def test_satterthwaite_by_hand():
    # Five splits of seeds m - 1, m + 1 with m = 0, 4, 8, 12, 16: variance of the means 40, var_e = 10 / 5 = 2, of a
    # mean of two 1, var_a = 39. Variance 39 (1/5 + 1/2) + 1 / 5 = 27.5, from 28 with 4 degrees of freedom and .5 with
    # 5.
    test = against_zero(*([m - 1.0, m + 1.0] for m in (0, 4, 8, 12, 16)), w=0.5)
    assert test.error == pytest.approx(math.sqrt(27.5))
    assert test.df == pytest.approx(27.5**2 / (28**2 / 4 + 0.5**2 / 5))  # 3.857


def test_a_negative_component_is_zero():
    # Splits 1, 9 | 2, 10 | 3, 8: means 5, 6, 5.5, variance .25; var_e = (32 + 32 + 12.5) / 3 = 25.5, half of it far
    # above .25.
    test = against_zero([1.0, 9.0], [2.0, 10.0], [3.0, 8.0], w=0.5)
    assert (test.between, test.within) == pytest.approx((0.0, 25.5))
    assert test.error == pytest.approx(math.sqrt(25.5 / 6))
    assert test.df == 2  # 3 within splits, but never more than S - 1


def test_unequal_numbers_of_seeds_count_each_split_once():
    # Splits 1, 3 | 4 | 9: means 2, 4, 9, mean 5, variance 13; var_e = 2 with one degree of freedom; mean of 1/K = (.5 +
    # 1 + 1) / 3.
    test = against_zero([1.0, 3.0], 4.0, 9.0, w=0.5)
    assert (test.value, test.runs, test.within) == (5.0, 4, 2.0)
    noise = 2 * 2.5 / 3
    assert test.between == pytest.approx(13 - noise)
    assert test.error == pytest.approx(math.sqrt((13 - noise) * (1 / 3 + 0.5) + noise / 3))
    # Seeds that only one of the two has are left out, whatever their numbers.
    a, b = (
        {(0, 0): 1.0, (0, 1): 3.0, (0, 2): 99.0, (1, 0): 4.0, (2, 5): 9.0},
        {(0, 0): 0.0, (0, 1): 0.0, (1, 0): 0.0, (2, 5): 0.0, (3, 0): 7.0},
    )
    assert paired(a, b, 0.5) == test


def test_runs_of_a_split_are_paired_by_seed():
    # The seeds of one split go up and down together: what is left is a difference of exactly 1 on each.
    test = paired(of([5.0, 1.0], [3.0, 8.0]), of([4.0, 0.0], [2.0, 7.0]), 0.5)
    assert (test.value, test.error, test.p) == (1.0, None, None)


def draws(n, splits, seeds, between, within, difference=0.0, w=0.5, random=None):
    """Differences (n, splits, seeds) whose split effects are correlated as the correction assumes; sample variance
    `between` squared."""
    random = random or np.random.default_rng(0)
    of_split = between * (math.sqrt(w) * random.normal(size=(n, 1)) + random.normal(size=(n, splits)))
    return difference + of_split[..., None] + within * random.normal(size=(n, splits, seeds))


def found(differences, w=0.5, corrected=True):
    """Share of the studies (n, S, K) that find something at 5 %; today's test sees seed 0 alone."""
    result = components(differences if corrected else differences[..., :1], w)
    p = 2 * stats.t.sf(np.abs(result["mean"]) / np.sqrt(result["variance"]), result["df"])
    return (p < 0.05).mean()


# Points: an LSTM's runs of one split differ by about 1.4; between splits 0 to 0.8 of a paired difference.
@pytest.mark.parametrize("splits", [3, 5, 10])
@pytest.mark.parametrize(("between", "within"), [(0.8, 1.4), (0.4, 1.4), (0.0, 1.4), (0.8, 0.0), (2.0, 0.5)])
def test_false_positives_stay_below_6_5_percent(splits, between, within):
    for seeds in (1, 2, 3, 5):
        assert found(draws(20_000, splits, seeds, between, within)) <= 0.065
    unequal = draws(20_000, splits, 3, between, within)
    unequal[:, : splits // 2, 1:] = np.nan
    assert found(unequal) <= 0.065


def test_seeds_find_what_the_old_test_does_not():
    for between, least in ((0.0, 0.35), (0.4, 0.25), (0.8, 0.12)):
        differences = draws(20_000, 10, 3, between, 1.4, difference=1.0)
        new, old = found(differences), found(differences, corrected=False)
        assert old < 0.06 and new > least and new > 3 * old
    # Where all is data, seeds are worth nothing, and both find the same.
    differences = draws(20_000, 10, 3, 0.8, 0.0, difference=1.0)
    assert found(differences) == pytest.approx(found(differences, corrected=False), abs=0.01)


@pytest.mark.parametrize("between, within", [(0.8, 1.4), (0.0, 1.4), (0.8, 0.0)])
def test_the_mean_over_settings_keeps_its_size_and_finds_more(between, within):
    """Three settings of one corpus, whose split effects are half shared, one of another corpus; three seeds a split."""
    random, n, found = np.random.default_rng(1), 400, {0.0: [], 1.0: []}
    shared = draws(n, 10, 1, between * math.sqrt(0.5), 0.0, random=random)
    own = [draws(n, 10, 3, between * math.sqrt(0.5), within, random=random) for _ in range(3)]
    settings = [*(shared + each for each in own), draws(n, 10, 3, between, within, random=random)]
    for difference, decided in found.items():
        for study in range(n):
            tests = [against_zero(*(each[study] + difference).tolist(), w=0.5) for each in settings]
            decided.append((average({"a": tests[:3], "b": tests[3:]}).p < 0.05, tests[0].p < 0.05))
    false, true = (np.mean(decided, 0) for decided in found.values())
    assert false[0] <= 0.065 and true[0] > true[1] + 0.1


@pytest.mark.parametrize("between, within", [(0.8, 1.4), (0.8, 0.0)])
def test_parts_of_one_collection_count_as_if_their_data_moved_together(between, within):
    """Four corpora cut out of the same documents, splits drawn apart: what these documents favour is in all of them."""
    random, n, widening = np.random.default_rng(2), 400, 0.5
    shared = between * math.sqrt(widening) * random.normal(size=(n, 1, 1))  # the overlap, in full
    corpora = [
        shared + between * random.normal(size=(n, 10, 1)) + within * random.normal(size=(n, 10, 3)) for _ in range(4)
    ]
    one, apart = dict.fromkeys("abcd", "20ng"), None
    found = {"one": [], "apart": []}
    for study in range(n):
        groups = {name: [against_zero(*c[study].tolist(), w=widening)] for name, c in zip("abcd", corpora, strict=True)}
        for name, collections in (("one", one), ("apart", apart)):
            found[name].append(average(groups, collections).p < 0.05)
    assert np.mean(found["one"]) <= 0.065 < 0.12 < np.mean(found["apart"])


def test_degrees_of_freedom_in_one_collection_are_weighted_by_error():
    a = against_zero(*np.random.default_rng(0).normal(size=10).tolist())  # df 9, two settings
    b = against_zero(*(5 * np.random.default_rng(1).normal(size=4)).tolist())  # df 3, one
    found = average({"a": [a, a], "b": [b]}, dict.fromkeys("ab", "20ng"))
    errors = 2 / 3 * a.error, b.error / 3
    assert found.error == pytest.approx(sum(errors))
    assert found.df == pytest.approx((9 * errors[0] + 3 * errors[1]) / sum(errors))


def test_optimisation_noise_is_independent_in_parts_of_one_collection():
    scores = np.random.default_rng(0).normal(size=(10, 3))
    scores -= scores.mean(1, keepdims=True)  # no spread between splits: all is optimisation
    test = against_zero(*scores.tolist(), w=0.5)
    groups = {name: [test] for name in "abcd"}
    assert average(groups, dict.fromkeys("abcd", "20ng")).error == pytest.approx(test.error / 2)
    assert average(groups).error == pytest.approx(test.error / 2)
    data = against_zero(*scores[:, :1].tolist(), w=0.5)  # one seed: all may be data
    groups = {name: [data] for name in "abcd"}
    assert average(groups, dict.fromkeys("abcd", "20ng")).error == pytest.approx(data.error)
    assert average(groups).error == pytest.approx(data.error / 2)


def test_optimisation_noise_of_several_settings_of_one_corpus_is_that_of_their_mean():
    random = np.random.default_rng(0)
    scores = random.normal(size=(10, 1)) + random.normal(size=(10, 3))
    test = against_zero(*scores.tolist(), w=0.5)
    data = scores.mean(1).var(ddof=1) * (1 / 10 + 0.5)  # of the mean of two such settings: all spread between splits
    noise = test.within / 30 / 2  # two settings of thirty runs each
    a, b = 2 / 3 * math.sqrt(data - noise), math.sqrt(test.error**2 - test.within / 30) / 3
    expected = (a + b) ** 2 + (2 / 3) ** 2 * noise + test.within / 30 / 9
    found = average({"a": [test, test], "b": [test]}, dict.fromkeys("ab", "20ng"))
    assert found.error == pytest.approx(math.sqrt(expected))


def test_a_mean_over_corpora_has_the_splits_of_the_smaller_and_the_runs_of_both():
    small, large = against_zero(1.0, 2.0, 4.0), against_zero(*np.random.default_rng(0).normal(size=10).tolist())
    assert [(found.n, found.runs) for found in (average({"a": [small], "b": [large]}),)] == [(3, 13)]


def test_one_split_with_two_seeds_leaves_one_degree_of_freedom_to_what_seeds_do():
    test = against_zero([1.0, -1.0], [0.1], [-0.1], [0.0], [0.0], w=0.5)
    # within 2 of one difference of seeds; 1/K on average .9; the spread of the means, .005, is less than 1.8
    assert (test.between, test.within, test.df) == (0, 2, 2)  # 1, but never below 2; splits would give 4
    assert test.error == pytest.approx(math.sqrt(2 * 0.9 / 5))


def test_a_setting_without_any_difference_has_no_error():
    """Two methods that agree on every split, as cross-entropy and a strength of 0, still count with their 0."""
    d, same, constant = against_zero(1, 2, 3), against_zero(0, 0, 0), against_zero(1, 1, 1)
    found = average({"a": [d], "b": [same]})
    assert (found.value, found.error, found.df) == (1.0, pytest.approx(d.error / 2), pytest.approx(d.df))
    assert average({"a": [d], "b": [same]}, dict.fromkeys("ab", "20ng")).error == pytest.approx(d.error / 2)
    assert average({}) is None
    assert average({"a": [same], "b": [same]}) is None  # nothing that a test could use
    assert average({"a": [d], "b": [constant]}) is None  # a difference on three splits is no certainty


def test_estimates_are_right_on_average():
    result = components(draws(20_000, 10, 3, 1.0, 2.0), 0.5)
    assert result["within"].mean() == pytest.approx(4.0, rel=0.02)
    assert (result["spread"] - result["within"] / 3).mean() == pytest.approx(1.0, rel=0.03)


def test_decides_names_the_seeds_that_find_one_point():
    # All of the spread is optimisation, 1.4 points a run as an LSTM's: seeds are all that it takes.
    test = against_zero(*[[-0.014, 0.014]] * 5 + [[0.0, 0.0]] * 5, w=0.5)
    assert (test.between, test.within) == (0, pytest.approx(1.96e-4))
    (seeds, most), (for_two, _) = decides(test, 0.01), decides(test, 0.02)
    assert seeds == most and 1 < for_two < seeds / 2.5 and decides(test, 0.01, level=0.03)[0] > seeds
    # A true difference of one point: four of five studies with that many seeds find it, fewer seeds do not do.
    assert found(draws(20_000, 10, seeds, 0.0, 1.4, difference=1.0)) >= 0.79
    assert found(draws(20_000, 10, seeds - 1, 0.0, 1.4, difference=1.0)) < 0.81
    # All of it is data: the error is sqrt(.6) times the spread, whatever the seeds.
    by_data = [0.0, 0.02] * 5
    assert decides(against_zero(*([d, d + 1e-9] for d in by_data)), 0.01) == (None, None)
    # One seed a split: some number, if all is optimisation, and none, if all is data.
    fewest, most = decides(against_zero(*by_data), 0.01)
    assert 1 < fewest < seeds and most is None
    # A spread that is nothing beside the difference needs no second seed either way.
    assert decides(against_zero(*(d / 100 for d in by_data)), 0.01) == (1, 1)


def test_equivalent_means_the_whole_90_percent_interval_is_inside():
    # d = .001 * (1, 2, 3): by the first test 90 % half width 2.919986 * .872872 * .001 = .0025488, interval -.00055 to
    # .00455.
    test = paired(of(0.701, 0.702, 0.703), of(0.7, 0.7, 0.7), W)
    assert test.ci90 == pytest.approx((-0.0005488, 0.0045488), abs=1e-6)
    assert equivalent(test, 0.0046) is True and equivalent(test, 0.0045) is False
    # the 95 % interval reaches .00576: a margin of half a point would be missed by it
    assert test.ci95[1] > 0.005 and equivalent(test, 0.005) is True
    assert (
        equivalent(paired(of(0.7, 0.701, 0.699), of(0.703, 0.705, 0.704), W), 0.005) is False
    )  # mean -.0043, all negative
    assert equivalent(paired(of(0.7), of(0.7), W), 0.005) is None


def test_holm_by_hand():
    # Sorted .01, .02, .03, .04 times 4, 3, 2, 1 = .04, .06, .06, .04; running maximum .04, .06, .06, .06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]  # 1.2 is cut at 1
    assert holm([]) == []
    with pytest.raises(ValueError):
        holm([0.2, math.nan])


# ---------------------------------------------------------------------------------------------------------- contrasts


def test_std_ratio_is_pitman_and_morgan():
    random = np.random.RandomState(0)
    a, b = random.normal(0, 1, 10), random.normal(0, 2, 10)
    b = b + 0.5 * a
    ratio = std_ratio(of(*a), of(*b))
    assert ratio.value == pytest.approx(a.std(ddof=1) / b.std(ddof=1))
    assert ratio.p == pytest.approx(stats.pearsonr(a + b, a - b).pvalue)
    assert (ratio.n, ratio.runs) == (10, 10)
    for bound in ratio.ci95:  # scaled by its own bound, b is just as different as 5 % allow
        assert stats.pearsonr(a + bound * b, a - bound * b).pvalue == pytest.approx(0.05)
    assert std_ratio(of(1.0, 1.0, 1.0), of(1.0, 2.0, 3.0)) is None and std_ratio(of(1.0, 2.0), of(2.0, 1.0)) is None


def test_std_ratio_counts_seeds_for_what_they_are_worth():
    random = np.random.RandomState(1)
    noise = [random.normal(size=(10, 3)) for _ in range(2)]
    # Seeds that share nothing within a split: thirty runs nearly as good as thirty splits.
    free = std_ratio(of(*map(list, noise[0])), of(*map(list, 2 * noise[1])))
    as_splits = std_ratio(of(*noise[0].ravel()), of(*2 * noise[1].ravel()))
    assert free.value == as_splits.value and free.p == pytest.approx(as_splits.p, rel=0.9) and free.p < 0.01
    # Three copies of each split: no more than ten splits.
    copies = [[[x] * 3 for x in side[:, 0]] for side in noise]
    assert std_ratio(*(of(*side) for side in copies)).p == pytest.approx(
        std_ratio(*(of(*side[:, 0]) for side in noise)).p, rel=0.1
    )


def test_mean_difference_is_welch_and_wider():
    a, b = [0.3, 0.5, 0.45, 0.2], [0.1, 0.15, 0.05]
    plain = stats.ttest_ind(a, b, equal_var=False)
    assert mean_difference(of(*a), of(*b), 0, 0).p == pytest.approx(plain.pvalue)
    assert mean_difference(of(*a), of(*b), 0, 0).ci95 == pytest.approx(
        (plain.confidence_interval().low, plain.confidence_interval().high)
    )
    assert mean_difference(of(*a), of(*b), 0.5, 0.5).p > plain.pvalue
    assert mean_difference(of(0.1), of(*b), 0.5, 0.5) is None and mean_difference({}, of(*b), 0.5, 0.5) is None
    assert mean_difference(of(0.1, 0.1), of(0.2, 0.2), 0.5, 0.5).ci95 is None


def test_mean_difference_widens_each_side_by_its_own_ratio():
    # Sides 1, 2, 3 (variance 1) and 0, 4 (variance 8): 1 (1/3 + .2) + 8 (1/2 + .9) = .53333 + 11.2.
    contrast = mean_difference(of(1.0, 2.0, 3.0), of(0.0, 4.0), 0.2, 0.9)
    variance = 8 / 15 + 11.2
    df = variance**2 / ((8 / 15) ** 2 / 2 + 11.2**2)
    assert contrast.ci95[1] - contrast.value == pytest.approx(stats.t.ppf(0.975, df) * math.sqrt(variance))
    # With seeds each side has its own components: 2, 5, 8 with var_a 7, var_e 4 as above.
    with_seeds = mean_difference(of([1.0, 3.0], [4.0, 6.0], [6.0, 10.0]), of(0.0, 4.0), 0.5, 0.9)
    variance = 6.5 + 11.2
    df = variance**2 / (6.5**2 / 2 + 11.2**2)
    assert with_seeds.ci95[1] - with_seeds.value == pytest.approx(stats.t.ppf(0.975, df) * math.sqrt(variance))


def test_differences_that_are_equal_but_for_the_records_digits_decide_nothing():
    """69 / 90 - 66 / 90 and 63 / 90 - 60 / 90, each rounded to six digits."""
    test = paired({(0, 0): 0.733333, (1, 0): 0.666667}, {(0, 0): 0.766667, (1, 0): 0.7}, 0.5)
    assert test.p is None and test.ci95 is None and test.value == pytest.approx(-1 / 30, abs=1e-6)
