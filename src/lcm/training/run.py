"""The loop: runs of one architecture, trained epoch by epoch and tested once. Everything else only feeds it."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lcm.errors import UserError
from lcm.models import build
from lcm.models.dropout import seed_dropout
from lcm.params import Model, Train
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.targets import LabelConfusionModel
from lcm.training.checkpoint import Checkpoint
from lcm.training.evaluation import confusions, evaluate, lcd_diagnostics
from lcm.training.fleet import Fleet, Run
from lcm.training.methods import Method


@dataclass(frozen=True)
class RunData:
    """What a run sees. inputs: (n, T) token ids or (n, side, side) uint8. assignment: (n,) of TRAIN, VAL, TEST.

    fit_labels: (n,) labels to learn from, noisy where noise was asked for. labels: (n,) true labels, for the test.
    groups: (C,) group of each label, or None. vectors: (rows, size) of the words with ids 0 to rows - 1, where the model starts from them.
    folder: of a BERT's configuration and weights.
    """

    inputs: np.ndarray
    assignment: np.ndarray
    fit_labels: np.ndarray
    labels: np.ndarray
    n_labels: int
    groups: np.ndarray | None
    vectors: np.ndarray | None = None
    folder: Path | None = None


def train_run(data: RunData, model: Model, train: Train, method: Method, seed: int, device: str, **rest) -> dict:
    """`train_runs` of a single run."""
    return train_runs([data], model, train, [method], [seed], device, **rest)[0]


def train_runs(
    data: list[RunData],
    model: Model,
    train: Train,
    methods: list[Method],
    seeds: list[int],
    device: str,
    precision: str = "float32",
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[], None] = lambda: None,
) -> list[dict]:
    """Train and test one predictor a run, all in lock-step; the test part is looked at once, after the last epoch.

    data, methods, seeds: of each run; parts of equal size, and either every run has a label confusion model with the same
    settings or none has. The same seed gives every method the same initial predictor and the same order of samples.
    precision: of the predictor's products (execution.precision). With a `checkpoint` a killed training goes on where that stands.
    `on_epoch` is called after each epoch.

    Returns the runs' records: `test` (at the selected epoch), `test_last`, `curve`, `confusion_matrix`, `seconds` (the
    fleet's divided by its runs)...; or `failed`, a sentence, if the run's loss stopped being a number.
    """
    started = time.perf_counter()
    lcm = methods[0].lcm
    if any(method.lcm != lcm for method in methods):
        raise ValueError("the runs of a fleet need the same label confusion model, or none")
    train_index, val_index, test_index = (
        np.stack([np.flatnonzero(each.assignment == part) for each in data]) for part in (TRAIN, VAL, TEST)
    )
    fleet = _fleet(data, model, train, methods, seeds, device, precision)
    runs = range(len(data))
    # What the loop knows, in plain numbers: a checkpoint is this and the fleet's tensors.
    state = {
        "epoch": 0, "seconds": 0.0, "curve": [[] for _ in runs], "failed": [None for _ in runs],
        "best_accuracy": [-1.0 for _ in runs], "best_epoch": [0 for _ in runs],
    }  # fmt: skip
    saved = checkpoint.load(device) if checkpoint else None
    if saved:
        state = saved["loop"]
        for epoch in range(1, state["epoch"] + 1):
            _change_at(epoch, fleet, methods, train)
            on_epoch()
        fleet.load_state(saved["fleet"])

    for epoch in range(state["epoch"] + 1, train.epochs + 1):
        _change_at(epoch, fleet, methods, train)
        order = np.stack([np.random.RandomState([seed, epoch]).permutation(index) for seed, index in zip(seeds, train_index, strict=True)])
        losses = (fleet.train_epoch(order).double() / train_index.shape[1]).tolist()
        for r in runs:
            if not math.isfinite(losses[r]) and not state["failed"][r]:
                what = f"{model.encoder}, {methods[r].name} {methods[r].settings()}, seed {seeds[r]}, lr {train.lr}"
                state["failed"][r] = f"the loss became {losses[r]} in epoch {epoch} ({what})"
        if all(state["failed"]):
            break
        probabilities, vectors = fleet.predict(val_index)
        if fleet.has_confusion_model:
            lcd, sld_true = fleet.confusions(vectors, val_index)
        improved = [False for _ in runs]
        for r in runs:
            if state["failed"][r]:
                continue
            labels = data[r].fit_labels[val_index[r]]
            val = evaluate(probabilities[r], labels)
            row = {"epoch": epoch, "train_loss": losses[r], "val_accuracy": val["accuracy"], "val_nll": val["nll"]}
            if fleet.has_confusion_model:
                row |= lcd_diagnostics(lcd[r], sld_true[r], labels.astype(np.int64), data[r].groups)
            state["curve"][r].append(row)
            if val["accuracy"] > state["best_accuracy"][r]:  # strictly: of equals the first, as in the authors' code
                improved[r] = True
                state["best_accuracy"][r], state["best_epoch"][r] = val["accuracy"], epoch
        fleet.keep_best(improved)
        if checkpoint and epoch % checkpoint.every == 0 and epoch < train.epochs:
            seconds = state["seconds"] + time.perf_counter() - started
            checkpoint.save({"loop": state | {"epoch": epoch, "seconds": seconds}, "fleet": fleet.state()})
        on_epoch()

    if all(state["failed"]):
        seconds = (state["seconds"] + time.perf_counter() - started) / len(runs)
        return [{"failed": failed, "seconds": seconds} for failed in state["failed"]]
    last_probabilities, _ = fleet.predict(test_index)
    embeddings = fleet.label_embeddings() if fleet.has_confusion_model else None
    fleet.load_best()
    best_probabilities, _ = fleet.predict(test_index)
    seconds = (state["seconds"] + time.perf_counter() - started) / len(runs)
    records = []
    for r in runs:
        if state["failed"][r]:
            records.append({"failed": state["failed"][r], "seconds": seconds})
            continue
        true = data[r].labels[test_index[r]]
        selected = best_probabilities[r] if train.select == "best_val" else last_probabilities[r]
        records.append(
            {
                "test": evaluate(selected, true),
                "test_last": evaluate(last_probabilities[r], true),
                "val_accuracy": state["best_accuracy"][r] if train.select == "best_val" else state["curve"][r][-1]["val_accuracy"],
                "best_epoch": state["best_epoch"][r],
                "epochs": train.epochs,
                "confusion_matrix": confusions(selected.argmax(1), true, data[r].n_labels),
                "curve": state["curve"][r],
                "seconds": seconds,
                **({"label_embedding": embeddings[r]} if embeddings else {}),
            }
        )
    return records


def _fleet(data: list[RunData], model: Model, train: Train, methods: list[Method], seeds: list[int], device: str, precision: str) -> Fleet:
    """The runs as their seeds initialise them."""
    runs = []
    for each, method, seed in zip(data, methods, seeds, strict=True):
        torch.manual_seed(seed)
        predictor = build(model, each.n_labels, each.inputs.shape[-1], each.vectors, each.folder)
        seed_dropout(predictor, seed)
        lcm, confusion_model = method.lcm, None
        if lcm:
            confusion_model = LabelConfusionModel(each.n_labels, predictor.output.in_features, lcm.alpha, lcm.label_dim, lcm.detach)
        runs.append(Run(predictor, confusion_model))
    inputs = data[0].inputs
    if any(each.inputs is not inputs for each in data):  # vocabularies of their own
        inputs = np.stack([each.inputs for each in data])
    fit_labels = np.stack([each.fit_labels for each in data]).astype(np.int64)
    return Fleet(runs, inputs, fit_labels, [float(method.epsilon or 0) for method in methods], train, device, precision)


def _change_at(epoch: int, fleet: Fleet, methods: list[Method], train: Train) -> None:
    """What changes before an epoch: LCM or label smoothing may stop, the optimiser may start anew."""
    stops = [epoch - 1 == method.stop_epoch for method in methods]
    lcm = methods[0].lcm
    if lcm and stops[0]:
        fleet.drop_confusion_model()
        if lcm.stop_resets_optimizer:
            fleet.new_optimizer()
    elif any(stops):
        fleet.drop_smoothing(stops)
    if epoch - 1 == train.restart_epoch:
        fleet.new_optimizer()


def halving(train: Callable[[list], list[dict]], runs: list) -> list[dict]:
    """train(runs); where they do not fit into the GPU's memory together, one half after the other.

    Raises UserError if not even one run fits.
    """
    try:
        return train(runs)
    except torch.OutOfMemoryError as error:
        if len(runs) == 1:
            raise UserError(f"one run alone does not fit into the GPU's memory ({error}); set a smaller train.batch_size") from None
    # Only here, where the error and with it the tensors of the failed attempt are gone.
    torch.cuda.empty_cache()
    half = len(runs) // 2
    print(f"out of GPU memory with {len(runs)} runs at once; going on with {half} and {len(runs) - half}", file=sys.stderr)
    return halving(train, runs[:half]) + halving(train, runs[half:])
