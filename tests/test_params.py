"""params.yaml and studies/*.yaml are checked before any work; the error names file, key, value and what is allowed."""

import json
import subprocess
import sys

import pytest
import runs
import yaml

from lcm.errors import UserError
from lcm.params import Params, load_params
from lcm.study import Cell, cell_config, cells, check, family, method_groups, method_settings, target_facts, tuning_grid


@pytest.fixture
def changed(tmp_path):
    """Read the committed parameters, without their studies but with one, and one value of them changed."""

    def change(path, value=None, delete=False):
        content = runs.committed()
        content["studies"] = {"benchmark": runs.study(["20ng"], ["lstm_rand", "cnn_rand"], ["ce", "lcm"])}
        *parents, last = path.split(".")
        group = content
        for name in parents:
            group = group[int(name) if name.isdigit() else name]
        if delete:
            del group[last]
        else:
            group[last] = value
        return runs.load(content, tmp_path)

    return change


def test_the_committed_files_are_valid_and_at_the_papers_values():
    params = load_params(runs.ROOT / "params.yaml", training=True)
    lcm, ls = (method_groups(params, name)[name] for name in ("lcm", "ls"))
    assert (lcm.alpha, lcm.label_dim, ls.epsilon, params.split.n, params.split.test) == (4.0, 64, 0.1, 10, 0.30)
    assert (params.train.batch_size, params.train.lr) == (128, 0.001)
    assert params.split.val < params.split.test and len(params.studies) >= 12


@pytest.mark.parametrize(
    "path,value,message",
    [
        ("lcm.alpha", -1, "lcm.alpha: input should be greater than or equal to 0, found -1"),
        ("lcm.alpha", "abc", "lcm.alpha: input should be a valid number, found 'abc'"),
        ("lcm.alpha", float("inf"), "lcm.alpha: input should be a finite number, found inf"),
        ("lcm.alhpa", 2, "unknown key lcm.alhpa (known are alpha, label_dim, stop_epoch, "),
        ("train.eopchs", 2, "unknown key train.eopchs (known are epochs, batch_size, "),
        ("own.txet", "a", "unknown key own.txet (known are tokens, "),
        ("corpora.20ng.parts", {"train": "a", "test": "b", "val": "c"}, "20ng.parts.val (known are train, dev, test)"),
        ("vectors.sets.pretrained.20ng.sise", 9, "vectors.sets.pretrained.20ng.sise (known are source, size)"),
        ("lcm", 4, "lcm: expected the keys of a method, found 4"),
        ("lmc", {"alpha": 4}, "unknown key lmc; its other groups are methods: ce, ls, ls_matched, lcm"),
        ("studies_", {}, "unknown key studies_"),
        ("ls.epsilon", 1.0, "ls.epsilon: input should be less than 1, found 1.0"),
        ("split.val", 0.7, "split: test + val must be below 1, found 0.3 + 0.7"),
        ("train.epochs", True, "train.epochs: input should be a valid integer, found True"),
        ("train.epochs", 3.5, "train.epochs: input should be a valid integer, found 3.5"),
        ("models.lstm_rand.hidden", 0, "models.lstm_rand.hidden: input should be greater than or equal to 1, found 0"),
        ("models.lstm_rand.hiden", 4, "unknown key models.lstm_rand.hiden"),
        (
            "models.lstm_rand.encoder",
            "gru",
            "models.lstm_rand: encoder 'gru': no such file in src/lcm/models; known are bag, bert",
        ),
        ("models.lstm_rand", None, "models.lstm_rand: input should be a valid dictionary, found None"),
        ("models.cnn_rand.maxlen", 20, "models.cnn_rand: filter_sizes must not exceed maxlen 20, found 25"),
        ("models.cnn_rand.train", 5, "models.cnn_rand.train: expected keys of train, found 5"),
        ("models.cnn_rand.train", {"lr": -1}, "models.cnn_rand.train.lr: input should be greater than 0, found -1"),
        ("models.cnn_rand.train", {"rl": 1}, "unknown key models.cnn_rand.train.rl"),
        ("models.lstm_own.vectors", "glove", "models.lstm_own.vectors is glove, known are ['own_text', 'pretrained']"),
        ("models.lstm_own.embedding", 64, "models.lstm_own: expected either embedding, a size, or vectors"),
        ("models.bert_tiny.source", "bert_big", "models.bert_tiny.source is bert_big, known are"),
        ("vectors.sets.zhwiki", {}, "vectors.sets and skipgram both have ['zhwiki']; rename one"),
        (
            "vectors.sets.pretrained.nothing",
            {"source": "a", "size": 1},
            "vectors.sets.pretrained names ['nothing'], known are",
        ),
        ("wordpieces.corpora.20ng", "bert_big", "wordpieces.corpora names ['bert_big'], known are"),
        ("wordpieces.corpora.reviews", "minilm", "wordpieces.corpora names ['reviews'], known are"),
        ("corpora.20ng.path", "data/raw/20n", "corpora.20ng.path is data/raw/20n, but `originals` has no 20n; add it"),
        ("corpora.own", {"encoding": "klingon"}, "corpora.own.encoding: expected the name of an encoding"),
        ("corpora.own", {"encoding": "rot13"}, "corpora.own.encoding: expected the name of an encoding"),
        ("corpora", None, "corpora: input should be a valid dictionary, found None"),
        ("corpora.a/b", {"path": "x.csv"}, "corpora.a/b"),
    ],
)  # fmt: skip
def test_bad_values_are_named_in_one_line(changed, path, value, message):
    with pytest.raises(UserError) as error:
        changed(path, value)
    assert message in str(error.value) and "\n" not in str(error.value) and "params.yaml: " in str(error.value)


