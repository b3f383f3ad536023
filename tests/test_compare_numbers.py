"""`lcm compare`: which run counts, what is compared with what, and what is advised. Runs are made up."""

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest

from lcm.compare import advice, page, plan, summary
from lcm.evidence.statistics import holm, paired
from lcm.protocol.splits import TRAIN
from lcm.study import LINEAR, Cell, method_settings
from lcm.targets import target_class, target_names

SIZES = {"train": 60, "val": 12, "test": 30}
LABELS = {"svc": "LinearSVC", "nb": "ComplementNB"}


def comparison(drawn="test", methods=(), splits=10, **documents):
    """One whose jobs have the key "model method split seed"."""
    request = SimpleNamespace(drawn=drawn, fixed=drawn == "nothing", splits=splits)
    documents = SimpleNamespace(request=request, sizes=SIZES, **documents)
    found = SimpleNamespace(documents=documents, methods=methods)

    def jobs(model, method, steps, splits):
        cell = Cell("compare", "table", 0, model, method, *plan.Comparison.runs(found, splits))
        return [SimpleNamespace(runs=[r], keys=[f"{model} {method} {r.split} {r.seed}"]) for r in cell.runs()]

    found.jobs, found.place = jobs, lambda job: plan.Comparison.place(found, job)
    return found


def record(accuracy, val=0.5, **test):
    return {"val_accuracy": val, "test": {"accuracy": accuracy, **test}}


@pytest.fixture
def known(monkeypatch):
    """The run store: key -> record."""
    found = {}
    monkeypatch.setattr(summary.store, "load_run", found.get)
    return found


def row(model, method, scores, **more):
    """scores: of each split, an accuracy or a dict of metrics."""
    scores = [each if isinstance(each, dict) else {"accuracy": each} for each in scores]
    runs = [{"place": (k, 0), "test": test, "method": method} for k, test in enumerate(scores)]
    label = LABELS.get(method) or target_class(method).label
    return summary.Row(model, method, label, runs, **more)


def summed(rows, models=("bag",), drawn="nothing", splits=4):
    """A summary of these rows, compared as `summarise` does."""
    made = comparison(drawn)
    found = summary.Summary(made, SimpleNamespace(models=list(models), splits=splits), rows)
    for model in models:
        others = [each for each in found.of(model) if each.method != "ce"]
        summary._compare(others, found.row(model, "ce"), summary.widening_of(made))
    return found


# ---------------------------------------------------------------------------------------------------- which run counts

SMOOTHING = plan.Method("ls", ("ls.epsilon=0.1", "ls.epsilon=0.6"))


def network(made, method=SMOOTHING, splits=2):
    return summary._network(made, SimpleNamespace(steps={"bag": 100}, splits=splits), "bag", method)


def test_validation_chooses_the_strength_of_each_split(known):
    """The test part would choose the other one; of equals it is the weaker one."""
    known |= {"bag ls.epsilon=0.1 0 0": record(0.9, val=0.6), "bag ls.epsilon=0.6 0 0": record(0.8, val=0.7)}
    known |= {"bag ls.epsilon=0.1 1 0": record(0.5, val=0.6), "bag ls.epsilon=0.6 1 0": record(0.7, val=0.6)}
    found = network(comparison())
    assert found.scores("accuracy") == {(0, 0): 0.8, (1, 0): 0.5}
    assert found.chosen == {"ls.epsilon=0.6": 1, "ls.epsilon=0.1": 1} and found.label == "label smoothing, tuned"
    assert found.mean("accuracy") == pytest.approx(0.65) and found.std("accuracy") == pytest.approx(0.15 * 2**0.5)


def test_a_split_on_which_a_strength_is_missing_or_all_failed_does_not_count(known):
    known |= {"bag ls.epsilon=0.1 0 0": record(0.9), "bag ls.epsilon=0.1 1 0": record(0.9)}
    known |= {"bag ls.epsilon=0.6 1 0": {"failed": "loss is nan"}, "bag ls.epsilon=0.1 2 0": {"failed": "x"}}
    known |= {"bag ls.epsilon=0.6 2 0": {"failed": "x"}}
    found = network(comparison(), splits=4)
    assert found.scores("accuracy") == {(1, 0): 0.9} and found.failed == 2


