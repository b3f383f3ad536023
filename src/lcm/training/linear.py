"""Linear models on TF-IDF: the yardsticks that every text table carries. They train in seconds and need no GPU.

`linear` is LinearSVC with C as given. `svc` is LinearSVC and `nb` ComplementNB (Rennie et al. 2003), each with its
strength of regularisation chosen by the accuracy on the validation part. `..._window` sees exactly the tokens that the
neural models see.
"""

import time

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from lcm.corpora.prepare import Prepared
from lcm.params import Linear
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.text import encode
from lcm.training.evaluation import confusions, evaluate_labels, group_index

METHODS = ("linear", "linear_window", "svc", "svc_window", "nb", "nb_window")
# The strongest regularisation first: where two values are level on the validation part, the first is taken.
GRIDS = {"svc": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0), "nb": (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)}


def method_settings(method: str, settings: Linear) -> dict:
    """All that a method's numbers depend on: part of the run's key, and recorded with its results."""
    kind, _, window = method.partition("_")
    own = {"C": settings.C} if kind == "linear" else {"C" if kind == "svc" else "alpha": list(GRIDS[kind])}
    seen = {key: getattr(settings, key) for key in ("vocabulary_size", "maxlen", "truncation")} if window else {}
    return own | {"sublinear_tf": settings.sublinear_tf} | seen


def fit_run(data: Prepared, assignment: np.ndarray, fit_labels: np.ndarray, settings: Linear, method: str) -> dict:
    """Fit on the training part, choose on the validation part, test on the test part.

    data: a text corpus of n documents. assignment: (n,) the part of each. fit_labels: (n,) integers, the labels to
    learn and to choose by; the test part is judged by data.labels. method: one of METHODS.
    Returns the run's record: test (metrics), confusion_matrix, seconds, and where something was chosen its value
    (`chosen`) and val_accuracy.
    """
    started = time.perf_counter()
    kind, _, window = method.partition("_")
    counts = _counts(data, settings if window else None)
    parts = {part: np.flatnonzero(assignment == part) for part in (TRAIN, VAL, TEST)}
    tfidf = TfidfTransformer(sublinear_tf=settings.sublinear_tf).fit(counts[parts[TRAIN]])
    features = {part: tfidf.transform(counts[rows]) for part, rows in parts.items()}

    def fitted(strength: float) -> LinearSVC | ComplementNB:
        model = ComplementNB(alpha=strength) if kind == "nb" else LinearSVC(C=strength, random_state=0)
        return model.fit(features[TRAIN], fit_labels[parts[TRAIN]])

    chosen = {}
    if kind == "linear":
        model = fitted(settings.C)
    else:
        models = [fitted(strength) for strength in GRIDS[kind]]
        scores = [float(model.score(features[VAL], fit_labels[parts[VAL]])) for model in models]
        best = int(np.argmax(scores))
        model, chosen = models[best], {"chosen": GRIDS[kind][best], "val_accuracy": scores[best]}
    predicted, true = model.predict(features[TEST]), data.labels[parts[TEST]]
    return {
        "test": evaluate_labels(predicted, true, len(data.names), group_index(data.names)),
        "confusion_matrix": confusions(predicted, true, len(data.names)),
        **chosen,
        "seconds": time.perf_counter() - started,
    }


def _counts(data: Prepared, window: Linear | None) -> csr_matrix:
    """(n, vocabulary) how often each document holds each token, in the window of the neural models or as a whole."""
    ids, offsets = np.asarray(data.ids), np.asarray(data.offsets)
    if window is not None:
        seen = encode.window(ids, offsets, window.vocabulary_size, window.maxlen, window.truncation, "post")
        ids, offsets = seen[seen > 0], np.concatenate([[0], np.cumsum((seen > 0).sum(1))])
    counts = csr_matrix((np.ones(len(ids)), ids.copy(), offsets), shape=(len(data.labels), int(data.ids.max()) + 1))
    counts.sum_duplicates()
    return counts