def test_missing_keys_and_files(changed, tmp_path):
    with pytest.raises(UserError, match="train.lr is missing"):
        changed("train.lr", delete=True)
    with pytest.raises(UserError, match="not found"):
        load_params(tmp_path / "nowhere.yaml")
    for text, message in (
        ("a: [1", "not valid YAML: .* in line [12]$"),
        ("", "the whole file: .*found None"),
        ("[1]", "the whole file: "),
    ):
        (tmp_path / "broken.yaml").write_text(text)
        with pytest.raises(UserError, match=message):
            load_params(tmp_path / "broken.yaml")
    content = runs.committed() | {"studies": {}}
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(
        UserError, match="remove the group `studies`; each study is a file of its own, studies/<name>.yaml"
    ):
        load_params(tmp_path / "broken.yaml")


def test_a_method_without_a_group_has_its_defaults_and_a_null_group_too(changed):
    assert method_groups(changed("lcm", delete=True), "lcm")["lcm"].alpha == 4.0
    assert method_settings(changed("gce", {"q": 0.25}), "gce", 4) == {"q": 0.25}


# Models


def test_like_takes_the_keys_of_another_model_that_a_model_does_not_set(changed):
    params = changed("models.mine", {"like": "lstm_rand", "hidden": 7, "train": {"epochs": 2}})
    mine, base = params.model("mine"), params.model("lstm_rand")
    assert mine.model_copy(update={"hidden": base.hidden}) == base and mine.hidden == 7
    assert params.training("mine").epochs == 2 and params.training("lstm_rand").epochs == 20
    params = changed("models.lstm_rand.maxlen", 55)  # and follows it
    assert params.model("lstm_rand_post").maxlen == 55 and params.model("lstm_rand_post").padding == "post"
    assert changed("models.cnn_rand.like", None).model("cnn_rand") == params.model("cnn_rand")
    # train is one key: taken over as a whole or not at all
    assert changed("models.mine", {"like": "cnn_rand"}).training("mine").epochs == 10


@pytest.mark.parametrize("base", ["lstm_rand_post", "mine", "nobody", ["lstm_rand"], 3])
def test_like_names_a_model_that_is_not_like_another(changed, base):
    with pytest.raises(UserError) as error:
        changed("models.mine", {"like": base})
    assert f"mine.like: found {base!r}, expected a model that has no `like` of its own: lstm_rand," in str(error.value)


def test_a_model_overrides_train(changed):
    params = changed("models.cnn_rand.train", {"epochs": 7, "lr": 0.01, "restart_epoch": None})
    train = params.training("cnn_rand")
    assert (train.epochs, train.lr, train.batch_size, train.restart_epoch) == (7, 0.01, 128, None)
    with pytest.raises(
        UserError, match="models.cnn_rand.train: decay_end_step must be 0 or above warmup_steps 10, found 5"
    ):
        changed("models.cnn_rand.train", {"warmup_steps": 10, "decay_end_step": 5})


# Methods


def test_a_method_may_change_settings_of_its_target(changed):
    params = changed("lcm.stop_epoch", 3)
    group = method_groups(params, "lcm.alpha=0.5,stop_epoch=10")["lcm"]
    assert (group.alpha, group.stop_epoch, group.label_dim) == (0.5, 10, 64)
    assert method_groups(params, "lcm.stop_epoch=null")["lcm"].stop_epoch is None
    assert method_groups(params, "lcm.detach=true")["lcm"].detach is True


