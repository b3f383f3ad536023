"""Damaged data, odd tables, full disks, little memory, two processes at once."""

import io
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from attacks.archives import zipped
from attacks.base import BODY, MB, Attack, add, expect_error, forget, grown, mirror, obtain, one_line
from lcm.corpora import catalogue
from lcm.corpora.prepare import load, prepare
from lcm.errors import run_main
from lcm.files import new_folder
from lcm.params import Corpus


def prepared(folder: Path) -> Path:
    rows = "".join(f'{"ab"[n % 2]},"words w{n} of {n % 7}"\n' for n in range(60))
    (folder / "t.csv").write_text("label,text\n" + rows + "a,!\n")
    knobs = Corpus(path=str(folder / "t.csv"), text="text", label="label", language="en", tokens="words", empty="drop")
    prepare("mine", knobs, folder / "t.csv", folder / "mine", folder / "card.json")
    return folder / "mine"


def damaged(name: str, damage: Callable[[Path], None]) -> Attack:
    def attack(folder: Path) -> None:
        corpus = prepared(folder)
        load(corpus)
        damage(corpus / name)
        expect_error(lambda: load(corpus))

    return attack


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


class Evil:
    def __reduce__(self):
        return os.system, ("touch PWNED",)


for name in ("ids", "offsets", "labels", "kept"):
    for what, damage in {
        "cut": cut,
        "empty": lambda path: path.write_bytes(b""),
        "foreign": lambda path: path.write_bytes(os.urandom(500)),
        "a zip": lambda path: path.write_bytes(zipped(a=b"b")()),
        "a folder": replace_by_folder,
        "gone": lambda path: path.unlink(),
        "pickled": lambda path: np.save(path, np.array([Evil()], object), allow_pickle=True),
        "of no dimension": lambda path: np.save(path, np.int32(1)),
        "of two dimensions": lambda path: np.save(path, np.load(path)[None]),
        "of floats": lambda path: np.save(path, np.load(path).astype(float)),
        "reversed": lambda path: np.save(path, np.load(path)[::-1]),
        "longer": lambda path: np.save(path, np.append(np.load(path), np.load(path)[-1:])),
        "changed in one place": lambda path: np.save(path, np.load(path) ^ (np.arange(len(np.load(path))) == 1)),
        "a header of 2^60 items": lambda path: path.write_bytes(
            b"\x93NUMPY\1\0\x76\0"
            + b"{'descr': '<i4', 'fortran_order': False, 'shape': (1152921504606846976,), }".ljust(117)
            + b"\n"
        ),
    }.items():
        add("damaged", f"{name}.npy {what}", damaged(f"{name}.npy", damage))
for what, content in {
    "empty": "",
    "a list": "[]",
    "null": "null",
    "a number": "5",
    "cut": '{"kind": "te',
    "deep": "[" * 100_000,
    "no kind": "{}",
    "another kind": '{"kind": "sound", "labels": []}',
    "labels null": '{"kind": "text", "labels": null}',
    "not UTF-8": b"\xff\xfe",
    "labels of numbers": '{"kind": "text", "labels": [1, 2]}',
    "other labels": '{"kind": "text", "labels": ["b", "a"]}',
    "an image": '{"kind": "images", "labels": ["a", "b"]}',
    "NaN": "NaN",
}.items():
    add(
        "damaged",
        f"corpus.json {what}",
        damaged(
            "corpus.json",
            lambda path, content=content: path.write_bytes(content if isinstance(content, bytes) else content.encode()),
        ),
    )
add("damaged", "vocabulary.tsv changed", damaged("vocabulary.tsv", lambda path: path.write_text("x\t1\n")))
add("damaged", "a file more", damaged("more.npy", lambda path: path.write_bytes(b"x")))


def own_table(content: bytes | Callable[[], bytes], name: str = "t.csv", **change) -> Attack:
    def attack(folder: Path) -> None:
        (folder / name).write_bytes(content() if callable(content) else content)
        forget()
        knobs = {"path": str(folder / name), "text": "text", "label": "label", "language": "en"} | change
        expect_error(lambda: prepare("mine", Corpus(**knobs), folder / name, folder / "mine", folder / "card.json"))

    return attack


for what, content in {
    "empty": b"",
    "only a header": b"text,label\n",
    "zeros": bytes(1000),
    "random": os.urandom(5000),
    "latin-1": "text,label\né,a\n".encode("latin-1"),
    "UTF-16": "text,label\né,a\n".encode("utf-16"),
    "one line of 200 MB": lambda: b"text,label\n" + b"a" * 200 * MB,
    "unclosed": b'text,label\n"a,b\n',
    "one class": b"text,label\n" + b"a,b\n" * 5,
    "2000 classes": b"text,label\n" + b"".join(b"a,%d\n" % n for n in range(2000)),
    "a header of 10 MB": b"a" * 10 * MB + b",label\n",
    "10 000 columns": b",".join(b"c%d" % n for n in range(10_000)) + b"\n",
}.items():
    add("damaged", f"own table {what}", own_table(content))
