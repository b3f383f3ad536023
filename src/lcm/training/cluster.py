"""Runs as tasks of a Ray cluster.

The driver reads the data and keeps the records; the other machines need only the pinned packages.
"""

import hashlib
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

import lcm
from lcm.errors import UserError
from lcm.files import is_alive
from lcm.params import Execution
from lcm.training import pool

VERSION = "2.60.0"  # of all nodes and the driver: Ray refuses others
RETRIES = 5  # of a run whose worker or node was lost


def run_jobs(
    work: Callable[[object, list], list],
    data_of: Callable[[object], list],
    jobs: list,
    execution: Execution,
    device: str,
    title: str,
    save: Callable[[object], None],
) -> None:
    """Do every job on the cluster. `save` is called with each result, in this process, as soon as its job is done.

    work: module-level function of a job and its data. data_of: loads a job's data here; an array is sent to a node
    once, and its tasks map it read-only. A run whose worker or node is lost is trained again elsewhere. Raises
    UserError if Ray or its cluster is missing, and what the first failing job raised, at once.
    """
    ray = _connect(execution)
    try:
        on_gpu = device == "cuda"
        if not ray.cluster_resources().get("GPU" if on_gpu else "CPU"):
            needed = "GPU" if on_gpu else "free CPU core"
            raise UserError(f"execution.device is {device}, but no node of the Ray cluster has a {needed}")
        share = {"num_cpus": 1, "num_gpus": 1 / max(1, execution.processes) if on_gpu else 0}
        task = ray.remote(_task).options(max_retries=RETRIES, **share)
        shipped = {}

        def ship(buffer: pickle.PickleBuffer):
            content = np.frombuffer(buffer.raw(), np.uint8)
            digest = hashlib.sha256(content).digest()
            if digest not in shipped:
                shipped[digest] = ray.put(content)
            return shipped[digest]

        running, here = {}, _process()

        def collect(seconds: float | None) -> None:
            for reference in ray.wait(list(running), timeout=seconds)[0]:
                for result in ray.get(reference):
                    save(result)
                bar.update(running.pop(reference).size)

        with tqdm(total=sum(job.size for job in jobs), desc=title, unit="epoch", disable=None) as bar:
            for job in jobs:
                buffers = []
                header = pickle.dumps(data_of(job), protocol=5, buffer_callback=buffers.append)
                running[task.remote(here, work, job, header, *map(ship, buffers))] = job
                collect(0)
            while running:
                collect(None)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise UserError(
            f"{title}: Ray gave up ({_first_line(error)}); finished runs are kept, run the same command again when the "
            "cluster is well"
        ) from None
    finally:
        ray.shutdown()  # after Ctrl-C too: the cluster ends the tasks of a driver that has left


def _connect(execution: Execution):
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    try:
        import ray
    except ImportError:
        raise UserError(
            f"execution.executor is ray, which is not installed here; `pip install ray=={VERSION}`, or set it to local"
        ) from None
    address = execution.address or os.environ.get("RAY_ADDRESS") or "local"
    own = {}
    if address == "local":
        own = {"num_cpus": pool.workers(execution.processes, "cpu"), "include_dashboard": False}
    code = {
        "py_modules": [str(Path(lcm.__file__).parent)],
        "excludes": ["__pycache__"],
        "env_vars": pool.WORKER_ENVIRONMENT,
    }
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit() and "/" not in host:
            socket.create_connection((host, int(port)), 10).close()  # Ray alone would try for minutes
        ray.init(address, runtime_env=code, logging_level="ERROR", log_to_driver=False, **own)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        ray.shutdown()
        raise UserError(
            f"execution.address: no Ray cluster can be used at {address} ({_first_line(error)}); start one as "
            "docs/cluster.md says"
        ) from None
    return ray


def _task(
    driver: tuple, work: Callable[[object, list], list], job: object, header: bytes, *buffers: np.ndarray
) -> list:
    """Do a job, on a worker, which ends with its driver: Ray alone takes three seconds to notice a `kill -9`."""
    if driver[:-1] == _process()[:-1]:  # elsewhere the pid says nothing, and Ray ends what has lost its driver
        threading.Thread(target=_end_with, args=(driver[-1],), daemon=True).start()
    return work(job, pickle.loads(header, buffers=buffers))


def _process() -> tuple:
    """Return what tells this process from all others: machine, since when it runs, space of process numbers, number."""
    try:
        boot, space = Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")
    except OSError:  # no Linux
        boot, space = socket.gethostname(), ""
    return boot, space, os.getpid()


def _end_with(pid: int) -> None:
    while is_alive(pid):
        time.sleep(0.2)
    os._exit(1)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
