"""The loop: what a run learns from, in which order, what judges it, which epoch is tested. Alone and in a fleet."""

from itertools import pairwise

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
    """Every run has its own wrong labels in training, validation and test part, its own split, its own seed."""
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


# What a run learns from, and in which order


def test_samples_come_in_another_order_in_every_epoch_and_seed_and_in_the_same_for_every_method():
    data = runs.noisy_runs("cnn", 2)
    orders = {method: runs.orders_of(lambda method=method: runs.train("cnn", data, method)) for method in runs.METHODS}
    for r, each in enumerate(data):
        of_run = [order[r] for order in orders["ce"]]
        assert len(of_run) == 3
        for order in of_run:
            assert sorted(order) == np.flatnonzero(each.assignment == TRAIN).tolist()
        assert not any(np.array_equal(one, other) for one, other in pairwise(of_run))
        assert not any(np.array_equal(order, np.sort(order)) for order in of_run)
    for method, found in orders.items():
        assert all(np.array_equal(one, other) for one, other in zip(found, orders["ce"], strict=True)), method
    (same, other), places = orders["ce"][0], {}
    for r, each in enumerate(data):  # as places in the training part, for the runs have parts of their own
        places[r] = np.searchsorted(np.flatnonzero(each.assignment == TRAIN), (same, other)[r])
    assert not np.array_equal(places[0], places[1])


@ALONE_AND_IN_A_FLEET
def test_a_run_learns_from_the_labels_of_its_training_part_alone(n_runs):
    """Other given labels elsewhere, other true labels in it: not one loss changes. Other given labels in it: all do."""
    data = runs.noisy_runs("cnn", n_runs)
    start = runs.train("cnn", data, "ce", epochs=2)
    elsewhere, inside = [], []
    for each in data:
        training = each.assignment == TRAIN
        turned = ((each.fit_labels + 1) % runs.N_LABELS).astype(np.int16)
        elsewhere.append(
            runs.changed(
                each,
                fit_labels=np.where(training, each.fit_labels, turned),
                labels=np.where(training, turned, each.labels),
            )
        )
        inside.append(runs.changed(each, fit_labels=np.where(training, turned, each.fit_labels)))
    for record, same, other in zip(
        start, runs.train("cnn", elsewhere, "ce", epochs=2), runs.train("cnn", inside, "ce", epochs=2), strict=True
    ):
        losses, of_same, of_other = ([row["train_loss"] for row in each["curve"]] for each in (record, same, other))
        assert losses == of_same and losses[0] != of_other[0] and losses[1] != of_other[1]


def test_every_run_of_a_fleet_learns_its_own_labels():
    """Two runs with one split and one seed; the second's labels are wrong. Each learns what it learns alone."""
    (first,) = runs.noisy_runs("cnn", 1)
    second = runs.changed(first, fit_labels=((first.fit_labels + 1) % runs.N_LABELS).astype(np.int16))
    for method in ("ce", "lcm"):
        together = runs.train("cnn", [first, second], method, seeds=[0, 0])
        for record, each in zip(together, (first, second), strict=True):
            (alone,) = runs.train("cnn", [each], method, seeds=[0])
            for row, other in zip(record["curve"], alone["curve"], strict=True):
                assert row == pytest.approx(other, abs=1e-5)
        assert abs(together[0]["curve"][-1]["train_loss"] - together[1]["curve"][-1]["train_loss"]) > 1e-3


# What judges it


@ALONE_AND_IN_A_FLEET
def test_validation_is_judged_by_the_labels_to_learn_from(n_runs):
    """They are noisy where noise was asked for; the true ones are not to be had when a model is chosen."""
    data = [
        runs.changed(each, fit_labels=np.where(each.assignment == VAL, (each.labels + 1) % runs.N_LABELS, each.labels))
        for each in runs.noisy_runs("cnn", n_runs)
    ]
    for record in runs.train("cnn", data, "ce", epochs=12, lr=0.03):
        assert record["test_last"]["accuracy"] > 0.5  # it learns; its validation labels are all wrong
        assert (
            record["curve"][-1]["val_accuracy"] < 0.25
            and record["curve"][-1]["val_nll"] > record["test_last"]["nll"] + 1
        )


