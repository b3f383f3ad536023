"""Runs over processes: on a CPU one process per core with one thread each, on a GPU one process."""

import glob
import multiprocessing
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version

from tqdm import tqdm

from lcm.errors import UserError
from lcm.training import store

WORKER_ENVIRONMENT = {
    # Small models on few cores: two threads in one process are slower than one, and far slower when the machine is busy.
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # glibc gives large blocks back to the kernel at once and gets them again, zeroed, a step later: without this
    # an LSTM's step takes 1.4 times as long (benchmarks/cpu.py).
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}
_ticks = None


def choose_device(wanted: str) -> str:
    """`cuda` or `cpu` for execution.device. Raises UserError if a GPU is asked for and none is there."""
    # Without a driver there is no need to import PyTorch here, which takes seconds that the workers already spend.
    if wanted == "cpu" or (wanted == "auto" and not glob.glob("/dev/nvidia*") and not glob.glob("/dev/dxg")):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise UserError("execution.device is cuda, but PyTorch sees no GPU; set it to auto or cpu")
    return "cpu"


def runs_of(job: dict) -> list[dict]:
    """The runs that a job trains: itself, or the members of a fleet."""
    return job.get("members", [job])


def fleets(jobs: list[dict], device: str) -> list[dict]:
    """The jobs gathered to fleets of at most execution.fleet runs; a fleet is a job with `members`, a job alone stays as it is.

    Runs train together that differ in split and in label smoothing only; runs with a label confusion model need the same one.
    """
    if jobs[0]["arm"] == "linear":
        return jobs
    size = jobs[0]["params"]["execution"]["fleet"] or (1 if device == "cpu" else len(jobs))
    alike = {}
    for job in jobs:
        place = [job[name] for name in ("study", "corpus", "noise", "model", "arm")]
        alike.setdefault(str([place, None if "epsilon" in job["settings"] else job["settings"]]), []).append(job)
    parts = [group[start : start + size] for group in alike.values() for start in range(0, len(group), size)]
    return [part[0] if len(part) == 1 else {**part[0], "members": part} for part in parts] if size > 1 else jobs


def run_jobs(work: Callable[[dict], list[dict]], jobs: list[dict], epochs: int, processes: int, device: str, title: str) -> None:
    """Do every job and put its record into the run store as soon as it is done.

    work: module-level function of one job (plain data, with its `key`) or fleet of jobs, gives a record for each. epochs: ticks
    that one run gives. processes: 0 is one per core. Raises what the first failing job raised, after the jobs in flight have ended.
    """
    if not jobs:
        return
    jobs = fleets(jobs, device)
    count = 1 if device == "cuda" else min(len(jobs), processes or available_cores())
    os.environ.update(WORKER_ENVIRONMENT)  # read by the fork server when it starts, before it loads any BLAS
    context = multiprocessing.get_context("forkserver")
    if jobs[0]["arm"] != "linear":
        context.set_forkserver_preload(["lcm.training.preload"])  # PyTorch is imported once, not once per worker
    ticks = context.SimpleQueue()
    with tqdm(total=sum(len(runs_of(job)) for job in jobs) * epochs, desc=title, unit="epoch", disable=None) as bar:
        listener = threading.Thread(target=_count, args=(ticks, bar), daemon=True)
        listener.start()
        executor = ProcessPoolExecutor(count, context, initializer=_start_worker, initargs=(ticks,))
        try:
            for future in as_completed([executor.submit(_do, work, job) for job in jobs]):
                for record in future.result():
                    store.save_run(record["key"], record)
        except BrokenProcessPool:
            raise UserError(
                f"{title}: a training process was ended from outside (out of memory?); finished runs are kept, "
                "run the same command again, with a smaller execution.processes if memory is short"
            ) from None
        except KeyboardInterrupt:
            for process in list(executor._processes.values()):
                process.terminate()
            raise
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
            ticks.put(None)
            listener.join()


def tick(runs: int = 1) -> None:
    """Tell the parent that an epoch of so many runs is done; end this worker if the parent is gone, so that no orphan goes on training."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)
    if _ticks is not None:
        _ticks.put(runs)


def available_cores() -> int:
    return len(os.sched_getaffinity(0))


def _count(ticks, bar: tqdm) -> None:
    while (runs := ticks.get()) is not None:
        bar.update(runs)


def _start_worker(ticks) -> None:
    global _ticks
    _ticks = ticks
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent ends its workers
    if "torch" in sys.modules:  # a linear model does without
        sys.modules["torch"].set_num_threads(1)


def _do(work: Callable[[dict], list[dict]], job: dict) -> list[dict]:
    records = work(job)
    if job["arm"] == "linear":
        tick()
        made_with = {"scikit-learn": version("scikit-learn"), "device": "cpu"}
    else:
        made_with = {"torch": version("torch"), "device": _device_name(job)}
    return [_rounded(record | {"key": run["key"], **made_with}) for run, record in zip(runs_of(job), records, strict=True)]


def _device_name(job: dict) -> str:
    """Device and, for a GPU, the precision of its products: the provenance of a run's numbers."""
    import torch

    if job["device"] == "cuda":
        return f"{torch.cuda.get_device_name()} ({job['params']['execution']['precision']})"
    return f"cpu ({platform.machine()})"


def _rounded(value):
    """Six decimals: enough for every table, small in git, and the same text after a round trip."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
