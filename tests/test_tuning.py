"""Which setting of a grid is chosen: the best on the validation part of the splits that were asked for."""

import json

import pytest
import runs

from lcm.evidence.tuning import chosen, validation_accuracy
from lcm.study import cells, tuning_grid

METHODS = tuning_grid("gce.*")


@pytest.fixture
def study(workplace, params):
    """Parameters whose study tries every value of gce on two splits with two seeds."""
    params["studies"]["small"] = runs.study(["toy"], ["lstm_rand"], ["ce", "gce.*"], seeds=2)
    return runs.load(params, workplace)


def write(params, method, validation, test=0.5):
    """A cell's file. validation: (split, seed) -> accuracy on the validation part."""
    path = runs.cell(params, "lstm_rand", method).path()
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [
        {"split": split, "seed": seed, "val_accuracy": accuracy, "test": {"accuracy": test}}
        for (split, seed), accuracy in validation.items()
    ]
    path.write_text(json.dumps({"runs": found}))


def choice(params):
    return chosen(params.studies["small"], cells(params, "small"))


def test_a_grid_is_the_targets_own_values():
    assert len(METHODS) == 6 and len(set(METHODS)) == 6 and all(name.startswith("gce.q=") for name in METHODS)


def test_the_best_mean_on_validation_is_chosen_and_test_scores_say_nothing(study):
    for place, method in enumerate(METHODS):
        write(study, method, {(0, 0): 0.5, (1, 0): 0.5 + (place == 2) / 10}, test=0.9 if place == 4 else 0.1)
    assert choice(study) == {("toy", 0, "lstm_rand"): [METHODS[2]]}


def test_of_equal_values_the_first_is_chosen(study):
    for method in METHODS:
        write(study, method, {(0, 0): 0.5, (1, 0): 0.5})
    assert choice(study) == {("toy", 0, "lstm_rand"): [METHODS[0]]}


def test_only_the_first_splits_and_the_first_seed_count(study):
    """A value that was trained more often than the others, because it had been chosen, has no better chance."""
    for place, method in enumerate(METHODS):
        more = {(0, 1): 0.9, (1, 1): 0.9, (2, 0): 0.9} if place == 3 else {}
        write(study, method, {(0, 0): 0.5, (1, 0): 0.6 if place == 1 else 0.5} | more)
    assert choice(study) == {("toy", 0, "lstm_rand"): [METHODS[1]]}
    assert validation_accuracy(runs.cell(study, "lstm_rand", METHODS[3]), 2) == pytest.approx(0.5)


def test_a_grid_that_is_not_complete_chooses_nothing(study):
    for method in METHODS[1:]:
        write(study, method, {(0, 0): 0.5, (1, 0): 0.5})
    assert choice(study) == {}
    write(study, METHODS[0], {(0, 0): 0.9})  # one of its two splits
    assert choice(study) == {}
    write(study, METHODS[0], {(0, 0): 0.9, (1, 0): 0.0})
    assert choice(study) == {("toy", 0, "lstm_rand"): [METHODS[1]]}
