"""Fleets, checkpoints, dropout: a run gives the same numbers alone, beside others, in two halves, and after kill -9."""

import json
import os
import shutil
import signal
import threading
from contextlib import nullcontext

import numpy as np
import pytest
import runs
import torch
from torch import nn

from lcm.errors import UserError
from lcm.models import dropout
from lcm.models.dropout import Dropout, next_step, seed_dropout
from lcm.targets.ce import CrossEntropy
from lcm.targets.lcm import LabelConfusion
from lcm.training import fleet, jobs, run, store
from lcm.training.checkpoint import Checkpoint
from lcm.training.run import halving

METHODS = {"ls": "ls.epsilon=0.3,stop_epoch=1", "lcm": "lcm", "stopping": "lcm.stop_epoch=1,stop_resets_optimizer=true"}
SEEDS = [0, 1, 7]


@pytest.mark.parametrize("method", ["ls", "lcm"])
@pytest.mark.parametrize("architecture", ["bert", "albert"])
def test_a_fleet_of_berts_equals_its_runs_trained_alone(tmp_path, architecture, method):
    """Dropout included; alone the columns that are pads in a whole batch are left out, in a fleet they are not."""
    data = []
    for each in runs.noisy_runs("bert", 3, folder=runs.bert_folder(tmp_path, architecture)):
        lengths = np.random.default_rng(0).integers(1, 9, 60)  # of 12
        data.append(
            runs.changed(each, inputs=np.where(np.arange(12) < lengths[:, None], each.inputs, 0).astype(np.int32))
        )
    changes = {"random": {"layers": 2, "hidden": 64}, "epochs": 2, "lr": 1e-3}
    together = runs.train("bert", data, method, SEEDS, **changes)
    for found, each, seed in zip(together, data, SEEDS, strict=True):
        runs.assert_alike(found, runs.train("bert", [each], method, [seed], **changes)[0])


@pytest.mark.parametrize("model", ["lstm", "cnn", "image_cnn", "bag"])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_fleet_equals_its_runs_trained_alone(model, method):
    data = runs.noisy_runs(model, 3, n=120)
    together = runs.train(model, data, method, SEEDS, lr=0.02)
    assert together[0]["curve"] != together[1]["curve"]
    for found, each, seed in zip(together, data, SEEDS, strict=True):
        runs.assert_alike(found, runs.train(model, [each], method, [seed], lr=0.02)[0])


@pytest.mark.parametrize("n_runs", [1, 2])
@pytest.mark.parametrize("model", ["lstm", "cnn", "image_cnn", "bert", "bag"])
def test_bf16_rounds_the_predictors_products_and_nothing_else(tmp_path, monkeypatch, model, n_runs):
    """The losses differ, by bf16's rounding at the most; weights, target distributions and losses stay in float32."""
    data = runs.noisy_runs(model, n_runs, folder=runs.bert_folder(tmp_path))
    types, losses = set(), LabelConfusion.losses

    def watched(self, logits, labels, vector, samples):
        found = losses(self, logits, labels, vector, samples)
        types.update(tensor.dtype for tensor in (logits, vector, found))
        return found

    monkeypatch.setattr(LabelConfusion, "losses", watched)
    rounded = runs.train(model, data, "lcm", epochs=1, lr=1e-4, precision="bf16")
    assert types == {torch.float32}
    for found, exact in zip(rounded, runs.train(model, data, "lcm", epochs=1, lr=1e-4), strict=True):
        loss, expected = found["curve"][0]["train_loss"], exact["curve"][0]["train_loss"]
        assert loss != expected and loss == pytest.approx(expected, rel=0.02)


def test_masked_lstms_and_vocabularies_of_their_own():
    """Pads are skipped in a fleet too, and runs may read different ids for the same documents."""
    data = []
    for r, each in enumerate(runs.noisy_runs("lstm", 3, n=120)):
        inputs = np.where(np.arange(12) < np.arange(120)[:, None] % 13, 0, (each.inputs + r) % 40).astype(
            np.int32
        )  # 0 to 12 pads
        data.append(runs.changed(each, inputs=inputs))
    for found, each, seed in zip(runs.train("lstm_masked", data, "ce", SEEDS), data, SEEDS, strict=True):
        runs.assert_alike(found, runs.train("lstm_masked", [each], "ce", [seed])[0])


