"""From originals to arrays: ids of all tokens (or pixels), labels, vocabulary, and a small card for people."""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lcm.archives import PARSE_ERRORS
from lcm.corpora.catalogue import RAW, Entry, entry
from lcm.corpora.texts import Images, Texts
from lcm.errors import UserError, WrongContent, one_line, short
from lcm.files import new_folder, read_array, read_json, write_json, write_text
from lcm.params import Corpus
from lcm.protocol.subsets import choose
from lcm.text import encode, english

TOKENS = {"en": ("letters", "words"), "zh": ("jieba",)}  # by language, the default first
MOST_LABELS = 1000
ARRAYS = {  # type and number of dimensions
    "labels": (np.int16, 1),
    "ids": (np.int32, 1),
    "offsets": (np.int64, 1),
    "pixels": (np.uint8, 3),
    "official_test": (np.bool_, 1),
    "official_val": (np.bool_, 1),
    "given": (np.int16, 1),
}
KINDS = {"text": ("labels", "ids", "offsets"), "images": ("labels", "pixels")}
OPTIONAL = ("official_test", "official_val", "given")


@dataclass(frozen=True)
class Prepared:
    """A prepared corpus, memory-mapped. Text: ids, offsets; images: pixels. labels: (n,) int16; names: of the labels.

    official_test, official_val: (n,) bool, the publisher's parts, where there are such. given: (n,) int16, labels to
    learn from that somebody gave, wrong ones among them, where there are such.
    """

    meta: dict
    labels: np.ndarray
    ids: np.ndarray | None = None
    offsets: np.ndarray | None = None
    pixels: np.ndarray | None = None
    official_test: np.ndarray | None = None
    official_val: np.ndarray | None = None
    given: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        return self.meta["labels"]


def prepare(corpus: str, knobs: Corpus, raw: Path, folder: Path, card: Path) -> dict:
    """Read, tokenise and write a corpus to `folder`, and its card to `card`. Returns the card.

    Raises UserError for originals that are missing or cannot be read, for documents without a token, for knobs that do
    not fit.
    """
    item = entry(corpus, knobs)
    content = _read(corpus, item, knobs, raw)
    names = _names(corpus, item, content)
    codes = {name: code for code, name in enumerate(names)}
    with new_folder(folder) as part:
        if isinstance(content, Images):
            np.save(part / "pixels.npy", content.pixels)
            facts = {"kind": "images", "image_size": content.pixels.shape[-1]}
        else:
            kept, facts = _prepare_texts(corpus, item, content, knobs, part)
            content = content.take(np.flatnonzero(kept))
        for name in ("official_test", "official_val"):
            if (mask := getattr(content, name)) is not None:
                np.save(part / f"{name}.npy", mask)
        labels = np.array([codes[label] for label in content.labels], np.int16)
        if content.given is not None:
            given = np.array([codes[label] for label in content.given], np.int16)
            np.save(part / "given.npy", given)
            outside = ~content.official_test if content.official_test is not None else slice(None)
            facts["given_labels_wrong"] = round(float((given != labels)[outside].mean()), 6)
        np.save(part / "labels.npy", labels)
        meta = {
            "corpus": corpus,
            "edition": _edition(item.title, len(labels), knobs, raw),
            "labels": names,
            "digest": digest(part, names),
            **facts,
        }
        write_json(part / "corpus.json", meta)
    counts = np.bincount(labels, minlength=len(names)).tolist()
    write_json(card, {**meta, "samples": len(labels), "samples_by_label": dict(zip(names, counts, strict=True))})
    return meta


def _names(corpus: str, item: Entry, content: Texts | Images) -> list[str]:
    """The names of the labels in their order. Raises UserError if they are too few or too many."""
    labels = {*content.labels, *(content.given or [])}
    names = ordered(labels) if item.own else sorted(labels)
    if not 2 <= len(names) <= MOST_LABELS:
        examples = ", ".join(short(name, 30) for name in names[:3])
        raise UserError(
            f"{corpus}: found {len(names)} labels in {len(content.labels)} samples ({examples}), expected 2 to "
            f"{MOST_LABELS}; is this the right column?"
        )
    return names


