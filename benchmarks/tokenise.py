"""Chinese tokens per second: jieba itself, the same with repeated runs remembered, and that in several processes.

PYTHONPATH=src python benchmarks/tokenise.py fdcnews --documents 1000     (after `dvc repro
data/dvc.yaml:fetch@fdcnews`)
"""

import argparse
import os
import time
from collections.abc import Callable

import jieba

from lcm.corpora.catalogue import entry, raw_path
from lcm.errors import UserError, run_main
from lcm.params import load_params
from lcm.text import chinese


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--documents", type=int, default=1000, help="how many, evenly spread over the corpus")
    arguments = parser.parse_args()
    knobs = load_params().corpora.get(arguments.corpus)
    item = knobs and entry(arguments.corpus, knobs)
    if not item or item.language != "zh":
        raise UserError(f"{arguments.corpus!r} is no Chinese corpus of params.yaml; take fdcnews")
    texts = item.read(raw_path(arguments.corpus, knobs), knobs).texts
    texts = texts[:: max(1, len(texts) // arguments.documents)]

    jieba.setLogLevel("WARNING")
    own = jieba.Tokenizer()
    own.initialize()
    chinese.tokenise("中文")  # loads the dictionary
    cores = min(len(os.sched_getaffinity(0)), chinese.MOST_PROCESSES)
    ways: dict[str, Callable[[], list[list[str]]]] = {
        "jieba": lambda: [[word for word in own.cut(text.lower()) if chinese.WORD.search(word)] for text in texts],
        "1 process": lambda: list(chinese.tokenise_all(texts, "1 process", 1)),
        f"{cores} processes": lambda: list(chinese.tokenise_all(texts, f"{cores} processes", cores)),
    }
    characters, first = sum(map(len, texts)), None
    print(f"{arguments.corpus}: {len(texts)} documents, {characters} characters")
    for name, way in ways.items():
        started = time.perf_counter()
        documents = way()
        seconds = time.perf_counter() - started
        first = first or documents
        same = "same words" if documents == first else "OTHER WORDS"
        tokens = sum(map(len, documents))
        print(
            f"{name:12} {seconds:7.2f} s {tokens / seconds:10,.0f} tokens/s {characters / seconds:10,.0f} characters/s "
            f" {same}"
        )


if __name__ == "__main__":
    run_main(main)
