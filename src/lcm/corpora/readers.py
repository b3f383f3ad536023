"""One reader per format. A reader takes the folder of verified originals and the corpus' knobs, and returns texts or
images.
"""

import bz2
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TextIO

import numpy as np
from tqdm import tqdm

from lcm.archives import MB, Bounded, lines, tar_files, text_stream, unpacked, zip_content
from lcm.corpora.pydocs import choose_docstrings
from lcm.corpora.tables import Table, collect, read_tables
from lcm.corpora.texts import Images, Texts
from lcm.errors import UserError, WrongContent, one_line, short
from lcm.params import Corpus
from lcm.protocol.subsets import choose


def newsgroup_posts(archive: Path) -> Iterator[tuple[str, str, bytes]]:
    """The posts of 20news-bydate.tar.gz as (group, name within the archive, bytes), in archive order."""
    for name, stream in tar_files(archive, 100 * MB):
        parts = name.removeprefix("./").split("/")
        if len(parts) != 3 or not parts[0].startswith("20news-bydate-"):
            raise WrongContent(f"found {short(name)}, expected 20news-bydate-(train|test)/<group>/<number>")
        yield parts[1], "/".join(parts), stream.read()


def read_newsgroups(folder: Path, knobs: Corpus) -> Texts:
    """20 Newsgroups, bydate: train and test merged, in the text form asked for (`text_form`)."""
    posts = sorted(
        (name, group, content)
        for group, name, content in tqdm(
            newsgroup_posts(folder / "20news-bydate.tar.gz"), "reading posts", disable=None
        )
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


def read_pydocs(folder: Path, knobs: Corpus) -> Texts:
    """documents.jsonl, one object with `label` and `text` a line: at most `per_label` of each label, of at least
    `min_words` words.
    """
    with open(folder / "documents.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    chosen = choose_docstrings([(row["label"], row["text"]) for row in rows], knobs.per_label, knobs.min_words or 1)
    return Texts([text for _, text in chosen], [label for label, _ in chosen])


def read_digits(folder: Path, knobs: Corpus) -> Images:
    """scikit-learn's digits.csv.gz: 64 pixels from 0 to 16 and the digit a line; scaled to 0 to 255."""
    table = np.loadtxt(folder / "digits.csv.gz", delimiter=",").astype(int)
    pixels = np.rint(table[:, :64] * 255 / 16).astype(np.uint8).reshape(-1, 8, 8)
    return Images(pixels, [str(digit) for digit in table[:, 64]])


MNIST_LABELS = tuple("0123456789")
FASHION_LABELS = tuple("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(","))
IDX_PARTS = ("train", "t10k")  # training part, official test part


def read_idx(folder: Path, knobs: Corpus, names: tuple[str, ...] = MNIST_LABELS) -> Images:
    """The four idx files of MNIST and of its replacements, training part first; `names` of the labels 0 to 9."""
    pixels = [_idx_array(folder / f"{part}-images-idx3-ubyte.gz") for part in IDX_PARTS]
    labels = [_idx_array(folder / f"{part}-labels-idx1-ubyte.gz") for part in IDX_PARTS]
    for part, images, codes in zip(IDX_PARTS, pixels, labels, strict=True):
        if images.ndim != 3 or codes.shape != images.shape[:1] or codes.max(initial=0) >= len(names):
            raise WrongContent(
                f"{part}: found images {images.shape}, labels {codes.shape} up to {codes.max(initial=0)}, which do not "
                "fit together"
            )
    official_test = np.repeat([False, True], [len(codes) for codes in labels])
    return Images(np.concatenate(pixels), [names[code] for code in np.concatenate(labels)], official_test)


def _idx_array(path: Path) -> np.ndarray:
    """An idx file of bytes: two zeros, the type 8, the number of dimensions, each dimension in 4 bytes, the data."""
    with unpacked(path, 100 * MB) as stream:
        content = stream.read()
    shape = np.frombuffer(content, ">i4", content[3], 4) if content[:3] == b"\0\0\x08" else None
    if shape is None or len(content) != 4 + 4 * len(shape) + shape.prod():
        raise WrongContent(
            f"{path.name}: found {len(content)} bytes that begin with {content[:4].hex()}, expected a whole idx file "
            "of bytes"
        )
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _codes(first: int, names: str) -> dict[str, str]:
    return {str(code): name for code, name in enumerate(names.split(), first)}


# class, title, description; no header
AG_NEWS = Table(text=(2,), label=0, title=1, names=_codes(1, "World Sports Business Sci/Tech"))
DBPEDIA = Table(
    text=(2,),
    label=0,
    title=1,
    names=_codes(
        1,
        "Company EducationalInstitution Artist Athlete OfficeHolder MeanOfTransportation Building NaturalPlace Village "
        "Animal Plant Album Film WrittenWork",
    ),
)
DBPEDIA_PER_LABEL = {"train.csv": 40_000, "test.csv": 5_000}


def _dbpedia_members(archive: Path) -> Iterator[tuple[str, TextIO]]:
    for name, stream in tar_files(archive, 500 * MB, largest=300 * MB):
        if name.split("/")[-1] in DBPEDIA_PER_LABEL:
            yield name.split("/")[-1], text_stream(stream)


def read_dbpedia(folder: Path, knobs: Corpus) -> Texts:
    """DBPedia of Zhang et al.: both csv files in the archive merged; the title is read if `use_title` says so."""
    return collect(_dbpedia_members(folder / "dbpedia_csv.tar.gz"), DBPEDIA, knobs)


def verify_dbpedia(archive: Path) -> None:
    """Raises WrongContent unless the archive holds both csv files with as many documents of each class as published."""
    try:
        content = collect(_dbpedia_members(archive), DBPEDIA, Corpus())
    except UserError as error:
        raise WrongContent(str(error)) from None
    found = Counter(zip([content.files[number] for number in content.file_numbers], content.labels, strict=True))
    if found != {
        (name, label): DBPEDIA_PER_LABEL[name] for name, label in product(DBPEDIA_PER_LABEL, DBPEDIA.names.values())
    }:
        expected = [
            f"{count} documents of each of the 14 classes in {name}" for name, count in DBPEDIA_PER_LABEL.items()
        ]
        raise WrongContent(f"found {dict(found)}, expected {' and '.join(expected)}")


# class, rank inside the class, text (, source); no header
AG_NEWS_TOKENS = Table(text=(2,), label=0, names=AG_NEWS.names)
AG_NEWS_ORIGINAL_CASE = Table(text=(2,), label=0, source=3, names=AG_NEWS.names)
DBPEDIA_FRAGMENT = Table(text=(2,), label=0, title=1, source=3, names=DBPEDIA.names)
THUCNEWS_TITLES = Table(
    text=(0,),
    label=1,
    names=_codes(0, "finance realty stocks education science society politics sports game entertainment"),
)


NOISY_AG_NEWS = Table(text=("text",), label="gt", given="label", names=_codes(0, "World Sports Business Sci/Tech"))


def read_noisy_ag_news(folder: Path, knobs: Corpus) -> Texts:
    """NoisyAG-News: texts with a crowd worker's label (`given`) and the true one, then a clean official test part."""
    content = read_tables([folder / "samples10000valMed.csv", folder / "samplesTest.csv"], NOISY_AG_NEWS, knobs)
    return replace(content, official_test=content.file_numbers == 1)


def read_table(folder: Path, knobs: Corpus, table: Table, names: tuple[str, ...]) -> Texts:
    """The named tables in the folder, merged in this order; the title is read if `use_title` says so."""
    return read_tables([folder / name for name in names], table, knobs)


def read_own(path: Path, knobs: Corpus) -> Texts:
    """A user's own table, laid out as `text` and `label` say; a folder of files if `parts` says which is which.

    Raises UserError if its first row looks like a header that nobody asked for.
    """
    columns = knobs.text if isinstance(knobs.text, list) else [knobs.text]
    table = Table(tuple(columns), knobs.label)
    files = {"train": path} if knobs.parts is None else {part: path / name for part, name in knobs.parts if name}
    content = read_tables(files.values(), table, knobs)
    first = content.labels[0] if content.labels else None
    if (
        isinstance(knobs.label, int)
        and content.rows[0] == 1
        and len(content.labels) >= 10
        and content.labels.count(first) == 1
    ):
        raise UserError(
            f"{content.files[0]}: the first row has the label {short(first)}, which no other row has. If it is a "
            f"header, name the columns: `label: {one_line(first, 30)}`, and so for text, in params.yaml; if it is not, "
            "leave this class out"
        )
    if knobs.parts is None:
        return content
    parts = np.array(list(files))[content.file_numbers]
    return replace(content, official_test=parts == "test", official_val=parts == "dev" if knobs.parts.dev else None)


def fudan_documents(archive: Path) -> Iterator[tuple[str, str, bytes]]:
    """The documents of the Fudan corpus' 9833-document half as (class, file name, bytes), in archive order."""
    # Also GitHub's archive of the whole repository, which is a tar.gz.
    for path, stream in tar_files(archive, 1000 * MB):
        label, name = ("", *path.split("/"))[-2:]
        if "test_corpus/answer/" in path and name.endswith(".txt"):
            yield label, name, stream.read()


def _decode(content: bytes, encoding: str, facts: Counter) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        facts["with_invalid_bytes"] += 1
        return content.decode(encoding, "ignore")


def read_fudan(folder: Path, knobs: Corpus) -> Texts:
    """FDCNews: GB18030, invalid bytes ignored and counted."""
    documents = sorted(
        (name, label, content) for label, name, content in fudan_documents(folder / "fdcnews-9833-gbk.tar.xz")
    )
    facts = Counter()
    texts = [_decode(content, "gb18030", facts) for _, _, content in tqdm(documents, "decoding", disable=None)]
    return Texts(texts, [label for _, label, _ in documents], dict(facts))


# As published: the label of each category and its number of documents.
THUCNEWS_COUNTS = {
    "科技": 162_929, "股票": 154_398, "体育": 131_603, "娱乐": 92_632, "时政": 63_086, "社会": 50_849, "教育": 41_936,
    "财经": 37_098, "家居": 32_586, "游戏": 24_373, "房产": 20_050, "时尚": 13_368, "彩票": 7_588, "星座": 3_578,
}  # fmt: skip


def thucnews_members(archive: zipfile.ZipFile) -> list[tuple[str, str, zipfile.ZipInfo]]:
    """The documents in THUCNews.zip as (category, file name, member), sorted. Raises WrongContent for an unknown
    category.
    """
    documents = []
    for member in archive.infolist():
        parts = _zip_name(member).split("/")
        if member.is_dir() or parts[0] == "__MACOSX" or not parts[-1].endswith(".txt"):
            continue
        if len(parts) < 2 or parts[-2] not in THUCNEWS_COUNTS:
            raise WrongContent(f"found {'/'.join(parts)!r}, expected THUCNews/<one of the 14 categories>/<number>.txt")
        documents.append((parts[-2], parts[-1], member))
    return sorted(documents, key=lambda document: document[:2])


def _zip_name(member: zipfile.ZipInfo) -> str:
    """The member's name; without the UTF-8 flag zipfile takes it for CP437, but packers wrote UTF-8 or GBK."""
    if member.flag_bits & 0x800:
        return member.filename
    name = member.filename.encode("cp437")
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("gb18030", "replace")


def verify_thucnews(path: Path) -> None:
    """Raises WrongContent unless the zip holds as many documents of each category as published (no checksum was)."""
    with zipfile.ZipFile(path) as archive:
        found = Counter(label for label, _, _ in thucnews_members(archive))
    if found != THUCNEWS_COUNTS:
        raise WrongContent(
            f"found {sum(found.values())} documents {dict(found)}, expected {sum(THUCNEWS_COUNTS.values())} "
            f"{THUCNEWS_COUNTS}"
        )


def read_thucnews(folder: Path, knobs: Corpus) -> Texts:
    """THUCNews: only the documents that `labels`, `per_label` and `subset` choose are read, of 2 GB. UTF-8, invalid
    bytes ignored.
    """
    texts, facts = [], Counter()
    with zipfile.ZipFile(folder / "THUCNews.zip") as archive:
        documents = thucnews_members(archive)
        chosen = [documents[index] for index in choose([label for label, _, _ in documents], knobs)]
        for _, _, member in tqdm(chosen, "reading documents", disable=None):
            texts.append(_decode(zip_content(archive, member), "utf-8", facts))
    return Texts(texts, [label for label, _, _ in chosen], dict(facts))


def verify_glove(path: Path) -> None:
    """Raises WrongContent unless the zip holds GloVe 6B: 400000 words with 100 numbers each (no checksum was
    published).
    """
    with zipfile.ZipFile(path) as archive, archive.open("glove.6B.100d.txt") as file:
        stream = io.BufferedReader(Bounded(file, 600 * MB), MB)
        first = next(lines(stream, MB), b"").split(b" ")
        words = 1 + sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(MB), b""))
    if (first[0], len(first), words) != (b"the", 101, 400_000):
        raise WrongContent(
            f"found {words} words, {first[0]!r} with {len(first) - 1} numbers first, expected 400000, 'the' with 100"
        )


def verify_wikipedia(path: Path) -> None:
    """Raises WrongContent unless the file begins like a dump of the Chinese Wikipedia (no checksum of it is known
    here).
    """
    with bz2.open(path, "rt", encoding="utf-8") as stream:
        head = stream.read(5000)
    if not head.startswith("<mediawiki") or "<dbname>zhwiki</dbname>" not in head:
        raise WrongContent(f"found {head[:60]!r}, expected a dump of the Chinese Wikipedia")