@pytest.mark.parametrize("method", ["ls", "lcm"])
def test_a_run_that_diverges_says_so_and_leaves_the_others_alone(monkeypatch, method):
    data = runs.noisy_runs("lstm", 3)
    healthy = runs.train("lstm", data, method)
    train_epoch, epochs = fleet.Fleet.train_epoch, []

    def poisoned(self, order):
        epochs.append(order)
        if len(epochs) == 2:
            with torch.no_grad():
                self.weights["predictor.output.weight"][1] = float("nan")
        return train_epoch(self, order)

    monkeypatch.setattr(fleet.Fleet, "train_epoch", poisoned)
    found = runs.train("lstm", data, method)
    assert found[1]["failed"].startswith(f"the loss became nan in epoch 2 (lstm, {method} {{")
    assert "seed 1, lr 0.01" in found[1]["failed"] and list(found[1]) == ["failed"]
    assert [found[r] for r in (0, 2)] == [healthy[r] for r in (0, 2)]


def test_the_jobs_of_a_cell_gather_to_fleets(workplace, params):
    """Runs of one cell train together. Alone are runs on a CPU, unless execution.fleet says so, and yardsticks."""
    params["studies"]["small"]["splits"] = 3
    checked = runs.load(params, workplace)
    two_cells = [
        job for method in ("ls", "lcm") for job in jobs.jobs_of(checked, runs.cell(checked, "lstm_rand", method), "cpu")
    ]
    for size, device, sizes in [
        (0, "cpu", [1] * 6),
        (0, "cuda", [3, 3]),
        (2, "cpu", [2, 1, 2, 1]),
        (1, "cuda", [1] * 6),
    ]:
        fleets = jobs.gather(two_cells, size, device)
        assert [len(job.runs) for job in fleets] == sizes
        assert [(job.cell, run, key) for job in fleets for run, key in zip(job.runs, job.keys, strict=True)] == [
            (job.cell, job.runs[0], job.keys[0]) for job in two_cells
        ]
    yardstick = jobs.jobs_of(checked, runs.cell(checked, "linear", "linear"), "cpu")
    assert [len(job.runs) for job in jobs.gather(yardstick, 0, "cuda")] == [1, 1, 1]
    (together,) = jobs.gather(two_cells[3:], 3, "cpu")  # from jobs to records, in order
    for (record, predictions), job in zip(jobs.do(together), two_cells[3:], strict=True):
        ((alone, of_alone),) = jobs.do(job)
        assert record["key"] == job.keys[0]
        runs.assert_alike(
            record | {"predictions": predictions, "seconds": 0}, alone | {"predictions": of_alone, "seconds": 0}
        )


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("no room"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_out_of_memory_halves_the_fleet(monkeypatch, capsys, error):
    data = runs.noisy_runs("cnn", 5, n=120)
    train_epoch = fleet.Fleet.train_epoch

    def small_card(self, order):
        if self.n_runs > 2:
            raise error
        return train_epoch(self, order)

    def train(seeds):
        return runs.train("cnn", [data[seed] for seed in seeds], "ce", seeds)

    whole = train([0, 1, 2, 3, 4])
    monkeypatch.setattr(fleet.Fleet, "train_epoch", small_card)
    for found, expected in zip(halving(train, [0, 1, 2, 3, 4]), whole, strict=True):
        runs.assert_alike(found, expected)
    assert [line for line in capsys.readouterr().err.splitlines()] == [
        "out of memory with 5 runs at once; going on with 2 and 3",
        "out of memory with 3 runs at once; going on with 1 and 2",
    ]


def test_a_run_that_does_not_fit_alone_is_one_line_and_other_errors_stay_what_they_are():
    def failing(error):
        def train(run):
            raise error

        return train

    with pytest.raises(
        UserError, match=r"one run alone does not fit into memory \(no room\); set a smaller train.batch_size"
    ) as caught:
        halving(failing(torch.OutOfMemoryError("no\nroom")), [0])
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="shapes differ"):
        halving(failing(RuntimeError("shapes differ")), [0, 1])


