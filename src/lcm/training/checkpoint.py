"""Checkpoints of unfinished runs: a killed process continues from its last one and ends with the same numbers."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from lcm.training.store import checkpoint_path


@dataclass(frozen=True)
class Checkpoint:
    """folder: the run store. keys: of the runs that train together, in order. every: epochs between two checkpoints."""

    folder: Path
    keys: list[str]
    every: int

    @property
    def path(self) -> Path:
        return checkpoint_path(self.folder, self.keys)

    def save(self, state: dict) -> None:
        """Store `state` (tensors, numbers, text, lists, dicts) atomically, in place of the one before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            torch.save({"keys": self.keys, "state": state}, part)
            os.replace(part, self.path)
        finally:
            part.unlink(missing_ok=True)

    def load(self, device: str) -> dict | None:
        """Return the state, its tensors on the device, or None.

        A checkpoint that is broken, or of other runs, is ignored with one line on stderr.
        """
        try:
            content = torch.load(self.path, map_location=device, weights_only=True)  # never unpickles an object
            found, state = content["keys"], content["state"]
        except FileNotFoundError:
            return None
        except Exception as error:  # a cut or foreign file: whatever zip, pickle or PyTorch make of it
            return self._ignored(f"cannot be read ({type(error).__name__})")
        return state if found == self.keys else self._ignored("is of other runs")

    def _ignored(self, why: str) -> None:
        print(f"{self.path}: {why}; ignored, training starts from the beginning", file=sys.stderr)
