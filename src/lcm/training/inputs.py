"""What a run reads: a prepared corpus, splits, labels, and what its model starts from.

Checked, with content digests.
"""

from __future__ import annotations  # so that a plan of gaps needs no PyTorch

import hashlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lcm.corpora import prepare
from lcm.errors import Unavailable, UserError
from lcm.files import gap, read_array, read_json
from lcm.params import Params
from lcm.protocol.noise import transition
from lcm.protocol.splits import TRAIN
from lcm.source import digest as code_digest
from lcm.study import Cell
from lcm.text import encode
from lcm.text.wordpieces import encoder_folder, vocabulary_digest
from lcm.training import store
from lcm.training.code import BESIDE_ENCODER

if TYPE_CHECKING:
    from lcm.models import ModelConfig, Start

DATA = Path("data")


@dataclass(frozen=True)
class Data:
    """A prepared corpus with its splits, (n_splits, n) uint8, and the labels to learn from, (n_splits, n)."""

    corpus: prepare.Prepared
    splits: np.ndarray
    fit_labels: np.ndarray


@dataclass(frozen=True)
class Source:
    """The files that a model starts from, and digests of their content for run keys."""

    vectors: Path | None = None
    wordpieces: Path | None = None
    folder: Path | None = None
    digests: dict[str, str] = field(default_factory=dict)


def labels_of(params: Params, cell: Cell) -> str:
    """Return which labels a cell learns from: labels-30, or labels-30-uniform where its study wants other noise."""
    return f"labels-{cell.noise}{params.studies[cell.study].own_noise if cell.noise else ''}"


def load(corpus: str, labels: str = "labels-0") -> Data:
    """Return a corpus with its splits and the labels to learn from. labels: as `labels_of` names them.

    Raises Unavailable if the corpus could not be fetched, UserError if a file is missing or of another corpus.
    """
    places = (DATA / "corpus" / corpus, DATA / "splits" / corpus)
    for place in places:
        _no_gap(place, f"{corpus} is", "it")
    made_by = f"dvc repro data/dvc.yaml:split@{corpus}"  # the last stage of the data: makes both
    files = (places[0] / "corpus.json", places[1] / "splits.npy", places[1] / f"{labels}.npy")
    for path in files:
        if not path.exists():
            raise UserError(f"{path}: not found; make it with `{made_by}`")
    return _load(corpus, labels, made_by, tuple(path.stat().st_mtime_ns for path in files))


def _no_gap(folder: Path, what: str, pronoun: str) -> None:
    """Raises Unavailable if the data of a folder could not be fetched. what: their name and the verb."""
    if gap(folder):
        raise Unavailable(f"{what} not available; {folder}/unavailable.txt says why and how to supply {pronoun}")


@lru_cache(maxsize=2)
def _load(corpus: str, labels: str, made_by: str, stamp: tuple) -> Data:
    data = prepare.load(DATA / "corpus" / corpus)
    arrays = []
    for name, dtype in (("splits", np.uint8), (labels, np.int16)):
        path = DATA / "splits" / corpus / f"{name}.npy"
        array = read_array(path, made_by, dtype, 2, mapped=False)
        if array.shape[1] != len(data.labels):
            raise UserError(
                f"{path}: is of {array.shape[1]} samples, the corpus has {len(data.labels)}; make it again with "
                f"`{made_by}`"
            )
        arrays.append(array)
    return Data(data, *arrays)


def find_source(params: Params, cell: Cell, data: prepare.Prepared) -> Source:
    """Return what the cell's model starts from on this corpus; an empty Source for a model that starts from nothing.

    Raises Unavailable if it could not be fetched, UserError if it is missing or of another corpus.
    """
    config = params.model(cell.model)
    if (config.reads == "images") != (data.pixels is not None):
        raise UserError(
            f"studies/{cell.study}.yaml: model {cell.model} cannot read corpus {cell.corpus}, which holds "
            f"{data.meta['kind']}"
        )
    if config.reads in ("wordpieces", "features"):
        return _encoded(params, cell, config, data)
    vectors = getattr(config, "vectors", None)
    return Source() if vectors is None else _word_vectors(params, cell, vectors, data)


def _word_vectors(params: Params, cell: Cell, name: str, data: prepare.Prepared) -> Source:
    if cell.corpus not in params.vectors.sets[name]:
        known = ", ".join(params.vectors.sets[name])
        raise UserError(f"params.yaml: model {cell.model} needs vectors.sets.{name}.{cell.corpus}; the set has {known}")
    path = DATA / "vectors" / name / cell.corpus / "vectors.npy"
    made_by = f"dvc repro data/dvc.yaml:vectors_{name}@{cell.corpus}"
    _no_gap(path.parent, f"word vectors ({name}) are", "them")
    vectors = read_array(path, made_by, np.float32, 2)
    words = int(data.ids.max(initial=0))
    if len(vectors) - 1 != min(words, params.vectors.words):
        raise UserError(f"{path}: has {len(vectors) - 1} words, the corpus {words}; make it again with `{made_by}`")
    return Source(vectors=path, digests={"vectors": sha(vectors)})


def _wordpieces(params: Params, cell: Cell, source: str, path: Path, n_documents: int) -> tuple[np.ndarray, Path]:
    """Return the wordpieces of a corpus, and the folder of the encoder `source`, whose vocabulary they are of."""
    made_by = f"dvc repro data/dvc.yaml:wordpieces@{cell.corpus}"
    _no_gap(path.parent, "wordpieces are", "them")
    ids = read_array(path, made_by, np.int32, 2)
    facts = read_json(path.with_suffix(".json"), made_by)  # beside the ids: what DVC brings back belongs together
    if len(ids) != n_documents:
        raise UserError(
            f"{path}: is for {len(ids)} documents, the corpus has {n_documents}; make it again with `{made_by}`"
        )
    folder = encoder_folder(source, params.encoders[source])
    if vocabulary_digest(folder) != facts["vocabulary_digest"]:
        raise UserError(
            f"{path}: holds wordpieces of {facts['encoder']}, whose vocabulary is not that of {source}, which "
            f"{cell.model} reads; set wordpieces.corpora.{cell.corpus} to {source} in params.yaml"
        )
    return ids, folder


