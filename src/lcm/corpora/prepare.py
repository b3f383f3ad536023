"""From originals to arrays: ids of all tokens (or pixels), labels, vocabulary, and a small card for people."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lcm.corpora.catalogue import RAW, Entry, entry
from lcm.corpora.download import PARSE_ERRORS, WrongContent
from lcm.corpora.texts import Images, Texts
from lcm.errors import UserError
from lcm.files import new_folder, read_json, write_json, write_text
from lcm.params import Corpus
from lcm.protocol.subsets import choose
from lcm.text import encode, english

TOKENS = {"en": ("letters", "words"), "zh": ("jieba", "characters")}  # by language, the default first
MOST_LABELS = 1000


@dataclass(frozen=True)
class Prepared:
    """A prepared corpus, memory-mapped. Text: ids, offsets; images: pixels. labels: (n,) int16; names: of the labels.

    official_test: (n,) bool, the publisher's test part, where there is one. given: (n,) int16, labels to learn from that somebody
    gave, wrong ones among them, where there are such.
    """

    meta: dict
    labels: np.ndarray
    ids: np.ndarray | None = None
    offsets: np.ndarray | None = None
    pixels: np.ndarray | None = None
    official_test: np.ndarray | None = None
    given: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        return self.meta["labels"]


def prepare(corpus: str, knobs: Corpus, raw: Path, folder: Path, card: Path) -> dict:
    """Read, tokenise and write a corpus to `folder`, and its card to `card`. Returns the card.

    Raises UserError for originals that are missing or cannot be read, for documents without a token, for knobs that do not fit.
    """
    item = entry(corpus, knobs)
    content = _read(corpus, item, knobs, raw)
    given = None if isinstance(content, Images) else content.given
    names = sorted({*content.labels, *(given or [])})
    if not 2 <= len(names) <= MOST_LABELS:
        raise UserError(f"{corpus}: found {len(names)} labels in {len(content.labels)} samples, expected 2 to {MOST_LABELS}; is this the right column?")
    codes = {name: code for code, name in enumerate(names)}
    labels = np.array([codes[label] for label in content.labels], np.int16)
    with new_folder(folder) as part:
        if isinstance(content, Images):
            np.save(part / "pixels.npy", content.pixels)
            kept = slice(None)
            facts = {"kind": "images", "image_size": content.pixels.shape[-1]}
        else:
            kept, facts = _prepare_texts(corpus, item, content, knobs, part)
        labels = labels[kept]
        if content.official_test is not None:
            np.save(part / "official_test.npy", content.official_test[kept])
        if given is not None:
            learnt = np.array([codes[label] for label in given], np.int16)[kept]
            np.save(part / "given.npy", learnt)
            facts["given_labels_wrong"] = round(float((learnt != labels)[~_official(content, len(given))[kept]].mean()), 6)
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


def kept_texts(corpus: str, knobs: Corpus, raw: Path, folder: Path) -> list[str]:
    """The texts of a prepared corpus, in the order of its labels. Raises UserError if it, or its originals, are missing or changed."""
    prepared, item = load(folder), entry(corpus, knobs)
    if prepared.ids is None:
        raise UserError(f"{folder}: holds {prepared.meta['kind']}, not texts; take {corpus} out of this stage in params.yaml")
    texts = _read(corpus, item, knobs, raw).texts
    if (folder / "kept.npy").exists():
        kept = np.load(folder / "kept.npy", allow_pickle=False)
        texts = [texts[index] for index in kept if index < len(texts)]
    if len(texts) != len(prepared.labels):
        raise UserError(f"{folder}: has {len(prepared.labels)} documents, {raw} {len(texts)}; make it again with `dvc repro data/dvc.yaml:prepare@{corpus}`")
    return texts


def _read(corpus: str, item: Entry, knobs: Corpus, raw: Path) -> Texts | Images:
    """The samples that take part. Raises UserError for originals that are missing or cannot be read."""
    if not (raw.is_dir() if item.files or item.embed else raw.is_file()):
        raise UserError(f"{raw}: not found; {_get_it(raw)}")
    try:
        content = item.read(raw, knobs)
    except (WrongContent, *PARSE_ERRORS) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{raw}: cannot be read ({reason}); delete it, then {_get_it(raw)}") from None
    return _only(content, choose(content.labels, knobs))


def _get_it(raw: Path) -> str:
    """What to do for originals that are missing."""
    if raw.parent == RAW:
        return f"get it with `python pipeline/fetch.py {raw.name}`"
    return "correct `path` in params.yaml, relative to the root of the repository, or absolute"


def _only(content: Texts | Images, chosen: np.ndarray) -> Texts | Images:
    labels = [content.labels[index] for index in chosen]
    official_test = None if content.official_test is None else content.official_test[chosen]
    if isinstance(content, Images):
        return Images(content.pixels[chosen], labels, official_test)
    given = None if content.given is None else [content.given[index] for index in chosen]
    return Texts([content.texts[index] for index in chosen], labels, content.facts, given, official_test)


def _official(content: Texts | Images, n: int) -> np.ndarray:
    return np.zeros(n, bool) if content.official_test is None else content.official_test


def _tokenise(corpus: str, item: Entry, texts: list[str], knobs: Corpus) -> Iterable[list[str]]:
    allowed = TOKENS[item.language]
    tokens = knobs.tokens or allowed[0]
    if tokens not in allowed:
        raise UserError(f"params.yaml: corpora.{corpus}.tokens: found {tokens}, expected {' or '.join(allowed)} for language {item.language}")
    if item.language == "zh":
        from lcm.text import chinese

        return chinese.tokenise_all(texts, tokens, f"tokenising {corpus}")
    return (english.tokenise(text, tokens) for text in tqdm(texts, f"tokenising {corpus}", disable=None))


def _prepare_texts(corpus: str, item: Entry, content: Texts, knobs: Corpus, part: Path) -> tuple[np.ndarray, dict]:
    """Write the tokens of the texts to `part`. Returns which documents are kept, (n,) bool, and facts for the card."""
    words, counts, ids, offsets = encode.encode(_tokenise(corpus, item, content.texts, knobs))
    lengths = np.diff(offsets)
    empty = np.flatnonzero(lengths == 0)
    if len(empty) and knobs.empty == "error":
        raise UserError(
            f"{corpus}: {len(empty)} of {len(lengths)} documents have no token (the first is number {empty[0]}, "
            f"label {content.labels[empty[0]]!r}); set corpora.{corpus}.empty to drop to leave them out"
        )
    kept = lengths > 0
    if len(empty):
        np.save(part / "kept.npy", np.flatnonzero(kept))
    lengths, offsets = lengths[kept], np.append(0, offsets[1:][kept])
    np.save(part / "ids.npy", ids)
    np.save(part / "offsets.npy", offsets)
    write_text(part / "vocabulary.tsv", "".join(f"{word}\t{count}\n" for word, count in zip(words, counts, strict=True)))
    repeated = Counter(ids[start:end].tobytes() for start, end in zip(offsets[:-1], offsets[1:], strict=True))
    return kept, {
        "kind": "text",
        "tokens": int(offsets[-1]),
        "words": len(words),
        "tokens_per_document": {"median": float(np.median(lengths)), "largest": int(lengths.max())},
        "empty_dropped": len(empty),
        "exact_duplicates": len(lengths) - len(repeated),
        **content.facts,
    }


def _edition(title: str, samples: int, knobs: Corpus, raw: Path) -> str:
    """One line that tells this corpus from others made from the same originals."""
    versions = raw / "versions.json"
    if versions.exists():
        title += " (" + ", ".join(f"{name} {version}" for name, version in json.loads(versions.read_text()).items()) + ")"
    parts = [title, f"{samples} samples"]
    if knobs.subset or (knobs.per_label and not versions.exists()):
        parts[-1] += f" drawn with seed {knobs.subset_seed}"
    if knobs.text_form:
        parts.append(f"form {knobs.text_form}")
    if knobs.labels:
        parts.append(f"{len(knobs.labels)} labels chosen")
    if knobs.sources:
        parts.append("from " + " and ".join(knobs.sources))
    parts += [text for knob, text in (("use_title", "with titles"), ("strip_header", "headers stripped")) if getattr(knobs, knob)]
    return ", ".join(parts)


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

    names = ("labels", "pixels") if meta["kind"] == "images" else ("labels", "ids", "offsets")
    optional = [name for name in ("official_test", "given") if (folder / f"{name}.npy").exists()]
    return Prepared(meta, **{name: array(name) for name in (*names, *optional)})