def test_without_a_cuda_graph_the_steps_are_the_same(monkeypatch, capsys):
    """A capture that fails is said once and costs nothing but time. (Only a machine with a GPU can see one succeed.)"""
    data = runs.noisy_runs("cnn", 3)
    expected = runs.train("cnn", data, "ce")

    class Stream:
        def wait_stream(self, other): ...

    def refused(graph):
        raise RuntimeError("operation not permitted when stream is capturing")

    init = fleet.Fleet.__init__
    monkeypatch.setattr(
        fleet.Fleet, "__init__", lambda self, *arguments: (init(self, *arguments), setattr(self, "captures", True))[0]
    )
    fakes = {
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda _: nullcontext(),
        "CUDAGraph": object,
        "graph": refused,
    }
    for name, value in fakes.items():
        monkeypatch.setattr(torch.cuda, name, value)
    assert runs.train("cnn", data, "ce") == expected
    said = capsys.readouterr().err
    assert (
        said
        == "no CUDA graph (operation not permitted when stream is capturing); training goes on without, more slowly\n"
    )


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
@pytest.mark.parametrize("model,method,changes", [
    ("image_cnn", "lcm", {}),
    ("lstm", METHODS["stopping"], {}),
    ("cnn", METHODS["ls"], {"warmup_steps": 9, "decay_end_step": 20, "restart_epoch": 1}),
])  # fmt: skip
def test_a_resumed_training_is_the_same_bit_for_bit(tmp_path, monkeypatch, n_runs, model, method, changes):
    data = runs.noisy_runs(model, n_runs)
    point = Checkpoint(tmp_path, [f"ab{seed}" for seed in range(n_runs)], 2)

    def train_on(**rest):
        return runs.train(model, data, method, epochs=6, **changes, **rest)

    whole = train_on()
    interrupted(monkeypatch, 4, lambda: train_on(checkpoint=point))
    epochs = []
    found = train_on(checkpoint=point, on_epoch=lambda: epochs.append(1))
    assert found == whole and len(epochs) == 6
    assert torch.load(point.path, weights_only=True)["state"]["loop"]["epoch"] == 4  # the last epoch needs none
    store.save_run({"key": "ab0"}), store.save_run({"key": "ab1"})
    assert point.path.exists()  # not in the store of these records


def test_a_training_of_two_rounds_goes_on_in_its_second(tmp_path, monkeypatch):
    monkeypatch.setattr(CrossEntropy, "rounds", 2)
    data, point = runs.noisy_runs("cnn", 1), Checkpoint(tmp_path, ["ab0"], 2)
    whole = runs.train("cnn", data, "ce")
    interrupted(monkeypatch, 6, lambda: runs.train("cnn", data, "ce", checkpoint=point))
    assert torch.load(point.path, weights_only=True)["state"]["loop"]["epoch"] == 4  # of 2 times 3
    assert runs.train("cnn", data, "ce", checkpoint=point) == whole


def test_broken_and_foreign_checkpoints_are_ignored_with_a_line(tmp_path, capsys):
    point = Checkpoint(tmp_path, ["ab12", "cd34"], 1)
    assert point.load("cpu") is None and capsys.readouterr().err == ""
    point.save({"epoch": 1, "x": torch.ones(2)})
    assert point.load("cpu")["x"].tolist() == [1, 1] and os.listdir(point.path.parent) == ["ab12-2.pt"]
    other = Checkpoint(tmp_path, ["ab12", "ff00"], 1)
    assert other.load("cpu") is None and "is of other runs; ignored" in capsys.readouterr().err
    other = Checkpoint(tmp_path, ["ab12", "cd34"], 1, "0123456789abcdef")
    assert other.load("cpu") is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "was made by other code; ignored, training starts from the beginning" in said
    other.save({"epoch": 2})
    assert other.load("cpu") == {"epoch": 2} and point.load("cpu") is None
    assert "was made by other code" in capsys.readouterr().err
    for content in (b"", point.path.read_bytes()[:100], b"not a checkpoint"):
        point.path.write_bytes(content)
        assert point.load("cpu") is None
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "ab12-2.pt: cannot be read" in said
    torch.save({"keys": point.keys, "state": tmp_path}, point.path)  # an object: never unpickled
    assert point.load("cpu") is None and "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("n_runs,share", [(1, 40), (2, 20)])
