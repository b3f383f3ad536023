"""A pool of processes for jobs: on a CPU one process per core with one thread each, on a GPU one or as many as asked.

It knows nothing of what a job does.
"""

import glob
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection

from tqdm import tqdm

from lcm.errors import UserError
from lcm.params import Execution

WORKER_ENVIRONMENT = {
    # For these small models two threads in a process are slower than one, and far slower on a busy machine.
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # By default glibc returns large blocks to the kernel and gets them again, zeroed, a step later: an LSTM's step then
    # takes 1.4 times as long (benchmarks/cpu.py).
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}
_ticks = None


def choose_device(execution: Execution) -> str:
    """Return `cuda` or `cpu`: execution.device, or for auto whatever this machine has.

    Raises UserError if a GPU is asked for and there is none.
    """
    wanted = execution.device
    # Without a driver PyTorch need not be imported here: it takes seconds, which the workers spend anyway.
    if wanted == "cpu" or (wanted == "auto" and not glob.glob("/dev/nvidia*") and not glob.glob("/dev/dxg")):
        return "cpu"
    # The cluster has the GPUs, and is asked for them once it is connected.
    if wanted == "cuda" and execution.executor == "ray":
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
    """Do every job. `save` is called with each result, in this process, as soon as its job is done.

    work: a module-level function from a job to a list of results. jobs: can be pickled and have a `size`, in ticks.
    processes: 0 is one per core, on a GPU one. preload: modules that the workers start with, imported once.
    Raises what the first failing job raised, once the running jobs have ended and their results are saved.
    """
    if not jobs:
        return
    count = min(len(jobs), workers(processes, device))
    os.environ.update(WORKER_ENVIRONMENT)  # read by the fork server when it starts, before it loads any BLAS
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    _start_fork_server()
    with _counted(context, sum(job.size for job in jobs), title) as ticks:
        executor = ProcessPoolExecutor(count, context, initializer=_start_worker, initargs=(ticks,))
        try:
            _save_all([executor.submit(work, job) for job in jobs], save)
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


def _save_all(futures: list[Future], save: Callable[[object], None]) -> None:
    """Save results as they come. After a failure running jobs are still saved; jobs that have not begun are dropped."""
    failure = None
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


@contextmanager
def _counted(context, total: int, title: str) -> Iterator[Connection]:
    """A progress bar. Workers send their ticks to the connection."""
    # A pipe without a lock: small messages are written whole or not at all, and a worker that is killed leaves no lock
    # locked.
    counted, ticks = context.Pipe(duplex=False)
    with tqdm(total=total, desc=title, unit="epoch", disable=None) as bar:
        listener = threading.Thread(target=_count, args=(counted, bar), daemon=True)
        listener.start()
        try:
            yield ticks
        finally:
            ticks.send(None)
            listener.join()


def tick(size: int = 1) -> None:
    """Report to the parent that `size` ticks of a job are done."""
    if _ticks is not None:
        _ticks.send(size)


def workers(processes: int, device: str) -> int:
    """Return how many workers `processes` asks for: 0 is one per core that this process may use, on a GPU one."""
    if processes or device == "cuda":
        return processes or 1
    from joblib import cpu_count  # knows of the quota of a container too; takes a quarter of a second to import

    return cpu_count()


def _start_fork_server() -> None:
    """Start the fork server with SIGINT blocked. Its workers inherit that, so that the parent alone answers Ctrl-C.

    The block holds from the server's first instruction on; a handler would be set only after seconds of imports. A
    Ctrl-C in the parent during these milliseconds is delayed, not lost.
    """
    resource_tracker.ensure_running()  # first: at its own start it unblocks SIGINT in this process
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _count(ticks, bar: tqdm) -> None:
    while (size := ticks.recv()) is not None:
        bar.update(size)


def _start_worker(ticks) -> None:
    global _ticks
    _ticks = ticks
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if "torch" in sys.modules:  # linear models do not import it
        sys.modules["torch"].set_num_threads(1)


def _end_with_parent() -> None:
    """End this worker, busy or idle, when the parent is gone: kill -9 of the stage must leave no orphan."""
    multiprocessing.parent_process().join()
    os._exit(1)
