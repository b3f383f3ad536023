"""Jobs over processes: on a CPU one process per core with one thread each, on a GPU one process. Knows nothing of what
a job does.
"""

import glob
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker

from tqdm import tqdm

from lcm.errors import UserError
from lcm.params import Execution

WORKER_ENVIRONMENT = {
    # Small models on few cores: two threads in one process are slower than one, and far slower when the machine is
    # busy.
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # glibc gives large blocks back to the kernel at once and gets them again, zeroed, a step later: without this
    # an LSTM's step takes 1.4 times as long (benchmarks/cpu.py).
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}
_ticks = None


def choose_device(execution: Execution) -> str:
    """`cuda` or `cpu`: execution.device, or for auto what this machine has. Raises UserError if a GPU is asked for and
    none is there.
    """
    wanted = execution.device
    # Without a driver there is no need to import PyTorch here, which takes seconds that the workers already spend.
    if wanted == "cpu" or (wanted == "auto" and not glob.glob("/dev/nvidia*") and not glob.glob("/dev/dxg")):
        return "cpu"
    if (
        wanted == "cuda" and execution.executor == "ray"
    ):  # the GPUs are the cluster's; it is asked for them when it is there
        return "cuda"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise UserError("execution.device is cuda, but PyTorch sees no GPU; set it to auto or cpu")
    return "cpu"


def run_jobs(
    work: Callable[[object], list],
    jobs: list,
    processes: int,
    device: str,
    title: str,
    save: Callable[[object], None],
    preload: list[str] = (),
) -> None:
    """Do every job; `save` gets each of its results, in this process, as soon as the job is done.

    work: a module-level function of one job that returns a list of results. A job can be pickled and has a `size`, in
    ticks. processes: 0 is one per core. preload: modules that the workers start with, imported once. Raises what the
    first failing job raised, after the jobs in flight have ended and their results are saved.
    """
    if not jobs:
        return
    count = 1 if device == "cuda" else min(len(jobs), processes or available_cores())
    os.environ.update(WORKER_ENVIRONMENT)  # read by the fork server when it starts, before it loads any BLAS
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    _start_fork_server()
    ticks, failure = context.SimpleQueue(), None
    with tqdm(total=sum(job.size for job in jobs), desc=title, unit="epoch", disable=None) as bar:
        listener = threading.Thread(target=_count, args=(ticks, bar), daemon=True)
        listener.start()
        executor = ProcessPoolExecutor(count, context, initializer=_start_worker, initargs=(ticks,))
        try:
            futures = [executor.submit(work, job) for job in jobs]
            for future in as_completed(futures):
                if future.cancelled():
                    continue
                if future.exception() is None:
                    for result in future.result():
                        save(result)
                elif failure is None:
                    failure = future.exception()
                    for waiting in futures:
                        waiting.cancel()
            if failure:
                raise failure
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


def tick(size: int = 1) -> None:
    """Tell the parent that so much of a job is done."""
    if _ticks is not None:
        _ticks.put(size)


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_fork_server() -> None:
    """Start it with SIGINT blocked, which its workers inherit: Ctrl-C reaches the whole process group, the parent alone
    answers it.

    From its first instruction on, not from a handler that the server would set after seconds of imports. Blocked in the
    parent meanwhile, not ignored: a Ctrl-C in these milliseconds waits.
    """
    resource_tracker.ensure_running()  # first: at its own start it unblocks SIGINT in this process
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _count(ticks, bar: tqdm) -> None:
    while (size := ticks.get()) is not None:
        bar.update(size)


def _start_worker(ticks) -> None:
    global _ticks
    _ticks = ticks
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if "torch" in sys.modules:  # a linear model does without
        sys.modules["torch"].set_num_threads(1)


def _end_with_parent() -> None:
    """End this worker when the parent is gone, busy or idle: kill -9 of the stage alone must leave no orphan."""
    multiprocessing.parent_process().join()
    os._exit(1)
