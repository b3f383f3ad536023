"""The loop: what a run learns from, in which order, what judges it, which epoch is tested. Alone and in a fleet."""

import numpy as np
import pytest
import runs
import torch
from sklearn import metrics

from lcm.models.dropout import Dropout
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.targets import (
    LabelConfusionModel,
    Task,
    implicit_target,
    strength,
    structure,
    target_class,
    target_names,
)
from lcm.training.evaluation import evaluate, lcd_diagnostics

ALONE_AND_IN_A_FLEET = pytest.mark.parametrize("n_runs", [1, 3])


# The same loop once more, for one run, as plain as can be. It shares modules and metrics with the real one, no line.


def target_of(method, labels, vector, confusion):
    """The soft target, (B, C)."""
    one_hot = torch.eye(runs.N_LABELS)[labels]
    if confusion is not None:
        return (4.0 * one_hot + confusion.label_confusion(vector)).softmax(-1)
    epsilon = {"ce": 0.0, "ls": 0.1}[method]
    return (1 - epsilon) * one_hot + epsilon / runs.N_LABELS


def loss_of(method, logits, labels, vector, confusion):
    target = target_of(method, labels, vector, confusion)
    entropy = (target * target.log()).sum(-1) if confusion is not None else 0.0
    return (entropy - (target * logits.log_softmax(-1)).sum(-1)).mean()


def strength_and_structure(target, labels):
    """The epsilon of smoothing as strong; the divergence of what is off the label from uniform. Means, by sums."""
    strengths, structures = [], []
    for row, label in zip(target.double().tolist(), labels.tolist(), strict=True):
        off = [value for k, value in enumerate(row) if k != label]
        even = sum(off) / len(off)
        strengths.append((1 - row[label]) * runs.N_LABELS / (runs.N_LABELS - 1))
        structures.append(sum(value * np.log(value / even) for value in off if value > 0))
    return np.mean(strengths), np.mean(structures)


def trained_plainly(model, data, method, seed, epochs, batch_size=8, lr=0.01, select="best_val"):
    """What `runs.train` should give for one run."""
    train, val, test = (np.flatnonzero(data.assignment == part) for part in (TRAIN, VAL, TEST))
    predictor = runs.fresh_predictor(model, data, seed)
    confusion = LabelConfusionModel(runs.N_LABELS, 8, 4.0, 5) if method == "lcm" else None
    modules = torch.nn.ModuleList([predictor] + [confusion] * (confusion is not None))
    adam = torch.optim.Adam([weight for weight in modules.parameters() if weight.requires_grad], lr=lr, eps=1e-7)
    inputs = torch.from_numpy(data.inputs if data.inputs.dtype == np.uint8 else data.inputs.astype(np.int64))
    given, step, curve, best = torch.from_numpy(data.fit_labels.astype(np.int64)), 0, [], (-1.0, None, None)

    def probabilities(index):
        modules.eval()
        with torch.no_grad():
            vector, logits = predictor(inputs[index])
        modules.train()
        return vector, logits.softmax(-1).numpy()

    for epoch in range(1, epochs + 1):
        order, total, right = np.random.RandomState([seed, epoch]).permutation(train), 0.0, 0
        for start in range(0, len(order), batch_size):
            batch, step = order[start : start + batch_size], step + 1
            for layer, dropout in enumerate(part for part in predictor.modules() if isinstance(part, Dropout)):
                dropout.counter.copy_(torch.tensor([seed, step, layer]))
                dropout.calls = 0
            vector, logits = predictor(inputs[batch])
            loss = loss_of(method, logits, given[batch], vector, confusion)
            adam.zero_grad()
            loss.backward()
            adam.step()
            total, right = total + loss.item() * len(batch), right + (logits.argmax(1) == given[batch]).sum().item()
        vector, of_val = probabilities(val)
        judged = evaluate(of_val, data.fit_labels[val])
        row = {
            "epoch": epoch,
            "train_loss": total / len(train),
            "val_accuracy": judged["accuracy"],
            "val_nll": judged["nll"],
        }
        with torch.no_grad():
            target = target_of(method, given[train], probabilities(train)[0], confusion)
        row["train_accuracy"] = right / len(train)
        row["strength"], row["structure"] = strength_and_structure(target, given[train])
        if confusion is not None:
            with torch.no_grad():
                lcd, sld = confusion.label_confusion(vector), confusion(vector, given[val])
            row |= lcd_diagnostics(
                lcd.numpy(),
                sld.numpy()[np.arange(len(val)), data.fit_labels[val]],
                data.fit_labels[val].astype(int),
                data.groups,
            )
        curve.append(row)
        tested = probabilities(test)[1]
        if judged["accuracy"] > best[0]:
            best = judged["accuracy"], epoch, tested, of_val
    chosen, of_val = best[2:] if select == "best_val" else (tested, of_val)
    true = data.labels[test]
    of_lcm = {}
    if confusion is not None:
        of_lcm["label_embedding"] = confusion.embedding.weight.tolist()
        of_label = [lcd[torch.from_numpy(data.fit_labels[val] == label)] for label in range(runs.N_LABELS)]
        of_lcm["lcd_by_class"] = [each.mean(0).tolist() if len(each) else None for each in of_label]
    return of_lcm | {
        "curve": curve, "best_epoch": best[1], "epochs": epochs, "test": evaluate(chosen, true, data.groups),
        "test_last": evaluate(tested, true, data.groups), "predictions": {"test": chosen, "val": of_val},
        "val_accuracy": best[0] if select == "best_val" else judged["accuracy"],
        "confusion_matrix": metrics.confusion_matrix(true, chosen.argmax(1), labels=range(runs.N_LABELS)).tolist(),
    }  # fmt: skip


