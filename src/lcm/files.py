"""Atomic writes: a file or folder appears under its final name only once it is complete. Reading what may be damaged.

And gaps: data that cannot be reached leave a file unavailable.txt in their folder, and the later stages pass it on.
"""

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

from lcm.errors import UserError, one_line

GAP = "unavailable.txt"
NUMBERS = re.compile(r"\[\n\s*(-?\d[^\s,]*(?:,\n\s*-?\d[^\s,]*)*)\n\s*\]")  # a raw newline: never inside a string


def store_folder() -> Path:
    """Return the folder of the run store: LCM_RUN_STORE, else .runs in the repository.

    DVC_ROOT is the repository itself even in a stage of `exp run --temp`.
    """
    return Path(os.environ.get("LCM_RUN_STORE") or Path(os.environ.get("DVC_ROOT", ".")) / ".runs").absolute()


def remembered(name: str, digest: str, make: Callable[[], dict]) -> dict:
    """Return what `make` returns; <name>.json in the run store keeps it for the next process, with its digest.

    For answers that need PyTorch, whose import takes longer than most stages do. Only the last answer is kept.
    """
    path = store_folder() / f"{name}.json"
    kept = json_or_none(path)
    if isinstance(kept, dict) and kept.get("digest") == digest and "answer" in kept:
        return kept["answer"]
    answer = make()
    try:
        write_text(path, json.dumps({"digest": digest, "answer": answer}))
    except OSError:  # a disk that is full or read-only: the next process asks again
        pass
    return answer


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to. What stands there takes the place of `path` when the block ends well, vanishes when not.

    Makes missing folders. A process that is killed in the block leaves its part behind, for `sweep` to find.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        if part.exists():  # unlink(missing_ok=True) fails on a read-only disk even with nothing to do
            part.unlink()


def sweep(folder: Path) -> None:
    """Delete the parts below `folder` that processes of this machine left there when they were killed."""
    for part in folder.rglob(".*.part"):
        made_by = re.search(rf"\.(?:{re.escape(platform.node())}-)?(\d{{1,9}})\.part$", part.name)
        if made_by and not is_alive(int(made_by[1])):
            part.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Return whether a process of this machine has this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Makes missing folders."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: object) -> None:
    """Write JSON atomically, with sorted keys and each list of numbers on one line.

    Raises ValueError for NaN, which JSON lacks.
    """
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, NUMBERS.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text) + "\n")


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy, atomically."""
    with replacing(path) as part, open(part, "wb") as file:
        np.save(file, array, allow_pickle=False)


def json_or_none(path: Path) -> object:
    """Return the content of a JSON file, None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def read_json(path: Path, made_by: str) -> dict:
    """Return the object in a JSON file. Raises UserError, with the command that makes it, if missing or damaged."""
    again = f"delete it and make it again with `{made_by}`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; make it with `{made_by}`") from None
    except (ValueError, RecursionError, IsADirectoryError) as error:
        raise UserError(one_line(f"{path}: not valid JSON ({error}); {again}", 400)) from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: found a {type(content).__name__}, expected an object {{...}}; {again}")
    return content


def read_array(path: Path, made_by: str, dtype: type | np.dtype, ndim: int, mapped: bool = True) -> np.ndarray:
    """Return the array of a .npy file, memory-mapped or in memory. Nothing is unpickled.

    Raises UserError, with the command that makes it, if the file is missing, damaged, or of another type or number of
    dimensions.
    """
    again = f"delete it and make it again with `{made_by}`"
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; make it with `{made_by}`") from None
    except Exception as error:  # NumPy parses the header as Python source: a dozen kinds, TokenError among them
        raise UserError(one_line(f"{path}: cannot be read ({type(error).__name__}: {error}); {again}", 400)) from None
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != ndim:
        found = f"{array.ndim} dimensions of {array.dtype}" if isinstance(array, np.ndarray) else "an archive"
        raise UserError(f"{path}: found {found}, expected {ndim} of {np.dtype(dtype)}; {again}")
    return array


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):
    """The safe loader, but a key that stands twice in one mapping is an error."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if (key_node.tag, key_node.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key_node.value!r} stands twice", key_node.start_mark
                    )
                seen.add((key_node.tag, key_node.value))
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> object:
    """Return the content of a YAML file, built of plain types.

    Raises UserError if it is missing, not UTF-8 or no YAML, or has a key twice.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run from the root of the repository") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        mark, reason = getattr(error, "problem_mark", None), getattr(error, "problem", None) or error
        where = f" in line {mark.line + 1}" if mark else ""
        raise UserError(one_line(f"{path}: not valid YAML: {reason}{where}", 400)) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time work on `path`; another one waits here until it has finished or died."""
    import fcntl  # not on Windows, where only this is missing

    lock = path.with_name(f".{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(lock, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{path}: another process is at work on it; waiting", file=sys.stderr)
                fcntl.flock(file, fcntl.LOCK_EX)
            if not lock.exists() or not os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                continue  # whoever held it has removed this lock file; another one may stand there now
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill; takes the place of `path` when the block ends well, vanishes when it does not.

    Raises UserError for a path that leads upwards or holds the working folder: what stands there would be deleted.
    """
    here = Path.cwd()
    if ".." in path.parts or not path.name or path.resolve() in (here, *here.parents):
        raise UserError(
            f"{path}: refusing to replace this folder; correct the name that it is made from in params.yaml"
        )
    part = path.with_name(f".{path.name}.part")
    with locked(path):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            yield part
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif path.exists():
                shutil.rmtree(path)
            os.replace(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def gap(path: Path) -> str | None:
    """Return why the data of a folder, or of a file in one, are not available (its unavailable.txt); None: there is
    none.
    """
    try:
        return ((path if path.is_dir() else path.parent) / GAP).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def remedies(folder: Path) -> list[str]:
    """Return a line for each gap in the folder of originals: its name, and how to supply it."""
    gaps = {path.name: why for path in sorted(folder.glob("*")) if (why := gap(path))}
    how = {name: why.partition(". Put ") for name, why in gaps.items()}
    return [f"{name} is not available: {f'put {rest}' if rest else why}" for name, (why, _, rest) in how.items()]


def make_gap(folder: Path, why: str) -> None:
    """Replace a folder by one that holds only unavailable.txt."""
    with new_folder(folder) as part:
        write_text(part / GAP, why + "\n")


def pass_gap(source: Path, *folders: Path, quiet: bool = False) -> bool:
    """Return whether `source` is a gap; if so, make each of `folders` the same gap, and print one line for them.

    quiet: print nothing.
    """
    why = gap(source)
    if why is None:
        return False
    for folder in folders:
        make_gap(folder, why)
    if not quiet:
        print(f"{' and '.join(map(str, folders))}: not made, {source} is not available")
    return True
