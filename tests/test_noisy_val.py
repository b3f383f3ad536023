"""A study may say that validation labels are wrong as well: its cells learn from, and are judged by, labels of their
own."""

import runpy
import sys

import numpy as np
import plan
import pytest
import runs

from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.study import cell_config
from lcm.training import inputs, jobs


@pytest.fixture
def checked(workplace, params, monkeypatch):
    """Two studies that differ in this alone; their labels as the stage `split` makes them."""
    params["corpora"]["toy"]["text"], params["corpora"]["toy"]["label"] = "text", "label"
    params["noise"]["rates"]["toy"], params["noise"]["groups"] = [30], {}
    content = runs.study(["toy"], ["cnn_rand"], ["ce"], noise=[0, 30])
    params["studies"] = {"right": content, "wrong": {**content, "noise_val": "noisy"}}
    loaded = runs.load(params, workplace)
    monkeypatch.setattr(sys, "argv", ["split.py", "toy"])
    runpy.run_path(str(runs.ROOT / "pipeline/split.py"), run_name="__main__")
    runs.forget_data()
    return loaded


def job(params, study: str, noise: int) -> jobs.Job:
    return jobs.jobs_of(params, runs.cell(params, "cnn_rand", "ce", noise=noise, study=study), "cpu")[0]


def test_its_validation_labels_are_as_wrong_as_the_others(checked):
    data = {
        study: inputs.load(
            "toy", inputs.labels_of(checked, runs.cell(checked, "cnn_rand", "ce", noise=30, study=study))
        )
        for study in ("right", "wrong")
    }
    true = data["right"].corpus.labels

    def wrong(study: str, part: int) -> float:
        return float((data[study].fit_labels != true)[data[study].splits == part].mean())

    assert wrong("right", VAL) == wrong("right", TEST) == wrong("wrong", TEST) == 0
    assert wrong("right", TRAIN) == pytest.approx(0.3, abs=0.05)
    both = np.isin(data["wrong"].splits, (TRAIN, VAL))
    assert (data["wrong"].fit_labels != true)[both].mean() == pytest.approx(0.3, abs=0.05)
    assert wrong("wrong", VAL) > 0.1


def test_its_runs_are_others_where_labels_are_wrong(checked):
    assert job(checked, "right", 0).keys == job(checked, "wrong", 0).keys  # no noise: nothing is wrong
    assert job(checked, "right", 30).keys != job(checked, "wrong", 30).keys
    assert job(checked, "right", 30).labels == "labels-30" and job(checked, "wrong", 30).labels == "labels-30-noisy"
    read = jobs.job_data(job(checked, "wrong", 30))[0]
    labels = np.load("data/splits/toy/labels-30-noisy.npy")
    np.testing.assert_array_equal(read.fit_labels, labels[0])


def test_a_cell_says_so(checked):
    said = {
        study: cell_config(checked, runs.cell(checked, "cnn_rand", "ce", noise=30, study=study))["noise"]["val"]
        for study in ("right", "wrong")
    }
    assert said == {"right": "clean", "wrong": "noisy"}


def test_the_stage_that_makes_labels_depends_on_it(checked):
    plans = plan.data_plans(checked)
    assert plans["split/toy"]["noise_vals"] == ["noisy"] and "noise_vals" not in plans["split/20ng"]
