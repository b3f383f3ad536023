"""Packed files and archives, read within bounds: nothing is unpacked to disk, and no size that a file states is
believed.
"""

import bz2
import csv
import gzip
import io
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TextIO

from lcm.errors import WrongContent, short

MB = 1 << 20
MOST_MEMBERS = 100_000  # of a tar archive
LONGEST_NAME = 64 << 10  # bytes of a member's name, or of a header that carries one
LONGEST_LINE = 32 * MB  # characters or bytes
XZ_MEMORY = 256 * MB  # that a file may make the decompressor take

# What readers of archives, csv and text raise for damaged input; RuntimeError is zipfile's for encrypted members.
PARSE_ERRORS = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, csv.Error, struct.error,
    EOFError, OSError, ValueError, LookupError, RuntimeError, MemoryError, OverflowError, NotImplementedError,
)  # fmt: skip


class Bounded(io.RawIOBase):
    """The bytes of `stream`. Raises WrongContent if there are more than `most`."""

    def __init__(self, stream: BinaryIO, most: int):
        self.stream, self.most, self.left = stream, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.stream.read(min(len(buffer), MB))
        self.left -= len(data)
        if self.left < 0:
            raise WrongContent(f"found more than {self.most} bytes when unpacked")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.stream.close()
        super().close()


class _Xz:
    """An .xz file. Unlike lzma.open, it refuses a dictionary that is larger than XZ_MEMORY."""

    def __init__(self, file: BinaryIO):
        self.file, self.rest = file, b""
        self.decompressor = lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    def read(self, size: int) -> bytes:
        while True:
            if self.decompressor.eof:
                self.rest = self.decompressor.unused_data or self.file.read(MB)
                if not self.rest:
                    return b""
                self.decompressor = lzma.LZMADecompressor(memlimit=XZ_MEMORY)  # a second stream in the same file
            elif self.decompressor.needs_input:
                self.rest = self.file.read(MB)
                if not self.rest:
                    raise EOFError("the file ended before the end of its content")
            data, self.rest = self.decompressor.decompress(self.rest, size), b""
            if data:
                return data

    def close(self) -> None:
        self.file.close()


def unpacked(path: Path, most: int) -> io.BufferedReader:
    """Open a file, unpacked if it begins like .gz, .bz2 or .xz. Reading raises WrongContent after `most` bytes."""
    with open(path, "rb") as file:
        head = file.read(6)
    if head.startswith(b"\x1f\x8b"):
        stream = gzip.open(path)
    elif head.startswith(b"BZh"):
        stream = bz2.open(path)
    elif head.startswith(b"\xfd7zXZ\0"):
        stream = _Xz(open(path, "rb"))
    else:
        stream = open(path, "rb")
    return io.BufferedReader(Bounded(stream, most), MB)


def opened(path: Path) -> BinaryIO:
    """Open a file, unpacked if its name ends in .gz."""
    return gzip.open(path) if path.suffix == ".gz" else open(path, "rb")


class _Member(tarfile.TarInfo):
    def _proc_member(self, tar):
        # A long name or a PAX header is read into memory as a whole, before anybody sees the member.
        if self.type not in tarfile.REGULAR_TYPES and self.size > LONGEST_NAME:
            raise WrongContent(
                f"found a header or special member of {self.size} bytes, expected at most {LONGEST_NAME}"
            )
        return super()._proc_member(tar)


def tar_files(path: Path, most: int, largest: int = 16 * MB) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (name, stream) of the regular files of a packed tar archive, in its order; read each before the next.

    most: bytes of the whole archive, unpacked. largest: bytes of one file.
    Raises WrongContent beyond these, and as `safe_members` does.
    """
    with unpacked(path, most) as stream, tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as tar:
        for member in safe_members(tar, largest):
            yield member.name, tar.extractfile(member)
            tar.members.clear()  # or it keeps them all


def safe_members(tar: tarfile.TarFile, largest: int = 16 * MB) -> Iterator[tarfile.TarInfo]:
    """Yield the regular files of `tar`, skip its folders, raise WrongContent at any member that a good archive lacks.

    Those are an absolute path, a `..` part, a link, a device, a file with holes, a file of more than `largest` bytes,
    and one more than MOST_MEMBERS.
    """
    for number, member in enumerate(tar):
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise WrongContent(
                f"found a path that leads out of the archive: {short(member.name)}, expected paths inside it"
            )
        if member.issparse() or not (member.isreg() or member.isdir()):
            raise WrongContent(
                f"found a link, device or sparse file: {short(member.name)}, expected only files and folders"
            )
        if member.size > largest:
            raise WrongContent(f"found a file of {member.size} bytes: {short(member.name)}, expected at most {largest}")
        if number >= MOST_MEMBERS:
            raise WrongContent(f"found more than {MOST_MEMBERS} files")
        if member.isreg():
            yield member


def zip_content(archive: zipfile.ZipFile, member: zipfile.ZipInfo | str, largest: int = 16 * MB) -> bytes:
    """Return the bytes of a member of a zip archive. Raises WrongContent if they are more than `largest`."""
    with archive.open(member) as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise WrongContent(f"found a file of more than {largest} bytes: {short(member)}")
    return content


def text_stream(binary: BinaryIO) -> TextIO:
    """Return a stream of bytes that can only be read, such as a member of an archive, as UTF-8 text."""
    return io.TextIOWrapper(io.BufferedReader(Bounded(binary, sys.maxsize)), "utf-8-sig", newline="")


def lines(stream: TextIO | BinaryIO, longest: int = LONGEST_LINE) -> Iterator:
    """Yield the lines of a stream. Raises WrongContent at one of more than `longest` characters."""
    while line := stream.readline(longest + 1):
        if len(line) > longest:
            raise WrongContent(f"found a line of more than {longest} characters")
        yield line
