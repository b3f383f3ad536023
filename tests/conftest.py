"""Tests run in the repository's root, whatever folder pytest is started from, and never touch its run store."""

from pathlib import Path

import numpy as np
import pytest
import runs
import torch
import yaml

from lcm.files import write_array, write_json
from lcm.protocol.splits import make_splits

torch.set_num_threads(
    1
)  # as in a worker of the pool; two threads of one small model wait for each other, for minutes on a busy machine

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def own_place(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LCM_RUN_STORE", str(tmp_path / "runs"))
    monkeypatch.delenv("LCM_MIRRORS", raising=False)


@pytest.fixture
def params() -> dict:
    """The content of params.yaml with a study `small` of the corpus `toy`, whose models learn in seconds."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["corpora"]["toy"] = {}
    content["models"]["lstm_rand"] |= {"embedding": 8, "hidden": 8, "vocabulary_size": 40, "maxlen": 14}
    content["models"]["cnn_rand"] |= {
        "embedding": 8,
        "filters": 6,
        "filter_sizes": [2, 3],
        "vocabulary_size": 40,
        "maxlen": 14,
        "train": {},
    }
    content["train"] |= {"epochs": 3, "batch_size": 16, "lr": 0.02}
    grid = {"corpora": ["toy"], "noise": [0], "models": ["lstm_rand", "cnn_rand"], "arms": ["ls", "lcm"]}
    content["studies"] = {"small": {"splits": 2, "train": {}, "text": grid}}
    return content


@pytest.fixture
def workplace(tmp_path, monkeypatch, params) -> Path:
    """A folder with params.yaml, a prepared corpus `toy`, its splits and labels, as the data stages would leave it."""
    monkeypatch.chdir(tmp_path)
    runs.forget_data()
    ids, offsets, labels = runs.toy()
    folder = tmp_path / "data/corpus/toy"
    for name, array in (("ids", ids), ("offsets", offsets), ("labels", labels)):
        write_array(folder / f"{name}.npy", array)
    write_json(
        folder / "corpus.json",
        {"corpus": "toy", "digest": "sha256:toy", "edition": "toy", "kind": "text", "labels": runs.NAMES},
    )
    write_array(tmp_path / "data/splits/toy.npy", make_splits(labels, 10, 0.3, 0.1))
    write_array(tmp_path / "data/noise/toy/0.npy", np.tile(labels, (10, 1)))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path
