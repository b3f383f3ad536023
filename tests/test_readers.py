"""Every reader on a small file of its true format, good and damaged."""

import bz2
import gc
import gzip
import io
import json
import lzma
import re
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lcm import archives
from lcm.corpora import readers
from lcm.corpora.catalogue import CATALOGUE, entry
from lcm.corpora.download import WrongContent
from lcm.corpora.prepare import load, ordered, prepare
from lcm.corpora.pydocs import AREAS
from lcm.corpora.tables import Table
from lcm.errors import UserError
from lcm.params import Corpus, load_params
from lcm.protocol.subsets import choose

# Real rows of test.csv and of draw_b, shortened.
AG_ROWS = """"3","Fears for T N pension after talks","Unions representing workers say they are 'disappointed'."
"4","The Race is On: Second Private Team","SPACE.com - TORONTO, Canada -- A second\\team of rocketeers"
"""
TITLES_B = (
    "体育\t国青高开低走戏剧性出局\n体育姚明文化论坛讲稿：文明是世界语 误解是客观现实\n科技\t两天价网站背后重重迷雾\n"
)
FUDAN_HEADER = (
    "【 文献号 】1-2432\n【原文出处】出处\n【分 类 名】经济\n【标  题】论市场\n【 正  文 】\n　　市场经济。\n"
)


