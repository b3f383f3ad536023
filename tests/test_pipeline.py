"""The owner's commands through DVC in a temporary clone, without a network: on the embedded digits, made tiny."""

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

STUDY = {
    "title": "Quickstart",
    "question": "Does it run?",
    "corpora": ["digits"],
    "splits": 2,
    "grids": [{"corpora": ["digits"], "models": ["image_cnn_small"], "methods": ["ce", "ls", "ls_matched", "lcm"]}],
}
OWN = yaml.safe_load((ROOT / "studies/own.yaml").read_text())["studies"]["own"] | {"splits": 2}


class Clone:
    """A committed copy of the working tree with its own home and run store, and these studies only.

    studies: name -> content; None is the committed one.
    """

    def __init__(self, folder: Path, studies: dict[str, dict | None]):
        self.folder = folder / "clone"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in listed.stdout.splitlines():
            left_out = ("reports/", "docs/", "plans/", "dvc.lock", "tests/", "metrics/quickstart/")
            if (ROOT / name).is_file() and not name.startswith(left_out):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.folder / name)
        (folder / "home").mkdir()
        roles = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LCM_", "DVC_"))}
        self.environment = kept | {f"GIT_{role}": "tester@example.org" for role in roles}
        self.environment |= {
            "HOME": str(folder / "home"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder / "src"),
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
        }
        params = self.folder / "params.yaml"
        params.write_text(re.sub(r"^(      epochs: )\d+", r"\g<1>1", params.read_text(), flags=re.M))  # of each model
        for path in (self.folder / "studies").glob("*.yaml"):
            if path.stem not in studies:
                path.unlink()
        for name, content in studies.items():
            if content:
                (self.folder / f"studies/{name}.yaml").write_text(yaml.safe_dump({"studies": {name: content}}))
        every = yaml.safe_load((ROOT / "dvc.yaml").read_text())
        every["vars"] = [f"studies/{name}.yaml" for name in studies]
        wanted = ("plan", *(stage for name in studies for stage in (f"train-{name}", name)))
        every["stages"] = {name: every["stages"][name] for name in wanted}
        every["metrics"] = [f"metrics/{name}" for name in studies]
        (self.folder / "dvc.yaml").write_text(yaml.safe_dump(every, sort_keys=False))
        self.run("git", "init", "-q", "-b", "main")
        self.commit()

    def commit(self):
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", "state")

    def run(self, *command: str, status: int = 0) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == status, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def results(self) -> dict[str, bytes]:
        """The files of all cells."""
        folder = self.folder / "metrics/cells"
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.json"))}


def transcript(corpus: str) -> list[str]:
    """Patterns of the lines of the experiment in docs/experiments.md that name a corpus; any number fits."""
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    text = text[text.index("$ dvc exp run") : text.index("$ dvc metrics diff")]
    lines = [line for line in text.splitlines() if corpus in line or line.startswith("Ran experiment")]
    assert len(lines) >= 6
    patterns = [re.sub(r"\d+(\\\.\d+)?", r"[\\d.]+", re.escape(line)) for line in lines]
    return [pattern.replace("minute", "minutes?") for pattern in patterns]