@ALONE_AND_IN_A_FLEET
def test_the_test_part_is_judged_by_true_labels(n_runs):
    data = runs.noisy_runs("cnn", n_runs)
    given, true = [], []
    for each in data:
        testing = each.assignment == TEST
        given.append(
            runs.changed(each, fit_labels=np.where(testing, (each.fit_labels + 1) % runs.N_LABELS, each.fit_labels))
        )
        true.append(runs.changed(each, labels=np.where(testing, (each.labels + 1) % runs.N_LABELS, each.labels)))
    start = runs.train("cnn", data, "ce")
    assert runs.train("cnn", given, "ce") == start  # labels to learn from are nothing to a test part
    for record, other in zip(start, runs.train("cnn", true, "ce"), strict=True):
        assert (
            record["curve"] == other["curve"] and record["best_epoch"] == other["best_epoch"]
        )  # and true labels nothing to a choice
        for part in ("test", "test_last"):
            assert record[part]["nll"] != other[part]["nll"]
        assert np.array(record["confusion_matrix"]).sum() == 15


@ALONE_AND_IN_A_FLEET
@pytest.mark.parametrize("method", ["ce", "lcm"])
def test_nothing_drops_in_evaluation(n_runs, method):
    """A model that cannot learn says in every epoch what a fresh one says without dropout."""
    data = runs.noisy_runs("image_cnn", n_runs)
    for seed, (record, each) in enumerate(
        zip(runs.train("image_cnn", data, method, lr=1e-30, dropout=0.5), data, strict=True)
    ):
        predictor = runs.fresh_predictor("image_cnn", each, seed, dropout=0.5).eval()
        for part, found in (
            (VAL, [row["val_nll"] for row in record["curve"]]),
            (TEST, [record["test"]["nll"], record["test_last"]["nll"]]),
        ):
            index = np.flatnonzero(each.assignment == part)
            with torch.no_grad():
                probabilities = predictor(torch.from_numpy(each.inputs[index]))[1].softmax(-1).numpy()
            expected = evaluate(probabilities, (each.fit_labels if part == VAL else each.labels)[index])["nll"]
            assert found == pytest.approx([expected] * len(found), abs=1e-5)


@ALONE_AND_IN_A_FLEET
def test_dropout_is_on_in_training_and_another_in_every_epoch_and_run(n_runs):
    """Of a model that cannot learn, on one batch: the losses differ by dropout alone."""
    data = [runs.noisy_runs("image_cnn", 1)[0]] * n_runs
    found = runs.train("image_cnn", data, "ce", lr=1e-30, dropout=0.5, batch_size=36)
    for record in found:
        losses = [row["train_loss"] for row in record["curve"]]
        assert min(abs(one - other) for one, other in pairwise(losses)) > 1e-4
    still = runs.train("image_cnn", data, "ce", lr=1e-30, dropout=0.0, batch_size=36)
    for record in still:
        losses = [row["train_loss"] for row in record["curve"]]
        assert losses == pytest.approx(losses[:1] * 3, abs=1e-5)
    if n_runs > 1:  # a seed makes the weights too: what is left after these are taken off is dropout's
        shares = [
            record["curve"][0]["train_loss"] - other["curve"][0]["train_loss"]
            for record, other in zip(found, still, strict=True)
        ]
        assert min(abs(one - other) for one, other in pairwise(shares)) > 1e-4


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


# Settings that change the target on the way


@ALONE_AND_IN_A_FLEET
@pytest.mark.parametrize("method", ["ls", "lcm"])
def test_a_target_stops_after_its_epoch_for_every_run(n_runs, method):
    data = runs.noisy_runs("cnn", n_runs)
    whole, stopped, plain = (
        runs.train("cnn", data, name, epochs=3) for name in (method, f"{method}.stop_epoch=2", "ce")
    )
    for one, other, ce in zip(whole, stopped, plain, strict=True):
        assert (
            one["curve"][:2] == other["curve"][:2] and one["curve"][2]["train_loss"] != other["curve"][2]["train_loss"]
        )
        assert one["curve"][0]["train_loss"] != ce["curve"][0]["train_loss"]
        described = ["lcd_entropy" in row for row in other["curve"]]  # while it is the target, no longer
        assert described == [method == "lcm", method == "lcm", False]
    atonce = runs.train("cnn", data, f"{method}.stop_epoch=0", epochs=3)
    for one, ce in zip(atonce, plain, strict=True):
        assert [row["train_loss"] for row in one["curve"]] == pytest.approx(
            [row["train_loss"] for row in ce["curve"]], abs=1e-6
        )


def test_an_epochs_loss_is_the_mean_over_samples_its_last_batch_is_smaller():
    """36 samples in batches of 8: with a model that cannot learn, the size of batches is nothing to the loss."""
    data = runs.noisy_runs("cnn", 1)
    found = [
        runs.train("cnn", data, "ce", lr=1e-30, batch_size=size)[0]["curve"][0]["train_loss"] for size in (8, 36, 5)
    ]
    assert found == pytest.approx(found[:1] * 3, abs=1e-6)
