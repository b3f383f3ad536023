"""Chinese tokens: jieba's words; the same on every machine and with any number of processes."""

import hashlib
import re
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from lcm.errors import UserError

with warnings.catch_warnings(action="ignore"):  # jieba's sources have invalid escapes and look for pkg_resources
    import jieba

DICTIONARY = "7197c3211ddd98962b036cdf40324d1ea2bfaa12bd028e68faa70111a88e12a8"  # sha256 of dict.txt of jieba 0.42.1
CHUNK = 100_000  # characters that a process gets at a time, about
MOST_PROCESSES = 8  # each holds its own dictionary, 0.1 GB
ALONE = 1_000_000  # characters below which starting processes takes longer than cutting

# The runs of characters that jieba segments, each by itself; what stands between them holds letters of other scripts at
# the most.
RUN = re.compile(r"([\u4E00-\u9FD5a-z0-9+#&._%\-]+)")
WORD = re.compile(r"[^\W_]")


def verified_dictionary() -> Path:
    """jieba's dictionary. Raises UserError if it is not the one of jieba 0.42.1."""
    path = Path(jieba.__file__).with_name("dict.txt")
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        found = error.strerror
    if found != DICTIONARY:
        raise UserError(
            f"{path}: found {found}, expected sha256 {DICTIONARY}; pip install --force-reinstall jieba==0.42.1"
        )
    return path


@lru_cache(maxsize=1)
def _tokenizer() -> jieba.Tokenizer:
    """jieba's tokenizer with its own dictionary, without the cache file that it would keep in the temporary folder for
    all users.
    """
    tokenizer = jieba.Tokenizer()
    with open(verified_dictionary(), "rb") as file:
        tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(file)
    tokenizer.initialized = True
    return tokenizer


@lru_cache(maxsize=200_000)
def _words_of_run(run: str) -> tuple[str, ...]:
    """`jieba.cut` of one run, without punctuation. Half of all runs occur again."""
    # One object for each word: pickle writes it once for all texts that a process returns together.
    return tuple(sys.intern(word) for word in _tokenizer().cut(run) if WORD.search(word))


def tokenise(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    words: list[str] = []
    for number, part in enumerate(RUN.split(text.lower())):
        words.extend(_words_of_run(part) if number % 2 else WORD.findall(part))
    return words


def tokenise_all(texts: list[str], title: str, processes: int | None = None) -> Iterator[list[str]]:
    """`tokenise` of every text, in order. processes: None is one per core.

    Raises UserError if jieba's dictionary is the wrong one or a process was ended from outside.
    """
    verified_dictionary()  # refused here, not in every process
    total = sum(map(len, texts))
    if processes is None:
        from joblib import cpu_count  # takes a quarter of a second to import, in each process if it stood above

        processes = 1 if total < ALONE else min(cpu_count(), MOST_PROCESSES)
    with tqdm(total=total, desc=title, unit="char", unit_scale=True, disable=None) as bar:
        documents = map(tokenise, texts) if processes == 1 else _in_parallel(texts, total, title, processes)
        for text, document in zip(texts, documents, strict=True):
            bar.update(len(text))
            yield document


def _in_parallel(texts: list[str], total: int, title: str, processes: int) -> Iterator[list[str]]:
    # spawn: forking is not safe once NumPy's threads run. Processes that end from outside make this pool fail, not
    # hang.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        try:
            yield from pool.map(tokenise, texts, chunksize=1 + CHUNK * len(texts) // total)
        except BrokenProcessPool:
            raise UserError(
                f"{title}: a process was ended from outside (out of memory?); run the same command again"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
