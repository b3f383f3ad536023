"""Fleets, checkpoints and dropout: a run gives the same numbers alone, beside others, in two halves, and after kill -9."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from runs import N_LABELS, ROOT, bert_folder, cell_path, load, numbers, toy, without_time
from torch import nn

from lcm.models import dropout
from lcm.models.dropout import Dropout, next_step, seed_dropout
from lcm.params import RandomBert
from lcm.protocol.splits import make_splits
from lcm.training import cell, fleet, pool, store
from lcm.training.checkpoint import Checkpoint
from lcm.training.methods import Method
from lcm.training.run import RunData, halving, train_run, train_runs


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two on a busy machine are far slower than one
    yield
    torch.set_num_threads(threads)


def runs_of(model, n_runs=3):
    """Data of a few runs: token ids of `toy`, or images whose brightness tells the label; every run has its own split."""
    ids, _, labels = toy(120)
    rng = np.random.default_rng(0)
    images = (rng.integers(0, 100, (120, 8, 8)) + 40 * labels[:, None, None]).astype(np.uint8)
    inputs = images if model == "image_cnn" else ids.reshape(-1, 12)
    return [RunData(inputs, split, labels, labels, N_LABELS, np.array([0, 0, 1, 1])) for split in make_splits(labels, n_runs, 0.3, 0.1)]


def settings_of(params, tmp_path, model, **changes):
    checked = load(params, tmp_path)
    small = {"maxlen": 12} if model != "image_cnn" else {"channels": [3, 4], "hidden": 8}
    return checked, checked.models[model].model_copy(update=small | changes)


def assert_alike(found, expected):
    """Two records agree up to rounding: curves and losses to 1e-4, so that every accuracy is the same."""
    assert found.keys() == expected.keys()
    for name in ("test", "test_last"):
        assert found[name] == pytest.approx(expected[name], abs=1e-4)
    assert found["best_epoch"] == expected["best_epoch"] and found["confusion_matrix"] == expected["confusion_matrix"]
    for row, other in zip(found["curve"], expected["curve"], strict=True):
        assert row == pytest.approx(other, abs=1e-4)
    if "label_embedding" in found:
        np.testing.assert_allclose(found["label_embedding"], expected["label_embedding"], atol=1e-4)


def methods_of(checked):
    stopping = checked.lcm.model_copy(update={"stop_epoch": 1, "stop_resets_optimizer": True})
    return {
        "smoothing": [Method("base", epsilon=0.0), Method("ls", epsilon=0.1), Method("ls", epsilon=0.3, smooth_until=1)],
        "lcm": [Method("lcm", lcm=checked.lcm)] * 3,
        "stopping": [Method("lcm", lcm=stopping)] * 3,
    }


@pytest.mark.parametrize("kind", ["smoothing", "lcm"])
@pytest.mark.parametrize("architecture", ["bert", "albert"])
def test_a_fleet_of_berts_equals_its_runs_trained_alone(params, tmp_path, architecture, kind):
    """Dropout included; alone the columns that are pads in a whole batch are left out, in a fleet they are not."""
    checked = load(params, tmp_path)
    settings = checked.models["bert_tiny"].model_copy(update={"random": RandomBert(layers=2, hidden=64), "hidden": 8})
    folder, data = bert_folder(tmp_path, architecture), []
    for each in runs_of("lstm_rand"):
        lengths = np.random.default_rng(0).integers(1, 9, 120)  # of 12
        data.append(replace(each, inputs=np.where(np.arange(12) < lengths[:, None], each.inputs, 0).astype(np.int32), folder=folder))
    methods, seeds, train = methods_of(checked)[kind], [0, 1, 7], checked.train.model_copy(update={"epochs": 2, "lr": 1e-3})
    for found, each, method, seed in zip(train_runs(data, settings, train, methods, seeds, "cpu"), data, methods, seeds, strict=True):
        assert_alike(found, train_run(each, settings, train, method, seed, "cpu"))


@pytest.mark.parametrize("model", ["lstm_rand", "cnn_rand", "image_cnn"])
@pytest.mark.parametrize("kind", ["smoothing", "lcm", "stopping"])
def test_a_fleet_equals_its_runs_trained_alone(params, tmp_path, model, kind):
    checked, settings = settings_of(params, tmp_path, model)
    data, methods, seeds = runs_of(model), methods_of(checked)[kind], [0, 1, 7]
    together = train_runs(data, settings, checked.train, methods, seeds, "cpu")
    assert together[0]["curve"] != together[1]["curve"]
    for found, *run in zip(together, data, methods, seeds, strict=True):
        each, method, seed = run
        assert_alike(found, train_run(each, settings, checked.train, method, seed, "cpu"))


@pytest.mark.parametrize("n_runs", [1, 2])
@pytest.mark.parametrize("model", ["lstm_rand", "cnn_rand", "image_cnn", "bert"])
def test_bf16_rounds_the_predictors_products_and_nothing_else(params, tmp_path, model, n_runs):
    """The losses differ, by bf16's rounding at the most; weights, target distributions and losses stay in float32."""
    if model == "bert":
        checked = load(params, tmp_path)
        settings = checked.models["bert_tiny"].model_copy(update={"random": RandomBert(layers=2, hidden=64), "hidden": 8})
        data = [replace(each, folder=bert_folder(tmp_path, "bert")) for each in runs_of("lstm_rand", n_runs)]
    else:
        checked, settings = settings_of(params, tmp_path, model)
        data = runs_of(model, n_runs)
    train, methods, seeds = checked.train.model_copy(update={"epochs": 1, "lr": 1e-4}), [Method("lcm", lcm=checked.lcm)] * n_runs, list(range(n_runs))
    types, real = set(), fleet.lcm_loss if n_runs == 1 else torch.xlogy

    def watched(*tensors):
        types.update(tensor.dtype for tensor in tensors)
        return real(*tensors)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*((fleet, "lcm_loss") if n_runs == 1 else (torch, "xlogy")), watched)
        rounded = train_runs(data, settings, train, methods, seeds, "cpu", precision="bf16")
    assert types == {torch.float32}
    for found, exact in zip(rounded, train_runs(data, settings, train, methods, seeds, "cpu"), strict=True):
        loss, expected = found["curve"][0]["train_loss"], exact["curve"][0]["train_loss"]
        assert loss != expected and loss == pytest.approx(expected, rel=0.02)


