"""Gets the original files of a corpus, from mirrors or public addresses, and lets none through that is not verified."""

import csv
import errno
import hashlib
import json
import lzma
import os
import random
import re
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from urllib.parse import quote

# requests and not pooch: pooch can neither resume a download nor verify by content.
import requests
import urllib3
from tqdm import tqdm

from lcm.errors import Unavailable, UserError

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a single byte
TRIES = 4  # for each URL
BACKOFF = 1.0  # seconds before the second try, doubled for each further one
RETRY_AFTER_MAX = 60.0  # seconds that a server may make us wait
CHUNK = 1 << 16  # bytes

# What readers of archives, csv and text raise for damaged input; RuntimeError is zipfile's for encrypted members.
PARSE_ERRORS = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, csv.Error, struct.error,
    EOFError, OSError, ValueError, LookupError, RuntimeError,
)  # fmt: skip
NO_CONNECTION = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


@dataclass(frozen=True)
class RemoteFile:
    """One original file: its name in the corpus's folder, its public URLs in order of preference, and the publisher's
    checksum ("sha256:<hex>" or "md5:<hex>"; None where there is none)."""

    name: str
    urls: tuple[str, ...]
    checksum: str | None = None


class WrongContent(Exception):
    """Raised by a verify callback; its text says what was found and what was expected."""


def obtain(corpus: str, file: RemoteFile, folder: Path, verify: Callable[[Path], None] | None) -> str:
    """Put `file.name` into `folder`, verified, and return where it came from (one line, for a log).

    A file is verified when the publisher's checksum matches or `verify(path)` raises nothing: a re-packed archive with
    the right content is good. With `verify` None the checksum must match; with neither, any file that is not empty and
    not a web page is taken. `verify` sees the file under a temporary name, so it must not judge by the suffix.
    Raises Unavailable (one line) if no place has the file; UserError (one line) if what a place has is wrong and no other
    place has a good one, if a wrong file lies there already, or if the disk refuses.
    """
    finished = folder / file.name
    part = folder / f".{file.name}.part"
    if os.path.lexists(finished):  # lexists: a dangling link was put there by a person too
        if reason := _wrong(finished, file, verify):
            raise UserError(_one_line(f"{finished} is not the file of {corpus}: {reason}; delete it, or replace it"))
        _discard(part)
        return "already there"

    def check() -> str:
        if reason := _nothing(part, file) or _wrong(part, file, verify):
            is_wrong = not _nothing(part, file)
            _discard(part)
            if is_wrong:
                raise WrongContent(reason)
        return reason

    failures: list[str] = []
    wrong = False
    for place in (*_mirror_places(corpus, file.name), *file.urls):
        try:
            reason = (_download if _is_url(place) else _copy)(place, part, check)
        except WrongContent as error:
            reason, wrong = str(error), True
        except OSError as error:  # an unreadable mirror, a bad URL, endless redirects
            reason = error.strerror or str(error)
        if not reason:
            os.replace(part, finished)
            _discard(part)  # its side file
            return _one_line(place + (f" (passed over {'; '.join(failures)})" if failures else ""))
        failures.append(f"{place}: {reason}")
    message = f"cannot get {file.name}: {'; '.join(failures) or 'no public address is known'}"
    if wrong:
        raise UserError(_one_line(f"{corpus}: {message}; put the file by hand at {finished}, or set LCM_MIRRORS to a folder holding {corpus}/{file.name}"))
    raise Unavailable(_one_line(message))


def content_digest(rows: Iterable[tuple[str, bytes]]) -> str:
    """Return "sha256:<hex>" of the content of a corpus, given its (label, text bytes) rows in any order.

    It is the sha256 over the sorted list of each row's sha256(label in UTF-8 + NUL + text): the order of the rows does
    not matter, their number does, and only 32 bytes of each row are held in memory.
    """
    digests = sorted(hashlib.sha256(label.encode() + b"\0" + text).digest() for label, text in rows)
    return "sha256:" + hashlib.sha256(b"".join(digests)).hexdigest()


