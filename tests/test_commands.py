"""Stages as commands: exit status, the one line of an error, and which plans a change touches."""

import json
import shutil
from pathlib import Path

import pytest
import runs

from lcm import source
from lcm.files import make_gap
from lcm.targets import target_class
from lcm.training import code


@pytest.fixture
def run(workplace, monkeypatch, capsys):
    """Run a stage here, its jobs without processes."""
    done = runs.in_this_process(monkeypatch)

    def stage(script, *arguments):
        monkeypatch.setenv("LCM_RUN_STORE", str(workplace / "runs"))
        return runs.stage(monkeypatch, capsys, script, *arguments)

    stage.done = done
    return stage


# train.py


@pytest.mark.parametrize(
    "arguments,status,message",
    [
        ("smal", 1, "error: studies/smal.yaml: not found; known studies are small"),
        ("small tov", 1, "error: studies/small.yaml: has no corpus tov; it has toy"),
        (
            "small toy 30 lstm_rand lcm",
            1,
            "error: 30 lstm_rand lcm: no cell of study small and corpus toy; "
            "its cells (noise model method) are 0 lstm_rand lcm; 0 lstm_rand ce; ",
        ),
        (
            "small toy 0 lstm lcm",  # the most alike first
            1,
            "error: 0 lstm lcm: no cell of study small and corpus toy; its cells (noise model method) are "
            "0 lstm_rand lcm; ",
        ),
        ("small toy 0 lstm_rand lcm.alpha=2", 1, "error: 0 lstm_rand lcm.alpha=2: no cell of study small"),
        (
            "small toy 0 lstm_rand",
            2,
            "error: expected a study, a study and a corpus, or study, corpus, noise, model and method",
        ),
        ("small toy zero lstm_rand lcm", 2, "error: argument noise: invalid int value: 'zero'"),
        ("", 2, "error: the following arguments are required: study"),
        ("small --retain", 2, "error: unrecognized arguments: --retain"),
    ],
)  # fmt: skip
def test_wrong_names_are_one_line(run, arguments, status, message):
    found, out, err = run("train.py", *arguments.split())
    assert found == status and message in err.splitlines()[-1] and "Traceback" not in err
    assert status == 2 or (out, err.count("\n")) == ("", 1)
    assert not run.done and not Path("metrics").exists()


def test_a_study_a_corpus_or_a_cell_is_trained(run):
    assert run("train.py", "small", "toy", "0", "cnn_rand", "ls")[0] == 0
    assert {job.cell.method for job in run.done} == {"ls"} and len(run.done) == 2
    status, out, _ = run("train.py", "small", "toy")
    assert status == 0 and len(run.done) == 2 * 2 * 4
    assert "small toy: 16 runs in 8 cells: 2 known, 14 to train" in out
    status, out, _ = run("train.py", "small")
    assert status == 0 and len(run.done) == 16 and "small: 16 runs in 8 cells: 16 known, 0 to train" in out
    assert run("train.py", "small", "toy", "0", "cnn_rand", "ls", "--retrain")[0] == 0 and len(run.done) == 18


def test_a_gap_exits_with_0_and_as_an_error_with_1(run, params):
    make_gap(Path("data/corpus/toy"), "every mirror was tried")
    status, out, err = run("train.py", "small")
    assert status == 0 and out.count("\n") == 1 and "8 cells not run: toy is not available" in out and not err
    assert not [path for path in Path("metrics").rglob("*") if path.is_file()]
    params["execution"]["missing"] = "error"
    runs.write_params(params)
    status, out, err = run("train.py", "small")
    assert status == 1 and err.startswith("error: toy is not available; data/corpus/toy/unavailable.txt") and not out


# verify.py


