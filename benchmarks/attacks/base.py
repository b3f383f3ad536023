"""What attacks have in common: a list of them, expectations, and how much memory they take."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

from lcm.corpora import download
from lcm.errors import UserError

ROOT = Path(__file__).parent.parent.parent
MB = 1 << 20
BODY = bytes(range(256)) * 400  # of a small file

Attack = Callable[[Path], None]
ATTACKS: dict[str, Attack] = {}  # "group: what" -> attack, which gets an empty folder


def add(group: str, what: str, attack: Attack) -> None:
    assert f"{group}: {what}" not in ATTACKS, what
    ATTACKS[f"{group}: {what}"] = attack


def expect_error(attack: Callable[[], object]) -> None:
    try:
        attack()
    except UserError as error:
        one_line(str(error))
    else:
        raise AssertionError("no error")


def one_line(text: str, most: int = 2500) -> None:
    assert "\n" not in text and text.isprintable() and len(text) <= most, f"not one line: {text[:200]!r}, {len(text)}"


def mirror(folder: Path, content: bytes, name: str = "file.bin", corpus: str = "corpus") -> None:
    os.environ["LCM_MIRRORS"] = str(folder / "mirror")
    (folder / "mirror" / corpus).mkdir(parents=True)
    (folder / "mirror" / corpus / name).write_bytes(content)


def obtain(folder: Path) -> str:
    file = download.RemoteFile("file.bin", (), "md5:" + "0" * 32, most=MB)
    return download.obtain("corpus", file, folder / "raw", lambda path: None)


def memory(field: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {field} in /proc/self/status")


_before = 0


def forget() -> None:
    """From here on the memory of this process is measured: an attack has made its files."""
    global _before
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    _before = memory("VmRSS")


def grown() -> int:
    """How much more memory than at `forget` this process had at its worst, in bytes."""
    return memory("VmHWM") - _before
