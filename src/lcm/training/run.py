"""One run: one predictor trained on one split with one method and one seed. This is the loop; everything else only feeds it."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lcm.models import Predictor, build
from lcm.params import Model, Train
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.targets import LabelConfusionModel, lcm_loss, smoothing_loss
from lcm.training.evaluation import confusions, evaluate, lcd_diagnostics
from lcm.training.methods import Method
from lcm.training.optimizer import Optimizer

EVALUATION_BATCH = 512


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


def train_run(
    data: RunData, model: Model, train: Train, method: Method, seed: int, device: str, on_epoch: Callable[[], None] = lambda: None
) -> dict:
    """Train and test one predictor; the test part is looked at once, after the last epoch.

    The same seed gives every method the same initial predictor and the same order of samples. `on_epoch` is called after
    each epoch. Returns the run's record: `test` (at the selected epoch), `test_last`, `curve`, `confusion_matrix`, `seconds`...;
    or `failed`, a sentence, if the loss stopped being a number.
    """
    started = time.perf_counter()
    torch.manual_seed(seed)
    predictor = build(model, data.n_labels, data.inputs.shape[-1], data.vectors, data.folder).to(device)
    confusion_model = None
    if method.lcm:
        confusion_model = LabelConfusionModel(
            data.n_labels, predictor.output.in_features, method.lcm.alpha, method.lcm.label_dim, method.lcm.detach
        ).to(device)
    torch.manual_seed(seed)  # dropout: the same stream for every method, whatever its initialisation drew

    def optimizer_of(*modules) -> Optimizer:
        return Optimizer([weight for module in modules if module for weight in module.parameters() if weight.requires_grad], train)

    inputs = _on(data.inputs, device)
    fit_labels, labels = _on(data.fit_labels.astype(np.int64), device), _on(data.labels.astype(np.int64), device)
    train_index, val_index, test_index = (np.flatnonzero(data.assignment == part) for part in (TRAIN, VAL, TEST))
    optimizer = optimizer_of(predictor, confusion_model)
    curve, best, best_accuracy = [], None, -1.0

    for epoch in range(1, train.epochs + 1):
        if method.lcm and epoch - 1 == method.lcm.stop_epoch:
            confusion_model = None
            if method.lcm.stop_resets_optimizer:
                optimizer = optimizer_of(predictor)
        if epoch - 1 == train.restart_epoch:
            optimizer = optimizer_of(predictor, confusion_model)
        order = torch.from_numpy(np.random.RandomState([seed, epoch]).permutation(train_index)).to(device)
        predictor.train()
        total = torch.zeros((), device=device)
        for batch in order.split(train.batch_size):
            vector, logits = predictor(inputs[batch].long() if inputs.dtype == torch.int32 else inputs[batch])
            if confusion_model:
                loss = lcm_loss(logits, confusion_model(vector, fit_labels[batch]))
            else:
                loss = smoothing_loss(logits, fit_labels[batch], method.epsilon or 0.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(batch)
        train_loss = total.item() / len(train_index)
        if not math.isfinite(train_loss):
            return {"failed": f"the loss became {train_loss} in epoch {epoch}", "seconds": time.perf_counter() - started}
        probabilities, vectors = _predict(predictor, inputs, val_index)
        val = evaluate(probabilities, data.fit_labels[val_index])
        row = {"epoch": epoch, "train_loss": train_loss, "val_accuracy": val["accuracy"], "val_nll": val["nll"]}
        if confusion_model:
            row |= _diagnose(confusion_model, vectors, fit_labels[torch.from_numpy(val_index).to(device)], data.groups)
        curve.append(row)
        if val["accuracy"] > best_accuracy:  # strictly: of equals the first, as in the authors' code
            best_accuracy, best_epoch = val["accuracy"], epoch
            best = copy.deepcopy(predictor.state_dict())
        on_epoch()

    true = data.labels[test_index]
    last_probabilities, _ = _predict(predictor, inputs, test_index)
    predictor.load_state_dict(best)
    best_probabilities, _ = _predict(predictor, inputs, test_index)
    selected = best_probabilities if train.select == "best_val" else last_probabilities
    return {
        "test": evaluate(selected, true),
        "test_last": evaluate(last_probabilities, true),
        "val_accuracy": best_accuracy if train.select == "best_val" else curve[-1]["val_accuracy"],
        "best_epoch": best_epoch,
        "epochs": train.epochs,
        "confusion_matrix": confusions(selected.argmax(1), true, data.n_labels),
        "curve": curve,
        "seconds": time.perf_counter() - started,
        **({"label_embedding": confusion_model.embedding.weight.tolist()} if confusion_model else {}),
    }


def _on(array: np.ndarray, device: str) -> Tensor:
    return torch.tensor(array, device=device)  # a copy: the corpus is mapped read-only


@torch.no_grad()
def _predict(predictor: Predictor, inputs: Tensor, index: np.ndarray) -> tuple[np.ndarray, Tensor]:
    """Probabilities (len(index), C) as NumPy and text vectors (len(index), d), in evaluation mode."""
    predictor.eval()
    vectors, logits = [], []
    for batch in torch.from_numpy(index).to(inputs.device).split(EVALUATION_BATCH):
        vector, logit = predictor(inputs[batch].long() if inputs.dtype == torch.int32 else inputs[batch])
        vectors.append(vector)
        logits.append(logit)
    return torch.cat(logits).softmax(-1).cpu().numpy(), torch.cat(vectors)


@torch.no_grad()
def _diagnose(confusion_model: LabelConfusionModel, vectors: Tensor, labels: Tensor, groups: np.ndarray | None) -> dict:
    lcd = confusion_model.label_confusion(vectors)
    sld_true = confusion_model(vectors, labels).gather(1, labels.unsqueeze(1)).squeeze(1)
    return lcd_diagnostics(lcd.cpu().numpy(), sld_true.cpu().numpy(), labels.cpu().numpy(), groups)
