"""Which setting of a grid is chosen: the best on the validation part of the splits that were asked for."""

import json

import pytest
import synthetic
from synthetic import find, grid

from lcm.evidence.results import read_study
from lcm.evidence.tuning import chosen, validation_accuracy
from lcm.study import tuning_grid

METHODS = tuning_grid("gce.*")
PLACE = "20ng", 0, "lstm_rand"


@pytest.fixture
def study():
    """Parameters whose study tries every value of gce on two splits with two seeds."""
    return synthetic.params(small=grid(methods=["ce", "gce.*"], splits=2, seeds=2))


def write(root, params, method, validation, test=0.5):
    """A cell's files. validation: accuracy on the validation part by split and seed."""
    scores = [[test] * len(of_split) for of_split in validation]
    synthetic.write(root, params, find(params, "small", *PLACE, method), scores, validation=validation)


def choice(root, params):
    return chosen(params.studies["small"], read_study(params, "small", root))


def test_a_grid_is_the_targets_own_values():
    assert len(METHODS) == 6 and len(set(METHODS)) == 6 and all(name.startswith("gce.q=") for name in METHODS)


def test_the_best_mean_on_validation_is_chosen_and_test_scores_say_nothing(study, tmp_path):
    for place, method in enumerate(METHODS):
        write(tmp_path, study, method, [[0.5], [0.5 + (place == 2) / 10]], test=0.9 if place == 4 else 0.1)
    assert choice(tmp_path, study) == {PLACE: [METHODS[2]]}


def test_of_equal_values_the_first_is_chosen(study, tmp_path):
    for method in METHODS:
        write(tmp_path, study, method, [[0.5], [0.5]])
    assert choice(tmp_path, study) == {PLACE: [METHODS[0]]}


def test_only_the_first_splits_and_the_first_seed_count(tmp_path):
    """A value that was trained more often than the others, because it had been chosen, has no better chance."""
    more = grid(methods=[METHODS[3]], splits=3, seeds=2)
    study = synthetic.params(small=[grid(methods=["gce.*"], splits=2, seeds=2), more])
    for place, method in enumerate(METHODS):
        own = [[0.5, 0.9], [0.5, 0.9], [0.9, 0.9]] if place == 3 else [[0.5], [0.6 if place == 1 else 0.5]]
        write(tmp_path, study, method, own)
    assert choice(tmp_path, study) == {PLACE: [METHODS[1]]}
    result = read_study(study, "small", tmp_path).find(*PLACE, METHODS[3])
    assert validation_accuracy(result, 2) == pytest.approx(0.5)


def test_a_grid_that_is_not_complete_chooses_nothing(study, tmp_path):
    for method in METHODS[1:]:
        write(tmp_path, study, method, [[0.5], [0.5]])
    assert choice(tmp_path, study) == {}
    write(tmp_path, study, METHODS[0], [[0.9]])  # one of its two splits
    assert choice(tmp_path, study) == {}
    write(tmp_path, study, METHODS[0], [[0.9], [0.0]])
    assert choice(tmp_path, study) == {PLACE: [METHODS[1]]}


def test_results_of_other_parameters_choose_nothing(study, tmp_path):
    for place, method in enumerate(METHODS):
        write(tmp_path, study, method, [[0.5], [0.9 if place == 5 else 0.5]])
    path = tmp_path / find(study, "small", *PLACE, METHODS[5]).path()
    record = json.loads(path.read_text())
    record["config"]["train"]["lr"] = 0.9  # the best, but made with another learning rate
    path.write_text(json.dumps(record))
    assert choice(tmp_path, study) == {}
