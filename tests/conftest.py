"""Tests run in the repository's root, whatever folder pytest is started from, and never touch its run store."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def own_place(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LCM_RUN_STORE", str(tmp_path / "runs"))
    monkeypatch.delenv("LCM_MIRRORS", raising=False)
