"""TF-IDF + LinearSVC: what it learns from, and what it is tested on."""

import numpy as np
import pytest
import runs
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.svm import LinearSVC

from lcm.corpora.prepare import Prepared
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.text import encode

SETTINGS = {"C": 1.0, "sublinear_tf": True, "vocabulary_size": 30, "maxlen": 4, "truncation": "pre"}


def corpus():
    """240 documents of 4 to 8 tokens with 30 % wrong labels to learn from. A quarter of them is the test part."""
    ids, _, labels = runs.toy()
    rng = np.random.RandomState(0)
    rows = [list(row[: rng.randint(4, 9)]) for row in ids.reshape(-1, 12)]
    assignment = rng.permutation(np.repeat([TRAIN, VAL, TEST], [150, 30, 60]))
    given = np.where(rng.rand(240) < 0.3, (labels + 1) % runs.N_LABELS, labels)
    return rows, labels, assignment, given


def prepared(rows, labels):
    offsets = np.cumsum([0, *map(len, rows)])
    return Prepared({"labels": runs.NAMES}, labels, np.concatenate(rows).astype(np.int32), offsets)


def fit(rows, labels, assignment, given, method="linear", **change):
    return runs.fit_linear(prepared(rows, labels), assignment, given, SETTINGS | change, method)


def by_scikit_learn(rows, labels, assignment, given, **change):
    """The same from its documents as texts."""
    texts = [" ".join(f"w{word}" for word in row) for row in rows]
    train, test = ([texts[i] for i in np.flatnonzero(assignment == part)] for part in (TRAIN, TEST))
    tfidf = TfidfVectorizer(sublinear_tf=(SETTINGS | change)["sublinear_tf"], token_pattern=r"w\d+").fit(train)
    model = LinearSVC(C=(SETTINGS | change)["C"], random_state=0).fit(
        tfidf.transform(train), given[assignment == TRAIN]
    )
    true, predicted = labels[assignment == TEST], model.predict(tfidf.transform(test))
    return (
        accuracy_score(true, predicted),
        f1_score(true, predicted, average="macro"),
        confusion_matrix(true, predicted).tolist(),
    )


@pytest.mark.parametrize("change", [{}, {"C": 0.02}, {"sublinear_tf": False}])
def test_it_equals_scikit_learns_pipeline_from_texts(change):
    data = corpus()
    record, (accuracy, macro_f1, matrix) = fit(*data, **change), by_scikit_learn(*data, **change)
    assert record["test"]["accuracy"] == accuracy and record["test"]["macro_f1"] == pytest.approx(macro_f1)
    assert record["confusion_matrix"] == matrix and 0.5 < accuracy < 1


def test_a_window_sees_the_tokens_that_a_network_sees():
    rows, labels, assignment, given = corpus()
    ids = encode.window(np.concatenate(rows), np.cumsum([0, *map(len, rows)]), 30, 4, "pre", "post")
    seen = [[word for word in row if word] for row in ids.tolist()]
    assert seen == [[word for word in row if word < 30][-4:] for row in rows] and seen != rows
    expected = by_scikit_learn(seen, labels, assignment, given)
    record = fit(rows, labels, assignment, given, "linear_window")
    assert (
        record["test"]["accuracy"] == expected[0]
        and record["confusion_matrix"] == expected[2] != fit(rows, labels, assignment, given)["confusion_matrix"]
    )


@pytest.mark.parametrize("method,strongest", [("svc", 0.003), ("nb", 3.0)])
def test_of_equals_the_strongest_regularisation_is_chosen(method, strongest):
    rows, labels = [[1, 1], [2, 2]] * 12, np.array([0, 1] * 12)  # every strength is right everywhere
    assignment = np.repeat([TRAIN, VAL, TEST], 8)
    record = fit(rows, labels, assignment, labels, method)
    assert (record["val_accuracy"], record["chosen"]) == (1.0, strongest)


def test_words_count_by_the_training_part_alone():
    """A word of all test documents: its weight, and with it every prediction, is what the training part makes it."""
    rows, labels, assignment, given = corpus()
    flooded = [row + [1 + 3 * (labels[i] + 1) % 12] * int(assignment[i] != TRAIN) for i, row in enumerate(rows)]
    record = fit(flooded, labels, assignment, given)
    assert record["confusion_matrix"] == by_scikit_learn(flooded, labels, assignment, given)[2]
