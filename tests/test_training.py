"""Runs, cells and the store: on a small made-up corpus that a model can learn in seconds."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
import yaml
from runs import N_LABELS, ROOT, cell_path, load, numbers, toy, without_time

from lcm.errors import UserError
from lcm.files import write_array
from lcm.params import load_params
from lcm.protocol.splits import TEST, TRAIN, make_splits
from lcm.training import cell, store
from lcm.training.methods import Method, methods
from lcm.training.run import RunData, train_run

def run_data(noise=None):
    ids, _, labels = toy()
    splits = make_splits(labels, 1, 0.3, 0.1)
    return RunData(ids.reshape(-1, 12), splits[0], labels if noise is None else noise, labels, N_LABELS, np.array([0, 0, 1, 1]))


@pytest.mark.parametrize("model", ["lstm_rand", "cnn_rand"])
@pytest.mark.parametrize("arm", ["ls", "lcm"])
def test_every_method_learns_and_a_seed_fixes_every_bit(params, tmp_path, model, arm):
    params["models"][model]["maxlen"] = 12
    checked = load(params, tmp_path)
    train = checked.train.model_copy(update={"epochs": 8})
    for method in methods(checked, arm, N_LABELS):
        record = train_run(run_data(), checked.models[model], train, method, seed=1, device="cpu")
        assert record["test"]["accuracy"] > 0.8, method  # chance is 0.25
        again = train_run(run_data(), checked.models[model], train, method, seed=1, device="cpu")
        assert without_time(record) == without_time(again)
        other = train_run(run_data(), checked.models[model], train, method, seed=2, device="cpu")
        assert record["curve"] != other["curve"]


def test_lcm_or_smoothing_stopped_at_once_is_cross_entropy_bit_for_bit(params, tmp_path):
    """All methods of a seed start from the same predictor and see the samples in the same order; only the target differs."""
    checked = load(params, tmp_path)
    model = checked.models["lstm_rand"].model_copy(update={"maxlen": 12})
    stopped = Method("lcm", lcm=checked.lcm.model_copy(update={"stop_epoch": 0}))
    base = train_run(run_data(), model, checked.train, Method("base", epsilon=0.0), 0, "cpu")
    smoothed = Method("ls", epsilon=0.3, smooth_until=0)
    for method in (stopped, smoothed):
        assert without_time(train_run(run_data(), model, checked.train, method, 0, "cpu")) == without_time(base)
    plain = train_run(run_data(), model, checked.train, Method("lcm", lcm=checked.lcm), 0, "cpu")
    assert plain["curve"][0]["train_loss"] != base["curve"][0]["train_loss"]


def test_after_the_stop_epoch_the_loss_is_cross_entropy(params, tmp_path):
    checked = load(params, tmp_path)
    model = checked.models["lstm_rand"].model_copy(update={"maxlen": 12})
    curves = {}
    for resets in (False, True):
        lcm = checked.lcm.model_copy(update={"stop_epoch": 2, "stop_resets_optimizer": resets})
        curves[resets] = train_run(run_data(), model, checked.train, Method("lcm", lcm=lcm), 0, "cpu")["curve"]
        assert ["lcd_entropy" in row for row in curves[resets]] == [True, True, False]
    assert curves[False][:2] == curves[True][:2] and curves[False][2] != curves[True][2]
    whole, stopped = (
        train_run(run_data(), model, checked.train, Method("ls", 0.3, smooth_until=until), 0, "cpu")["curve"] for until in (None, 2)
    )
    assert whole[:2] == stopped[:2] and whole[2]["train_loss"] > stopped[2]["train_loss"]  # a smoothed target has entropy, a label has none


def test_a_restart_gives_every_method_what_the_stop_gives_lcm(params, tmp_path):
    """restart_epoch: the same run up to it, a fresh optimiser and schedule after it; for LCM at its stop it is stop_resets_optimizer."""
    checked = load(params, tmp_path)
    model = checked.models["lstm_rand"].model_copy(update={"maxlen": 12})
    plain = checked.train.model_copy(update={"warmup_steps": 5})
    restarted = plain.model_copy(update={"restart_epoch": 2})
    base = Method("base", epsilon=0.0)
    without, with_restart = (train_run(run_data(), model, train, base, 0, "cpu")["curve"] for train in (plain, restarted))
    assert without[:2] == with_restart[:2] and without[2] != with_restart[2]
    stops, resets = (checked.lcm.model_copy(update={"stop_epoch": 2, "stop_resets_optimizer": resets}) for resets in (False, True))
    of_stop = train_run(run_data(), model, plain, Method("lcm", lcm=resets), 0, "cpu")["curve"]
    assert of_stop == train_run(run_data(), model, restarted, Method("lcm", lcm=stops), 0, "cpu")["curve"]


def test_the_test_part_chooses_nothing(params, tmp_path):
    """Scrambled test labels change the test numbers and not one number of the training curve."""
    checked = load(params, tmp_path)
    model = checked.models["lstm_rand"].model_copy(update={"maxlen": 12})
    data = run_data()
    scrambled = data.labels.copy()
    scrambled[data.assignment == TEST] = (scrambled[data.assignment == TEST] + 1) % N_LABELS
    other = RunData(data.inputs, data.assignment, np.where(data.assignment == TEST, scrambled, data.fit_labels), scrambled, N_LABELS, data.groups)
    a, b = (train_run(each, model, checked.train, Method("base", epsilon=0.0), 0, "cpu") for each in (data, other))
    assert a["curve"] == b["curve"] and a["best_epoch"] == b["best_epoch"] and a["test"] != b["test"]


def test_a_diverging_run_says_so(params, tmp_path):
    checked = load(params, tmp_path)
    model = checked.models["cnn_rand"].model_copy(update={"maxlen": 12})
    wild = checked.train.model_copy(update={"lr": 1e38})
    record = train_run(run_data(), model, wild, Method("base", epsilon=0.0), 0, "cpu")
    assert "in epoch" in record["failed"] and "test" not in record


def test_a_cell_equals_its_runs_trained_alone(workplace):
    params = load_params()
    cell.train_cell(params, "small", "toy", 0, "lstm_rand", "lcm", "cpu")
    found = numbers(cell_path("lstm_rand", "lcm"))
    assert set(found) == {"lcm", "ls_matched"} and all(len(runs) == 2 for runs in found.values())
    data, splits, fit_labels = cell.load_data("toy", 0)
    settings = params.models["lstm_rand"]
    inputs = cell.text_inputs(data, splits[1] == TRAIN, settings.vocabulary_size, settings.maxlen, "pre", "pre", "all")
    alone = train_run(
        RunData(inputs, splits[1], fit_labels[1], np.asarray(data.labels), N_LABELS, np.array([0, 0, 1, 1])),
        settings, params.train, methods(params, "lcm", N_LABELS)[0], seed=1, device="cpu",
    )  # fmt: skip
    for name, value in alone["test"].items():
        assert found["lcm"][1]["test"][name] == pytest.approx(value, abs=1e-6)
    curves = json.loads((Path("metrics/curves/small") / cell_path("lstm_rand", "lcm").name).read_text())
    assert [row["epoch"] for row in curves if row["method"] == "lcm" and row["split"] == 1] == [1, 2, 3]


def test_what_is_in_the_store_is_not_trained_again_and_gives_the_same_bytes(workplace, monkeypatch):
    params = load_params()
    cell.train_cell(params, "small", "toy", 0, "cnn_rand", "ls", "cpu")
    before = cell_path("cnn_rand", "ls").read_bytes()
    cell_path("cnn_rand", "ls").unlink()
    trained = []
    monkeypatch.setattr(cell.pool, "run_jobs", lambda work, jobs, *rest: trained.extend(jobs))
    cell.train_cell(params, "small", "toy", 0, "cnn_rand", "ls", "cpu")
    assert not trained and cell_path("cnn_rand", "ls").read_bytes() == before


def test_a_cell_that_git_holds_is_not_trained_again_in_a_fresh_clone(workplace, monkeypatch, capsys):
    """There the run store is empty and the result files are there. A file of other runs, or without its curves, does not count."""
    params = load_params()
    cell.train_cell(params, "small", "toy", 0, "cnn_rand", "ls", "cpu")
    shutil.rmtree(os.environ["LCM_RUN_STORE"])
    trained = []
    monkeypatch.setattr(cell.pool, "run_jobs", lambda work, jobs, *rest: trained.extend(jobs))
    cell.train_cell(params, "small", "toy", 0, "cnn_rand", "ls", "cpu")
    assert not trained and "toy-noise0-cnn_rand-ls: all 4 runs are in metrics/cells/small; nothing to train" in capsys.readouterr().out
    jobs = cell.cell_jobs(params, "small", "toy", 0, "cnn_rand", "ls", "cpu")
    path = cell_path("cnn_rand", "ls")
    content = json.loads(path.read_text())
    content["methods"]["ls"]["runs"][1]["key"] = "of another epsilon"
    assert cell.is_complete("small", "toy", 0, "cnn_rand", "ls", jobs)
    path.write_text(json.dumps(content))
    assert not cell.is_complete("small", "toy", 0, "cnn_rand", "ls", jobs)
    path.write_text("half a fi")
    assert not cell.is_complete("small", "toy", 0, "cnn_rand", "ls", jobs)
    monkeypatch.setattr(cell.pool, "run_jobs", mock.Mock(side_effect=UserError("no memory")))
    with pytest.raises(UserError, match="no memory"):
        cell.train_cell(params, "small", "toy", 0, "cnn_rand", "ls", "cpu")
    assert not path.exists()  # DVC leaves it there, and what it held is of other runs


def test_verify_trains_a_cell_again_and_changes_nothing(workplace):
    def verify(*options):
        command = [sys.executable, str(ROOT / "pipeline/verify.py"), "small", "toy", "0", "cnn_rand", "ls", *options]
        return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True)

    cell.train_cell(load_params(), "small", "toy", 0, "cnn_rand", "ls", "cpu")
    path = cell_path("cnn_rand", "ls")
    content = json.loads(path.read_text())
    content["methods"]["base"]["runs"][0]["test"]["accuracy"] -= 0.25  # not what was measured
    path.write_text(json.dumps(content))
    held = {file: file.read_bytes() for file in sorted(Path().rglob("*")) if file.is_file()}
    shown = [line.split()[:5] for line in verify("--splits", "1").stdout.splitlines()]
    true = 100 * content["methods"]["base"]["runs"][0]["test"]["accuracy"] + 25
    assert ["base", "0", f"{true - 25:.2f}", f"{true:.2f}", "+25.00"] in shown
    assert [line[4] for line in shown if line[0] == "ls"] == ["+0.00"] and len(shown) == 4
    assert {file: file.read_bytes() for file in sorted(Path().rglob("*")) if file.is_file()} == held
    content["methods"]["ls"]["runs"][1]["key"] = "of another epsilon"
    path.write_text(json.dumps(content))
    assert "ls of split 1 is not there, or is of other data or parameters" in verify().stderr and verify("--splits", "1").returncode == 0


def test_keys_know_everything_that_determines_a_run_and_nothing_else(workplace, params):
    def keys(change=lambda content: None, arm="lcm"):
        content = yaml.safe_load(yaml.safe_dump(params))
        change(content)
        checked = load(content, workplace)
        jobs = cell.cell_jobs(checked, "small", "toy", 0, "lstm_rand", arm, "cpu")
        return {(job["method"], job["split"]): job["key"] for job in jobs}

    start = keys()
    assert len(set(start.values())) == 4
    for change in (
        lambda content: content["train"].update(lr=0.03),
        lambda content: content["models"]["lstm_rand"].update(hidden=9),
        lambda content: content["models"]["lstm_rand"].update(train={"epochs": 4}),
        lambda content: content["lcm"].update(alpha=2.0),
    ):
        assert not set(keys(change).values()) & set(start.values())
    for change in (
        lambda content: content["ls"].update(epsilon=0.2),
        lambda content: content["models"]["cnn_rand"].update(filters=9),
        lambda content: content["execution"].update(processes=1),
    ):
        assert keys(change) == start
    write_array(workplace / "data/noise/toy/0.npy", 3 - np.load(workplace / "data/noise/toy/0.npy"))
    cell.load_data.cache_clear()
    assert not set(keys().values()) & set(start.values())


def start(run_store, *arguments):
    """A training stage in a process group of its own, as a terminal starts one."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "pipeline/train.py"), *arguments],
        env=os.environ | {"LCM_RUN_STORE": str(run_store), "PYTHONPATH": str(ROOT / "src")},
        start_new_session=True,
        # A shell starts `pytest &` with SIGINT ignored, which programs inherit and which Python leaves so, as it should.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition):
    deadline = time.time() + 60
    while not condition() and time.time() < deadline:
        time.sleep(0.01)
    assert condition()


