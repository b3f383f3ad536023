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
from multiprocessing import forkserver, resource_tracker

from tqdm import tqdm

from lcm.errors import UserError
from lcm.params import Execution

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


def choose_device(execution: Execution) -> str:
    """`cuda` or `cpu`: execution.device, or for auto what this machine has. Raises UserError if a GPU is asked for and none is there."""
    wanted = execution.device
    # Without a driver there is no need to import PyTorch here, which takes seconds that the workers already spend.
    if wanted == "cpu" or (wanted == "auto" and not glob.glob("/dev/nvidia*") and not glob.glob("/dev/dxg")):
        return "cpu"
    if wanted == "cuda" and execution.executor == "ray":  # the GPUs are the cluster's; it is asked for them when it is there
        return "cuda"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise UserError("execution.device is cuda, but PyTorch sees no GPU; set it to auto or cpu")
    return "cpu"


def runs_of(job: dict) -> list[dict]:
    """The runs that a job trains: itself, or the members of a fleet."""
    return job.get("members", [job])


def epochs_of(job: dict) -> int:
    return sum(run["epochs"] for run in runs_of(job))


def fleets(jobs: list[dict], size: int, device: str) -> list[dict]:
    """The jobs gathered to fleets of at most `size` runs (0: all on a GPU, one on a CPU); a fleet is a job with `members`, a job alone stays as it is.

    Runs train together that differ in split and in label smoothing only; runs with a label confusion model need the same one.
    """
    alike = {}
    for job in jobs:
        place = [job[name] for name in ("study", "corpus", "noise", "model", "arm")]
        alone = job["key"] if job["arm"] == "linear" else None
        alike.setdefault(str([place, None if "epsilon" in job["settings"] else job["settings"], alone]), []).append(job)
    size = size or (1 if device == "cpu" else len(jobs))
    if size == 1:
        return jobs  # in their order: the runs of a cell that are not alike are ready at the same time
    parts = [group[start : start + size] for group in alike.values() for start in range(0, len(group), size)]
    return [part[0] if len(part) == 1 else {**part[0], "members": part} for part in parts]


def run_jobs(
    work: Callable[[dict], list[dict]], jobs: list[dict], processes: int, device: str, title: str, save: Callable[[dict], None]
) -> None:
    """Do every job; `save` gets each run's record, with its key, in this process, as soon as the job is done.

    work: module-level function of one job (plain data, with its `key` and its number of `epochs`) or fleet of jobs, gives a record
    for each. processes: 0 is one per core.
    Raises what the first failing job raised, after the jobs in flight have ended.
    """
    if not jobs:
        return
    count = 1 if device == "cuda" else min(len(jobs), processes or available_cores())
    os.environ.update(WORKER_ENVIRONMENT)  # read by the fork server when it starts, before it loads any BLAS
    context = multiprocessing.get_context("forkserver")
    if any(job["arm"] != "linear" for job in jobs):
        context.set_forkserver_preload(["lcm.training.preload"])  # PyTorch is imported once, not once per worker
    _start_fork_server()
    ticks = context.SimpleQueue()
    with tqdm(total=sum(map(epochs_of, jobs)), desc=title, unit="epoch", disable=None) as bar:
        listener = threading.Thread(target=_count, args=(ticks, bar), daemon=True)
        listener.start()
        executor = ProcessPoolExecutor(count, context, initializer=_start_worker, initargs=(ticks,))
        try:
            for future in as_completed([executor.submit(do_job, work, job) for job in jobs]):
                for record in future.result():
                    save(record)
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


def _start_fork_server() -> None:
    """Start it with SIGINT blocked, which its workers inherit: Ctrl-C reaches the whole process group, the parent alone answers it.

    From its first instruction on, not from a handler that the server would set after seconds of imports. Blocked in the parent
    meanwhile, not ignored: a Ctrl-C in these milliseconds waits.
    """
    resource_tracker.ensure_running()  # first: at its own start it unblocks SIGINT in this process
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _count(ticks, bar: tqdm) -> None:
    while (runs := ticks.get()) is not None:
        bar.update(runs)


def _start_worker(ticks) -> None:
    global _ticks
    _ticks = ticks
    if "torch" in sys.modules:  # a linear model does without
        sys.modules["torch"].set_num_threads(1)


def do_job(work: Callable[..., list[dict]], job: dict, *data) -> list[dict]:
    """The records of one job's runs, in the process that does it: rounded, and with what they were made with."""
    records = work(job, *data)
    if job["arm"] == "linear":
        tick()
        made_with = {"scikit-learn": version("scikit-learn"), "device": "cpu"}
    else:
        made_with = {"torch": version("torch"), "device": _device_name(job)}
    return [_rounded(record | {"key": run["key"], **made_with}) for run, record in zip(runs_of(job), records, strict=True)]


def _device_name(job: dict) -> str:
    """Device and the precision of its products (on a CPU float32, unless it says bf16): the provenance of a run's numbers.

    Of a CPU also the instructions that PyTorch uses there: AVX2 and AVX512 add in another order, and after thousands of steps
    an LSTM ends a point or two elsewhere, as from another seed.
    """
    import torch

    precision = job["params"]["execution"]["precision"]
    if job["device"] == "cuda":
        return f"{torch.cuda.get_device_name()} ({precision})"
    return f"cpu ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()}{', bf16' if precision == 'bf16' else ''})"


def _rounded(value):
    """Six decimals: enough for every table, small in git, and the same text after a round trip."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
