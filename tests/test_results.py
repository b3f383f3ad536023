"""From cells to files: what is known is not trained again, what was there is never lost, and a gap changes nothing."""

import json
import platform
import shutil
import subprocess

import numpy as np
import pytest
import runs

from lcm.corpora import prepare
from lcm.errors import UserError
from lcm.files import make_gap, write_array, write_json
from lcm.study import Cell, cells, read_seconds, seconds_path
from lcm.training import results, store, train
from lcm.training.train import train_cells

CNN = "cnn_rand", "ls"


@pytest.fixture
def trained(workplace, monkeypatch):
    """The jobs done, in this process."""
    return runs.in_this_process(monkeypatch)


def with_alpha(params, workplace, alpha):
    params["lcm"]["alpha"] = alpha
    return runs.load(params, workplace)


def files(folder="metrics"):
    """Content of every result file but the seconds."""
    paths = sorted(runs.Path(folder).rglob("*.json"))
    return {path: path.read_bytes() for path in paths if "seconds" not in path.parts}


def test_a_cell_equals_its_runs_trained_alone(workplace, params, trained):
    """In processes, as fleets, or alone in this process: the same file. And its numbers are those of the loop."""
    checked = runs.load(params, workplace)
    path = runs.train_cell(checked, "lstm_rand", "lcm")
    found, curves = runs.numbers(path), json.loads(runs.cell_path("lstm_rand", "lcm", "curves").read_text())
    assert [(run["split"], run["seed"]) for run in found] == [(0, 0), (1, 0)]
    data = runs.inputs_of(checked, "small", "toy", 0, "lstm_rand", "lcm")
    settings = results.read_cell(runs.cell(checked, "lstm_rand", "lcm"))["settings"]
    assert settings["alpha"] == 4.0 and settings["label_dim"] == 64
    for run, each in zip(found, data, strict=True):
        record = runs.train_runs(
            [each], checked.model("lstm_rand"), checked.train, "lcm", settings, [run["split"]], "cpu"
        )[0]
        assert run["test"] == pytest.approx(record["test"], abs=1e-6)
        rows = [row for row in curves if row["split"] == run["split"]]
        assert [row["epoch"] for row in rows] == [1, 2, 3]
        assert [row["val_nll"] for row in rows] == pytest.approx([row["val_nll"] for row in record["curve"]], abs=1e-6)
    predictions = store.load_predictions(found[0]["key"])
    splits, labels = np.load("data/splits/toy/splits.npy"), np.load("data/corpus/toy/labels.npy")
    assert predictions["test"].shape == ((splits[0] == 2).sum(), 4) and predictions["val"].shape == (
        (splits[0] == 1).sum(),
        4,
    )
    right = predictions["test"].argmax(1) == labels[splits[0] == 2]
    assert right.mean() == pytest.approx(found[0]["test"]["accuracy"], abs=1e-6)

    params["execution"]["fleet"] = 2
    shutil.rmtree(workplace / "runs")
    path.unlink()
    found_in_fleet = runs.numbers(runs.train_cell(runs.load(params, workplace), "lstm_rand", "lcm"))
    assert len(trained) == 3 and len(trained[2].runs) == 2
    for run, other in zip(found, found_in_fleet, strict=True):
        assert run["key"] == other["key"] and run["test"] == pytest.approx(other["test"], abs=1e-4)


def test_what_is_in_the_store_is_not_trained_again_and_gives_the_same_bytes(workplace, params, trained):
    checked = runs.load(params, workplace)
    runs.train_cell(checked, *CNN)
    before = files()
    shutil.rmtree("metrics")
    runs.train_cell(checked, *CNN)
    assert len(trained) == 2 and files() == before and len(before) == 2


def test_the_plan_counts_splits_and_seeds():
    cells_of_two = [Cell("small", "toy", 0, "lstm_rand", method, splits=3, seeds=2) for method in ("ce", "lcm")]
    plan = train.Plan(complete=dict.fromkeys(cells_of_two[:1], []), waiting=dict.fromkeys(cells_of_two[1:], []))
    assert train.describe(plan, [], "small", 1) == ["small: 12 runs in 2 cells: 12 known, 0 to train"]


