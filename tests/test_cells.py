"""A cell: which key a run gets, what a run reads, what the cell's file says. How runs are trained: test_run.py."""

import copy
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import runs

from lcm.corpora import prepare
from lcm.files import write_array, write_json
from lcm.protocol.splits import TRAIN
from lcm.text.encode import refit, window

CELL = "small", "toy", 0, "lstm_rand"
DIGESTS = json.loads((Path(__file__).parent / "digests.json").read_text())
CELLS = runs.ROOT / "metrics/cells"
IN_GIT = sorted(path.relative_to(CELLS).as_posix() for path in CELLS.rglob("*.json") if ".curves." not in path.name)


def keys(workplace, params, change=lambda content: None):
    """Of the four methods of a cell, method -> keys in the order of splits, with changed parameters."""
    content = copy.deepcopy(params)
    change(content)
    runs.forget_data()
    return {method: runs.keys_of(runs.load(content, workplace), *CELL, method) for method in runs.METHODS}


def every(found):
    return {key for of in found.values() for key in of}


def test_a_key_differs_by_seed_where_all_else_is_equal(workplace, params):
    """Two splits may be the same where a corpus has its own test part; their runs have different seeds."""
    splits = np.load(workplace / "data/splits/toy/splits.npy")
    write_array(workplace / "data/splits/toy/splits.npy", np.tile(splits[:1], (len(splits), 1)))
    found = keys(workplace, params)
    assert len(every(found)) == 8


def test_a_key_knows_its_data(workplace, params):
    """The corpus' content, the parts of a split, the labels to learn from: each alone changes the keys of its runs."""
    start = keys(workplace, params)
    folder = workplace / "data/corpus/toy"
    card = json.loads((folder / "corpus.json").read_text())
    ids = np.load(folder / "ids.npy")
    write_array(folder / "ids.npy", ids[::-1])
    write_json(folder / "corpus.json", card | {"digest": prepare.digest(folder, runs.NAMES)})
    assert not every(keys(workplace, params)) & every(start)
    write_array(folder / "ids.npy", ids)
    write_json(folder / "corpus.json", card)
    assert keys(workplace, params) == start

    for name in ("splits/toy/splits.npy", "splits/toy/labels-0.npy"):
        rows = np.load(workplace / "data" / name)
        changed = rows.copy()
        changed[1] = changed[1][::-1]
        write_array(workplace / "data" / name, changed)
        found = keys(workplace, params)
        for method, (first, second) in found.items():
            assert first == start[method][0] and second != start[method][1], name  # of the second split alone
        write_array(workplace / "data" / name, rows)
    assert keys(workplace, params) == start


TRAIN_CHANGES = [
    {"lr": 0.03}, {"epochs": 4}, {"batch_size": 8}, {"select": "last"}, {"restart_epoch": 2}, {"warmup_steps": 3},
    {"adam_form": "keras"}, {"decay_end_step": 9}, {"final_lr_share": 0.5}, {"weight_decay": 0.1},
    {"optimizer": "adamw"}, {"adam_eps": 1e-6},
]  # fmt: skip


@pytest.mark.parametrize("group,change,of", [
    *(("train", change, runs.METHODS) for change in TRAIN_CHANGES),
    ("ls", {"epsilon": 0.2}, ["ls"]),
    ("ls", {"stop_epoch": 2}, ["ls"]),
    ("lcm", {"alpha": 2.0}, ["ls_matched", "lcm"]),
    ("lcm", {"stop_epoch": 2}, ["ls_matched", "lcm"]),
    ("lcm", {"label_dim": 3}, ["lcm"]),
    ("lcm", {"detach": True}, ["lcm"]),
    ("lcm", {"stop_resets_optimizer": True}, ["lcm"]),
    ("execution", {"processes": 1, "fleet": 2, "precision": "bf16"}, []),
])  # fmt: skip
def test_a_key_knows_the_settings_that_matter_to_it_and_no_others(workplace, params, group, change, of):
    start, found = keys(workplace, params), keys(workplace, params, lambda content: content[group].update(change))
    for method in runs.METHODS:
        if method in of:
            assert not set(found[method]) & set(start[method]), method
        else:
            assert found[method] == start[method], method


MODEL_CHANGES = [
    {"hidden": 9}, {"embedding": 9}, {"padding": "post"}, {"truncation": "post"}, {"maxlen": 13}, {"mask": True},
    {"init": "torch"}, {"vocabulary_fit": "train"}, {"vocabulary_size": 30}, {"train": {"lr": 0.1}},
]  # fmt: skip


@pytest.mark.parametrize("change", MODEL_CHANGES)
def test_a_key_knows_its_model_and_no_other(workplace, params, change):
    start = keys(workplace, params)
    assert not every(keys(workplace, params, lambda content: content["models"]["lstm_rand"].update(change))) & every(
        start
    )
    assert keys(workplace, params, lambda content: content["models"]["lstm_rand_post"].update(change)) == start


