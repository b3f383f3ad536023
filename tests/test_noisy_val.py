"""A study may want other wrong labels than params.yaml: in validation too, or drawn from all labels. Its cells learn
from, and are judged by, labels of their own."""

import json
import runpy
import sys

import numpy as np
import plan
import pytest
import runs

from lcm.corpora.prepare import digest
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.study import cell_config
from lcm.training import inputs, jobs


@pytest.fixture
def checked(workplace, params, monkeypatch):
    """Studies that differ in this alone; their labels as the stage `split` makes them."""
    params["corpora"]["toy"]["text"], params["corpora"]["toy"]["label"] = "text", "label"
    params["noise"]["rates"]["toy"], params["noise"]["groups"] = [30], {}
    content = runs.study(["toy"], ["cnn_rand"], ["ce"], noise=[0, 30])
    own = {"right": {}, "wrong": {"noise_val": "noisy"}, "any": {"noise_kind": "uniform"}}
    params["studies"] = {name: {**content, **more} for name, more in own.items()}
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
        for study in ("right", "wrong", "any")
    }
    true = data["right"].corpus.labels

    def wrong(study: str, part: int) -> float:
        return float((data[study].fit_labels != true)[data[study].splits == part].mean())

    assert wrong("right", VAL) == wrong("right", TEST) == wrong("wrong", TEST) == 0
    assert wrong("right", TRAIN) == pytest.approx(0.3, abs=0.05)
    both = np.isin(data["wrong"].splits, (TRAIN, VAL))
    assert (data["wrong"].fit_labels != true)[both].mean() == pytest.approx(0.3, abs=0.05)
    assert wrong("wrong", VAL) > 0.1
    assert wrong("any", VAL) == wrong("any", TEST) == 0
    assert wrong("any", TRAIN) == pytest.approx(0.3, abs=0.05)


def test_a_wrong_label_is_of_its_group_or_any(checked):
    group = np.array([name.split(".")[0] for name in runs.NAMES])

    def stay(study: str) -> float:
        cell = runs.cell(checked, "cnn_rand", "ce", noise=30, study=study)
        data = inputs.load("toy", inputs.labels_of(checked, cell))
        wrong = data.fit_labels != data.corpus.labels
        return float((group[data.fit_labels] == group[data.corpus.labels])[wrong].mean())

    assert stay("right") == 1 and 0 < stay("any") < 0.6


def test_its_runs_are_others_where_labels_are_wrong(checked):
    studies = ("right", "wrong", "any")
    assert len({job(checked, study, 0).keys for study in studies}) == 1  # no noise: nothing is wrong
    assert len({job(checked, study, 30).keys for study in studies}) == 3
    named = [job(checked, study, 30).labels for study in studies]
    assert named == ["labels-30", "labels-30-noisy", "labels-30-uniform"]
    read = jobs.job_data(job(checked, "wrong", 30))[0]
    labels = np.load("data/splits/toy/labels-30-noisy.npy")
    np.testing.assert_array_equal(read.fit_labels, labels[0])


def test_a_cell_says_so(checked):
    said = [
        cell_config(checked, runs.cell(checked, "cnn_rand", "ce", noise=30, study=study))["noise"]
        for study in ("right", "wrong", "any")
    ]
    assert [each["val"] for each in said] == ["clean", "noisy", "clean"]
    assert [each["kind"] for each in said] == ["asym", "asym", "uniform"]


def test_the_stage_that_makes_labels_depends_on_it(checked):
    plans = plan.data_plans(checked)
    assert plans["split/toy"]["of_studies"] == ["-uniform", "-noisy"] and "of_studies" not in plans["split/20ng"]


def test_labels_without_groups_have_noise_of_any_label_alone(workplace, params, monkeypatch):
    """No wrong label of the same group can be drawn, and no study asks for one."""
    file = workplace / "data/corpus/toy/corpus.json"
    meta = json.loads(file.read_text())
    names = [name.replace(".", "_") for name in meta["labels"]]
    file.write_text(json.dumps(meta | {"labels": names, "digest": digest(file.parent, names)}))
    params["corpora"]["toy"]["text"], params["corpora"]["toy"]["label"] = "text", "label"
    params["noise"]["rates"]["toy"], params["noise"]["groups"] = [30], {}
    content = runs.study(["toy"], ["cnn_rand"], ["ce"], noise=[0, 30])
    params["studies"] = {"any": {**content, "noise_kind": "uniform"}}
    runs.load(params, workplace)
    monkeypatch.setattr(sys, "argv", ["split.py", "toy"])
    runpy.run_path(str(runs.ROOT / "pipeline/split.py"), run_name="__main__")
    made = {path.name for path in (workplace / "data/splits/toy").glob("labels-*")}
    assert made == {"labels-0.npy", "labels-30-uniform.npy"}
