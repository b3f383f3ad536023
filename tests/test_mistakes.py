"""Mistakes that people make at the command line: one line that says where, what was found, what to do; no traceback."""

import re
import shutil
from pathlib import Path

import pytest
import runs

from lcm import archives, study, targets
from lcm.compare.cli import main as lcm
from lcm.corpora import tables
from lcm.errors import UserError
from lcm.targets import target_class

REVIEWS = "text,label\n" + "".join(f"word{n} of review {n % 7},{'good' if n % 2 else 'bad'}\n" for n in range(60))


def folder_for_params():
    Path("params.yaml").unlink()
    Path("params.yaml").mkdir()


def edit(old, new, file="params.yaml"):
    def change():
        text = Path(file).read_text()
        assert old in text, text
        Path(file).write_text(text.replace(old, new, 1))

    return change


def write(file, text):
    def change():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text)

    return change


def remove(place):
    return lambda: shutil.rmtree(place) if Path(place).is_dir() else Path(place).unlink()


RESULT = "metrics/cells/small/toy/noise0-cnn_rand-ls.json"
STUDY = "studies/small.yaml"
CELL = "train.py small toy 0 cnn_rand ls"
STAGES = [
    ("report.py smal", None, "studies/smal.yaml: not found"),
    ("tune.py smal", None, "studies/smal.yaml: not found"),
    ("prepare.py toyy", None, "params.yaml: corpora has no 'toyy'; known are 20ng, "),
    ("prepare.py toy", None, "params.yaml: corpora.toy.text is missing; your own data needs path"),
    ("split.py toyy", None, "params.yaml: corpora has no 'toyy'"),
    ("split.py 20ng", None, "data/corpus/20ng/corpus.json: not found; make it with `dvc repro"),
    ("fetch.py toyy", None, "params.yaml: originals has no 'toyy'; known are"),
    ("vectors.py glove 20ng", None, "params.yaml: vectors.sets has no 'glove'; known are pretrained"),
    ("wordpieces.py toy", None, "params.yaml: wordpieces.corpora has no 'toy'; known are"),
    ("skipgram.py toy", None, "params.yaml: skipgram has no 'toy'; known are"),
    (
        "verify.py small toy 0 cnn_rand ls",
        None,
        "split 0 is not there, .*; make the cell with `python pipeline/train.py",
    ),
    (CELL, edit("alpha: 4.0", "alpha: .nan"), "params.yaml: lcm.alpha: input should be a finite number, found nan"),
    (CELL, edit("alpha: 4.0", "alpha: four"), "params.yaml: lcm.alpha: input should be a valid number, found 'four'"),
    (CELL, edit("alpha: 4.0", "alpha: 4.0\n  alpa: 3"), "params.yaml: unknown key lcm.alpa"),
    (CELL, edit("alpha: 4.0", "alpha: 4.0\n  alpha: 3"), "params.yaml: not valid YAML: the key 'alpha' stands twice"),
    (CELL, edit("alpha: 4.0", "alpha: [4"), "params.yaml: not valid YAML: "),
    (CELL, edit("alpha: 4.0", "\talpha: 4"), "params.yaml: not valid YAML: "),
    (
        CELL,
        edit("- lcm\n", "- lmc\n", STUDY),
        "studies/small.yaml: .*method 'lmc': expected one of ce, ls, ls_matched, lcm",
    ),
    (CELL, edit("- lcm\n", "- lcm.alpa=2\n", STUDY), "studies/small.yaml: .*alpa is no key of lcm, which has alpha"),
    (CELL, edit("- cnn_rand\n", "- cnn\n", STUDY), "studies/small.yaml: .*cnn"),
    (CELL, edit("- toy\n", "- tony\n", STUDY), "studies/small.yaml: .*tony"),
    (
        "train.py small toy 20 cnn_rand ls",
        edit("      models:\n", "      noise:\n      - 20\n      models:\n", STUDY),
        r"params.yaml: noise.rates.toy is \[\], expected 20 among them; add it, then run `dvc repro",
    ),
    (CELL, edit("splits: 2", "splits: 11", STUDY), "studies/small.yaml: .*splits.*11"),
    (CELL, edit("small:", "large:", STUDY), "studies/small.yaml: "),
    (CELL, remove("params.yaml"), "params.yaml: not found; run from the root of the repository"),
    (CELL, folder_for_params, "params.yaml: Is a directory"),
    (CELL, remove("data/corpus/toy"), "data/corpus/toy/corpus.json: not found; make it with `dvc repro"),
    (CELL, remove("data/splits/toy"), "data/splits/toy/splits.npy: not found; make it with `dvc repro"),
    (CELL, remove("data/splits/toy/labels-0.npy"), "data/splits/toy/labels-0.npy: not found; make it with `dvc repro"),
    (CELL, write("data/corpus/toy/ids.npy", "x"), "data/corpus/toy/ids.npy: .*make it again with `dvc repro"),
    (CELL, write("data/splits/toy/splits.npy", ""), "data/splits/toy/splits.npy: .*make it again with `dvc repro"),
    ("page.py", remove("params.yaml"), "params.yaml: not found"),
    (
        "report.py small",
        write(RESULT, "<<<<<<<"),
        "not a result file",
    ),
]


