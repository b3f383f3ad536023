"""Gets the original files of a corpus, from mirrors or public addresses, and lets none through that is not verified."""

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

# requests and not pooch: pooch can neither resume a download nor verify by content.
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tqdm import tqdm

from lcm.archives import PARSE_ERRORS
from lcm.errors import DISK_FULL, MACHINE, Unavailable, UserError, WrongContent, one_line
from lcm.files import locked

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a single byte
ANSWER_TIMEOUT = 300.0  # seconds until the headers are there, waiting and trying again included
SLOWEST = 1000  # bytes a second, over SLOW_FOR seconds
SLOW_FOR = 300.0
TRIES = 4  # for each URL, where the connection breaks in the middle of the file
BACKOFF = 1.0  # seconds before the second try, doubled for each further one
CHUNK = 1 << 16  # bytes
WEB_PAGE = "a web page came instead of the file"
# Before the first byte. No server there, or no network here: trying more often would not help.
RETRY = urllib3.Retry(
    total=3, connect=1, read=2, status=3, backoff_factor=BACKOFF, backoff_jitter=0.5,
    status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False, retry_after_max=60,
)  # fmt: skip


@dataclass(frozen=True)
class RemoteFile:
    """An original file: its name in the corpus's folder, and its public URLs in order of preference.

    checksum: the publisher's, "sha256:<hex>" or "md5:<hex>"; None where there is none. most: bytes; a longer one is
    wrong.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str | None = None
    most: int = 100_000_000


class NoFile(Exception):
    """A place has not the file: its text is the server's refusal, or what it sent instead."""


def obtain(corpus: str, file: RemoteFile, folder: Path, verify: Callable[[Path], None] | None) -> str:
    """Put `file.name` into `folder`, verified, and return where it came from (one line, for a log).

    A file is verified when the publisher's checksum matches or `verify(path)` raises nothing: a re-packed archive with
    the right content is good. With `verify` None the checksum must match; with neither, any file that is not empty and
    not a web page is taken. `verify` sees the file under a temporary name, so it must not judge by the suffix. Raises
    Unavailable (one line) if no place has the file; UserError (one line) if what a place has is wrong and no other
    place has a good one, if a wrong file lies there already, or if the disk refuses.
    """
    with locked(folder):  # two processes would share one part
        return _obtain(corpus, file, folder, verify)


def _obtain(corpus: str, file: RemoteFile, folder: Path, verify: Callable[[Path], None] | None) -> str:
    finished = folder / file.name
    part = folder / f".{file.name}.part"
    if os.path.lexists(finished):  # lexists: a dangling link was put there by a person too
        try:
            _check(finished, file, verify)
        except (NoFile, WrongContent, OSError) as error:
            what = f"{finished} is not the file of {corpus}: {error}; delete it, or replace it"
            raise UserError(one_line(what)) from None
        _discard(part)
        return "already there"
    if part.is_symlink() or part.is_dir():  # not ours
        _discard(part)

    failures: list[str] = []
    wrong = False
    for place in (*_mirror_places(corpus, file.name), *file.urls):
        try:
            _get(place, part, file, verify)
        except WrongContent as error:
            reason, wrong = str(error), True
        except NoFile as error:
            reason = str(error)
        except (OSError, ValueError) as error:  # an unreadable mirror, a bad URL, endless redirects
            reason = getattr(error, "strerror", None) or _root_cause(error)
        else:
            os.replace(part, finished)
            _discard(part)  # its side file
            return _public(place + (f" (passed over {'; '.join(failures)})" if failures else ""))
        failures.append(f"{place}: {reason}")
    message = f"cannot get {file.name}: {'; '.join(failures) or 'no public address is known'}"
    if not wrong:
        raise Unavailable(_public(message))
    by_hand = f"put the file by hand at {finished}, or set LCM_MIRRORS to a folder holding {corpus}/{file.name}"
    raise UserError(_public(f"{corpus}: {message}; {by_hand}"))


def content_digest(rows: Iterable[tuple[str, bytes]]) -> str:
    """Return "sha256:<hex>" of the content of a corpus, given its (label, text bytes) rows in any order.

    It is the sha256 over the sorted list of each row's sha256(label in UTF-8 + NUL + text): the order of the rows does
    not matter, their number does, and only 32 bytes of each row are held in memory.
    """
    digests = sorted(hashlib.sha256(label.encode() + b"\0" + text).digest() for label, text in rows)
    return "sha256:" + hashlib.sha256(b"".join(digests)).hexdigest()