@pytest.mark.parametrize("name", IN_GIT)
def test_the_keys_in_git_are_those_that_the_parameters_give(name):
    """No result passes for another, and none is trained again because code was moved. Digests stand for the data."""
    content = json.loads((CELLS / name).read_text())
    data = DIGESTS.get(content["corpus_digest"], {"fit_labels": {}})
    noise = content["config"].get("noise", {})
    own = [noise[key] for key, plain in (("kind", "asym"), ("val", "clean")) if noise.get(key, plain) != plain]
    labels = "-".join([str(content["noise"]), *own])
    if labels not in data["fit_labels"] or (
        runs.starts_from_something(content) and content["model"] not in data["start"]
    ):
        pytest.skip("its data are not in tests/digests.json; run `python tests/make_digests.py` where data/ is there")
    digests = {
        "assignments": data["assignments"],
        "fit_labels": data["fit_labels"][labels],
        "start": data["start"].get(content["model"], {}),
    }
    found = runs.keys_in(content)
    assert found and found.items() <= runs.keys_from_digests(content, digests).items()  # a file may hold fewer splits


def test_the_keys_of_most_results_in_git_are_checked():
    """Files whose data are not in digests.json are skipped above. They must not become the rule."""
    known = [name for name in IN_GIT if json.loads((CELLS / name).read_text())["corpus_digest"] in DIGESTS]
    assert len(known) > len(IN_GIT) / 2 > 60


# What a run reads


def test_every_run_of_a_fleet_reads_the_vocabulary_of_its_own_training_part(workplace, params):
    """vocabulary_fit is train: words are numbered by their frequency in the run's training part and nowhere else."""
    params["models"]["lstm_rand"] |= {
        "vocabulary_fit": "train",
        "vocabulary_size": 20,
        "padding": "post",
        "truncation": "pre",
        "maxlen": 5,
    }
    found = runs.inputs_of(runs.load(params, workplace), *CELL, "ce")
    ids, offsets, labels = runs.toy()
    splits = np.load(workplace / "data/splits/toy/splits.npy")
    assert len(found) == 2
    for r, each in enumerate(found):
        train = splits[r] == TRAIN
        counts = np.bincount(ids.reshape(-1, 12)[train].ravel(), minlength=40)
        rank = np.empty(40, int)
        rank[np.lexsort((np.arange(40), -counts))] = np.arange(1, 41)  # by frequency, the old number breaks ties
        rows = [[rank[word] for word in row if rank[word] < 20][-5:] for row in ids.reshape(-1, 12)]
        assert each.inputs.tolist() == [row + [0] * (5 - len(row)) for row in rows]
        assert 0 < sum(len(row) == 5 for row in rows) < len(rows)  # some are cut and some are filled up
        assert np.array_equal(each.assignment, splits[r]) and np.array_equal(each.labels, labels)
        assert not np.array_equal(
            each.inputs, window(refit(ids, offsets, train | (splits[r] == TRAIN + 1)), offsets, 20, 5, "pre", "post")
        )
    assert not np.array_equal(found[0].inputs, found[1].inputs)


def test_a_run_reads_its_own_split_and_labels_and_the_groups_of_the_names(workplace, params):
    noisy = np.load(workplace / "data/splits/toy/labels-0.npy")
    noisy[1] = 3 - noisy[1]
    write_array(workplace / "data/splits/toy/labels-0.npy", noisy)
    runs.forget_data()
    splits, (first, second) = (
        np.load(workplace / "data/splits/toy/splits.npy"),
        runs.inputs_of(runs.load(params, workplace), *CELL, "lcm"),
    )
    for each, split, given in ((first, splits[0], noisy[0]), (second, splits[1], noisy[1])):
        assert (
            np.array_equal(each.assignment, split)
            and np.array_equal(each.fit_labels, given)
            and np.array_equal(each.labels, noisy[0])
        )
        assert (
            np.array_equal(each.groups[:, None] == each.groups, runs.GROUPS[:, None] == runs.GROUPS)
            and each.n_labels == 4
        )
    assert first.inputs is second.inputs  # one vocabulary for all: one array


# What a cell's file says


def record(split):
    """A record that training could have made: its numbers tell the split."""
    scores = {"accuracy": 0.5 + split / 10, "macro_f1": 0.4 + split / 10, "nll": 1.0 + split, "ece": 0.1, "brier": 0.5}
    rows = [
        {"epoch": epoch, "train_loss": 2.0 - epoch - split, "val_accuracy": 0.1 * epoch, "val_nll": 1.5}
        for epoch in (1, 2)
    ]
    matrix = np.zeros((4, 4), int)
    matrix[split, 3] = 7 + split
    matrix[1, 2] = 1
    return {
        "test": scores, "test_last": {name: value / 2 for name, value in scores.items()}, "val_accuracy": 0.2,
        "best_epoch": 1 + split, "epochs": 2, "confusion_matrix": matrix.tolist(), "curve": rows, "seconds": 3.0,
    }  # fmt: skip


