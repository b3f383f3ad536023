"""From originals to arrays: ids of all tokens (or pixels), labels, vocabulary, and a small card for people."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lcm.corpora.catalogue import entry
from lcm.corpora.readers import Images, Texts
from lcm.errors import UserError
from lcm.files import new_folder, read_json, write_json, write_text
from lcm.params import Corpus
from lcm.text import encode, english


@dataclass(frozen=True)
class Prepared:
    """A prepared corpus, memory-mapped. Text: ids, offsets, words; images: pixels. labels: (n,) int16; names: of the labels."""

    meta: dict
    labels: np.ndarray
    ids: np.ndarray | None = None
    offsets: np.ndarray | None = None
    pixels: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        return self.meta["labels"]


def prepare(corpus: str, knobs: Corpus, raw: Path, folder: Path, card: Path) -> dict:
    """Read, tokenise and write a corpus to `folder`, and its card to `card`. Returns the card.

    Raises UserError for originals that are missing and for documents without a token.
    """
    item = entry(corpus)
    if not raw.is_dir():
        raise UserError(f"{raw}: not found; fetch the corpus first with `dvc repro data/dvc.yaml:fetch@{corpus}`")
    content = item.read(raw, knobs)
    names = sorted(set(content.labels))
    labels = np.array([names.index(label) for label in content.labels], np.int16)
    with new_folder(folder) as part:
        if isinstance(content, Images):
            np.save(part / "pixels.npy", content.pixels)
            facts = {"kind": "images", "image_size": content.pixels.shape[-1]}
        else:
            labels, facts = _prepare_texts(corpus, content, labels, knobs, part)
        np.save(part / "labels.npy", labels)
        meta = {
            "corpus": corpus,
            "edition": _edition(item.title, len(labels), knobs, raw),
            "labels": names,
            "digest": _digest(part, names),
            **facts,
        }
        write_json(part / "corpus.json", meta)
    counts = np.bincount(labels, minlength=len(names)).tolist()
    write_json(card, {**meta, "samples": len(labels), "samples_by_label": dict(zip(names, counts, strict=True))})
    return meta


def _prepare_texts(corpus: str, content: Texts, labels: np.ndarray, knobs: Corpus, part: Path) -> tuple[np.ndarray, dict]:
    documents = [english.tokenise(text, knobs.tokens) for text in tqdm(content.texts, f"tokenising {corpus}", disable=None)]
    empty = [number for number, document in enumerate(documents) if not document]
    if empty and knobs.empty == "error":
        raise UserError(
            f"{corpus}: {len(empty)} of {len(documents)} documents have no token (the first is number {empty[0]}, "
            f"label {content.labels[empty[0]]!r}); set corpora.{corpus}.empty to drop to leave them out"
        )
    kept = np.array([bool(document) for document in documents])
    documents = [document for document in documents if document]
    words, counts = encode.build_vocabulary(documents)
    ids, offsets = encode.encode(documents, words)
    np.save(part / "ids.npy", ids)
    np.save(part / "offsets.npy", offsets)
    write_text(part / "vocabulary.tsv", "".join(f"{word}\t{count}\n" for word, count in zip(words, counts, strict=True)))
    repeated = Counter(ids[start:end].tobytes() for start, end in zip(offsets[:-1], offsets[1:], strict=True))
    lengths = np.diff(offsets)
    return labels[kept], {
        "kind": "text",
        "tokens": int(offsets[-1]),
        "words": len(words),
        "tokens_per_document": {"median": float(np.median(lengths)), "largest": int(lengths.max())},
        "empty_dropped": len(empty),
        "exact_duplicates": len(documents) - len(repeated),
    }


def _edition(title: str, samples: int, knobs: Corpus, raw: Path) -> str:
    versions = raw / "versions.json"
    if versions.exists():
        title += " (" + ", ".join(f"{name} {version}" for name, version in json.loads(versions.read_text()).items()) + ")"
    form = f", form {knobs.text_form}" if knobs.text_form else ""
    return f"{title}, {samples} samples{form}"


def _digest(folder: Path, names: list[str]) -> str:
    content = hashlib.sha256(json.dumps(names).encode())
    for path in sorted(folder.iterdir()):
        content.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{content.hexdigest()}"


def load(folder: Path) -> Prepared:
    """A corpus that `prepare` wrote. Raises UserError if it is not there."""
    meta = read_json(folder / "corpus.json", f"dvc repro data/dvc.yaml:prepare@{folder.name}")

    def array(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    if meta["kind"] == "images":
        return Prepared(meta, array("labels"), pixels=array("pixels"))
    return Prepared(meta, array("labels"), array("ids"), array("offsets"))