def test_a_cell_that_git_holds_is_not_trained_again_in_a_fresh_clone(workplace, params, trained, capsys):
    """The run store is empty, the result files are there; one of other runs or without curves does not count."""
    checked = runs.load(params, workplace)
    path, curves = runs.train_cell(checked, *CNN), runs.cell_path(*CNN, "curves")
    shutil.rmtree(workplace / "runs")
    before, stamp = files(), path.stat().st_mtime_ns
    runs.train_cell(checked, *CNN)
    assert len(trained) == 2 and path.stat().st_mtime_ns == stamp
    assert "small: 2 runs in 1 cell: 2 known, 0 to train" in capsys.readouterr().out

    content = json.loads(path.read_text())
    other_key, other_config, one_run = (json.loads(path.read_text()) for _ in range(3))
    other_key["runs"][1]["key"] = "of another epsilon"
    other_config["config"]["train"]["lr"] = 0.5
    del one_run["runs"][0]
    no_number = json.loads(path.read_text())
    del no_number["runs"][0]["test"]["accuracy"]
    edited = json.loads(path.read_text())
    edited["runs"][0]["test"]["accuracy"] = 0.123456  # and the confusion matrix says otherwise
    of = runs.cell(checked, *CNN)
    todo = runs.jobs.jobs_of(checked, of, "cpu")
    complete = lambda: results.is_complete(checked, of, todo, results.read_cell(of))  # noqa: E731
    assert complete()
    for text in (
        *map(json.dumps, (other_key, other_config, one_run, no_number, edited, [], {"runs": 3})),
        "half a fi",
        "",
    ):
        path.write_text(text)
        assert not complete(), text
    path.write_text(json.dumps(content))
    for text in ("", "{}"):
        curves.write_text(text)
        assert not complete(), text
    curves.write_bytes(before[curves])
    assert complete()


@pytest.mark.parametrize("fresh_clone", [False, True])
def test_going_back_to_an_alpha_restores_its_files_byte_for_byte(workplace, params, trained, fresh_clone):
    """Results in git seed the store before others take their place: nothing is trained again on the way back.

    Byte for byte also where the files say more or less than this code would write: they are older than it.
    """
    checked = with_alpha(params, workplace, 4.0)
    cell = runs.cell(checked, "lstm_rand", "lcm")
    train_cells(checked, [cell], "cpu", "small")
    for kind in ("cells", "curves"):  # of older code, with another layout
        content = json.loads(cell.path(kind).read_text())
        if kind == "cells":
            del content["runs"][0]["code"], content["runs"][1]["lcd_by_class"]
            content["note"] = "older"
        cell.path(kind).write_text(json.dumps(content, indent=3))
    if fresh_clone:
        shutil.rmtree(workplace / "runs")
    before = files()
    train_cells(with_alpha(params, workplace, 2.0), [cell], "cpu", "small")
    of_two = files()
    assert len(trained) == 4 and all(of_two[path] != content for path, content in before.items())
    for _ in range(2):
        train_cells(with_alpha(params, workplace, 4.0), [cell], "cpu", "small")
        assert files() == before and len(trained) == 4
        train_cells(with_alpha(params, workplace, 2.0), [cell], "cpu", "small")
        assert files() == of_two and len(trained) == 4


def test_files_of_one_study_never_come_back_as_those_of_another(workplace, params, trained):
    """Studies share runs: `lcm` of one, and `lcm.alpha=4` or `lcm` of another, have the same keys."""
    params["studies"]["other"] = runs.study(["toy"], ["lstm_rand"], ["lcm", "lcm.alpha=4"])

    def all_cells(checked):
        both = [cell for study in ("small", "other") for cell in cells(checked, study)]
        return [cell for cell in both if "lcm" in cell.method and cell.model == "lstm_rand"]

    checked = with_alpha(params, workplace, 4.0)
    train_cells(checked, all_cells(checked), "cpu", "both")
    assert len(all_cells(checked)) == 3 and len(trained) == 2
    before = files()
    checked = with_alpha(params, workplace, 2.0)
    train_cells(checked, all_cells(checked), "cpu", "both")
    checked = with_alpha(params, workplace, 4.0)
    train_cells(checked, all_cells(checked), "cpu", "both")
    assert files() == before and len(trained) == 4
    for cell in all_cells(checked):
        content = results.read_cell(cell)
        assert (content["study"], content["method"]) == (cell.study, cell.method)


