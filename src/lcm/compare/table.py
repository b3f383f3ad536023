"""A person's table: read, tokenised, split, and kept in a folder where worker processes find it."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from lcm.corpora import prepare
from lcm.corpora.tables import Table, read_tables
from lcm.errors import UserError
from lcm.files import new_folder, write_array, write_json, write_text
from lcm.params import Column, Corpus
from lcm.protocol.splits import TEST, TRAIN, VAL, make_splits
from lcm.text import encode, english
from lcm.training.inputs import Data, sha

TEST_SHARE, VAL_SHARE = 0.3, 0.1
FEWEST = 5  # rows of a class; a smaller class is left out
SMALL_CLASS = (
    50  # rows below which random splits would leave a class with too few test rows: splits are stratified then
)
MOST_LABELS = 1000
PARTS = {"train": TRAIN, "dev": VAL, "test": TEST}


@dataclass(frozen=True)
class Request:
    """Which files to read, and how. files: part ("table", or "train", "dev", "test") -> file. splits: how many to make.

    text, label: columns, by name or by number from 0 in a file without a header. language: en, zh or other.
    """

    files: dict[str, Path]
    text: tuple[Column, ...]
    label: Column
    language: str
    splits: int

    @property
    def drawn(self) -> str:
        """What a split draws anew: "test" (and validation), "dev" (validation alone) or "nothing" (all is given)."""
        return "test" if "test" not in self.files else "nothing" if "dev" in self.files else "dev"


@dataclass(frozen=True)
class Documents:
    """A table that is ready to train on. texts: of its n rows. places: where each stands. notes: for the person."""

    data: Data
    texts: list[str]
    places: list[str]
    request: Request
    notes: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each part; means over the splits, which differ by a row or two where they are stratified."""
        splits = self.data.splits
        return {
            name: round(float((splits == part).mean(0).sum()))
            for name, part in (("train", TRAIN), ("val", VAL), ("test", TEST))
        }


def read(request: Request) -> Documents:
    """Read, tokenise and split. Raises UserError, one line, with file and row where a row is to blame."""
    texts, labels, places, parts = [], [], [], []
    layout = Table(request.text, request.label)
    for part, path in request.files.items():
        if not path.is_file():
            raise UserError(f"{path}: no such file; give the path of a .csv, .tsv, .txt (tabs) or .jsonl file, .gz too")
        found = read_tables([path], layout, Corpus())
        first = 1 if isinstance(request.label, int) or ".jsonl" in path.suffixes else 2
        texts += found.texts
        labels += found.labels
        places += [f"{path.name}, row {number}" for number in range(first, first + len(found.texts))]
        parts += [part] * len(found.texts)
    names = sorted(set(labels), key=natural)
    _plausible(request, names, labels)
    tokens = list(_tokens(texts, request.language))
    counts = Counter(label for label, document in zip(labels, tokens, strict=True) if document)
    kept = [row for row, label in enumerate(labels) if tokens[row] and counts[label] >= FEWEST]
    notes = _left_out(names, labels, tokens, places, counts)
    names = [name for name in names if counts[name] >= FEWEST]
    if len(names) < 2 or len(kept) < len(labels) / 2:
        raise UserError(
            f"{len(kept)} of {len(labels)} rows in {len(names)} classes could be used: "
            f"{'; '.join(notes) or 'too few classes'}"
        )
    texts, labels, places, parts, tokens = (
        [column[row] for row in kept] for column in (texts, labels, places, parts, tokens)
    )
    twice = len(texts) - len(set(texts))
    if twice:
        notes.append(
            f"{twice} rows repeat the text of another row: "
            "where one copy is trained on and the other tested, scores are too high"
        )
    codes = np.array([names.index(label) for label in labels], np.int16)
    splits, note = _splits(request, codes, names, np.array(parts))
    notes += note
    words, _, ids, offsets = encode.encode(tokens)
    digest = sha(np.concatenate([ids.astype(np.int64), offsets, codes.astype(np.int64)])) + sha(
        np.frombuffer("\n".join(names).encode(), np.uint8)
    )
    lengths = np.diff(offsets)
    meta = {
        "kind": "text", "labels": names, "digest": f"sha256:{digest}", "words": len(words),
        "tokens_per_document": {"median": float(np.median(lengths)), "p95": float(np.quantile(lengths, 0.95))},
    }  # fmt: skip
    corpus = prepare.Prepared(meta, codes, ids, offsets)
    return Documents(Data(corpus, splits, np.broadcast_to(codes, splits.shape)), texts, places, request, notes)


