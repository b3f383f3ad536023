"""Metrics of confidence and of mistakes, and the linear yardsticks: by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lcm.corpora.prepare import Prepared
from lcm.params import Linear
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.training import linear
from lcm.training.evaluation import class_means, evaluate, evaluate_labels, group_index


def two_labels(confidence, right):
    """Probabilities and labels of samples predicted as label 0 with these confidences."""
    confidence = np.array(confidence)
    return np.stack([confidence, 1 - confidence], 1), np.where(right, 0, 1)


def test_aurc_by_hand():
    # Confidence .9 right, .8 wrong, .7 right, .6 wrong: risks 0/1, 1/2, 1/3, 2/4, mean (0 + .5 + .3333 + .5) / 4.
    metrics = evaluate(*two_labels([0.7, 0.9, 0.6, 0.8], [1, 1, 0, 0]))
    assert metrics["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    # Pairs of a right and a wrong one: .9 > .8, .9 > .6, .7 > .6, but .7 < .8: 3 of 4.
    assert metrics["auroc"] == 0.75
    assert evaluate(*two_labels([0.9, 0.8, 0.7], [1, 1, 1]))["aurc"] == 0
    assert "auroc" not in evaluate(*two_labels([0.9, 0.8], [1, 1]))  # nothing to tell apart
    assert "auroc" not in evaluate(*two_labels([0.9, 0.8], [0, 0]))


def test_equal_confidence_makes_no_order():
    # All of one confidence: any order is as good, so every risk is the error rate, 1/4.
    for right in ([0, 1, 1, 1], [1, 1, 1, 0]):
        metrics = evaluate(*two_labels([0.8] * 4, right))
        assert (metrics["aurc"], metrics["auroc"]) == (0.25, 0.5)
        assert metrics["adaptive_ece"] == pytest.approx(0.05)


def test_adaptive_ece_by_hand():
    # 30 samples, so two in each of 15 bins. Confidence .99 .98 | .97 .96 | ...: the first bin is both right (gap 1 -
    # .985), the second both wrong (gap .965), the others half right.
    confidence = [0.99 - 0.01 * i for i in range(30)]
    right = [1, 1, 0, 0] + [1, 0] * 13
    gaps = [abs(sum(right[i : i + 2]) - sum(confidence[i : i + 2])) for i in range(0, 30, 2)]
    order = np.random.RandomState(0).permutation(30)
    metrics = evaluate(*two_labels(np.array(confidence)[order], np.array(right)[order]))
    assert metrics["adaptive_ece"] == pytest.approx(sum(gaps) / 30)
    assert metrics["ece"] < metrics["adaptive_ece"]  # six samples a bin: what is wrong one way and the other cancels


def test_auroc_is_scikit_learns_and_aurc_of_chance_is_the_error_rate():
    random = np.random.RandomState(1)
    logits = random.normal(size=(4000, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = random.randint(0, 5, 4000)
    metrics = evaluate(probabilities, labels)
    assert metrics["auroc"] == roc_auc_score(probabilities.argmax(1) == labels, probabilities.max(1))
    assert metrics["aurc"] == pytest.approx(
        1 - metrics["accuracy"], abs=0.02
    )  # labels know nothing of the probabilities


def test_in_group_errors_by_hand():
    names = ["comp.a", "comp.b", "rec.a", "rec.b", "misc"]
    groups = group_index(names)
    assert groups.tolist() == [0, 0, 1, 1, -5]
    labels, predicted = np.array([0, 0, 1, 2, 3, 4, 4]), np.array([0, 1, 0, 3, 0, 4, 2])
    # Five errors: a for b, b for a (comp), b for a (rec) stay; rec.b as comp.a and misc as rec.a do not.
    assert evaluate_labels(predicted, labels, 5, groups)["in_group_errors"] == 3 / 5
    probabilities = np.eye(5)[predicted]
    assert evaluate(probabilities, labels, groups)["in_group_errors"] == 3 / 5
    assert "in_group_errors" not in evaluate(probabilities, labels)
    assert "in_group_errors" not in evaluate_labels(labels, labels, 5, groups)  # no errors, no share of them
    assert group_index(["a", "b.c"]) is None


def test_class_means_by_hand():
    means = class_means(np.array([[1, 0, 0], [0, 1, 0], [0.2, 0.3, 0.5]]), np.array([0, 0, 2]))
    assert means == pytest.approx(np.array([[0.5, 0.5, 0], [0, 0, 0], [0.2, 0.3, 0.5]]))


# --------------------------------------------------------------------------------------------------------------- linear

SETTINGS = Linear(C=1.0, sublinear_tf=True, vocabulary_size=1000, maxlen=4, truncation="pre")


def corpus(seed=0, n=240, n_words=30, length=6, wrong=0.0):
    """Documents of two labels whose words overlap, their parts, and the labels to learn, `wrong` of them flipped in
    training."""
    random = np.random.RandomState(seed)
    labels = random.randint(0, 2, n)
    shares = np.linspace(1, 3, n_words), np.linspace(3, 1, n_words)
    ids = np.concatenate([2 + random.choice(n_words, length, p=shares[y] / shares[y].sum()) for y in labels])
    assignment = np.repeat([TRAIN, VAL, TEST], n // 3)
    fit_labels = np.where((random.uniform(size=n) < wrong) & (assignment == TRAIN), 1 - labels, labels)
    data = Prepared({"labels": ["comp.a", "comp.b"]}, labels, ids, np.arange(n + 1) * length)
    return data, assignment, fit_labels


@pytest.mark.parametrize("method", ["svc", "nb", "svc_window", "nb_window"])
def test_strength_is_chosen_on_the_validation_part(method, monkeypatch):
    data, assignment, fit_labels = corpus(wrong=0.3)
    record = linear.fit_run(data, assignment, fit_labels, SETTINGS, method)
    kind = method.partition("_")[0]
    alone = {}
    for strength in linear.GRIDS[kind]:
        monkeypatch.setitem(linear.GRIDS, kind, (strength,))
        alone[strength] = linear.fit_run(data, assignment, fit_labels, SETTINGS, method)
    best = max(each["val_accuracy"] for each in alone.values())
    assert record["val_accuracy"] == best
    assert record["chosen"] == next(strength for strength, each in alone.items() if each["val_accuracy"] == best)
    assert record["test"] == alone[record["chosen"]]["test"]
    assert len({each["val_accuracy"] for each in alone.values()}) > 1


@pytest.mark.parametrize("method", linear.METHODS)
def test_test_labels_and_true_labels_choose_nothing(method):
    data, assignment, fit_labels = corpus()
    record = linear.fit_run(data, assignment, fit_labels, SETTINGS, method)
    other = fit_labels.copy()
    other[assignment == TEST] = 1 - other[assignment == TEST]
    again = linear.fit_run(data, assignment, other, SETTINGS, method)
    assert {**again, "seconds": 0} == {**record, "seconds": 0}
    # Validation is judged by the labels to learn: with all of them wrong, its accuracy is the other way round.
    if "chosen" in record:
        other = np.where(assignment == VAL, 1 - fit_labels, fit_labels)
        wrong = linear.fit_run(data, assignment, other, SETTINGS, method)
        assert wrong["val_accuracy"] <= 0.5 <= record["val_accuracy"]


def test_svc_at_the_same_c_is_the_old_model_and_a_window_sees_less(monkeypatch):
    data, assignment, fit_labels = corpus()
    monkeypatch.setitem(linear.GRIDS, "svc", (SETTINGS.C,))
    for window in ("", "_window"):
        old, new = (linear.fit_run(data, assignment, fit_labels, SETTINGS, kind + window) for kind in ("linear", "svc"))
        assert old["test"] == new["test"] and old["confusion_matrix"] == new["confusion_matrix"]
        assert old.keys() == {"test", "confusion_matrix", "seconds"}
    whole, window = (linear.fit_run(data, assignment, fit_labels, SETTINGS, m) for m in ("linear", "linear_window"))
    assert whole["confusion_matrix"] != window["confusion_matrix"]
    assert np.sum(whole["confusion_matrix"]) == 80
    assert whole["test"]["in_group_errors"] == 1  # two labels of one group


def test_settings_are_all_that_a_method_depends_on():
    assert linear.method_settings("linear", SETTINGS) == {
        "C": 1.0,
        "sublinear_tf": True,
    }  # as in the keys of recorded runs
    whole = {"C": 1.0, "sublinear_tf": True, "vocabulary_size": 1000, "maxlen": 4, "truncation": "pre"}
    assert linear.method_settings("linear_window", SETTINGS) == whole
    assert linear.method_settings("svc", SETTINGS)["C"] == list(linear.GRIDS["svc"])
    assert linear.method_settings("nb_window", SETTINGS).keys() == whole.keys() - {"C"} | {"alpha"}