@pytest.mark.parametrize(
    "text,alpha",
    [("1e-1", 0.1), ("1e1", 10.0), ("1E-2", 0.01), ("4", 4.0), ("4.0", 4.0), ("010", 10.0), (".5", 0.5), ("+2", 2.0)],
)
def test_a_number_is_a_number_however_people_write_it(changed, text, alpha):
    """`1e-1` is text for YAML 1.1. And 4 and 4.0 are one run: the key is made from the settings' JSON."""
    params = changed("lcm.alpha", 4)
    group = method_groups(params, f"lcm.alpha={text}")["lcm"]
    assert json.dumps(group.alpha) == json.dumps(alpha)
    assert (group == method_groups(params, "lcm")["lcm"]) == (alpha == 4)


@pytest.mark.parametrize(
    "method,message",
    [
        ("lcm.alhpa=2", "alhpa is no key of lcm, which has alpha, label_dim"),
        ("ls.alpha=2", "alpha is no key of ls, which has epsilon"),
        ("lcm.alpha=two", "alpha: input should be a valid number, found 'two'"),
        ("lcm.alpha=-1", "alpha: input should be greater than or equal to 0, found -1"),
        ("lcm.alpha=inf", "alpha: input should be a finite number, found inf"),
        ("lcm.alpha=2001-13-45", "alpha: input should be a valid number, found '2001-13-45'"),
        ("lcm.detach=1", "detach: input should be a valid boolean, found 1"),
        ("lcm.alpha=1,alpha=2", "alpha is there twice"),
        ("lcm.alpha", "expected one of ce, ls, ls_matched, lcm"),
        ("lmc", "expected one of ce, ls, ls_matched, lcm"),
        ("base.epsilon=0", "expected one of ce, ls, ls_matched, lcm"),
        ("ce.epsilon=0", "epsilon is no key of ce, which has none"),
        ("lcm.alpha=1 2", "expected one of ce, ls, ls_matched, lcm"),
        ("lcm.alpha=1/2", "expected one of ce, ls, ls_matched, lcm"),
        ("lcm.", "expected one of ce, ls, ls_matched, lcm"),
        ("ce.*", "ce has no grid of settings to try; these have: ls, lcm"),
        ("lmc.*", "lmc has no grid of settings to try; these have: "),
    ],
)  # fmt: skip
def test_a_bad_method_names_study_and_method(changed, method, message):
    with pytest.raises(UserError) as error:
        changed("studies.benchmark.grids.0.methods", ["ce", method])
    assert message in str(error.value) and repr(method) in str(error.value) and "\n" not in str(error.value)


def test_a_key_that_ends_like_another_is_not_there_twice(changed, monkeypatch):
    from lcm.schema import Group
    from lcm.targets.lcm import LabelConfusion

    class Settings(Group):
        epoch: int = 0
        stop_epoch: int = 0

    params = changed("lcm", {})
    monkeypatch.setattr(LabelConfusion, "Settings", Settings)
    assert method_groups(params, "lcm.stop_epoch=1,epoch=2")["lcm"] == Settings(epoch=2, stop_epoch=1)


def test_a_method_with_settings_is_the_method_with_these_parameters(changed):
    params, other = changed("lcm.alpha", 2), changed("lcm.alpha", 4)
    assert method_settings(other, "lcm.alpha=2", 20) == method_settings(params, "lcm", 20)
    assert method_settings(other, "ls_matched.alpha=2", 20) == method_settings(params, "ls_matched", 20)
    assert method_settings(other, "ls_matched", 20) == {"epsilon": pytest.approx(0.27175, abs=1e-5), "stop_epoch": None}
    assert method_settings(other, "ls.stop_epoch=10", 20) == {"epsilon": 0.1, "stop_epoch": 10}
    stopped = changed("lcm.stop_epoch", 10)  # the control stops with it
    assert (
        method_settings(stopped, "ls_matched", 20)["stop_epoch"]
        == method_settings(stopped, "lcm", 20)["stop_epoch"]
        == 10
    )
    varied, plain = (Cell("benchmark", "20ng", 0, "lstm_rand", method, 2) for method in ("lcm.alpha=2", "lcm"))
    assert cell_config(other, varied) == cell_config(params, plain) != cell_config(other, plain)


