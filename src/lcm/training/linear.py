"""TF-IDF + LinearSVC on the same tokens and splits: the yardstick that every text table carries."""

import time

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.svm import LinearSVC

from lcm.corpora.prepare import Prepared
from lcm.params import Linear
from lcm.protocol.splits import TEST, TRAIN
from lcm.text import encode
from lcm.training.evaluation import confusions, evaluate_labels


def fit_run(data: Prepared, assignment: np.ndarray, fit_labels: np.ndarray, settings: Linear, windowed: bool) -> dict:
    """Fit on the training part, test on the test part. windowed: only the tokens that the neural models see. Returns the run's record."""
    started = time.perf_counter()
    ids, offsets = np.asarray(data.ids), np.asarray(data.offsets)
    if windowed:
        window = encode.window(ids, offsets, settings.vocabulary_size, settings.maxlen, settings.truncation, "post")
        ids, offsets = window[window > 0], np.concatenate([[0], np.cumsum((window > 0).sum(1))])
    counts = csr_matrix((np.ones(len(ids)), ids.copy(), offsets), shape=(len(data.labels), int(data.ids.max()) + 1))
    counts.sum_duplicates()
    train, test = (np.flatnonzero(assignment == part) for part in (TRAIN, TEST))
    tfidf = TfidfTransformer(sublinear_tf=settings.sublinear_tf).fit(counts[train])
    model = LinearSVC(C=settings.C, random_state=0).fit(tfidf.transform(counts[train]), fit_labels[train])
    predicted = model.predict(tfidf.transform(counts[test]))
    return {
        "test": evaluate_labels(predicted, data.labels[test], len(data.names)),
        "confusion_matrix": confusions(predicted, data.labels[test], len(data.names)),
        "seconds": time.perf_counter() - started,
    }
