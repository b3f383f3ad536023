"""20 Newsgroups from a small archive of the true format: verification by content, text forms, what prepare writes."""

import dataclasses
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from lcm.corpora import catalogue
from lcm.corpora.catalogue import CATALOGUE, fetch, same_content
from lcm.corpora.download import content_digest
from lcm.corpora.prepare import load, prepare
from lcm.corpora.readers import newsgroup_posts
from lcm.errors import UserError
from lcm.params import Corpus

POST = b"""From: somebody@somewhere.edu (Some Body)
Subject: Re: Gun control, 2nd try
Organization: An Institute of Technology
Lines: 9

In article <1993@elsewhere.com> other@elsewhere.com (Other) writes:
> quoted line
>> older line

My own caf\xe9 words, 42 of them.

--
Some Body, signature
"""
POSTS = {
    "20news-bydate-test/talk.politics.guns/54321": POST,
    "20news-bydate-train/rec.autos/101": b"From: a\nSubject: Cars\n\nWheels turn.\n",
    "20news-bydate-train/sci.med/102": b"From: b\nSubject: Pills\n\nTake two two.\n",
}


def archive(path, posts):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in posts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def posts_digest(posts):
    return content_digest((name.split("/")[1], content) for name, content in posts.items())


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A mirror with a re-packed archive, and a catalogue that knows its content and has no public source."""
    entry = CATALOGUE["20ng"]
    files = (dataclasses.replace(entry.files[0], urls=()),)
    monkeypatch.setitem(
        catalogue.CATALOGUE,
        "20ng",
        dataclasses.replace(entry, files=files, verify=same_content(newsgroup_posts, posts_digest(POSTS))),
    )
    monkeypatch.setenv("LCM_MIRRORS", str(tmp_path / "mirror"))
    archive(tmp_path / "mirror/20ng/20news-bydate.tar.gz", dict(reversed(POSTS.items())))
    return tmp_path


def tokens(folder):
    words = [line.split("\t")[0] for line in (folder / "vocabulary.tsv").read_text().splitlines()]
    data = load(folder)
    return {
        data.names[label]: " ".join(words[i - 1] for i in data.ids[start:end])
        for label, start, end in zip(data.labels, data.offsets[:-1], data.offsets[1:], strict=True)
    }


def prepared(place, **knobs):
    fetch("20ng", place / "raw")
    prepare("20ng", Corpus(**knobs), place / "raw", place / "corpus", place / "card.json")
    return tokens(place / "corpus")


def test_a_repacked_archive_with_the_right_posts_is_good_and_fetched_once(place):
    (line,) = fetch("20ng", place / "raw")
    assert str(place / "mirror/20ng/20news-bydate.tar.gz") in line
    (line,) = fetch("20ng", place / "raw")
    assert "already there" in line


def test_wrong_posts_are_refused(place):
    wrong = POSTS | {"20news-bydate-train/sci.med/102": b"changed"}
    archive(place / "mirror/20ng/20news-bydate.tar.gz", wrong)
    with pytest.raises(UserError) as error:
        fetch("20ng", place / "raw")
    message = str(error.value)
    assert posts_digest(wrong) in message and posts_digest(POSTS) in message and "\n" not in message
    assert str(place / "raw/20news-bydate.tar.gz") in message  # where to put it by hand
    assert not list((place / "raw").iterdir())


def test_the_digest_of_content_is_what_it_says():
    """By hand, so that a change of its definition, which would refuse the real corpus, does not go unseen."""
    rows = [hashlib.sha256(name.split("/")[1].encode() + b"\0" + content).digest() for name, content in POSTS.items()]
    assert posts_digest(POSTS) == "sha256:" + hashlib.sha256(b"".join(sorted(rows))).hexdigest()


def test_text_forms(place):
    allterms = prepared(place, text_form="allterms")["talk.politics.guns"]
    assert allterms.startswith("re gun control nd try in article elsewhere com") and allterms.endswith(
        "some body signature"
    )
    assert "organization" not in allterms and "caf words of them" in allterms
    raw = prepared(place, text_form="raw")["talk.politics.guns"]
    assert raw.startswith("from somebody somewhere edu") and "organization an institute" in raw
    stripped = prepared(place, text_form="stripped")["talk.politics.guns"]
    assert stripped == "my own caf words of them"
    assert prepared(place, text_form="stripped", tokens="words")["talk.politics.guns"] == "my own café words 42 of them"


def test_card_and_vocabulary(place):
    prepared(place)
    card = json.loads((place / "card.json").read_text())
    assert card["samples"] == 3 and card["samples_by_label"] == {"rec.autos": 1, "sci.med": 1, "talk.politics.guns": 1}
    assert card["edition"].startswith("20 Newsgroups, bydate, 3 samples") and card["digest"].startswith("sha256:")
    data = load(place / "corpus")
    words, counts = zip(
        *(line.split("\t") for line in (place / "corpus/vocabulary.tsv").read_text().splitlines()), strict=True
    )
    assert (
        np.bincount(data.ids)[1:].tolist() == [int(count) for count in counts] == sorted(map(int, counts), reverse=True)
    )


def test_an_empty_document_stops_or_is_dropped(place, monkeypatch):
    posts = POSTS | {"20news-bydate-train/rec.autos/103": b"From: c\nSubject:\n\n12345 !\n"}
    archive(place / "mirror/20ng/20news-bydate.tar.gz", posts)
    monkeypatch.setitem(
        catalogue.CATALOGUE,
        "20ng",
        dataclasses.replace(catalogue.CATALOGUE["20ng"], verify=same_content(newsgroup_posts, posts_digest(posts))),
    )
    with pytest.raises(
        UserError, match="20ng: 1 of 4 documents have no token.*'rec.autos'.*corpora.20ng.empty to drop"
    ):
        prepared(place)
    assert not (place / "corpus").exists() and not list(place.glob(".corpus*"))
    prepared(place, empty="drop")
    assert json.loads((place / "card.json").read_text())["empty_dropped"] == 1


def test_stages_say_what_is_missing(place):
    with pytest.raises(UserError, match="not found; correct `path` in params.yaml"):
        prepare("20ng", Corpus(), place / "nowhere", place / "corpus", place / "card.json")
    with pytest.raises(UserError, match="dvc repro data/dvc.yaml:prepare@corpus"):
        load(place / "corpus")
    with pytest.raises(UserError, match="'20mg' is not in the catalogue, which has 20ng"):
        fetch("20mg", Path("raw"))
