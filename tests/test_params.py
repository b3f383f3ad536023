"""params.yaml is checked before any work, and the line that a user sees names key, value and what is allowed."""

import json
from pathlib import Path

import pytest
import yaml

from lcm.errors import UserError
from lcm.params import load_params
from lcm.training.cell import cell_config
from lcm.training.methods import methods

ROOT = Path(__file__).parent.parent


@pytest.fixture
def changed(tmp_path):
    def change(path, value, delete=False):
        content = yaml.safe_load((ROOT / "params.yaml").read_text())
        *parents, last = path.split(".")
        group = content
        for name in parents:
            group = group[name]
        if delete:
            del group[last]
        else:
            group[last] = value
        file = tmp_path / "params.yaml"
        file.write_text(yaml.safe_dump(content))
        return load_params(file)

    return change


def test_the_committed_file_is_valid_and_at_the_papers_values():
    params = load_params(ROOT / "params.yaml")
    assert (params.lcm.alpha, params.ls.epsilon, params.split.n, params.split.test) == (4.0, 0.1, 10, 0.30)
    assert (params.train.batch_size, params.train.lr) == (128, 0.001)


@pytest.mark.parametrize(
    "path,value,message",
    [
        ("lcm.alpha", -1, "lcm.alpha: input should be greater than or equal to 0, found -1"),
        ("lcm.alpha", "abc", "lcm.alpha: input should be a valid number, found 'abc'"),
        ("lcm.alhpa", 2, "unknown key lcm.alhpa"),
        ("ls.epsilon", 1.0, "ls.epsilon: input should be less than 1, found 1.0"),
        ("split.val", 0.7, "split: test + val must be below 1, found 0.3 + 0.7"),
        ("train.epochs", True, "train.epochs: input should be a valid integer, found True"),
        ("models.lstm_rand.hidden", 0, "models.lstm_rand.hidden: input should be greater than or equal to 1, found 0"),
        ("models.lstm_rand.encoder", "gru", "models.lstm_rand"),
        ("models.cnn_rand.maxlen", 20, "models.cnn_rand: filter_sizes must not exceed maxlen 20, found 25"),
        ("studies.benchmark.text.models", ["lstm"], "studies.benchmark names models ['lstm'], known are"),
        ("studies.benchmark.splits", 11, "studies.benchmark.splits is 11, but split.n makes only 10"),
        ("studies.benchmark.splits_of", {"cnn_rand": 12}, "studies.benchmark.splits is 12, but split.n makes only 10"),
        ("studies.benchmark.splits_of", {"cnn": 2}, "studies.benchmark.splits_of names models ['cnn'], known are"),
        ("corpora", None, "corpora: input should be a valid dictionary, found None"),
    ],
)
def test_bad_values_are_named_in_one_line(changed, path, value, message):
    with pytest.raises(UserError) as error:
        changed(path, value)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_missing_keys_and_files(changed, tmp_path):
    with pytest.raises(UserError, match="lcm.alpha is missing"):
        changed("lcm.alpha", None, delete=True)
    with pytest.raises(UserError, match="not found"):
        load_params(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1")
    with pytest.raises(UserError, match="not valid YAML"):
        load_params(tmp_path / "broken.yaml")


def test_overrides_go_train_then_model_then_study(changed):
    params = changed("models.cnn_rand.train", {"epochs": 7, "lr": 0.01})
    params = params.model_copy(update={"studies": {"s": params.studies["benchmark"].model_copy(update={"train": params.models["cnn_rand"].train.model_copy(update={"epochs": 3, "lr": None})})}})
    train = params.training("s", "cnn_rand")
    assert (train.epochs, train.lr, train.batch_size) == (3, 0.01, 128)


def test_a_model_may_have_fewer_splits(changed):
    params = changed("studies.benchmark.splits_of", {"cnn_rand": 3})
    assert (params.n_splits("benchmark", "cnn_rand"), params.n_splits("benchmark", "lstm_rand")) == (3, 10)


def test_an_arm_may_change_settings_of_its_group(changed):
    params = changed("lcm.stop_epoch", 3)
    assert params.arm("lcm") == params.lcm and params.arm("ls") == params.ls
    group = params.arm("lcm.alpha=0.5,stop_epoch=10")
    assert (group.alpha, group.stop_epoch, group.label_dim) == (0.5, 10, 64)
    assert params.arm("lcm.stop_epoch=null").stop_epoch is None and params.arm("lcm.detach=true").detach is True
    # 4 and 4.0 are one run: the key is made from the settings' JSON
    assert json.dumps(params.arm("lcm.alpha=4").model_dump()) == json.dumps(params.lcm.model_dump())


@pytest.mark.parametrize(
    "arm,message",
    [
        ("lcm.alhpa=2", "alhpa is no key of lcm, which has alpha, label_dim"),
        ("ls.alpha=2", "alpha is no key of ls, which has epsilon"),
        ("lcm.alpha=two", "alpha: input should be a valid number, found 'two'"),
        ("lcm.alpha=-1", "alpha: input should be greater than or equal to 0, found -1"),
        ("lcm.detach=1", "detach: input should be a valid boolean, found 1"),
        ("lcm.alpha=1,alpha=2", "alpha is there twice"),
        ("lcm.alpha", "expected ls or lcm, or one of them with settings"),
        ("base.epsilon=0", "expected ls or lcm, or one of them with settings"),
        ("lcm.alpha=1 2", "expected ls or lcm, or one of them with settings"),
        ("lcm", "varies nothing"),
    ],
)
def test_a_bad_variation_names_study_and_arm(changed, arm, message):
    grid = {"corpora": ["20ng"], "noise": [0], "models": ["lstm_rand"], "arms": [arm]}
    with pytest.raises(UserError) as error:
        changed("studies.benchmark.variations", grid)
    assert message in str(error.value) and "studies.benchmark.variations" in str(error.value) and repr(arm) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_variation_trains_one_method_and_shares_the_runs_of_the_arm(changed):
    params, other = changed("lcm.alpha", 2), changed("lcm.alpha", 4)
    (varied,) = methods(other, "lcm.alpha=2", 20)
    assert varied == methods(params, "lcm", 20)[0] and varied.name == "lcm"
    (smoothed,) = methods(other, "ls.epsilon=0.1", 20)
    assert smoothed == methods(other, "ls", 20)[1] and smoothed.settings() == {"epsilon": 0.1}  # no key of an older run changes
    (stopped,) = methods(other, "ls.stop_epoch=10", 20)
    assert stopped.stop_epoch == 10 and stopped.settings() == {"epsilon": 0.1, "stop_epoch": 10}
    lcm, control = methods(changed("lcm.stop_epoch", 10), "lcm", 20)
    assert lcm.stop_epoch == control.stop_epoch == 10  # the control stops with it
    assert cell_config(other, "benchmark", "lstm_rand", "lcm.alpha=2") == cell_config(params, "benchmark", "lstm_rand", "lcm")
