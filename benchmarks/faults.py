"""Attacks on the data layer: servers, mirrors, archives, names, parameter files, damaged files, disks, two at once.

Each attack runs in a process of its own, on this machine alone, for seconds. It is survived if the attacked function
returns, or says in one line what is wrong, with less than 500 MB of memory, and leaves no half-written file behind.
Prints a table "tried, survived" and every failure.

    python benchmarks/faults.py             all of them
    python benchmarks/faults.py archives    one group
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from attacks import archives, base, damage, parameters, servers  # noqa: F401 (each adds its attacks)
from attacks.base import ATTACKS, MB, ROOT, forget, grown

MOST_MEMORY = 450 * MB  # above what the process had before the attack
MOST_SECONDS = 60  # of the CPU; on the clock five times as many, for attacks that wait and machines that are busy
# Seconds each.
LONG = (
    "MB",
    "110 000 empty",
    "100 000",
    "15 million",
    "byte now and then",
    "silence",
    "without end",
    "at 3/10",
    "at 7/10",
)


def survive(name: str) -> str:
    """Run an attack in a process of its own. Returns what went wrong; empty if it was survived."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "a").mkdir()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            os._exit(_child(name, folder / "a", writing))
        os.close(writing)
        deadline = threading.Timer(5 * MOST_SECONDS, os.kill, (child, signal.SIGKILL))
        deadline.start()
        with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
            said = stream.read()
        _, status = os.waitpid(child, 0)
        deadline.cancel()
        if os.WIFSIGNALED(status):
            return f"ended by signal {os.WTERMSIG(status)} (9: took more than {MOST_SECONDS} s)"
        if (ROOT / "PWNED").exists() or list(folder.rglob("PWNED")):
            return "ran a command"
        return said


def _child(name: str, folder: Path, writing: int) -> int:
    try:
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        forget()
        os.environ.pop("LCM_MIRRORS", None)
        os.environ["NO_PROXY"] = "127.0.0.1"
        os.chdir(folder)
        sys.stdout = sys.stderr = open(os.devnull, "w")
        ATTACKS[name](folder)
        if grown() > MOST_MEMORY:
            raise AssertionError(f"took {grown() / MB:.0f} MB")
        left = [path.name for path in folder.rglob("*") if path.name.endswith(".lock")]
        assert not left, f"left {left}"
    except BaseException:
        os.write(writing, traceback.format_exc()[-1500:].encode())
        return 1
    return 0


def names(group: str | None = None) -> Iterator[str]:
    return (name for name in ATTACKS if group is None or name.startswith(f"{group}: "))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    groups = list(dict.fromkeys(name.split(":")[0] for name in ATTACKS))
    parser.add_argument("group", nargs="?", choices=groups, help="one group of attacks; without it, all")
    table: dict[str, list[int]] = {}
    parser.add_argument("--short", action="store_true", help="without the few that take longest")
    parser.add_argument("--times", action="store_true", help="print the seconds of each")
    arguments = parser.parse_args()
    for name in names(arguments.group):
        if arguments.short and any(words in name for words in LONG):
            continue
        started = time.monotonic()
        went_wrong = survive(name)
        row = table.setdefault(name.split(":")[0], [0, 0])
        row[0] += 1
        row[1] += not went_wrong
        if arguments.times:
            print(f"{time.monotonic() - started:6.2f} s {name!r}", flush=True)
        if went_wrong:
            print(f"FAILED {name}\n{went_wrong}\n", flush=True)
    print("| attacks on | tried | survived |\n|---|---|---|")
    for group, (tried, survived) in table.items():
        print(f"| {group} | {tried} | {survived} |")
    tried, survived = map(sum, zip(*table.values(), strict=True))
    print(f"| **all** | {tried} | {survived} |")
    sys.exit(tried != survived)


if __name__ == "__main__":
    main()
