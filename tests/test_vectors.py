"""Word vectors: GloVe's format, skip-gram, and rows for a vocabulary."""

import bz2
import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lcm.corpora.download import WrongContent
from lcm.corpora.prepare import prepare
from lcm.corpora.readers import verify_glove, verify_wikipedia
from lcm.errors import UserError
from lcm.params import Corpus, Skipgram, Vectors, VectorSource
from lcm.text.vectors import fit_vectors, read_texts, read_vocabulary, train_skipgram

GLOVE = "the 0.5 -0.25 1\n, 1 1 1\nof 0.25 0 -1\nunkown 9 9 9\n"  # GloVe has punctuation too
WORDS, COUNTS = ["the", "xyzzy", "of", "plugh"], np.array([5, 3, 1, 1])


def settings(**change) -> Vectors:
    return Vectors(**{"words": 10, "unknown": "scaled", "seed": 0, "sets": {}} | change)


@pytest.fixture(params=["txt", "gz", "zip", "folder", "word2vec"])
def source(request, tmp_path) -> VectorSource:
    path = tmp_path / "glove.3d.txt"
    path.write_text(("4 3\n" if request.param == "word2vec" else "") + GLOVE)
    if request.param == "gz":
        path = tmp_path / "glove.txt.gz"
        path.write_bytes(gzip.compress(GLOVE.encode()))
    if request.param == "zip":
        path = tmp_path / "glove.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("glove.3d.txt", GLOVE)
            archive.writestr("glove.50d.txt", "other")
    return VectorSource(source=str(tmp_path if request.param == "folder" else path), size=3)


def test_rows_follow_the_ids_and_unknown_words_have_the_known_ones_scale(source):
    vectors, facts = fit_vectors(WORDS, COUNTS, source, settings())
    assert vectors.shape == (5, 3) and vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[[0, 1, 3]], [[0, 0, 0], [0.5, -0.25, 1], [0.25, 0, -1]])
    assert (facts["words"], facts["words_with_vector"], facts["tokens_with_vector"]) == (4, 2, 0.6)
    # of the six known numbers: their sum is .5, that of their squares 2.375
    assert (facts["mean"], facts["deviation"]) == (0.083333, pytest.approx((2.375 / 6 - 1 / 144) ** 0.5, abs=1e-6))
    np.testing.assert_array_equal(vectors, fit_vectors(WORDS, COUNTS, source, settings())[0])
    assert np.any(vectors[2] != fit_vectors(WORDS, COUNTS, source, settings(seed=1))[0][2])
    many = ["the", "of", *(f"w{n}" for n in range(4000))]
    scaled, facts = fit_vectors(many, np.ones(4002), source, settings(words=5000))
    assert scaled[3:].std() == pytest.approx(facts["deviation"], rel=0.03) and scaled[3:].mean() == pytest.approx(
        facts["mean"], abs=0.03
    )
    uniform, _ = fit_vectors(many, np.ones(4002), source, settings(words=5000, unknown="uniform01"))
    assert 0 <= uniform[3:].min() < 0.01 and 0.99 < uniform[3:].max() < 1
    assert len(fit_vectors(many, np.ones(4002), source, settings(words=2))[0]) == 3


@pytest.mark.parametrize(
    "text,message",
    [
        ("the 1 2\n", "glove.txt, line 1: found 'the 1 2', expected a word and 3 numbers; correct source or size"),
        ("the 1 2 3\nof 1 2 x\n", "glove.txt, line 2: found 'of 1 2 x', expected"),
        ("and 1 2 3\n", "has a vector for none of the 4 words of the corpus; is it of this language"),
    ],
)
def test_wrong_files_are_one_line(tmp_path, text, message):
    (tmp_path / "glove.txt").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        fit_vectors(WORDS, COUNTS, VectorSource(source=str(tmp_path / "glove.txt"), size=3), settings())
    assert "\n" not in str(error.value)


def test_missing_and_ambiguous_sources(tmp_path):
    for path, message in ((tmp_path / "no.txt", "not found"), (tmp_path, "found 0 files, expected one with vectors")):
        with pytest.raises(UserError, match=message):
            fit_vectors(WORDS, COUNTS, VectorSource(source=str(path), size=3), settings())
    with zipfile.ZipFile(tmp_path / "glove.zip", "w") as archive:
        archive.writestr("glove.50d.txt", "the 1")
    with pytest.raises(UserError, match="expected one file ending in 100d.txt; correct the size"):
        fit_vectors(WORDS, COUNTS, VectorSource(source=str(tmp_path / "glove.zip"), size=100), settings())


def skipgram(text: Path, **change) -> Skipgram:
    return Skipgram(
        **{"text": str(text), "language": "zh", "size": 8, "window": 3, "min_count": 2, "epochs": 2, "seed": 0} | change
    )


def trained(settings: Skipgram, folder: Path) -> bytes:
    folder.mkdir()
    train_skipgram(settings, folder, folder / "vectors.txt")
    return (folder / "vectors.txt").read_bytes()