@pytest.mark.parametrize(
    "model,method", [("cnn", "ce"), ("lstm", "ls"), ("lstm_masked", "lcm"), ("image_cnn", "ce"), ("image_cnn", "lcm")]
)
@pytest.mark.parametrize("n_runs", [1, 2])
@pytest.mark.parametrize("select", ["best_val", "last"])
def test_the_loop_equals_a_plain_one(model, method, n_runs, select):
    """Every run has its own wrong labels in training, validation and test part, its own split, its own seed.

    So the plain loop says what a run learns from and in which order, by which labels an epoch is chosen and by which it
    is tested, and where dropout is on.
    """
    data, seeds = runs.noisy_runs(model, n_runs), [3, 5][:n_runs]
    found = runs.train(model, data, method, seeds, select=select)
    for record, each, seed in zip(found, data, seeds, strict=True):
        expected = trained_plainly(model, each, method, seed, 3, select=select)
        for row, plain in zip(record["curve"], expected["curve"], strict=True):
            for column, value in plain.items():
                assert row[column] == pytest.approx(value, abs=2e-5), (column, plain["epoch"])
        for part in ("test", "test_last"):
            for name, value in expected[part].items():
                assert record[part][name] == pytest.approx(value, abs=2e-5), (part, name)
        for name in ("best_epoch", "epochs", "val_accuracy"):
            assert record[name] == pytest.approx(expected[name]), name
        assert np.array(record["confusion_matrix"]).tolist() == expected["confusion_matrix"]
        for part, probabilities in expected["predictions"].items():
            np.testing.assert_allclose(record["predictions"][part], probabilities, atol=5e-4)  # float16
        assert ("lcd_by_class" in record) == ("label_embedding" in record) == (method == "lcm")
        if method == "lcm":
            np.testing.assert_allclose(record["label_embedding"], expected["label_embedding"], atol=1e-5)
            for row, plain in zip(record["lcd_by_class"], expected["lcd_by_class"], strict=True):
                assert row == (plain and pytest.approx(plain, abs=1e-5))