@pytest.mark.parametrize("method", ["ce", "ls"])
def test_a_cells_file_holds_every_run_as_it_was(workplace, params, method):
    found = runs.written_cell(runs.load(params, workplace), *CELL, method, [record(0), record(1)])
    assert found["settings"].get("epsilon", 0.0) == {"ce": 0.0, "ls": 0.1}[method]
    for split, run in enumerate(found["runs"]):
        made = record(split)
        for name in ("test", "test_last", "val_accuracy", "best_epoch", "epochs", "confusion_matrix"):
            assert run[name] == made[name]
        assert not {"seconds", "curve", "predictions"} & set(run)  # the first would change a file's bytes each time
        rows = [{name: row[name] for name in made["curve"][0]} for row in found["curves"] if row["split"] == split]
        assert rows == made["curve"]
    assert [run["split"] for run in found["runs"]] == [0, 1] and len(found["curves"]) == 4


def test_a_cells_file_says_what_it_is_of(workplace, params):
    """Sizes of the parts, and the share of wrong labels among the training samples of each split, counted anew."""
    labels, splits = np.load("data/corpus/toy/labels.npy"), np.load("data/splits/toy/splits.npy")
    given = np.tile(labels, (10, 1))
    given[0, np.flatnonzero(splits[0] == TRAIN)[:7]] = (given[0, np.flatnonzero(splits[0] == TRAIN)[:7]] + 1) % 4
    given[1, np.flatnonzero(splits[1] != TRAIN)] = 0
    write_array(workplace / "data/splits/toy/labels-30.npy", given)
    params["studies"]["small"]["grids"][0]["noise"] = [30]
    place = "small", "toy", 30, "lstm_rand", "lcm.alpha=2"
    found = runs.written_cell(runs.load(params, workplace), *place, [record(0), record(1)])
    assert [found[name] for name in ("study", "corpus", "noise", "model", "method")] == list(place)
    assert found["sizes"] == {
        name: int((splits[0] == part).sum()) for part, name in enumerate(("train", "val", "test"))
    }
    assert found["realised_noise"] == [round(7 / found["sizes"]["train"], 6), 0.0]
    assert (found["labels"], found["n_labels"], found["corpus_digest"]) == (
        runs.NAMES,
        4,
        prepare.digest(Path("data/corpus/toy"), runs.NAMES),
    )
    assert found["config"]["lcm"]["alpha"] == found["settings"]["alpha"] == 2.0
    assert found["config"]["noise"]["kind"] == "asym" and found["config"]["train"]["epochs"] == 3


def test_seeds_are_further_runs_of_a_split(workplace, params):
    """They come after the splits, whose keys stay as they were; the k-th of a split trains with 1000 k more."""
    start = runs.keys_of(runs.load(params, workplace), *CELL, "ce")
    params["studies"]["small"]["seeds"] = 3
    checked = runs.load(params, workplace)
    found = runs.keys_of(checked, *CELL, "ce")
    assert found[:2] == start and len(set(found)) == 6
    places = [(run.split, run.seed, run.random_seed) for run in runs.cell(checked, "lstm_rand", "ce").runs()]
    assert places == [(0, 0, 0), (1, 0, 1), (0, 1, 1000), (1, 1, 1001), (0, 2, 2000), (1, 2, 2001)]
    first, _, again, *_ = runs.inputs_of(checked, *CELL, "ce")
    assert np.array_equal(first.assignment, again.assignment) and first.inputs is again.inputs
    kept = [record(split) | {"label_embedding": [[0.5]]} for split in (0, 1)]
    written = runs.written_cell(checked, *CELL, "ce", kept)
    assert {run["seed"] for run in written["runs"] if "label_embedding" in run} == {0}
    assert [(run["split"], run["seed"]) for run in written["runs"]] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert {(row["split"], row["seed"]) for row in written["curves"]} == {place[:2] for place in places}


def test_a_run_that_failed_is_in_the_file_and_counts_nowhere_else(workplace, params):
    found = runs.written_cell(
        runs.load(params, workplace), *CELL, "ce", [record(0), {"failed": "the loss became nan", "seconds": 1.0}]
    )
    assert found["runs"][1]["failed"] == "the loss became nan" and "test" not in found["runs"][1]
    assert "confusion_matrix" not in found["runs"][1] and {row["split"] for row in found["curves"]} == {0}


def test_different_strengths_have_different_keys_and_the_same_strength_the_same(workplace, params):
    """`lcm.alpha=4` is the plain LCM's run; -S lcm.alpha=2 trains what `lcm.alpha=2` has."""
    checked = runs.load(params, workplace)
    found = [
        runs.keys_of(checked, *CELL, method)[0]
        for method in ("lcm.alpha=4", "lcm.alpha=2", "lcm.alpha=1", "lcm.alpha=1,stop_epoch=2")
    ]
    assert found[0] == runs.keys_of(checked, *CELL, "lcm")[0] and len(set(found)) == 4
    assert not any(one == other for one, other in pairwise(found))
    params["lcm"]["alpha"] = 2.0
    assert runs.keys_of(runs.load(params, workplace), *CELL, "lcm")[0] == found[1]
