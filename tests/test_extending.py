"""The walks of docs/extending.md, taken in a copy of the repository: its blocks go where they say, and no more."""

import subprocess
import sys

import pytest
from documents import ROOT, blocks

SEEN_FROM_THE_COPY = """
import numpy as np, runs, yaml
from lcm.evidence import figures, study_tables, tables
from lcm.evidence.names import method_name
from lcm.params import load_params
from lcm.study import cells, method_groups
from lcm.training.evaluation import evaluate

def alone_and_in_a_fleet(model, target):
    data = runs.noisy_runs(model, 2)
    together = runs.train(model, data, target, [0, 3], epochs=2, batch_size=20)
    for found, each, seed in zip(together, data, [0, 3], strict=True):
        (alone,) = runs.train(model, [each], target, [seed], epochs=2, batch_size=20)
        runs.assert_alike(found, alone)
        assert found["curve"][0]["train_loss"] != found["curve"][-1]["train_loss"]

alone_and_in_a_fleet("bag", "toy")                                   # the target
alone_and_in_a_fleet("toy", "ce")                                    # the model
params = load_params(training=True)
assert method_groups(params, "toy.gamma=3")["toy"].gamma == 3
assert method_name("toy", short=True) == "focal" and figures.look("toy") != figures.look("ce")
assert params.model("toy").family == "max-pooling" and params.model("toy").vocabulary_size == 20000
found = cells(params, "toy")                                         # the study
assert {(c.corpus, c.noise, c.method) for c in found} == {
    ("pydocs", noise, method) for noise in (0, 30) for method in ("ce", "ls", "ls_matched", "lcm")}
stages = yaml.safe_load(open("dvc.yaml"))
assert "studies/toy.yaml" in stages["vars"] and stages["stages"]["toy"]["cmd"] == "python pipeline/report.py ${study}"
assert stages["stages"]["train-toy"]["foreach"] == "${studies.toy.corpora}"
assert round(evaluate(np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([0, 1]))["confidence"], 9) == 0.65  # statistic
assert ("confidence: mean, %", "confidence", tables.percent) in study_tables.METRICS
"""


CELLS_OF_MINE = """
from lcm.params import load_params
from lcm.study import cells
print(*cells(load_params(training=True), "mine"), sep="\\n")
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The files of the repository that are in git, without results, and the blocks of docs/extending.md and data.md."""
    root = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not name.startswith(("reports/", "metrics/", "data/cards/")) and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes((ROOT / name).read_bytes())
    for block in [*blocks(ROOT / "docs/extending.md"), *blocks(ROOT / "docs/data.md")]:
        if block.place:
            block.apply(root)
    return root


def run(copy, *command, **environment):
    paths = f"{copy / 'src'}:{copy / 'tests'}"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(copy),
        "PYTHONPATH": paths,
        "OMP_NUM_THREADS": "1",
        **environment,
    }
    found = subprocess.run([sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_target_model_study_and_statistic(copy):
    run(copy, "-c", SEEN_FROM_THE_COPY)


def test_a_new_target_and_a_new_model_are_tested_without_an_edit(copy):
    found = run(copy, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", "tests/test_pairs.py").splitlines()
    test = "tests/test_pairs.py::test_a_pair_trains_alone_and_in_a_fleet"
    assert {f"{test}[bag toy]", f"{test}[toy ce]", f"{test}[toy lcm]"} <= set(found)


def test_corpus(copy, tmp_path):
    rows = [f"{'good' if row % 2 else 'bad'} words number{row},{'up' if row % 2 else 'down'}" for row in range(40)]
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/reviews.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    for script in ("fetch", "prepare", "split"):
        said = run(copy, f"pipeline/{script}.py", "toy", LCM_MIRRORS=str(tmp_path))
        assert script != "prepare" or "2 labels" in said
    assert (copy / "data/splits/toy/splits.npy").is_file() and (copy / "data/splits/toy/labels-0.npy").is_file()


def test_own_table_as_docs_data_says(copy):
    rows = [f"t{row},{'good' if row % 2 else 'bad'} words number{row},{1 + row % 2}" for row in range(60)]
    (copy / "data/own/reviews.csv").write_text("\n".join(["title,body,stars", *rows]) + "\n")
    for script in ("prepare", "split"):
        run(copy, f"pipeline/{script}.py", "mine")
    cells = run(copy, "-c", CELLS_OF_MINE).splitlines()
    methods = ["bag_own ce", "bag_own ls", "bag_own ls_matched", "bag_own lcm", "bag_own square"]
    assert cells == [f"mine mine 0 {name}" for name in [*methods, "linear svc", "linear nb"]]
