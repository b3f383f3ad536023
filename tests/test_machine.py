"""A machine that refuses: full disks, files in place of folders, no memory, two at once.

Each is one line that names the file or the key, and exit status 1; with the cause gone the same command goes on.
"""

from pathlib import Path

import pytest
import runs
import torch

CELL = ("small", "toy", "0", "cnn_rand", "ls")
PATH = Path("metrics/cells/small/toy/noise0-cnn_rand-ls.json")


@pytest.fixture
def refused(workplace, monkeypatch, capsys):
    """Run a stage here, its jobs without processes; returns the one line of its error."""
    runs.in_this_process(monkeypatch)

    def stage(script, *arguments):
        status, _, said = runs.stage(monkeypatch, capsys, script, *arguments)
        *before, line = said.splitlines()
        assert all("no checkpoint" in other for other in before), said
        assert status == 1 and line.startswith("error: ") and len(line) <= 400, said
        return line

    return stage


def finishes(monkeypatch, capsys):
    assert runs.stage(monkeypatch, capsys, "train.py", *CELL)[0] == 0
    assert len(runs.numbers(PATH)) == 2 and not list(Path().rglob(".*.part"))
    return True


def test_a_full_disk_loses_nothing(refused, workplace, monkeypatch, capsys):
    with runs.largest_file(100):
        said = refused("train.py", *CELL)
    assert "File too large; what had finished is kept, run the same command again to go on" in said
    assert not PATH.exists() and not list(workplace.rglob(".*.part"))
    assert finishes(monkeypatch, capsys)
    before = PATH.read_bytes()
    with runs.largest_file(100):
        assert "what had finished is kept" in refused("train.py", *CELL, "--retrain")
        assert "what had finished is kept" in refused("report.py", "small")
    assert PATH.read_bytes() == before


@pytest.mark.parametrize("place", ["runs", "metrics", "metrics/cells/small"])
def test_a_file_in_place_of_a_folder(refused, monkeypatch, capsys, place):
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_text("mine")
    assert place in refused("train.py", *CELL) and Path(place).read_text() == "mine"
    Path(place).unlink()
    assert finishes(monkeypatch, capsys)


def test_a_folder_in_place_of_a_file(refused):
    PATH.mkdir(parents=True)
    assert f"error: {PATH}: Is a directory" in refused("train.py", *CELL)
    assert f"error: {PATH}: Is a directory" in refused("report.py", "small")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        MemoryError("Unable to allocate 7.28 TiB for an array"),
    ],
)
def test_no_memory_is_one_line(refused, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("lcm.training.run.build", fail)
    said = refused("train.py", *CELL)
    assert "does not fit into memory" in said or "out of memory" in said


def test_two_trainings_of_a_cell_at_once_both_end_well(workplace):
    both = [runs.start_stage("train.py", *CELL) for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0 and "Traceback" not in said, said[-3000:]
    assert len(runs.numbers(PATH)) == 2 and not list(workplace.rglob(".*.part"))


def test_two_reports_at_once_both_end_well(workplace):
    both = [runs.start_stage("report.py", "small") for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=300)
        said = said.replace("reports/small: another process is at work on it; waiting\n", "")
        assert process.returncode == 0 and not said, said[-3000:]
    assert list(Path("metrics/small").iterdir()) and not list(workplace.rglob(".*.part"))
