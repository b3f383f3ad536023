"""Stage `split`: divide a corpus into train / validation / test parts, and draw the labels to learn from.

-> data/splits/<corpus>/splits.npy, (n_splits, n) uint8
-> data/splits/<corpus>/labels-<percent>.npy, (n_splits, n) int16, wrong in training, validation if noise.val is noisy
-> data/splits/<corpus>/labels-<percent>-<own>.npy, for studies that want other wrong labels: -noisy, in validation too
   (noise_val); -uniform, drawn from all labels (noise_kind)

Example: python pipeline/split.py 20ng
"""

from pathlib import Path

import numpy as np

from lcm.corpora.catalogue import RAW, raw_path
from lcm.corpora.prepare import load
from lcm.errors import arguments, lookup, run_main
from lcm.files import new_folder, pass_gap, write_array
from lcm.params import OWN, kinds_of_wrong_labels, load_params
from lcm.protocol.noise import given_labels, label_groups, labels_to_learn
from lcm.protocol.splits import SMALL_CLASS, make_splits


def main() -> None:
    corpus = arguments(__doc__, corpus="a name below `corpora` in params.yaml, such as 20ng").parse_args().corpus
    params = load_params()
    knobs = lookup(params.corpora, corpus, "corpora")
    folder, splits_folder = (Path("data") / kind / corpus for kind in ("corpus", "splits"))
    if pass_gap(folder, splits_folder, quiet=corpus == OWN):
        return
    split, noise, data = params.split, params.noise, load(folder)
    stratified = split.stratified if knobs.stratified is None else knobs.stratified
    if knobs.stratified is None and not stratified and raw_path(corpus, knobs).parent != RAW:
        smallest = np.bincount(data.labels).min()
        if stratified := bool(smallest < SMALL_CLASS):
            print(
                f"{corpus}: the smallest class has {smallest} samples: every split keeps the shares of the classes "
                "(stratified)"
            )
    official_test = None if data.pixels is not None and split.images == "random" else data.official_test
    splits = make_splits(
        data.labels, split.n, split.test, split.val, stratified, data.names, official_test, data.official_val
    )
    groups = label_groups(data.names, noise.groups.get(corpus))
    with new_folder(splits_folder) as part:
        write_array(part / "splits.npy", splits)
        for percent in [0, *noise.rates.get(corpus, [])]:
            others = kinds_of_wrong_labels(params, corpus) if percent else {}
            kinds = {"": noise, **others}
            if not groups:  # labels without groups have no noise within them; another kind of noise needs none
                kinds = {end: each for end, each in kinds.items() if each.kind == "uniform"} or kinds
            for end, settings in kinds.items():
                labels = labels_to_learn(data.labels, splits, groups, percent / 100, settings)
                write_array(part / f"labels-{percent}{end}.npy", labels)
        if data.given is not None:
            percent = round(100 * data.meta["given_labels_wrong"])
            write_array(part / f"labels-{percent}.npy", given_labels(data.labels, data.given, splits, noise))
            print(
                f"{corpus}: {percent} % of the given labels are wrong; a study that learns from them has noise "
                f"{percent}"
            )


if __name__ == "__main__":
    run_main(main)
