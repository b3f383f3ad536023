"""Tables of documents: CSV, TSV and JSON lines, of the catalogue's corpora and of users, gzipped or not."""

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from tqdm import tqdm

from lcm.archives import LONGEST_LINE, lines, opened
from lcm.corpora.texts import Texts
from lcm.errors import UserError, short
from lcm.params import Column, Corpus

FORMATS = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".jsonl": None}  # what separates columns; .txt: quotes are text
ENCODINGS = {"cp1252": "latin-1 (cp1252)", "gb18030": "GBK (gb18030)", "utf_16": "UTF-16"}
SAMPLE = 1 << 16  # bytes of a file that are looked at for its encoding

Record = dict[Column, str]


@dataclass(frozen=True)
class Table:
    """Layout of a table. A column is a name from the header (a key of JSON lines), or its number from 0 in a file
    without one.

    text: columns that make the text, joined by a space. label: its column. title: goes before the text where
    `use_title` asks for it. source: `sources` keeps rows by it. names: label of each code in the file; None: labels
    stand in the file. given: a second label, which may be wrong, to learn from.
    """

    text: tuple[Column, ...]
    label: Column
    title: Column | None = None
    source: Column | None = None
    names: dict[str, str] | None = None
    given: Column | None = None

    @property
    def columns(self) -> list[Column]:
        every = (*self.text, self.label, self.title, self.source, self.given)
        return [column for column in every if column is not None]


class _Document(NamedTuple):
    text: str
    label: str
    given: str | None
    row: int
    file_number: int


class BadRow(Exception):
    """A row that is no document; the text says what was found and what was expected."""


def read_tables(paths: Iterable[Path], table: Table, knobs: Corpus) -> Texts:
    """Return the documents of one or several files, in their order.

    Raises UserError, with file and row (the header is row 1), for a wrong format or encoding, a column that is not
    there, a file without documents, and for bad rows (unless `bad_rows` drops them: then they are counted).
    """
    return collect(((path.name, open_table(path, knobs.encoding)) for path in paths), table, knobs)


def collect(files: Iterable[tuple[str, AbstractContextManager[TextIO]]], table: Table, knobs: Corpus) -> Texts:
    """`read_tables` of streams: (file name, context manager that opens it)."""
    names, found, sources, dropped = [], [], Counter(), 0
    columns = (table.title, *table.text) if knobs.use_title else table.text
    for name, file in files:
        names.append(name)
        rows = 0
        with file as stream:
            for number, row in _rows(stream, name, table):
                rows += 1
                try:
                    label, given = _labels(row, table)
                except BadRow as bad:
                    if knobs.bad_rows == "error":
                        what_to_do = "mend it, or set bad_rows to drop for this corpus in params.yaml"
                        raise UserError(f"{name}, row {number}: {bad}; {what_to_do}") from None
                    dropped += 1
                    continue
                if table.source is not None:
                    sources[row[table.source]] += 1
                    if knobs.sources and row[table.source] not in knobs.sources:
                        continue
                text = " ".join(row[column] for column in columns)
                found.append(_Document(text, label, given, number, len(names) - 1))
        if not rows:
            raise UserError(f"{name}: no document in this file; it is empty, or has nothing but a header")
    unknown = [source for source in knobs.sources or [] if source not in sources]
    if unknown:
        raise UserError(f"sources: {short(unknown[0])} is not in {name}; there are {', '.join(sorted(sources))}")
    return Texts(
        [document.text for document in found],
        [document.label for document in found],
        {"bad_rows_dropped": dropped} if dropped else {},
        None if table.given is None else [document.given for document in found],
        rows=np.array([document.row for document in found], np.int64),
        file_numbers=np.array([document.file_number for document in found], np.int16),
        files=tuple(names),
    )


@contextmanager
def open_table(path: Path, encoding: str | None = None) -> Iterator[TextIO]:
    """Open a file as text, by default UTF-8 (a byte order mark is skipped), unpacked if its name ends in .gz.

    Raises UserError for a file of another encoding, with a guess which one it is.
    """
    with opened(path) as binary, io.TextIOWrapper(binary, encoding=encoding or "utf-8-sig", newline="") as stream:
        try:
            yield stream
        except UnicodeDecodeError as error:
            raise UserError(_wrong_encoding(path, encoding, error)) from None


def _wrong_encoding(path: Path, encoding: str | None, error: UnicodeDecodeError) -> str:
    around = error.object[max(0, error.start - 15) : error.start + 15].decode("ascii", "replace")
    found = f"{path.name}: not {encoding or 'UTF-8'} (byte 0x{error.object[error.start]:02x} in {short(around)})"
    with opened(path) as binary:
        guess = guess_encoding(binary.read(SAMPLE), error.object[:SAMPLE])
    where = "for this corpus in params.yaml"
    if guess == encoding:
        return f"{found}; mend the file, or name another `encoding` {where}"
    return f"{found}; it looks like {ENCODINGS[guess]}: set `encoding: {guess}` {where}, or save the file as UTF-8"


