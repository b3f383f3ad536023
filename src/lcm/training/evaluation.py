"""How good a prediction is, and what the label confusion distribution looks like. B samples, C classes."""

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

CALIBRATION_BINS = 15


def evaluate(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, macro-F1, NLL (nats), ECE (15 equal bins of confidence) and Brier score (sum over classes).

    probabilities: (B, C) float, rows sum to 1. labels: (B,) integers.
    """
    probabilities = probabilities.astype(np.float64)
    predicted = probabilities.argmax(1)
    true = probabilities[np.arange(len(labels)), labels]
    confidence = probabilities.max(1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = np.bincount(bins, (predicted == labels) - confidence, CALIBRATION_BINS)
    return {
        **evaluate_labels(predicted, labels, probabilities.shape[1]),
        "nll": float(-np.log(np.maximum(true, 1e-12)).mean()),
        "ece": float(np.abs(gap).sum() / len(labels)),
        "brier": float(((probabilities**2).sum(1) - 2 * true + 1).mean()),
    }


def evaluate_labels(predicted: np.ndarray, labels: np.ndarray, n_labels: int) -> dict[str, float]:
    """Accuracy and macro-F1 (over all C classes, 0 where a class is never predicted) of predicted labels (B,)."""
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, labels=range(n_labels), average="macro", zero_division=0)),
    }


def confusions(predicted: np.ndarray, labels: np.ndarray, n_labels: int) -> list[list[int]]:
    """The C x C confusion matrix, rows are true labels."""
    return confusion_matrix(labels, predicted, labels=range(n_labels)).tolist()


def lcd_diagnostics(lcd: np.ndarray, sld_true: np.ndarray, labels: np.ndarray, groups: np.ndarray | None) -> dict[str, float]:
    """What the label confusion distribution does. Does it know which labels are alike?

    lcd: (B, C) label confusion distributions. sld_true: (B,) mass of the simulated label distribution on the true label.
    labels: (B,). groups: (C,) group of each label, or None. Returns means over the samples:
    lcd_entropy (nats), lcd_true (mass on the true label), lcd_in_group (mass on the other labels of its group),
    sld_true_mean and sld_true_std, lcd_label_share (share of the LCD's variance between labels, not within).
    """
    lcd = lcd.astype(np.float64)
    n_labels = lcd.shape[1]
    true = lcd[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=n_labels)
    sums = np.zeros((n_labels, n_labels))
    np.add.at(sums, labels, lcd)
    means = sums / np.maximum(counts, 1)[:, None]
    total = ((lcd - lcd.mean(0)) ** 2).sum()
    between = (counts[:, None] * (means - lcd.mean(0)) ** 2).sum()
    result = {
        "lcd_entropy": float(-(lcd * np.log(np.maximum(lcd, 1e-30))).sum(1).mean()),
        "lcd_true": float(true.mean()),
        "sld_true_mean": float(sld_true.mean()),
        "sld_true_std": float(sld_true.std()),
        "lcd_label_share": float(between / total) if total > 0 else 0.0,
    }
    if groups is not None:
        same = groups[labels][:, None] == groups[None, :]
        result["lcd_in_group"] = float(((lcd * same).sum(1) - true).mean())
    return result