def test_more_splits_and_seeds_train_only_what_is_new(workplace, params, trained):
    """From a file in git and an empty store: its runs are taken over."""
    runs.train_cell(runs.load(params, workplace), *CNN)
    old = runs.numbers(runs.cell_path(*CNN))
    shutil.rmtree(workplace / "runs")
    cell = runs.cell(runs.load(params, workplace), *CNN)
    results.seed_store(cell)
    params["studies"]["small"] |= {"splits": 3, "seeds": 2}
    runs.train_cell(runs.load(params, workplace), *CNN)
    assert [(job.runs[0].split, job.runs[0].seed) for job in trained[2:]] == [(2, 0), (0, 1), (1, 1), (2, 1)]
    found = {(run["split"], run["seed"]): run for run in runs.numbers(runs.cell_path(*CNN))}
    assert len(found) == 6 and [found[split, 0] for split in (0, 1)] == old
    assert found[0, 1]["test"] != found[0, 0]["test"] and found[0, 1]["key"] != found[0, 0]["key"]
    curves = json.loads(runs.cell_path(*CNN, "curves").read_text())
    assert len(curves) == 6 * 3


def test_retrain_trains_what_is_known_and_its_numbers_count(workplace, params, trained, monkeypatch):
    """Also when the cell comes back to these runs later."""
    checked = runs.load(params, workplace)
    path = runs.train_cell(checked, *CNN)
    right = path.read_bytes()
    content = json.loads(right)
    content["runs"][0]["test"]["accuracy"] = 0.123456  # of a mistake that has been corrected
    del content["runs"][0]["confusion_matrix"]
    path.write_text(json.dumps(content))
    runs.train_cell(checked, *CNN)
    assert len(trained) == 2 and runs.numbers(path)[0]["test"]["accuracy"] == 0.123456
    runs.train_cell(checked, *CNN, retrain=True)
    assert len(trained) == 4 and path.read_bytes() == right
    params["ls"]["epsilon"] = 0.3
    runs.train_cell(runs.load(params, workplace), *CNN)
    params["ls"]["epsilon"] = 0.1
    runs.train_cell(runs.load(params, workplace), *CNN)
    assert len(trained) == 6 and path.read_bytes() == right


def test_when_every_run_fails_the_committed_cell_stays(workplace, params, trained, capsys):
    checked = runs.load(params, workplace)
    path = runs.train_cell(checked, *CNN)
    before = files()
    params["train"]["lr"] = 1e38
    with pytest.raises(UserError, match="small: 1 of 1 cells could not be trained, see above$"):
        runs.train_cell(runs.load(params, workplace), *CNN)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("small toy 0 cnn_rand ls: cannot be trained: every run failed, the first with: the loss")
    assert files() == before
    params["train"]["lr"] = 0.02
    runs.train_cell(runs.load(params, workplace), *CNN)
    assert len(trained) == 4 and path.read_bytes() == before[path]


def test_a_study_does_without_the_cells_that_it_cannot_train(workplace, params, trained, monkeypatch, capsys):
    """One pool for all of it; a cell's files come as soon as it is complete."""
    params["studies"] = {
        "small": runs.study(["toy", "ag_news"], ["cnn_rand"], ["ce", "lcm"], yardsticks=["linear", "nb_window"])
    }
    checked = runs.load(params, workplace)
    there, save_run = [], store.save_run

    def saved(*record):
        there.append({path for path in files() if ".curves" not in path.name})
        save_run(*record)

    monkeypatch.setattr(store, "save_run", saved)
    with pytest.raises(UserError, match="small: 4 of 8 cells could not be trained"):
        train_cells(checked, cells(checked, "small"), "cpu", "small")
    said = capsys.readouterr()
    assert "small: 8 runs in 4 cells: 0 known, 8 to train, how long is not known (no such run is recorded)" in said.out
    assert "  only one cell of it: python pipeline/train.py small toy 0 cnn_rand ce" in said.out
    lines = said.err.splitlines()
    assert (
        len(
            [
                line
                for line in lines
                if "ag_news" in line
                and "data/corpus/ag_news/corpus.json: not found; make it with `dvc repro data/dvc.yaml:split@ag_news`"
                in line
            ]
        )
        == 4
    )
    complete = {cell.path() for cell in cells(checked, "small", "toy")}
    assert {path for path in files() if ".curves" not in path.name} == complete
    assert [len(names) for names in there] == [0, 0, 1, 1, 2, 2, 3, 3]
    accuracies = [
        run["test"]["accuracy"]
        for cell in cells(checked, "small", "toy")
        if cell.model == "linear"
        for run in runs.numbers(cell.path())
    ]
    assert min(accuracies) > 0.8 and {job.linear for job in trained} == {None, checked.linear}

    before = files()  # a cell of the study is the cell alone, and seconds tell how long the next will take
    runs.cell_path("cnn_rand", "ce").unlink()
    runs.train_cell(checked, "cnn_rand", "ce")
    assert files() == before
    shutil.rmtree(workplace / "runs")
    runs.train_cell(checked, "cnn_rand", "ls")
    assert "2 to train, about 1 minute on 1 core" in capsys.readouterr().out


