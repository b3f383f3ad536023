"""Which results are read, what is refused, what is compared with what: hand-made cells."""

import json
import math

import numpy as np
import pytest
import synthetic
from sklearn.metrics import f1_score
from synthetic import find, grid

from lcm.errors import UserError
from lcm.evidence import tables
from lcm.evidence.comparisons import Evidence, compare, strengths, true_mass, tuned
from lcm.evidence.results import Summary, read_study
from lcm.evidence.study_tables import gaps, results_table
from lcm.study import cells

LCM = ("20ng", 0, "lstm_rand", "lcm")
CE = ("20ng", 0, "lstm_rand", "ce")


@pytest.fixture
def world(tmp_path):
    """A study of one setting with all four methods and the linear model; returns (params, root)."""
    p = synthetic.params(tiny=grid(yardsticks=["linear"]))
    scores = {
        "ce": [0.70, 0.72, 0.74],
        "ls": [0.71, 0.72, 0.76],
        "ls_matched": [0.71, 0.75, 0.76],
        "lcm": [0.72, 0.74, 0.79],
    }
    for cell in cells(p, "tiny"):
        synthetic.write(tmp_path, p, cell, scores.get(cell.method, [0.90, 0.91, 0.92]))
    return p, tmp_path


def change(world, method, edit):
    p, root = world
    path = root / find(p, "tiny", "20ng", 0, "lstm_rand", method).path()
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


def read(world):
    return read_study(world[0], "tiny", world[1])


def test_mean_std_n_by_hand(world):
    # lcm .72 .74 .79: mean .75, deviations -.03 -.01 .04, std sqrt((.0009 + .0001 + .0016) / 2) = .0360555
    summary = read(world).find(*LCM).summary()
    assert (summary.n, summary.runs, summary.count) == (3, 3, "3")
    assert (summary.mean, summary.std) == (pytest.approx(0.75), pytest.approx(0.0360555))


def test_seeds_count_within_their_split(tmp_path):
    p = synthetic.params(tiny=grid(methods=["ce"], seeds=2))
    cell = find(p, "tiny", *CE)
    synthetic.write(tmp_path, p, cell, [[0.6, 0.8], [0.9]])
    result = read_study(p, "tiny", tmp_path).find(*CE)
    # means of the splits .7 and .9; std of the three runs .6 .8 .9: mean .766667, sqrt((.027778 + .001111 + .017778) /
    # 2)
    assert result.summary() == Summary(2, 3, pytest.approx(0.8), pytest.approx(0.1527525))
    assert (result.summary().count, result.lacking) == ("2 (3 runs)", 3)
    assert result.scores() == {(0, 0): 0.6, (0, 1): 0.8, (1, 0): 0.9}
    synthetic.write(tmp_path, p, cell, [[0.6, 0.8], [0.9, 0.7], [0.5, 0.5]])
    assert read_study(p, "tiny", tmp_path).find(*CE).summary().count == "3 × 2"


def test_enumerates_and_never_globs(world):
    p, root = world
    other = synthetic.params(tiny=grid(models=["cnn_rand"], methods=["lcm.alpha=2"], noise=[12]))
    synthetic.write(root, other, next(iter(cells(other, "tiny"))), [0.123] * 3)
    study = read(world)
    assert {result.method for result in study.results} == {*synthetic.PLAIN, "linear"}
    assert study.settings == [("20ng", 0, "lstm_rand")]


def test_runs_beyond_the_study_are_ignored_and_missing_ones_are_named(world):
    p, root = world
    synthetic.write(root, p, find(p, "tiny", *CE), [0.1, 0.2, 0.3, 0.9, 0.9])
    result = read(world).find(*CE)
    assert result.summary().mean == pytest.approx(0.2) and not result.lacking
    synthetic.write(root, p, find(p, "tiny", *CE), [0.1, 0.2])
    result = read(world).find(*CE)
    assert (result.summary().n, result.lacking) == (2, 1)
    assert gaps(read(world)) == ["tiny 20ng 0 lstm_rand ce: 1 of 3 runs are not there yet"]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda r: r.update(runs=[r["runs"][0] | {"split": 7}]), "holds none of the 3 runs"),
        (lambda r: r.update(noise=6), "differs in noise: 0 in params, 6 in cell"),
        (lambda r: r["config"]["train"].update(epochs=10), "differs in train.epochs: 20 in params, 10 in cell"),
        (lambda r: r["config"]["split"].update(test=0.2), "differs in split.test: 0.3 in params, 0.2 in cell"),
        (lambda r: r["config"]["model"].pop("hidden"), "differs in model.hidden: 64 in params, absent in cell"),
        (lambda r: r["config"]["lcm"].update(alpha=2.0), "differs in lcm.alpha: 4.0 in params, 2.0 in cell"),
    ],
)
def test_what_makes_a_cell_stale(world, edit, reason):
    change(world, "lcm", edit)
    study = read(world)
    result = study.find(*LCM)
    assert (result.state, result.reason, result.summary()) == ("stale", reason, None)
    assert compare(result, study.find(*CE)) is None
    assert gaps(study) == [f"tiny 20ng 0 lstm_rand lcm: stale ({reason})"]