def write(path: Path, text: str, encoding="utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def tar_of(path: Path, members: dict[str, bytes], mode: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def one_line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_corpus_of_params_has_an_entry_and_fitting_knobs():
    params = load_params(Path(__file__).parent.parent / "params.yaml")
    for corpus, knobs in params.corpora.items():
        if corpus != "own":  # a table that nobody has named yet (params.yaml: own)
            assert entry(corpus, knobs).title
    for corpus, item in CATALOGUE.items():
        assert item.embed or all(file.checksum or item.verify for file in item.files), corpus


def test_knobs_without_effect_and_names_without_entry_are_refused():
    with pytest.raises(
        UserError,
        match="corpora.ag_news.min_words is not an option of this corpus; remove it. Its options: .*use_title",
    ):
        entry("ag_news", Corpus(min_words=2))
    with pytest.raises(UserError, match="corpora.mnist.tokens is not an option"):
        entry("mnist", Corpus(tokens="letters"))
    with pytest.raises(UserError, match="'reviews' is not in the catalogue, .* for a table of your own, name its file"):
        entry("reviews", Corpus())
    with pytest.raises(
        UserError, match="dbpedia is a corpus of the catalogue, in data/raw/dbpedia; give yours another name"
    ):
        entry("dbpedia", Corpus(path="mine.csv", text=0, label=1, language="en"))
    with pytest.raises(UserError, match="give yours another name"):
        entry("ag_news", Corpus(path="data/raw/20ng"))


def test_ag_news_merges_train_and_test_and_reads_titles_if_asked(tmp_path):
    write(tmp_path / "train.csv", AG_ROWS)
    write(tmp_path / "test.csv", '"1","A ""quoted"" title","And, a comma."\n')
    content = CATALOGUE["ag_news"].read(tmp_path, Corpus())
    assert content.labels == ["Business", "Sci/Tech", "World"]
    assert content.texts[1:] == ["SPACE.com - TORONTO, Canada -- A second\\team of rocketeers", "And, a comma."]
    assert CATALOGUE["ag_news"].read(tmp_path, Corpus(use_title=True)).texts[2] == 'A "quoted" title And, a comma.'


@pytest.mark.parametrize(
    "row,message",
    [
        (
            '"5","title","text"\n',
            r"train.csv, row 3: found class '5', expected one of 1, 2, 3, 4; mend it, or set bad_rows",
        ),
        ('"1","text only"\n', r"train.csv, row 3: found 2 columns, expected 3 as in the first row"),
        ('"1","title","never closed\n', r"train.csv: cannot be read after row 2 \(unexpected end of data\)"),
        ('"","title","text"\n', r"train.csv, row 3: found an empty label"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, message):
    write(tmp_path / "train.csv", AG_ROWS + row)
    write(tmp_path / "test.csv", AG_ROWS)
    with pytest.raises(UserError, match=message) as error:
        CATALOGUE["ag_news"].read(tmp_path, Corpus())
    one_line(error)


def dbpedia_archive(path: Path, per_label: int, classes=range(1, 15)) -> Path:
    rows = "".join(
        f'{code},"Title {code}"," Text number {n}."\n' for code in classes for n in range(per_label)
    ).encode()
    members = {"dbpedia_csv/train.csv": rows, "dbpedia_csv/test.csv": rows, "dbpedia_csv/readme.txt": b"hello"}
    return tar_of(path, members, "w:gz")


def test_dbpedia_is_verified_by_its_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "DBPEDIA_PER_LABEL", {"train.csv": 3, "test.csv": 3})
    readers.verify_dbpedia(dbpedia_archive(tmp_path / "dbpedia_csv.tar.gz", 3))
    content = readers.read_dbpedia(tmp_path, Corpus(use_title=True))
    assert (
        len(content.texts) == 84
        and content.texts[0] == "Title 1  Text number 0."
        and content.labels[-1] == "WrittenWork"
    )
    for wrong in (dbpedia_archive(tmp_path / "a.tar.gz", 2), dbpedia_archive(tmp_path / "b.tar.gz", 3, range(1, 14))):
        with pytest.raises(WrongContent, match="expected 3 documents of each of the 14 classes"):
            readers.verify_dbpedia(wrong)
    with pytest.raises(WrongContent, match="found class '15'"):
        readers.verify_dbpedia(dbpedia_archive(tmp_path / "c.tar.gz", 3, range(1, 16)))


def fudan_archive(folder: Path) -> Path:
    members = {
        "test_corpus/answer/C34-Economy/C34-Economy0002.txt": FUDAN_HEADER.encode("gb18030"),
        "test_corpus/answer/C3-Art/C3-Art0001.txt": "艺术\r\n㐀。".encode("gb18030")
        + b"\xff",  # needs GB18030; an invalid byte
        "test_corpus/answer/C19-Computer/C19-Computer1256.txt": b"",
        "test_corpus/readme.txt": b"not a document",
        "train_corpus/answer/C3-Art/C3-Art0002.txt": "的另一半".encode("gb18030"),
    }
    return tar_of(folder / "fdcnews-9833-gbk.tar.xz", members, "w:xz")


def test_fudan_is_decoded_and_counted(tmp_path):
    fudan_archive(tmp_path)
    content = readers.read_fudan(tmp_path, Corpus())
    assert content.labels == ["C19-Computer", "C3-Art", "C34-Economy"]
    assert content.texts == ["", "艺术\r\n㐀。", FUDAN_HEADER] and content.facts == {"with_invalid_bytes": 1}


def test_fudan_prepared_drops_and_reports_the_empty_file(tmp_path):
    fudan_archive(tmp_path / "raw")
    with pytest.raises(
        UserError, match="fdcnews: 1 of 3 documents have no token .*'C19-Computer'.*set corpora.fdcnews.empty to drop"
    ):
        prepare("fdcnews", Corpus(), tmp_path / "raw", tmp_path / "out", tmp_path / "card.json")
    assert not (tmp_path / "out").exists()
    prepare("fdcnews", Corpus(empty="drop"), tmp_path / "raw", tmp_path / "out", tmp_path / "card.json")
    card = json.loads((tmp_path / "card.json").read_text())
    assert (card["samples"], card["empty_dropped"], card["with_invalid_bytes"]) == (2, 1, 1)


def test_the_card_counts_the_documents_that_are_kept(tmp_path):
    """Documents are alike if their tokens are; the median of 2, 2, 7 is 2."""
    path = write(tmp_path / "t.csv", 'text,label\na b,x\n"A, b!",y\n1 2,x\na b c d e f g,y\n')
    knobs = Corpus(path=str(path), text="text", label="label", language="en", empty="drop")
    prepare("mine", knobs, path, tmp_path / "out", tmp_path / "card.json")
    card = json.loads((tmp_path / "card.json").read_text())
    assert (card["samples"], card["empty_dropped"], card["exact_duplicates"]) == (3, 1, 1)
    assert (card["tokens"], card["words"], card["tokens_per_document"]) == (11, 7, {"median": 2, "largest": 7})
    assert card["samples_by_label"] == {"x": 1, "y": 2}


def test_docstrings_have_a_least_length(tmp_path):
    (first, second, *_) = AREAS
    texts = ((first, "sorts an array"), (first, "median value"), (second, "draws"))
    lines = [{"label": label, "text": text} for label, text in texts]
    (tmp_path / "documents.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert readers.read_pydocs(tmp_path, Corpus(min_words=3)).texts == ["sorts an array"]
    assert sorted(readers.read_pydocs(tmp_path, Corpus()).labels) == sorted([first, first, second])


def thucnews_zip(path: Path, encoding: str) -> Path:
    """A zip whose names bear no UTF-8 flag, as packed on a Chinese Windows (GBK) or a Mac (UTF-8)."""
    names = {"CATA" if encoding == "gbk" else "CATAAA": "体育", "CATB" if encoding == "gbk" else "CATBBB": "科技"}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for ascii_name, label in names.items():
            archive.writestr(f"THUCNews/{ascii_name}/", b"")
            for number in (2, 0, 3, 1):
                archive.writestr(
                    f"THUCNews/{ascii_name}/{number}.txt", f"{label}新闻{number}".encode() + b"\xff" * (number == 3)
                )
        archive.writestr("__MACOSX/._x", b"")
    content = packed.getvalue()
    for ascii_name, label in names.items():
        content = content.replace(ascii_name.encode(), label.encode(encoding))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_thucnews_names_draw_and_counts(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(readers, "THUCNEWS_COUNTS", {"体育": 4, "科技": 4})
    path = thucnews_zip(tmp_path / "THUCNews.zip", encoding)
    readers.verify_thucnews(path)
    content = readers.read_thucnews(tmp_path, Corpus())
    assert content.labels == ["体育"] * 4 + ["科技"] * 4 and content.texts[:2] == ["体育新闻0", "体育新闻1"]
    assert content.facts == {"with_invalid_bytes": 2}
    drawn = readers.read_thucnews(tmp_path, Corpus(labels=["科技", "体育"], per_label=3, subset_seed=5))
    assert drawn.labels == ["体育"] * 3 + ["科技"] * 3
    assert drawn == readers.read_thucnews(tmp_path, Corpus(per_label=3, subset_seed=5))
    monkeypatch.setattr(readers, "THUCNEWS_COUNTS", {"体育": 5, "科技": 4})
    with pytest.raises(WrongContent, match="found 8 documents .*, expected 9"):
        readers.verify_thucnews(path)
    monkeypatch.setattr(readers, "THUCNEWS_COUNTS", {"体育": 4})
    with pytest.raises(WrongContent, match="found 'THUCNews/科技/2.txt', expected"):
        readers.verify_thucnews(path)


def idx(*shape: int, data: bytes) -> bytes:
    return gzip.compress(b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}i", *shape) + data)


def mnist(folder: Path, train: int = 4, test: int = 2) -> None:
    for part, count in (("train", train), ("t10k", test)):
        images = bytes(range(count)) * 4
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(count, 2, 2, data=images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(count, data=bytes(n % 2 for n in range(count))))


def test_idx_files_are_merged_and_the_official_test_part_is_kept(tmp_path):
    mnist(tmp_path)
    content = readers.read_idx(tmp_path, Corpus(), readers.FASHION_LABELS)
    assert content.pixels.shape == (6, 2, 2) and content.pixels[1].tolist() == [[0, 1], [2, 3]]
    assert (
        content.labels == ["T-shirt/top", "Trouser"] * 3 and content.official_test.tolist() == [False] * 4 + [True] * 2
    )
    prepare("mnist", Corpus(per_label=2), tmp_path, tmp_path / "out", tmp_path / "card.json")
    prepared = load(tmp_path / "out")
    assert prepared.pixels.shape == (4, 2, 2)
    drawn = choose(readers.read_idx(tmp_path, Corpus()).labels, Corpus(per_label=2))
    np.testing.assert_array_equal(prepared.pixels, content.pixels[drawn])
    np.testing.assert_array_equal(prepared.official_test, content.official_test[drawn])
    assert (
        0 < prepared.official_test.sum() < 4 and prepared.official_test.tolist() != content.official_test[:4].tolist()
    )


def test_digits_are_scaled_to_bytes(tmp_path):
    rows = ",".join(["0.0", "8.0", "16.0", *["0.0"] * 60, "1.0"]) + ",7.0\n"
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(rows.encode() * 2))
    content = readers.read_digits(tmp_path, Corpus())
    assert content.pixels.shape == (2, 8, 8) and content.pixels.dtype == np.uint8 and content.labels == ["7", "7"]
    assert content.pixels[1, 0, :4].tolist() == [0, 128, 255, 0] and content.pixels[1, 7, 7] == 16


def test_labels_stay_with_their_documents_when_empty_ones_are_dropped(tmp_path):
    texts = ["zero", "!", "one", "two", "?", "three"]
    labels = ["a", "b", "c", "a", "c", "b"]
    rows = "".join(f"{text},{label}\n" for text, label in zip(texts, labels, strict=True))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    knobs = Corpus(path=str(tmp_path / "t.csv"), text="text", label="label", language="en", empty="drop")
    prepare("mine", knobs, tmp_path / "t.csv", tmp_path / "out", tmp_path / "card.json")
    data = load(tmp_path / "out")
    assert [data.names[code] for code in data.labels] == ["a", "c", "a", "b"]
    words = [line.split("\t")[0] for line in (tmp_path / "out/vocabulary.tsv").read_text().splitlines()]
    assert [words[number - 1] for number in data.ids] == ["zero", "one", "two", "three"]
    assert data.offsets.tolist() == [0, 1, 2, 3, 4]
    assert json.loads((tmp_path / "card.json").read_text())["samples_by_label"] == {"a": 2, "b": 1, "c": 1}
    with pytest.raises(UserError, match=r"2 of 6 documents have no token \(the first is t.csv, row 3, label 'b'\)"):
        prepare("mine", knobs.model_copy(update={"empty": "error"}), tmp_path / "t.csv", tmp_path / "x", tmp_path / "y")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"10", "2", "-1", "1.5", "1.25"}, ["-1", "1.25", "1.5", "2", "10"]),
        ({"a10", "a2", "b"}, ["a2", "a10", "b"]),
        ({"nan", "10", "2"}, ["2", "10", "nan"]),  # no size: as words
        ({"²", "01", "1"}, ["01", "1", "²"]),
    ],
)
def test_a_users_labels_stand_in_the_order_that_people_expect(labels, expected):
    """The same one for `own` and for `lcm compare`."""
    assert ordered(labels) == expected