@pytest.mark.parametrize(
    "known,measured,written",
    [
        (None, [4.0, 6.0], {"runs": 2, "seconds": 4.0}),
        ({"runs": 2, "seconds": 2.1}, [4.0, 6.0], None),
        ({"runs": 2, "seconds": 7.9}, [4.0, 6.0], None),
        ({"runs": 2, "seconds": 1.9}, [4.0, 6.0], {"runs": 2, "seconds": 4.0}),
        ({"runs": 2, "seconds": 8.1}, [4.0, 6.0], {"runs": 2, "seconds": 4.0}),
        ({"runs": 1, "seconds": 4.0}, [4.0, 6.0], {"runs": 2, "seconds": 4.0}),
        ({"runs": 2, "seconds": 0.0}, [0.9, 0.9], None),
        ({"runs": 2, "seconds": "4"}, [4.0, 6.0], {"runs": 2, "seconds": 4.0}),
    ],
)
def test_seconds_are_written_when_they_are_news(workplace, params, known, measured, written):
    """Or git would show a change wherever a machine is a little faster."""
    cell = runs.cell(runs.load(params, workplace), "cnn_rand", "ce")
    path = seconds_path("small", "toy")
    write_json(path, {"other": {"runs": 1, "seconds": 1.0}} | ({cell.name: known} if known else {}))
    before = path.read_bytes()
    failed = {"failed": "the loss became nan in epoch 1", "seconds": 0.1}
    results.write_seconds(cell, [*({"seconds": seconds} for seconds in measured), failed])
    assert (path.read_bytes() != before) == (written is not None)
    content = json.loads(path.read_text())
    assert content[cell.name] == (written or known) and content["other"] == {"runs": 1, "seconds": 1.0}


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 100_000])
def test_damaged_seconds_count_as_none(workplace, content):
    path = seconds_path("small", "toy")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert read_seconds("small", "toy") == {}


def test_hours_on_a_gpu_are_from_times_on_a_gpu(workplace, params, monkeypatch, capsys):
    """A GPU trains with one process, whatever the number of cores; a linear model beside it is on a core."""
    params["studies"]["small"]["yardsticks"] = ["linear"]
    params["execution"]["processes"] = 0
    checked = runs.load(params, workplace)
    monkeypatch.setattr(runs.pool, "run_jobs", lambda *arguments: None)
    both = [runs.cell(checked, "cnn_rand", "ls"), runs.cell(checked, "linear", "linear")]
    times = {"runs": 2, "seconds": 3000.0, "gpu_runs": 2, "gpu_seconds": 60.0}, {"runs": 2, "seconds": 30.0}
    write_json(seconds_path("small", "toy"), {cell.name: entry for cell, entry in zip(both, times)})
    train_cells(checked, both, "cuda", "small")
    assert "4 to train, about 3 minutes on a GPU" in capsys.readouterr().out
    of_linear = times[1] | {"gpu_runs": 2, "gpu_seconds": 1.0}  # not those of the network
    write_json(seconds_path("small", "toy"), {both[0].name: times[1], both[1].name: of_linear})
    train_cells(checked, both, "cuda", "small")
    assert "4 to train, how long is not known" in capsys.readouterr().out
    train_cells(checked, both, "cpu", "small")
    assert f"about {2 if runs.pool.workers(0, 'cpu') == 1 else 1} minute" in capsys.readouterr().out


def test_a_run_takes_as_long_as_its_own_cell_did_and_else_as_others_of_its_model(workplace, params):
    checked = runs.load(params, workplace)
    ce, lcm, ls = (runs.cell(checked, "cnn_rand", method) for method in ("ce", "lcm", "ls"))
    write_json(seconds_path("small", "toy"), {ce.name: {"seconds": 10.0}, lcm.name: {"seconds": 100.0}})
    assert [train._seconds(cell, "seconds") for cell in (ce, lcm, ls)] == [10, 100, 55]
    assert train._seconds(runs.cell(checked, "lstm_rand", "ce"), "seconds") is None


