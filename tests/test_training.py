"""What a method does to a run: it learns, it stops when it should, the test part chooses nothing."""

import numpy as np
import pytest
import runs

from lcm.models import Start
from lcm.protocol.splits import TEST, make_splits
from lcm.targets.ce import CrossEntropy
from lcm.training.run import RunData

MODEL = {"embedding": 8, "lr": 0.02, "batch_size": 16}


def run_data() -> RunData:
    """A split of `toy`, which can be learnt."""
    ids, _, labels = runs.toy()
    split = make_splits(labels, 1, 0.3, 0.1)[0]
    return RunData(ids.reshape(-1, 12), split, labels, labels, runs.N_LABELS, runs.GROUPS, Start())


def train(method, seed=0, model="lstm", data=None, **changes):
    return runs.train(model, [data or run_data()], method, [seed], **MODEL | changes)[0]


@pytest.mark.parametrize("model", ["lstm", "cnn", "bag"])
@pytest.mark.parametrize("method", runs.METHODS)
def test_every_method_learns_and_a_seed_fixes_every_bit(model, method):
    record = train(method, 1, model, epochs=10)
    assert record["test"]["accuracy"] > 0.8  # chance is 0.25
    assert train(method, 1, model, epochs=10) == record
    assert train(method, 2, model, epochs=10)["curve"] != record["curve"]


def test_methods_that_stop_at_once_are_cross_entropy_bit_for_bit():
    """All methods of a seed start from the same predictor and see the samples in the same order."""
    base = train("ce")
    for method in ("lcm.stop_epoch=0", "ls.epsilon=0.3,stop_epoch=0"):
        found = train(method)
        assert {name: found[name] for name in base} == base
    assert train("lcm")["curve"][0]["train_loss"] != base["curve"][0]["train_loss"]


def test_after_the_stop_epoch_the_loss_is_cross_entropy():
    stops, resets = (train(f"lcm.stop_epoch=2,stop_resets_optimizer={resets}")["curve"] for resets in ("false", "true"))
    for curve in (stops, resets):
        assert ["lcd_entropy" in row for row in curve] == [True, True, False]
        assert [row["strength"] > 0.01 for row in curve] == [True, True, False]
    assert stops[:2] == resets[:2] and stops[2] != resets[2]
    whole, stopped = train("ls.epsilon=0.3")["curve"], train("ls.epsilon=0.3,stop_epoch=2")["curve"]
    assert (
        whole[:2] == stopped[:2] and whole[2]["train_loss"] > stopped[2]["train_loss"]
    )  # a smoothed target has entropy, a label has none


def test_a_restart_gives_every_method_what_the_stop_gives_lcm():
    """restart_epoch: the same run up to it, a fresh optimiser and schedule after it. For LCM: stop_resets_optimizer."""
    without, restarted = (train("ce", warmup_steps=5, **more)["curve"] for more in ({}, {"restart_epoch": 2}))
    assert without[:2] == restarted[:2] and without[2] != restarted[2]
    of_stop = train("lcm.stop_epoch=2,stop_resets_optimizer=true", warmup_steps=5)["curve"]
    assert of_stop == train("lcm.stop_epoch=2", warmup_steps=5, restart_epoch=2)["curve"]


def test_the_test_part_chooses_nothing():
    """Scrambled test labels change the test numbers and not one number of the training curve."""
    data = run_data()
    scrambled = np.where(data.assignment == TEST, (data.labels + 1) % runs.N_LABELS, data.labels)
    other = runs.changed(data, labels=scrambled, fit_labels=scrambled)
    a, b = train("ce", data=data), train("ce", data=other)
    assert a["curve"] == b["curve"] and a["best_epoch"] == b["best_epoch"] and a["test"] != b["test"]


def test_a_diverging_run_says_so():
    record = train("ce", model="cnn", lr=1e38)
    assert "in epoch" in record["failed"] and "lr 1e+38" in record["failed"] and list(record) == ["failed"]


@pytest.mark.parametrize("n_runs", [1, 2])
def test_a_target_of_two_rounds_starts_the_predictor_anew_and_keeps_what_it_knows(monkeypatch, n_runs):
    """The second round's first epoch is that of a fresh run with a fresh optimiser; its best epoch alone counts."""
    data = runs.noisy_runs("cnn", n_runs)
    once = runs.train("cnn", data, "ce", warmup_steps=3)
    ended = []
    monkeypatch.setattr(CrossEntropy, "rounds", 2)
    monkeypatch.setattr(CrossEntropy, "end_round", lambda self: ended.append(1) or self.epoch.zero_())
    twice = runs.train("cnn", data, "ce", warmup_steps=3)
    assert len(ended) == 1
    for one, two in zip(once, twice, strict=True):
        assert two["epochs"] == 6 and [row["epoch"] for row in two["curve"]] == [1, 2, 3, 4, 5, 6]
        assert two["curve"][:3] == one["curve"]
        assert two["best_epoch"] > 3
        # a round's samples come in the order of the run's further epochs, so only the untrained start is the same
        assert (
            abs(two["curve"][3]["train_loss"] - one["curve"][0]["train_loss"])
            < 0.05
            < one["curve"][0]["train_loss"] - one["curve"][2]["train_loss"]
        )
