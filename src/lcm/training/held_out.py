"""Out-of-fold class probabilities of a linear model: its belief about a sample whose label it has not seen."""

import os

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from lcm.protocol.splits import TRAIN
from lcm.training import store
from lcm.training.inputs import Data, sha

FOLDS = 5


def held_out(data: Data, split: int) -> np.ndarray:
    """Return out-of-fold class probabilities of the training samples of a split, (n, C) float32.

    Each comes from a model fitted on the other four of five folds of the training part: TF-IDF and logistic regression,
    on the labels to learn from. Rows of other samples are uniform and never read. The result is kept in the run store.
    """
    corpus, labels = data.corpus, data.fit_labels[split]
    digest = sha(np.frombuffer((corpus.meta["digest"] + sha(data.splits[split]) + sha(labels)).encode(), np.uint8))
    path = store.store_folder() / "held_out" / f"{digest}.npy"
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        pass
    training, n_labels = np.flatnonzero(data.splits[split] == TRAIN), len(corpus.names)
    ids, offsets = np.asarray(corpus.ids), np.asarray(corpus.offsets)
    counts = csr_matrix((np.ones(len(ids)), ids.copy(), offsets), shape=(len(corpus.labels), int(ids.max()) + 1))
    counts.sum_duplicates()
    features, given = counts[training], labels[training]
    found = np.full((len(corpus.labels), n_labels), 1 / n_labels, np.float32)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=split)
    for fit, left_out in folds.split(features, given):
        tfidf = TfidfTransformer(sublinear_tf=True).fit(features[fit])
        model = LogisticRegression(C=10.0, max_iter=100, tol=1e-3).fit(tfidf.transform(features[fit]), given[fit])
        rows = np.zeros((len(left_out), n_labels), np.float32)
        rows[:, model.classes_] = model.predict_proba(tfidf.transform(features[left_out]))
        found[training[left_out]] = rows
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with open(part, "wb") as file:
        np.save(file, found)
    os.replace(part, path)
    return found
