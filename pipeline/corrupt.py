"""Stage `corrupt`: labels to learn from -> data/noise/<corpus>/<percent>.npy, (n_splits, n) int16; wrong in training samples only"""

import argparse
from pathlib import Path

import numpy as np

from lcm.corpora.prepare import load
from lcm.errors import run_main
from lcm.files import new_folder, write_array
from lcm.params import load_params
from lcm.protocol.noise import add_noise, label_groups
from lcm.protocol.splits import TEST, TRAIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    corpus = parser.parse_args().corpus
    noise = load_params().noise
    data = load(Path("data/corpus") / corpus)
    splits = np.load(Path("data/splits") / f"{corpus}.npy")
    groups = label_groups(data.names, noise.groups.get(corpus))
    with new_folder(Path("data/noise") / corpus) as folder:
        for percent in [0, *noise.rates.get(corpus, [])]:
            hit = splits == TRAIN if noise.val == "clean" else splits != TEST
            rows = [
                add_noise(np.asarray(data.labels), where, groups, percent / 100, noise.seed + number, noise.kind)
                for number, where in enumerate(hit)
            ]
            write_array(folder / f"{percent}.npy", np.stack(rows))


if __name__ == "__main__":
    run_main(main)
