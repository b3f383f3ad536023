"""Sentence features by a frozen encoder: their numbers, where they are kept, what runs make of them. No downloads."""

import json
from pathlib import Path

import numpy as np
import pytest
import runs
import torch
from safetensors.torch import load_file, save_file

from lcm.corpora.prepare import Prepared, prepare
from lcm.errors import UserError
from lcm.models.bert import pretrained_bert
from lcm.params import Corpus, Params
from lcm.study import Cell
from lcm.text import features as computed
from lcm.text.features import digest, features
from lcm.text.wordpieces import wordpieces
from lcm.training import inputs
from lcm.training.inputs import find_source, model_inputs

TEXTS = ["label", "label confusion! " * 3, "con"]


@pytest.fixture
def folder(tmp_path):
    return runs.encoder(tmp_path / "encoder", layers=1, positions=128, prefix="")


@pytest.fixture
def workplace(folder, monkeypatch):
    """A prepared table `mine` of three documents, its wordpieces, and params.yaml whose minilm lies in `folder`."""
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("LCM_RUN_STORE", str(folder.parent / "store"))
    content = runs.committed()
    content["encoders"]["minilm"] = {"folder": str(folder)}
    content["models"]["minilm_frozen"]["size"] = 64
    knobs = {"path": "mine.jsonl", "text": "text", "label": "label", "language": "en", "empty": "drop"}
    content["corpora"]["mine"] = knobs
    content["wordpieces"]["corpora"]["mine"] = "minilm"
    rows = [{"text": text, "label": label} for text, label in zip([*TEXTS, "?"], "abab", strict=True)]
    Path("mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepare("mine", Corpus(**knobs), Path("mine.jsonl"), Path("data/corpus/mine"), Path("data/cards/mine.json"))
    runs.write_params(content)
    return content


DATA = Prepared({}, np.zeros(3, np.int16))


def source(content):
    """What a run on the corpus `mine` starts from."""
    return find_source(Params.model_validate(content), Cell("any", "mine", 0, "minilm_frozen", "ce", 1), DATA)


def made(monkeypatch, capsys):
    """Make the wordpieces of `mine` by their stage."""
    assert runs.stage(monkeypatch, capsys, "wordpieces.py", "mine")[0] == 0


def test_a_feature_is_the_mean_over_the_pieces_of_its_text_alone(folder):
    ids, _ = wordpieces(TEXTS, folder, 12)
    found, model = features(ids, folder), pretrained_bert(folder).eval()
    assert found.dtype == np.float32 and found.shape == (3, 64)
    for row, vector in zip(ids, found, strict=True):  # no pads, no other texts, no dropout
        alone = model(input_ids=torch.from_numpy(row[row != 0]).long()[None]).last_hidden_state.mean(1)[0]
        np.testing.assert_allclose(vector, alone.detach().numpy(), rtol=1e-4, atol=1e-5)
    assert np.abs(found[0] - found[2]).max() > 1e-3


def test_the_digest_is_that_of_wordpieces_configuration_and_weights(folder):
    ids, _ = wordpieces(TEXTS, folder, 12)
    found = {digest(ids, folder), digest(ids[:, :5], folder)}
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += 1
    save_file(weights, folder / "model.safetensors")
    found.add(digest(ids, folder))
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    found.add(digest(ids, folder))
    assert len(found) == 4 and digest(ids, folder) in found


def test_a_run_reads_them_and_they_are_computed_once(workplace, folder, monkeypatch, capsys):
    made(monkeypatch, capsys)
    ids, _ = wordpieces(TEXTS, folder, 128)
    found = source(workplace)
    assert found.digests == {"features": digest(ids, folder)}
    assert not Path("store").exists()  # a plan computes none
    config = Params.model_validate(workplace).model("minilm_frozen")
    read, _ = model_inputs(config, found, DATA, np.ones(3, bool))
    assert read.dtype == np.float32 and np.array_equal(read, features(ids, folder))
    (kept,) = Path("store/features").glob("*.npy")
    assert kept.name.startswith(digest(ids, folder)) and np.array_equal(np.load(kept), read)

    calls = []
    monkeypatch.setattr(computed, "features", lambda *given: calls.append(given) or features(*given))
    model_inputs(config, found, DATA, np.ones(3, bool))
    assert not calls
    kept.write_bytes(kept.read_bytes()[:-4])  # damaged: made again
    read, _ = model_inputs(config, found, DATA, np.ones(3, bool))
    assert len(calls) == 1 and np.array_equal(read, features(ids, folder))
    monkeypatch.setattr(inputs, "code_digest", lambda names: "of another pooling")
    model_inputs(config, found, DATA, np.ones(3, bool))
    assert len(calls) == 2


def test_an_encoder_of_another_size_is_one_line(workplace, monkeypatch, capsys):
    """What else can be missing or not fit: test_bert.py."""
    made(monkeypatch, capsys)
    workplace["models"]["minilm_frozen"]["size"] = 65
    with pytest.raises(UserError) as error:
        source(workplace)
    assert str(error.value) == (
        "models.minilm_frozen.size: found 65, but encoders.minilm makes 64 numbers of a text; correct it in params.yaml"
    )


def test_the_head_reads_standardised_features():
    torch.manual_seed(0)
    encoder = runs.built("frozen").encoder
    read = torch.from_numpy(runs.documents("frozen")[0][:5])
    centred = (read - read.mean(1, keepdim=True)) / read.std(1, keepdim=True, correction=0)
    torch.testing.assert_close(encoder(read), encoder.dense(centred).tanh(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(encoder(100 * read - 7), encoder(read), rtol=1e-3, atol=1e-4)
    assert encoder(read).shape == (5, 8)
