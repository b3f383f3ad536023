"""The study through DVC in a temporary clone: what a newcomer and an experimenter do, on the embedded corpora, made tiny."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.pipeline

TINY = {
    "corpora.pydocs.per_label": 15,
    "studies.quickstart.splits": 2,
    "studies.quickstart.text.noise": [30],
    "studies.quickstart.train": {"batch_size": 32, "epochs": 1, "lr": 0.003},
    "models.cnn_rand.filters": 4,
    "models.cnn_rand.embedding": 8,
}


class Clone:
    """A committed copy of the working tree with its own home and run store."""

    def __init__(self, folder: Path):
        self.folder = folder / "clone"
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in listed.stdout.splitlines():
            # Without the studies of the paper (tests/test_studies.py): their 150 stages cost every DVC command seconds.
            if (ROOT / name).is_file() and name not in ("dvc.yaml", "dvc.lock"):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.folder / name)
        (folder / "home").mkdir()
        person = {f"GIT_{role}_{what}": "tester@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("LCM_", "DVC_"))} | person
        self.environment |= {
            "HOME": str(folder / "home"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder / "src"),
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
        }
        for path, value in TINY.items():
            self.set(path, value)
        self.run("git", "init", "-q", "-b", "main")
        self.commit()

    def set(self, path: str, value):
        content = yaml.safe_load((self.folder / "params.yaml").read_text())
        *parents, last = path.split(".")
        group = content
        for name in parents:
            group = group[name]
        group[last] = value
        (self.folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def commit(self):
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", "state")

    def run(self, *command: str, fails: bool = False) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def metrics(self, *command: str) -> dict:
        """What a `dvc metrics` command prints as JSON."""
        words = ("dvc", "metrics", *command, "--json")
        return json.loads(subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True).stdout)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def runs(self) -> set:
        return {path.name for path in (self.folder / ".runs").rglob("*.json")}


def ran(output: str) -> set[str]:
    """The training and report stages that a DVC command really ran."""
    return set(re.findall(r"Running stage 'quickstart/dvc.yaml:([^']+)'", output))


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return Clone(tmp_path_factory.mktemp("pipeline"))


LCM = {"train@pydocs-30-cnn_rand-lcm", "images@digits-0-image_cnn-lcm"}
LS = {"train@pydocs-30-cnn_rand-ls", "images@digits-0-image_cnn-ls"}
LINEAR = {"linear@pydocs-30"}


def test_from_nothing_to_the_table_and_again_without_training(clone):
    output = clone.run("dvc", "repro", "quickstart/dvc.yaml")
    assert ran(output) == LCM | LS | LINEAR | {"report"}
    table = clone.read("reports/quickstart/table.txt")
    for word in ("pydocs", "30 % noise", "digits", "base", "ls_matched", "lcm", "linear_window", "not run"):
        assert (word in table) == (word != "not run"), f"{word}:\n{table}"
    assert table in output.replace("\r", "") and "reports/quickstart/index.html" in table
    page = clone.read("reports/quickstart/index.html")
    assert "<svg" in page and "http://" not in re.sub(r"http://www.w3.org\S*|http://purl.org\S*", "", page)
    card = json.loads(clone.read("data/cards/pydocs.json"))
    assert card["samples"] <= 20 * 15 and len(card["labels"]) == 20
    cell = json.loads(clone.read("metrics/cells/quickstart/pydocs-noise30-cnn_rand-lcm.json"))
    assert all(abs(rate - 0.30) < 0.02 for rate in cell["realised_noise"])
    assert cell["methods"]["ls_matched"]["settings"]["epsilon"] == pytest.approx(0.2717, abs=1e-4)

    again = clone.run("dvc", "repro", "quickstart/dvc.yaml")
    assert not ran(again) and "Running stage" not in again
    assert not [name for name in clone.folder.rglob("*.part")]


def test_an_experiment_with_alpha_retrains_the_lcm_arms_only(clone):
    clone.commit()
    before = clone.runs()
    output = clone.run("dvc", "exp", "run", "-n", "alpha2", "quickstart/dvc.yaml", "-S", "lcm.alpha=2")
    assert ran(output) == LCM | {"report"}
    assert len(clone.runs() - before) == 2 * 2 * 2  # cells x methods x splits

    changed = {path for path in clone.metrics("diff") if "quickstart/" in path}
    assert changed and all(path.endswith(("-lcm.json", "-ls_matched.json")) for path in changed)
    shown = clone.run("dvc", "exp", "show", "--csv", "--only-changed")
    assert "alpha2" in shown and "lcm.alpha" in shown

    clone.set("lcm.alpha", 4.0)  # an alpha tried before comes back from the store
    before = clone.runs()
    assert ran(clone.run("dvc", "repro", "quickstart/dvc.yaml")) <= LCM | {"report"}
    assert clone.runs() == before
    assert not clone.metrics("diff")


def test_epsilon_retrains_no_lcm_and_how_to_execute_retrains_nothing(clone):
    clone.set("ls.epsilon", 0.2)
    output = clone.run("dvc", "repro", "--dry", "quickstart/dvc.yaml")
    assert ran(output) == LS | {"report"}
    clone.set("ls.epsilon", 0.1)
    clone.set("execution.processes", 1)
    assert not ran(clone.run("dvc", "repro", "--dry", "quickstart/dvc.yaml"))
    clone.run("git", "checkout", "-q", "params.yaml")


def test_bad_parameters_are_one_line_and_leave_results_alone(clone):
    clone.set("lcm.alpha", "abc")
    before = clone.read("metrics/quickstart.json")
    output = clone.run("dvc", "repro", "quickstart/dvc.yaml", fails=True)
    assert "error: params.yaml: lcm.alpha: input should be a valid number, found 'abc'" in output
    assert "Traceback" not in output and clone.read("metrics/quickstart.json") == before
    clone.run("git", "checkout", "-q", "params.yaml")
    output = clone.run(sys.executable, "pipeline/train.py", "quickstart", "pydoc", "0", "cnn_rand", "ls", fails=True)
    assert output.startswith("error: 'pydoc' is not in params.yaml; known are") and output.count("\n") == 1


def test_originals_that_cannot_be_reached_are_gaps_and_break_nothing(clone):
    """One line names every place tried and where to put the file by hand; the later stages pass it on; DVC ends well, and has a no-op."""
    catalogue = clone.folder / "src/lcm/corpora/catalogue.py"
    text = catalogue.read_text()
    catalogue.write_text(re.sub(r'"https?://[^"]*20?[Nn]ews[^"]*"|"https://ndownloader[^"]*"', '"http://127.0.0.1:9/nothing"', text))
    stages = [f"data/dvc.yaml:{stage}" for stage in ("split@8ng-h", "vectors_own_text@20ng", "wordpieces@20ng")]
    output = clone.run("dvc", "repro", *stages)
    (line,) = [line for line in output.splitlines() if line.startswith("20ng: not available: ")]
    for words in ("http://127.0.0.1:9/nothing", "Put 20news-bydate.tar.gz into data/raw/20ng", "LCM_MIRRORS", "python pipeline/fetch.py 20ng"):
        assert words in line
    for folder in ("splits/8ng-h", "noise/8ng-h", "corpus/20ng", "vectors/20ng_text", "vectors/own_text/20ng", "wordpieces/20ng"):
        (only,) = (clone.folder / "data" / folder).iterdir()
        assert only.name == "unavailable.txt" and "nothing" in only.read_text()
    assert "Running stage" not in clone.run("dvc", "repro", *stages)
    assert (clone.folder / "data/cards/20ng.json").exists()  # what is in git stays
    clone.set("execution.missing", "error")
    assert "error: cannot get 20news" in clone.run(sys.executable, "pipeline/fetch.py", "20ng", fails=True)
    catalogue.write_text(text)
    clone.run("git", "checkout", "-q", "params.yaml")


def test_plots_work_without_the_network(clone):
    clone.run(sys.executable, "-m", "lcm.evidence.offline_plots", ".dvc/plots/offline.html")
    clone.run("dvc", "plots", "show", "-o", "plots")
    page = clone.read("plots/index.html")
    assert page.count("vegaEmbed('#") >= 1 and '"method": "lcm"' in page
    assert not re.search(r'<script[^>]+src=|<link[^>]+href="http', page)


def test_every_training_stage_names_what_can_change_its_numbers():
    """Of the quickstart; test_studies.py has the others."""
    stages = yaml.safe_load((ROOT / "quickstart/dvc.yaml").read_text())["stages"]
    training = {key: stage for key, stage in stages.items() if "${item.arm}" in stage.get("cmd", "")}
    assert training
    for key, stage in training.items():
        assert {"train", "models.${item.model}", "${item.arm}"} <= set(stage["params"]), key
        assert {"src/lcm/targets", "src/lcm/training/run.py", "data/splits/${item.corpus}.npy"} <= set(stage["deps"]), key
        assert all((ROOT / dep).exists() for dep in stage["deps"] if "$" not in dep)