def test_masked_lstms_and_vocabularies_of_their_own(params, tmp_path):
    """Pads are skipped in a fleet too, and runs may read different ids for the same documents."""
    checked, settings = settings_of(params, tmp_path, "lstm_rand", mask=True)
    data = []
    for r, each in enumerate(runs_of("lstm_rand")):
        inputs = np.where(np.arange(12) < np.arange(120)[:, None] % 13, 0, (each.inputs + r) % 40).astype(np.int32)  # 0 to 12 pads
        data.append(RunData(inputs, each.assignment, each.fit_labels, each.labels, N_LABELS, each.groups))
    methods, seeds = [Method("base", epsilon=0.0)] * 3, [0, 1, 2]
    for found, each, seed in zip(train_runs(data, settings, checked.train, methods, seeds, "cpu"), data, seeds, strict=True):
        assert_alike(found, train_run(each, settings, checked.train, methods[0], seed, "cpu"))


@pytest.mark.parametrize("kind", ["smoothing", "lcm"])
def test_a_run_that_diverges_says_so_and_leaves_the_others_alone(params, tmp_path, monkeypatch, kind):
    checked, settings = settings_of(params, tmp_path, "lstm_rand")
    data, methods = runs_of("lstm_rand"), methods_of(checked)[kind]
    healthy = train_runs(data, settings, checked.train, methods, [0, 1, 2], "cpu")
    train_epoch, epochs = fleet.Fleet.train_epoch, []

    def poisoned(self, order):
        epochs.append(order)
        if len(epochs) == 2:
            with torch.no_grad():
                self.weights["predictor.output.weight"][1] = float("nan")
        return train_epoch(self, order)

    monkeypatch.setattr(fleet.Fleet, "train_epoch", poisoned)
    found = train_runs(data, settings, checked.train, methods, [0, 1, 2], "cpu")
    assert found[1]["failed"].startswith("the loss became nan in epoch 2 (lstm") and "seed 1, lr 0.02" in found[1]["failed"]
    assert [without_time(found[r]) for r in (0, 2)] == [without_time(healthy[r]) for r in (0, 2)]


