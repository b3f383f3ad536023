"""Chinese tokens: jieba's words or single characters; the same ones on every machine and with any number of processes."""

import hashlib
import os
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from math import log
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from lcm.errors import UserError

with warnings.catch_warnings(action="ignore"):  # jieba's sources have invalid escapes and look for pkg_resources
    import jieba

DICTIONARY = "7197c3211ddd98962b036cdf40324d1ea2bfaa12bd028e68faa70111a88e12a8"  # sha256 of dict.txt of jieba 0.42.1
CHUNK = 100_000  # characters that a process gets at a time
NO_WORD = 1.0  # score of what begins words but is none; those of words are negative
UNKNOWN = ""  # whose score is that of a character which no word begins with
MOST_PROCESSES = 8  # each holds its own dictionary, 0.1 GB
ALONE = 1_000_000  # characters below which starting processes takes longer than cutting

# The runs of characters that jieba segments, each by itself; what stands between them holds letters of other scripts at the most.
RUN = re.compile(r"([\u4E00-\u9FD5a-z0-9+#&._%\-]+)")
WORD = re.compile(r"[^\W_]")
CHARACTER = re.compile(r"[a-z0-9]+|[^\W_]")


def verified_dictionary() -> Path:
    """jieba's dictionary. Raises UserError if it is not the one of jieba 0.42.1."""
    path = Path(jieba.__file__).with_name("dict.txt")
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        found = error.strerror
    if found != DICTIONARY:
        raise UserError(f"{path}: found {found}, expected sha256 {DICTIONARY}; pip install --force-reinstall jieba==0.42.1")
    return path


@lru_cache(maxsize=1)
def _scores() -> dict[str, float]:
    """Logarithm of the share of each word of the dictionary; NO_WORD for what only begins words."""
    # Not jieba's own loading: it believes a cache in the temporary folder, whoever wrote that, and logs to stderr.
    counts, total = jieba.Tokenizer.gen_pfdict(open(verified_dictionary(), "rb"))  # gen_pfdict closes it
    scores = {word: log(count) - log(total) if count else NO_WORD for word, count in counts.items()}
    return scores | {UNKNOWN: log(1) - log(total)}


@lru_cache(maxsize=200_000)
def _words_of_run(run: str) -> tuple[str, ...]:
    """`jieba.cut` of one run, without punctuation: the most probable path of words, then names in what is left in single characters.

    jieba's algorithm and its floating-point operations, or ties would fall otherwise, but in one pass, and remembering.
    """
    scores = _scores()
    score_of, unknown, size = scores.get, scores[UNKNOWN], len(run)
    best_from, ends = [0.0] * (size + 1), [0] * size  # best score from here to the end of the run; where its first word ends
    for start in range(size - 1, -1, -1):
        best, best_end, end = None, start + 1, start + 1
        score = score_of(run[start])
        while score:  # None: no word begins like this
            if score < 0:
                total = score + best_from[end]
                if best is None or total >= best:  # of equals the longer word
                    best, best_end = total, end
            if end == size:
                break
            end += 1
            score = score_of(run[start:end])
        best_from[start] = unknown + best_from[start + 1] if best is None else best
        ends[start] = best_end

    words: list[str] = []
    start = singles = 0  # singles: where the characters not yet put into words begin
    while start < size:
        end = ends[start]
        if end - start > 1:
            if singles < start:
                words.extend(_words_of_singles(run[singles:start]))
            words.append(run[start:end])
            singles = end
        start = end
    if singles < size:
        words.extend(_words_of_singles(run[singles:]))
    return tuple(words)


@lru_cache(maxsize=200_000)
def _words_of_singles(singles: str) -> tuple[str, ...]:
    """Words that jieba's hidden Markov model finds in characters that its dictionary left single."""
    if len(singles) == 1 or _scores().get(singles, NO_WORD) < 0:
        words = singles
    else:
        words = jieba.finalseg.cut(singles)
    return tuple(word for word in words if WORD.search(word))


def tokenise(text: str, tokens: str = "jieba") -> list[str]:
    """The tokens of a text in lower case, without punctuation. tokens: `jieba` (words) or `characters` (Latin runs stay whole)."""
    text = text.lower()
    if tokens == "characters":
        return CHARACTER.findall(text)
    words: list[str] = []
    for number, part in enumerate(RUN.split(text)):
        words.extend(_words_of_run(part) if number % 2 else WORD.findall(part))
    return words


def tokenise_all(texts: list[str], tokens: str, title: str, processes: int | None = None) -> Iterator[list[str]]:
    """`tokenise` of every text, in order. processes: None is one per core.

    Raises UserError if jieba's dictionary is the wrong one or a process was ended from outside.
    """
    if tokens == "jieba":
        verified_dictionary()  # refused here, not in every process
    total = sum(map(len, texts))
    if processes is None:
        processes = 1 if total < ALONE else min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    with tqdm(total=total, desc=title, unit="char", unit_scale=True, disable=None) as bar:
        for text, document in zip(texts, _documents(texts, tokens, title, processes), strict=True):
            bar.update(len(text))
            yield document


def _documents(texts: list[str], tokens: str, title: str, processes: int) -> Iterator[list[str]]:
    if processes == 1:
        yield from (tokenise(text, tokens) for text in texts)
        return
    chunks = list(_chunks(texts))
    # spawn: forking is not safe once NumPy's threads run. Processes that end from outside make this pool fail, not hang.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        try:
            for documents in pool.map(_tokenise_chunk, chunks, [tokens] * len(chunks)):
                yield from documents
        except BrokenProcessPool:
            raise UserError(f"{title}: a process was ended from outside (out of memory?); run the same command again") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _chunks(texts: list[str]) -> Iterator[list[str]]:
    chunk, size = [], 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _tokenise_chunk(texts: list[str], tokens: str) -> list[list[str]]:
    # One object per word: pickle writes it once, and the parent gets one object, not a million.
    once: dict[str, str] = {}
    return [[once.setdefault(word, word) for word in tokenise(text, tokens)] for text in texts]
