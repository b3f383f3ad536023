"""The attacks of benchmarks/faults.py are survived: one line or the right result, in bounded memory and time."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import faults  # noqa: E402


def test_attacks_are_survived():
    """All but the few that take seconds each, in a light process: a fork of one that has loaded PyTorch is slow."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(ROOT / "benchmarks/faults.py"), "--short"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    tried = int(done.stdout.rpartition("| **all** |")[2].split("|")[0])
    assert tried >= 380


def test_an_attack_that_succeeds_is_noticed(monkeypatch):
    """The judge itself: a traceback, no error, too much memory, a process that ends."""
    for attack, found in (
        (lambda folder: 1 / 0, "ZeroDivisionError"),
        (lambda folder: faults.base.expect_error(lambda: None), "no error"),
        (lambda folder: bytearray(faults.MOST_MEMORY + 50 * faults.MB).count(b"x"), "took"),
        (lambda folder: os.kill(os.getpid(), 9), "ended by signal 9"),
        (lambda folder: (folder / "PWNED").write_text(""), "ran a command"),
        (lambda folder: (folder / ".x.lock").write_text(""), "left"),
    ):
        monkeypatch.setitem(faults.ATTACKS, "mine: x", attack)
        assert found in faults.survive("mine: x")
