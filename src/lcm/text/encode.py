"""Texts as integers: a vocabulary by frequency, ragged token ids, and the fixed window that a model reads."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

PAD = 0  # ids of words start at 1


def build_vocabulary(documents: Sequence[list[str]]) -> tuple[list[str], np.ndarray]:
    """Every word of the documents, most frequent first, ties in alphabetical order.

    Returns the words and their counts (int64); the word at position i has id i + 1.
    """
    counts = Counter()
    for document in documents:
        counts.update(document)
    words = sorted(counts, key=lambda word: (-counts[word], word))
    return words, np.array([counts[word] for word in words], np.int64)


def encode(documents: Sequence[list[str]], words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Ragged ids of all tokens. Returns ids (total,) int32 and offsets (n + 1,) int64: document i is ids[offsets[i]:offsets[i+1]]."""
    index = {word: position + 1 for position, word in enumerate(words)}
    offsets = np.zeros(len(documents) + 1, np.int64)
    np.cumsum([len(document) for document in documents], out=offsets[1:])
    ids = np.fromiter((index[word] for document in documents for word in document), np.int32, offsets[-1])
    return ids, offsets


def refit(ids: np.ndarray, offsets: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Renumber ids by frequency in some documents only (the training part), so that no other text shapes the vocabulary.

    documents: (n,) bool. Returns ids of the same shape; words that do not occur there come last, in their old order.
    """
    inside = np.repeat(documents, np.diff(offsets))
    counts = np.bincount(ids[inside], minlength=ids.max(initial=0) + 1)[1:]
    order = np.argsort(-counts, kind="stable")
    renumbered = np.empty(len(order) + 1, ids.dtype)
    renumbered[0] = PAD
    renumbered[order + 1] = np.arange(1, len(order) + 1)
    return renumbered[ids]


def window(ids: np.ndarray, offsets: np.ndarray, vocabulary_size: int, maxlen: int, truncation: str, padding: str) -> np.ndarray:
    """The (n, maxlen) ids a model reads: rarer words dropped, then cut, then padded with 0.

    vocabulary_size: ids from 1 to vocabulary_size - 1 stay (Keras' `num_words`). truncation: `pre` cuts the beginning and
    keeps the last maxlen tokens, `post` keeps the first. padding: `pre` puts the zeros before the text, `post` after it.
    """
    known = ids < vocabulary_size
    document = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[known]
    kept = ids[known]
    lengths = np.bincount(document, minlength=len(offsets) - 1)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    position = np.arange(len(kept)) - starts[document]  # place of a token in its document
    if truncation == "pre":
        position -= np.maximum(lengths - maxlen, 0)[document]
    inside = (position >= 0) & (position < maxlen)
    if padding == "pre":
        position += np.maximum(maxlen - lengths, 0)[document]
    windowed = np.full((len(lengths), maxlen), PAD, ids.dtype)
    windowed[document[inside], position[inside]] = kept[inside]
    return windowed