def ordered(labels: set[str]) -> list[str]:
    """A user's labels in the order that people expect: by size if all are numbers, else as words, a2 before a10."""
    try:
        sizes = {label: float(label) for label in labels}
    except ValueError:
        sizes = {}
    if sizes and all(map(math.isfinite, sizes.values())):
        return sorted(labels, key=lambda label: (sizes[label], label))
    return sorted(labels, key=lambda label: (natural(label), label))


def natural(name: str) -> list:
    """A key that sorts 2 before 10."""
    parts = re.split("([0-9]+)", name)  # every second one is a number, compared by length and digits
    return [(len(part.lstrip("0")), part.lstrip("0")) if place % 2 else part for place, part in enumerate(parts)]


def kept_texts(corpus: str, knobs: Corpus, raw: Path, folder: Path) -> list[str]:
    """Return the texts of a prepared corpus, in the order of its labels.

    Raises UserError if it, or its originals, are missing or changed.
    """
    prepared, item = load(folder), entry(corpus, knobs)
    if prepared.ids is None:
        raise UserError(
            f"{folder}: holds {prepared.meta['kind']}, not texts; take {corpus} out of this stage in params.yaml"
        )
    texts = _read(corpus, item, knobs, raw).texts
    if (folder / "kept.npy").exists():
        kept = read_array(folder / "kept.npy", _again(folder), np.int64, 1)
        texts = [texts[index] for index in kept if index < len(texts)]
    if len(texts) != len(prepared.labels):
        raise UserError(
            f"{folder}: has {len(prepared.labels)} documents, {raw} {len(texts)}; make it again with `{_again(folder)}`"
        )
    return texts


def _read(corpus: str, item: Entry, knobs: Corpus, raw: Path) -> Texts | Images:
    """The samples that take part. Raises UserError for originals that are missing or cannot be read."""
    is_file, is_folder = os.path.isfile(raw), os.path.isdir(raw)  # not Path.is_file: a long name is an OSError there
    if item.own and is_folder and not knobs.parts:
        raise UserError(f"{raw}: is a folder; name its files, `parts: {{train: ..., test: ...}}`, or {_get_it(raw)}")
    if not (is_folder or (item.own and is_file)):
        raise UserError(f"{one_line(str(raw), 100)}: not found; {_get_it(raw)}")
    try:
        content = item.read(raw, knobs)
    except (WrongContent, *PARSE_ERRORS) as error:
        reason = one_line(f"{type(error).__name__}: {error}", 300)
        raise UserError(f"{raw}: cannot be read ({reason}); delete it, then {_get_it(raw)}") from None
    return content.take(choose(content.labels, knobs))


def _get_it(raw: Path) -> str:
    """What to do for originals that are missing."""
    if raw.parent == RAW:
        return f"get it with `python pipeline/fetch.py {raw.name}`"
    return "correct `path` in params.yaml, relative to the root of the repository, or absolute"


def _again(folder: Path) -> str:
    return f"dvc repro data/dvc.yaml:prepare@{folder.name}"


def _tokenise(corpus: str, item: Entry, texts: list[str], knobs: Corpus) -> Iterable[list[str]]:
    allowed = TOKENS[item.language]
    tokens = knobs.tokens or allowed[0]
    if tokens not in allowed:
        raise UserError(
            f"params.yaml: corpora.{corpus}.tokens: found {tokens}, expected {' or '.join(allowed)} for language "
            f"{item.language}"
        )
    if item.language == "zh":
        from lcm.text import chinese

        return chinese.tokenise_all(texts, f"tokenising {corpus}")
    return (english.tokenise(text, tokens) for text in tqdm(texts, f"tokenising {corpus}", disable=None))


