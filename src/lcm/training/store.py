"""The run store: every finished run under the hash of everything that determines it, outside DVC's outs.

A cell is written as a whole; the store is what lets a killed one go on where it stopped, what brings an alpha tried
before back at once, and how results trained elsewhere come home (copy the folder).
"""

import hashlib
import json
import os
from pathlib import Path

from lcm.files import write_json

# Raise an encoder's version by hand when a change to the code changes its numbers. Source text is not part of a key: a comment
# must not retrain the world. What is not named here has version 1.
ALGORITHM = {"image_cnn": 3}  # 2: dropout that is the same alone and in a fleet; 3: sums in another order


def store_folder() -> Path:
    """LCM_RUN_STORE, else .runs in the repository. DVC_ROOT is the repository itself even in a stage of `exp run --temp`."""
    return Path(os.environ.get("LCM_RUN_STORE") or Path(os.environ.get("DVC_ROOT", ".")) / ".runs")


def run_key(determinants: dict) -> str:
    """Hex key of a run: the hash of its data digests, parameters, seed and the algorithm's version for its encoder."""
    version = ALGORITHM.get((determinants.get("model") or {}).get("encoder"), 1)
    text = json.dumps({"algorithm": version, **determinants}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def load_run(key: str) -> dict | None:
    """The record of a finished run, or None. A record that cannot be read counts as not there."""
    try:
        return json.loads((store_folder() / key[:2] / f"{key}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def save_run(key: str, record: dict) -> None:
    """Keep the record of a finished run; the checkpoint that it grew from is not needed any more."""
    write_json(store_folder() / key[:2] / f"{key}.json", record)
    for path in (store_folder() / key[:2]).glob(f"{key}-*.pt"):
        path.unlink(missing_ok=True)


def checkpoint_path(folder: Path, keys: list[str]) -> Path:
    """Where the checkpoint of a fleet of runs lies in a run store: beside the record of its first run."""
    return folder / keys[0][:2] / f"{keys[0]}-{len(keys)}.pt"