def safe_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the regular files of `tar`, skip its folders, raise WrongContent at any member that a good archive lacks:
    an absolute path, a `..` part, a link, a device."""
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise WrongContent(f"found a path that leads out of the archive: {member.name!r}, expected paths inside it")
        if not (member.isreg() or member.isdir()):
            raise WrongContent(f"found a link or device: {member.name!r}, expected only files and folders")
        if member.isreg():
            yield member


def _wrong(path: Path, file: RemoteFile, verify: Callable[[Path], None] | None) -> str:
    """What is wrong with the file at `path`; empty if it is verified."""
    found = ""
    try:
        if reason := _nothing(path, file):
            return reason
        if file.checksum:
            algorithm, _, expected = file.checksum.partition(":")
            with open(path, "rb") as stream:
                digest = hashlib.file_digest(stream, algorithm).hexdigest()
            if digest == expected.lower():
                return ""
            found = f"found {algorithm}:{digest} ({path.stat().st_size} bytes), expected {file.checksum}"
        if verify is None:
            return found
        verify(path)
    except WrongContent as error:
        return str(error) or "wrong content"
    except PARSE_ERRORS as error:
        return f"cannot be read ({type(error).__name__}: {error})" + (f", {found}" if found else "")
    return ""


def _nothing(path: Path, file: RemoteFile) -> str:
    """Why the file at `path` is no file at all, but what servers send in place of one; empty if it is one."""
    with open(path, "rb") as stream:
        head = stream.read(512)
    if not head:
        return "the file is empty"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")) and not _is_page(file.name):
        return "it is a web page instead of the file"
    return ""


def _mirror_places(corpus: str, name: str) -> list[str]:
    """Where the file would be in each entry of LCM_MIRRORS."""
    # A colon separates, but not the ones inside a URL: after the scheme, in user:password@, in [IPv6], before a port.
    url = r"https?://(?:[^/@]*@)?(?:\[[^\]]*\]|[^:/]*)(?::\d+(?=[:/]|$))?(?:/[^:]*)?"
    entries = re.findall(f"(?i:{url})|[^:]+", os.environ.get("LCM_MIRRORS", ""))
    return [
        f"{entry.rstrip('/')}/{quote(corpus)}/{quote(name)}" if _is_url(entry)
        else str(Path(entry).expanduser() / corpus / name)
        for entry in entries
    ]  # fmt: skip


def _copy(source: str, part: Path, check: Callable[[], str]) -> str:
    """Copy from a directory mirror; return what is wrong with the file, empty if `part` is complete and good."""
    with open(source, "rb") as stream:
        _save(part, iter(lambda: stream.read(CHUNK), b""), 0, os.fstat(stream.fileno()).st_size, None)
    return check()


def _download(url: str, part: Path, check: Callable[[], str]) -> str:
    """Download, with retries; return why it failed, empty if `part` is complete and good. A broken download leaves its
    part for the next try or run."""
    for attempt in range(TRIES):
        wait = BACKOFF * 2**attempt * random.uniform(0.5, 1.5)
        try:
            refusal, resumed = _request(url, part)
            try:
                reason = refusal or check()
            except WrongContent as error:
                if not resumed or attempt == TRIES - 1:
                    raise
                reason = str(error)
            if not (reason and resumed):
                return reason
            wait = 0.0  # what was resumed may be wrong only because of its old part: again, from the beginning
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            reason = _root_cause(error)
            wait = _retry_after(getattr(error, "response", None), wait)
            if attempt and isinstance(getattr((error.args or [None])[0], "reason", None), NO_CONNECTION):
                break  # no server there, or no network here: waiting longer would not help
        if attempt < TRIES - 1:
            time.sleep(wait)
    return reason


def _request(url: str, part: Path) -> tuple[str, bool]:
    """One request, resuming `part` if it can be; return the server's refusal (empty if `part` has all bytes now) and
    whether there was a resume. Raises requests' or urllib3's errors where another try may help."""
    start, validator = _resume_point(part, url)
    headers = {"Accept-Encoding": "identity"}  # or lengths and .gz files would not be the publisher's
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)) as response:
        status, given = response.status_code, response.headers
        answer = f"HTTP {status} {response.reason}"
        if status == 429 or status >= 500:
            raise requests.ConnectionError(answer, response=response)
        if status == 416 and start and given.get("Content-Range") == f"bytes */{start}":
            return "", True  # all bytes are here: an earlier run was stopped before the check
        if status in (206, 416):
            stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", given.get("Content-Range", ""))
            if not stated or int(stated[1]) != start or _validator(response) not in ("", validator):
                _discard(part)
                return f"{answer}, which is not the range asked for", True
            total = int(stated[2])
        elif status == 200:
            length = given.get("Content-Length", "")
            start, total = 0, int(length) if length.isdigit() else None
        else:
            return answer, False
        if given.get("Content-Type", "").lower().startswith("text/html") and not _is_page(_name(part)):
            return "the server sent a web page instead of the file", False
        # Not response.iter_content: it would unpack a .gz file sent with "Content-Encoding: gzip".
        chunks = response.raw.stream(CHUNK, decode_content=False)
        _save(part, chunks, start, total, {"url": _one_line(url), "validator": _validator(response) or validator})
    if total is not None and (size := part.stat().st_size) != total:
        raise requests.ConnectionError(f"the connection ended after {size} of {total} bytes")
    return "", start > 0


def _save(part: Path, chunks: Iterable[bytes], start: int, total: int | None, note: dict[str, str] | None) -> None:
    """Write `chunks` to `part` from byte `start` on, down to the disk, with `note` beside it for a later resume."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        if not start:
            _discard(part)  # with its side file, which must never vouch for other bytes
        bar = tqdm(total=total, initial=start, desc=_name(part), unit="B", unit_scale=True, disable=None)
        with bar, open(part, "ab" if start else "wb") as out:
            if note and note["validator"]:
                _side(part).write_text(json.dumps(note), encoding="utf-8")
            for chunk in chunks:
                out.write(chunk)
                bar.update(len(chunk))
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        if note is None or error.errno in DISK_FULL:
            _discard(part)
        if error.errno in DISK_FULL + REFUSED:
            needed = f"; {_name(part)} needs {total} bytes" if total else ""
            raise UserError(_one_line(f"cannot write into {part.parent}: {error.strerror}{needed}")) from None
        raise


