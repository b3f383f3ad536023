"""`lcm compare`: from a table to a page. Its messages: test_mistakes.py."""

import csv
import json

import pytest

from lcm.compare import cli, plan, train
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
        doubtful = list(csv.DictReader(file))
    assert {row["place"] for row in doubtful} >= {f"reviews.csv, row {2 + 30 * k}" for k in range(3)}
    assert all(row["label"] != row["suggested"] and float(row["probability"]) < 0.5 for row in doubtful)

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