def test_a_missing_cell_is_not_run_and_not_filled_from_the_paper(world):
    (world[1] / find(world[0], "tiny", *LCM).path()).unlink()
    study = read(world)
    assert study.find(*LCM).state == "not run"
    text = tables.to_text(results_table(study, Evidence([study])))
    row = next(line for line in text.splitlines() if line.split()[:1] == ["LCM"])
    assert row.split() == ["LCM", "72.42", "±", "1.91", "not", "run", "-", "0"]  # but no column without an entry


def test_failed_runs_are_named_and_left_out(world):
    change(world, "lcm", lambda r: r["runs"].__setitem__(1, {"split": 1, "seed": 0, "failed": "NaN loss in epoch 3"}))
    change(world, "ls", lambda r: r["runs"][2]["test"].update(accuracy=float("nan")))
    study = read(world)
    lcm = study.find(*LCM)
    assert lcm.failures == {(1, 0): "NaN loss in epoch 3"} and lcm.summary().mean == pytest.approx(0.755)
    assert {(row["split"], row["seed"]) for row in lcm.curves} == {(0, 0), (2, 0)}
    assert gaps(study) == [
        "tiny 20ng 0 lstm_rand ls, split 2, seed 0: failed (test accuracy is nan)",
        "tiny 20ng 0 lstm_rand lcm, split 1, seed 0: failed (NaN loss in epoch 3)",
    ]
    assert compare(lcm, study.find(*CE)).n == 2
    assert tables.ours(lcm) == ("75.50 ± 4.95", "1 of 3 runs failed")


@pytest.mark.parametrize("key", ["corpus_digest", "sizes", "realised_noise"])
def test_cells_on_other_data_are_not_compared(world, key):
    other = {
        "corpus_digest": "sha256:x",
        "sizes": {"train": 50, "val": 20, "test": 30},
        "realised_noise": [0.0, 0.1, 0.0],
    }
    change(world, "lcm", lambda r: r.update({key: other[key]}))
    study = read(world)
    assert compare(study.find(*LCM), study.find(*CE)) is None
    change(world, "lcm", lambda r: r.update(realised_noise=[0.0], corpus_digest="sha256:20ng", sizes=synthetic.SIZES))
    study = read(world)
    assert compare(study.find(*LCM), study.find(*CE)).value == pytest.approx(
        0.03
    )  # .02 .02 .05; fewer rates known, same data


def test_an_official_test_part_is_known_by_its_size(tmp_path):
    p = synthetic.params(images=grid(["mnist", "digits"], ["image_cnn"], ["ce", "lcm"]))
    for cell in cells(p, "images"):
        synthetic.write(tmp_path, p, cell, [0.5, 0.6, 0.7] if cell.method == "ce" else [0.6, 0.7, 0.9])
    study = read_study(p, "images", tmp_path)
    mnist, digits = (study.find(corpus, 0, "image_cnn", "lcm") for corpus in ("mnist", "digits"))
    assert (mnist.official_test, mnist.widening()) == (True, 10 / 76)
    assert (digits.official_test, digits.widening(), digits.widening("val")) == (False, 0.5, 10 / 60)
    assert compare(mnist, study.find("mnist", 0, "image_cnn", "ce")).widening == 10 / 76


