"""`lcm compare`: what becomes of the rows of a person's table. Small files, nothing is trained."""

import contextlib
import csv
import shutil
from collections import Counter

import numpy as np
import pytest

from lcm.compare import table
from lcm.errors import UserError
from lcm.protocol.splits import TEST, TRAIN, VAL

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word(number):
    """A word of letters for each number: digits are no words in English."""
    return LETTERS[number // 676] + LETTERS[number // 26 % 26] + LETTERS[number % 26]


def read(folder, splits=4, **files):
    """files: part -> rows (text, label)."""
    folder.mkdir(exist_ok=True)
    for part, rows in files.items():
        with open(folder / f"{part}.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    paths = {part: folder / f"{part}.csv" for part in files}
    return table.read(table.Request(paths, ("text",), "label", "en", splits), folder / "tables")


def rows(first, count, labels="xy"):
    return [(f"{word(first + k)} same", labels[k % len(labels)]) for k in range(count)]


def parts_of(documents, split=0):
    """text -> part"""
    return dict(zip(documents.texts, documents.data.splits[split].tolist(), strict=True))


def test_rows_without_words_and_rare_classes_are_left_out_and_the_rest_keeps_its_places(tmp_path):
    content = [(f"{text} {'more ' * k}", label) for k, (text, label) in enumerate(rows(0, 40, ["10", "2"]))]
    content[3] = ("12345", "2")  # no word
    content[5:5] = [(f"{word(100 + k)} rare", "7") for k in range(4)]
    documents = read(tmp_path, table=content)
    corpus = documents.data.corpus
    assert corpus.names == ["2", "10"]
    kept = [k for k, (text, label) in enumerate(content) if text != "12345" and label != "7"]
    assert documents.texts == [content[k][0] for k in kept]
    assert [corpus.names[code] for code in corpus.labels] == [content[k][1] for k in kept]
    assert documents.places == [f"table.csv, row {k + 2}" for k in kept]  # the header is row 1
    lengths = np.diff(corpus.offsets)
    assert lengths.tolist() == [len(content[k][0].split()) for k in kept]
    assert corpus.meta["tokens_per_document"] == {"median": np.median(lengths), "p95": np.quantile(lengths, 0.95)}
    assert documents.notes[:2] == [
        "1 rows without a word are left out, the first is table.csv, row 5 (see --language)",
        "1 classes with fewer than 5 rows are left out: '7' (4)",
    ]


def test_rows_without_words_do_not_count_for_the_size_of_their_class(tmp_path):
    content = rows(0, 40) + [(f"{word(100 + k)} rare", "z") for k in range(4)] + [("1 2 3", "z")]
    documents = read(tmp_path, table=content)
    assert documents.data.corpus.names == ["x", "y"]
    content = rows(0, 40) + [(f"{word(100 + k)} rare", "z") for k in range(5)]
    assert read(tmp_path, table=content).data.corpus.names == ["x", "y", "z"]


def test_repeated_rows_are_counted_and_kept(tmp_path):
    content = rows(0, 40)
    documents = read(tmp_path, table=content + content[:3])
    assert len(documents.texts) == 43
    assert any(note.startswith("3 rows repeat the text of another row") for note in documents.notes)
    assert not any("repeat" in note for note in read(tmp_path, table=content).notes)


def test_a_class_with_nearly_all_rows_makes_accuracy_say_little(tmp_path):
    notes = read(tmp_path / "most", table=[*rows(0, 90, "x"), *rows(100, 10, "y")]).notes
    assert any("has 90 % of the rows: always saying it scores 90 %; compare macro-F1" in note for note in notes), notes
    assert not read(tmp_path / "half", table=rows(0, 60)).notes


def test_validation_that_cannot_be_drawn_is_asked_for(tmp_path):
    few = [(f"{word(k)} same", word(k // 5)) for k in range(200)]  # 40 classes of five rows
    with pytest.raises(UserError, match="cannot draw validation rows .*; give them with --dev"):
        read(tmp_path, table=few, test=few)


def test_texts_that_differ_in_punctuation_alone_are_another_table(tmp_path):
    """Their words are the same, but MiniLM reads all of the text."""
    mine = read(tmp_path / "a", table=rows(0, 40))
    other = read(tmp_path / "a", table=[(f"{text}!", label) for text, label in rows(0, 40)])
    assert mine.folder != other.folder


def test_a_table_is_split_anew_each_time(tmp_path):
    documents = read(tmp_path, table=rows(0, 200))
    assert documents.sizes == {"train": 120, "val": 20, "test": 60}
    splits = documents.data.splits
    assert splits.shape == (4, 200) and len({split.tobytes() for split in splits}) == 4
    assert documents.request.drawn == "test" and not any("stratified" in note for note in documents.notes)


def test_small_classes_have_their_share_of_every_part(tmp_path):
    content = rows(0, 180) + [(f"{word(300 + k)} few", "z") for k in range(10)]
    documents = read(tmp_path, table=content)
    few = documents.data.corpus.labels == 2
    for split in documents.data.splits:
        assert Counter(split[few].tolist()) == {TRAIN: 6, VAL: 1, TEST: 3}
    assert "splits are stratified: the smallest class has 10 rows" in documents.notes


def test_given_parts_are_the_parts(tmp_path):
    train, dev, test = rows(0, 40), rows(100, 10), rows(200, 14)
    train[7] = ("0", "x")  # left out: the parts of later rows must not shift
    documents = read(tmp_path, train=train, dev=dev, test=test)
    expected = {text: part for part, of in ((TRAIN, train), (VAL, dev), (TEST, test)) for text, _ in of if text != "0"}
    assert parts_of(documents) == expected and documents.data.splits.shape == (1, 63)
    assert documents.request.drawn == "nothing"
    assert [documents.places[0], documents.places[39], documents.places[62]] == [
        "train.csv, row 2",
        "dev.csv, row 2",
        "test.csv, row 15",
    ]


def test_with_a_test_file_each_split_draws_validation_from_the_other_rows(tmp_path):
    train, test = rows(0, 139), rows(200, 20)
    documents = read(tmp_path, table=train, test=test)
    chosen = []
    for split in range(4):
        parts = parts_of(documents, split)
        assert {text for text, part in parts.items() if part == TEST} == {text for text, _ in test}
        chosen.append({text for text, part in parts.items() if part == VAL})
        assert len(chosen[-1]) == 20  # a seventh of 139: 10 % where 30 % are for testing
    assert documents.request.drawn == "dev" and len(set(map(frozenset, chosen))) == 4
    small = read(tmp_path, table=rows(0, 140) + [(f"{word(300 + k)} few", "z") for k in range(14)], test=test)
    few = small.data.corpus.labels == 2
    assert [(split[few] == VAL).sum() for split in small.data.splits] == [2] * 4  # stratified


def test_a_class_that_nobody_can_learn_is_named(tmp_path):
    test = rows(200, 20) + [(f"{word(300 + k)} new", "new") for k in range(6)]
    for files in ({"table": rows(0, 40)}, {"train": rows(0, 40), "dev": rows(100, 10)}):
        with pytest.raises(UserError, match="class 'new' is in no row to train on"):
            read(tmp_path, **files, test=test)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (rows(0, 40, "x"), "can use only 40 of 40 rows, in 1 class: there is one class only"),
        ([*rows(0, 20), *[("1", "x")] * 21], "only 20 of 41 rows, in 2 classes.*21 rows without a word"),
        ([(word(k), word(k)) for k in range(40)], "column 'label' has 40 different values in 40 rows"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, table=content)


def test_a_call_that_is_killed_while_it_writes_leaves_nothing_that_a_later_call_trusts(tmp_path, monkeypatch):
    complete = read(tmp_path / "other", table=rows(0, 60)).folder
    names = sorted(path.relative_to(complete) for path in complete.rglob("*"))
    for most in range(len(names)):  # files that a copy would have written by then
        with monkeypatch.context() as killed:
            killed.setattr(shutil, "copyfile", dying(shutil.copyfile, most))
            with contextlib.suppress(KeyboardInterrupt):
                read(tmp_path / str(most), table=rows(0, 60))
        found = read(tmp_path / str(most), table=rows(0, 60)).folder
        assert sorted(path.relative_to(found) for path in found.rglob("*")) == names
        assert [path.name for path in found.parent.iterdir()] == [found.name]  # nothing else is left


def dying(call, most):
    """`call`, which raises KeyboardInterrupt after so many calls."""
    left = iter([None] * most)

    def one(*given, **more):
        if next(left, call) is call:
            raise KeyboardInterrupt
        return call(*given, **more)

    return one


def test_workers_find_what_was_read_and_other_splits_lie_elsewhere(tmp_path):
    first, again, more = (read(tmp_path, table=rows(0, 60), splits=splits) for splits in (2, 2, 3))
    assert first.folder == again.folder != more.folder
    loaded = table.load(first.folder)
    np.testing.assert_array_equal(loaded.splits, first.data.splits)
    np.testing.assert_array_equal(loaded.fit_labels, np.tile(first.data.corpus.labels, (2, 1)))
    meta = loaded.corpus.meta
    assert meta["tokens_per_document"] == {"median": 2.0, "p95": 2.0} and meta["words"] == 61
