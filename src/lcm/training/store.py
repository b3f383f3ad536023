"""The run store: every finished run, under the hash of everything that determines it, outside DVC's outputs.

It lets an interrupted study continue, makes going back to an earlier setting free, and carries results between
machines (copy the folder). Beside a run's record <key>.json lie its predictions, <key>.npz.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lcm.files import json_or_none, locked, replacing, store_folder, write_array, write_json

# Raise an encoder's version when a change to the code changes its numbers (tests/test_golden.py fails then). Source
# text is not part of a key, so that a comment retrains nothing. Encoders that are not named here have version 1.
ALGORITHM = {"image_cnn": 3}  # 2: dropout that is the same alone and in a fleet; 3: sums in another order


def run_key(determinants: dict) -> str:
    """Return the hex key of a run: a hash of data digests, parameters, seed and its encoder's algorithm version."""
    version = ALGORITHM.get((determinants.get("model") or {}).get("encoder"), 1)
    text = json.dumps({"algorithm": version, **determinants}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def load_run(key: str) -> dict | None:
    """Return the record of a finished run, or None. A record that is broken, or of another run, counts as missing."""
    record = json_or_none(store_folder() / key[:2] / f"{key}.json")
    return record if is_record(record, key) else None


def is_record(record: object, key: str) -> bool:
    """Return whether `record` can be that of the run `key`.

    It must hold this key, and a test accuracy in [0, 1] or the reason why the run failed.
    """
    if not isinstance(record, dict) or record.get("key") != key:
        return False
    if isinstance(record.get("failed"), str):
        return True
    accuracy = record["test"].get("accuracy") if isinstance(record.get("test"), dict) else None
    return isinstance(accuracy, int | float) and 0 <= accuracy <= 1


def save_run(record: dict, predictions: dict[str, np.ndarray] | None = None) -> None:
    """Store the record of a finished run and its probabilities.

    Deletes the run's checkpoint, which is not needed any more.
    predictions: {"test": (n_test, C), "val": (n_val, C)} float16.
    """
    key = record["key"]
    folder = store_folder() / key[:2]
    if predictions is not None:
        with replacing(folder / f"{key}.npz") as part, open(part, "wb") as file:
            np.savez_compressed(file, **predictions)
    write_json(folder / f"{key}.json", record)
    for path in folder.glob(f"{key}-*.pt"):
        path.unlink(missing_ok=True)


def load_predictions(key: str) -> dict[str, np.ndarray] | None:
    """Return a run's probabilities, {"test": (n_test, C), "val": (n_val, C)} float16; None if missing or damaged."""
    try:
        with np.load(store_folder() / key[:2] / f"{key}.npz", allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except Exception:  # missing or damaged, of which NumPy and zipfile have a dozen kinds
        return None


def remembered(kind: str, digest: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the array that `make` computes, memory-mapped; computed only if the store has no readable one yet.

    kind: a folder of the store. digest: of everything that determines the array. A second process waits for the first.
    """
    path = store_folder() / kind / f"{digest}.npy"
    if not _is_array(path):
        with locked(path):
            if not _is_array(path):
                write_array(path, make())
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _is_array(path: Path) -> bool:
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # NumPy parses the header as Python source: TokenError is among them
        return False
    return True