def test_own_numbers_are_in_the_order_of_their_size(tmp_path):
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"word {n},{n}\n" for n in (10, 9, 2, 1, 11, -3)))
    knobs = Corpus(path=str(tmp_path / "t.csv"), text="text", label="label", language="en")
    prepare("mine", knobs, tmp_path / "t.csv", tmp_path / "out", tmp_path / "card.json")
    assert load(tmp_path / "out").names == ["-3", "1", "2", "9", "10", "11"]


def test_own_parts_are_those_of_every_split(tmp_path):
    for part, rows in (("train", 8), ("dev", 3), ("test", 2)):
        content = "".join(f"{part} {n},{'ab'[n % 2]}\n" for n in range(rows))
        (tmp_path / f"{part}.csv").write_text("text,label\n" + content)
    parts = {"train": "train.csv", "dev": "dev.csv", "test": "test.csv"}
    knobs = Corpus(path=str(tmp_path), parts=parts, text="text", label="label", language="en")
    prepare("mine", knobs, tmp_path, tmp_path / "out", tmp_path / "card.json")
    data = load(tmp_path / "out")
    assert data.official_val.tolist() == [False] * 8 + [True] * 3 + [False] * 2
    assert data.official_test.tolist() == [False] * 11 + [True] * 2
    whole = knobs.model_copy(update={"parts": None})
    with pytest.raises(UserError, match="is a folder; name its files, `parts: {train: ..., test: ...}`"):
        prepare("mine", whole, tmp_path, tmp_path / "out", tmp_path / "card.json")