def test_where_all_parts_are_given_seeds_stand_for_splits(known):
    made = comparison("nothing")
    for seed, accuracy in enumerate((0.7, 0.8, 0.9)):
        known[f"bag ce 0 {seed}"] = record(accuracy)
    known[f"{LINEAR} svc 0 0"] = record(0.75)
    assert network(made, plan.Method("ce", ("ce",)), 3).scores("accuracy") == {(0, 0): 0.7, (1, 0): 0.8, (2, 0): 0.9}
    assert summary._yardstick(made, "svc", 3).scores("accuracy") == {(0, 0): 0.75, (1, 0): 0.75, (2, 0): 0.75}
    known[f"{LINEAR} svc 1 0"] = record(0.85)
    assert summary._yardstick(comparison(), "svc", 2).scores("accuracy") == {(0, 0): 0.75, (1, 0): 0.85}


@pytest.mark.parametrize(("drawn", "expected"), [("test", 30 / 60), ("dev", 12 / 60), ("nothing", 0.0)])
def test_intervals_are_widened_by_what_a_split_draws(drawn, expected):
    assert summary.widening_of(comparison(drawn)) == pytest.approx(expected)


# --------------------------------------------------------------------------------------------------------- comparisons

CE = {"accuracy": [0.80, 0.81, 0.79, 0.82], "nll": [0.50, 0.52, 0.51, 0.49]}


def metrics(gain, loss):
    changed = zip(CE["accuracy"], CE["nll"], gain, loss, strict=True)
    return [{"accuracy": a + g, "nll": n + d, "ece": 0.1} for a, n, g, d in changed]


def rows_of(**changes):
    zero = (0, 0, 0, 0)
    return [row("bag", "ce", metrics(zero, zero)), *(row("bag", m, metrics(*each)) for m, each in changes.items())]


BETTER, WORSE, WIDE = (0.05, 0.051, 0.049, 0.05), (-0.05, -0.051, -0.049, -0.05), (0.03, 0.01, 0.02, 0.002)


def test_differences_are_to_cross_entropy_with_holms_correction_over_the_methods():
    found = summed(rows_of(lcm=(WIDE, WORSE), square=(BETTER, BETTER), ls=(WORSE, WIDE)), drawn="test")
    scores = {method: dict(found.row("bag", method).scores("accuracy")) for method in ("ce", "lcm", "square", "ls")}
    tests = [paired(scores[method], scores["ce"], 0.5) for method in ("lcm", "square", "ls")]
    assert [each.against.get("accuracy") for each in found.rows] == [None, *tests]
    assert [each.p.get("accuracy") for each in found.rows] == [None, *holm([test.p for test in tests])]
    assert [each.verdict() for each in found.rows] == ["", "undecided", "better", "worse"]
    assert [each.verdict("nll") for each in found.rows] == ["", "better", "worse", "undecided"]  # less is better


def test_undecided_only_after_holms_correction():
    gain = (0.03, 0.004, 0.02, 0.03)  # mean .021, std .0123 of four: t = 3.42 at 3 degrees of freedom, p = .042
    alone, two = (summed(rows_of(**dict.fromkeys(methods, (gain, WIDE)))) for methods in (["lcm"], ["lcm", "ls"]))
    assert 0.05 / 2 < alone.row("bag", "lcm").against["accuracy"].p < 0.05
    assert [each.row("bag", "lcm").verdict() for each in (alone, two)] == ["better", "undecided"]
    assert two.row("bag", "lcm").p["accuracy"] < 0.1


def test_level_means_within_half_a_point():
    little = (0.001, -0.001, 0.002, -0.002)
    found = summed(rows_of(lcm=(little, little), ls=((0.006, -0.001, 0.002, 0.004), WIDE)))
    assert [each.verdict() for each in found.rows] == ["", "level", "undecided"]
    assert found.rows[1].verdict("nll") == "undecided"  # half a point is of accuracies


def test_linear_models_are_compared_with_the_network_whose_cross_entropy_is_best(known, monkeypatch):
    monkeypatch.setattr(summary, "doubtful_rows", lambda made: ([], ""))
    made = comparison(methods=(plan.Method("ce", ("ce",)), plan.Method("lcm", ("lcm",))))
    for split in range(3):
        noise = 0.001 * split
        for key, accuracy in (
            ("bag ce", 0.7),
            ("bag lcm", 0.95),
            ("cnn ce", 0.8),
            ("cnn lcm", 0.7),
            ("linear svc", 0.9),
        ):
            known[f"{key} {split} 0"] = record(accuracy + noise * len(key))
    schedule = SimpleNamespace(models=["bag", "cnn"], steps={"bag": 1, "cnn": 1}, splits=3)
    found = summary.summarise(made, schedule)
    svc = found.row(LINEAR, "svc")
    assert svc.beside == "cnn" and svc.against["accuracy"].value == pytest.approx(0.104)
    assert found.row("bag", "lcm").against["accuracy"].value == pytest.approx(0.251)
    assert found.row("cnn", "lcm").beside == "cnn" and [each.method for each in found.of(LINEAR)] == ["svc"]


