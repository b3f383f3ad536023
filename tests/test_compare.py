"""`lcm compare`: from a table to a page, its messages, its budget and its advice."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from lcm import archives
from lcm.compare import advice, cli, plan, summary, train
from lcm.corpora import tables
from lcm.targets import target_class

METHODS = ("cross-entropy", "label smoothing, tuned", "matched label smoothing", "label confusion model", "square loss")


@pytest.fixture
def compare(tmp_path, monkeypatch, capfd):
    """Run the command in a folder of its own, with few steps. Returns what it printed; a failure is SystemExit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LCM_RUN_STORE", "")  # the command sets it; afterwards it is as before
    monkeypatch.setattr(plan, "STEPS", {"bag": 60, "cnn": 8})
    monkeypatch.setattr(train, "STEPS", plan.STEPS)

    def run(*arguments):
        capfd.readouterr()
        cli.main(["compare", *map(str, arguments)])
        return capfd.readouterr()

    return run


def write_table(path, rows=90, header=True):
    """Two classes with words of their own; the label of every 30th row is wrong. Columns: title, body, stars."""
    found = [["title", "body", "stars"]] if header else []
    for row in range(rows):
        kind = row % 2
        body = f"{('bad poor broken', 'good great lovely')[kind]} item{row % 7} of shop{row % 11}"
        found.append([f"review {row}", body, str(1 + (kind if row % 30 else 1 - kind))])
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(found)


