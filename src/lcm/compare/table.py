"""A person's table: read, tokenised, split, and kept in a folder where worker processes find it."""

import json
import os
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from lcm.archives import PARSE_ERRORS
from lcm.corpora import prepare
from lcm.corpora.readers import read_own
from lcm.corpora.texts import Texts
from lcm.errors import UserError, WrongContent, one_line, short
from lcm.files import write_array, write_json, write_text
from lcm.params import Column, Corpus, explain
from lcm.protocol.splits import SMALL_CLASS, TEST, TRAIN, VAL, make_splits
from lcm.text import encode, english
from lcm.training.inputs import Data, sha

TEST_SHARE, VAL_SHARE = 0.3, 0.1
MAJORITY = 0.8  # a class with more of the rows makes accuracy say little
FEWEST = 5  # rows of a class; a smaller class is left out
PARTS = {"train": TRAIN, "dev": VAL, "test": TEST}


@dataclass(frozen=True)
class Request:
    """Which files to read, and how. files: part ("table", or "train", "dev", "test") -> file. splits: how many to make.

    text, label: columns, by name or by number from 0 in a file without a header. language: en, zh or other.
    encoding: of the files, None is UTF-8. drop: leave out rows that cannot be read.
    """

    files: dict[str, Path]
    text: tuple[Column, ...]
    label: Column
    language: str
    splits: int
    encoding: str | None = None
    drop: bool = False

    @property
    def drawn(self) -> str:
        """What a split draws anew: "test" (and validation), "dev" (validation alone) or "nothing" (all is given)."""
        return "test" if "test" not in self.files else "nothing" if "dev" in self.files else "dev"

    @property
    def fixed(self) -> bool:
        """Whether every part is given: then there is one split, and runs differ by their seed alone."""
        return self.drawn == "nothing"