@pytest.mark.parametrize("command,change,said", STAGES, ids=[f"{n} {each[0]}" for n, each in enumerate(STAGES)])
def test_a_stage(workplace, monkeypatch, capsys, command, change, said):
    runs.in_this_process(monkeypatch)
    if change:
        change()
    status, _, found = runs.stage(monkeypatch, capsys, *command.split())
    *_, line = found.splitlines()
    assert status == 1 and found.count("error: ") == 1 and len(line) <= 1000
    assert re.search(said, found), found


COMPARE = [
    ("compare nothing.csv", REVIEWS, "nothing.csv: no such file; give a .csv"),
    ("compare t.csv --text body", REVIEWS, "no column 'body'; the first row is 'text', 'label'"),
    ("compare t.csv --label stars", REVIEWS, "no column 'stars'"),
    ("compare t.csv --label text", REVIEWS, "column 'text' has 60 different values.*--label"),
    ("compare t.csv --text 0", REVIEWS, "expected only names, or only numbers"),
    ("compare t.csv --text 7 --label 1", REVIEWS, "7"),
    ("compare t.csv --text 0 --label 1", REVIEWS, "name the columns: --label label"),
    ("compare", REVIEWS, "expected one table to train on"),
    ("compare t.csv --train t.csv", REVIEWS, "expected one table to train on"),
    ("compare t.csv --dev t.csv", REVIEWS, "--dev is given, --test is not"),
    ("compare t.csv --minutes nan", REVIEWS, "--minutes nan"),
    ("compare t.csv --minutes inf", REVIEWS, "--minutes inf"),
    ("compare t.csv --minutes -1", REVIEWS, "--minutes -1"),
    ("compare t.csv --splits 0", REVIEWS, "--splits 0"),
    ("compare t.csv --encoding klingon", REVIEWS, "klingon"),
    ("compare t.csv --encoding utf_16", REVIEWS, r"t.csv: cannot be read .UnicodeError: UTF-16 stream does not start"),
    ("compare t.csv --encoding hex", REVIEWS, "--encoding hex: encoding: expected the name of an encoding, such as"),
    (
        "compare t.csv",
        "text,label\n" + "word " * 300 + ",1\n",
        "WrongContent: found a line of more than 1000 .*; mend it",
    ),
    ("compare t.csv", "", "t.csv: "),
    ("compare t.csv --processes -1", REVIEWS, "--processes -1: expected 0"),
    ("compare t.csv", "text,label\n", "t.csv"),
    ("compare t.csv", "text,label\na,b\n", "found only 1 row; give at least 10"),
    (
        "compare t.csv",
        "text,label\n" + "".join(f"a,{n}\n" for n in range(20)),
        "is it the class. name the right column",
    ),
    ("compare t.csv", REVIEWS.replace("good", "bad"), "one class only"),
    ("compare t.csv", "text,label\n" + "one,two,three\n" * 20, "row 2"),
    ("compare t.csv", b"text,label\n" + b"caf\xe9 ole,good\n" * 20, "--encoding"),
    ("compare t.csv", REVIEWS.replace(",", ";"), "'text;label', one column; separate columns by commas"),
    (
        "compare t.csv",
        REVIEWS.replace("text,label", "text,text,label").replace(",good", ",a,good"),
        "2 columns are named",
    ),
    ("compare t.jsonl", '{"text": "a word", "label": null}\n' * 20, "found None under 'label', expected a class"),
    ("compare t.jsonl", '{"text": "a word", "label": [1]}\n' * 20, r"found .* under 'label', expected a class"),
    ("compare .", REVIEWS, "no such file"),
    ("compare t.xlsx", REVIEWS, "no such file"),
]


@pytest.mark.parametrize("command,content,said", COMPARE, ids=[each[0] for each in COMPARE])
def test_lcm_compare(tmp_path, monkeypatch, capsys, command, content, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tables, "lines", lambda stream: archives.lines(stream, 1000))
    for name in ("t.csv", "t.jsonl"):
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit) as end:
        lcm(command.split())
    *_, line = capsys.readouterr().err.splitlines()
    assert end.value.code == 1 and line.startswith("error: ") and len(line) <= 1000, line
    assert re.search(said, line) and "params.yaml" not in line, line


def test_a_target_or_a_model_that_is_not_finished(monkeypatch, workplace, params):
    """A file of a helper, Settings that are no Group, a model without its classes: the file is named."""
    monkeypatch.setattr(study, "remembered", lambda kind, digest, make: make())

    class NoGroup(target_class("gce")):
        class Settings:
            q = 0.7

    def facts(**classes):
        monkeypatch.setattr(targets, "target_names", lambda: ["ce", *classes])
        monkeypatch.setattr(
            targets, "target_class", lambda name: classes[name] if name in classes else target_class(name)
        )
        study.target_facts.__wrapped__()

    with pytest.raises(UserError, match="whose `name` is 'measures', found none; docs/extending.md shows a target"):
        monkeypatch.setattr(targets, "target_names", lambda: ["ce", "measures"])
        study.target_facts.__wrapped__()
    with pytest.raises(UserError, match="targets/gce.py: class Settings is no Group"):
        facts(gce=NoGroup)
    monkeypatch.undo()
    monkeypatch.chdir(workplace)
    for lacking in ("Config", "Encoder"):
        monkeypatch.delattr(f"lcm.models.cnn.{lacking}")
        with pytest.raises(UserError, match=f"src/lcm/models/cnn.py: has no class {lacking}; docs/extending.md"):
            runs.load(params, workplace).model("cnn_rand")
        monkeypatch.undo()
        monkeypatch.chdir(workplace)