def test_a_star_stands_for_the_grid_of_a_target(changed):
    params = changed("studies.benchmark.grids.0.methods", ["gce.*", "ce"])
    names = [cell.method for cell in cells(params, "benchmark") if cell.model == "lstm_rand"]
    assert (
        names == [*tuning_grid("gce.*"), "ce"]
        and len(names) == 7
        and all(name.startswith("gce.q=") for name in names[:6])
    )
    assert [method_settings(params, name, 4)["q"] for name in names[:6]] == [
        float(name.partition("=")[2]) for name in names[:6]
    ]


# Studies


@pytest.mark.parametrize(
    "path,value,message",
    [
        ("grids.0.models", ["lstm"], "models names ['lstm'], known are lstm_rand"),
        ("grids.0.corpora", ["20gn"], "corpora: found ['20ng'], but its grids use ['20gn']"),
        ("corpora", ["20ng", "mnist"], "corpora: found ['20ng', 'mnist'], but its grids use ['20ng']; name"),
        ("splits", 11, "splits is 11, but params.yaml makes only 10 splits"),
        ("grids.0.splits", 12, "splits is 12, but params.yaml makes only 10 splits"),
        ("grids.0.noise", [100], "grids.0.noise.0: input should be less than 100, found 100"),
        ("grids.0.arms", ["ls"], "unknown key grids.0.arms (known are corpora, noise, models, methods, splits, seeds)"),
        ("grids.0.methods", [], "grids.0.methods: list should have at least 1 item"),
        ("grids", [], "grids: list should have at least 1 item"),
        ("seeds", 0, "seeds: input should be greater than or equal to 1, found 0"),
        ("yardsticks", ["svm"], "yardsticks names ['svm'], known are linear, linear_window, svc"),
        ("train", {"epochs": 3}, "unknown key train"),
        ("title", None, "title: input should be a valid string, found None"),
    ],
)  # fmt: skip
def test_a_bad_study_is_one_line_that_names_its_file(changed, path, value, message):
    with pytest.raises(UserError) as error:
        changed(f"studies.benchmark.{path}", value)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert "studies/benchmark.yaml" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "studies:",
        "studies: 3",
        "studies: []",
        "studies: [mine]",
        "studies: {other: {}}",
        "mine: {}",
        "studies: {mine: {}}\nmore: 1",
    ],
)
def test_a_study_file_holds_one_study_of_its_name(changed, tmp_path, text):
    changed("lcm.alpha", 4)
    (tmp_path / "studies/mine.yaml").write_text(text)
    with pytest.raises(UserError, match="studies/mine.yaml: expected `studies:` and below it only `mine:`"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "studies/mine.yaml").write_text("studies: {mine")
    with pytest.raises(UserError, match="studies/mine.yaml: not valid YAML"):
        load_params(tmp_path / "params.yaml")


def test_grids_join_to_cells_and_the_larger_number_of_splits_and_seeds_counts(changed):
    grids = [
        {"corpora": ["20ng"], "models": ["lstm_rand"], "methods": ["ce", "lcm"], "splits": 3, "seeds": 2},
        {"corpora": ["20ng"], "noise": [0, 30], "models": ["lstm_rand"], "methods": ["ce"], "splits": 5},
        {"corpora": ["4ng-h"], "models": ["cnn_rand"], "methods": ["ce"]},
    ]
    spec = runs.study(["20ng", "4ng-h"], ["lstm_rand"], ["ce"], yardsticks=["linear"], splits=4) | {"grids": grids}
    params = changed("studies.benchmark", spec)
    found = {
        (cell.corpus, cell.noise, cell.model, cell.method): (cell.splits, cell.seeds)
        for cell in cells(params, "benchmark")
    }
    assert found == {
        ("20ng", 0, "lstm_rand", "ce"): (5, 2),
        ("20ng", 0, "lstm_rand", "lcm"): (3, 2),
        ("20ng", 30, "lstm_rand", "ce"): (5, 1),
        ("4ng-h", 0, "cnn_rand", "ce"): (4, 1),
        ("20ng", 0, "linear", "linear"): (4, 1),
        ("20ng", 30, "linear", "linear"): (4, 1),
        ("4ng-h", 0, "linear", "linear"): (4, 1),
    }
    assert len(cells(params, "benchmark")) == len(found)
    assert [cell.model for cell in cells(params, "benchmark", "4ng-h")] == ["cnn_rand", "linear"]
    with pytest.raises(UserError, match="studies/benchmark.yaml: has no corpus mnist; it has 20ng, 4ng-h"):
        cells(params, "benchmark", "mnist")


