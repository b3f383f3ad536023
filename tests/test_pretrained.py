"""Models that start from something: word vectors must belong to the ids that a model reads, whatever numbers these."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import runs

from lcm.corpora.prepare import load, prepare
from lcm.errors import Unavailable, UserError
from lcm.files import make_gap, write_array
from lcm.models import build
from lcm.params import Corpus
from lcm.protocol.splits import TRAIN, make_splits
from lcm.text.vectors import read_vocabulary
from lcm.training.inputs import find_source, model_inputs

WORDS = 40


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A prepared corpus `mine` with its splits, and vectors. The first number of a word's vector is the word's name."""
    content = runs.committed()
    monkeypatch.chdir(tmp_path)
    runs.forget_data()
    runs.in_this_process(monkeypatch)
    random = np.random.RandomState(0)
    rows = [
        " ".join(f"w{chr(97 + word // 20)}{chr(97 + word % 20)}" for word in random.zipf(1.5, 12) % WORDS)
        for _ in range(60)
    ]
    Path("mine.jsonl").write_text(
        "".join(json.dumps({"text": row, "label": "ab"[n % 2]}) + "\n" for n, row in enumerate(rows))
    )
    prepare(
        "mine",
        Corpus(path="mine.jsonl", text="text", label="label", language="en"),
        Path("mine.jsonl"),
        Path("data/corpus/mine"),
        Path("card.json"),
    )
    data = load(Path("data/corpus/mine"))
    write_array(Path("data/splits/mine/splits.npy"), make_splits(np.asarray(data.labels), 10, 0.3, 0.1))
    write_array(Path("data/splits/mine/labels-0.npy"), np.tile(data.labels, (10, 1)))
    words = read_vocabulary(Path("data/corpus/mine"))[0]
    vectors = np.array([[0, 0, 0], *([name_of(word), 1, -1] for word in words)], np.float32)
    write_array(Path("data/vectors/own_text/mine/vectors.npy"), vectors)
    content["corpora"]["mine"] = {"path": "mine.jsonl", "text": "text", "label": "label", "language": "en"}
    content["vectors"]["sets"]["own_text"]["mine"] = {"source": "nowhere", "size": 3}
    read = {"embedding": None, "vectors": "own_text", "vocabulary_size": 20, "maxlen": 14, "train": {"epochs": 1}}
    content["models"]["lstm_own"] |= read
    content["models"]["cnn_own"] = {"like": "cnn_rand", "filter_sizes": [2], "filters": 3, **read}
    content["models"]["lstm_pre"]["train"] = {"epochs": 1}
    content["studies"] = {"small": runs.study(["mine"], ["lstm_own"], ["ls"], splits=1)}
    return content


def checked(content):
    return runs.load(content, Path())


def source(params, model):
    return find_source(params, runs.cell(params, model, "ce", "mine"), load(Path("data/corpus/mine")))


def name_of(word: str) -> int:
    return (ord(word[1]) - 97) * 20 + ord(word[2]) - 97


@pytest.mark.parametrize("fit", ["all", "train"])
@pytest.mark.parametrize("vocabulary_size", [7, 200])
def test_rows_are_those_of_the_words_that_the_model_reads(workplace, fit, vocabulary_size):
    workplace["models"]["lstm_own"] |= {
        "vocabulary_fit": fit,
        "vocabulary_size": vocabulary_size,
        "truncation": "post",
        "padding": "post",
    }
    params, data = checked(workplace), load(Path("data/corpus/mine"))
    training = np.load("data/splits/mine/splits.npy")[3] == TRAIN
    window, start = model_inputs(params.model("lstm_own"), source(params, "lstm_own"), data, training)
    table = build(params.model("lstm_own"), 2, start).encoder.embedding.weight.detach().numpy()
    assert table.shape == (vocabulary_size, 3) and not table[0].any()
    known = set(range(WORDS))
    if vocabulary_size == 7:
        documents = training if fit == "train" else np.ones(len(training), bool)
        texts = [json.loads(line)["text"].split() for line in Path("mine.jsonl").read_text().splitlines()]
        counts = np.bincount(
            [name_of(word) for text, inside in zip(texts, documents, strict=True) if inside for word in text],
            minlength=WORDS,
        )
        known = set(np.argsort(-counts, kind="stable")[:6].tolist())
        assert np.sort(counts)[-6] > np.sort(counts)[-7], "a tie would leave the expected words open"
    for line, row in zip(Path("mine.jsonl").read_text().splitlines(), window, strict=True):
        expected = [name_of(word) for word in json.loads(line)["text"].split() if name_of(word) in known]
        assert table[row[row > 0], 0].tolist() == expected


def test_the_content_of_the_vectors_is_part_of_the_key(workplace):
    params, seen = checked(workplace), []
    for change in (0, 0, 1):
        write_array(
            Path("data/vectors/own_text/mine/vectors.npy"),
            np.load("data/vectors/own_text/mine/vectors.npy") + np.float32(change),
        )
        seen.append(runs.keys_of(params, "small", "mine", 0, "lstm_own", "ls"))
    assert seen[0] == seen[1] != seen[2]
    assert source(params, "lstm_rand").digests == {}


def test_a_cell_with_vectors(workplace):
    workplace["models"]["lstm_own"]["vocabulary_fit"] = "train"
    params = checked(workplace)
    cell = runs.cell(params, "lstm_own", "ls", "mine")
    runs.train_cells(params, [cell], "cpu", "small")
    found = json.loads(cell.path().read_text())
    assert found["config"]["model"]["vectors"] == "own_text" and "embedding" not in found["config"]["model"]
    assert 0 <= found["runs"][0]["test"]["accuracy"] <= 1


def test_what_is_missing_or_of_another_vocabulary_is_one_line(workplace):
    def error(change=lambda content: None, model="lstm_own"):
        content = copy.deepcopy(workplace)
        change(content)
        params, data = checked(content), load(Path("data/corpus/mine"))
        with pytest.raises(UserError) as caught:
            model_inputs(params.model(model), source(params, model), data, np.ones(len(data.labels), bool))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "model lstm_pre needs vectors.sets.pretrained.mine; the set has 20ng, ag_news" in error(model="lstm_pre")
    words = len(read_vocabulary(Path("data/corpus/mine"))[0])
    assert f"has {words} words, the corpus {words}; make it again with" in error(
        lambda content: content["vectors"].update(words=7)
    )
    write_array(Path("data/vectors/own_text/mine/vectors.npy"), np.load("data/vectors/own_text/mine/vectors.npy")[:8])
    assert "for the 7 most frequent words, the model reads word 19; raise vectors.words" in error(
        lambda content: content["vectors"].update(words=7)
    )
    Path("data/vectors/own_text/mine/vectors.npy").unlink()
    assert error() == (
        "data/vectors/own_text/mine/vectors.npy: not found; "
        "make it with `dvc repro data/dvc.yaml:vectors_own_text@mine`"
    )
    make_gap(Path("data/vectors/own_text/mine"), "no mirror has it")
    params = checked(workplace)
    with pytest.raises(
        Unavailable,
        match=r"word vectors \(own_text\) are not available; data/vectors/own_text/mine/unavailable.txt says",
    ):
        source(params, "lstm_own")
    assert source(params, "lstm_rand").vectors is None  # others go on