def test_the_jobs_of_a_cell_gather_to_fleets(workplace, params):
    """Smoothing of any strength trains together, LCM apart; on a CPU every run is alone unless execution.fleet says otherwise."""
    for size, arm, device, sizes in [
        (0, "ls", "cpu", [1, 1, 1, 1]), (0, "ls", "cuda", [4]), (0, "lcm", "cuda", [2, 2]), (3, "ls", "cpu", [3, 1]), (1, "ls", "cuda", [1, 1, 1, 1]),
    ]:  # fmt: skip
        jobs = cell.cell_jobs(load(params, workplace), "small", "toy", 0, "lstm_rand", arm, "cpu")
        fleets = pool.fleets(jobs, size, device)
        assert [len(pool.runs_of(job)) for job in fleets] == sizes
        assert sorted(run["key"] for job in fleets for run in pool.runs_of(job)) == sorted(job["key"] for job in jobs)
    whole = cell.run_job(jobs[0] | {"members": jobs})  # from jobs to records, in order
    for job, record in zip(jobs, whole, strict=True):
        assert_alike(record, cell.run_job(job)[0])


def test_out_of_memory_halves_the_fleet(params, tmp_path, monkeypatch, capsys):
    checked, settings = settings_of(params, tmp_path, "cnn_rand")
    data, method = runs_of("cnn_rand", 5), Method("base", epsilon=0.0)
    train_epoch = fleet.Fleet.train_epoch

    def small_card(self, order):
        if self.n_runs > 2:
            raise torch.OutOfMemoryError("no room")
        return train_epoch(self, order)

    def train(seeds):
        return train_runs([data[seed] for seed in seeds], settings, checked.train, [method] * len(seeds), seeds, "cpu")

    whole = train([0, 1, 2, 3, 4])
    monkeypatch.setattr(fleet.Fleet, "train_epoch", small_card)
    for found, expected in zip(halving(train, [0, 1, 2, 3, 4]), whole, strict=True):
        assert_alike(found, expected)
    assert [line for line in capsys.readouterr().err.splitlines()] == [
        "out of GPU memory with 5 runs at once; going on with 2 and 3",
        "out of GPU memory with 3 runs at once; going on with 1 and 2",
    ]


def test_without_a_cuda_graph_the_steps_are_the_same(params, tmp_path, monkeypatch, capsys):
    """A capture that fails is said once and costs nothing but time. (That one succeeds is for a machine with a GPU to see.)"""
    checked, settings = settings_of(params, tmp_path, "cnn_rand")
    data, methods = runs_of("cnn_rand"), [Method("base", epsilon=0.0)] * 3
    expected = train_runs(data, settings, checked.train, methods, [0, 1, 2], "cpu")

    class Stream:
        def wait_stream(self, other): ...

    def refused(graph):
        raise RuntimeError("operation not permitted when stream is capturing")

    init = fleet.Fleet.__init__
    monkeypatch.setattr(fleet.Fleet, "__init__", lambda self, *arguments: (init(self, *arguments), setattr(self, "captures", True))[0])
    fakes = {"Stream": Stream, "current_stream": Stream, "stream": lambda _: nullcontext(), "CUDAGraph": object, "graph": refused}
    for name, value in fakes.items():
        monkeypatch.setattr(torch.cuda, name, value)
    found = train_runs(data, settings, checked.train, methods, [0, 1, 2], "cpu")
    assert [without_time(run) for run in found] == [without_time(run) for run in expected]
    said = capsys.readouterr().err
    assert said == "no CUDA graph (operation not permitted when stream is capturing); going on without, more slowly\n"