def guess_encoding(head: bytes, sample: bytes) -> str:
    """Return what a file that is not UTF-8 is probably in: utf_16, gb18030 or cp1252. head: its beginning. sample:
    where it failed.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head.count(0) > len(head) // 4:
        return "utf_16"
    # Chinese characters are pairs of such bytes, Western letters stand alone.
    runs = re.findall(rb"[\x80-\xff]+", sample)
    odd = sum(len(run) % 2 for run in runs)
    return "gb18030" if odd <= len(runs) // 5 else "cp1252"


def _rows(stream: TextIO, name: str, table: Table) -> Iterator[tuple[int, Record | BadRow]]:
    """Yield (number of the row from 1, its columns or why it has none); empty lines are skipped."""
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    if suffix not in FORMATS:
        raise UserError(
            f"{name}: found the ending {suffix!r}, expected one of {', '.join(FORMATS)} (and .gz); rename or convert "
            "the file"
        )
    rows = _json_rows(stream, table) if suffix == ".jsonl" else _csv_rows(stream, name, table, suffix)
    number = 0
    try:
        for number, row in enumerate(tqdm(rows, f"reading {name}", unit="row", disable=None), 1):
            if row is not None:
                yield number, row
    except (csv.Error, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{name}: cannot be read after row {number} ({error}); mend the file") from None


def _csv_rows(stream: TextIO, name: str, table: Table, suffix: str) -> Iterator[Record | BadRow | None]:
    csv.field_size_limit(LONGEST_LINE)  # Python's own, 131072, is shorter than some documents
    quoting = csv.QUOTE_NONE if suffix == ".txt" else csv.QUOTE_MINIMAL
    rows = csv.reader(lines(stream), delimiter=FORMATS[suffix], quoting=quoting, strict=True)
    header: list[Column] | None = None
    for row in rows:
        if not row:
            yield None
            continue
        if header is None:
            header = _header(row, name, table)
            if isinstance(table.label, str):
                yield None
                continue
        if len(row) != len(header):
            yield BadRow(f"found {len(row)} columns, expected {len(header)} as in the first row")
        else:
            yield dict(zip(header, row, strict=True))


def _header(row: list[str], name: str, table: Table) -> list[Column]:
    """The columns of a file whose first row is `row`. Raises UserError if one that `table` names is not there."""
    named = isinstance(table.label, str)
    header: list[Column] = list(row) if named else list(range(len(row)))
    missing = [column for column in table.columns if column not in header]
    twice = [column for column in table.columns if header.count(column) > 1]
    if twice:
        raise UserError(f"{name}: {header.count(twice[0])} columns are named {short(twice[0])}; rename one")
    if missing and named and len(row) == 1 and any(mark in row[0] for mark in ";\t|"):
        raise UserError(
            f"{name}: the first row is {short(row[0])}, one column; separate columns by commas (.csv) or tabs (.tsv)"
        )
    if missing and named:
        cells = ", ".join(short(cell, 30) for cell in row[:10])
        raise UserError(
            f"{name}: no column {short(missing[0])}; the first row is {cells}. If these are the names of the columns, "
            "correct text and label of this corpus in params.yaml; if the file has no header, give numbers from 0"
        )
    if missing:
        raise UserError(
            f"{name}: no column {missing[0]}; its first row has {len(row)} columns, numbered from 0; correct text and "
            "label of this corpus in params.yaml"
        )
    return header


def _json_rows(stream: TextIO, table: Table) -> Iterator[Record | BadRow | None]:
    for line in lines(stream):
        if not line.strip():
            yield None
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield BadRow(f"found {short(line.strip(), 40)}, expected a JSON object")
            continue
        missing = [column for column in table.columns if column not in row] if isinstance(row, dict) else table.columns
        wrong = [column for column in table.text if not missing and not isinstance(row[column], str)]
        odd = [c for c in table.columns if not missing and c not in table.text and not _is_label(row[c])]
        if missing:
            yield BadRow(f"found no key {missing[0]!r}, expected a JSON object with it")
        elif wrong:
            yield BadRow(f"found {short(row[wrong[0]])} under {wrong[0]!r}, expected a text")
        elif odd:
            yield BadRow(f"found {short(row[odd[0]])} under {odd[0]!r}, expected a class")
        else:
            yield {column: row[column] if column in table.text else str(row[column]) for column in table.columns}


def _is_label(value: object) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and value == value)


def _labels(row: Record | BadRow, table: Table) -> tuple[str, str | None]:
    """The label of a row and, where the table has one, the label that was given. Raises BadRow."""
    if isinstance(row, BadRow):
        raise row
    label = _label(row[table.label], table.names)
    return label, None if table.given is None else _label(row[table.given], table.names)


def _label(cell: str, names: dict[str, str] | None) -> str:
    cell = cell.strip()
    if not cell:
        raise BadRow("found an empty label, expected a class")
    if names is None:
        return sys.intern(cell)  # one object for each class, not for each row
    if cell not in names:
        raise BadRow(f"found class {short(cell, 40)}, expected one of {', '.join(names)}")
    return names[cell]