def natural(name: str) -> list:
    """A key that sorts 2 before 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name)]


def _plausible(request: Request, names: list[str], labels: list[str]) -> None:
    if not labels:
        raise UserError(
            f"{', '.join(map(str, request.files.values()))}: no rows; give a table with at least {2 * FEWEST}"
        )
    if len(names) > MOST_LABELS or len(names) > len(labels) / 2:
        example = names[0] if len(names[0]) <= 60 else names[0][:57] + "..."
        raise UserError(
            f"column {request.label!r} has {len(names)} different values in {len(labels)} rows, such as {example!r}; "
            "is it the class? Name the right column with --label"
        )


def _tokens(texts: list[str], language: str):
    if language == "zh":
        try:
            from lcm.text import chinese
        except ModuleNotFoundError:
            raise UserError(
                "--language zh needs jieba, which is not installed; pip install 'lcm-study[compare]'"
            ) from None
        return chinese.tokenise_all(texts, "jieba", "tokenising")
    tokens = "letters" if language == "en" else "words"
    return (english.tokenise(text, tokens) for text in tqdm(texts, "tokenising", unit="row", disable=None))


def _left_out(
    names: list[str], labels: list[str], tokens: list[list[str]], places: list[str], counts: Counter
) -> list[str]:
    empty = [row for row, document in enumerate(tokens) if not document]
    small = [name for name in names if counts[name] < FEWEST]
    notes = []
    if empty:
        notes.append(
            f"{len(empty)} rows without a word are left out (the first is {places[empty[0]]}); "
            "another language? see --language"
        )
    if small:
        shown = ", ".join(f"{name[:40]} ({counts[name]})" for name in small[:5]) + (", ..." if len(small) > 5 else "")
        notes.append(f"{len(small)} classes with fewer than {FEWEST} rows are left out: {shown}")
    return notes


def _splits(request: Request, labels: np.ndarray, names: list[str], parts: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(splits, n) uint8 of TRAIN, VAL, TEST, and notes. With every part given there is one split."""
    smallest = np.bincount(labels).min()
    stratified = bool(smallest < SMALL_CLASS)
    note = [f"splits are stratified: the smallest class has {smallest} rows"] if stratified else []
    if request.drawn == "test":
        return make_splits(labels, request.splits, TEST_SHARE, VAL_SHARE, stratified, names), note
    for name in ("train", "table"):
        lacking = sorted({*labels} - {*labels[parts == name]}) if (parts == name).any() else []
        if lacking:
            raise UserError(
                f"class {names[lacking[0]]!r} is in no row to train on; "
                "add rows of it to that file, or take it out of the others"
            )
    if request.drawn == "nothing":
        return np.array([[PARTS[part] for part in parts]], np.uint8), []
    splits = np.full((request.splits, len(labels)), TRAIN, np.uint8)
    splits[:, parts == "test"] = TEST
    rows = np.flatnonzero(parts != "test")
    for k in range(request.splits):
        share = VAL_SHARE / (1 - TEST_SHARE)
        _, val = train_test_split(rows, test_size=share, random_state=k, stratify=labels[rows] if stratified else None)
        splits[k, val] = VAL
    return splits, note


def save(documents: Documents, folder: Path) -> Path:
    """Write what workers read to a folder named by content, unless it is there. Returns the folder."""
    data = documents.data
    place = folder / f"{data.corpus.meta['digest'].removeprefix('sha256:')}-{sha(data.splits)}"
    if not place.exists():
        with new_folder(place) as part:
            for name in ("labels", "ids", "offsets"):
                write_array(part / f"{name}.npy", getattr(data.corpus, name))
            write_array(part / "splits.npy", data.splits)
            write_json(part / "corpus.json", data.corpus.meta)
            write_text(part / "texts.json", json.dumps(documents.texts, ensure_ascii=False))
    return place


def load(place: Path) -> Data:
    """What `save` wrote."""
    corpus, splits = prepare.load(place), np.load(place / "splits.npy", allow_pickle=False)
    return Data(corpus, splits, np.broadcast_to(corpus.labels, splits.shape))
