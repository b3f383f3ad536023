"""What a model starts from besides its parameters: word vectors for the ids that it reads. Checked, and named by content."""

import hashlib
from pathlib import Path

import numpy as np

from lcm.corpora.prepare import Prepared
from lcm.errors import UserError
from lcm.params import Params
from lcm.text import encode

DATA = Path("data")


def digests(params: Params, corpus: str, model: str) -> dict[str, str]:
    """Content of what a model starts from, for the key of its runs; nothing for a model that starts from nothing.

    Raises UserError if it is not there, with the command that makes it.
    """
    if getattr(params.models[model], "vectors", None) is None:
        return {}
    return {"vectors": _sha(_load_vectors(params, corpus, model)[1])}


def word_vectors(params: Params, corpus: str, model: str, data: Prepared, training: np.ndarray) -> np.ndarray | None:
    """The (rows, size) float32 vectors of the ids that a model reads, or None for a model without a set of vectors.

    training: (n,) bool, the training part: where the model's vocabulary is fitted on it, its ids are other words' and the
    rows follow. Raises UserError for vectors that are missing or of another vocabulary.
    """
    settings = params.models[model]
    if settings.vectors is None:
        return None
    path, vectors = _load_vectors(params, corpus, model)
    words = int(data.ids.max(initial=0))
    if len(vectors) - 1 != min(words, params.vectors.words):
        raise UserError(f"{path}: has {len(vectors) - 1} words, the corpus {words}; make it again with `{_made_by(settings.vectors, corpus)}`")
    old_ids = np.arange(words + 1)  # of the model's ids, in order
    if settings.vocabulary_fit == "train":
        old_ids = np.argsort(encode.renumbering(np.asarray(data.ids), data.offsets, training))
    read = old_ids[: settings.vocabulary_size]
    if read.max() >= len(vectors):
        raise UserError(f"{path}: has vectors for the {len(vectors) - 1} most frequent words, {model} reads word {read.max()}; raise vectors.words in params.yaml")
    return vectors[read]


def _load_vectors(params: Params, corpus: str, model: str) -> tuple[Path, np.ndarray]:
    name = params.models[model].vectors
    if corpus not in params.vectors.sets[name]:
        raise UserError(f"params.yaml: model {model} needs vectors.sets.{name}.{corpus}, which is not there; known are {', '.join(params.vectors.sets[name])}")
    path = DATA / "vectors" / name / f"{corpus}.npy"
    try:
        return path, np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; make it with `{_made_by(name, corpus)}`") from None


def _made_by(name: str, corpus: str) -> str:
    return f"dvc repro data/dvc.yaml:vectors_{name}@{corpus}"


def _sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
