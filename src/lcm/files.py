"""Atomic writes: a file or folder appears under its final name only once it is complete.

Also gaps: data whose originals could not be reached.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lcm.errors import UserError

GAP = "unavailable.txt"  # takes the place of the data in a folder of data/; says why and what to do
NUMBERS = re.compile(r"\[\n\s*(-?\d[^\s,]*(?:,\n\s*-?\d[^\s,]*)*)\n\s*\]")  # a raw newline: never inside a string


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Makes missing folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON atomically, with sorted keys and each list of numbers on one line.

    Raises ValueError for NaN, which JSON lacks.
    """
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, NUMBERS.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text) + "\n")


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_json(path: Path, made_by: str) -> dict:
    """Return the content of a JSON file.

    Raises UserError that names the command `made_by` if the file is missing or broken.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; make it with `{made_by}`") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete it and make it again with `{made_by}`") from None


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill. It replaces `path` if the block ends well, and is deleted if it does not."""
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(path, ignore_errors=True)
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def gap(path: Path) -> str | None:
    """Return the text of the folder's unavailable.txt (why its data are missing, what to do), or None.

    A file counts as its folder.
    """
    try:
        return ((path if path.is_dir() else path.parent) / GAP).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def make_gap(folder: Path, why: str) -> None:
    """Replace a folder by one that holds only unavailable.txt."""
    with new_folder(folder) as part:
        write_text(part / GAP, why + "\n")


def pass_gap(source: Path, *folders: Path) -> bool:
    """Return whether `source` is a gap. If it is, make each of `folders` the same gap and print one line."""
    why = gap(source)
    if why is None:
        return False
    for folder in folders:
        make_gap(folder, why)
    print(f"{' and '.join(map(str, folders))}: not made, {source} is not available")
    return True


def read_yaml(path: Path) -> object:
    """Return the content of a YAML file. Raises UserError if it is missing or not valid YAML."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run from the root of the repository") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
