"""`lcm compare`: how long to train and what fits into the time. No network is trained: runs and seconds are made up."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from lcm.compare import train
from lcm.compare.plan import Comparison
from lcm.study import Cell

METHODS = (("ce",), ("ls.epsilon=0.1", "ls.epsilon=0.3"), ("lcm",))  # 4 runs of each network a split


@dataclass(frozen=True)
class MadeUp:
    cell: Cell
    runs: tuple
    keys: tuple
    train: SimpleNamespace


class World:
    """A comparison of a table of 600 rows, its run store, and how long a run of each network takes."""

    def __init__(self, folder, seconds, splits=10, fixed=False):
        self.seconds, self.known, self.asked, self.clock = seconds, {}, [], 0.0
        request = SimpleNamespace(fixed=fixed, splits=splits)
        sizes = {"train": 320, "val": 60, "test": 180}
        self.documents = SimpleNamespace(request=request, folder=folder, sizes=sizes, texts=[""] * 600)
        self.methods = [SimpleNamespace(name=names[0], candidates=names) for names in METHODS]
        self.models, self.cores, self.slower = tuple(seconds), 1, 1
        self.curve = lambda model, steps: [0.5, 0.9, 0.9]
        self.looked_up = []

    place, runs = Comparison.place, Comparison.runs

    def jobs(self, model, method, steps, splits):
        assert splits <= self.documents.request.splits  # of others there are no data
        cell = Cell("compare", "table", 0, model, method, *self.runs(splits))
        epochs = SimpleNamespace(epochs=max(steps // 20, 4))  # 20 batches of 16
        return [
            MadeUp(cell, (run,), (f"{model} {method} {steps} {run.split + run.seed}",), epochs) for run in cell.runs()
        ]

    def load_run(self, key):
        self.looked_up.append(key)
        return self.known.get(key)

    def train(self, comparison, todo, title):
        for job in todo:
            if job.keys[0] not in self.known:
                steps = int(job.keys[0].split()[2])
                rows = [{"val_accuracy": value} for value in self.curve(job.cell.model, steps)]
                seconds = self.slower * self.seconds[job.cell.model] * job.train.epochs / 75  # of 1500 steps
                self.known[job.keys[0]] = {"seconds": seconds, "curve": rows}
                self.clock += seconds / self.cores
                self.asked.append(job.keys[0])


@pytest.fixture
def world(tmp_path, monkeypatch):
    def make(seconds, **more):
        made = World(tmp_path, seconds, **more)
        monkeypatch.setattr(train, "train", made.train)
        monkeypatch.setattr(train.store, "load_run", made.load_run)
        monkeypatch.setattr(train.time, "monotonic", lambda: made.clock)
        return made

    return make


def fitted(made, left, cores=1, slower=1):
    """(models, splits) that are trained in so many seconds, after two runs of each network.

    slower: later runs take so many times as long.
    """
    made.cores = cores
    schedule = train.Schedule(list(made.models), dict.fromkeys(made.models, 1500), 0)
    for model in made.models:
        made.train(made, train._pilots(made, model, 1500), "")
    made.slower, begin = slower, made.clock
    train._train(made, schedule, left / 60, begin + left)
    assert made.clock - begin <= left or schedule.splits == 1 or made.slower > 1
    return schedule.models, schedule.splits


@pytest.mark.parametrize(
    ("left", "cores", "expected"),
    [
        # a split takes 4 runs of 10 s and 4 of 100 s: 440 s; of the first one 2 of each are there: 220 s left
        (220 + 440 * 2, 1, (["bag", "cnn"], 3)),
        (220 + 440 * 3 - 1, 1, (["bag", "cnn"], 3)),
        (220 + 440 * 9, 1, (["bag", "cnn"], 10)),
        (9e9, 1, (["bag", "cnn"], 10)),
        ((220 + 440 * 2) / 2, 2, (["bag", "cnn"], 3)),
        # the CNN does not fit three times; alone the bag of words takes 20 s and then 40 s a split
        (220 + 440 * 2 - 1, 1, (["bag"], 10)),
        (20 + 40 * 4, 1, (["bag"], 5)),
        (20 + 40, 1, (["bag"], 2)),
        (0, 1, (["bag"], 1)),  # one split is the least
    ],
)
def test_what_fits_into_the_time(world, left, cores, expected):
    assert fitted(world({"bag": 10, "cnn": 100}), left, cores) == expected


@pytest.mark.parametrize(
    ("slower", "models", "splits"),
    [(1, ["bag", "cnn"], 10), (2, ["bag", "cnn"], 5), (6, ["bag"], 4), (8, ["bag"], 3)],
)
def test_the_budget_holds_on_a_machine_that_is_slower_than_its_first_runs(world, slower, models, splits):
    made = world({"bag": 2, "cnn": 4})
    assert fitted(made, 240, slower=slower) == (models, splits)
    assert made.clock - 2 * (2 + 4) <= 1.2 * 240


def test_runs_that_are_known_take_no_time(world):
    made = world({"bag": 10}, splits=6)
    for method in (name for names in METHODS for name in names):
        made.train(made, made.jobs("bag", method, 1500, 5), "")
    assert fitted(made, 39) == (["bag"], 5) and fitted(made, 40) == (["bag"], 6)


def test_the_store_is_asked_once_for_a_run_however_often_the_plan_changes(world):
    made = world({"bag": 10, "cnn": 100})
    assert fitted(made, 9e9) == (["bag", "cnn"], 10)
    assert len(made.looked_up) == 2 * 2 + 2 * 4 * 10  # the pilots, whose seconds count, and all jobs


def test_two_splits_are_not_planned_as_three(world, capsys):
    made = world({"bag": 10, "cnn": 100}, splits=2)
    assert fitted(made, 60) == (["bag"], 2)
    assert "CNN: left out, for lack of time; --minutes 11 has room for 2 splits of it" in capsys.readouterr().err


def test_the_lines_say_how_many_minutes_have_room_for_more(world, capsys):
    made = world({"bag": 10, "cnn": 100})
    fitted(made, 300)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "bag of words: a run takes 10 s (75 epochs)",
        "CNN: a run takes 100 s (75 epochs)",
        "CNN: left out, for lack of time; --minutes 19 has room for 3 splits of it",  # 1100 s
        "8 of 10 splits, 32 runs of networks, about 5 minutes on 1 core",
        "8 of 10 splits trained, in 5.0 of the 5 minutes given; --minutes 7 has room for all 10",  # 300, 380 s
    ]
    made = world({"bag": 10}, fixed=True, splits=2)
    fitted(made, 600, cores=2)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "2 of 2 seeds, 8 runs of networks, about 1 minute on 2 cores",
        "2 of 2 seeds trained, in 0.5 of the 10 minutes given",
    ]


def left_out(made, seconds):
    schedule = train.Schedule(list(made.models), {}, 0)
    train._leave_out(made, schedule, seconds)
    return schedule.models


def test_the_slowest_networks_are_left_out_while_three_splits_of_all_do_not_fit(world):
    made = world({"bag": 10, "cnn": 100, "lstm": 50})  # 3 splits of 4 runs and a reserve: 156 s, 1560 s, 780 s
    assert left_out(made, 2497) == ["bag", "cnn", "lstm"] and left_out(made, 2495) == ["bag", "lstm"]
    assert left_out(made, 935) == ["bag"] and left_out(made, 1) == ["bag"]  # one always stays
    made.cores = 2
    assert left_out(made, 1249) == ["bag", "cnn", "lstm"] and left_out(made, 1247) == ["bag", "lstm"]
    assert {key.split()[2] for key in made.asked} == {"1"}  # a few epochs tell


def test_a_network_that_an_earlier_call_trained_stays(world, tmp_path):
    made = world({"bag": 10, "cnn": 100})
    (tmp_path / "steps.json").write_text(json.dumps({"cnn": 1500}))
    assert left_out(made, 1) == ["cnn"]
    (tmp_path / "steps.json").write_text(json.dumps({"cnn": 1500, "bag": 1500}))
    assert left_out(made, 1) == ["bag", "cnn"]


def lengths(made, seconds=1e9):
    schedule = train.Schedule(list(made.models), {}, 0)
    train._lengths(made, schedule, seconds)
    assert json.loads((made.documents.folder / "steps.json").read_text()) == schedule.steps
    return schedule


def test_training_gets_longer_while_validation_rises_at_most_fourfold(world):
    made = world({"bag": 10, "cnn": 100})
    assert lengths(made).steps == {"bag": 1500, "cnn": 1500}
    (made.documents.folder / "steps.json").unlink()
    made.curve = lambda model, steps: [0.5, 0.6, 0.7] if model == "cnn" else [0.5, 0.7, 0.7]
    schedule = lengths(made := made_again(world, made))
    assert schedule.steps == {"bag": 1500, "cnn": 6000}
    assert schedule.lines == ["CNN: validation accuracy still rises at the end; more steps do not fit"]
    assert [key for key in made.asked if key.startswith("bag")] == ["bag ce 1500 0", "bag lcm 1500 0"]
    made = made_again(world, made)
    assert lengths(made).steps == {"bag": 1500, "cnn": 6000} and not made.asked[4:]  # decided once for a table
    (made.documents.folder / "steps.json").write_text(json.dumps({"cnn": 1500, "bag": 3000}))
    assert lengths(made).steps == {"bag": 3000, "cnn": 1500}


def test_the_length_of_a_network_that_this_call_does_not_train_is_kept(world, tmp_path):
    made = world({"bag": 10})
    (tmp_path / "steps.json").write_text(json.dumps({"cnn": 6000}))
    train._lengths(made, train.Schedule(["bag"], {}, 0), 1e9)
    assert json.loads((tmp_path / "steps.json").read_text()) == {"cnn": 6000, "bag": 1500}


def made_again(world, old):
    new = world(old.seconds)
    new.curve = old.curve
    return new


def test_training_gets_longer_only_if_a_run_is_below_a_tenth_of_the_time(world):
    made = world({"cnn": 100})
    made.curve = lambda model, steps: [0.5, 0.6, 0.7]
    assert lengths(made, seconds=2001).steps == {"cnn": 3000}
    (made.documents.folder / "steps.json").unlink()
    assert lengths(made, seconds=2000).steps == {"cnn": 1500}


@pytest.mark.parametrize(
    ("scores", "val_rows", "rises"),
    [
        ([0.5, 0.6, 0.61], 1000, True),
        ([0.5, 0.6, 0.604], 1000, False),  # half a point
        ([0.5, 0.6, 0.61], 100, False),  # a row, and a half
        ([0.5, 0.6, 0.62], 100, True),
        ([0.5, 0.8, 0.6], 1000, False),
        ([0.5, 0.6, 0.7, 0.8, 0.8, 0.8], 1000, False),
        ([0.5, 0.6, 0.7, 0.8, 0.9, 0.8], 1000, True),
    ],
)
def test_still_rising(scores, val_rows, rises):
    assert train.still_rising({"curve": [{"val_accuracy": score} for score in scores]}, val_rows) is rises


def test_jobs_go_split_by_split(world):
    made = world({"bag": 10, "cnn": 100})
    schedule = train.Schedule(["bag", "cnn"], {"bag": 1500, "cnn": 3000}, 3)
    found = train._network_jobs(made, schedule, 3)
    assert [job.runs[0].split for job in found] == [0] * 8 + [1] * 8 + [2] * 8
    assert {job.keys[0].split()[2] for job in found if job.cell.model == "cnn"} == {"3000"}