# ----------------------------------------------------------------------------------------------------------- confusions


def test_confused_pairs_by_hand(monkeypatch):
    def runs(*matrices):
        return SimpleNamespace(runs=[{"confusion_matrix": matrix} for matrix in matrices])

    first = runs([[5, 1, 0], [3, 5, 0], [0, 2, 5]], [[5, 3, 0], [1, 5, 0], [2, 0, 5]])  # 4 a run, 1 and 1
    second = runs([[9, 0, 4], [0, 9, 1], [0, 0, 9]])
    found = summary.confused_pairs([first, second])
    assert [pair["pair"] for pair in found] == [(0, 1), (0, 2), (1, 2)]
    assert [pair["share"] for pair in found] == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    assert [pair["errors"] for pair in found] == [[4, 0], [1, 4], [1, 1]]
    monkeypatch.setattr(summary, "MOST_PAIRS", 2)
    assert len(summary.confused_pairs([first])) == 2 and summary.confused_pairs([]) == []


# -------------------------------------------------------------------------------------------------------------- advice


def test_of_several_winners_the_simplest_that_cannot_be_told_from_the_best():
    best = (0.05, 0.051, 0.049, 0.05)
    near, far = (0.051, 0.048, 0.049, 0.0495), (0.021, 0.02, 0.0195, 0.02)
    zero = (0.0, 0.0, 0.0, 0.0)
    given = summed(rows_of(ls_matched=(far, zero), square=(near, zero), lcm=(best, zero)))
    found, (low, high) = advice.advice(given), given.row("bag", "square").against["accuracy"].ci95
    assert f"+4.9 points (95 % interval {100 * low:+.1f} to {100 * high:+.1f}) against" in found[0]
    assert found[0].startswith("With the bag of words, train with square loss: +4.9 points")  # not matched smoothing
    assert found[0].endswith("Label confusion model cannot be told apart from it; it is the simplest of them.")
    assert "LCM is better than label smoothing of the same strength: +3.0 points" in found[1]


def test_a_network_far_below_the_linear_model_is_called_under_trained():
    def lines(below):
        accuracies = np.array([0.80, 0.81, 0.79])
        return summary.under_trained(summed([row("bag", "ce", accuracies - below), row(LINEAR, "svc", accuracies)]))

    (line,) = lines(below=0.4)
    assert "UNDER-TRAINED" in line and "40.0 % at best" in line and "80.0 %" in line
    assert not lines(below=0.05)


def test_what_validation_loses_by_the_end_is_called_over_trained():
    def lines(curve, val=400):
        found = summed([row("bag", "ce", [0.8, 0.8]), row("bag", "lcm", [0.7, 0.7])])
        for each in found.rows:
            for run in each.runs:
                run["curve"] = [{"val_accuracy": v} for v in (curve if each.method == "lcm" else [0.8] * 6)]
        found.comparison.documents.sizes = {**SIZES, "val": val}
        return summary.over_trained(found)

    (line,) = lines([0.5, 0.8, 0.7, 0.7, 0.7, 0.7])  # by 10 points, of which chance may be 1.8
    assert "OVER-TRAINED with label confusion model: " in line and "more than 3 points lower" in line
    assert not lines([0.5, 0.8, 0.7, 0.7, 0.765, 0.765]) and not lines([0.5, 0.6, 0.7, 0.7, 0.8, 0.8])
    assert not lines([0.5, 0.8, 0.7, 0.7, 0.7, 0.7], val=20)  # chance alone may be 8 points
    assert not lines([0.5, 0.8, 0.7, 0.7, 0.7, 0.7], val=500)  # then the best epoch is tested
    assert not lines([0.5, 0.78, *[0.7] * 38])  # one epoch of forty is half of a twentieth


def test_one_run_of_each_method_decides_nothing():
    one = [row("bag", method, [0.8]) for method in ("ce", "lcm")]
    assert advice.advice(summed(one))[0].startswith("Undecided: one run")