def test_a_cells_file_is_read_once_to_find_that_it_is_complete(workplace, params, trained, monkeypatch):
    """Validating the files of a thousand cells takes seconds."""
    checked = runs.load(params, workplace)
    runs.train_cell(checked, *CNN)
    read, check_cell = [], results.check_cell
    monkeypatch.setattr(results, "check_cell", lambda content: read.append(1) or check_cell(content))
    runs.train_cell(checked, *CNN)
    assert len(read) == 1 and len(trained) == 2


# Gaps


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("where", ["corpus", "splits"])
def test_a_gap_changes_no_file_is_said_once_and_stops_nothing(workplace, params, trained, capsys, where):
    checked = runs.load(params, workplace)
    runs.train_cell(checked, *CNN)  # in git, and then the data are gone
    make_gap(workplace / "data" / where / "toy", "every mirror was tried")
    before = snapshot(workplace)
    capsys.readouterr()
    plan = train_cells(checked, cells(checked, "small"), "cpu", "small toy")
    assert snapshot(workplace) == before and len(trained) == 2
    assert len(plan.gaps) == 8 and plan.kept == [runs.cell(checked, *CNN)] and not plan.broken
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("small toy: 1 cells kept from git, not checked, 7 cells not run: toy is not available; ")
    assert f"data/{where}/toy/unavailable.txt" in line

    params["execution"]["missing"] = "error"
    with pytest.raises(UserError, match="toy is not available"):
        train_cells(runs.load(params, workplace), cells(checked, "small"), "cpu", "small toy")
    assert snapshot(workplace / "metrics") == {
        path: content for path, content in before.items() if "metrics" in path.parts
    }


def test_a_cell_of_other_parameters_is_not_kept_in_a_gap(workplace, params, trained, capsys):
    runs.train_cell(runs.load(params, workplace), "lstm_rand", "lcm")
    make_gap(workplace / "data/corpus/toy", "gone")
    for alpha, kept in ((4.0, 1), (2.0, 0), (4.0, 1)):
        checked = with_alpha(params, workplace, alpha)
        assert len(train_cells(checked, [runs.cell(checked, "lstm_rand", "lcm")], "cpu", "small").kept) == kept
    params["studies"]["small"]["splits"] = 3
    checked = runs.load(params, workplace)
    assert not train_cells(checked, [runs.cell(checked, "lstm_rand", "lcm")], "cpu", "small").kept


# What is wrong with the data


def rewrite_card(folder, **changes):
    """Change what corpus.json says; its digest stays that of the files."""
    card = json.loads((folder / "corpus.json").read_text()) | changes
    card["digest"] = prepare.digest(folder, card["labels"])
    (folder / "corpus.json").write_text(json.dumps(card))


def test_missing_data_and_wrong_pairs_are_said_in_one_line(workplace, params, trained):
    def reason(model="lstm_rand", method="ls"):
        runs.forget_data()
        with pytest.raises(UserError) as caught:
            runs.jobs.jobs_of(checked, runs.cell(checked, model, method), "cpu")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    checked = runs.load(params, workplace)
    assert "model image_cnn cannot read corpus toy, which holds text" in reason("image_cnn")
    labels = workplace / "data/splits/toy/labels-0.npy"
    kept = labels.read_bytes()
    labels.unlink()
    assert reason() == "data/splits/toy/labels-0.npy: not found; make it with `dvc repro data/dvc.yaml:split@toy`"
    labels.write_bytes(kept[:300])
    assert reason().startswith("data/splits/toy/labels-0.npy: cannot be read (")
    write_array(labels, np.zeros((10, 7), np.int16))
    assert reason().startswith(
        "data/splits/toy/labels-0.npy: is of 7 samples, the corpus has 240; make it again with `"
    )
    write_array(labels, np.zeros((10, 240)))
    assert "found 2 dimensions of float64, expected 2 of int16; delete it and make it again with" in reason()
    labels.write_bytes(kept)

    write_array(workplace / "data/corpus/toy/pixels.npy", np.zeros((240, 8, 8), np.uint8))
    rewrite_card(workplace / "data/corpus/toy", kind="images")
    assert "yardsticks read texts, and corpus toy holds images" in reason("linear", "linear")
    assert "target prune needs a model of texts beside it, and toy holds images" in reason("image_cnn", "prune")