def test_broken_files_and_unknown_studies_are_one_line(world):
    p, root = world
    with pytest.raises(UserError, match="none"):
        read_study(p, "none", root)
    path = root / find(p, "tiny", *CE).path()
    for broken in ("<<<<<<< HEAD", "[]", '{"runs": {}}'):
        path.write_text(broken)
        with pytest.raises(UserError, match=r"noise0-lstm_rand-ce.json: not a result file.*train again"):
            read(world)
    path.unlink()
    curves = root / find(p, "tiny", *LCM).path("curves")
    for broken in ("", curves.read_text()[:-5], "{}", '[{"split": 0}]', "[" * 100_000):
        curves.write_text(broken)
        with pytest.raises(UserError, match=r"noise0-lstm_rand-lcm.curves.json: not a file of curves .*train again"):
            read(world).find(*LCM).last("lcd_true")


# one label is never predicted rightly, two do not occur
UNEVEN = [[6, 2, 0, 0, 0], [0] * 5, [0, 0, 2, 0, 0], [0] * 5, [0] * 5]


@pytest.mark.parametrize(
    "edit,said",
    [
        (
            lambda r: r["runs"][0]["test"].update(accuracy=7.5),
            "runs.0.test.accuracy: expected a share from 0 to 1, found 7.5",
        ),
        (lambda r: r["runs"][0]["test"].update(accuracy=-1), "runs.0.test.accuracy: expected a share"),
        (lambda r: r["runs"][0]["test"].update(accuracy="0.7"), "runs.0.test.accuracy: input should be a valid number"),
        (lambda r: r["runs"][2]["test"].update(ece="x"), "runs.2.test.ece: input should be a valid number"),
        (
            lambda r: r["runs"][1].update(val_accuracy=1.01),
            "runs.1.val_accuracy: input should be less than or equal to 1",
        ),
        (lambda r: r["runs"][1].update(test_last=None), "runs.1.test_last: "),
        (lambda r: r["runs"][1].update(split=-1), "runs.1.split: "),
        (lambda r: r["runs"][1].pop("test"), "runs.1: expected test or failed"),
        (lambda r: r["runs"].append(r["runs"][0]), "a run is there twice"),
        (lambda r: r["sizes"].update(test=0), "sizes.test: input should be greater than or equal to 1, found 0"),
        (lambda r: r["sizes"].update(train="60"), "sizes.train: "),
        (lambda r: r.update(n_labels=0), "n_labels: input should be greater than or equal to 2"),
        (lambda r: r.update(n_labels=4), "n_labels is 4, labels are 5"),
        (lambda r: r.update(labels=None), "labels: input should be a valid list"),
        (lambda r: r.update(settings=None), "settings: "),
        (lambda r: r["settings"].update(alpha=[1.0]), r"settings.alpha: expected a number, found \[1.0\]"),
        (lambda r: r["runs"][0]["confusion_matrix"].pop(), "a confusion matrix is not 5 x 5"),
        (lambda r: r["runs"][0]["confusion_matrix"][2].pop(), "a confusion matrix is not 5 x 5"),
        (lambda r: r["runs"][0]["confusion_matrix"][2].__setitem__(0, -1), "runs.0.confusion_matrix.2.0: "),
        (
            lambda r: r["runs"][1]["test"].update(accuracy=0.75),
            "run split 1, seed 0: expected test accuracy 0.740000 by the confusion matrix, found 0.750000",
        ),
        (
            lambda r: r["runs"][0].update(confusion_matrix=UNEVEN, test={"accuracy": 0.8, "macro_f1": 0.5}),
            "run split 0, seed 0: expected test macro_f1 0.371429 by the confusion matrix, found 0.500000",
        ),
        (
            lambda r: (
                [run.pop("confusion_matrix") for run in r["runs"]]
                and r.update(confusion_matrix=synthetic.confusions(0.76, 5))
            ),  # as old cells have it, mean of .72 .74 .79
            "mean of all runs: expected test accuracy 0.760000 by the confusion matrix, found 0.750000",
        ),
        (lambda r: r.update(realised_noise=0.1), "realised_noise: "),
        (lambda r: r.update(edition="x\n" * 1000, runs=3), "runs: "),
    ],
)
def test_a_file_that_cannot_be_true_is_one_line_that_names_the_key(world, edit, said):
    change(world, "lcm", edit)
    with pytest.raises(UserError, match=f"noise0-lstm_rand-lcm.json: not a result file .*{said}") as caught:
        read(world)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 400


