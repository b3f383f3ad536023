"""Downloads against a real server on the loopback interface that misbehaves in every way a real one does."""

import errno
import gzip
import hashlib
import io
import json
import os
import random
import socket
import struct
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lcm.archives import safe_members
from lcm.corpora import download
from lcm.corpora.download import RemoteFile, content_digest, obtain
from lcm.errors import Unavailable, UserError, WrongContent

NAME = "news.tar.gz"
BODY = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)  # the right size, the wrong file
SHA = "sha256:" + hashlib.sha256(BODY).hexdigest()
SHA_OTHER = "sha256:" + hashlib.sha256(OTHER).hexdigest()
FLIPPED = BODY[:1000] + bytes([BODY[1000] ^ 1]) + BODY[1001:]


class Server:
    """Answers the n-th request for a path with the n-th answer scripted for it (the last one repeats). `log` holds
    (path, headers) of every request; `early` whether the finished name was there when one more request was made."""

    def __init__(self, finished: Path):
        self.script, self.log, self.early, self.finished = {}, [], False, finished
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.early |= server.finished.exists()
                server.log.append((self.path, dict(self.headers)))
                answers = server.script.get(self.path, [status(404)])
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def log_message(self, *args):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.owner = self
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.base = f"http://127.0.0.1:{self.httpd.server_port}"

    def serve(self, path: str, *answers) -> str:
        self.script[path] = list(answers)
        return self.base + path

    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.log]

    def close(self):
        self.over.set()
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()


def send_head(h, code, headers):
    h.send_response(code)
    for key, value in headers.items():
        h.send_header(key, value)
    h.end_headers()


def status(code, body=b"", **headers):
    def answer(h):
        fields = {"Content-Length": str(len(body))} | {key.replace("_", "-"): value for key, value in headers.items()}
        send_head(h, code, fields)
        h.wfile.write(body)

    return answer


