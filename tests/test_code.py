"""Which code made a number."""

import ast
from pathlib import Path

import pytest

import lcm.models
from lcm.training import code

MODELS = Path(lcm.models.__file__).parent
SHARED = {"__init__", "initialise", "dropout", "stacked", "attention"}
ENCODERS = sorted(path.stem for path in MODELS.glob("*.py") if path.stem not in SHARED)


@pytest.fixture
def digested(monkeypatch):
    """(encoder, target) -> the files whose content the digest is of."""
    monkeypatch.setattr(code.source, "digest", tuple)
    code.digest.cache_clear()
    yield code.digest
    code.digest.cache_clear()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_file_that_an_encoder_imports_counts(digested, encoder):
    names = digested(encoder, "ce")
    imported = {
        f"models/{node.module.rpartition('.')[2]}.py"
        for node in ast.walk(ast.parse((MODELS / f"{encoder}.py").read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lcm.models.")
    }
    assert f"models/{encoder}.py" in names and imported <= set(names)
    assert ("text/features.py" in names) == (encoder == "frozen")


def test_held_out_models_count_for_targets_that_ask_them(digested):
    assert "training/held_out.py" in digested("bag", "prune") and "training/held_out.py" not in digested("bag", "ce")
    assert "targets/ls.py" in digested("bag", "ls_matched")  # what a target is made of
    assert digested(None, "svc") == code.LINEAR