add("damaged", "own table .gz that is none", own_table(b"text,label\n", "t.csv.gz"))
add("damaged", "own table .jsonl, deep", own_table(b"[" * 100_000, "t.jsonl"))
add(
    "damaged",
    "own table, a path of 300 letters",
    lambda folder: expect_error(
        lambda: prepare(
            "mine",
            Corpus(path="a" * 300, text=0, label=1, language="en"),
            Path("a" * 300),
            folder / "mine",
            folder / "card.json",
        )
    ),
)


def stopped(work: Callable[[], object]) -> None:
    """`work` under run_main ends with one line and exit status 1."""
    caught = io.StringIO()
    sys.stderr = caught
    try:
        run_main(work)
    except SystemExit as end:
        assert end.code == 1, end.code
        one_line(caught.getvalue().rstrip("\n"))
        assert caught.getvalue().startswith("error: ")
    else:
        raise AssertionError("no error")


def full_disk(folder: Path) -> None:
    corpus = prepared(folder)
    before = {path.name: path.read_bytes() for path in corpus.iterdir()}
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    stopped(lambda: prepared_again(folder))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert {path.name: path.read_bytes() for path in corpus.iterdir()} == before, "what was there is damaged"
    prepared_again(folder)  # and goes on when there is room


def prepared_again(folder: Path) -> None:
    knobs = Corpus(path=str(folder / "t.csv"), text="text", label="label", language="en", empty="drop")
    prepare("mine", knobs, folder / "t.csv", folder / "mine", folder / "card.json")


def full_disk_of_a_download(folder: Path) -> None:
    mirror(folder, BODY)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    stopped(lambda: obtain(folder))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    obtain(folder)


def file_for_folder(folder: Path) -> None:
    prepared(folder)
    (folder / "file").write_text("")
    knobs = Corpus(path=str(folder / "t.csv"), text="text", label="label", language="en", empty="drop")
    stopped(lambda: prepare("mine", knobs, folder / "t.csv", folder / "file/mine", folder / "card.json"))


def no_memory(folder: Path) -> None:
    def work() -> None:
        raise MemoryError

    stopped(work)


def large_own_table(folder: Path) -> None:
    """40 MB of text need at most twice that above what the process has anyway; MOST_MEMORY is far above, so measured
    here.
    """
    line = "the quick brown fox jumps over the lazy dog and runs into the woods again " * 5
    with open(folder / "t.csv", "w") as file:
        file.write("text,label\n")
        for n in range(40 * MB // (len(line) + 8)):
            file.write(f"{line}{n},{'ab'[n % 2]}\n")
    knobs = Corpus(path=str(folder / "t.csv"), text="text", label="label", language="en")
    forget()
    prepare("mine", knobs, folder / "t.csv", folder / "mine", folder / "card.json")
    assert grown() < 2 * (folder / "t.csv").stat().st_size, f"{grown() / MB:.0f} MB for a table of 40 MB"


def both(work: Callable[[Path], object]) -> Attack:
    def attack(folder: Path) -> None:
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=work, args=(folder,)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(50)
        assert [process.exitcode for process in processes] == [0, 0, 0], "one of three failed"
        assert not list(folder.rglob(".*.lock")), "a lock was left"

    return attack


def fetch_digits(folder: Path) -> None:
    catalogue.fetch("digits", folder / "raw")
    assert [path.name for path in (folder / "raw").iterdir()] == ["digits.csv.gz"]


def fetch_big(folder: Path) -> None:
    os.environ["LCM_MIRRORS"] = str(folder / "mirror")
    time.sleep(0.05)
    obtain(folder)


def two_fetches(folder: Path) -> None:
    mirror(folder, BODY)
    both(fetch_big)(folder)


def killed(folder: Path) -> None:
    """A process is killed with its lock in hand; the next one does not wait for it."""

    def hold() -> None:
        with new_folder(folder / "mine"):
            (folder / "held").write_text("")
            time.sleep(60)

    process = multiprocessing.get_context("fork").Process(target=hold)
    process.start()
    while not (folder / "held").exists():
        time.sleep(0.01)
    process.kill()
    process.join()
    load(prepared(folder))
    assert not list(folder.glob(".*")), "something was left"


add("machine", "a full disk, prepare", full_disk)
add("machine", "a full disk, download", full_disk_of_a_download)
add("machine", "a file in place of a folder", file_for_folder)
add("machine", "no memory", no_memory)
add("machine", "an own table of 40 MB", large_own_table)
add("machine", "three fetches at once, embedded", both(fetch_digits))
add("machine", "three fetches at once", two_fetches)
add(
    "machine",
    "three prepares at once",
    lambda folder: (prepared(folder), both(prepared_again)(folder), load(folder / "mine")),
)
add("machine", "killed with the lock", killed)