def _resume_point(part: Path, url: str) -> tuple[int, str]:
    """The bytes that an earlier try got from `url` and the validator of that version; (0, "") to start over."""
    try:
        note = json.loads(_side(part).read_text(encoding="utf-8"))
        return (part.stat().st_size, note["validator"]) if note["url"] == _one_line(url) else (0, "")
    except (OSError, ValueError, LookupError, TypeError):
        return 0, ""


def _validator(response: requests.Response) -> str:
    """What If-Range may name: a strong ETag, or else Last-Modified."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _retry_after(response: requests.Response | None, otherwise: float) -> float:
    value = "" if response is None else response.headers.get("Retry-After", "")
    try:
        seconds = int(value) if value.isdigit() else (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return otherwise
    return min(max(seconds, 0.0), RETRY_AFTER_MAX)


def _root_cause(error: BaseException) -> str:
    """The text of the first error: "Connection refused" says more than the four lines wrapped around it."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__


def _discard(part: Path) -> None:
    for path in (part, _side(part)):
        if path.exists():  # unlink(missing_ok=True) fails on a read-only disk even with nothing to do
            path.unlink()


def _side(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _name(part: Path) -> str:
    return part.name.removeprefix(".").removesuffix(".part")


def _is_url(place: str) -> bool:
    return place.lower().startswith(("http://", "https://"))


def _is_page(name: str) -> bool:
    return name.lower().endswith((".html", ".htm"))


def _one_line(text: str) -> str:
    """`text` fit for a message or log: no line breaks or control characters, no password of a mirror's URL."""
    text = re.sub(r"://[^/@\s]*@", "://", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