def test_the_owners_commands_from_nothing_and_back(tmp_path):
    pytest.importorskip("dvc")
    clone = Clone(tmp_path, {"quickstart": STUDY, "noise": None})
    in_git = clone.results()
    said = clone.run("dvc", "repro")

    # the quickstart is trained; a corpus that cannot be downloaded is a gap, said once a study, and changes no result
    assert "quickstart digits: 8 runs in 4 cells: 0 known, 8 to train" in said
    assert said.count("cells kept from git, not checked") == 1 and "20ng is not available" in said
    first = clone.results()
    assert len(first) == len(in_git) + 8 and all(first[name] == content for name, content in in_git.items())
    lcm = json.loads((clone.folder / "metrics/quickstart/image_cnn_small-lcm.json").read_text())
    assert 0.1 < lcm["digits"] <= 1
    assert "20ng" in (clone.folder / "data/corpus/20ng/unavailable.txt").read_text()
    assert "up to date" in clone.run("dvc", "repro")
    clone.commit()

    # an experiment trains LCM and its control, nothing else
    said = clone.run("dvc", "exp", "run", "-n", "two", "-S", "lcm.alpha=2")
    assert "quickstart digits: 8 runs in 4 cells: 4 known, 4 to train" in said
    for line in transcript("digits"):
        assert re.search(line, said), f"docs/experiments.md has a line that is not printed: {line}"
    second = clone.results()
    changed = {name for name in second if second[name] != first.get(name)}
    assert changed and all("-lcm." in name or "-ls_matched." in name for name in changed)
    assert "two" in clone.run("dvc", "exp", "list", "--name-only")
    different = json.loads(clone.run("dvc", "metrics", "diff", "--json"))
    models = ("image_cnn_small", "lstm_rand")
    assert set(different) <= {
        f"metrics/{study}/{name}.json"
        for study in ("quickstart", "noise")
        for name in (*(f"{model}-{method}" for model in models for method in ("lcm", "ls_matched")), "not_run")
    }
    assert "metrics/quickstart/image_cnn_small-lcm.json" in different
    # no number stands under an alpha that did not make it: LCM on 20ng was not run with alpha 2
    noise = json.loads((clone.folder / "metrics/noise/lstm_rand-ls.json").read_text())
    assert noise and not (clone.folder / "metrics/noise/lstm_rand-lcm.json").exists()
    assert "1 insertion(+), 1 deletion(-)" in clone.run("git", "diff", "--stat", "params.yaml")

    # and back: nothing is trained, and git shows no changed result
    clone.run("git", "checkout", "-q", "params.yaml")
    said = clone.run("dvc", "repro")
    assert "8 runs in 4 cells: 8 known, 0 to train" in said
    assert clone.results() == first
    assert not clone.run("git", "status", "--porcelain", "metrics").strip()


def test_own_table_is_a_study_of_its_own(tmp_path):
    """As docs/data.md says: without a table one quiet line; with one, experiments and their comparison."""
    pytest.importorskip("dvc")
    clone = Clone(tmp_path, {"own": OWN})
    said = clone.run("dvc", "repro")
    assert said.count("own: no table yet") == 1 and "not available" not in said and "to train" not in said
    assert "up to date" in clone.run("dvc", "repro")
    clone.commit()

    rows = [f"t{row},{'good' if row % 2 else 'bad'} words number{row},{1 + row % 2}" for row in range(60)]
    (clone.folder / "data/own/reviews.csv").write_text("\n".join(["title,body,stars", *rows]) + "\n")
    table = ("-S", "own.path=reviews.csv", "-S", "own.text=[title,body]", "-S", "own.label=stars")
    said = clone.run("dvc", "exp", "run", "-n", "first", *table, "own")
    assert "own own: 14 runs in 7 cells: 0 known, 14 to train" in said and "ComplementNB" in said
    scores = {path.stem: json.loads(path.read_text()) for path in (clone.folder / "metrics/own").iterdir()}
    assert 0.9 < scores["linear-svc"]["own"] <= 1 and set(scores["bag_own-lcm"]) == {"own"}

    said = clone.run("dvc", "exp", "run", "-S", "lcm.alpha=2", "own")
    assert "14 runs in 7 cells: 10 known, 4 to train" in said
    different = json.loads(clone.run("dvc", "metrics", "diff", "first", "--json"))
    assert {Path(name).stem for name in different} <= {"bag_own-lcm", "bag_own-ls_matched"}

    clone.run("git", "restore", ".")
    clone.run("git", "clean", "-fdq", "metrics/own")
    assert not clone.run("git", "status", "--porcelain").strip()
    assert "own: no table yet" in clone.run("dvc", "repro")