def trained_by_hand(data, method, seed, epochs):
    """Losses of training and validation, strength and structure of the implicit target, of every epoch."""
    name, settings = runs.target_of(method)
    predictor = runs.fresh_predictor("cnn", data, seed)
    start = {key: weight.clone() for key, weight in predictor.state_dict().items()}
    train, val = (np.flatnonzero(data.assignment == part) for part in (TRAIN, VAL))
    given = torch.from_numpy(data.fit_labels.astype(np.int64))
    known = torch.full((len(given),), -1)
    known[train] = given[train]
    facts = {
        "groups": data.groups,
        "transition": data.transition,
        "held_out": data.held_out,
        "true_labels": data.labels,
    }
    facts = {key: torch.from_numpy(np.asarray(value)) for key, value in facts.items()}
    task = Task(
        4,
        predictor.output.in_features,
        len(given),
        epochs,
        **facts | {"labels": known, "true_labels": facts["true_labels"].long()},
    )
    target, inputs, found = target_class(name)(task, **settings), torch.from_numpy(data.inputs.astype(np.int64)), []
    for epoch in range(1, target.rounds * epochs + 1):
        if epoch % epochs == 1:
            if epoch > 1:
                target.end_round()
                predictor.load_state_dict(start)
            weights = [weight for module in (predictor, target) for weight in module.parameters()]
            adam = torch.optim.Adam(weights, lr=0.01, eps=1e-7)
        order, total = torch.from_numpy(np.random.RandomState([seed, epoch]).permutation(train)), 0.0
        for batch in order.split(8):
            vector, logits = predictor(inputs[batch])
            loss = target.losses(logits, given[batch], vector, batch).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += loss.item() * len(batch)
        with torch.no_grad():
            val_nll = torch.nn.functional.cross_entropy(predictor(inputs[val])[1], given[val]).item()
            vector, logits = predictor(inputs[train])
        implicit = implicit_target(target.eval(), logits, given[train], vector, torch.from_numpy(train))
        target.train().end_epoch()
        mass, nats = strength(implicit, given[train]), structure(implicit, given[train])
        found.append([total / len(train), val_nll, mass.nanmean().item(), nats.nanmean().item()])
    return found


@ALONE_AND_IN_A_FLEET
@pytest.mark.parametrize("method", [*target_names(), "ls.stop_epoch=1", "lcm.stop_epoch=1", "permuted_group.seed=1"])
def test_every_target_in_the_loop_is_what_it_is_in_a_loop_of_ones_own(n_runs, method):
    """Each run tells its target of its own labels, noise matrix, samples and epochs; a second round starts anew."""
    data, seeds = runs.noisy_runs("cnn", n_runs), [3, 5, 4][:n_runs]
    for record, each, seed in zip(runs.train("cnn", data, method, seeds, epochs=2), data, seeds, strict=True):
        expected = trained_by_hand(each, method, seed, 2)
        columns = ("train_loss", "val_nll", "strength", "structure")
        found = [[np.nan if row[name] is None else row[name] for name in columns] for row in record["curve"]]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
        assert record["epochs"] == len(expected)
        assert record["best_epoch"] > len(expected) - 2  # of the last round


# Which epoch is tested


@ALONE_AND_IN_A_FLEET
def test_of_equally_good_epochs_the_first_is_the_best(n_runs):
    for record in runs.train("cnn", runs.noisy_runs("cnn", n_runs), "ce", lr=1e-30):
        assert len({row["val_accuracy"] for row in record["curve"]}) == 1
        assert record["best_epoch"] == 1


def test_each_run_is_tested_at_its_best_epoch_or_at_the_last():
    """The best epoch's numbers are those of the same run ended there. All that is not the last epoch's is asked for."""
    data, wild = runs.noisy_runs("cnn", 3, n=120), {"epochs": 8, "lr": 0.05}
    chosen, last = (runs.train("cnn", data, "ce", select=select, **wild) for select in ("best_val", "last"))
    assert len({record["best_epoch"] for record in chosen}) > 1 and all(record["best_epoch"] < 8 for record in chosen)
    for r, (best, end) in enumerate(zip(chosen, last, strict=True)):
        accuracies = [row["val_accuracy"] for row in best["curve"]]
        assert best["best_epoch"] == end["best_epoch"] == 1 + accuracies.index(max(accuracies))
        assert best["val_accuracy"] == max(accuracies) and end["val_accuracy"] == accuracies[-1] < max(accuracies)
        assert best["curve"] == end["curve"] and best["test_last"] == end["test_last"] == end["test"]
        assert best["test"] != best["test_last"]
        (alone,) = runs.train("cnn", data[r : r + 1], "ce", [r], **wild)
        (ended,) = runs.train("cnn", data[r : r + 1], "ce", [r], **wild | {"epochs": best["best_epoch"]})
        for record in (best, alone):
            assert record["test"] == pytest.approx(ended["test_last"], abs=1e-4)
            assert np.array_equal(record["confusion_matrix"], ended["confusion_matrix"])
