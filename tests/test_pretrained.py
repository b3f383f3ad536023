"""Models that start from something: word vectors must belong to the ids that a model reads, whatever numbers these."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lcm.corpora.prepare import load, prepare
from lcm.errors import UserError
from lcm.files import write_array
from lcm.models import build
from lcm.params import Corpus, load_params
from lcm.protocol.splits import TRAIN, make_splits
from lcm.text.vectors import read_vocabulary
from lcm.training import cell, pretrained

ROOT = Path(__file__).parent.parent
WORDS = 40


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A prepared corpus `mine` with its splits, and vectors in which the first number of a word's vector is the word's name."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    cell.load_data.cache_clear()
    random = np.random.RandomState(0)
    rows = [" ".join(f"w{chr(97 + word // 20)}{chr(97 + word % 20)}" for word in random.zipf(1.5, 12) % WORDS) for _ in range(60)]
    Path("mine.jsonl").write_text("".join(json.dumps({"text": row, "label": "ab"[n % 2]}) + "\n" for n, row in enumerate(rows)))
    prepare("mine", Corpus(path="mine.jsonl", text="text", label="label", language="en"), Path("mine.jsonl"), Path("data/corpus/mine"), Path("card.json"))
    data = load(Path("data/corpus/mine"))
    write_array(Path("data/splits/mine/splits.npy"), make_splits(np.asarray(data.labels), 10, 0.3, 0.1))
    write_array(Path("data/noise/mine/0.npy"), np.tile(data.labels, (10, 1)))
    words = read_vocabulary(Path("data/corpus/mine"))[0]
    vectors = np.array([[0, 0, 0], *([name_of(word), 1, -1] for word in words)], np.float32)
    write_array(Path("data/vectors/own_text/mine/vectors.npy"), vectors)
    content["corpora"]["mine"] = {"path": "mine.jsonl", "text": "text", "label": "label", "language": "en"}
    content["vectors"]["sets"]["own_text"]["mine"] = {"source": "nowhere", "size": 3}
    for model in ("lstm_own", "cnn_own"):
        content["models"][model] |= {"vocabulary_size": 20, "maxlen": 14, "train": {"epochs": 1}}
    content["models"]["cnn_own"] |= {"filter_sizes": [2], "filters": 3}
    content["models"]["lstm_pre"]["train"] = {"epochs": 1}
    content["execution"]["processes"] = 1
    content["studies"] = {"small": {"splits": 1, "train": {}, "text": {"corpora": ["mine"], "noise": [0], "models": ["lstm_own"], "arms": ["ls"]}}}
    return content


def checked(content):
    Path("params.yaml").write_text(yaml.safe_dump(content))
    return load_params()


def name_of(word: str) -> int:
    return (ord(word[1]) - 97) * 20 + ord(word[2]) - 97


@pytest.mark.parametrize("fit", ["all", "train"])
@pytest.mark.parametrize("vocabulary_size", [7, 200])
def test_rows_are_those_of_the_words_that_the_model_reads(workplace, fit, vocabulary_size):
    workplace["models"]["lstm_own"] |= {"vocabulary_fit": fit, "vocabulary_size": vocabulary_size, "truncation": "post", "padding": "post"}
    params, data = checked(workplace), load(Path("data/corpus/mine"))
    training = np.load("data/splits/mine/splits.npy")[3] == TRAIN
    window = cell.text_inputs(data, training, vocabulary_size, 14, "post", "post", fit)
    vectors = pretrained.word_vectors(params, "mine", "lstm_own", data, training)
    table = build(params.models["lstm_own"], 2, vectors=vectors).encoder.embedding.weight.detach().numpy()
    assert table.shape == (vocabulary_size, 3) and not table[0].any()
    known = set(range(WORDS))
    if vocabulary_size == 7:
        documents = training if fit == "train" else np.ones(len(training), bool)
        texts = [json.loads(line)["text"].split() for line in Path("mine.jsonl").read_text().splitlines()]
        counts = np.bincount([name_of(word) for text, inside in zip(texts, documents, strict=True) if inside for word in text], minlength=WORDS)
        known = set(np.argsort(-counts, kind="stable")[:6].tolist())
        assert np.sort(counts)[-6] > np.sort(counts)[-7], "a tie would leave the expected words open"
    for line, row in zip(Path("mine.jsonl").read_text().splitlines(), window, strict=True):
        expected = [name_of(word) for word in json.loads(line)["text"].split() if name_of(word) in known]
        assert table[row[row > 0], 0].tolist() == expected


def test_a_model_starts_from_its_vectors_and_trains_them(workplace):
    params = checked(workplace)
    for model in ("lstm_own", "cnn_own"):
        torch.manual_seed(0)
        predictor = build(params.models[model], 2, vectors=np.arange(15, dtype=np.float32).reshape(5, 3))
        table = predictor.encoder.embedding.weight
        assert table[:5].flatten().tolist() == list(range(15)) and table[5:].abs().max() <= 0.05 and table.requires_grad
        predictor(torch.randint(0, 5, (4, 14)))[1].square().sum().backward()
        assert table.grad[:5].abs().sum() > 0


def test_the_content_of_the_vectors_is_part_of_the_key(workplace, monkeypatch):
    params, seen = checked(workplace), []
    monkeypatch.setattr(cell.pool, "run_jobs", lambda work, jobs, *rest: seen.append(jobs[0]["key"]))
    for change in (0, 0, 1):
        write_array(Path("data/vectors/own_text/mine/vectors.npy"), np.load("data/vectors/own_text/mine/vectors.npy") + np.float32(change))
        with pytest.raises(TypeError):  # nothing was trained, so there are no records to collect
            cell.train_cell(params, "small", "mine", 0, "lstm_own", "ls", "cpu")
    assert seen[0] == seen[1] != seen[2]
    assert pretrained.digests(params, "mine", "lstm_rand", load(Path("data/corpus/mine"))) == {}


def test_a_cell_with_vectors(workplace):
    workplace["models"]["lstm_own"]["vocabulary_fit"] = "train"
    cell.train_cell(checked(workplace), "small", "mine", 0, "lstm_own", "ls", "cpu")
    found = json.loads(Path("metrics/cells/small/mine-noise0-lstm_own-ls.json").read_text())
    assert found["config"]["model"]["vectors"] == "own_text" and "embedding" not in found["config"]["model"]
    assert 0 <= found["methods"]["base"]["runs"][0]["test"]["accuracy"] <= 1


def test_what_is_missing_or_of_another_vocabulary_is_one_line(workplace):
    def error(change=lambda content: None, model="lstm_own"):
        content = yaml.safe_load(yaml.safe_dump(workplace))
        change(content)
        params, data = checked(content), load(Path("data/corpus/mine"))
        with pytest.raises(UserError) as caught:
            pretrained.digests(params, "mine", model, data)
            pretrained.word_vectors(params, "mine", model, data, np.ones(len(data.labels), bool))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "model lstm_pre needs vectors.sets.pretrained.mine, which is not there; known are 20ng" in error(model="lstm_pre")
    words = len(read_vocabulary(Path("data/corpus/mine"))[0])
    assert f"has {words} words, the corpus {words}; make it again with" in error(lambda content: content["vectors"].update(words=7))
    write_array(Path("data/vectors/own_text/mine/vectors.npy"), np.load("data/vectors/own_text/mine/vectors.npy")[:8])
    assert "for the 7 most frequent words, lstm_own reads word 19; raise vectors.words" in error(lambda content: content["vectors"].update(words=7))
    Path("data/vectors/own_text/mine/vectors.npy").unlink()
    assert error() == "data/vectors/own_text/mine/vectors.npy: not found; make it with `dvc repro data/dvc.yaml:vectors_own_text@mine`"


def test_names_of_sets_are_checked(workplace):
    for change, message in (
        (lambda content: content["models"]["lstm_own"].update(vectors="glove"), r"models.lstm_own.vectors is glove, known are \['own_text', 'pretrained'\]"),
        (lambda content: content["models"]["lstm_own"].update(embedding=64), "expected either embedding, a size, or vectors"),
        (lambda content: content["vectors"]["sets"].update(zhwiki={}), r"vectors.sets and skipgram both have \['zhwiki'\]"),
        (lambda content: content["vectors"]["sets"]["pretrained"].update(nothing={"source": "a", "size": 1}), "vectors.sets.pretrained names"),
    ):
        content = yaml.safe_load(yaml.safe_dump(workplace))
        change(content)
        with pytest.raises(UserError, match=message):
            checked(content)
