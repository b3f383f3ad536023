"""Files and folders that are complete or absent, and gaps."""

import os
import platform
import subprocess
from pathlib import Path

import pytest

from lcm.files import gap, make_gap, new_folder, pass_gap, remedies, remembered, replacing, store_folder, sweep


def test_a_gap_is_passed_on_and_ends_when_the_data_are_there(tmp_path, capsys):
    raw, corpus, splits = tmp_path / "raw", tmp_path / "corpus/one", tmp_path / "splits/one"
    assert not pass_gap(raw, corpus) and gap(raw) is None and not corpus.exists()
    raw.mkdir()
    assert not pass_gap(raw, corpus) and not corpus.exists()
    make_gap(raw, "cannot get it")
    with new_folder(corpus) as part:
        (part / "old").write_text("old")
    assert pass_gap(raw, corpus) and pass_gap(corpus, splits)
    assert [path.name for path in corpus.iterdir()] == ["unavailable.txt"] and gap(splits / "splits.npy") == gap(
        splits
    ) == "cannot get it"
    assert capsys.readouterr().out.splitlines()[0] == f"{corpus}: not made, {raw} is not available"
    with new_folder(raw) as part:
        (part / "data").write_text("data")
    assert gap(raw) is None and gap(raw / "data") is None


def test_a_folder_that_is_not_filled_leaves_the_old_one(tmp_path):
    with new_folder(tmp_path / "a") as part:
        (part / "old").write_text("old")
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a") as part:
        (part / "new").write_text("new")
        raise ZeroDivisionError
    assert [path.name for path in Path(tmp_path).rglob("*")] == ["a", "old"]


def test_a_file_is_there_as_a_whole_or_as_before(tmp_path):
    path = tmp_path / "a/file"
    with replacing(path) as part:
        part.write_text("one")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        part.write_text("two")
        raise ZeroDivisionError
    assert path.read_text() == "one" and os.listdir(path.parent) == ["file"]


def test_sweep_takes_only_what_dead_processes_of_this_machine_left(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    here, dead, alive = platform.node(), ended.pid, os.getppid()
    gone = [f".a.pt.{here}-{dead}.part", f".a.npy.{dead}.part", f".a.json.{here}-999999999.part"]
    kept = [f".a.pt.{here}-{alive}.part", f".a.pt.{here}-1.part", f".a.pt.{here}x-{dead}.part", f"a.{here}-{dead}.part"]
    kept += [".a.part", f".a.{here}-{dead}.part.json", "a.json"]
    (tmp_path / "ab").mkdir()
    for name in (*gone, *kept):
        (tmp_path / "ab" / name).touch()
    sweep(tmp_path), sweep(tmp_path / "nothing")
    assert set(os.listdir(tmp_path / "ab")) == set(kept)


def test_each_gap_is_listed_once_with_its_remedy(tmp_path):
    make_gap(tmp_path / "b", "cannot get x.zip: http://a: no route. Put x.zip into data/raw/b by hand")
    make_gap(tmp_path / "c", "no encoder")
    (tmp_path / "a").mkdir()
    assert remedies(tmp_path) == [
        "b is not available: put x.zip into data/raw/b by hand",
        "c is not available: no encoder",
    ]
    assert remedies(tmp_path / "nowhere") == []


def test_an_answer_is_remembered_until_its_digest_changes(monkeypatch):
    asked = []

    def answer(digest):
        return remembered("answer", digest, lambda: asked.append(digest) or {"of": digest, "order": {"b": 1, "a": 2}})

    assert answer("x") == answer("x") == {"of": "x", "order": {"b": 1, "a": 2}} and asked == ["x"]
    assert list(answer("x")["order"]) == ["b", "a"]
    assert answer("y")["of"] == "y" and answer("x")["of"] == "x" and asked == ["x", "y", "x"]
    for damage in ("", "{", "[]", '{"digest": "x"}', "[" * 100_000):
        (store_folder() / "answer.json").write_text(damage)
        assert answer("x")["of"] == "x"
    assert asked == ["x", "y", *"x" * 6]
    monkeypatch.setenv("LCM_RUN_STORE", str(store_folder() / "answer.json"))  # a file: nothing can be kept there
    assert answer("z")["of"] == answer("z")["of"] == "z" and asked[-2:] == ["z", "z"]
