"""What a model starts from: word vectors for the ids that it reads, or a BERT with its wordpieces. Checked, and named by content."""

import hashlib
from pathlib import Path

import numpy as np

from lcm.corpora.prepare import Prepared
from lcm.errors import UserError
from lcm.files import read_json
from lcm.params import Params
from lcm.text import encode
from lcm.text.wordpieces import encoder_folder, vocabulary_digest

DATA = Path("data")


def digests(params: Params, corpus: str, model: str, data: Prepared) -> dict[str, str]:
    """Content of what a model starts from, for the key of its runs; nothing for a model that starts from nothing.

    Raises UserError if it is not there, with the command that makes it.
    """
    settings = params.models[model]
    if settings.encoder == "bert":
        from lcm.models.bert import weights_file

        ids, folder = wordpieces(params, corpus, model, data)
        weights = {} if settings.random else {"weights": _sha(np.memmap(weights_file(folder), np.uint8, "r"))}
        return {"wordpieces": _sha(ids), "config": _sha(np.memmap(folder / "config.json", np.uint8, "r")), **weights}
    if getattr(settings, "vectors", None) is None:
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


def wordpieces(params: Params, corpus: str, model: str, data: Prepared) -> tuple[np.ndarray, Path]:
    """BERT's inputs of a corpus, (n, maxlen) int32, and the folder with its configuration and weights.

    Raises UserError for wordpieces that are missing, of other documents or of another vocabulary, and for missing weights.
    """
    from lcm.models.bert import WEIGHTS, read_config, weights_file

    settings = params.models[model]
    path, made_by = DATA / "wordpieces" / corpus / "wordpieces.npy", f"dvc repro data/dvc.yaml:wordpieces@{corpus}"
    try:
        ids = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; make it with `{made_by}`") from None
    card = read_json(path.with_suffix(".json"), made_by)
    if len(ids) != len(data.labels):
        raise UserError(f"{path}: is for {len(ids)} documents, the corpus has {len(data.labels)}; make it again with `{made_by}`")
    folder = encoder_folder(settings.source, params.encoders[settings.source])
    where = f"encoders.{settings.source}"
    if vocabulary_digest(folder) != card["vocabulary_digest"]:
        raise UserError(f"{path}: holds wordpieces of {card['encoder']}, whose vocabulary is not that of {settings.source}, which {model} reads; set wordpieces.corpora.{corpus} to {settings.source} in params.yaml")
    config = read_config(folder)
    if ids.shape[1] > config.max_position_embeddings or ids.max(initial=0) >= config.vocab_size:
        raise UserError(
            f"{path}: has {ids.shape[1]} positions and ids up to {ids.max(initial=0)}, {where} takes {config.max_position_embeddings} "
            f"positions and {config.vocab_size} ids; correct wordpieces in params.yaml"
        )
    if not settings.random and weights_file(folder) is None:
        raise UserError(f"{where}: {folder} holds neither {' nor '.join(WEIGHTS)}; put the weights there, or a folder that has them into {where}.folder")
    return ids, folder


def _load_vectors(params: Params, corpus: str, model: str) -> tuple[Path, np.ndarray]:
    name = params.models[model].vectors
    if corpus not in params.vectors.sets[name]:
        raise UserError(f"params.yaml: model {model} needs vectors.sets.{name}.{corpus}, which is not there; known are {', '.join(params.vectors.sets[name])}")
    path = DATA / "vectors" / name / corpus / "vectors.npy"
    try:
        return path, np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; make it with `{_made_by(name, corpus)}`") from None


def _made_by(name: str, corpus: str) -> str:
    return f"dvc repro data/dvc.yaml:vectors_{name}@{corpus}"


def _sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:16]