@pytest.mark.parametrize(
    "encoding,text,named",
    [
        ("latin-1", "Un café très cher", r"latin-1 \(cp1252\): set `encoding: cp1252`"),
        ("utf-16", "plain", r"UTF-16: set `encoding: utf_16`"),
        ("gbk", "今天天气很好我们去公园", r"GBK \(gb18030\): set `encoding: gb18030`"),
    ],
)
def test_the_encoding_is_guessed_and_can_be_named(tmp_path, encoding, text, named):
    (tmp_path / "t.csv").write_bytes(f"text,label\n{text},b\nother,a\n".encode(encoding))
    knobs = Corpus(path=str(tmp_path / "t.csv"), text="text", label="label", language="en", tokens="words")
    with pytest.raises(UserError, match=f"t.csv: not UTF-8 .*; it looks like {named} for this corpus") as error:
        readers.read_own(tmp_path / "t.csv", knobs)
    guess = re.search(r"encoding: (\w+)", one_line(error))[1]
    content = readers.read_own(tmp_path / "t.csv", knobs.model_copy(update={"encoding": guess}))
    assert content.texts[0] == text and content.labels == ["b", "a"]


def test_a_header_is_not_mistaken_for_a_document_nor_a_document_for_a_header(tmp_path):
    rows = "".join(f"a long sentence about {'cats' if n % 2 else 'dogs'} number {n},{n % 2}\n" for n in range(12))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    numbered = Corpus(path=str(tmp_path / "t.csv"), text=0, label=1, language="en")
    with pytest.raises(UserError, match="t.csv: the first row has the label 'label', which no other row has"):
        readers.read_own(tmp_path / "t.csv", numbered)
    (tmp_path / "t.csv").write_text(rows)
    assert len(readers.read_own(tmp_path / "t.csv", numbered).texts) == 12
    named = Corpus(path=str(tmp_path / "t.csv"), text="text", label="label", language="en")
    with pytest.raises(UserError, match="no column 'text'; the first row is .*if the file has no header, give numbers"):
        readers.read_own(tmp_path / "t.csv", named)


