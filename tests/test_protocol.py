"""Splits and label noise, by counting."""

import numpy as np
import pytest
from scipy.stats import chisquare

from lcm.errors import UserError
from lcm.params import Corpus, Noise
from lcm.protocol.noise import add_noise, given_labels, label_groups, labels_to_learn, transition
from lcm.protocol.splits import TEST, TRAIN, VAL, make_splits
from lcm.protocol.subsets import choose

# 20NG: class sizes of train + test, alphabetical
NAMES = """
alt.atheism comp.graphics comp.os.ms-windows.misc comp.sys.ibm.pc.hardware comp.sys.mac.hardware comp.windows.x
misc.forsale rec.autos rec.motorcycles rec.sport.baseball rec.sport.hockey sci.crypt sci.electronics sci.med sci.space
soc.religion.christian talk.politics.guns talk.politics.mideast talk.politics.misc talk.religion.misc
""".split()
SIZES = [799, 973, 985, 982, 963, 988, 975, 990, 996, 994, 999, 991, 984, 990, 987, 997, 910, 940, 775, 628]


@pytest.fixture
def labels():
    return np.random.default_rng(0).permutation(np.repeat(np.arange(20), SIZES))


@pytest.mark.parametrize("stratified", [False, True])
def test_splits_have_the_asked_sizes_are_reproducible_and_differ(labels, stratified):
    splits = make_splits(labels, 10, 0.30, 0.10, stratified)
    assert splits.shape == (10, 18846)
    tolerance = 10 if stratified else 0  # one rounding per class
    assert np.all(abs((splits == TEST).sum(1) - 5654) <= tolerance) and np.all(
        abs((splits == VAL).sum(1) - 1885) <= tolerance
    )
    assert np.all((splits == TRAIN) | (splits == VAL) | (splits == TEST))
    np.testing.assert_array_equal(splits, make_splits(labels, 10, 0.30, 0.10, stratified))
    np.testing.assert_array_equal(splits[:3], make_splits(labels, 3, 0.30, 0.10, stratified))
    overlap = ((splits[0] == TEST) & (splits[1] == TEST)).sum() / 5654
    assert 0.27 < overlap < 0.33  # independent draws share 30 % of the test set


def test_stratified_keeps_class_shares(labels):
    splits = make_splits(labels, 2, 0.30, 0.10, stratified=True)
    share = np.bincount(labels[splits[1] == TEST]) / np.array(SIZES)
    np.testing.assert_allclose(share, 0.30, atol=0.002)


def test_small_classes_are_named():
    with pytest.raises(UserError, match="class 'rare' has 2 samples.*at least 3"):
        make_splits(np.array([0] * 50 + [1] * 2), 3, 0.3, 0.1, names=["common", "rare"])
    with pytest.raises(UserError, match="no training sample of class 'rare'.*stratified"):
        make_splits(np.array([0] * 500 + [1] * 3), 50, 0.6, 0.2, names=["common", "rare"])
    splits = make_splits(np.array([0] * 500 + [1] * 3), 50, 0.3, 0.1, stratified=True)
    assert np.all([[(splits[:, 500:] == part).sum(1) == 1] for part in (TRAIN, VAL, TEST)])


@pytest.mark.parametrize("stratified", [False, True])
def test_an_official_test_part_is_the_test_part_of_every_split(stratified):
    labels = np.random.default_rng(0).integers(0, 10, 7000)
    official = np.arange(7000) >= 6000
    splits = make_splits(labels, 3, 0.30, 0.10, stratified, official_test=official)
    assert np.all((splits == TEST) == official)
    assert np.all(abs((splits == VAL).sum(1) - 700) <= 10)
    assert np.any(splits[0] != splits[1])


def test_an_official_validation_part_too():
    labels = np.random.default_rng(0).integers(0, 5, 1000)
    test, val = np.arange(1000) >= 900, np.arange(1000) < 50
    splits = make_splits(labels, 2, 0.30, 0.10, official_test=test, official_val=val)
    assert np.all((splits == TEST) == test) and np.all((splits == VAL) == val)
    splits = make_splits(labels, 2, 0.30, 0.10, official_val=val)
    assert np.all((splits == VAL) == val) and np.all((splits == TEST).sum(1) == 300)


