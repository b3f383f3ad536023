"""Servers that misbehave, and odd things in mirrors and in the folder of a download."""

import gzip
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from attacks.base import BODY, MB, Attack, add, expect_error, mirror, obtain
from lcm.corpora import download


def server(answer: bytes | Callable[[socket.socket], None]) -> str:
    """Start a server that answers every request with these bytes, or as the function does; returns its URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listening.accept()
            with connection:
                try:
                    connection.recv(65536)
                    answer(connection) if callable(answer) else connection.sendall(answer)
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/file.bin"


SHA = "sha256:" + "0" * 64  # of nothing here: all answers are wrong


def reply(body: bytes = BODY, status: str = "200 OK", length: str | None = "right", **headers: str) -> bytes:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if length:
        fields["Content-Length"] = str(len(body)) if length == "right" else length
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    return head.encode("utf-8" if "℀" in head else "latin-1") + body


def slow_body(connection: socket.socket) -> None:
    connection.sendall(reply(b"", length="100000"))
    for _ in range(1000):
        connection.sendall(b"x")
        time.sleep(0.05)


def slow_headers(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def endless(connection: socket.socket) -> None:
    connection.sendall(reply(b"", length=None))
    while True:
        connection.sendall(BODY)


def fetch_from(answer) -> Attack:
    def attack(folder: Path) -> None:
        download.RETRY = download.RETRY.new(backoff_factor=0, backoff_jitter=0, total=1)
        download.BACKOFF, download.TRIES, download.READ_TIMEOUT = 0.0, 2, 2.0
        download.ANSWER_TIMEOUT, download.SLOW_FOR = 2.0, 1.0
        file = download.RemoteFile("file.bin", (server(answer),), SHA, most=MB)
        expect_error(lambda: download.obtain("corpus", file, folder / "raw", None))
        assert not (folder / "raw/file.bin").exists(), "a wrong file got its name"

    return attack


for target in (
    "http://[",
    "http://[::1",
    "//[x]/",
    "http://\xff\xfe/",
    "http://℀/",
    "ftp://x/",
    "file:///etc/passwd",
    ":",
):
    add("servers", f"redirect to {target!r}", fetch_from(reply(b"", "302 Found", Location=target)))
for length in ("\xb2", "9" * 5000, "-5", "1e9", "0x10", " ", "1,2", "99999999999"):
    add("servers", f"Content-Length {length[:20]!r}", fetch_from(reply(length=length)))
for stated in ("bytes 0-1/" + "9" * 5000, "bytes " + "9" * 5000 + "-1/2", "bytes */*", "x", "bytes 0--1/-5"):
    add(
        "servers",
        f"Content-Range {stated[:20]!r}",
        fetch_from(reply(status="206 Partial Content", Content_Range=stated)),
    )
for size in ("-5", "zz", "f" * 5000, "7fffffffffffffff", ""):
    chunk = f"{size}\r\nhello\r\n0\r\n\r\n".encode()
    add("servers", f"chunk of size {size[:20]!r}", fetch_from(reply(chunk, length=None, Transfer_Encoding="chunked")))
for name, answer in {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "garbage": os.urandom(5000),
    "status 99999999": b"HTTP/1.1 99999999 X\r\n\r\n",
    "status text": b"HTTP/1.1 abc\r\n\r\n",
    "100 000 headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000 + b"\r\n",
    "a header of 10 MB": b"HTTP/1.1 200 OK\r\na: " + b"b" * 10 * MB + b"\r\n\r\n",
    "a web page": reply(b"<html>sign in</html>"),
    "an empty file": reply(b""),
    "a file packed twice": reply(gzip.compress(BODY), Content_Encoding="gzip"),
    "an unknown Content-Encoding": reply(Content_Encoding="x-secret"),
    "a bomb as Content-Encoding": reply(gzip.compress(bytes(50 * MB)), Content_Encoding="gzip"),
    "Retry-After for ever": reply(status="503 Busy", Retry_After="999999999999"),
    "Retry-After nonsense": reply(status="429 Busy", Retry_After="soon"),
    "a body without end": endless,
    "a byte now and then": slow_body,
    "a header's byte now and then": slow_headers,
    "silence": lambda connection: time.sleep(30),
}.items():
    add("servers", name, fetch_from(answer))
for code in (204, 206, 301, 304, 400, 401, 403, 404, 407, 410, 416, 418, 500, 502, 503, 504):
    add("servers", f"status {code}", fetch_from(reply(b"", f"{code} Status")))
for tenth in range(10):
    end = len(BODY) * tenth // 10
    add("servers", f"cut at {tenth}/10", fetch_from(reply()[: len(reply()) - len(BODY) + end]))
    flipped = BODY[:end] + bytes([BODY[end] ^ 1]) + BODY[end + 1 :]
    add("servers", f"a bit flipped at {tenth}/10", fetch_from(reply(flipped)))


def mirror_pipe(folder: Path) -> None:
    os.environ["LCM_MIRRORS"] = str(folder / "mirror")
    (folder / "mirror/corpus").mkdir(parents=True)
    os.mkfifo(folder / "mirror/corpus/file.bin")
    expect_error(lambda: obtain(folder))


def mirrors(value: str) -> Attack:
    def attack(folder: Path) -> None:
        os.environ["LCM_MIRRORS"] = value
        expect_error(lambda: obtain(folder))

    return attack


def lies_there(make: Callable[[Path], None], good: bool = True) -> Attack:
    """Something odd lies in the folder; the good file comes from a mirror, or is refused."""

    def attack(folder: Path) -> None:
        mirror(folder, BODY)
        (folder / "raw").mkdir()
        (folder / "victim").write_text("precious")
        make(folder / "raw")
        if good:
            obtain(folder)
            assert (folder / "raw/file.bin").read_bytes() == BODY
        else:
            expect_error(lambda: obtain(folder))
        assert (folder / "victim").read_text() == "precious"

    return attack


add("mirrors", "a pipe", mirror_pipe)
for value in (
    "~nosuch/x",
    ":",
    "::",
    "http://",
    "https://[",
    "a" * 5000,
    "/dev/null",
    "/proc/self/mem",
    "http://x:y:z",
):
    add("mirrors", f"LCM_MIRRORS={value[:20]!r}", mirrors(value))
add("mirrors", "a folder as part", lies_there(lambda raw: (raw / ".file.bin.part").mkdir()))
add("mirrors", "a link as part", lies_there(lambda raw: (raw / ".file.bin.part").symlink_to(raw.parent / "victim")))
add("mirrors", "a dangling link as part", lies_there(lambda raw: (raw / ".file.bin.part").symlink_to("/tmp/nowhere/x")))
add("mirrors", "a deep side file", lies_there(lambda raw: (raw / ".file.bin.part.json").write_text("[" * 100_000)))
add("mirrors", "a folder as side file", lies_there(lambda raw: (raw / ".file.bin.part.json").mkdir()))
add("mirrors", "a folder as the file", lies_there(lambda raw: (raw / "file.bin").mkdir(), good=False))
add("mirrors", "a dangling link as the file", lies_there(lambda raw: (raw / "file.bin").symlink_to("x"), good=False))
add(
    "mirrors",
    "a file that is too long",
    lambda folder: (mirror(folder, bytes(2 * MB)), expect_error(lambda: obtain(folder))),
)