@pytest.fixture
def long_cell(workplace, params):
    """Parameters of a cell of twenty runs: whoever wants to stop it has the time of nineteen. Returns the arguments of its stage."""
    params["studies"]["small"]["splits"] = 10
    params["train"] |= {"epochs": 20, "batch_size": 32}
    params["execution"]["processes"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(params))
    return "small", "toy", "0", "cnn_rand", "ls"


def test_a_killed_cell_goes_on_where_it_stopped(workplace, long_cell):
    """kill -9 of the stage after the first run: its workers end too, the second start trains the rest and equals an uninterrupted cell."""
    cell.train_cell(load_params(), "small", "toy", 0, "cnn_rand", "ls", "cpu")
    whole = numbers(cell_path("cnn_rand", "ls"))
    cell_path("cnn_rand", "ls").unlink()

    broken = workplace / "broken"
    process = start(broken, *long_cell)
    others = lambda: [pid for pid in os.listdir("/proc") if pid.isdigit() and _in_group(int(pid), process.pid)]  # noqa: E731
    wait_for(lambda: list(broken.glob("*/*.json")))
    assert len(others()) >= 3  # the stage, the fork server, a worker
    process.kill()
    process.wait()
    wait_for(lambda: not others())
    finished = {path: path.stat().st_mtime_ns for path in broken.glob("*/*.json")}
    assert 1 <= len(finished) < 20 and not cell_path("cnn_rand", "ls").exists()

    assert start(broken, *long_cell).wait(120) == 0
    assert numbers(cell_path("cnn_rand", "ls")) == whole
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in finished.items())


