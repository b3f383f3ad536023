"""Stage `prepare`: originals -> data/corpus/<corpus>/ (arrays) and data/cards/<corpus>.json (for people, in git)"""

import argparse
from pathlib import Path

from lcm.corpora.prepare import prepare
from lcm.errors import run_main
from lcm.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    corpus = parser.parse_args().corpus
    data = Path("data")
    meta = prepare(corpus, load_params().corpora[corpus], data / "raw" / corpus, data / "corpus" / corpus, data / "cards" / f"{corpus}.json")
    print(f"{corpus}: {meta['edition']}, {len(meta['labels'])} labels, {meta['digest'][:19]}…")


if __name__ == "__main__":
    run_main(main)
