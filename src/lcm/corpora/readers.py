"""One reader per format. A reader takes the folder of verified originals and the corpus' knobs, and returns texts or images."""

import csv
import gzip
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lcm.corpora.download import WrongContent, safe_members
from lcm.params import Corpus


@dataclass(frozen=True)
class Texts:
    """texts and labels run in parallel; documents in an order that depends on the content only."""

    texts: list[str]
    labels: list[str]


@dataclass(frozen=True)
class Images:
    """pixels: (n, side, side) uint8. labels run in parallel."""

    pixels: np.ndarray
    labels: list[str]


def newsgroup_posts(archive: Path) -> Iterator[tuple[str, str, bytes]]:
    """The posts of 20news-bydate.tar.gz as (group, name within the archive, bytes), in archive order."""
    with tarfile.open(archive, "r|gz") as tar:
        for member in safe_members(tar):
            parts = member.name.removeprefix("./").split("/")
            if len(parts) != 3 or not parts[0].startswith("20news-bydate-"):
                raise WrongContent(f"found {member.name!r}, expected 20news-bydate-(train|test)/<group>/<number>")
            yield parts[1], "/".join(parts), tar.extractfile(member).read()


def read_newsgroups(folder: Path, knobs: Corpus) -> Texts:
    """20 Newsgroups, bydate: train and test merged, in the text form asked for (`text_form`)."""
    posts = sorted(
        (name, group, content)
        for group, name, content in tqdm(newsgroup_posts(folder / "20news-bydate.tar.gz"), "reading posts", disable=None)
    )
    form = {"raw": str, "allterms": subject_and_body, "stripped": stripped_body}[knobs.text_form or "allterms"]
    return Texts([form(content.decode("latin-1")) for _, _, content in posts], [group for _, group, _ in posts])


def subject_and_body(post: str) -> str:
    """The subject line's text and everything after the header."""
    header, _, body = post.partition("\n\n")
    subject = re.search(r"^Subject:(.*)$", header, re.MULTILINE | re.IGNORECASE)
    return f"{subject[1] if subject else ''}\n{body}"


# A quoted line, or the line that announces a quotation ("In article <id> somebody writes:").
QUOTE = re.compile(r"^\s*[>|:}]|^\s*In article\b|\b(writes|wrote|says|said)\s*:?\s*$", re.IGNORECASE)
RULE = re.compile(r"^[\s\-_=*]*$")


def stripped_body(post: str) -> str:
    """The body without header, quotations and signature (the last paragraph, where the body has more than one)."""
    lines = [line for line in post.partition("\n\n")[2].split("\n") if not QUOTE.search(line)]
    while lines and RULE.match(lines[-1]):
        lines.pop()
    breaks = [number for number, line in enumerate(lines) if RULE.match(line)]
    without_signature = lines[: breaks[-1]] if breaks else lines
    return "\n".join(without_signature) if "".join(without_signature).strip() else "\n".join(lines)


def read_jsonl(folder: Path, knobs: Corpus) -> Texts:
    """documents.jsonl: one object with `label` and `text` a line."""
    with open(folder / "documents.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return Texts([row["text"] for row in rows], [row["label"] for row in rows])


def read_digits(folder: Path, knobs: Corpus) -> Images:
    """scikit-learn's digits.csv.gz: 64 pixels from 0 to 16 and the digit a line; scaled to 0 to 255."""
    with gzip.open(folder / "digits.csv.gz", "rt") as file:
        table = np.array([[int(float(cell)) for cell in row] for row in csv.reader(file)])
    pixels = np.rint(table[:, :64] * 255 / 16).astype(np.uint8).reshape(-1, 8, 8)
    return Images(pixels, [str(digit) for digit in table[:, 64]])