def test_ctrl_c_is_one_line_and_keeps_what_had_finished(workplace, long_cell):
    process = start(workplace / "kept", *long_cell)
    wait_for(lambda: list((workplace / "kept").glob("*/*.json")))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and said.splitlines()[-1].startswith("Interrupted. Finished runs are saved")
    assert "Traceback" not in said
    assert list((workplace / "kept").glob("*/*.json")) and not cell_path("cnn_rand", "ls").exists()


def _in_group(pid, group):
    try:
        return os.getpgid(pid) == group and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_missing_data_and_wrong_pairs_are_said_in_one_line(workplace):
    params = load_params()
    Path("data/noise/toy/0.npy").rename("data/noise/toy/1.npy")
    cell.load_data.cache_clear()
    with pytest.raises(UserError, match=r"data/noise/toy/0.npy: not found; make it with `dvc repro data/dvc.yaml:split@toy`"):
        cell.train_cell(params, "small", "toy", 0, "lstm_rand", "ls", "cpu")
    Path("data/noise/toy/1.npy").rename("data/noise/toy/0.npy")
    with pytest.raises(UserError, match="image_cnn cannot read corpus toy, which holds text"):
        cell.train_cell(params, "small", "toy", 0, "image_cnn", "ls", "cpu")
    write_array(Path("data/splits/toy/splits.npy"), np.zeros((10, 7), np.uint8))
    cell.load_data.cache_clear()
    with pytest.raises(UserError, match="is for 7 samples, the corpus has 240"):
        cell.train_cell(params, "small", "toy", 0, "lstm_rand", "ls", "cpu")