def _prepare_texts(corpus: str, item: Entry, content: Texts, knobs: Corpus, part: Path) -> tuple[np.ndarray, dict]:
    """Write the tokens of the texts to `part`. Returns which documents are kept, (n,) bool, and facts for the card."""
    words, counts, ids, offsets = encode.encode(_tokenise(corpus, item, content.texts, knobs))
    lengths = np.diff(offsets)
    empty = np.flatnonzero(lengths == 0)
    if len(empty) and knobs.empty == "error":
        first = empty[0]
        where = f"number {first + 1}" if content.rows is None else content.place(first)
        raise UserError(
            f"{corpus}: {len(empty)} of {len(lengths)} documents have no token (the first is {where}, "
            f"label {short(content.labels[first])}); set corpora.{corpus}.empty to drop to leave them out"
        )
    kept = lengths > 0
    if not kept.any():
        raise UserError(f"{corpus}: none of the {len(lengths)} documents has a token; is the language {item.language}?")
    if len(empty):
        np.save(part / "kept.npy", np.flatnonzero(kept))
    lengths, offsets = lengths[kept], np.append(0, offsets[1:][kept])
    np.save(part / "ids.npy", ids)
    np.save(part / "offsets.npy", offsets)
    rows = (f"{word}\t{count}\n" for word, count in zip(words, counts, strict=True))
    write_text(part / "vocabulary.tsv", "".join(rows))
    bounds = zip(offsets[:-1], offsets[1:], strict=True)
    different = {hashlib.blake2b(ids[start:end], digest_size=16).digest() for start, end in bounds}
    return kept, {
        "kind": "text",
        "tokens": int(offsets[-1]),
        "words": len(words),
        "tokens_per_document": {"median": float(np.median(lengths)), "largest": int(lengths.max())},
        "empty_dropped": len(empty),
        "exact_duplicates": len(lengths) - len(different),
        **content.facts,
    }


def _edition(title: str, samples: int, knobs: Corpus, raw: Path) -> str:
    """One line that tells this corpus from others made from the same originals."""
    versions = raw / "versions.json"
    if versions.exists():
        found = json.loads(versions.read_text(encoding="utf-8"))
        title += " (" + ", ".join(f"{name} {version}" for name, version in found.items()) + ")"
    parts = [title, f"{samples} samples"]
    if knobs.subset or (knobs.per_label and not versions.exists()):
        parts[-1] += f" drawn with seed {knobs.subset_seed}"
    if knobs.text_form:
        parts.append(f"form {knobs.text_form}")
    if knobs.labels:
        parts.append(f"{len(knobs.labels)} labels chosen")
    if knobs.sources:
        parts.append("from " + " and ".join(knobs.sources))
    if knobs.use_title:
        parts.append("with titles")
    return ", ".join(parts)


def digest(folder: Path, names: list[str]) -> str:
    """Return the digest of a prepared corpus: of the names of its labels and of every file but corpus.json."""
    content = hashlib.sha256(json.dumps(names).encode())
    for path in sorted(folder.iterdir()):
        if path.name != "corpus.json":
            with open(path, "rb") as file:
                content.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{content.hexdigest()}"


def load(folder: Path) -> Prepared:
    """Return a corpus that `prepare` wrote. Raises UserError if it is missing, damaged or not what corpus.json says."""
    again = _again(folder)
    meta = read_json(folder / "corpus.json", again)
    names = meta.get("labels")
    if meta.get("kind") not in KINDS or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{folder / 'corpus.json'}: does not say kind and labels; make it again with `{again}`")
    found = [*KINDS[meta["kind"]], *(name for name in OPTIONAL if (folder / f"{name}.npy").exists())]
    arrays = {name: read_array(folder / f"{name}.npy", again, *ARRAYS[name]) for name in found}
    if not all(path.is_file() for path in folder.iterdir()) or meta.get("digest") != digest(folder, names):
        raise UserError(
            f"{folder}: its files are not those that corpus.json was written for; make it again with `{again}`"
        )
    return Prepared(meta, **arrays)
