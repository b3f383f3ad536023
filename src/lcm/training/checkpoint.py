"""Checkpoints of unfinished runs: a killed process continues from its last one and ends with the same numbers."""

import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from lcm.errors import one_line
from lcm.files import replacing


@dataclass(frozen=True)
class Checkpoint:
    """folder: the run store. keys: of the runs that train together, in order. every: epochs between two checkpoints.

    code: digest of the numeric modules. Other code may mean other numbers by the same weights, and a run is of one
    code from its first step to its last.
    """

    folder: Path
    keys: list[str]
    every: int
    code: str = ""

    @property
    def path(self) -> Path:
        """Beside the record of the first run; `store.save_run` deletes it there."""
        return self.folder / self.keys[0][:2] / f"{self.keys[0]}-{len(self.keys)}.pt"

    def save(self, state: dict) -> None:
        """Store `state` (tensors, numbers, text, lists, dicts) atomically, in place of the one before.

        Where the disk refuses, training goes on without, and one line says so: a result needs less space.
        """
        try:
            with replacing(self.path) as part:
                torch.save({"keys": self.keys, "code": self.code, "state": state}, part)
        except (OSError, RuntimeError) as error:  # PyTorch's writer has errors of its own for a full disk
            _say(one_line(f"{self.path}: no checkpoint ({error}", 300) + "); training goes on without")

    def load(self, device: str) -> dict | None:
        """Return the state, its tensors on the device, or None.

        A checkpoint that is broken, or of other runs or other code, is ignored with one line on stderr.
        """
        try:
            content = torch.load(self.path, map_location=device, weights_only=True)  # never unpickles an object
            keys, code, state = content["keys"], content.get("code"), content["state"]
        except FileNotFoundError:
            return None
        except Exception as error:  # a cut or foreign file: whatever zip, pickle or PyTorch make of it
            return self._ignored(f"cannot be read ({type(error).__name__})")
        if keys != self.keys:
            return self._ignored("is of other runs")
        return state if code == self.code else self._ignored("was made by other code")

    def _ignored(self, why: str) -> None:
        print(f"{self.path}: {why}; ignored, training starts from the beginning", file=sys.stderr)


@lru_cache
def _say(line: str) -> None:
    """Print a line on stderr, once in a process: a disk stays full for many epochs."""
    print(line, file=sys.stderr)