def test_when_every_run_fails_the_stage_fails(workplace, params):
    params["train"]["lr"] = 1e38
    with pytest.raises(UserError, match="every run failed"):
        cell.train_cell(load(params, workplace), "small", "toy", 0, "cnn_rand", "ls", "cpu")


def test_a_study_is_one_pool_and_does_without_the_cells_that_it_cannot_train(workplace, params, monkeypatch, capsys):
    """A cell's files come as soon as it is complete; a missing corpus is one line a cell."""
    params["studies"]["small"]["splits"] = 1
    params["studies"]["small"]["text"]["corpora"] = ["toy", "ag_news"]
    params["studies"]["small"]["text"]["models"] = ["cnn_rand"]
    Path("params.yaml").write_text(yaml.safe_dump(params))
    pools, there = [], {}
    run_jobs, save_run = cell.pool.run_jobs, store.save_run

    def one_pool(work, jobs, *rest):
        pools.append([(job["model"], job["method"]) for job in jobs])
        run_jobs(work, jobs, *rest)

    def saved(key, record):
        there[key] = {path.stem for path in Path("metrics/cells/small").glob("*.json")}
        save_run(key, record)

    monkeypatch.setattr(cell.pool, "run_jobs", one_pool)
    monkeypatch.setattr(store, "save_run", saved)
    with pytest.raises(UserError, match="small: 3 of 6 cells could not be trained"):
        cell.train_study(load_params(), "small", "cpu")
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if line.startswith("ag_news-noise0-") and "data/noise/ag_news/0.npy: not found" in line]) == 3
    assert sorted(pools[0]) == sorted([("cnn_rand", name) for name in ("base", "ls", "lcm", "ls_matched")] + [("linear", "linear"), ("linear", "linear_window")])
    complete = {"toy-noise0-cnn_rand-ls", "toy-noise0-cnn_rand-lcm", "toy-noise0-linear"}
    assert {path.stem for path in Path("metrics/cells/small").glob("*.json")} == complete
    assert [len(names) for names in there.values()] == sorted(len(names) for names in there.values()) and there.popitem()[1] < complete

    ls = cell_path("cnn_rand", "ls").read_bytes()  # a cell of the study is the cell alone
    cell_path("cnn_rand", "ls").unlink()
    cell.train_cell(load_params(), "small", "toy", 0, "cnn_rand", "ls", "cpu")
    assert cell_path("cnn_rand", "ls").read_bytes() == ls and not pools[1]


