"""The loop: runs of one architecture and one target, trained epoch by epoch and tested once.

The other modules of this package prepare its inputs and store its results.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from lcm.errors import UserError
from lcm.models import ModelConfig, Start, build
from lcm.models.dropout import seed_dropout
from lcm.params import Train
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.targets import Task, target_class
from lcm.training.checkpoint import Checkpoint
from lcm.training.evaluation import class_means, confusions, evaluate, lcd_diagnostics
from lcm.training.fleet import Fleet, Member

IMPLICIT = 512  # training samples whose implicit targets are measured after each epoch


@dataclass(frozen=True)
class RunData:
    """What a run sees. inputs: (n, T) token ids or (n, side, side) uint8. assignment: (n,) of TRAIN, VAL, TEST.

    fit_labels: (n,) labels to learn from, noisy where noise was asked for. labels: (n,) true labels, for the test.
    groups: (C,) group of each label, or None. start: what the encoder starts from. transition: (C, C) true P(given
    label | label). held_out: (n, C) out-of-fold probabilities of another model. Both only where the target needs them.
    """

    inputs: np.ndarray
    assignment: np.ndarray
    fit_labels: np.ndarray
    labels: np.ndarray
    n_labels: int
    groups: np.ndarray | None
    start: Start = field(default_factory=Start)
    transition: np.ndarray | None = None
    held_out: np.ndarray | None = None


def train_run(
    data: RunData, model: ModelConfig, train: Train, target: str, settings: dict, seed: int, device: str, **rest
) -> dict:
    """`train_runs` of a single run."""
    return train_runs([data], model, train, target, settings, [seed], device, **rest)[0]


def train_runs(
    data: list[RunData],
    model: ModelConfig,
    train: Train,
    target: str,
    settings: dict,
    seeds: list[int],
    device: str,
    precision: str = "float32",
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[], None] = lambda: None,
) -> list[dict]:
    """Train and test one predictor a run, all in lock-step. The test part is read once, after the last epoch.

    data, seeds: one of each per run; parts of equal size. target, settings: what all of them fit (lcm.targets). With
    the same seed every target gets the same initial predictor and the same order of samples. precision: of the
    predictor's products (execution.precision). checkpoint: a killed training goes on from there. on_epoch: is called
    after each epoch.

    Returns the runs' records: `test` (at the selected epoch), `test_last`, `curve`, `confusion_matrix`, `predictions`
    (test and val, float16), `seconds` (the fleet's divided by its runs)...; or `failed`, a sentence, if the run's loss
    stopped being a number.
    """
    started = time.perf_counter()
    train_index, val_index, test_index = (
        np.stack([np.flatnonzero(each.assignment == part) for each in data]) for part in (TRAIN, VAL, TEST)
    )
    fleet = _fleet(data, model, train, target, settings, seeds, device, precision)
    rounds = target_class(target).rounds
    epochs = rounds * train.epochs
    stop = settings.get("stop_epoch")
    runs = range(len(data))
    # The loop's own state, in plain numbers. A checkpoint is this and the fleet's tensors.
    state = {
        "epoch": 0,
        "seconds": 0.0,
        "curve": [[] for _ in runs],
        "failed": [None for _ in runs],
        "best_accuracy": [-1.0 for _ in runs],
        "best_epoch": [0 for _ in runs],
    }
    saved = checkpoint.load(device) if checkpoint else None
    if saved and not fleet.fits(saved["fleet"]):
        print(f"{checkpoint.path}: is of other code; ignored, training starts from the beginning", file=sys.stderr)
    elif saved:
        state = saved["loop"]
        for epoch in range(1, state["epoch"] + 1):
            _change_at(epoch, fleet, settings, train)
            on_epoch()
        fleet.load_state(saved["fleet"])

    for epoch in range(state["epoch"] + 1, epochs + 1):
        _change_at(epoch, fleet, settings, train)
        if (epoch - 1) % train.epochs == 0:  # a round begins; only the last one's best epoch counts
            state["best_accuracy"] = [-1.0 for _ in runs]
        order = np.stack(
            [
                np.random.RandomState([seed, epoch]).permutation(index)
                for seed, index in zip(seeds, train_index, strict=True)
            ]
        )
        losses, correct = ((total.double() / train_index.shape[1]).tolist() for total in fleet.train_epoch(order))
        for r in runs:
            if not math.isfinite(losses[r]) and not state["failed"][r]:
                what = f"{model.encoder}, {target} {settings}, seed {seeds[r]}, lr {train.lr}"
                state["failed"][r] = f"the loss became {losses[r]} in epoch {epoch} ({what})"
        if all(state["failed"]):
            break
        probabilities, vectors = fleet.predict(val_index)
        confused = fleet.has_confusion_model and (stop is None or epoch <= stop)
        if confused:
            lcd, sld_true = fleet.confusions(vectors, val_index)
        mass, nats = fleet.implicit(train_index[:, :IMPLICIT])
        fleet.end_epoch()
        improved = [False for _ in runs]
        for r in runs:
            if state["failed"][r]:
                continue
            labels = data[r].fit_labels[val_index[r]]
            val = evaluate(probabilities[r], labels)
            row = {"epoch": epoch, "train_loss": losses[r], "val_accuracy": val["accuracy"], "val_nll": val["nll"]}
            row |= {"train_accuracy": correct[r], "strength": _number(mass[r]), "structure": _number(nats[r])}
            if confused:
                row |= lcd_diagnostics(lcd[r], sld_true[r], labels.astype(np.int64), data[r].groups)
            state["curve"][r].append(row)
            if val["accuracy"] > state["best_accuracy"][r]:  # strictly: the first of equals, as in the authors' code
                improved[r] = True
                state["best_accuracy"][r], state["best_epoch"][r] = val["accuracy"], epoch
        fleet.keep_best(improved)
        if checkpoint and epoch % checkpoint.every == 0 and epoch < epochs:
            seconds = state["seconds"] + time.perf_counter() - started
            checkpoint.save({"loop": state | {"epoch": epoch, "seconds": seconds}, "fleet": fleet.state()})
        on_epoch()

    if all(state["failed"]):
        seconds = (state["seconds"] + time.perf_counter() - started) / len(runs)
        return [{"failed": failed, "seconds": seconds} for failed in state["failed"]]
    last, _ = fleet.predict(test_index)
    embeddings = fleet.label_embeddings() if fleet.has_confusion_model else None
    lcd = fleet.confusions(vectors, val_index)[0] if fleet.has_confusion_model else None
    fleet.load_best()
    test, val = fleet.predict(test_index)[0], fleet.predict(val_index)[0]
    if train.select == "last":
        test, val = last, probabilities
    seconds = (state["seconds"] + time.perf_counter() - started) / len(runs)
    records = []
    for r in runs:
        if state["failed"][r]:
            records.append({"failed": state["failed"][r], "seconds": seconds})
            continue
        true = data[r].labels[test_index[r]]
        record = {
            "test": evaluate(test[r], true, data[r].groups),
            "test_last": evaluate(last[r], true, data[r].groups),
            "val_accuracy": state["best_accuracy"][r]
            if train.select == "best_val"
            else state["curve"][r][-1]["val_accuracy"],
            "best_epoch": state["best_epoch"][r],
            "epochs": epochs,
            "confusion_matrix": confusions(test[r].argmax(1), true, data[r].n_labels),
            "curve": state["curve"][r],
            "predictions": {"test": test[r].astype(np.float16), "val": val[r].astype(np.float16)},
            "seconds": seconds,
        }
        if embeddings:
            record["label_embedding"] = embeddings[r]
            record["lcd_by_class"] = _by_class(lcd[r], data[r].fit_labels[val_index[r]])
        records.append(record)
    return records


def _by_class(lcd: np.ndarray, labels: np.ndarray) -> list:
    """Return the mean label confusion distribution of each label's documents, (C, C); None for a label without any."""
    means = class_means(lcd, labels.astype(np.int64))
    return [row.tolist() if (labels == label).any() else None for label, row in enumerate(means)]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _fleet(
    data: list[RunData],
    model: ModelConfig,
    train: Train,
    target: str,
    settings: dict,
    seeds: list[int],
    device: str,
    precision: str,
) -> Fleet:
    """Return a fleet of the runs, each initialised from its seed."""
    kind = target_class(target)
    members = []
    for each, seed in zip(data, seeds, strict=True):
        torch.manual_seed(seed)
        predictor = build(model, each.n_labels, each.start)
        seed_dropout(predictor, seed)
        task = Task(
            n_labels=each.n_labels,
            vector_size=predictor.output.in_features,
            n_samples=len(each.labels),
            epochs=train.epochs,
            groups=_tensor(each.groups, torch.int64),
            transition=_tensor(each.transition, torch.float32),
            held_out=_tensor(each.held_out, torch.float32),
            labels=_tensor(np.where(each.assignment == TRAIN, each.fit_labels, -1), torch.int64),
            true_labels=_tensor(each.labels, torch.int64) if "true_labels" in kind.needs else None,
        )
        members.append(Member(predictor, kind(task, **settings)))
    inputs = data[0].inputs
    if any(each.inputs is not inputs for each in data):  # vocabularies of their own
        inputs = np.stack([each.inputs for each in data])
    fit_labels = np.stack([each.fit_labels for each in data]).astype(np.int64)
    return Fleet(members, inputs, fit_labels, train, device, precision)


def _tensor(array: np.ndarray | None, dtype: torch.dtype) -> torch.Tensor | None:
    return None if array is None else torch.tensor(np.asarray(array), dtype=dtype)


def _change_at(epoch: int, fleet: Fleet, settings: dict, train: Train) -> None:
    """Make the changes that are due before an epoch.

    The optimiser may start anew. If the target has rounds, the predictors may too.
    """
    done = epoch - 1
    if done and done % train.epochs == 0:
        fleet.restart()
    if done == train.restart_epoch or (settings.get("stop_resets_optimizer") and done == settings.get("stop_epoch")):
        fleet.new_optimizer()


def halving(train: Callable[[list], list[dict]], runs: list) -> list[dict]:
    """Return train(runs). Runs that do not fit into memory together are halved, one half after the other.

    Raises UserError if not even one run fits.
    """
    try:
        return train(runs)
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        if len(runs) == 1:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"one run alone does not fit into memory ({reason}); set a smaller train.batch_size or a smaller model"
            ) from None
    # Not before here: now the error, and with it the tensors of the failed attempt, are gone.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(runs) // 2
    print(f"out of memory with {len(runs)} runs at once; going on with {half} and {len(runs) - half}", file=sys.stderr)
    return halving(train, runs[:half]) + halving(train, runs[half:])
