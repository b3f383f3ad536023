"""How good a prediction is, and what the label confusion distribution looks like. B samples, C classes."""

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, roc_auc_score

from lcm.protocol.noise import label_groups

CALIBRATION_BINS = 15


def evaluate(probabilities: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None) -> dict[str, float]:
    """All metrics of one test part from the probabilities of its samples.

    probabilities: (B, C) float, rows sum to 1. labels: (B,) integers. groups: (C,) group of each label, or None.
    Returns those of `evaluate_labels`, and
    nll: in nats. brier: the sum over classes of squared differences.
    ece: expected calibration error, 15 bins of equal width in confidence (Guo et al. 2017).
    adaptive_ece: the same with 15 bins of equally many samples (Nguyen & O'Connor 2015).
    aurc: area under the curve of risk over coverage, the error rate among the most confident samples, averaged over all
    numbers of samples (Geifman et al. 2019); 0 is perfect, the error rate is chance.
    auroc: how well confidence tells right from wrong predictions, the area under the ROC curve; left out where all are
    right or all wrong.
    Samples of equal confidence count alike in aurc and adaptive_ece, whatever their order.
    """
    probabilities = probabilities.astype(np.float64)
    predicted = probabilities.argmax(1)
    right = predicted == labels
    true = probabilities[np.arange(len(labels)), labels]
    confidence = probabilities.max(1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = np.bincount(bins, right - confidence, CALIBRATION_BINS)
    descending, share_right = _by_confidence(confidence, right)
    parts = np.array_split(share_right - descending, CALIBRATION_BINS)
    metrics = {
        **evaluate_labels(predicted, labels, probabilities.shape[1], groups),
        "nll": float(-np.log(np.maximum(true, 1e-12)).mean()),
        "ece": float(np.abs(gap).sum() / len(labels)),
        "brier": float(((probabilities**2).sum(1) - 2 * true + 1).mean()),
        "adaptive_ece": float(sum(abs(part.sum()) for part in parts) / len(labels)),
        "aurc": float((np.cumsum(1 - share_right) / np.arange(1, len(labels) + 1)).mean()),
    }
    if right.any() and not right.all():
        metrics["auroc"] = float(roc_auc_score(right, confidence))
    return metrics


def _by_confidence(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence in descending order, and whether right, averaged over samples of equal confidence; both (B,)."""
    values, inverse, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    share_right = (np.bincount(inverse, right) / counts)[inverse]
    order = np.argsort(-confidence, kind="stable")
    return confidence[order], share_right[order]


def evaluate_labels(
    predicted: np.ndarray, labels: np.ndarray, n_labels: int, groups: np.ndarray | None = None
) -> dict[str, float]:
    """Metrics of predicted labels (B,).

    accuracy. macro_f1: over all C classes, 0 where a class is never predicted.
    in_group_errors: share of the wrong predictions that name another label of the true one's group, "better mistakes"
    (Bertinetto et al. 2020); left out without groups or errors.
    """
    metrics = {
        "accuracy": float(accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, labels=range(n_labels), average="macro", zero_division=0)),
    }
    wrong = predicted != labels
    if groups is not None and wrong.any():
        metrics["in_group_errors"] = float((groups[predicted[wrong]] == groups[labels[wrong]]).mean())
    return metrics


def confusions(predicted: np.ndarray, labels: np.ndarray, n_labels: int) -> list[list[int]]:
    """The C x C confusion matrix, rows are true labels."""
    return confusion_matrix(labels, predicted, labels=range(n_labels)).tolist()


def group_index(names: list[str]) -> np.ndarray | None:
    """(C,) the group of each label, its name before the first dot; None where no two labels share one.

    A label alone in its group has a negative number of its own.
    """
    groups = label_groups(names)
    if not groups:
        return None
    index = -1 - np.arange(len(names))
    for number, members in enumerate(groups):
        index[members] = number
    return index


def class_means(distributions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(C, C) mean distribution (B, C) of the samples of each label (B,); a label without samples has zeros."""
    n_labels = distributions.shape[1]
    sums = np.zeros((n_labels, n_labels))
    np.add.at(sums, labels, distributions.astype(np.float64))
    return sums / np.maximum(np.bincount(labels, minlength=n_labels), 1)[:, None]


def lcd_diagnostics(
    lcd: np.ndarray, sld_true: np.ndarray, labels: np.ndarray, groups: np.ndarray | None
) -> dict[str, float]:
    """What the label confusion distribution does. Does it know which labels are alike?

    lcd: (B, C) label confusion distributions. sld_true: (B,) mass of the simulated label distribution on the true
    label.
    labels: (B,). groups: (C,) group of each label, or None. Returns means over the samples:
    lcd_entropy (nats), lcd_true (mass on the true label), lcd_in_group (mass on the other labels of its group),
    sld_true_mean and sld_true_std, lcd_label_share (share of the LCD's variance between labels, not within).
    """
    lcd = lcd.astype(np.float64)
    true = lcd[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=lcd.shape[1])
    total = ((lcd - lcd.mean(0)) ** 2).sum()
    between = (counts[:, None] * (class_means(lcd, labels) - lcd.mean(0)) ** 2).sum()
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
