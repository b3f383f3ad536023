"""Archives that lie, or unpack to more than memory holds."""

import bz2
import dataclasses
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from attacks.base import MB, Attack, add, expect_error, forget, mirror
from lcm.corpora import catalogue
from lcm.text.vectors import read_vectors


def member(name: str, content: bytes = b"x", size: int | None = None, kind: bytes = b"0", link: str = "") -> bytes:
    """The blocks of a member of a tar archive whose header may lie."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content) if size is None else size, kind, link
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def patched(block: bytes, changes: dict[int, bytes]) -> bytes:
    """A header with other bytes in some places, and the checksum that goes with them."""
    header = bytearray(block[:512])
    for at, content in {**changes, 148: b" " * 8}.items():
        header[at : at + len(content)] = content
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + block[512:]


def sparse(name: str, size: int) -> bytes:
    real = b"\x80" + size.to_bytes(11, "big")
    return patched(member(name, b"", 0, b"S"), {386: b"%011o\0%011o\0" % (0, 0), 483: real})


def xz_dictionary() -> bytes:
    """An .xz file whose header asks for a dictionary of 4 GB."""
    packed = bytearray(lzma.compress(member("test_corpus/answer/a/b.txt")))
    end = 12 + (packed[12] + 1) * 4
    at = packed.index(b"\x21\x01", 12, end) + 2
    packed[at] = 40
    packed[end - 4 : end] = struct.pack("<I", zlib.crc32(packed[12 : end - 4]))
    return bytes(packed)


def fetched(name: str, file: str, content: Callable[[], bytes]) -> Attack:
    """The corpus or text `name` comes from a mirror that has `content`; it must be refused."""

    def attack(folder: Path) -> None:
        entries = catalogue.CATALOGUE if name in catalogue.CATALOGUE else catalogue.WORD_SOURCES
        entry = entries[name]
        files = tuple(dataclasses.replace(one, urls=()) for one in entry.files)
        entries[name] = dataclasses.replace(entry, files=files)
        mirror(folder, content(), file, entry.mirror or name)
        forget()
        expect_error(lambda: catalogue.fetch(name, folder / "raw"))
        assert not [path for path in folder.glob("raw/*") if path.name != "unavailable.txt"], "something was left"

    return attack


def gz(*blocks: bytes) -> Callable[[], bytes]:
    return lambda: gzip.compress(b"".join(blocks), 1)


def zipped(**members: bytes) -> Callable[[], bytes]:
    def make() -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in members.items():
                archive.writestr(name.replace("_", "/"), content)
        return packed.getvalue()

    return make


POST = "20news-bydate-train/rec.autos/1"
for what, blocks in {
    "../x": member("../x"),
    "/etc/x": member("/etc/x"),
    "a symbolic link": member(POST, b"", kind=b"2", link="/etc/passwd"),
    "a hard link": member(POST, b"", kind=b"1", link="../../x"),
    "a device": member(POST, b"", kind=b"3"),
    "a pipe": member(POST, b"", kind=b"6"),
    "a sparse member of 20 GB": sparse(POST, 20 << 30),
    "a size of 2^80": patched(member(POST), {124: b"\x80" + (1 << 80).to_bytes(11, "big")}),
    "a negative size": patched(member(POST), {124: b"\xff" * 12}),
    "a size that is no number": patched(member(POST), {124: b"hello world\0"}),
    "a size of 8 GB": member(POST, b"x", 8 << 30),
    "a long name of 2 GB": member("././@LongLink", b"x" * 1000, 2 << 30, b"L"),
    "a PAX header of 2 GB": member("pax", b"x" * 1000, 2 << 30, b"x"),
    "a PAX header of nonsense": member("pax", b"999 x=y\n", kind=b"x") + member(POST),
    "a PAX header without end": member("pax", b"9" * 500, kind=b"x") + member(POST),
    "a name of 60 kB": member("././@LongLink", b"a/" * 30_000, kind=b"L") + member(POST),
    "no tar": os.urandom(10_000),
    "nothing": b"",
}.items():
    add("archives", f"20ng, {what}", fetched("20ng", "20news-bydate.tar.gz", gz(blocks)))
    add(
        "archives",
        f"fdcnews, {what}",
        fetched("fdcnews", "fdcnews-9833-gbk.tar.xz", lambda blocks=blocks: lzma.compress(blocks)),
    )
add(
    "archives",
    "20ng, 150 MB of zeros in files of 10 MB",
    fetched("20ng", "20news-bydate.tar.gz", lambda: gzip.compress(member(POST, bytes(10 * MB)) * 15, 1)),
)
add(
    "archives",
    "20ng, 110 000 empty files",
    fetched("20ng", "20news-bydate.tar.gz", lambda: gzip.compress(member(POST, b"") * 110_000, 1)),
)
add(
    "archives",
    "20ng, cut short",
    fetched("20ng", "20news-bydate.tar.gz", lambda: gzip.compress(member(POST) * 100)[:-20]),
)
add("archives", "20ng, a bz2 file", fetched("20ng", "20news-bydate.tar.gz", lambda: bz2.compress(os.urandom(1000))))
add("archives", "fdcnews, a dictionary of 4 GB", fetched("fdcnews", "fdcnews-9833-gbk.tar.xz", xz_dictionary))
add(
    "archives",
    "fdcnews, cut short",
    fetched("fdcnews", "fdcnews-9833-gbk.tar.xz", lambda: lzma.compress(os.urandom(9999))[:-99]),
)
ROWS = {
    "one line of 200 MB": lambda: b"1,t," + b"a" * 200 * MB,
    "one quoted cell of 100 MB in short lines": lambda: b'1,t,"' + b"a\n" * 50 * MB,
    "15 million short rows": lambda: b"1,,\n" * 15_000_000,
    "zeros": lambda: bytes(100 * MB),
    "a class 15": lambda: b'"15","t","x"\n',
    "invalid UTF-8": lambda: b'"1","t","\xff"\n',
}
for what, content in ROWS.items():
    add(
        "archives",
        f"dbpedia, {what}",
        fetched(
            "dbpedia",
            "dbpedia_csv.tar.gz",
            lambda content=content: gzip.compress(member("dbpedia_csv/train.csv", content()), 1),
        ),
    )
GLOVE = "glove.6B.zip"
for what, content in {
    "one line of 300 MB": lambda: zipped(**{"glove.6B.100d.txt": b"a" * 300 * MB})(),
    "700 MB of empty lines": lambda: zipped(**{"glove.6B.100d.txt": b"\n" * 700 * MB})(),
    "no vectors": zipped(readme=b"hello"),
    "no zip": lambda: os.urandom(5000),
    "cut short": lambda: zipped(**{"glove.6B.100d.txt": os.urandom(9999)})()[:-30],
}.items():
    add("archives", f"glove, {what}", fetched("glove", GLOVE, content))
for what, content in {
    "names of nothing known": zipped(THUCNews_x_1=b"", THUCNews_y_2=b""),
    "100 000 names": zipped(**{f"THUCNews_x_{n}.txt": b"" for n in range(100_000)}),
    "a name that leads up": zipped(**{".._.._1.txt": b""}),
    "no zip": lambda: b"PK\5\6" + bytes(18),
}.items():
    add("archives", f"thucnews, {what}", fetched("thucnews", "THUCNews.zip", content))
add(
    "archives",
    "zhwiki, one line of 100 MB",
    fetched("zhwiki", "zhwiki-20220301-pages-articles-multistream.xml.bz2", lambda: bz2.compress(b"a" * 100 * MB)),
)


def vectors_of_one_line(folder: Path) -> None:
    (folder / "v.txt").write_bytes(b"a" * 200 * MB)
    forget()
    expect_error(lambda: list(read_vectors(folder / "v.txt", 3, {b"a": 1})))


add("archives", "word vectors, one line of 200 MB", vectors_of_one_line)
