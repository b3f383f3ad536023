"""Targets: what a predictor is trained to fit. One file a target; its name is the file's name.

`target_names()` and `target_class("gce")` are all that the rest of the program needs. A new file in this folder is
found by both. Importing this package does not import PyTorch; a target's file does.
"""

import importlib
import pkgutil
import re
from pathlib import Path

HELPERS = {"base", "checks", "measures"}  # the files here that are no targets
FIRST = ("ce", "ls", "ls_matched", "lcm")  # in tables and figures; the others follow by name

_HOME = {  # where the package's public names stand
    **dict.fromkeys(("Task", "Target", "UntilEpoch", "cross_entropy", "soft_cross_entropy"), "base"),
    **dict.fromkeys(("implicit_target", "strength", "structure"), "measures"),
    **dict.fromkeys(("LabelConfusionModel", "lcm_loss"), "lcm"),
    "smoothing_loss": "ls",
}


def target_names() -> list[str]:
    """Return the names of all targets: `FIRST`, then the others by name. Does not import PyTorch."""
    found = {module.name for module in pkgutil.iter_modules(__path__)} - HELPERS
    return [*FIRST, *sorted(found - set(FIRST))]


def target_class(name: str) -> type:
    """Return the class of a target. Raises ValueError, one line with the known names, for an unknown name."""
    if name not in target_names():
        raise ValueError(f"target {name!r}: not known; the targets are {', '.join(target_names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    for found in vars(module).values():
        if isinstance(found, type) and found.__module__ == module.__name__ and getattr(found, "name", None) == name:
            return found
    raise ValueError(f"{module.__file__}: expected a Target whose `name` is {name!r}, found none")


def target_files(name: str) -> list[str]:
    """The names of the targets whose files a target's numbers come from: its own, and those that it imports."""
    found = [name]
    for each in found:  # grows
        source = (Path(__file__).parent / f"{each}.py").read_text(encoding="utf-8")
        imported = re.findall(r"^from lcm\.targets\.(\w+) import", source, re.MULTILINE)
        found += sorted(set(imported) - HELPERS - set(found))
    return found


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
