"""Stage `split`: the seeded train / validation / test splits -> data/splits/<corpus>.npy, (n_splits, n) uint8"""

import argparse
from pathlib import Path

from lcm.corpora.prepare import load
from lcm.errors import run_main
from lcm.files import write_array
from lcm.params import load_params
from lcm.protocol.splits import make_splits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    corpus = parser.parse_args().corpus
    split = load_params().split
    data = load(Path("data/corpus") / corpus)
    official_test = data.official_test if split.images == "official" else None
    splits = make_splits(data.labels, split.n, split.test, split.val, split.stratified, data.names, official_test)
    write_array(Path("data/splits") / f"{corpus}.npy", splits)


if __name__ == "__main__":
    run_main(main)
