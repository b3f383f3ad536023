"""Every metric by hand, and against scikit-learn or a definition written out."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from lcm.training.evaluation import confusions, evaluate, evaluate_labels, lcd_diagnostics


def some(n=200, n_labels=5, seed=0):
    """Probabilities of a mediocre classifier and labels of unequal frequency."""
    rng = np.random.RandomState(seed)
    labels = rng.choice(n_labels, size=n, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    scores = rng.normal(size=(n, n_labels)) + 1.5 * np.eye(n_labels)[labels]
    probabilities = np.exp(scores)
    return probabilities / probabilities.sum(1, keepdims=True), labels


def test_within_a_bin_gaps_do_cancel_and_a_certain_one_is_in_the_last():
    probabilities = np.array([[0.61, 0.39], [0.39, 0.61], [0.62, 0.38], [0.0, 1.0], [0.95, 0.05]])
    found = evaluate(
        probabilities, np.array([0, 0, 1, 0, 0])
    )  # right, wrong, wrong in one bin, wrong and right in the last
    assert found["ece"] == pytest.approx((abs(1 - 0.61 - 0.61 - 0.62) + abs(1 - 1.0 - 0.95)) / 5)


def test_the_calibration_error_by_its_definition():
    """15 bins of equal width over [0, 1]; of each |accuracy - mean confidence|, weighted by its share of samples."""
    probabilities, labels = some()
    right, confidence = probabilities.argmax(1) == labels, probabilities.max(1)
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence >= low) & (confidence < low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert 0.01 < expected and evaluate(probabilities, labels)["ece"] == pytest.approx(expected, abs=1e-12)


def test_brier_and_nll_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]])
    found = evaluate(probabilities, np.array([0, 2]))
    assert found["brier"] == pytest.approx((0.09 + 0.04 + 0.01 + 0.25 + 0.0625 + 0.5625) / 2)
    assert found["nll"] == pytest.approx(-(math.log(0.7) + math.log(0.25)) / 2)
    nothing = evaluate(np.array([[1.0, 0.0]]), np.array([1]))
    assert nothing["nll"] == pytest.approx(-math.log(1e-12)) and nothing["brier"] == pytest.approx(2)


def test_all_against_scikit_learn():
    probabilities, labels = some()
    found, predicted = evaluate(probabilities, labels), probabilities.argmax(1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert found["nll"] == pytest.approx(metrics.log_loss(labels, probabilities))
    assert found["brier"] == pytest.approx(((probabilities - np.eye(5)[labels]) ** 2).sum(1).mean())
    assert {"accuracy", "macro_f1", "nll", "ece", "brier"} <= set(found)
    assert all(type(value) is float for value in found.values())  # as JSON wants them


def test_macro_f1_counts_classes_alike_those_never_predicted_too():
    """Class 0: precision 4/6, recall 1. Class 1: 1 and 1/2. Class 2 is never predicted. Class 3 is not there at all."""
    labels, predicted = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 0, 1, 0, 0])
    expected = (2 * 4 / (2 * 4 + 2) + 2 / 3 + 0 + 0) / 4
    assert evaluate_labels(predicted, labels, 4)["macro_f1"] == pytest.approx(expected)
    assert evaluate_labels(predicted, labels, 4)["accuracy"] == pytest.approx(5 / 7)
    assert evaluate(np.eye(4)[predicted], labels)["macro_f1"] == pytest.approx(expected)


def test_rows_of_the_confusion_matrix_are_true_labels():
    found = confusions(np.array([1, 1, 0, 1]), np.array([0, 0, 0, 1]), 3)
    assert found == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]


LCD = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.6, 0.2, 0.1], [0.2, 0.3, 0.3, 0.2]])
SLD_TRUE, OF = np.array([0.9, 0.8, 0.4]), np.array([0, 1, 0])


def test_all_six_columns_of_the_confusion_distribution_by_hand():
    """Three samples of labels 0, 1, 0; labels 0 and 1 are one group, 2 and 3 another."""
    found = lcd_diagnostics(LCD, SLD_TRUE, OF, np.array([0, 0, 1, 1]))
    entropies = [-sum(p * math.log(p) for p in row) for row in LCD.tolist()]
    assert found["lcd_entropy"] == pytest.approx(sum(entropies) / 3)
    assert found["lcd_true"] == pytest.approx((0.4 + 0.6 + 0.2) / 3)
    assert found["lcd_in_group"] == pytest.approx((0.3 + 0.1 + 0.3) / 3)
    assert found["sld_true_mean"] == pytest.approx(0.7)
    assert found["sld_true_std"] == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 3))
    # Between labels: the two of label 0 stand for their mean (0.3, 0.3, 0.25, 0.15). Over all of the variance.
    mean = [0.7 / 3, 1.2 / 3, 0.7 / 3, 0.4 / 3]
    between = sum(2 * (a - m) ** 2 + (b - m) ** 2 for a, b, m in zip([0.3, 0.3, 0.25, 0.15], LCD[1], mean, strict=True))
    total = sum((value - m) ** 2 for row in LCD.tolist() for value, m in zip(row, mean, strict=True))
    assert found["lcd_label_share"] == pytest.approx(between / total) and 0.5 < between / total < 0.95
    assert set(found) == {"lcd_entropy", "lcd_true", "lcd_in_group", "sld_true_mean", "sld_true_std", "lcd_label_share"}


def test_diagnostics_without_groups_or_without_any_variance():
    assert "lcd_in_group" not in lcd_diagnostics(LCD, SLD_TRUE, OF, None)
    same = lcd_diagnostics(np.full((3, 4), 0.25), SLD_TRUE, OF, None)
    assert same["lcd_label_share"] == 0.0
    sure = lcd_diagnostics(np.eye(4)[OF], SLD_TRUE, OF, None)
    assert sure["lcd_entropy"] == 0 and sure["lcd_true"] == 1 and sure["lcd_label_share"] == pytest.approx(1)


def test_a_temperature_mends_what_a_temperature_spoilt():
    """benchmarks/temperature.py: labels drawn from p, probabilities softmax(log p / 3), float16 as in the run store."""
    path = Path(__file__).parents[1] / "benchmarks/temperature.py"
    spec = importlib.util.spec_from_file_location("temperature", path)
    temperature = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(temperature)
    rng = np.random.RandomState(0)
    p = rng.dirichlet([0.3] * 4, size=4000)
    labels = np.array([rng.choice(4, p=row) for row in p])
    spoilt = np.maximum(p, 1e-7) ** (1 / 3)
    spoilt = (spoilt / spoilt.sum(1, keepdims=True)).astype(np.float16)
    found = temperature.fitted(spoilt, labels)
    assert found == pytest.approx(1 / 3, rel=0.05)  # softmax(log p / 3 / T) is p at T = 1/3
    before, after = (evaluate(part, labels) for part in (spoilt, temperature.with_temperature(spoilt, found)))
    assert before["ece"] > 0.2 and after["ece"] < 0.03 and after["accuracy"] == before["accuracy"]
    assert after["nll"] < before["nll"]