def test_accuracies_that_are_rounded_or_missing_agree_with_their_matrices(world):
    def rounded(record):
        for run, score in zip(record["runs"], (0.7200004, 0.74, 0.79), strict=True):
            run["test"]["accuracy"] = score
        record["runs"][1]["test"]["accuracy"] = math.nan  # the run has failed
        record["confusion_matrix"] = np.zeros((5, 5), int).tolist()
        true, predicted = (np.repeat(np.indices((5, 5))[axis], np.ravel(UNEVEN)) for axis in (0, 1))
        macro_f1 = f1_score(true, predicted, labels=range(5), average="macro", zero_division=0)
        record["runs"][2] |= {"confusion_matrix": UNEVEN, "test": {"accuracy": 0.8, "macro_f1": round(macro_f1, 6)}}

    change(world, "lcm", rounded)
    assert read(world).find(*LCM).done


# ----------------------------------------------------------------------------------------------- strengths and tuning


def swept(root, validation, alphas=(0.5, 2), splits=3):
    methods = ["lcm", *(f"lcm.alpha={a:g}" for a in alphas)]
    p = synthetic.params(tiny=grid(methods=methods, splits=splits))
    for index, cell in enumerate(cells(p, "tiny")):
        test = [0.5 + 0.1 * index + 0.01 * split for split in range(len(validation[index]))]
        synthetic.write(root, p, cell, test, validation=validation[index])
    return read_study(p, "tiny", root)


def test_tuned_takes_the_best_validation_accuracy_of_each_split(tmp_path):
    # validation of alpha 4, .5, 2 on splits 0, 1, 2: best are .5, 4, 2
    study = swept(tmp_path, [[0.5, 0.9, 0.1], [0.6, 0.1, 0.2], [0.55, 0.2, 0.3]])
    result = tuned(study.results)
    assert result.record["chosen"] == {0: "lcm.alpha=0.5", 1: "lcm", 2: "lcm.alpha=2"}
    assert result.scores() == {(0, 0): pytest.approx(0.60), (1, 0): pytest.approx(0.51), (2, 0): pytest.approx(0.72)}
    assert result.method == "lcm.tuned" and len(result.record["tried"]) == 3
    # the curves are those of the runs: accuracy rises to the test's
    assert [values[-1] for _, values in sorted(result.by_run("val_accuracy").items())] == pytest.approx(
        [0.60, 0.51, 0.72]
    )
    assert tuned(study.results[:1]) is None


def test_of_strengths_with_equal_validation_accuracy_the_first_is_taken(tmp_path):
    study = swept(tmp_path, [[0.5, 0.6, 0.6], [0.7, 0.6, 0.6], [0.7, 0.5, 0.6]])
    assert tuned(study.results).record["chosen"] == {0: "lcm.alpha=0.5", 1: "lcm", 2: "lcm"}


def test_errors_of_old_cells_are_their_sum_and_a_tuned_result_has_none_of_another_choice(tmp_path):
    study = swept(tmp_path, [[0.5, 0.9, 0.1], [0.6, 0.1, 0.2], [0.55, 0.2, 0.3]])
    of_run = study.results[0].runs[0]["confusion_matrix"]
    assert np.array_equal(
        tuned(study.results[:2]).confusion(),
        sum(  # of the runs that are chosen: alpha .5, 4 and .5
            np.array(study.results[index].runs[split]["confusion_matrix"]) for split, index in enumerate((1, 0, 1))
        ),
    )
    for result in study.results:
        for run in result.record["runs"]:
            del run["confusion_matrix"]
        result.record["confusion_matrix"] = of_run
    assert np.array_equal(study.results[0].confusion(), of_run) and tuned(study.results).confusion() is None


def test_strengths_are_compared_over_the_seeds_that_all_have_and_count_with_these(tmp_path):
    p = synthetic.params(tiny=grid(methods=["lcm", "lcm.alpha=2"], splits=2, seeds=2))
    scores = {"lcm": [[0.6, 0.9], [0.6, 0.7]], "lcm.alpha=2": [[0.5], [0.7, 0.9]]}
    for cell in cells(p, "tiny"):
        synthetic.write(tmp_path, p, cell, scores[cell.method], validation=scores[cell.method])
    result = tuned(read_study(p, "tiny", tmp_path).results)
    assert result.record["chosen"] == {0: "lcm", 1: "lcm.alpha=2"}
    assert result.scores() == {(0, 0): 0.6, (1, 0): 0.7, (1, 1): 0.9}


