"""Tests run in the repository's root, whatever folder pytest is started from, and never touch its run store."""

import os
import sys
from pathlib import Path

import pytest
import runs
import torch

# As in a worker of the pool; two threads of one small model wait for each other, for minutes on a busy machine.
torch.set_num_threads(1)
sys.path.append(str(runs.ROOT / "pipeline"))  # `import plan`
os.environ["OMP_NUM_THREADS"] = "1"

TEXT = {"vocabulary_size": 40, "maxlen": 14}


@pytest.fixture(autouse=True)
def own_place(monkeypatch, tmp_path):
    monkeypatch.chdir(runs.ROOT)
    monkeypatch.setenv("LCM_RUN_STORE", str(tmp_path / "runs"))
    monkeypatch.delenv("LCM_MIRRORS", raising=False)


@pytest.fixture
def params() -> dict:
    """The content of params.yaml with a study `small` of the corpus `toy`, whose models learn in seconds."""
    content = runs.committed()
    content["corpora"]["toy"] = {"path": "toy.csv"}
    content["models"]["lstm_rand"] |= TEXT | {"embedding": 8, "hidden": 8}
    content["models"]["cnn_rand"] |= TEXT | {"embedding": 8, "filters": 6, "filter_sizes": [2, 3], "train": {}}
    content["train"] |= {"epochs": 3, "batch_size": 16, "lr": 0.02}
    content["execution"] |= {"device": "cpu", "processes": 1}
    content["studies"] = {"small": runs.study(["toy"], ["lstm_rand", "cnn_rand"], list(runs.METHODS))}
    return content


@pytest.fixture
def workplace(tmp_path, monkeypatch, params) -> Path:
    """A folder with params.yaml, a prepared corpus `toy`, its splits and labels, as the data stages would leave it."""
    monkeypatch.chdir(tmp_path)
    runs.forget_data()
    runs.write_corpus(tmp_path)
    runs.write_params(params, tmp_path)
    return tmp_path