def _get(place: str, part: Path, file: RemoteFile, verify: Callable[[Path], None] | None) -> None:
    """Bring `part` here from a URL or a file. Raises what says why it is not complete and good."""
    for again in (True, False):
        resumed = (_download if _is_url(place) else _copy)(place, part, file.most)
        try:
            return _check(part, file, verify)
        except (NoFile, WrongContent):
            _discard(part)
            # What was resumed may be wrong only because of its old part: again, from the beginning.
            if not (resumed and again):
                raise


def _check(path: Path, file: RemoteFile, verify: Callable[[Path], None] | None) -> None:
    """Raises WrongContent unless the file is verified, NoFile at what servers send in place of one."""
    found = ""
    with open(path, "rb") as stream:
        head = stream.read(512)
        if not head:
            raise NoFile("the file is empty")
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
            raise NoFile(WEB_PAGE)
        if file.checksum:
            algorithm, _, expected = file.checksum.partition(":")
            stream.seek(0)
            digest = hashlib.file_digest(stream, algorithm).hexdigest()
            if digest == expected.lower():
                return
            found = f"found {algorithm}:{digest} ({path.stat().st_size} bytes), expected {file.checksum}"
    if verify is None:
        if found:
            raise WrongContent(found)
        return
    try:
        verify(path)
    except PARSE_ERRORS as error:
        reason = f"cannot be read ({type(error).__name__}: {error})"
        raise WrongContent(", ".join(filter(None, (reason, found)))) from None


def _mirror_places(corpus: str, name: str) -> list[str]:
    """Where the file would be in each entry of LCM_MIRRORS."""
    # A colon separates, but not the ones inside a URL: after the scheme, in user:password@, in [IPv6], before a port.
    url = r"https?://(?:[^/@]*@)?(?:\[[^\]]*\]|[^:/]*)(?::\d+(?=[:/]|$))?(?:/[^:]*)?"
    entries = re.findall(f"(?i:{url})|[^:]+", os.environ.get("LCM_MIRRORS", ""))
    return [
        f"{entry.rstrip('/')}/{quote(corpus)}/{quote(name)}" if _is_url(entry)
        else str(Path(os.path.expanduser(entry)) / corpus / name)
        for entry in entries
    ]  # fmt: skip


def _copy(source: str, part: Path, most: int) -> bool:
    """Copy from a directory mirror. Returns False: nothing was resumed."""
    if os.path.exists(source) and not os.path.isfile(source):
        raise NoFile("not a file")  # opening a pipe would wait for ever
    with open(source, "rb") as stream:
        _save(part, iter(lambda: stream.read(CHUNK), b""), 0, os.fstat(stream.fileno()).st_size, None, most)
    return False


def _download(url: str, part: Path, most: int) -> bool:
    """Download, with retries. Returns whether it was resumed. A broken one leaves its part for the next try or run."""
    reason = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(BACKOFF * 2 ** (attempt - 1))
        try:
            return _request(url, part, most)
        except urllib3.exceptions.HTTPError as error:  # the connection broke in the middle of the file
            reason = _root_cause(error)
    raise NoFile(reason)


def _request(url: str, part: Path, most: int) -> bool:
    """One request, resuming `part` if it can be. Returns whether there was a resume, when `part` has all bytes.

    Raises NoFile for the server's refusal, requests' errors if there is no answer, urllib3's if the answer breaks off.
    """
    start, validator = _resume_point(part, url)
    headers = {"Accept-Encoding": "identity"}  # or lengths and .gz files would not be the publisher's
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with _answer(url, headers) as response:
        status, given = response.status_code, response.headers
        refusal = f"HTTP {status} {response.reason}"
        if status == 416 and start and given.get("Content-Range") == f"bytes */{start}":
            return True  # all bytes are here: an earlier run was stopped before the check
        if status in (206, 416):
            stated = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", given.get("Content-Range", ""))
            if not stated or int(stated[1]) != start or _validator(response) not in ("", validator):
                _discard(part)
                if start:
                    return _request(url, part, most)  # from the beginning
                raise NoFile(f"{refusal}, which is not the range asked for")
            total = int(stated[2])
        elif status == 200:
            length = given.get("Content-Length", "")
            start, total = 0, int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        else:
            raise NoFile(refusal)
        if given.get("Content-Type", "").lower().startswith("text/html"):
            raise NoFile(WEB_PAGE)
        note = {"url": _public(url), "validator": _validator(response) or validator}
        _save(part, _chunks(response), start, total, note, most)
    if total is not None and (size := part.stat().st_size) != total:
        raise urllib3.exceptions.ProtocolError(f"the connection ended after {size} of {total} bytes")
    return start > 0


