"""Processes: what a job leaves behind, whatever ends it, and that nothing is left of a stage that was ended."""

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pool_jobs
import pytest
import runs
import torch
from pool_jobs import Job

from lcm.errors import UserError
from lcm.params import Execution
from lcm.training import jobs, pool


def do_all(todo, processes=2, saved=None):
    runs.fork_server()
    saved = [] if saved is None else saved
    pool.run_jobs(pool_jobs.do, todo, processes, "cpu", "title", saved.append)
    return saved


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def group(leader):
    """The living processes of a process group."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getpgid(int(pid)) == leader and alive(pid):
                found.append(pid)
        except OSError:
            pass
    return found


def test_every_result_is_saved_here_and_every_tick_is_counted(monkeypatch):
    counted, totals, bar = [], [], pool.tqdm

    def watched(total, **rest):
        totals.append(total)
        found = bar(total=total, **rest)
        monkeypatch.setattr(found, "update", counted.append)
        return found

    monkeypatch.setattr(pool, "tqdm", watched)
    saved = do_all([Job("quick", size) for size in (1, 2, 4)])
    assert sorted(map(str, saved)) == sorted(["quick", "1", "quick", "2", "quick", "4"])
    assert sorted(counted) == [1, 2, 4] and totals == [7]
    assert not runs.workers()


def test_a_failing_job_loses_nothing_that_is_in_flight_and_stops_what_is_not(tmp_path):
    todo = [Job("slow"), Job("fail"), *(Job("slow", note=tmp_path / str(number)) for number in range(12))]
    saved = []
    with pytest.raises(ValueError, match="a mistake in the code"):
        do_all(todo, 2, saved)
    started = len(list(tmp_path.glob("*.done")))
    assert saved == ["slow"] * (1 + started) and started < 6
    assert not runs.workers()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_worker_that_is_ended_while_it_counts_is_one_line_and_no_dead_lock(processes):
    saved = []
    with pytest.raises(
        UserError, match=r"title: a training process was ended from outside \(out of memory\?\); finished"
    ) as caught:
        do_all([Job("quick"), Job("die_while_counting"), Job("slow")], processes, saved)
    assert "\n" not in str(caught.value) and saved[:2] == ["quick", 1]
    assert not runs.workers()


@pytest.mark.parametrize(
    "processes,kinds", [(1, ["spin"]), (1, ["quick"]), (2, ["slow", "spin"])], ids=["busy", "idle", "both"]
)
def test_kill_9_of_the_stage_alone_leaves_no_worker(tmp_path, processes, kinds):
    environment = os.environ | {"PYTHONPATH": f"{runs.ROOT / 'src'}:{runs.ROOT / 'tests'}"}
    command = [sys.executable, pool_jobs.__file__, "stage", str(tmp_path), str(processes), *kinds]
    stage = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    notes = [tmp_path / str(number) for number in range(len(kinds))]
    runs.wait_for(lambda: all(note.exists() and note.read_text() for note in notes))
    runs.wait_for(lambda: all(note.with_suffix(".done").exists() for note, kind in zip(notes, kinds) if kind != "spin"))
    workers = {int(note.read_text()) for note in notes}
    assert len(workers) == processes and all(map(alive, workers)) and stage.poll() is None
    stage.kill()
    stage.wait()
    runs.wait_for(lambda: not any(map(alive, workers)), seconds=20)  # 2 on an idle machine; the jobs have minutes to go


def test_workers_have_one_thread_each_and_the_memory_settings():
    """The pool's environment reaches the workers before they load a BLAS."""
    (found,) = do_all([Job("environment")])
    assert found == {"threads": 1, **pool.WORKER_ENVIRONMENT} and found["OMP_NUM_THREADS"] == "1"


def test_a_gpu_has_one_worker_unless_more_are_asked_for():
    found = [pool.workers(processes, device) for processes in (0, 7) for device in ("cuda", "cpu")]
    assert found == [1, len(os.sched_getaffinity(0)), 7, 7]


def test_a_container_with_a_quota_has_as_many_workers_as_its_quota_has_cores(monkeypatch):
    """Its machine shows it all cores, and a process for each of them would be slower than one a core of the quota."""
    from joblib.externals.loky.backend import context

    monkeypatch.setattr(context, "_cpu_count_cgroup", lambda cores: 1)
    assert pool.workers(0, "cpu") == 1


def test_a_record_says_the_cpus_instructions_and_bf16(workplace, params):
    params["execution"]["precision"] = "bf16"
    checked = runs.load(params, workplace)
    (job, _) = jobs.jobs_of(checked, runs.cell(checked, "cnn_rand", "ce"), "cpu")
    assert (
        jobs._made_with(job)["device"] == f"cpu ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, bf16)"
    )


def test_the_device_is_what_there_is_and_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    def execution(device, **rest):
        return Execution(device=device, processes=0, **rest)

    monkeypatch.setattr(pool.glob, "glob", lambda pattern: [])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [pool.choose_device(execution(device)) for device in ("cpu", "auto", "cuda")] == ["cpu", "cpu", "cuda"]
    monkeypatch.setattr(pool.glob, "glob", lambda pattern: [pattern])
    assert [pool.choose_device(execution(device)) for device in ("cpu", "auto")] == ["cpu", "cuda"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pool.choose_device(execution("auto")) == "cpu"
    assert pool.choose_device(execution("cuda", executor="ray")) == "cuda"  # the cluster's
    with pytest.raises(UserError, match="execution.device is cuda, but PyTorch sees no GPU; set it to auto or cpu"):
        pool.choose_device(execution("cuda"))


# Stages


@pytest.fixture
def long_cell(workplace, params):
    """Parameters of a cell of ten runs: whoever wants to stop it has the time of nine."""
    params["studies"]["small"]["splits"] = 10
    params["train"] |= {"epochs": 20, "batch_size": 32}
    return runs.load(params, workplace)


@pytest.mark.parametrize("how", ["ctrl-c", "kill -9"])
def test_a_stage_that_is_stopped_keeps_what_had_finished_and_goes_on_there(workplace, long_cell, how):
    """Ctrl-C reaches the whole process group, as from a terminal; kill -9 only the stage."""
    store = workplace / "runs"

    def records():
        return {path: path.stat().st_mtime_ns for path in store.glob("??/*.json")}

    stage = runs.start_stage("train.py", "small", "toy", "0", "cnn_rand", "ls")
    runs.wait_for(records)
    if how == "ctrl-c":
        os.killpg(stage.pid, signal.SIGINT)
        _, said = stage.communicate(timeout=120)
        assert stage.returncode == 130 and "hat had finished is kept; run the same" in said.splitlines()[-1]
        assert "Traceback" not in said
    else:
        assert len(group(stage.pid)) >= 3  # the stage, the fork server, a worker
        stage.kill()
        stage.communicate()
        runs.wait_for(lambda: not group(stage.pid), seconds=20)
    finished = records()
    path = runs.cell_path("cnn_rand", "ls")
    assert 1 <= len(finished) < 10 and not path.exists()

    broken = runs.numbers(runs.train_cell(long_cell, "cnn_rand", "ls"))
    assert {name: stamp for name, stamp in records().items() if name in finished} == finished and len(records()) == 10
    path.unlink()
    store.rename(workplace / "other")
    assert runs.numbers(runs.train_cell(long_cell, "cnn_rand", "ls")) == broken  # as if nobody had stopped it