def interrupted(monkeypatch, after, train):
    """Call train() and let it die when the `after`-th epoch begins."""
    train_epoch, epochs = fleet.Fleet.train_epoch, []

    def dying(self, order):
        epochs.append(order)
        if len(epochs) == after:
            raise KeyboardInterrupt
        return train_epoch(self, order)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fleet.Fleet, "train_epoch", dying)
        train()


@pytest.mark.parametrize("n_runs", [1, 3])
@pytest.mark.parametrize("model,kind,train", [
    ("image_cnn", "lcm", {}),
    ("lstm_rand", "stopping", {}),
    ("cnn_rand", "smoothing", {"warmup_steps": 9, "decay_end_step": 20, "restart_epoch": 1}),
])  # fmt: skip
def test_a_resumed_training_is_the_same_bit_for_bit(params, tmp_path, monkeypatch, n_runs, model, kind, train):
    params["train"]["epochs"] = 6
    checked, settings = settings_of(params, tmp_path, model)
    methods = methods_of(checked)[kind][:n_runs]
    data, seeds = runs_of(model, n_runs), list(range(n_runs))
    point = Checkpoint(tmp_path, [f"ab{seed}" for seed in seeds], 2)

    def train_on(**rest):
        return train_runs(data, settings, checked.train.model_copy(update=train), methods, seeds, "cpu", **rest)

    whole = train_on()
    interrupted(monkeypatch, 4, lambda: train_on(checkpoint=point))
    epochs = []
    found = train_on(checkpoint=point, on_epoch=lambda: epochs.append(1))
    assert [without_time(run) for run in found] == [without_time(run) for run in whole] and len(epochs) == 6
    assert torch.load(point.path, weights_only=True)["state"]["loop"]["epoch"] == 4  # the last epoch needs none
    store.save_run("ab1", {}), store.save_run("ab0", {})
    assert point.path.exists()  # not in the store of these records


def test_broken_and_foreign_checkpoints_are_ignored_with_a_line(tmp_path, capsys):
    point = Checkpoint(tmp_path, ["ab12", "cd34"], 1)
    assert point.load("cpu") is None and capsys.readouterr().err == ""
    point.save({"epoch": 1, "x": torch.ones(2)})
    assert point.load("cpu")["x"].tolist() == [1, 1] and os.listdir(point.path.parent) == ["ab12-2.pt"]
    other = Checkpoint(tmp_path, ["ab12", "ff00"], 1)
    assert other.load("cpu") is None and "is of other runs; ignored" in capsys.readouterr().err
    for content in (b"", point.path.read_bytes()[:100], b"not a checkpoint"):
        point.path.write_bytes(content)
        assert point.load("cpu") is None
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "ab12-2.pt: cannot be read" in said
    torch.save({"keys": point.keys, "state": Path("code")}, point.path)  # an object: never unpickled
    assert point.load("cpu") is None and "cannot be read" in capsys.readouterr().err


