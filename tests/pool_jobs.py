"""Jobs for test_pool.py, in a module of their own: workers import it, and it imports nothing that takes long."""

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lcm.training import pool


@dataclass(frozen=True)
class Job:
    """kind: a function below. note: a file for the worker's process, made as it starts; <note>.done: as it ends."""

    kind: str
    size: int = 1
    note: Path | None = None


def do(job: Job) -> list:
    if job.note:
        job.note.write_text(str(os.getpid()))
    found = globals()[job.kind](job) or []
    if job.note:
        job.note.with_suffix(".done").touch()
    return found


def quick(job: Job) -> list:
    pool.tick(job.size)
    return ["quick", job.size]


def slow(job: Job) -> list:
    time.sleep(1)
    return ["slow"]


def fail(job: Job) -> None:
    raise ValueError("a mistake in the code")


def spin(job: Job) -> None:
    """Busy for minutes."""
    until = time.time() + 300
    while time.time() < until:
        pass


def sleep(job: Job) -> None:
    """Idle for minutes."""
    time.sleep(300)


def die_while_counting(job: Job) -> None:
    """Ended from outside, most likely while a message is on its way to the parent."""
    for _ in range(8):
        threading.Thread(target=lambda: [pool.tick() for _ in range(10**9)], daemon=True).start()
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)


def environment(job: Job) -> list:
    import torch

    return [{"threads": torch.get_num_threads(), **{name: os.environ.get(name) for name in pool.WORKER_ENVIRONMENT}}]


def stage(folder: str, processes: str, *kinds: str) -> None:
    """A stage of such jobs; what it saves takes minutes, so that a worker whose job is done waits."""
    jobs = [Job(kind, note=Path(folder) / f"{number}") for number, kind in enumerate(kinds)]
    pool.run_jobs(do, jobs, int(processes), "cpu", "stage", lambda result: time.sleep(300))


def on_ray(folder: str, *kinds: str) -> None:
    """The driver of a Ray cluster of its own, with such jobs."""
    from lcm.params import Execution
    from lcm.training import cluster

    jobs = [Job(kind, note=Path(folder) / f"{number}") for number, kind in enumerate(kinds)]
    execution = Execution(executor="ray", address=None, device="cpu", processes=len(jobs))
    cluster.run_jobs(do_with_data, lambda job: [], jobs, execution, "cpu", "driver", lambda result: None)


def do_with_data(job: Job, data: list) -> list:
    return do(job)


if __name__ == "__main__":
    import pool_jobs  # the jobs' functions must be those of a module that workers can import

    getattr(pool_jobs, sys.argv[1])(*sys.argv[2:])
