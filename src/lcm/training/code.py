"""Which code made a number: the commit, and a digest of the modules that compute it."""

import subprocess
from functools import lru_cache
from pathlib import Path

from lcm import source
from lcm.targets import target_class, target_files

ROOT = Path(__file__).parent.parent  # src/lcm
SHARED = (
    "models/__init__.py",
    "models/initialise.py",
    "models/dropout.py",
    "models/stacked.py",
    "targets/__init__.py",
    "targets/base.py",
    "training/run.py",
    "training/fleet.py",
    "training/optimizer.py",
    "training/evaluation.py",
    "text/encode.py",
)
BESIDE_ENCODER = {  # what computes beside the encoder's own file
    "bert": ("models/attention.py",),
    "frozen": ("models/bert.py", "text/features.py"),
}
LINEAR = ("training/linear.py", "training/evaluation.py", "text/encode.py")


@lru_cache
def digest(encoder: str | None, target: str) -> str:
    """Return a digest of the numeric modules of an encoder and a target; encoder None: of the yardsticks.

    Comments and docstrings do not count.
    """
    if encoder is None:
        return source.digest(LINEAR)
    beside = [
        *BESIDE_ENCODER.get(encoder, ()),
        *(["training/held_out.py"] if "held_out" in target_class(target).needs else []),
    ]
    own = [f"targets/{each}.py" for each in target_files(target)]
    return source.digest((*SHARED, f"models/{encoder}.py", *own, *beside))


@lru_cache
def commit() -> str:
    """Return the commit of the working tree, with a + if tracked files of src differ from it; "" outside git."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "."], cwd=ROOT, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changed.returncode else "")