def test_linear_learns_and_its_window_sees_less(workplace):
    cell.train_cell(load_params(), "small", "toy", 0, "linear", "linear", "cpu")
    found = json.loads((Path("metrics/cells/small") / "toy-noise0-linear.json").read_text())["methods"]
    assert set(found) == {"linear", "linear_window"}
    assert all(run["test"]["accuracy"] > 0.8 for run in found["linear"]["runs"])


def test_a_broken_record_counts_as_absent():
    store.save_run("ab12", {"test": 1})
    assert store.load_run("ab12") == {"test": 1}
    path = next(store.store_folder().rglob("*.json"))
    path.write_text('{"test": 1')
    assert store.load_run("ab12") is None and store.load_run("ff") is None
    assert not list(store.store_folder().rglob("*.part"))


def test_a_fitted_vocabulary_of_the_training_part(workplace, params):
    params["models"]["lstm_rand"] |= {"vocabulary_fit": "train", "vocabulary_size": 10}
    cell.train_cell(load(params, workplace), "small", "toy", 0, "lstm_rand", "ls", "cpu")
    data, splits, _ = cell.load_data("toy", 0)
    train = splits[0] == TRAIN
    window = cell.text_inputs(data, train, 10, 14, "pre", "pre", "train")
    counts = np.bincount(np.asarray(data.ids).reshape(-1, 12)[train].ravel(), minlength=40)
    frequent = set(np.argsort(-counts[1:], kind="stable")[:9] + 1)
    assert (window > 0).sum() == np.isin(data.ids, list(frequent)).sum()


def test_workers_have_one_thread_each():
    """The pool's environment reaches the workers before they load a BLAS."""
    records = []
    job = {"key": "t", "arm": "ls", "device": "cpu", "epochs": 1, "params": {"execution": {"precision": "bf16"}}}
    cell.pool.run_jobs(report_threads, [job], 1, "cpu", "threads", records.append)
    assert records[0]["threads"] == [1, "1"] and records[0]["device"] == f"cpu ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, bf16)"


def report_threads(job):
    return [{"threads": [torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]]}]
