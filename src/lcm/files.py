"""Finished or absent: files and folders that appear under their name only when they are complete."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lcm.errors import UserError

NUMBERS = re.compile(r"\[\n\s*(-?\d[^\s,]*(?:,\n\s*-?\d[^\s,]*)*)\n\s*\]")  # a raw newline: never inside a string


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole: temporary name in the same folder, then rename. Folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """`write_text` of JSON with sorted keys, a list of numbers on one line; refuses NaN, which is no JSON."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, NUMBERS.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text) + "\n")


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy, as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_json(path: Path, made_by: str) -> dict:
    """The content of a JSON file. Raises UserError naming the command that makes it if it is missing, or that it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; make it with `{made_by}`") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete it and make it again with `{made_by}`") from None


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill; takes the place of `path` when the block ends well, vanishes when it does not."""
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(path, ignore_errors=True)
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