def test_verify_trains_a_cell_again_and_changes_no_result(run):
    run("train.py", "small", "toy", "0", "cnn_rand", "ls")
    path = runs.cell_path("cnn_rand", "ls")
    content = json.loads(path.read_text())
    true = 100 * content["runs"][0]["test"]["accuracy"]
    content["runs"][0]["test"]["accuracy"] -= 0.25  # not what was measured
    del content["runs"][0]["confusion_matrix"]  # or the file alone would show it
    path.write_text(json.dumps(content))
    held = {file: file.read_bytes() for file in sorted(Path().rglob("*")) if file.is_file()}
    cell = "small", "toy", "0", "cnn_rand", "ls"
    status, out, _ = run("verify.py", *cell)
    shown = [line.split()[:4] for line in out.splitlines()]
    assert status == 0 and ["0", f"{true - 25:.2f}", f"{true:.2f}", "+25.00"] in shown and len(run.done) == 4
    assert [line[3] for line in shown if line[0] == "1"] == ["+0.00"]
    assert {file: file.read_bytes() for file in held} == held
    noted = json.loads(Path("metrics/verified.json").read_text())["small toy 0 cnn_rand ls"]
    assert (noted["splits"], noted["mean_difference"], noted["largest_difference"]) == (2, 12.5, 25.0)

    content["runs"][1]["key"] = "of another epsilon"
    path.write_text(json.dumps(content))
    status, _, err = run("verify.py", *cell)
    assert status == 1 and "split 1 is not there, or is of other data or parameters; make the cell with" in err
    assert run("verify.py", *cell, "--splits", "1")[0] == 0
    assert run("verify.py", *cell, "--splits", "0")[0] == 2


# plan.py


@pytest.fixture
def plans(run, params):
    """The plans of three studies, as lines: (study, corpus, cell) -> line."""
    params["studies"] = {
        "with_lcm": runs.study(
            ["toy", "20ng"], ["lstm_rand", "cnn_rand"], ["ce", "lcm", "ls_matched"], yardsticks=["linear"]
        ),
        "without": runs.study(["toy"], ["lstm_rand"], ["ce", "ls"]),
        "of_rivals": runs.study(["toy"], ["bag"], ["gce.*", "prune"]),
    }

    def made():
        code.digest.cache_clear()
        runs.write_params(params)
        status, out, err = run("plan.py")
        assert status == 0, err
        found = {}
        for file in Path("plans").rglob("*.json"):
            lines = json.loads(file.read_text())
            found |= {(file.parent.name, file.stem, cell): line for cell, line in lines.items()}
        return found

    return made


def changed(before, after):
    assert before.keys() == after.keys()
    return {place for place in before if before[place] != after[place]}


def methods(places):
    return {cell.split("-")[2] for _, _, cell in places}


def test_a_plan_names_every_cell_and_changes_with_its_own_settings(plans, params):
    start = plans()
    report = 3  # lines of each study's report: code, title, question
    assert len(start) == 2 * (6 + 1) + 2 + len(target_class("gce").grid) + 1 + 3 * report
    assert start["without", "toy", "noise0-lstm_rand-ce"].startswith("2 splits x 1 seeds, settings ")
    assert plans() == start

    params["lcm"]["alpha"] = 2.0
    found = changed(start, plans())
    assert (
        methods(found) == {"lcm", "ls_matched"} and {study for study, *_ in found} == {"with_lcm"} and len(found) == 8
    )
    params["lcm"]["alpha"] = 4.0
    params["ls"]["epsilon"] = 0.2
    assert changed(start, plans()) == {("without", "toy", "noise0-lstm_rand-ls")}
    params["ls"]["epsilon"] = 0.1
    params["models"]["cnn_rand"]["filters"] = 7
    found = changed(start, plans())
    assert {cell.split("-")[1] for *_, cell in found} == {"cnn_rand"} and len(found) == 6
    params["models"]["cnn_rand"]["filters"] = 6
    params["corpora"]["toy"]["empty"] = "drop"
    assert {corpus for _, corpus, _ in changed(start, plans())} == {"toy"}
    params["corpora"]["toy"].pop("empty")
    params["linear"]["C"] = 2.0
    assert methods(changed(start, plans())) == {"linear"}
    params["linear"]["C"] = 1.0
    params["execution"] |= {"processes": 7, "fleet": 3}
    assert plans() == start
    params["studies"]["without"]["splits"] = 3
    assert {study for study, *_ in changed(start, plans())} == {"without"}