def _encoded(params: Params, cell: Cell, config: ModelConfig, data: prepare.Prepared) -> Source:
    from lcm.models.bert import WEIGHTS, read_config, weights_file

    path, where = DATA / "wordpieces" / cell.corpus / "wordpieces.npy", f"encoders.{config.source}"
    ids, folder = _wordpieces(params, cell, config.source, path, len(data.labels))
    shape = read_config(folder)
    if ids.shape[1] > shape.max_position_embeddings or ids.max(initial=0) >= shape.vocab_size:
        raise UserError(
            f"{path}: has {ids.shape[1]} positions and ids up to {ids.max(initial=0)}, {where} takes "
            f"{shape.max_position_embeddings} positions and {shape.vocab_size} ids; correct wordpieces in params.yaml"
        )
    weights = weights_file(folder)
    if weights is None and not getattr(config, "random", None):
        raise Unavailable(
            f"{where}: {folder} holds neither {' nor '.join(WEIGHTS)}; put the weights there, or a folder that "
            f"has them into {where}.folder"
        )
    if config.reads == "features":
        if shape.hidden_size != config.size:
            raise UserError(
                f"models.{cell.model}.size: found {config.size}, but {where} makes {shape.hidden_size} numbers of a "
                f"text; correct it in params.yaml"
            )
        stamp = tuple(each.stat().st_mtime_ns for each in (path, folder / "config.json", weights))
        return Source(wordpieces=path, folder=folder, digests={"features": _features_digest(path, folder, stamp)})
    digests = {"wordpieces": sha(ids), "config": sha(np.memmap(folder / "config.json", np.uint8, "r"))}
    if not config.random:
        digests["weights"] = sha(np.memmap(weights, np.uint8, "r"))
    return Source(wordpieces=path, folder=folder, digests=digests)


@lru_cache
def _features_digest(path: Path, folder: Path, stamp: tuple) -> str:
    from lcm.text import features

    return features.digest(np.load(path, mmap_mode="r", allow_pickle=False), folder)


def features_of(source: Source) -> np.ndarray:
    """Return the sentence features of a source, (n, s) float32: computed once, then kept in the run store."""

    def make() -> np.ndarray:
        from lcm.text.features import features

        return features(np.load(source.wordpieces, allow_pickle=False), source.folder)

    return store.remembered("features", f"{source.digests['features']}-{code_digest(BESIDE_ENCODER['frozen'])}", make)


def model_inputs(
    config: ModelConfig, source: Source, data: prepare.Prepared, training: np.ndarray
) -> tuple[np.ndarray, Start]:
    """Return what a model reads, (n, T) ids, (n, s) float32 or (n, side, side) uint8, and what it starts from.

    training: (n,) bool, the training part. `vocabulary_fit: train` takes the vocabulary from its documents only.
    """
    from lcm.models import Start

    if config.reads == "images":
        return np.asarray(data.pixels), Start(image_size=data.pixels.shape[-1])
    if config.reads == "wordpieces":
        return np.load(source.wordpieces, mmap_mode="r", allow_pickle=False), Start(folder=source.folder)
    if config.reads == "features":
        return features_of(source), Start()
    fitted = config.vocabulary_fit == "train"
    ids = np.asarray(encode.refit(data.ids, data.offsets, training) if fitted else data.ids)
    inputs = encode.window(ids, data.offsets, config.vocabulary_size, config.maxlen, config.truncation, config.padding)
    if source.vectors is None:
        return inputs, Start()
    vectors = np.load(source.vectors, allow_pickle=False)
    old_ids = np.arange(int(data.ids.max(initial=0)) + 1)  # of the model's ids, in order
    if fitted:
        old_ids = np.argsort(encode.renumbering(np.asarray(data.ids), data.offsets, training))
    read = old_ids[: config.vocabulary_size]
    if read.max() >= len(vectors):
        raise UserError(
            f"{source.vectors}: has vectors for the {len(vectors) - 1} most frequent words, the model reads word "
            f"{read.max()}; raise vectors.words in params.yaml"
        )
    return inputs, Start(vectors=vectors[read])


def as_read(config: ModelConfig, source: Source, data: Data, read: np.ndarray) -> Data:
    """Return a corpus with no more of each text than a model reads. read: what `model_inputs` returns for the model."""
    ids = np.load(source.wordpieces, allow_pickle=False) if config.reads == "features" else read
    seen = ids > 0  # 0 is padding
    corpus = replace(
        data.corpus,
        ids=ids[seen],
        offsets=np.concatenate([[0], np.cumsum(seen.sum(1))]),
        meta=data.corpus.meta | {"digest": data.corpus.meta["digest"] + sha(ids)},
    )
    return replace(data, corpus=corpus)


def true_transition(data: Data, split: int) -> np.ndarray:
    """Return P(given label | true label) among a split's training samples, (C, C). Only an oracle knows it."""
    training = data.splits[split] == TRAIN
    return transition(np.asarray(data.corpus.labels), data.fit_labels[split], training, len(data.corpus.names))


def sha(array: np.ndarray) -> str:
    """Return a digest of an array's bytes, for run keys."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