def test_what_is_advised_where_nothing_is_better():
    level, wide = (0.001, -0.001, 0.002, -0.002), (0.03, -0.02, 0.02, -0.01)
    found = advice.advice(summed(rows_of(lcm=(level, wide), ls=(level, wide))))
    assert "the target does not matter: every method is within half a point" in found[0]
    found = advice.advice(summed(rows_of(lcm=(WORSE, wide), ls_matched=(wide, wide), square=(level, wide))))
    assert "the differences are -5.0 to +0.5 points" in found[0]
    assert found[0].endswith("Worse than cross-entropy: label confusion model.")
    assert "give more time with --minutes" in found[0]  # 4 of 10 splits
    assert "With 4 runs this table can show only differences above about 0.3 points" in found[0]  # the middle width
    assert "--minutes" not in advice.advice(summed(rows_of(lcm=(wide, wide)), splits=10))[0]


def test_the_model_with_the_best_row_is_advised_and_the_other_one_is_told():
    rows = rows_of(lcm=(WORSE, BETTER))
    for each in rows_of(lcm=(BETTER, WORSE)):
        rows.append(summary.Row("cnn", each.method, each.label, each.runs))
    found = advice.advice(summed(rows, models=("bag", "cnn")))
    assert found[0].startswith("With the CNN, train with label confusion model")
    assert found[1] == "With the bag of words, label confusion model is worse than cross-entropy."


def test_the_lowest_log_loss_is_named():
    def scored(method, losses, ece):
        tests = zip(CE["accuracy"], losses, strict=True)
        return row("bag", method, [{"accuracy": a, "nll": nll, "ece": ece} for a, nll in tests])

    lcm, ls = scored("lcm", [0.3, 0.32, 0.31, 0.3], 0.05), scored("ls", [0.40, 0.43, 0.41, 0.39], 0.1)
    found = summed([scored("ce", CE["nll"], 0.2), ls, lcm])
    line = next(line for line in advice.advice(found) if line.startswith("If you use the probabilities"))
    assert "label confusion model has the lowest log loss, 0.31 where cross-entropy has 0.51" in line
    assert "(ECE) is 5.0 %, that of cross-entropy 20.0 %" in line


@pytest.mark.parametrize(
    ("linear", "said"),
    [
        (
            [0.90, 0.911, 0.889, 0.92],
            "No network is needed here: LinearSVC on TF-IDF is better than the best network, +5.0",
        ),
        ([0.70, 0.711, 0.689, 0.72], "The bag of words is better than the best linear model (LinearSVC): +15.0 points"),
        ([0.86, 0.85, 0.85, 0.86], "Whether LinearSVC on TF-IDF does as well as the best network is undecided: +0.0"),
    ],
)
def test_the_best_linear_model_meets_the_best_network(linear, said):
    rows = rows_of(lcm=(BETTER, WIDE)) + [row(LINEAR, "svc", linear), row(LINEAR, "nb", [0.1, 0.2, 0.3, 0.4])]
    rows[1].runs[1]["test"]["accuracy"], rows[1].runs[2]["test"]["accuracy"] = 0.86, 0.84  # .85 .86 .84 .87
    assert advice.advice(summed(rows))[-1].startswith(said)


def test_methods_that_failed_on_each_others_splits_are_undecided():
    rows = rows_of(lcm=(BETTER, WIDE), ls_matched=(BETTER, WIDE)) + [row(LINEAR, "svc", [0.9, 0.91, 0.7, 0.8])]
    rows[1].runs, rows[2].runs, rows[3].runs = rows[1].runs[:2], rows[2].runs[2:], rows[3].runs[2:]
    found = advice.advice(summed(rows))
    why = "undecided: there is no split on which both have a run."
    assert [line.partition(why)[0] for line in found if why in line] == [
        "Whether LCM differs from label smoothing of the same strength is ",
        "Whether LinearSVC on TF-IDF does as well as the best network is ",
    ]
    rows = rows_of(lcm=(BETTER, WIDE))
    rows[0].runs, rows[1].runs = rows[0].runs[:2], rows[1].runs[2:]
    (line,) = advice.advice(summed(rows))
    assert line == "Undecided: with the bag of words, cross-entropy shares no split with another method."


# ---------------------------------------------------------------------------------------------------------------- plan


def of_size(rows, val, p95=30, words=5000):
    train = rows - val - rows * 3 // 10
    meta = {"tokens_per_document": {"p95": p95}, "words": words}
    data = SimpleNamespace(corpus=SimpleNamespace(meta=meta))
    return SimpleNamespace(texts=[""] * rows, sizes={"train": train, "val": val, "test": rows - val - train}, data=data)