def test_a_table_becomes_a_table_of_results_a_page_and_files(compare, tmp_path):
    write_table(tmp_path / "reviews.csv")
    given = ("reviews.csv", "--text", "title", "body", "--label", "stars", "--model", "bag", "--splits", 2)
    said = compare(*given, "--processes", 1)
    labels = [*METHODS, target_class("prune").label]
    for label in (*labels, "LinearSVC", "ComplementNB"):
        assert f"  {label}" in said.out
    assert "90 rows in 2 classes: 1, 2" in said.err and "2 of 2 splits, 18 runs" in said.err
    page = (tmp_path / "lcm-compare/index.html").read_text(encoding="utf-8")
    assert all(label in page for label in labels) and "http" not in page.partition("</style>")[0]
    found = json.loads((tmp_path / "lcm-compare/results.json").read_text(encoding="utf-8"))
    assert found["sizes"] == {"train": 54, "val": 9, "test": 27} and found["splits"] == 2
    assert {row["method"]: row["n"] for row in found["rows"]} == dict.fromkeys([*plan.DEFAULT, *plan.YARDSTICKS], 2)
    with open(tmp_path / "lcm-compare/runs.csv", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2 * len(found["rows"])
    # the rows whose labels were turned are found, with the file's row: the header is row 1
    with open(tmp_path / "lcm-compare/doubtful.csv", encoding="utf-8") as file:
        assert {row["place"] for row in csv.DictReader(file)} >= {f"reviews.csv, row {2 + 30 * k}" for k in range(3)}

    # again: nothing is trained, and the numbers are the same
    runs = sorted((tmp_path / "lcm-compare/.runs").rglob("*.json"))
    said = compare(*given, "--processes", 1)
    assert "all of them known" in said.err and sorted((tmp_path / "lcm-compare/.runs").rglob("*.json")) == runs
    assert json.loads((tmp_path / "lcm-compare/results.json").read_text(encoding="utf-8")) == found


def test_files_as_given_without_header_and_a_network_that_does_not_fit(compare, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "STEPS", {"bag": 60, "cnn": 100_000})
    monkeypatch.setattr(train, "STEPS", plan.STEPS)
    write_table(tmp_path / "a.csv", 60, header=False)
    write_table(tmp_path / "b.csv", 30, header=False)
    said = compare(*("--train", "a.csv", "--test", "b.csv", "--text", 1, "--label", 2), "--splits", 2, "--processes", 1)
    assert "CNN: left out, for lack of time; --minutes" in said.err
    found = json.loads((tmp_path / "lcm-compare/results.json").read_text(encoding="utf-8"))
    assert found["sizes"]["test"] == 30 and {row["model"] for row in found["rows"]} == {"bag", "linear"}


@pytest.mark.parametrize(("slower", "splits", "networks"), [(1, 10, 2), (2, 6, 2), (6, 4, 1), (8, 2, 2)])
def test_the_budget_holds_on_a_machine_that_is_slower_than_its_first_runs(monkeypatch, slower, splits, networks):
    """Pilots take 2 s (bag) and 4 s (CNN), of two methods; all later runs take `slower` times as long; 2 minutes."""
    clock, done, seconds = [0.0], set(), {"bag": 2.0, "cnn": 4.0}
    request = SimpleNamespace(splits=10, fixed=False)

    def job(model, method, split):
        run = SimpleNamespace(split=split, seed=0)
        cell, epochs = SimpleNamespace(model=model), SimpleNamespace(epochs=5)
        return SimpleNamespace(keys=((model, method, split),), cell=cell, runs=[run], train=epochs)

    def work(comparison, jobs, title, processes):
        for each in jobs:
            if each.keys[0] not in done:
                done.add(each.keys[0])
                clock[0] += slower * seconds[each.cell.model]

    comparison = SimpleNamespace(
        documents=SimpleNamespace(request=request), device="cpu",
        methods=[plan.Method(name, (name,)) for name in ("ce", "lcm")],
        jobs=lambda model, method, steps, splits: [job(model, method, split) for split in range(splits)],
        place=lambda job: (job.runs[0].split, 0),
    )  # fmt: skip
    done |= {(model, method, 0) for model in seconds for method in ("ce", "lcm")}
    monkeypatch.setattr(train, "train", work)
    monkeypatch.setattr(train.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(train.store, "load_run", lambda key: {"seconds": seconds[key[0]]} if key in done else None)
    schedule = train.Schedule(list(seconds), dict.fromkeys(seconds, 10), 0)
    train._train(comparison, schedule, 2, 120, 1)
    assert clock[0] <= 1.2 * 120 and schedule.splits == splits and len(schedule.models) == networks
    assert "of the 2 minutes given" in schedule.lines[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file"),
        ([], "expected one table to train on"),
        (["t.csv", "--text", "body", "--label", "2"], "expected only names, or only numbers"),
        (["t.csv", "--text", "body", "--label", "rating"], "no column 'rating'; the first row is 'title', 'body'"),
        (["t.csv", "--text", "body", "--label", "title"], "is it the class? name the right column with --label"),
        (["t.csv", "--text", "1", "--label", "2"], "name the columns: --label stars"),
        (["t.csv", "--dev", "t.csv"], "--dev is given, --test is not"),
        (["t.csv", "--minutes", "0"], "expected numbers above 0"),
        (["t.csv", "--encoding", "utf_16"], "t.csv: cannot be read (UnicodeError: UTF-16 stream does not start with"),
        (["t.csv", "--encoding", "hex"], "--encoding hex: encoding: expected the name of an encoding, such as cp1252"),
        (["long.csv"], "long.csv: cannot be read (WrongContent: found a line of more than 1000 characters); mend it"),
    ],
)
def test_what_a_person_can_mend_is_one_line(compare, tmp_path, monkeypatch, capfd, arguments, message):
    write_table(tmp_path / "t.csv")
    (tmp_path / "long.csv").write_text("text,label\n" + "word " * 300 + ",1\n")
    monkeypatch.setattr(tables, "lines", lambda stream: archives.lines(stream, 1000))
    with pytest.raises(SystemExit):
        compare(*arguments)
    said = capfd.readouterr().err.strip()
    assert message in said and "params.yaml" not in said and said.count("\n") == 0


def made_up(**scores):
    """A summary of the bag of words. scores: method -> the accuracy of each split; svc is a linear model."""
    request = SimpleNamespace(drawn="nothing", fixed=True, splits=10)
    comparison = SimpleNamespace(documents=SimpleNamespace(request=request))
    rows = []
    for method, values in scores.items():
        model, label = ("linear", "LinearSVC") if method == "svc" else ("bag", target_class(method).label)
        runs = [{"place": (split, 0), "test": {"accuracy": value}} for split, value in enumerate(values)]
        rows.append(summary.Row(model, method, label, runs))
    found = summary.Summary(comparison, SimpleNamespace(models=["bag"], splits=8), rows)
    networks = [row for row in rows if row.model == "bag"]
    summary._compare([row for row in networks if row.method != "ce"], networks[0], 0.0)
    return found


CE = 0.80 + 0.01 * np.array([0, 1, -1, 2, -2, 1, 0, -1])
NOISE = 0.004 * np.array([1, -1, 1, 1, -1, -1, 1, -1])


def test_advice_names_the_simplest_of_the_methods_that_are_better():
    lines = advice.advice(made_up(ce=CE, ls=CE + 0.03 + NOISE, lcm=CE + 0.031 - NOISE))
    assert lines[0].startswith("With the bag of words, train with label smoothing: +3.0 points")
    assert "Label confusion model cannot be told apart from it" in lines[0]


def test_advice_is_undecided_where_the_runs_do_not_decide():
    lines = advice.advice(made_up(ce=CE, ls=CE + 0.002 + 5 * NOISE, lcm=CE - 5 * NOISE, ls_matched=CE + 5 * NOISE))
    assert lines[0].startswith("Undecided") and "Stay with cross-entropy" in lines[0] and "--minutes" in lines[0]
    assert any("Whether LCM differs from label smoothing of the same strength is undecided" in line for line in lines)
    assert advice.advice(made_up(ce=CE[:1], lcm=CE[:1]))[0].startswith("Undecided: one run")


def test_a_network_far_below_the_linear_model_is_called_under_trained():
    found = made_up(ce=CE - 0.4, lcm=CE - 0.41, svc=CE)
    (line,) = summary.under_trained(found)
    assert "UNDER-TRAINED" in line and "40.0 % at best" in line and "80.0 %" in line
    assert not summary.under_trained(made_up(ce=CE - 0.05, svc=CE))