def test_the_time_of_a_resumed_training_is_that_of_all_parts_divided_by_its_runs(tmp_path, monkeypatch, n_runs, share):
    """By a clock on which an epoch takes ten seconds."""
    clock, train_epoch = [0.0], fleet.Fleet.train_epoch

    def ticking(self, order):
        clock[0] += 10
        return train_epoch(self, order)

    def train():
        data, point = runs.noisy_runs("cnn", n_runs), Checkpoint(tmp_path, [f"ab{r}" for r in range(n_runs)], 1)
        model, training, seeds = runs.model_settings("cnn"), runs.training(epochs=4), list(range(n_runs))
        records = run.train_runs(data, model, training, *runs.target_of("ce"), seeds, "cpu", checkpoint=point)
        return [record["seconds"] for record in records]

    monkeypatch.setattr(run.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(fleet.Fleet, "train_epoch", ticking)
    interrupted(monkeypatch, 2, train)
    interrupted(monkeypatch, 3, train)
    assert train() == [share] * n_runs


@pytest.mark.parametrize("part", ["weights", "buffers", "best"])
def test_a_checkpoint_fits_only_if_every_tensor_does(part):
    data = runs.noisy_runs("cnn", 1)
    made = run._fleet(data, runs.model_settings("cnn"), runs.training(), *runs.target_of("lcm"), [0], "cpu", "float32")
    state = made.state()
    name = next(iter(state[part]))
    assert made.fits(state)
    assert not made.fits(state | {part: {key: each for key, each in state[part].items() if key != name}})
    assert not made.fits(state | {part: state[part] | {name: torch.zeros(99)}})


def test_a_full_disk_stops_checkpoints_and_not_training(tmp_path, capsys):
    """A limit on the size of files stands for the disk; the second training has room and takes up what it finds."""
    data, point = runs.noisy_runs("cnn", 1), Checkpoint(tmp_path, ["ab12"], 1)
    whole = runs.train("cnn", data, "lcm")
    with runs.largest_file(2000):
        found = runs.train("cnn", data, "lcm", checkpoint=point)
    said = capsys.readouterr().err.splitlines()
    assert found == whole and len(said) == 1 and "ab12-1.pt: no checkpoint (" in said[0]
    assert said[0].endswith("); training goes on without") and not list(tmp_path.rglob("*.p*t"))
    assert runs.train("cnn", data, "lcm", checkpoint=point) == whole and point.path.exists()


def test_a_run_killed_in_its_middle_goes_on_from_its_checkpoint(workplace, params, monkeypatch):
    """kill -9 of the worker once a checkpoint is there; the second start gives the numbers of an uninterrupted cell."""
    params["train"]["epochs"] = 40
    params["studies"]["small"]["splits"] = 1
    params["execution"]["checkpoint_epochs"] = 3
    checked = runs.load(params, workplace)

    def files(pattern):
        return list((workplace / "runs").rglob(pattern))

    path = runs.train_cell(checked, "lstm_rand", "lcm")
    whole = runs.numbers(path)
    assert not files("*.pt") and len(files("??/*.json")) == len(files("*.npz")) == 1
    path.unlink()
    shutil.rmtree(workplace / "runs")

    def kill():
        runs.wait_for(lambda: files("*.pt"), every=0.002)
        for pid in runs.workers():
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(
        UserError, match="small: a training process was ended from outside .* run the same command again"
    ):
        runs.train_cell(checked, "lstm_rand", "lcm")
    killer.join()
    (left,) = files("*-1.pt")
    assert 3 <= torch.load(left, weights_only=True)["state"]["loop"]["epoch"] < 40
    assert not files("??/*.json") and not path.exists()

    # The checkpoint is what the run goes on from: marked, its mark is in the result.
    content = torch.load(left, weights_only=True)
    content["state"]["loop"]["seconds"] = 5000.0
    torch.save(content, left)
    assert runs.numbers(runs.train_cell(checked, "lstm_rand", "lcm")) == whole
    assert json.loads(left.with_name(f"{left.stem.removesuffix('-1')}.json").read_text())[
        "seconds"
    ] > 5000 and not files("*.pt")


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
    masks = {
        (seed, step, layer): mask
        for seed in (0, 1, 2)
        for step in (0, 1, 9)
        for layer, mask in enumerate(drops(seed, step))
    }
    for one, mask in masks.items():
        assert mask.float().mean().item() == pytest.approx(0.25, abs=0.04), one  # 4 standard deviations
        assert torch.equal(mask, drops(*one[:2])[one[2]])
        for other, second in masks.items():
            if one != other:  # independent: both drop in 1/16 of the places, shifted copies would drop together
                for shift in (0, 1, 50):
                    assert (mask.flatten() & second.flatten().roll(shift)).float().mean().item() == pytest.approx(
                        1 / 16, abs=0.03
                    )
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