def whole(body=BODY, etag='"v1"', stop=None, end="close", kind="application/gzip", **headers):
    """An honest server with ranges; with `stop`, it breaks off after that many bytes: close, reset or stall."""

    def answer(h):
        asked = h.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and h.headers.get("If-Range") == etag else 0
        if start >= len(body):
            return send_head(h, 416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
        fields = {"Content-Length": str(len(body) - start), "Content-Type": kind} | headers
        if etag:
            fields["ETag"] = etag
        if start:
            fields["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        send_head(h, 206 if start else 200, fields)
        h.wfile.write(body[start : len(body) if stop is None else start + stop])
        if stop is None:
            return
        if end == "stall":
            h.server.owner.over.wait(10)
        if end == "reset":
            part = h.server.owner.finished.with_name(f".{NAME}.part")
            deadline = time.monotonic() + 5  # a reset throws away what the client has not read: let it read first
            while not (part.exists() and part.stat().st_size > stop // 2) and time.monotonic() < deadline:
                time.sleep(0.005)
            h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            h.rfile.close()
            h.connection.close()

    return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(download, "BACKOFF", 0.01)
    monkeypatch.setattr(download, "RETRY", download.RETRY.new(backoff_factor=0.01, backoff_jitter=0))
    monkeypatch.setattr(download, "READ_TIMEOUT", 5.0)
    monkeypatch.setattr(download, "CHUNK", 4096)
    monkeypatch.delenv("LCM_MIRRORS", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "raw" / "20ng"


@pytest.fixture
def server(folder):
    server = Server(folder / NAME)
    yield server
    server.close()
    assert not server.early, "the finished name existed before the download was over"


def good(folder, expected=BODY):
    """The finished file, and nothing but it."""
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).read_bytes() == expected


def fails(folder, *urls, checksum=SHA, verify=None, left=()) -> str:
    """The message of a download that has to fail: one line, no finished file, nothing beside it but `left`."""
    with pytest.raises(UserError) as caught:
        obtain("20ng", RemoteFile(NAME, urls, checksum), folder, verify)
    message = str(caught.value)
    assert "\n" not in message and message.isprintable()
    assert sorted(path.name for path in folder.glob("*")) == sorted(left)
    return message


def get(folder, *urls, checksum=SHA, verify=None) -> str:
    return obtain("20ng", RemoteFile(NAME, urls, checksum), folder, verify)


PART, SIDE = f".{NAME}.part", f".{NAME}.part.json"


# --- broken connections ---


@pytest.mark.parametrize("end", ["close", "reset", "stall"])
def test_broken_off_then_resumed(server, folder, monkeypatch, end):
    if end == "stall":
        monkeypatch.setattr(download, "READ_TIMEOUT", 0.5)
    url = server.serve("/f", whole(stop=100_000, end=end), whole())
    begun = time.monotonic()
    assert get(folder, url) == url
    assert time.monotonic() - begun < 5
    good(folder)
    first, second = server.ranges()
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 100_000
    assert server.log[1][1]["If-Range"] == '"v1"'
    assert all(headers["Accept-Encoding"] == "identity" for _, headers in server.log)


def test_last_modified_serves_where_there_is_no_strong_etag(server, folder):
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    headers = {"Last-Modified": date}
    url = server.serve("/f", whole(etag='W/"1"', stop=100_000, **headers), whole(etag=date))
    get(folder, url)
    good(folder)
    assert server.log[1][1]["If-Range"] == date


def test_without_validator_starts_over(server, folder):
    url = server.serve("/f", whole(etag=None, stop=100_000), whole(etag=None))
    get(folder, url)
    good(folder)
    assert server.ranges() == [None, None]


def test_gives_up_after_four_tries_and_the_next_run_resumes(server, folder):
    url = server.serve("/f", whole(stop=50_000), whole(stop=0), whole(stop=0), whole(stop=0), whole())
    message = fails(folder, url, left=[PART, SIDE])
    assert len(server.log) == 4
    assert url in message and NAME in message
    get(folder, url)
    good(folder)
    assert server.ranges()[-1].startswith("bytes=") and len(server.log) == 5


def test_unreachable_place_keeps_the_part_of_another(server, folder):
    url = server.serve("/f", *[whole(stop=20_000)] * 4)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/f"  # bound, never listens
        message = fails(folder, url, dead, left=[PART, SIDE])
    assert "refused" in message and "HTTPConnectionPool" not in message
    assert (folder / PART).read_bytes() == BODY[: (folder / PART).stat().st_size]


def test_server_changed_the_file_between_tries(server, folder):
    url = server.serve("/f", whole(OTHER, '"old"', stop=100_000), whole(BODY, '"new"'))
    get(folder, url)
    good(folder)
    assert server.log[1][1]["If-Range"] == '"old"'


def test_server_that_ignores_if_range_is_noticed_by_its_etag(server, folder):
    def range_of_another_version(h):
        h.headers.replace_header("If-Range", '"new"')
        whole(BODY, '"new"')(h)

    url = server.serve("/f", whole(OTHER, '"old"', stop=100_000), range_of_another_version, whole(BODY, '"new"'))
    get(folder, url, checksum=None)
    good(folder)
    assert server.ranges()[2] is None


def test_unexpected_content_range_starts_over(server, folder):
    shifted = status(206, BODY[5:], Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}", ETag='"v1"')
    url = server.serve("/f", whole(stop=100_000), shifted, whole())
    get(folder, url)
    good(folder)
    assert server.ranges()[2] is None


def test_shorter_range_than_asked_for_goes_on(server, folder):
    def short(h):
        start = int(h.headers["Range"].removeprefix("bytes=").rstrip("-"))
        about = f"bytes {start}-{start + 999}/{len(BODY)}"
        status(206, BODY[start : start + 1000], Content_Range=about, ETag='"v1"')(h)

    url = server.serve("/f", whole(stop=100_000), short, whole())
    get(folder, url, checksum=None)
    good(folder)
    second, third = (int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.ranges()[1:])
    assert third == second + 1000


def leave_part(folder, content, url, validator='"v1"'):
    folder.mkdir(parents=True)
    (folder / PART).write_bytes(content)
    (folder / SIDE).write_text(json.dumps({"url": url, "validator": validator}))


def test_complete_part_of_a_stopped_run_is_not_fetched_again(server, folder):
    url = server.serve("/f", whole())
    leave_part(folder, BODY, url)
    get(folder, url)
    good(folder)
    assert len(server.log) == 1  # answered 416


def test_too_long_part_starts_over(server, folder):
    url = server.serve("/f", whole())
    leave_part(folder, BODY + b"x", url)
    get(folder, url)
    good(folder)


def test_damaged_part_starts_over(server, folder):
    url = server.serve("/f", whole())
    leave_part(folder, bytes(100_000), url)
    get(folder, url)
    good(folder)
    assert server.ranges() == ["bytes=100000-", None]


@pytest.mark.parametrize("side", ["", "[]", '{"url": 1}', '{"url": "http://elsewhere/f", "validator": "\\"v1\\""}'])
def test_part_of_unknown_origin_is_not_resumed(server, folder, side):
    url = server.serve("/f", whole())
    leave_part(folder, BODY[:1000], url)
    (folder / SIDE).write_text(side)
    get(folder, url)
    good(folder)
    assert server.ranges() == [None]


def test_interrupted_copy_is_never_taken_for_a_download(server, folder, tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    url = server.serve("/f", whole())
    leave_part(folder, BODY[:1000], url)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(download.os, "fsync", stop)
        patch.setenv("LCM_MIRRORS", str(mirror(tmp_path / "m", OTHER)))
        get(folder, url)
    assert not (folder / SIDE).exists()
    get(folder, url)
    good(folder)
    assert server.ranges() == [None]


# --- answers that are not the file ---


def test_flipped_bit_then_another_place(server, folder):
    bad, right = server.serve("/bad", whole(FLIPPED)), server.serve("/good", whole())
    line = get(folder, bad, right)
    assert line.startswith(right) and bad in line and "\n" not in line
    good(folder)
    assert len(server.log) == 2  # wrong content is not asked for again


def test_all_wrong_says_found_and_expected(server, folder):
    message = fails(folder, server.serve("/a", whole(FLIPPED)), server.serve("/b", whole(OTHER)))
    for words in (hashlib.sha256(FLIPPED).hexdigest(), SHA_OTHER, f"expected {SHA}", "/a: found", "; ", "/b: found"):
        assert words in message


def test_md5_and_capitals(server, folder):
    get(folder, server.serve("/f", whole()), checksum="md5:" + hashlib.md5(BODY).hexdigest().upper())
    good(folder)


def test_out_of_reach_is_another_thing_than_wrong(server, folder, monkeypatch, tmp_path):
    """What cannot be reached is a gap, and the study goes on without it; what is wrong stops it."""

    def error(*answers) -> type:
        with pytest.raises(UserError) as caught:
            obtain(
                "20ng",
                RemoteFile(NAME, tuple(server.serve(f"/{n}", answer) for n, answer in enumerate(answers)), SHA),
                folder,
                None,
            )
        return caught.type

    page = whole(b"<html>Sign in to this network</html>", kind="application/gzip")
    for reason in (status(404), status(503), page, whole(b""), whole(kind="text/html")):
        assert error(reason) is Unavailable
    assert error(status(404), whole(OTHER)) is error(whole(FLIPPED), page) is UserError
    with pytest.raises(Unavailable, match="Connection refused"):
        obtain("20ng", RemoteFile(NAME, ("http://127.0.0.1:9/f",), SHA), folder, None)


def test_web_page_with_status_200(server, folder):
    page = whole(b"<!DOCTYPE html><html>Log in</html>", kind="text/html; charset=utf-8")
    message = fails(folder, server.serve("/f", page), checksum=None)
    assert "a web page came instead of the file" in message
    disguised = whole(b"\n<html>Log in</html>", kind="application/octet-stream")
    assert "web page" in fails(folder, server.serve("/f", disguised), checksum=None)


def test_empty_file(server, folder):
    assert "empty" in fails(folder, server.serve("/f", status(200)), checksum=None)


def test_neither_checksum_nor_verify_takes_what_comes(server, folder):
    get(folder, server.serve("/f", whole(OTHER)), checksum=None)
    good(folder, OTHER)


@pytest.mark.parametrize("code", [403, 404, 202])
def test_refusal_goes_to_the_next_place_at_once(server, folder, code):
    gone, right = server.serve("/gone", status(code)), server.serve("/good", whole())
    assert f"HTTP {code}" in get(folder, gone, right)
    good(folder)
    assert [path for path, _ in server.log] == ["/gone", "/good"]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_busy_then_success(server, folder, code):
    url = server.serve("/f", status(code), whole())
    get(folder, url)
    good(folder)
    assert len(server.log) == 2


def test_waiting_is_bounded(server, folder, monkeypatch):
    monkeypatch.setattr(download, "RETRY", download.RETRY.new(retry_after_max=0))
    assert download.RETRY.status == 3 and "HTTP 503" in fails(
        folder, server.serve("/f", status(503, Retry_After="99999"))
    )
    assert len(server.log) == 4


def test_redirect(server, folder):
    server.serve("/real", whole())
    url = server.serve("/f", status(302, Location="/real"))
    assert get(folder, url) == url
    good(folder)


def test_endless_redirect_is_one_reason(server, folder):
    assert "redirects" in fails(folder, server.serve("/f", status(302, Location="/f")))


def test_gz_sent_with_content_encoding_stays_packed(server, folder):
    packed = gzip.compress(BODY)
    url = server.serve("/f", whole(packed, **{"Content-Encoding": "gzip"}))
    get(folder, url, checksum="sha256:" + hashlib.sha256(packed).hexdigest())
    good(folder, packed)


# --- content, not containers ---


def archive(*members: tuple[str, bytes], level=9, **odd) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=level) as tar:
        for name, text in members:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
        if odd:
            info = tarfile.TarInfo("odd")
            for key, value in odd.items():
                setattr(info, key, value)
            tar.addfile(info)
    return out.getvalue()


POSTS = (("train/rec.autos/1", b"a car"), ("train/sci.space/2", b"a rocket"))
DIGEST = content_digest([("rec.autos", b"a car"), ("sci.space", b"a rocket")])


def verify_posts(path: Path) -> None:
    assert path.name == PART or path.name == NAME
    with tarfile.open(path) as tar:
        digest = content_digest((post.name.split("/")[1], tar.extractfile(post).read()) for post in safe_members(tar))
    if digest != DIGEST:
        raise WrongContent(f"found content {digest},\nexpected {DIGEST}")


def test_wrong_bytes_right_content(server, folder):
    repacked = archive(*reversed(POSTS), level=1)
    get(folder, server.serve("/f", whole(repacked)), verify=verify_posts)
    good(folder, repacked)


def test_checksum_alone_is_enough(server, folder):
    def never(path):
        raise WrongContent("not asked")

    get(folder, server.serve("/f", whole()), verify=never)
    good(folder)


def test_verified_before_it_gets_its_name(server, folder):
    seen = []

    def verify(path):
        seen.append((path.name, (folder / NAME).exists(), path.read_bytes() == OTHER, path.stat().st_ino))

    get(folder, server.serve("/f", whole(OTHER)), verify=verify)
    assert seen == [(PART, False, True, (folder / NAME).stat().st_ino)]  # renamed, not written a second time


def test_wrong_content_in_a_sound_archive(server, folder):
    message = fails(folder, server.serve("/f", whole(archive(POSTS[0]))), verify=verify_posts)
    assert "found content sha256:" in message and f"expected {DIGEST}" in message


@pytest.mark.parametrize(
    "packed",
    [BODY, archive(*POSTS)[:-40], gzip.compress(b"not a tar"), archive(*POSTS)[:60] + b"\0\0\0" + archive(*POSTS)[63:]],
    ids=["noise", "cut short", "no tar", "damaged"],
)
def test_unreadable_archive_is_a_reason_not_a_traceback(server, folder, packed):
    message = fails(folder, server.serve("/f", whole(packed)), checksum="sha256:00", verify=verify_posts)
    assert "cannot be read (" in message and "expected sha256:00" in message


@pytest.mark.parametrize("error", [UnicodeDecodeError("gb18030", b"\xff", 0, 1, "bad"), KeyError("x"), EOFError()])
def test_parse_errors_of_verify(server, folder, error):
    def verify(path):
        raise error

    assert type(error).__name__ in fails(folder, server.serve("/f", whole()), checksum=None, verify=verify)


@pytest.mark.parametrize(
    "hostile",
    [
        archive(("../evil", b"x")),
        archive(("train/../../evil", b"x")),
        archive(("/etc/evil", b"x")),
        archive(*POSTS, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        archive(*POSTS, type=tarfile.LNKTYPE, linkname="../x"),
        archive(*POSTS, type=tarfile.CHRTYPE),
        archive(*POSTS, type=tarfile.FIFOTYPE),
        archive(type=tarfile.DIRTYPE, name="../up"),
    ],
    ids=["up", "up inside", "absolute", "symlink", "hardlink", "device", "fifo", "folder up"],
)
def test_hostile_archive(server, folder, hostile):
    message = fails(folder, server.serve("/f", whole(hostile)), checksum=None, verify=verify_posts)
    assert "evil" in message or "odd" in message or "../up" in message


def test_safe_members_skips_folders():
    packed = archive(*POSTS, type=tarfile.DIRTYPE)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert [member.name for member in safe_members(tar)] == [name for name, _ in POSTS]


def test_content_digest():
    rows = [("a", b"1"), ("b", b"2"), ("a", b"1")]
    row = [hashlib.sha256(text).digest() for text in (b"a\0" + b"1", b"a\0" + b"1", b"b\0" + b"2")]
    expected = "sha256:" + hashlib.sha256(b"".join(sorted(row))).hexdigest()
    assert content_digest(rows) == content_digest(reversed(rows)) == expected
    for different in (rows[:2], [("a", b"2"), ("b", b"1"), ("a", b"1")], [("é", b"1")], []):
        assert content_digest(different) != content_digest(rows)


# --- mirrors ---


def mirror(root: Path, content: bytes) -> Path:
    (root / "20ng").mkdir(parents=True)
    (root / "20ng" / NAME).write_bytes(content)
    return root


def test_directory_mirror_is_copied(server, folder, tmp_path, monkeypatch, capfd):
    source = mirror(tmp_path / "m", BODY) / "20ng" / NAME
    monkeypatch.setenv("LCM_MIRRORS", str(tmp_path / "m"))
    assert get(folder, server.serve("/f", whole())) == str(source)
    good(folder)
    assert source.read_bytes() == BODY and not os.path.samefile(source, folder / NAME)
    assert not server.log
    assert capfd.readouterr() == ("", "")  # no progress bar into a pipe, nothing printed


def test_mirrors_come_first_and_in_order(server, folder, tmp_path, monkeypatch):
    wrong = mirror(tmp_path / "wrong", OTHER)
    server.serve(f"/sub/20ng/{NAME}", status(404))
    server.serve(f"/20ng/{NAME}", whole())
    monkeypatch.setenv("LCM_MIRRORS", f"{tmp_path / 'none'}:{wrong}:{server.base}/sub/:{server.base}")
    line = get(folder, server.serve("/public", whole()))
    good(folder)
    assert line.startswith(f"{server.base}/20ng/{NAME} (passed over ")
    assert line.index("/none/") < line.index(SHA_OTHER) < line.index("HTTP 404") and "\n" not in line
    assert [path for path, _ in server.log] == [f"/sub/20ng/{NAME}", f"/20ng/{NAME}"]
    assert (wrong / "20ng" / NAME).read_bytes() == OTHER


def test_all_places_are_named(server, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("LCM_MIRRORS", f"{mirror(tmp_path / 'wrong', OTHER)}:{tmp_path / 'none'}")
    message = fails(folder, server.serve("/f", status(404)))
    for words in (SHA_OTHER, "No such file", "HTTP 404", str(tmp_path / "none"), server.base + "/f", "by hand"):
        assert words in message


def test_no_place_at_all(folder):
    assert fails(folder) == f"cannot get {NAME}: no public address is known" and not folder.exists()


def test_mirrors_are_split_at_the_right_colons(monkeypatch):
    monkeypatch.setenv(
        "LCM_MIRRORS",
        "/a:rel/b:http://h:8080:https://h/p/q:/c:HTTP://me:pw@h:81/x/:http://[::1]:80:http://h:8080/y:~/d::/e:",
    )
    assert download._mirror_places("c d", "n") == [
        "/a/c d/n",
        "rel/b/c d/n",
        "http://h:8080/c%20d/n",
        "https://h/p/q/c%20d/n",
        "/c/c d/n",
        "HTTP://me:pw@h:81/x/c%20d/n",
        "http://[::1]:80/c%20d/n",
        "http://h:8080/y/c%20d/n",
        f"{Path.home()}/d/c d/n",
        "/e/c d/n",
    ]


def test_password_of_a_mirror_is_not_shown(server, folder, monkeypatch):
    server.serve(f"/20ng/{NAME}", whole(OTHER), *[whole(stop=0)] * 4, whole())
    monkeypatch.setenv("LCM_MIRRORS", server.base.replace("://", "://me:secret@"))
    assert "secret" not in fails(folder)
    assert "Authorization" in server.log[0][1]
    fails(folder, left=[PART, SIDE])
    assert "secret" not in (folder / SIDE).read_text()
    assert "secret" not in get(folder)
    good(folder)


# --- what lies there already, and disks that refuse ---


def test_already_there(server, folder):
    leave_part(folder, b"left over", "http://x/f")
    (folder / NAME).write_bytes(BODY)
    before = (folder / NAME).stat()
    assert get(folder, server.serve("/f", whole())) == "already there"
    good(folder)
    assert not server.log and (folder / NAME).stat() == before


def test_wrong_file_placed_by_hand_is_kept(server, folder):
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(OTHER)
    message = fails(folder, server.serve("/f", whole()), left=[NAME])
    assert (folder / NAME).read_bytes() == OTHER and not server.log
    for words in (str(folder / NAME), SHA_OTHER, f"expected {SHA}", "delete it, or replace it"):
        assert words in message


def test_dangling_link_and_folder_are_kept_too(server, folder):
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to(folder / "unmounted")
    assert "delete it, or replace it" in fails(folder, server.serve("/f", whole()), left=[NAME])
    assert (folder / NAME).is_symlink()
    (folder / NAME).unlink()
    (folder / NAME).mkdir()
    assert "delete it, or replace it" in fails(folder, server.serve("/f", whole()), left=[NAME])


@pytest.mark.parametrize("place", ["url", "mirror"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_disk_refuses(server, folder, tmp_path, monkeypatch, place, code):
    def refuse(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(download.os, "fsync", refuse)
    if place == "mirror":
        monkeypatch.setenv("LCM_MIRRORS", str(mirror(tmp_path / "m", BODY)))
    kept = [PART, SIDE] if place == "url" and code != errno.ENOSPC else []
    message = fails(folder, server.serve("/f", whole()), server.serve("/g", whole()), left=kept)
    assert str(folder) in message and str(len(BODY)) in message and os.strerror(code) in message
    assert len(server.log) == (place == "url")  # another place would not help


def test_disk_full_in_the_middle(server, folder, monkeypatch):
    class Full:
        def __init__(self, *args, **kwargs):
            self.left = 10

        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def update(self, count):
            self.left -= 1
            if not self.left:
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "tqdm", Full)
    assert "No space left" in fails(folder, server.serve("/f", whole()))


def test_folder_is_a_file(server, folder):
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    assert str(folder) in fails(folder, server.serve("/f", whole()))


def test_stopped_by_the_user_then_resumed(server, folder, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    url = server.serve("/f", whole(stop=100_000), whole())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(download.time, "sleep", stop)
        get(folder, url)
    assert sorted(path.name for path in folder.iterdir()) == [PART, SIDE]
    get(folder, url)
    good(folder)
    assert server.ranges()[1] is not None
