"""Tokens, vocabulary and the window that a model reads."""

import numpy as np
import pytest

from lcm.text.encode import encode, refit, window
from lcm.text.english import tokenise

DOCUMENTS = [["b", "a", "a", "c"], ["a", "d"], [], ["c", "b", "a", "a", "e"]]


def test_english_tokens():
    assert tokenise("Re: It's 3 O'Clock, été!") == ["re", "it", "s", "o", "clock", "t"]
    assert tokenise("Re: It's 3 O'Clock, été_x!", "words") == ["re", "it", "s", "3", "o", "clock", "été", "x"]


def test_vocabulary_is_by_frequency_then_alphabet():
    words, counts, ids, offsets = encode(iter(DOCUMENTS))
    assert words == ["a", "b", "c", "d", "e"] and counts.tolist() == [5, 2, 2, 1, 1]
    assert offsets.tolist() == [0, 4, 6, 6, 11]
    assert ids.tolist() == [2, 1, 1, 3, 1, 4, 3, 2, 1, 1, 5]
    words, counts, ids, _ = encode([["z", "y", "z"], ["x", "b", "y", "z"]])
    assert words == ["z", "y", "b", "x"] and counts.tolist() == [3, 2, 1, 1] and ids.tolist() == [1, 2, 1, 4, 3, 2, 1]


def naive_window(documents, words, size, maxlen, truncation, padding):
    rows = []
    for document in documents:
        row = [words.index(word) + 1 for word in document if words.index(word) + 1 < size]
        row = row[-maxlen:] if truncation == "pre" else row[:maxlen]
        zeros = [0] * (maxlen - len(row))
        rows.append(zeros + row if padding == "pre" else row + zeros)
    return rows


@pytest.mark.parametrize("truncation", ["pre", "post"])
@pytest.mark.parametrize("padding", ["pre", "post"])
def test_window_equals_a_naive_one(truncation, padding):
    rng = np.random.default_rng(0)
    documents = [[f"w{n}" for n in rng.zipf(1.5, size=rng.integers(0, 30)) if n < 60] for _ in range(200)]
    words, _, ids, offsets = encode(documents)
    for size, maxlen in ((10, 7), (61, 100), (2, 3)):
        found = window(ids, offsets, size, maxlen, truncation, padding)
        assert found.tolist() == naive_window(documents, words, size, maxlen, truncation, padding)


def test_refit_counts_chosen_documents_only():
    _, _, ids, offsets = encode(DOCUMENTS)
    new = refit(ids, offsets, np.array([False, True, False, False]))  # a and d once each, the rest never
    renamed = dict(zip(ids.tolist(), new.tolist(), strict=True))
    assert renamed == {1: 1, 4: 2, 2: 3, 3: 4, 5: 5}