@pytest.mark.parametrize(
    ("rows", "steps", "batch", "epochs"),
    [(999, 1500, 16, 40), (1000, 1500, 32, 79), (4000, 1500, 64, 40), (16_000, 1500, 128, 20), (200_000, 1500, 128, 4)],
)
def test_about_so_many_steps_whatever_the_size(rows, steps, batch, epochs):
    found = plan.training("bag", of_size(rows, rows // 10), steps)
    assert (found.batch_size, found.epochs) == (batch, epochs)
    assert found.lr == 0.01 and plan.training("cnn", of_size(rows, 99), 1).lr == 0.001


def test_few_validation_rows_do_not_choose_an_epoch():
    assert [plan.training("bag", of_size(5000, val), 1500).select for val in (499, 500)] == ["last", "best_val"]


def test_networks_read_95_percent_of_the_rows_whole_and_learn_words_from_the_training_part():
    found = plan.model_config("bag", of_size(999, 99))
    assert (found.maxlen, found.vocabulary_size, found.vocabulary_fit) == (30, 5001, "train")
    assert {plan.model_config(model, of_size(999, 99)).truncation for model in ("bag", "cnn", "lstm")} == {"post"}
    limits = [plan.model_config("cnn", of_size(999, 99, p95, words)) for p95, words in ((3, 10), (900, 90_000))]
    assert [(each.maxlen, each.vocabulary_size) for each in limits] == [(10, 11), (400, 20_000)]


def test_methods_are_those_that_a_table_can_have():
    table = labelled(3, 50)
    assert [method.name for method in plan.methods(False, table)] == list(plan.DEFAULT)
    tuned = [method for method in plan.methods(False, table) if method.tuned]
    assert [method.candidates for method in tuned] == [tuple(f"ls.epsilon={e}" for e in (0.1, 0.3, 0.6, 0.9))]
    names = [method.name for method in plan.methods(True, table)]
    assert len(names) == len(set(names)) and names[: len(plan.DEFAULT)] == list(plan.DEFAULT)
    left_out = set(target_names()) - set(names)
    assert {"seal", "forward", "oracle_prune", "oracle_group", "anti_group", "permuted_group"} == left_out
    assert not table.notes


def labelled(classes, rows):
    """So many classes, each with so many rows to train on."""
    labels = np.repeat(np.arange(classes), rows)
    corpus = SimpleNamespace(labels=labels, names=[str(name) for name in range(classes)])
    data = SimpleNamespace(corpus=corpus, splits=np.full((2, len(labels)), TRAIN, np.uint8))
    return SimpleNamespace(data=data, notes=[])


def test_a_table_too_small_for_a_target_does_without_it():
    small = labelled(20, 4)
    names = [method.name for method in plan.methods(True, small)]
    assert not {"prune", "prune_window", "held_out_lcm"} & set(names) and "vol_min" in names
    assert small.notes == ["pruning is left out: no class has 5 rows to train on"]
    by_name = {method.name: method.candidates for method in plan.methods(True, labelled(2, 50))}
    (setting,) = by_name["vol_min"]
    target_class("vol_min")(2, **method_settings(plan.AT_DEFAULTS, setting, 2))  # its default is for three classes
    assert "prune" in by_name


# ---------------------------------------------------------------------------------------------------------------- page


def test_numbers_on_the_page():
    found = summed(rows_of(lcm=((0.05, 0.07, 0.03, 0.05), (-0.1, -0.12, -0.08, -0.1))))
    lcm = found.row("bag", "lcm")
    assert page.percent(lcm, "accuracy") == "85.5 ± 2.6" and page.percent(lcm, "brier") == ""
    test = lcm.against["accuracy"]
    assert page.difference(lcm) == f"+5.0 [{100 * test.ci95[0]:+.1f}, {100 * test.ci95[1]:+.1f}]"
    assert page.cells(lcm)[1:4] == ["4", page.difference(lcm), "better"] and page.cells(lcm)[-1] == "0.41"
    ((name, (plot,)),) = page.plots(found)
    assert name == "bag of words" and plot.mean == pytest.approx(5) and plot.dots == pytest.approx([5, 7, 3, 5])
    assert (plot.low, plot.high) == pytest.approx((100 * test.ci95[0], 100 * test.ci95[1]))
    low, high = page.span(page.plots(found))
    assert low < -1 and high > max(plot.high, 7)
    runs = list(csv.DictReader(io.StringIO(page._runs(found))))
    assert [(run["method"], run["split"], float(run["accuracy"])) for run in runs if run["method"] == "lcm"] == [
        ("lcm", str(k), pytest.approx(a)) for k, a in enumerate((0.85, 0.88, 0.82, 0.87))
    ]


def test_numbers_for_programs():
    found = summed(rows_of(lcm=(BETTER, WORSE), ls=(WORSE, WIDE)))
    found.comparison.names, found.doubtful = ["a", "b"], [{}, {}]
    ce, lcm, _ = page.numbers(found)["rows"]
    assert ce["minus_cross_entropy"] == {} and lcm["n"] == 4 and page.numbers(found)["mislabelled"] == 2
    test = found.row("bag", "lcm").against["accuracy"]
    assert lcm["minus_cross_entropy"]["accuracy"] == {
        "mean": test.value, "ci95": test.ci95, "p_holm": 2 * test.p, "verdict": "better",
    }  # fmt: skip
    assert [page.cells(each)[3] for each in found.rows] == ["", "better", "worse"]
    assert lcm["accuracy"] == {"mean": pytest.approx(0.855), "std": pytest.approx(0.0129, abs=1e-3)}


def test_the_terminals_columns_are_as_wide_as_their_widest_cell_and_titles_stand_alone():
    found = summed(rows_of(lcm=(BETTER, WORSE)))
    head, title, *lines = page.terminal(found).splitlines()[:4]
    assert title == "bag of words" and len({len(line) for line in (head, *lines)}) == 1
    ce, lcm = (page.cells(each) for each in found.rows)
    assert lines[0].split() == f"cross-entropy {' '.join(ce)}".split()
    assert lines[1].startswith("  label confusion model  85.5 ± 1.3  4  ") and lcm[2] in lines[1]
    assert head.split("  ")[-1] == "log loss" and lines[1].endswith("  " + lcm[-1])


def test_how_networks_were_trained_is_said_with_their_words_steps_and_choice_of_epoch():
    documents = of_size(1000, 100)  # 600 rows to train on, in batches of 32: 19 steps an epoch
    found = SimpleNamespace(
        comparison=SimpleNamespace(documents=documents), schedule=SimpleNamespace(steps={"bag": 40})
    )
    assert page._network(found, "bag") == (
        "reads the 5000 most frequent words, the first 30 of a row; 4 epochs in batches of 32 (76 steps), "
        "Adam with rate 0.01; the last epoch is tested"
    )
    found.comparison.documents = of_size(10_000, 1000)
    assert page._network(found, "bag").endswith("; the best epoch on the validation part is tested")


def write_page(folder, monkeypatch, doubtful):
    """The page of a made-up comparison of a file whose name has a comma."""
    monkeypatch.setattr(summary.store, "load_predictions", lambda key: None)
    found = summed(rows_of(lcm=(BETTER, WORSE)))
    for each in found.rows:
        for run in each.runs:
            run |= {"key": "k", "confusion_matrix": [[3, 1], [2, 4]]}
    meta = {"tokens_per_document": {"median": 3.0, "p95": 5.0}, "words": 9}
    documents, found.comparison.names = found.comparison.documents, ["a", "b"]
    documents.request.files = {"table": folder / "A, B.csv"}
    documents.texts, documents.notes = ["text"] * 102, []
    documents.data = SimpleNamespace(corpus=SimpleNamespace(meta=meta))
    found.schedule.steps, found.schedule.lines = {"bag": 1500}, []
    places = [{"place": f"A, B.csv, row {n}", "label": "a", "suggested": "b"} for n in doubtful]
    found.doubtful = [place | {"probability": 0.1, "text": "text"} for place in places]
    return page.write(found, folder, ["lcm", "compare", "A, B.csv"]).read_text(encoding="utf-8")


def test_doubtful_rows_are_those_of_this_table(tmp_path, monkeypatch):
    assert "<tr><th>Row 3</th>" in write_page(tmp_path, monkeypatch, [3])  # the file is in the title
    with open(tmp_path / "doubtful.csv", encoding="utf-8") as file:
        assert [row["place"] for row in csv.DictReader(file)] == ["A, B.csv, row 3"]
    assert "None found." in write_page(tmp_path, monkeypatch, [])
    assert not (tmp_path / "doubtful.csv").exists()


def test_ticks():
    assert page.ticks(-1.2, 3.2) == [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert page.ticks(-3, 8) == [-2, 0, 2, 4, 6, 8]