def test_a_plan_changes_with_the_code_of_its_cells_and_not_with_comments(plans, tmp_path, monkeypatch):
    start, own = plans(), tmp_path / "copy/src/lcm"
    shutil.copytree(source.ROOT, own)
    shutil.copytree(runs.ROOT / "pipeline", tmp_path / "copy/pipeline")  # one of its files is in a digest
    monkeypatch.setattr(source, "ROOT", own)
    assert plans() == start
    for file in own.rglob("*.py"):
        text = file.read_text()
        file.write_text(f"# A comment.\n{text}\n# another\n")
    assert plans() == start

    def with_change(name, old, new):
        file = own / name
        text = file.read_text()
        assert text.count(old) >= 1, (name, old)
        file.write_text(text.replace(old, new, 1))
        found = changed(start, plans())
        file.write_text(text)
        return found

    assert not with_change("training/run.py", '"""', '"""Another first word. ')
    assert methods(with_change("targets/lcm.py", "weight, -0.05, 0.05", "weight, -0.06, 0.06")) == {"lcm"}
    assert methods(with_change("targets/ls.py", '"on_label": 1 - epsilon', '"on_label": 2 - epsilon')) == {
        "ls",
        "ls_matched",
    }  # which imports it
    assert {cell.split("-")[1] for *_, cell in with_change("models/bag.py", "clamp(min=1)", "clamp(min=2)")} == {"bag"}
    assert methods(with_change("training/held_out.py", "FOLDS = 5", "FOLDS = 6")) == {"prune"}
    assert methods(with_change("training/linear.py", "random_state=0", "random_state=1")) == {"linear"}
    of_loop = with_change("training/run.py", "IMPLICIT = 512", "IMPLICIT = 256")
    reports = {place for place in start if place[1] == "+report"}
    assert of_loop == {place for place in start if not place[2].endswith("-linear-linear")} - reports
    assert not with_change("training/pool.py", "30", "31")
    found = with_change("evidence/results.py", "return", "return 1 or")
    assert found == {place for place in reports if place[2] == "code"} and len(found) == 3


def test_a_bad_study_leaves_the_plans_alone(plans, run, params):
    start = plans()
    params["studies"]["without"]["grids"][0]["methods"] = ["lcm.alpah=2"]
    runs.write_params(params)
    status, _, err = run("plan.py")
    assert status == 1 and err == (
        "error: studies/without.yaml: method 'lcm.alpah=2': alpah is no key of lcm, which has alpha, label_dim, "
        "stop_epoch, stop_resets_optimizer, detach\n"
    )
    assert len(list(Path("plans").rglob("*.json"))) == 4 + 3 and start


# Records know their code


def test_the_digest_of_a_record_is_that_of_the_plan(run, plans):
    (line,) = [
        line for (study, _, cell), line in plans().items() if (study, cell) == ("without", "noise0-lstm_rand-ls")
    ]
    run("train.py", "without", "toy", "0", "lstm_rand", "ls")
    for record in runs.numbers(Path("metrics/cells/without/toy/noise0-lstm_rand-ls.json")):
        assert line.endswith(f"code {record['code']['digest']}") and len(record["code"]["digest"]) == 16
        assert record["code"]["commit"].rstrip("+") == code.commit().rstrip("+")


def test_results_of_other_code_are_counted_and_left_alone(run, params):
    params["studies"]["small"]["splits"] = 3  # one of three: not as many as of this code
    runs.write_params(params)
    cell = "small", "toy", "0", "cnn_rand", "ls"
    run("train.py", *cell)
    path = runs.cell_path("cnn_rand", "ls")
    content = json.loads(path.read_text())
    content["runs"][0]["code"]["digest"] = "0" * 16
    path.write_text(json.dumps(content))
    _, out, _ = run("train.py", *cell)
    assert "small toy: 1 recorded runs were made by other code; --retrain trains them again" in out
    assert len(run.done) == 3