def test_a_cell_config_holds_what_its_numbers_depend_on_and_nothing_of_others():
    params = Params.model_validate(runs.committed()).model_copy(update={"studies": {}})
    spec = load_params(runs.ROOT / "params.yaml").studies["pretrained"]
    params = params.model_copy(update={"studies": {"s": spec}})

    def config(model, method, corpus="20ng", noise=0):
        return cell_config(params, Cell("s", corpus, noise, model, method, 2))

    assert set(config("lstm_rand", "lcm")) == {"split", "corpus", "model", "train", "lcm"}
    assert set(config("lstm_rand", "ls_matched")) == {"split", "corpus", "model", "train", "lcm"}
    assert set(config("lstm_rand", "ce", noise=30)) == {"split", "corpus", "model", "train", "ce", "noise"}
    assert set(config("linear", "nb_window")) == {"split", "corpus", "linear"}
    own = config("lstm_own", "ls")
    assert set(own) == {"split", "corpus", "model", "train", "ls", "vectors", "skipgram"} and own["ls"] == {
        "epsilon": 0.1
    }
    assert "skipgram" not in config("lstm_pre", "ls")
    assert {"wordpieces", "source"} <= set(config("minilm", "ce")) & set(config("minilm_frozen", "ce"))
    assert (
        "weight_decay" not in own["train"] and "vectors" not in config("lstm_rand", "ce")["model"]
    )  # at their defaults


def test_what_a_check_remembers_is_what_the_parameters_say(workplace, params):
    def everything(checked):
        found = cells(checked, "small")
        return [
            (str(cell), family(checked, cell), json.loads(json.dumps(cell_config(checked, cell)))) for cell in found
        ]

    fresh, again = (load_params(training=True) for _ in range(2))
    unchecked = load_params()
    assert again.checked == json.loads(json.dumps(fresh.checked)) and fresh.checked and not unchecked.checked
    assert everything(again) == everything(fresh) == everything(unchecked)
    params["lcm"]["alpha"] = 2.5
    params["models"]["cnn_rand"]["family"] = "net"
    runs.write_params(params)
    changed = load_params(training=True)
    assert everything(changed) == everything(load_params()) != everything(fresh)
    # a copy with other values is not the one that was checked
    copy = fresh.model_copy(update={"split": fresh.split.model_copy(update={"test": 0.2})})
    assert not copy.checked and cell_config(copy, cells(copy, "small")[0])["split"]["test"] == 0.2
    params["lcm"]["alpha"] = -1
    runs.write_params(params)
    for _ in range(2):  # an error is not remembered as a success
        with pytest.raises(UserError, match="lcm.alpha"):
            load_params(training=True)


def test_facts_of_targets_keep_their_order():
    from lcm.targets import target_class, target_names

    assert list(target_facts()) == target_names()
    for name, facts in target_facts().items():
        assert facts.label == target_class(name).label and tuple(facts.grid) == target_class(name).grid
    check(load_params(runs.ROOT / "params.yaml"))
    target_facts.cache_clear()  # now from the run store
    assert list(target_facts()) == target_names()
    assert tuning_grid("elr.*")[0] == "elr.weight=1.0,memory=0.7"


def test_a_target_that_lacks_an_attribute_is_named(monkeypatch):
    toy = type("Toy", (), {"label": "toy", "knob": None, "ceiling": False, "grid": (), "needs": ()})
    monkeypatch.setattr("lcm.targets.target_names", lambda: ["toy"])
    monkeypatch.setattr("lcm.targets.target_class", lambda name: toy)
    with pytest.raises(UserError, match="^targets/toy.py: set short, as docs/extending.md shows$"):
        target_facts.__wrapped__()


@pytest.mark.parametrize("command", [["train.py", "small", "toy"], ["report.py", "small"]])
def test_a_gap_and_a_report_need_no_pytorch(workplace, command):
    """`dvc exp run` starts fifty of them; importing PyTorch took most of their time."""
    target_facts.cache_clear()  # of another test's store
    target_facts()
    load_params(training=True)
    (workplace / "data/corpus/toy/unavailable.txt").write_text("cannot be had")
    script = (
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__'); "
        "print('torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(runs.ROOT / "pipeline" / command[0]), *command[1:]],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0 and found.stdout.splitlines()[-1] == "False", found.stdout + found.stderr