def _answer(url: str, headers: dict[str, str]) -> requests.Response:
    """The response to a GET request, its body not yet read. Raises NoFile where even the headers take too long."""
    answer: Future[requests.Response] = Future()

    def ask() -> None:
        try:
            with requests.Session() as session:
                for scheme in ("http://", "https://"):
                    session.mount(scheme, HTTPAdapter(max_retries=RETRY))
                timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
                answer.set_result(session.get(url, headers=headers, stream=True, timeout=timeout))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    if not wait([answer], ANSWER_TIMEOUT).done:
        raise NoFile(f"no answer within {ANSWER_TIMEOUT:g} seconds")
    return answer.result()


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes. Raises NoFile if it comes too slowly to end."""
    since, size = time.monotonic(), 0
    # Not response.iter_content: it would unpack a .gz file sent with "Content-Encoding: gzip", and wait for whole
    # chunks.
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        yield chunk
        size += len(chunk)
        if (seconds := time.monotonic() - since) > SLOW_FOR:
            if size < SLOWEST * seconds:
                raise NoFile(f"the server sends less than {SLOWEST} bytes a second")
            since, size = time.monotonic(), 0


def _save(
    part: Path, chunks: Iterable[bytes], start: int, total: int | None, note: dict[str, str] | None, most: int
) -> None:
    """Write `chunks` to `part` from byte `start` on, down to the disk, with `note` beside it for a later resume.

    Raises WrongContent for more than `most` bytes, UserError where the disk refuses.
    """
    if total is not None and total > most:
        raise WrongContent(f"found {total} bytes, expected at most {most}")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        if not start:
            _discard(part)  # with its side file, which must never vouch for other bytes
        bar = tqdm(total=total, initial=start, desc=_name(part), unit="B", unit_scale=True, disable=None)
        size = start
        with bar, open(part, "ab" if start else "wb") as out:
            if note and note["validator"]:
                _side(part).write_text(json.dumps(note), encoding="utf-8")
            for chunk in chunks:
                size += len(chunk)
                if size > most:
                    _discard(part)
                    raise WrongContent(f"found more than {most} bytes")
                out.write(chunk)
                bar.update(len(chunk))
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        if note is None or error.errno in DISK_FULL:
            _discard(part)
        if error.errno in MACHINE:
            needed = f"; {_name(part)} needs {total} bytes" if total else ""
            raise UserError(one_line(f"cannot write into {part.parent}: {error.strerror}{needed}")) from None
        raise


def _resume_point(part: Path, url: str) -> tuple[int, str]:
    """The bytes that an earlier try got from `url` and the validator of that version; (0, "") to start over."""
    try:
        note = json.loads(_side(part).read_text(encoding="utf-8"))
        return (part.stat().st_size, note["validator"]) if note["url"] == _public(url) else (0, "")
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return 0, ""


def _validator(response: requests.Response) -> str:
    """What If-Range may name: a strong ETag, or else Last-Modified."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _root_cause(error: BaseException) -> str:
    """The text of the first error: "Connection refused" says more than the four lines wrapped around it."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__


def _discard(part: Path) -> None:
    for path in (part, _side(part)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):  # unlink(missing_ok=True) fails on a read-only disk even with nothing to do
            path.unlink()


def _side(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _name(part: Path) -> str:
    return part.name.removeprefix(".").removesuffix(".part")


def _is_url(place: str) -> bool:
    return place.lower().startswith(("http://", "https://"))


def _public(text: str) -> str:
    """`text` on one line, without the password of a mirror's URL."""
    return one_line(re.sub(r"://[^/@\s]*@", "://", text))
