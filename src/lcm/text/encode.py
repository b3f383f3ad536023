"""Texts as integers: a vocabulary by frequency, ragged token ids, and the fixed window that a model reads."""

from array import array
from collections.abc import Iterable

import numpy as np

PAD = 0  # ids of words start at 1
PIECE = 1 << 20  # tokens


def encode(documents: Iterable[list[str]]) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Vocabulary and ids of documents, read once and one at a time: only the ids are held in memory.

    Returns the words, most frequent first, ties in alphabetical order (the word at position i has id i + 1), their
    counts (int64), the ragged ids of all tokens (total,) int32, and offsets (n + 1,) int64: document i is
    ids[offsets[i]:offsets[i+1]].
    """
    first_seen: dict[str, int] = {}
    tokens, lengths = array("i"), array("q", [0])
    for document in documents:
        tokens.extend([first_seen.setdefault(word, len(first_seen)) for word in document])
        lengths.append(len(document))
    numbers, words = np.frombuffer(tokens, np.int32) if tokens else np.empty(0, np.int32), list(first_seen)
    pieces = range(0, len(numbers), PIECE)  # at once, NumPy would need the tokens several times over
    counts = sum(
        (np.bincount(numbers[start : start + PIECE], minlength=len(words)) for start in pieces),
        np.zeros(len(words), np.int64),
    )
    order = sorted(range(len(words)), key=lambda number: (-counts[number], words[number]))
    ids = np.empty(len(words), np.int32)
    ids[order] = np.arange(1, len(words) + 1)
    for start in pieces:
        numbers[start : start + PIECE] = ids[numbers[start : start + PIECE]]
    return (
        [words[number] for number in order],
        counts[order].astype(np.int64),
        numbers,
        np.cumsum(lengths, dtype=np.int64),
    )


def refit(ids: np.ndarray, offsets: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Renumber ids by frequency in some documents only (the training part), so that no other text shapes the
    vocabulary.

    documents: (n,) bool. Returns ids of the same shape; words that do not occur there come last, in their old order.
    """
    return renumbering(ids, offsets, documents)[ids]


def renumbering(ids: np.ndarray, offsets: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """The id that `refit` gives to every old id: (words + 1,), of the pad (0) first."""
    inside = np.repeat(documents, np.diff(offsets))
    counts = np.bincount(ids[inside], minlength=ids.max(initial=0) + 1)[1:]
    order = np.argsort(-counts, kind="stable")
    renumbered = np.empty(len(order) + 1, ids.dtype)
    renumbered[0] = PAD
    renumbered[order + 1] = np.arange(1, len(order) + 1)
    return renumbered


def window(
    ids: np.ndarray, offsets: np.ndarray, vocabulary_size: int, maxlen: int, truncation: str, padding: str
) -> np.ndarray:
    """The (n, maxlen) ids a model reads: rarer words dropped, then cut, then padded with 0.

    vocabulary_size: ids from 1 to vocabulary_size - 1 stay (Keras' `num_words`). truncation: `pre` cuts the beginning
    and keeps the last maxlen tokens, `post` keeps the first. padding: `pre` puts the zeros before the text, `post`
    after it.
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