@dataclass(frozen=True)
class Documents:
    """A table that is ready to train on. texts: of its n rows. places: where each stands. notes: for the person.

    folder: where `load` finds the data.
    """

    data: Data
    texts: list[str]
    places: list[str]
    request: Request
    folder: Path
    notes: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each part, in the first split; where splits are stratified the others differ by a row or two."""
        rows = np.bincount(self.data.splits[0], minlength=3).tolist()
        return {"train": rows[TRAIN], "val": rows[VAL], "test": rows[TEST]}


def read(request: Request, folder: Path) -> Documents:
    """Read, tokenise and split, and write what workers read to a folder in `folder`, named by content.

    Raises UserError, one line, with file and row where a row is to blame.
    """
    found, parts = _read(request)
    tokens = list(_tokens(found.texts, request.language))
    counts = Counter(label for label, document in zip(found.labels, tokens, strict=True) if document)
    kept = [row for row, label in enumerate(found.labels) if tokens[row] and counts[label] >= FEWEST]
    notes = _left_out(found, tokens, counts)
    names = prepare.ordered({found.labels[row] for row in kept})
    if len(names) < 2 or len(kept) < len(found.labels) / 2:
        why = "; ".join(notes) or "there is one class only"
        classes = f"{len(names)} class{'es' * (len(names) != 1)}"
        raise UserError(f"can use only {len(kept)} of {len(found.labels)} rows, in {classes}: {why}")
    tokens, found = [tokens[row] for row in kept], found.take(np.array(kept))
    twice = len(found.texts) - len(set(found.texts))
    if twice:
        notes.append(f"{twice} rows repeat the text of another row; scores are too high where one copy is tested")
    most, rows = Counter(found.labels).most_common(1)[0]
    if rows > MAJORITY * len(found.labels):
        share = f"{100 * rows / len(found.labels):.0f} %"
        notes.append(f"{short(most)} has {share} of the rows: always saying it scores {share}; compare macro-F1")
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.array([code_of[label] for label in found.labels], np.int16)
    splits, note = _splits(request, codes, names, np.array(parts)[kept])
    place = _save(tokens, codes, names, splits, found.texts, folder)
    places = [found.place(row) for row in range(len(found.labels))]
    return Documents(load(place), found.texts, places, request, place, notes + note)


def _read(request: Request) -> tuple[Texts, list[str]]:
    """All rows, and the part of each. Raises UserError for files and columns that are not as said."""
    try:
        knobs = Corpus(
            text=list(request.text),
            label=request.label,
            encoding=request.encoding,
            bad_rows="drop" if request.drop else "error",
        )
    except ValidationError as error:
        raise UserError(f"--encoding {request.encoding}: {explain(error)}") from None
    texts, parts = [], []
    for part, path in request.files.items():
        if not path.is_file():
            raise UserError(f"{path}: no such file; give a .csv, .tsv, .txt (tabs) or .jsonl file, .gz too")
        try:
            texts.append(read_own(path, knobs))
        except (WrongContent, *PARSE_ERRORS) as error:
            why = one_line(f"{type(error).__name__}: {error}", 300)
            raise UserError(f"{path}: cannot be read ({why}); mend it, or name its encoding with --encoding") from None
        parts += [part] * len(texts[-1].labels)
    found = Texts(
        *([each for content in texts for each in getattr(content, name)] for name in ("texts", "labels")),
        rows=np.concatenate([content.rows for content in texts]),
        file_numbers=np.repeat(np.arange(len(texts)), [len(content.labels) for content in texts]),
        files=tuple(content.files[0] for content in texts),
    )
    names, least = {*found.labels}, 2 * FEWEST
    if len(found.labels) < least:
        rows = f"{len(found.labels)} row{'s' * (len(found.labels) != 1)}"
        raise UserError(f"found only {rows}; give at least {least}, {FEWEST} in each of two classes")
    if len(names) > prepare.MOST_LABELS or len(names) > len(found.labels) / 2:
        raise UserError(
            f"column {request.label!r} has {len(names)} different values in {len(found.labels)} rows, such as "
            f"{short(found.labels[0], 40)}; is it the class? name the right column with --label"
        )
    return found, parts


def _tokens(texts: list[str], language: str):
    if language == "zh":
        try:
            from lcm.text import chinese
        except ModuleNotFoundError:
            raise UserError(
                "--language zh needs jieba, which is not installed; pip install 'lcm-study[compare]'"
            ) from None
        return chinese.tokenise_all(texts, "tokenising")
    tokens = "letters" if language == "en" else "words"
    return (english.tokenise(text, tokens) for text in tqdm(texts, "tokenising", unit="row", disable=None))


def _left_out(found: Texts, tokens: list[list[str]], counts: Counter) -> list[str]:
    empty = [row for row, document in enumerate(tokens) if not document]
    small = sorted({label for label in found.labels if counts[label] < FEWEST}, key=prepare.natural)
    notes = []
    if empty:
        first = found.place(empty[0])
        notes.append(f"{len(empty)} rows without a word are left out, the first is {first} (see --language)")
    if small:
        shown = ", ".join(f"{short(name, 40)} ({counts[name]})" for name in small[:5]) + (", ..." if small[5:] else "")
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
                f"class {short(names[lacking[0]])} is in no row to train on; "
                "add rows of it to that file, or take it out of the others"
            )
    if request.fixed:
        return np.array([[PARTS[part] for part in parts]], np.uint8), []
    splits = np.full((request.splits, len(labels)), TRAIN, np.uint8)
    splits[:, parts == "test"] = TEST
    rows = np.flatnonzero(parts != "test")
    for k in range(request.splits):
        share, alike = VAL_SHARE / (1 - TEST_SHARE), labels[rows] if stratified else None
        try:
            _, val = train_test_split(rows, test_size=share, random_state=k, stratify=alike)
        except ValueError as error:  # a class with one row, or fewer validation rows than classes
            why = one_line(str(error), 150)
            raise UserError(f"cannot draw validation rows ({why}); give them with --dev") from None
        splits[k, val] = VAL
    return splits, note


def _save(
    tokens: list[list[str]], codes: np.ndarray, names: list[str], splits: np.ndarray, texts: list[str], folder: Path
) -> Path:
    words, _, ids, offsets = encode.encode(tokens)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
        part = Path(scratch) / "corpus"
        for name, array in (("labels", codes), ("ids", ids), ("offsets", offsets)):
            write_array(part / f"{name}.npy", array)
        digest = prepare.digest(part, names)
        lengths = np.diff(offsets)
        length = {"median": float(np.median(lengths)), "p95": float(np.quantile(lengths, 0.95))}
        meta = {"kind": "text", "labels": names, "digest": digest, "words": len(words), "tokens_per_document": length}
        write_json(part / "corpus.json", meta)
        write_array(part.parent / "splits.npy", splits)
        write_text(part.parent / "texts.json", json.dumps(texts, ensure_ascii=False))
        # MiniLM reads the texts themselves, of which words and labels do not say everything.
        read = sha(np.frombuffer("\0".join(texts).encode("utf-8", "surrogatepass"), np.uint8))
        place = folder / f"{digest.removeprefix('sha256:')[:16]}-{sha(splits)}-{read}"
        if not place.exists():
            os.replace(scratch, place)  # whole or not at all: later calls trust what they find
    return place


def load(place: Path) -> Data:
    """What `read` wrote."""
    corpus, splits = prepare.load(place / "corpus"), np.load(place / "splits.npy", allow_pickle=False)
    return Data(corpus, splits, np.broadcast_to(corpus.labels, splits.shape))