def test_choose_draws_by_seed_and_is_stable():
    labels = ["b"] * 50 + ["a"] * 5 + ["c"] * 45
    knobs = Corpus(labels=["a", "b"], per_label=20, subset=10, subset_seed=3)
    chosen = choose(labels, knobs)
    assert len(chosen) == 10 and np.all(np.diff(chosen) > 0) and not {labels[i] for i in chosen} - {"a", "b"}
    assert choose([labels[i] for i in chosen], knobs).tolist() == list(range(10))  # a second time changes nothing
    assert len(choose(labels, Corpus(per_label=20))) == 45 and len(choose(labels, Corpus())) == 100
    draws = [choose(labels, Corpus(subset=50, subset_seed=seed)).tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    hits = np.bincount(
        np.concatenate([choose(["x"] * 20, Corpus(subset=10, subset_seed=seed)) for seed in range(400)]), minlength=20
    )
    assert chisquare(hits).pvalue > 1e-4  # every sample is as likely as every other


def test_samples_drawn_per_label_stand_in_their_old_order():
    chosen = choose(["x", "y"] * 20, Corpus(per_label=5))
    assert len(chosen) == 10 and np.all(np.diff(chosen) > 0)


def test_a_class_that_only_validation_has_is_refused():
    labels = np.zeros(60, int)
    order = np.random.RandomState(0).permutation(60)  # of split 0: 18 for the test, then 6 for validation
    labels[order[[16, 17, 18]]] = 1  # two in the test part, one in validation
    with pytest.raises(UserError, match="split 0 has no training sample of class '1'"):
        make_splits(labels, 1, 0.30, 0.10)


def test_per_label_draws_each_sample_of_a_label_alike():
    labels = ["x", "y"] * 20
    draws = [choose(labels, Corpus(per_label=5, subset_seed=seed)) for seed in range(400)]
    for label in (0, 1):  # the even samples are of x, the odd ones of y
        hits = np.bincount(np.concatenate(draws), minlength=40)[label::2]
        assert hits.sum() == 400 * 5 and chisquare(hits).pvalue > 1e-4
    assert draws[0].tolist() != draws[1].tolist()
    assert draws[0].tolist() == choose(labels, Corpus(per_label=5)).tolist()


def test_groups_of_20ng():
    groups = label_groups(NAMES, ["comp", "rec", "talk"])
    assert [len(group) for group in groups] == [5, 4, 4]
    assert [len(group) for group in label_groups(NAMES)] == [5, 4, 4, 4]  # sci too; alt, misc, soc are alone
    with pytest.raises(UserError, match="'soc' is no group"):
        label_groups(NAMES, ["soc"])


@pytest.mark.parametrize("rate,within", [(0.06, 0.0933), (0.12, 0.1865), (0.30, 0.4664)])
def test_asym_noise_meets_the_overall_rate_inside_the_groups_only(labels, rate, within):
    where = np.random.default_rng(1).random(len(labels)) < 0.6
    groups = label_groups(NAMES, ["comp", "rec", "talk"])
    noisy = add_noise(labels, where, groups, rate, seed=5)
    wrong = noisy != labels
    assert wrong[where].mean() == pytest.approx(rate, abs=1.5 / where.sum())
    assert not wrong[~where].any()
    assert not wrong[~np.isin(labels, np.concatenate(groups))].any()
    for group in groups:
        members = where & np.isin(labels, group)
        assert set(noisy[members]) <= set(group)  # never into another group
        assert wrong[members].mean() == pytest.approx(within, abs=0.006)
        for true in group:  # uniform over the other labels of the group
            others = [np.sum(noisy[members & (labels == true)] == other) for other in group if other != true]
            assert chisquare(others).pvalue > 1e-4
    np.testing.assert_array_equal(noisy, add_noise(labels, where, groups, rate, seed=5))
    assert np.any(noisy != add_noise(labels, where, groups, rate, seed=6))


def test_uniform_noise_gives_any_other_label_at_the_same_rate(labels):
    groups = label_groups(NAMES, ["comp", "rec", "talk"])
    splits = make_splits(labels, 2, 0.30, 0.10)
    for split, learnt in zip(splits, labels_to_learn(labels, splits, groups, 0.3, noise(kind="uniform")), strict=True):
        training, wrong = split == TRAIN, learnt != labels
        assert wrong[training].mean() == pytest.approx(0.3, abs=1e-3) and not wrong[~training].any()
        for true in range(len(NAMES)):  # uniform over all other labels
            others = np.bincount(learnt[wrong & (labels == true)], minlength=len(NAMES))
            assert others[true] == 0 and chisquare(np.delete(others, true)).pvalue > 1e-4


def test_impossible_noise(labels):
    where = np.ones(len(labels), bool)
    with pytest.raises(UserError, match="70% is impossible: the groups hold only 64.3%"):
        add_noise(labels, where, label_groups(NAMES, ["comp", "rec", "talk"]), 0.70, seed=0)
    np.testing.assert_array_equal(add_noise(labels, where, [], 0, seed=0), labels)


def noise(**change) -> Noise:
    return Noise(**{"kind": "asym", "val": "clean", "seed": 0, "rates": {}, "groups": {}} | change)


@pytest.mark.parametrize("val", ["clean", "noisy"])
def test_labels_to_learn_are_wrong_in_training_and_in_validation_only_if_asked(labels, val):
    splits = make_splits(labels, 3, 0.30, 0.10)
    learnt = labels_to_learn(labels, splits, label_groups(NAMES), 0.30, noise(val=val))
    wrong = learnt != labels
    assert not wrong[splits == TEST].any() and wrong[splits == VAL].any() == (val == "noisy")
    hit = splits == TRAIN if val == "clean" else splits != TEST
    np.testing.assert_allclose((wrong & hit).sum(1) / hit.sum(1), 0.30, atol=1e-3)


def test_each_split_draws_its_own_noise_and_another_seed_another_one(labels):
    same = np.zeros((2, len(labels)), np.uint8)  # two splits with one and the same training part
    same[:, :5000] = TEST
    learnt = labels_to_learn(labels, same, label_groups(NAMES), 0.30, noise())
    assert ((learnt[0] != labels) & (learnt[1] != labels)).sum() < 0.7 * (learnt[0] != labels).sum()
    np.testing.assert_array_equal(learnt[1], labels_to_learn(labels, same, label_groups(NAMES), 0.30, noise(seed=1))[0])
    np.testing.assert_array_equal(labels_to_learn(labels, same, [], 0.0, noise()), [labels, labels])


@pytest.mark.parametrize("n", [800, 4000, 18846])
def test_a_split_and_its_wrong_labels_are_unrelated_though_their_seeds_are_equal(n):
    """Both read RandomState(k). Whether a training sample is hit has nothing to do with its place in split k's draw."""
    labels = np.random.RandomState(99).randint(20, size=n).astype(np.int16)
    found = []
    for k, split in enumerate(make_splits(labels, 10, 0.3, 0.1)):
        place, training = np.argsort(np.random.RandomState(k).permutation(n)), split == TRAIN
        hit = add_noise(labels, training, [np.arange(20)], 0.3, k) != labels
        found.append(np.corrcoef(place[training], hit[training])[0, 1] * training.sum() ** 0.5)
    assert max(map(abs, found)) < 3.5 and abs(sum(found)) < 3.5 * len(found) ** 0.5  # standard deviations


def test_given_labels_stand_where_noise_would():
    labels, given = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])
    splits = np.array([[TRAIN, VAL, TEST, TRAIN]], np.uint8)
    assert given_labels(labels, given, splits, noise()).tolist() == [[1, 0, 1, 0]]
    assert given_labels(labels, given, splits, noise(val="noisy")).tolist() == [[1, 1, 1, 0]]


def test_transition_by_hand():
    labels, learnt = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 1, 2, 1, 0])
    mask = np.array([True, True, True, True, True, False, False])
    assert transition(labels, learnt, mask, 4).tolist() == [
        [0.75, 0.25, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]
