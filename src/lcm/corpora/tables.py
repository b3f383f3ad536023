"""Tables of documents: CSV, TSV and JSON lines, of the catalogue's corpora and of users, gzipped or not."""

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from lcm.corpora.texts import Texts
from lcm.errors import UserError
from lcm.params import Column, Corpus

FORMATS = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".jsonl": None}  # what separates columns; .txt: quotes are text
LONGEST_CELL = 2**31 - 1  # characters; Python's own limit, 131072, is shorter than some documents

Record = dict[Column, str]


@dataclass(frozen=True)
class Table:
    """Layout of a table. A column is a name from the header (a key of JSON lines), or its number from 0 in a file without a header.

    text: columns that make the text, joined by a space. label: its column. title: goes before the text where `use_title`
    asks for it. source: `sources` keeps rows by it. names: label of each code in the file; None: labels stand in the file.
    given: a second label, which may be wrong, to learn from.
    """

    text: tuple[Column, ...]
    label: Column
    title: Column | None = None
    source: Column | None = None
    names: dict[str, str] | None = None
    given: Column | None = None

    @property
    def columns(self) -> list[Column]:
        return [column for column in (*self.text, self.label, self.title, self.source, self.given) if column is not None]


class BadRow(Exception):
    """A row that is no document; the text says what was found and what was expected."""


def read_tables(paths: Iterable[Path], table: Table, knobs: Corpus) -> Texts:
    """The documents of one or several files, in their order.

    Raises UserError, with file and row, for a wrong format or encoding, a column that is not there, and for bad rows
    (unless `bad_rows` drops them: then they are counted).
    """
    return collect(((path.name, open_table(path)) for path in paths), table, knobs)


def collect(files: Iterable[tuple[str, Iterable[TextIO]]], table: Table, knobs: Corpus) -> Texts:
    """`read_tables` of streams: (file name, context manager that opens it)."""
    texts, labels, given, sources, dropped = [], [], [], Counter(), 0
    title = (table.title,) if knobs.use_title else ()
    for name, file in files:
        with file as stream:
            for number, row in _rows(stream, name, table):
                try:
                    if isinstance(row, BadRow):
                        raise row
                    label = _label(row[table.label], table.names)
                    other = None if table.given is None else _label(row[table.given], table.names)
                except BadRow as bad:
                    if knobs.bad_rows == "error":
                        raise UserError(
                            f"{name}, row {number}: {bad}; mend it, or set bad_rows to drop for this corpus in params.yaml"
                        ) from None
                    dropped += 1
                    continue
                if table.source is not None:
                    sources[row[table.source]] += 1
                    if knobs.sources and row[table.source] not in knobs.sources:
                        continue
                texts.append(" ".join(row[column] for column in (*title, *table.text)))
                labels.append(label)
                given.append(other)
    unknown = [source for source in knobs.sources or [] if source not in sources]
    if unknown:
        raise UserError(f"sources: {unknown[0]!r} is not in {name}; there are {', '.join(sorted(sources))}")
    return Texts(texts, labels, {"bad_rows_dropped": dropped} if dropped else {}, None if table.given is None else given)


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """The file as UTF-8 text (a byte order mark is skipped), unpacked if it ends in .gz."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as stream:
            yield stream
    else:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            yield stream


def _rows(stream: TextIO, name: str, table: Table) -> Iterator[tuple[int, Record | BadRow]]:
    """(number of the row from 1, its columns or why it has none); empty lines are skipped."""
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    if suffix not in FORMATS:
        raise UserError(f"{name}: found the ending {suffix!r}, expected one of {', '.join(FORMATS)} (and .gz); rename or convert the file")
    rows = _json_rows(stream, table) if suffix == ".jsonl" else _csv_rows(stream, name, table, suffix)
    number = 0
    try:
        for number, row in enumerate(tqdm(rows, f"reading {name}", unit="row", disable=None), 1):
            if row is not None:
                yield number, row
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(f"{name}: not UTF-8 (byte 0x{byte:02x} after row {number}); convert it, e.g. iconv -f gb18030 -t utf-8") from None
    except (csv.Error, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{name}: cannot be read after row {number} ({error}); mend the file") from None


def _csv_rows(stream: TextIO, name: str, table: Table, suffix: str) -> Iterator[Record | BadRow | None]:
    csv.field_size_limit(LONGEST_CELL)
    quoting = csv.QUOTE_NONE if suffix == ".txt" else csv.QUOTE_MINIMAL
    rows = csv.reader(stream, delimiter=FORMATS[suffix], quoting=quoting, strict=True)
    header: list[Column] | None = None
    for row in rows:
        if not row:
            yield None
            continue
        if header is None:
            named = isinstance(table.label, str)
            header = list(row) if named else list(range(len(row)))
            missing = [column for column in table.columns if column not in header]
            if missing:
                found = f"its columns are {', '.join(map(repr, row))}" if named else f"its first row has {len(row)} columns, numbered from 0"
                raise UserError(f"{name}: no column {missing[0]!r}; {found}; correct text and label of this corpus in params.yaml")
            if named:
                yield None
                continue
        if len(row) != len(header):
            yield BadRow(f"found {len(row)} columns, expected {len(header)} as in the first row")
        else:
            yield dict(zip(header, row, strict=True))


def _json_rows(stream: TextIO, table: Table) -> Iterator[Record | BadRow | None]:
    for line in stream:
        if not line.strip():
            yield None
            continue
        try:
            row = json.loads(line)
        except ValueError:
            yield BadRow(f"found {line.strip()[:40]!r}, expected a JSON object")
            continue
        missing = [column for column in table.columns if column not in row] if isinstance(row, dict) else table.columns
        wrong = [column for column in table.text if not missing and not isinstance(row[column], str)]
        if missing:
            yield BadRow(f"found no key {missing[0]!r}, expected a JSON object with it")
        elif wrong:
            yield BadRow(f"found {row[wrong[0]]!r} under {wrong[0]!r}, expected a text")
        else:
            yield {column: row[column] if column in table.text else str(row[column]) for column in table.columns}


def _label(cell: str, names: dict[str, str] | None) -> str:
    cell = cell.strip()
    if not cell:
        raise BadRow("found an empty label, expected a class")
    if names is None:
        return cell
    if cell not in names:
        raise BadRow(f"found class {cell[:40]!r}, expected one of {', '.join(names)}")
    return names[cell]


def text_stream(binary: io.BufferedIOBase) -> TextIO:
    """A member of an archive as text that csv can read."""
    return io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
