"""Runs on a real Ray cluster: two nodes on this machine, one of which dies."""

import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path

import pool_jobs
import pytest
import runs

from lcm.errors import UserError
from lcm.files import is_alive
from lcm.study import cells
from lcm.training import cluster, train
from lcm.training.train import train_cells


@pytest.fixture
def two_nodes(monkeypatch):
    """A cluster of two nodes with one core each. Returns it and the node to kill; the driver runs on the other."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # nobody else on this machine may run code here
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray = pytest.importorskip(
        "ray", reason=f"needs Ray: pip install ray=={cluster.VERSION}"
    )  # reads the two when it is imported
    from ray.cluster_utils import Cluster

    size = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_log_monitor": False}
    nodes = Cluster(initialize_head=True, head_node_args=size | {"include_dashboard": False})
    yield nodes, nodes.add_node(**size)
    ray.shutdown()
    nodes.shutdown()


def test_a_cell_survives_the_loss_of_a_node_and_equals_a_local_one(workplace, params, two_nodes, monkeypatch):
    """Every node does a run; the second run that the doomed node gets is in flight when the node dies."""
    nodes, doomed = two_nodes
    params["studies"]["small"]["splits"] = 3
    params["studies"]["small"]["grids"] = [
        {"corpora": ["toy"], "models": ["cnn_rand"], "methods": ["lcm", "ls_matched"]}
    ]
    checked = runs.load(params, workplace)
    with monkeypatch.context() as patch:
        runs.in_this_process(patch)
        train_cells(checked, cells(checked, "small"), "cpu", "small")
    paths = [cell.path(kind) for cell in cells(checked, "small") for kind in ("cells", "curves")]
    local = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()

    params["execution"] |= {"executor": "ray", "address": nodes.address}
    checked = runs.load(params, workplace)
    monkeypatch.setenv("LCM_RUN_STORE", str(workplace / "from_ray"))
    here, doomed_id, do = workplace / "seen", doomed.node_id, train.do
    here.mkdir()

    def train_in_company(job, data):
        import ray

        node = ray.get_runtime_context().get_node_id()
        second = (here / node).exists()
        (here / node).touch()
        while len([path for path in here.iterdir() if not path.suffix]) < 2:
            time.sleep(0.05)
        if node == doomed_id and second:
            (here / "in flight").touch()
            time.sleep(600)
        while second and not (here / "in flight").exists():  # or the other node might do all the rest by itself
            time.sleep(0.05)
        (here / f"{job.keys[0]}.{node}").touch()
        return do(job, data)

    def kill():
        while not (here / "in flight").exists():
            time.sleep(0.05)
        nodes.remove_node(doomed, allow_graceful=False)

    monkeypatch.setattr(train, "do", train_in_company)
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    train_cells(checked, cells(checked, "small"), "cpu", "small")
    killer.join(60)
    assert not killer.is_alive()

    assert [path.read_bytes() for path in paths] == local  # six runs, wherever they were trained
    made_by = [path.suffix[1:] for path in here.glob("*.*")]
    assert made_by.count(doomed_id) == 1 and len(made_by) == 6 and len(set(made_by)) == 2


def test_kill_9_of_the_driver_leaves_no_worker_of_its_own_cluster(tmp_path):
    pytest.importorskip("ray", reason=f"needs Ray: pip install ray=={cluster.VERSION}")
    mark = f"LCM_TEST={secrets.token_hex(8)}"
    environment = os.environ | {
        "PYTHONPATH": f"{runs.ROOT / 'src'}:{runs.ROOT / 'tests'}",
        **dict([mark.split("=")]),
    }
    command = [sys.executable, pool_jobs.__file__, "on_ray", str(tmp_path), "spin", "sleep"]
    driver = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    notes = [tmp_path / "0", tmp_path / "1"]
    runs.wait_for(lambda: all(note.exists() and note.read_text() for note in notes), seconds=120)
    workers = [int(note.read_text()) for note in notes]
    assert len(set(workers)) == 2 and all(map(is_alive, workers)) and driver.poll() is None
    driver.kill()
    driver.wait()
    runs.wait_for(lambda: not any(map(is_alive, workers)), seconds=20)  # 0.4 on an idle machine; Ray alone takes 3
    runs.wait_for(lambda: not of_environment(mark), seconds=60)  # and Ray's own processes


def of_environment(variable):
    """The processes that were started with this variable."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if variable.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            pass
    return found


def test_no_cluster_at_the_address_is_one_line(params, tmp_path):
    pytest.importorskip("ray", reason=f"needs Ray: pip install ray=={cluster.VERSION}")
    params["execution"] |= {"executor": "ray", "address": "127.0.0.1:9"}
    with pytest.raises(UserError, match=r"execution.address: no Ray cluster can be used at 127.0.0.1:9 \(.*refused"):
        cluster.run_jobs(None, None, [{}], runs.load(params, tmp_path).execution, "cpu", "title", None)


def test_ray_is_imported_only_when_asked_for_and_said_to_be_missing(params, tmp_path, monkeypatch):
    modules = "lcm.training.train, lcm.training.pool, lcm.training.run, lcm.training.cluster, lcm.training.preload"
    code = f"import sys, {modules}; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(runs.ROOT / "src")})
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=rf"not installed here; `pip install ray=={cluster.VERSION}`"):
        cluster.run_jobs(None, None, [{}], runs.load(params, tmp_path).execution, "cpu", "title", None)
    assert f"ray=={cluster.VERSION}\n" in (runs.ROOT / "requirements.txt").read_text()