def test_strengths_screened_on_few_splits_are_then_fixed(tmp_path):
    # alpha 2 is best over splits 0 and 1, where all were run; on split 2 it counts though alpha 4 is better there
    study = swept(tmp_path, [[0.5, 0.5, 0.9], [0.6, 0.1], [0.55, 0.7, 0.3]])
    result = tuned(study.results)
    assert result.record["chosen"] == {0: "lcm.alpha=0.5", 1: "lcm.alpha=2", 2: "lcm.alpha=2"}
    # where the one that is best was not run, nothing counts
    study = swept(tmp_path, [[0.5, 0.5, 0.9], [0.6, 0.9], [0.55, 0.7, 0.3]])
    assert tuned(study.results).record["chosen"] == {0: "lcm.alpha=0.5", 1: "lcm.alpha=0.5"}


def test_tuning_reads_no_test_score(tmp_path):
    study = swept(tmp_path, [[0.5, 0.9, 0.1], [0.6, 0.1, 0.2], [0.55, 0.2, 0.3]])
    chosen = tuned(study.results).record["chosen"]
    for result in study.results:
        for run in result.record["runs"]:
            run["test"]["accuracy"] = 1 - run["test"]["accuracy"]
    assert tuned(study.results).record["chosen"] == chosen


def test_strengths_differ_in_nothing_else(tmp_path):
    methods = ["lcm", "lcm.alpha=2", "lcm.alpha=2,stop_epoch=4", "lcm.alpha=6,stop_epoch=4", "lcm.detach=true"]
    methods += ["ls", "ls.epsilon=0.75"]
    p = synthetic.params(tiny=grid(methods=methods))
    for cell in cells(p, "tiny"):
        synthetic.write(tmp_path, p, cell, [0.7, 0.71, 0.72])
    study = read_study(p, "tiny", tmp_path)
    assert [r.method for r in strengths(r for r in study.results if r.target == "lcm")] == ["lcm", "lcm.alpha=2"]
    evidence = Evidence([study])
    assert evidence.tuned(study.results[0], "ls").record["tried"] == ["ls", "ls.epsilon=0.75"]
    assert evidence.rival(study.results[0], "ls.tuned").record["tried"] == ["ls", "ls.epsilon=0.75"]
    assert evidence.rival(study.results[0], "ce") is None


def test_the_same_cell_of_two_studies_has_the_same_runs(tmp_path):
    p = synthetic.params(benchmark=grid(splits=5), noise=grid(splits=3))
    for cell in cells(p, "benchmark"):
        synthetic.write(tmp_path, p, cell, [0.5, 0.6, 0.7, 0.8, 0.9])
    for cell in cells(p, "noise"):
        synthetic.write(tmp_path, p, cell, [0.5, 0.6, 0.7])
    studies = [read_study(p, name, tmp_path) for name in p.studies]
    result = Evidence(studies)["noise"].find(*CE)
    assert (result.study, result.summary().n, len(result.by_run("val_accuracy"))) == ("noise", 5, 5)
    other = studies[1].find(*CE).record
    other["config"] = other["config"] | {"model": other["config"]["model"] | {"hidden": 7}}
    assert Evidence(studies)["noise"].find(*CE).summary().n == 3  # another network


@pytest.mark.parametrize("part", ["train", "model", "noise"])
def test_a_rival_has_the_same_training_and_the_same_network(world, part):
    study = read(world)
    lcm, ce = study.find(*LCM), study.find(*CE)
    evidence = Evidence([study])
    assert evidence.rival(lcm, "ce") is not None and evidence.versions(lcm, "ce")
    ce.record["config"] = ce.record["config"] | {part: ce.record["config"].get(part, {}) | {"epochs": 7}}
    evidence = Evidence([study])
    assert evidence.rival(lcm, "ce") is None and not evidence.versions(lcm, "ce")


def test_mass_on_the_true_label_by_hand():
    # 20 labels: e^10 / (e^10 + 19) = .99914; e^4 / (e^4 + 19) = .74184; 1 - .4 + .4 / 20 = .62
    found = [
        true_mass("lcm", {"alpha": 10}, 20),
        true_mass("lcm", {"alpha": 4}, 20),
        true_mass("ls", {"epsilon": 0.4}, 20),
    ]
    assert found == pytest.approx([0.99914, 0.74184, 0.62], abs=1e-5)
    assert true_mass("ce", {}, 20) == 1 and true_mass("gce", {"q": 0.7}, 20) is None