def test_damaged_idx_files_are_one_line(tmp_path):
    mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(3, data=b"\1\1\1"))
    with pytest.raises(
        UserError,
        match="t10k: found images .2, 2, 2., labels .3,. up to 1, which do not fit.*delete it, then correct .path.",
    ):
        prepare("mnist", Corpus(), tmp_path, tmp_path / "out", tmp_path / "card.json")
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(3, data=b"\1\1"))
    with pytest.raises(WrongContent, match="expected a whole idx file"):
        readers.read_idx(tmp_path, Corpus())


def test_a_row_without_its_tab_is_refused_or_counted(tmp_path):
    files = {"table": Table(text=(1,), label=0), "names": ("dev.txt",)}
    write(tmp_path / "dev.txt", TITLES_B)
    with pytest.raises(
        UserError,
        match="dev.txt, row 2: found 1 columns, expected 2 as in the first row; mend it, or set bad_rows to drop",
    ):
        readers.read_table(tmp_path, Corpus(), **files)
    content = readers.read_table(tmp_path, Corpus(bad_rows="drop"), **files)
    assert content.labels == ["体育", "科技"] and content.facts == {"bad_rows_dropped": 1}


def test_sources_filter(tmp_path):
    write(tmp_path / "a.csv.gz", "")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b'1,"T"," text one","kept"\n2,""," text two","altered"\n'))
    files = {"table": readers.DBPEDIA_FRAGMENT, "names": ("a.csv.gz",)}
    assert readers.read_table(tmp_path, Corpus(sources=["kept"]), **files).labels == ["Company"]
    with pytest.raises(UserError, match="sources: 'other' is not in a.csv.gz; there are altered, kept"):
        readers.read_table(tmp_path, Corpus(sources=["other"]), **files)