def test_labels_without_groups_have_no_group_targets(workplace, params, trained):
    rewrite_card(workplace / "data/corpus/toy", labels=["a", "b", "c", "d"])
    checked = runs.load(params, workplace)
    with pytest.raises(UserError, match="target anti_group needs labels with groups .*, and toy has none"):
        runs.jobs.jobs_of(checked, runs.cell(checked, "lstm_rand", "anti_group"), "cpu")


# The run store


GOOD = {"key": "ab12", "test": {"accuracy": 0.5}}


def test_a_damaged_record_counts_as_absent():
    store.save_run(GOOD, {"test": np.ones((2, 3), np.float16)})
    assert store.load_run("ab12") == GOOD and store.load_predictions("ab12")["test"].shape == (2, 3)
    (path,) = store.store_folder().rglob("*.json")
    text = path.read_text()
    for damaged in (
        text[:-3],
        "",
        "null",
        "[]",
        "7",
        '{"key": "ab12"}',
        '{"test": {"accuracy": 0.5}}',
        '{"key": "ff", "test": {"accuracy": 0.5}}',
        '{"key": "ab12", "test": 1}',
        '{"key": "ab12", "test": {"accuracy": 1.5}}',
        '{"key": "ab12", "test": {"accuracy": NaN}}',
        '{"key": "ab12", "test": {"accuracy": null}}',
        '{"key": "ab12", "test": {"accuracy": "0.5"}}',
        '{"key": "ab12", "failed": 3}',
        "[" * 100_000,
    ):
        path.write_text(damaged)
        assert store.load_run("ab12") is None, damaged[:60]
    path.write_bytes(b"\xff\xfe\x00")
    assert store.load_run("ab12") is None and store.load_run("ff") is None
    path.write_text('{"key": "ab12", "failed": "the loss became nan"}')
    assert store.load_run("ab12")["failed"] == "the loss became nan"
    path.with_suffix(".npz").write_bytes(b"no")
    assert store.load_predictions("ab12") is None and store.load_predictions("ff") is None
    store.save_run(GOOD, {"test": np.ones((20, 3), np.float16)})
    whole = path.with_suffix(".npz").read_bytes()
    path.with_suffix(".npz").write_bytes(whole[: len(whole) // 2])
    assert store.load_predictions("ab12") is None
    assert not list(store.store_folder().rglob("*.part*"))


def test_a_stored_array_whose_header_is_damaged_is_computed_again():
    made = []

    def make():
        made.append(1)
        return np.ones((2, 3), np.float32)

    store.remembered("features", "ab12", make)
    runs.damage_header(store.store_folder() / "features/ab12.npy")
    assert np.array_equal(store.remembered("features", "ab12", make), np.ones((2, 3))) and len(made) == 2
    store.remembered("features", "ab12", make)
    assert len(made) == 2


def test_a_record_takes_its_checkpoint_away():
    folder = store.store_folder() / "ab"
    folder.mkdir(parents=True)
    for name in ("ab12-1.pt", "ab12-3.pt", "ab34-1.pt"):
        (folder / name).touch()
    store.save_run(GOOD)
    assert {path.name for path in folder.iterdir()} == {"ab12.json", "ab34-1.pt"}


def test_what_killed_processes_left_is_gone_before_the_next_training(workplace, params, trained):
    """A checkpoint, a record, a result file: of each killed process one part, or they would pile up."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    name = f"{platform.node()}-{ended.pid}.part"
    parts = [store.store_folder() / "ab" / f".ab12-1.pt.{name}", store.store_folder() / f"held_out/.a.{ended.pid}.part"]
    parts += [runs.Path("metrics/cells/small/toy") / f".noise0-cnn_rand-ls.json.{name}"]
    for part in parts:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    runs.train_cell(runs.load(params, workplace), *CNN)
    assert not any(part.exists() for part in parts) and not list(workplace.rglob(".*.part"))


def test_a_damaged_record_is_trained_again(workplace, params, trained):
    checked = runs.load(params, workplace)
    path = runs.train_cell(checked, *CNN)
    whole = path.read_bytes()
    key = runs.numbers(path)[1]["key"]
    (store.store_folder() / key[:2] / f"{key}.json").write_text("{")
    path.unlink()
    runs.train_cell(checked, *CNN)
    assert [job.keys for job in trained[2:]] == [(key,)] and path.read_bytes() == whole
