"""Tests run in the repository's root, whatever folder pytest is started from, and never touch its run store."""

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # as in a worker of the pool; two threads of one small model wait for each other, for minutes on a busy machine

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def own_place(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LCM_RUN_STORE", str(tmp_path / "runs"))
    monkeypatch.delenv("LCM_MIRRORS", raising=False)