def test_a_run_killed_in_its_middle_goes_on_from_its_checkpoint(workplace, params):
    """kill -9 of everything once a checkpoint is there; the second start ends with the numbers of an uninterrupted cell."""
    params["train"]["epochs"] = 40
    params["studies"]["small"]["splits"] = 1
    params["execution"] |= {"processes": 1, "checkpoint_epochs": 3}
    (workplace / "params.yaml").write_text(yaml.safe_dump(params))
    command = [sys.executable, str(ROOT / "pipeline/train.py"), "small", "toy", "0", "lstm_rand", "lcm"]

    def start(run_store):
        environment = os.environ | {"LCM_RUN_STORE": str(run_store), "PYTHONPATH": str(ROOT / "src")}
        return subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    assert start(workplace / "whole").wait(120) == 0
    whole = numbers(cell_path("lstm_rand", "lcm"))
    assert not list((workplace / "whole").rglob("*.pt")) and len(list((workplace / "whole").rglob("*.json"))) == 2
    cell_path("lstm_rand", "lcm").unlink()

    broken = workplace / "broken"
    process = start(broken)
    deadline = time.time() + 60
    while not list(broken.rglob("*.pt")) and time.time() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (left,) = broken.rglob("*-1.pt")
    assert 3 <= torch.load(left, weights_only=True)["state"]["loop"]["epoch"] < 40 and not list(broken.rglob("*.json"))

    # The checkpoint is what the run goes on from: marked, its mark is in the result.
    content = torch.load(left, weights_only=True)
    content["state"]["loop"]["seconds"] = 5000.0
    torch.save(content, left)
    assert start(broken).wait(120) == 0
    assert numbers(cell_path("lstm_rand", "lcm")) == whole
    resumed = json.loads((broken / left.parent.name / f"{left.stem.removesuffix('-1')}.json").read_text())
    assert resumed["seconds"] > 5000 and not list(broken.rglob("*.pt"))


class Noise(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Dropout(0.25), Dropout(0.25)

    def forward(self, inputs):
        return self.first(inputs), self.second(inputs)


def drops(seed, steps=0, shape=(40, 50)):
    module = Noise()
    seed_dropout(module, seed)
    for _ in range(steps):
        next_step(module, dict(module.named_buffers()))
    return [each == 0 for each in module(torch.ones(shape))]


def test_dropout_is_a_function_of_seed_step_layer_and_place():
    masks = {(seed, step, layer): mask for seed in (0, 1, 2) for step in (0, 1, 9) for layer, mask in enumerate(drops(seed, step))}
    for one, mask in masks.items():
        assert mask.float().mean().item() == pytest.approx(0.25, abs=0.04), one  # 4 standard deviations
        assert torch.equal(mask, drops(*one[:2])[one[2]])
        for other, second in masks.items():
            if one != other:  # independent: both drop in 1/16 of the places, shifted copies would drop together
                for shift in (0, 1, 50):
                    assert (mask.flatten() & second.flatten().roll(shift)).float().mean().item() == pytest.approx(1 / 16, abs=0.03)
    assert torch.equal(drops(0, shape=(40, 30))[0], drops(0)[0][:, :30])  # columns left out change nothing
    kept = Dropout(0.25)(torch.ones(1000))
    assert kept.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert torch.equal(Dropout(0.25).eval()(torch.ones(9)), torch.ones(9))


def test_a_cpu_drops_in_blocks_what_it_drops_at_once(monkeypatch):
    whole = drops(4, shape=(7, 3, 50))
    for block in (1, 60, 149):  # less than a row, a row, not a divisor
        monkeypatch.setattr(dropout, "BLOCK", block)
        assert all(torch.equal(one, other) for one, other in zip(whole, drops(4, shape=(7, 3, 50)), strict=True))


def test_dropped_rows_and_columns_look_random():
    """No row or column of a mask is far from p: the shares' variance is that of independent draws."""
    mask = drops(5, 3, (400, 400))[0].float()
    for shares in (mask.mean(0), mask.mean(1)):
        assert shares.var().item() == pytest.approx(0.25 * 0.75 / 400, rel=0.3)


def test_versions_are_per_encoder(monkeypatch):
    """image_cnn's dropout changed its numbers; the keys of what did not change are the keys of before."""
    assert store.run_key({"model": {"encoder": "lstm"}, "seed": 0}) == "e872cda6913d2ec70d53a76ede0f0db4"
    assert store.run_key({"model": None, "seed": 0}) == "cff939008a905cab1fad0d918b44f344"
    image = store.run_key({"model": {"encoder": "image_cnn"}})
    monkeypatch.setattr(store, "ALGORITHM", {})
    assert store.run_key({"model": {"encoder": "image_cnn"}}) != image