def test_noisy_ag_news_has_given_labels_and_a_clean_test_part(tmp_path):
    write(
        tmp_path / "samples10000valMed.csv",
        'label,gt,text,group\n2,2,"Oil . Oil, again",5\n0,2,Gold . Gold,0\n3,3,!,6\n1,1,Goal . Goal,6\n',
    )
    write(tmp_path / "samplesTest.csv", "label,gt,text,group\n1,1,Match . Match,A\n")
    prepare("noisy_ag_news", Corpus(empty="drop"), tmp_path, tmp_path / "out", tmp_path / "card.json")
    data = load(tmp_path / "out")
    named = [[data.names[code] for code in codes] for codes in (data.labels, data.given)]
    assert named == [["Business", "Business", "Sports", "Sports"], ["Business", "World", "Sports", "Sports"]]
    assert data.official_test.tolist() == [False, False, False, True]
    assert json.loads((tmp_path / "card.json").read_text())["given_labels_wrong"] == pytest.approx(1 / 3, abs=1e-6)


OWN = {
    "reviews.csv": ('title,body,stars\r\nGood,It works,5\r\nBad,"It\nbroke",1\r\n', ["title", "body"], "stars"),
    "reviews.tsv": ("\ufefftitle\tbody\tstars\nGood\tIt works\t5\nBad\tIt\\nbroke\t1\n", "body", "stars"),
    "reviews.txt": ('5\t"Good\n1\tBad\n', 1, 0),
    "reviews.jsonl": ('{"body": "It works", "stars": 5}\n\n{"body": "It broke", "stars": 1}\n', ["body"], "stars"),
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("packed", [False, True])
def test_own_data_enters_by_path(tmp_path, name, packed):
    text, columns, label = OWN[name]
    path = write(tmp_path / "elsewhere" / name, text)
    if packed:
        path = path.rename(f"{path}.gz")
        path.write_bytes(gzip.compress(text.encode()))
    knobs = Corpus(path=str(path), text=columns, label=label, language="en")
    prepare("mine", knobs, path, tmp_path / "out", tmp_path / "card.json")
    assert load(tmp_path / "out").names == ["1", "5"]
    assert json.loads((tmp_path / "card.json").read_text())["edition"] == f"Own data, {path.name}, 2 samples"


@pytest.mark.parametrize(
    "name,content,change,message",
    [
        (
            "a.csv",
            "text,label\na,b\n",
            {"text": "body"},
            "a.csv: no column 'body'; the first row is 'text', 'label'. If these are the names of the columns, correct "
            "text and label of .* no header, give numbers",
        ),
        ("a.csv", "a,b\n", {"text": 2, "label": 0}, "a.csv: no column 2; its first row has 2 columns, numbered from 0"),
        ("a.csv", "a,b\n", {"text": 1}, "text and label are .1, 'label'., expected only names, or only numbers"),
        (
            "a.xlsx",
            "text,label\na,b\n",
            {},
            "a.xlsx: found the ending '.xlsx', expected one of .csv, .tsv, .txt, .jsonl",
        ),
        (
            "a.csv",
            "text,label\n中文,b\n".encode("gbk"),
            {},
            r"a.csv: not UTF-8 \(byte 0xd6 in .*\); it looks like GBK \(gb18030\): set `encoding: gb18030`",
        ),
        (
            "a.csv",
            "text,label\na,b\na,b\n",
            {},
            "mine: found 1 labels in 2 samples .*, expected 2 to 1000; is this the right column",
        ),
        ("a.csv.gz", "text,label\na,b\n", {}, "a.csv.gz: cannot be read after row 0 .Not a gzipped file"),
        (
            "a.jsonl",
            '{"text": "a", "label": "b"}\n{"text": "a"}\n',
            {},
            "a.jsonl, row 2: found no key 'label', expected a JSON object",
        ),
        ("a.jsonl", '{"text": 3, "label": "b"}\n', {}, "a.jsonl, row 1: found 3 under 'text', expected a text"),
        ("a.jsonl", "text\n", {}, "a.jsonl, row 1: found 'text', expected a JSON object"),
        (
            "a.csv",
            "text,label\na,b\n",
            {"label": None},
            "corpora.mine.label is missing; your own data needs path, text",
        ),
        (
            "a.csv",
            "text,label\na,b\nc,d\n",
            {"tokens": "jieba"},
            "corpora.mine.tokens: found jieba, expected letters or words for language en",
        ),
        (
            "a.csv",
            "text,label\na,b\nc,d\n",
            {"labels": ["b", "x"]},
            "labels: 'x' is not a label of this corpus; these are: b, d",
        ),
        ("a.csv", "text,label\na,b\nc,d\n", {"subset": 3}, "subset: found 3, but there are only 2 samples"),
    ],
)
def test_mistakes_in_own_data_are_one_line(tmp_path, name, content, change, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    knobs = Corpus(**{"path": str(path), "text": "text", "label": "label", "language": "en"} | change)
    with pytest.raises(UserError, match=message) as error:
        prepare("mine", knobs, path, tmp_path / "out", tmp_path / "card.json")
    one_line(error)
    assert not (tmp_path / "out").exists()


def test_own_file_that_is_not_there(tmp_path):
    knobs = Corpus(path="nowhere.csv", text=0, label=1, language="zh")
    with pytest.raises(UserError, match="nowhere.csv: not found; correct `path` in params.yaml, relative to the root"):
        prepare("mine", knobs, Path("nowhere.csv"), tmp_path / "out", tmp_path / "card.json")
    assert not list(tmp_path.iterdir())


NEWSGROUPS = {
    f"20news-bydate-{part}/{group}/{number}": f"From: a@b\nSubject: On {group}\n\nHello {number} of {part}\n".encode()
    for part in ("train", "test") for group in ("rec.autos", "sci.med", "sci.space") for number in range(3)
}  # fmt: skip


def test_a_subset_is_its_parents_documents_with_these_labels(tmp_path):
    tar_of(tmp_path / "raw/20ng/20news-bydate.tar.gz", NEWSGROUPS, "w:gz")
    knobs = Corpus(path="data/raw/20ng", labels=["sci.space", "rec.autos"])
    prepare("2ng", knobs, tmp_path / "raw/20ng", tmp_path / "out", tmp_path / "card.json")
    assert load(tmp_path / "out").names == ["rec.autos", "sci.space"] and len(load(tmp_path / "out").labels) == 12
    words = (tmp_path / "out/vocabulary.tsv").read_text()
    assert "space" in words and "med" not in words
    with pytest.raises(
        UserError, match="labels: 'sci.sapce' is not a label of this corpus; these are: rec.autos, sci.med"
    ):
        prepare(
            "2ng",
            Corpus(path="data/raw/20ng", labels=["sci.sapce", "rec.autos"]),
            tmp_path / "raw/20ng",
            tmp_path / "out",
            tmp_path / "card.json",
        )


def test_confusion_subsets_are_those_of_the_paper():
    corpora = load_params(Path(__file__).parent.parent / "params.yaml").corpora
    sizes = {
        name: len(knobs.labels) for name, knobs in corpora.items() if knobs.path == "data/raw/20ng" and knobs.labels
    }
    assert sizes == {"8ng-h": 8, "8ng-e": 8, "4ng-h": 4, "4ng-e": 4}
    assert {label.split(".")[0] for label in corpora["4ng-h"].labels} == {"rec"}


def test_table_columns():
    assert Table(text=("a", "b"), label="c", title="d").columns == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(len(readers.DBPEDIA.names), 14)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_is_closed_when_it_has_been_read(tmp_path, pack):
    """Or it stays open until Python finds nothing that refers to it, with a ResourceWarning."""
    (tmp_path / "t").write_bytes(pack(b"a text\n" * 1000))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with archives.unpacked(tmp_path / "t", 10_000) as stream:
            assert stream.read() == b"a text\n" * 1000
        del stream
        gc.collect()
    assert not caught