def test_skipgram_is_deterministic_and_its_output_is_a_source(tmp_path):
    text = tmp_path / "text/AA/wiki_00"
    text.parent.mkdir(parents=True)
    text.write_text(
        '<doc id="13" title="数学">\n数学\n\n数学是研究数量、结构以及空间等概念的一门学科。\n</doc>\n' * 30,
        encoding="utf-8",
    )
    first = trained(skipgram(tmp_path / "text"), tmp_path / "first")
    assert first != trained(skipgram(tmp_path / "text", epochs=3), tmp_path / "epochs")
    assert first == trained(skipgram(text), tmp_path / "second") != trained(skipgram(text, seed=1), tmp_path / "third")
    assert first.startswith("数学 ".encode()) and b"doc" not in first
    vectors, facts = fit_vectors(
        ["数学", "空间", "狗"],
        np.array([3, 2, 1]),
        VectorSource(source=str(tmp_path / "first/vectors.txt"), size=8),
        settings(),
    )
    assert vectors.shape == (4, 8) and facts["words_with_vector"] == 2
    with pytest.raises(UserError, match="too little text .*lower min_count .1000. or give more"):
        trained(skipgram(text, min_count=1000), tmp_path / "fourth")
    with pytest.raises(UserError, match="nowhere: no text found"):
        trained(skipgram(tmp_path / "nowhere"), tmp_path / "fifth")


def test_skipgram_of_a_corpus_own_words(tmp_path):
    rows = "".join(json.dumps({"text": f"the cat number{n % 3} sat", "label": "ab"[n % 2]}) + "\n" for n in range(40))
    (tmp_path / "a.jsonl").write_text(rows)
    knobs = Corpus(path=str(tmp_path / "a.jsonl"), text="text", label="label", language="en")
    prepare("mine", knobs, tmp_path / "a.jsonl", tmp_path / "mine", tmp_path / "card.json")
    output = trained(skipgram(tmp_path / "mine", language="en"), tmp_path / "out").decode()
    assert (
        {line.split()[0] for line in output.splitlines()}
        == {*read_vocabulary(tmp_path / "mine")[0]}
        == {"the", "cat", "number", "sat"}
    )


DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/"><siteinfo><dbname>zhwiki</dbname></siteinfo>
<page><title>数学</title><ns>0</ns><id>13</id><revision><text>'''数学'''是[[学科|一门学科]]。{{模板}}
第二行</text></revision></page><page><title>Talk:数学</title><ns>1</ns><id>14</id><revision><text>讨论</text></revision></page>
</mediawiki>"""


def test_a_wikipedia_dump_is_read_as_a_stream_without_markup_and_talk_pages(tmp_path):
    dump = tmp_path / "zhwiki-latest-pages-articles.xml.bz2"
    dump.write_bytes(bz2.compress(DUMP.encode()))
    verify_wikipedia(dump)
    lines = list(read_texts(dump))
    assert (
        "一门学科" in lines[0]
        and "数学" in lines[0]
        and "模板" not in lines[0]
        and lines[1] == "第二行"
        and len(lines) == 2
    )
    dump.write_bytes(bz2.compress(DUMP.encode())[:-20])
    with pytest.raises(UserError, match="articles.xml.bz2: cannot be read .*; delete it and get it again"):
        list(read_texts(dump))
    dump.write_bytes(bz2.compress(DUMP.replace("zhwiki", "enwiki").encode()))
    with pytest.raises(WrongContent, match="expected a dump of the Chinese Wikipedia"):
        verify_wikipedia(dump)


def test_glove_is_verified_by_its_size(tmp_path):
    path = tmp_path / "glove.6B.zip"
    for words, good in ((400_000, True), (399_999, False)):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("glove.6B.100d.txt", "the" + " 0" * 100 + "\n" + "a 0\n" * (words - 1))
        if good:
            verify_glove(path)
        else:
            with pytest.raises(WrongContent, match="found 399999 words.*expected 400000"):
                verify_glove(path)


def test_it_is_skip_gram_with_the_settings_asked_for(tmp_path, monkeypatch):
    """Not gensim's default, which predicts a word from its neighbours (CBOW), nor its default size, window or seed."""
    from gensim.models import word2vec

    asked = {}

    class Recorded(word2vec.Word2Vec):
        def __init__(self, sentences, **settings):
            asked.update(settings)
            super().__init__(sentences, **settings)

    monkeypatch.setattr(word2vec, "Word2Vec", Recorded)
    (tmp_path / "text").write_text("the cat sat on the mat\n" * 30)
    trained(skipgram(tmp_path / "text", language="en", window=4, seed=7, size=6), tmp_path / "out")
    del asked["hashfxn"]
    assert asked == {"sg": 1, "vector_size": 6, "window": 4, "min_count": 2, "epochs": 2, "seed": 7, "workers": 1}
