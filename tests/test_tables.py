"""What the tables print, from made-up results: which number stands in which column, in which unit, of which method."""

import json
from dataclasses import replace

import numpy as np
import synthetic
from synthetic import find, grid

from lcm.evidence import overview, rivals, study_tables, tables
from lcm.evidence.claims import all_claims
from lcm.evidence.comparisons import Evidence, compare
from lcm.evidence.paper import LABELS
from lcm.evidence.results import Summary, read_study
from lcm.evidence.verdicts import Decisions
from lcm.study import cells, seconds_path

BASE = [0.70, 0.72, 0.74]
PLACE = ("20ng", 0, "lstm_rand")


def world(root, scores, noise=0, change=None, **study) -> Evidence:
    """Study `tiny` of one setting. scores: method -> accuracies. change: of the record of a method, in place."""
    p = synthetic.params(tiny=grid(methods=list(scores), noise=[noise], **study))
    for cell in cells(p, "tiny"):
        record = synthetic.write(root, p, cell, scores.get(cell.method, [0.90, 0.91, 0.92]))
        if change and cell.model != "linear":
            change(cell.method, record)
            (root / cell.path()).write_text(json.dumps(record))
    return Evidence([read_study(p, "tiny", root)])


def plus(gain):
    return [round(score + more, 6) for score, more in zip(BASE, np.broadcast_to(gain, 3), strict=True)]


def row_of(table, name, group=0):
    """The row of a method as text by column."""
    (row,) = (row for row in table.groups[group][1] if tables.flat(row[0]) == name)
    return {tables.flat(head): tables.flat(entry) for head, entry in zip(table.columns, row, strict=True)}


def test_percents_and_plain_numbers_have_their_own_scale_and_digits():
    assert tables.percent((0.71234, 0.0123)) == ("71.23", "± 1.23") and tables.percent((0.5, None)) == "50.00"
    assert tables.plain(Summary(3, 3, 1.23456, 0.01)) == ("1.235", "± 0.010") and tables.plain(None) == "–"
    assert [tables.p_value(p) for p in (None, 0.0009, 0.0049, 0.05)] == ["–", "< 0.001", "0.005", "0.050"]


def test_a_difference_over_two_splits_has_no_interval(tmp_path):
    evidence = world(tmp_path, {"ce": BASE, "lcm": plus((0.01, 0.02, 0.06))})
    lcm, ce = (evidence["tiny"].find(*PLACE, method) for method in ("lcm", "ce"))
    assert tables.tested(compare(lcm, ce), "better")[1].endswith("]\nbetter")
    del lcm.record["runs"][2]
    assert tables.tested(compare(lcm, ce), "better") == ("+1.50", "n too small")


def test_a_tuned_target_names_its_most_frequent_strength_and_the_end_of_its_grid(tmp_path):
    def named(validation):
        """validation: accuracy by split of ls at 0.1, 0.5 and 0.75, and of cross-entropy."""
        methods = ["ls", "ls.epsilon=0.5", "ls.epsilon=0.75", "ce", "ls_matched"]
        p = synthetic.params(tiny=grid(methods=methods))
        for cell, of_splits in zip(cells(p, "tiny"), [*validation, [0.0] * 3], strict=True):
            synthetic.write(tmp_path, p, cell, BASE, validation=of_splits)
        evidence = Evidence([read_study(p, "tiny", tmp_path)])
        return tables.named(evidence.tuned(evidence["tiny"].results[0], "ls"))

    middle, none = [0.5, 0.9, 0.9], [0.1] * 3
    assert named([[0.9, 0.1, 0.1], middle, none, none]) == ("LS, tuned", "most often ε = 0.5")
    assert named([none, [0.9, 0.1, 0.1], middle, none])[1] == "most often ε = 0.75, the end of what was tried"
    # cross-entropy, and the matched strength of 0.07, are tried beside the grid: without them 0.1 is its end
    assert named([middle, none, none, [0.9, 0.1, 0.1]])[1] == "most often ε = 0.1"
    assert named([none, none, none, middle])[1] == "most often ε = 0"


def test_a_method_is_named_with_its_strength_and_a_ceiling_is_called_one(tmp_path):
    evidence = world(tmp_path, dict.fromkeys(["ce", "ls_matched", "lcm", "lcm.alpha=2", "forward"], BASE))
    found = {result.method: tables.named(result) for result in evidence.results()}
    assert found == {
        "ce": "CE", "ls_matched": ("matched LS", "ε = 0.07"), "lcm": ("LCM", "α = 4"), "lcm.alpha=2": "LCM, α = 2",
        "forward": ("true T", "ceiling"),
    }  # fmt: skip


def test_small_print_of_any_row_makes_a_column_in_the_csv():
    table = tables.Table("x", "", ["a", "b"], [("one", [["p", "1"]]), ("two", [["q", ("2", "± 3\nsmall")]])])
    assert tables.to_csv(table).splitlines() == ["group,a,b,b (more)", "one,p,1,", "two,q,2,± 3; small"]


# ------------------------------------------------------------------------------------------------------ of one study


def test_results_stand_beside_the_papers_and_beside_lcm(tmp_path):
    scores = {"ce": BASE, "ls": plus(0.01), "lcm": plus((0.02, 0.03, 0.04)), "lcm.alpha=2": plus((0.05, 0.06, 0.08))}
    scores["ls.epsilon=0.75"] = plus((0.02, 0.02, 0.03))
    evidence = world(tmp_path, scores, yardsticks=["linear"])
    table = study_tables.results_table(evidence["tiny"], evidence)
    assert [heading for heading, _ in table.groups] == ["20NG, linear models", "20NG, LSTM-rand"]
    assert [tables.flat(row[0]) for row in table.groups[1][1]][:2] == ["CE", "LS, ε = 0.1"]
    ce = row_of(table, "CE", 1)  # the paper: 68.22
    assert (ce["ours"], ce["ours, − paper"], ce["n"]) == ("72.00 ± 2.00", "+3.78", "3")
    assert ce["LCM − this, 95 % CI"].startswith("+3.00 [")  # LCM as it is, beside a method as it is
    tuned = row_of(table, "LS, tuned, most often ε = 0.75, the end of what was tried", 1)
    assert tuned["LCM − this, 95 % CI"].startswith("+4.00 [")  # and tuned, beside a tuned one: .05 .06 .08
    best = row_of(table, "LCM, tuned, most often α = 2, the end of what was tried", 1)
    assert (best["ours"], best["LCM − this, 95 % CI"]) == ("78.33 ± 3.51", "–")


def test_strengths_are_compared_with_cross_entropy_and_with_lcm(tmp_path):
    scores = {"ce": BASE, "lcm": plus((0.02, 0.03, 0.04)), "ls.epsilon=0.75": plus((0.01, 0.0, -0.04))}
    table = study_tables.strengths_table(world(tmp_path, scores)["tiny"])
    row = row_of(table, "LS, ε = 0.75")
    assert row["on the true label, %"] == "40.0"  # .25 + .75 / 5
    assert row["minus CE, 95 % CI"].startswith("−1.00 [") and row["minus LCM, 95 % CI"].startswith("−4.00 [")
    assert (row["ECE, %"], row["NLL, nats"], row["n"]) == ("10.00 ± 0.00", "1.000 ± 0.000", "3")
    assert row_of(table, "LCM, α = 4")["minus LCM, 95 % CI"] == "–"


def test_one_changed_setting_stands_against_the_same_without_it(tmp_path):
    def last(method, record):
        for run in record["runs"]:
            run["test_last"]["accuracy"] = 0.4 if "stop" in method else 0.3

    methods = ["lcm", "lcm.alpha=2", "lcm.alpha=2,stop_epoch=4", "lcm.detach=true,stop_epoch=4"]
    scores = dict(zip(methods, (plus(0.1), plus(0.0), plus((0.01, 0.02, 0.06)), plus(0.2)), strict=True))
    ((_, (row,)),) = study_tables.changes_table(
        world(tmp_path, scores, change=last)["tiny"]
    ).groups  # not of two changes
    assert row[:2] == ["LCM, α = 2, until epoch 4", "LCM, α = 2"]
    assert [tables.flat(entry).partition(" ")[0] for entry in row[2:]] == [
        "75.00", "72.00", "40.00", "30.00", "+3.00", "3",
    ]  # fmt: skip


def test_every_metric_stands_in_its_column(tmp_path):
    values = {"macro_f1": 0.6, "nll": 1.2, "ece": 0.11, "adaptive_ece": 0.12, "brier": 0.5, "aurc": 0.2}
    values |= {"auroc": 0.8, "in_group_errors": 0.25}

    def change(method, record):
        for run in record["runs"]:
            del run["confusion_matrix"]  # another macro-F1's
            run["test"] |= values
            run["test_last"]["accuracy"], run["best_epoch"] = 0.65, 4 + run["split"]

    evidence = world(tmp_path, {"ce": BASE}, change=change)
    row = row_of(study_tables.metrics_table(evidence["tiny"], evidence), "CE")
    assert {head: entry.partition(" ")[0] for head, entry in row.items()} == {
        "method": "CE", "macro-F1, %": "60.00", "NLL, nats": "1.200", "ECE, %": "11.00",
        "ECE, equal bins, %": "12.00", "Brier": "0.500", "AURC": "0.200", "AUROC": "0.800",
        "errors, in own group, %": "25.00", "accuracy, last epoch, %": "65.00", "chosen epoch": "5.0", "n": "3",
    }  # fmt: skip


def test_labels_are_compared_with_the_papers_one_by_one(tmp_path):
    p = synthetic.params(tiny=grid(["8ng-h", "8ng-e"], methods=["ce"]))
    for cell in cells(p, "tiny"):
        synthetic.write(tmp_path, p, cell, BASE)
    path = tmp_path / find(p, "tiny", "8ng-h", 0, "lstm_rand", "ce").path()
    record = json.loads(path.read_text())
    for run in record["runs"]:
        del run["confusion_matrix"]
    for labels, said in ((LABELS["8ng-h"][::-1], "yes"), (LABELS["8ng-e"], f"no: {', '.join(LABELS['8ng-h'])}")):
        path.write_text(json.dumps(record | {"labels": labels, "n_labels": 8}))
        ((_, rows),) = study_tables.labels_table(read_study(p, "tiny", tmp_path)).groups
        assert rows[0][2:] == [said, "100"]


def test_runs_that_failed_are_not_runs_that_are_missing(tmp_path):
    def change(method, record):
        record["runs"] = record["runs"][:2]
        record["runs"][1] = {"split": 1, "seed": 0, "failed": "NaN"}

    study = world(tmp_path, {"ce": BASE}, change=change)["tiny"]
    assert study_tables.gaps(study)[0] == "tiny 20ng 0 lstm_rand ce: 1 of 3 runs are not there yet"


def test_a_group_is_headed_below_its_tables_title_or_in_bold_where_the_table_has_none():
    of_two = tables.Table("t", "Title", ["a", "b"], [("first kind", [["x", "1"]]), ("", [["y", "2"]])])
    assert [line for line in tables.to_markdown(of_two, 3).split("\n") if line.startswith(("#", "*"))] == [
        "### Title", "#### first kind"
    ]  # fmt: skip
    assert [line for line in tables.to_markdown(of_two, 0).split("\n") if line.startswith(("#", "*"))] == [
        "**First kind**"
    ]


def test_the_quickest_cell_of_a_study_can_be_checked_by_a_command(tmp_path):
    study = world(tmp_path, {"ce": BASE, "lcm": BASE})["tiny"]
    command = "dvc repro data/dvc.yaml:split@20ng && python pipeline/verify.py tiny 20ng 0 lstm_rand {} --splits 1"
    assert study_tables.check_command(study) == command.format("ce")  # no times are recorded: the first
    path = tmp_path / seconds_path("tiny", "20ng")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"noise0-lstm_rand-lcm": {"seconds": 2.0}, "noise0-lstm_rand-ce": {"seconds": 3.0}}))
    assert study_tables.check_command(study) == command.format("lcm")
    study.results[0].record["config"]["model"] |= {"source": "minilm", "vectors": "own_text"}
    path.unlink()
    stages = ("split", "wordpieces", "vectors_own_text")
    said = study_tables.check_command(study)
    assert said.startswith(f"dvc repro {' '.join(f'data/dvc.yaml:{stage}@20ng' for stage in stages)} && ")
    assert study_tables.check_command(replace(study, results=())) == ""


def test_where_numbers_come_from(tmp_path):
    def change(method, record):
        record["realised_noise"] = [0.28, 0.31, 0.31]

    evidence = world(tmp_path, {"ce": BASE, "lcm": BASE}, noise=30, change=change)
    row = row_of(study_tables.provenance_table(evidence["tiny"]), "20NG, 30 % wrong labels, LSTM-rand")
    assert (row["items, train/val/test"], row["wrong labels, %"]) == ("60/10/30", "30.00")
    assert (row["epochs"], row["device"], row["torch"], row["runs"]) == ("8", "cpu (x86_64)", "2.15.0", "6")


# ------------------------------------------------------------------------------------------------------- of all studies


def targets(root) -> Evidence:
    """Study `targets`: matched smoothing has .72 in the first setting, .60 in the second; what others gain over it."""
    p = synthetic.params(targets=grid(methods=["ls", "ls_matched", "gce", "oracle_group"], noise=[0, 30]))
    gains = {"ls": (0.01, 0.03), "ls_matched": (0.0, 0.0), "gce": (0.05, -0.07), "oracle_group": (0.001, 0.002)}
    for number, cell in enumerate(cells(p, "targets")):
        gain = gains[cell.target][bool(cell.noise)] - 0.12 * bool(cell.noise)
        wobble = 0.0001 * number
        synthetic.write(root, p, cell, plus((gain, gain + wobble, gain - wobble)))
    return Evidence([read_study(p, "targets", root)])


def test_targets_are_sorted_by_their_mean_gain_over_matched_smoothing(tmp_path):
    ((_, rows),) = overview.matrix_table(targets(tmp_path)).groups
    # mean gains: .02, .0015, 0, -.01; the best of one setting is last
    assert [row[0] for row in rows] == [
        "label smoothing", ("smoothing over the true group", "ceiling"), "matched label smoothing",
        "generalised cross-entropy",
    ]  # fmt: skip
    assert [row[1:] for row in rows] == [["73.0", "63.0"], ["72.1", "60.2"], ["72.0", "60.0"], ["77.0", "53.0"]]


def test_the_ranking_has_each_settings_own_order(tmp_path):
    evidence = targets(tmp_path)
    table = overview.ranking_table(evidence)
    assert [heading for heading, _ in table.groups] == ["20NG, LSTM-rand", "20NG, 30 % wrong labels, LSTM-rand"]
    first = row_of(table, "GCE, q = 0.7")
    assert (first["accuracy, %"], first["NLL, nats"], first["ECE, %"], first["n"]) == (
        "77.00", "1.000 ± 0.000", "10.00 ± 0.00", "3",
    )  # fmt: skip
    assert first["minus matched LS, 95 % CI"].startswith("+5.00 [")
    assert table.groups[1][1][-1][0] == ("GCE", "q = 0.7")
    assert len(rivals.settings_of(evidence)) == 2


def test_the_headline_has_the_papers_numbers_ours_and_both_differences(tmp_path):
    p = synthetic.params(benchmark=grid(), noise=grid(noise=[6, 30]))
    scores = {"ce": BASE, "ls": BASE, "ls_matched": plus((0.0, 0.01, 0.03)), "lcm": plus((0.03, 0.031, 0.029))}
    for study in ("benchmark", "noise"):
        for cell in cells(p, study):
            synthetic.write(tmp_path, p, cell, [score - cell.noise / 100 for score in scores[cell.method]])
    evidence = Evidence(read_study(p, name, tmp_path) for name in p.studies)
    claims = all_claims(evidence)
    ((_, rows),) = overview.headline_table(evidence, claims).groups
    assert [row[0] for row in rows] == [
        "20NG, LSTM-rand", "20NG, 30 % wrong labels, LSTM-rand", "20NG, 6 % wrong labels, LSTM-rand",
    ]  # fmt: skip
    assert rows[0][1:5] == ["68.22 → 72.42", "72.0", "73.3", "75.0"]
    assert [tables.flat(entry).partition(" ")[0] for entry in rows[0][5:]] == ["+3.00", "+1.67", "3"]
    lcm, ce = (evidence["benchmark"].find(*PLACE, method) for method in ("lcm", "ce"))
    assert Decisions(evidence, claims).word(lcm, ce) == "LCM better" and rows[0][5][1].endswith("\nLCM better")


def test_the_headline_stops_after_eight_settings(tmp_path):
    models = ["lstm_rand", "lstm_pre", "cnn_rand", "cnn_pre", "bert_tiny"]
    p = synthetic.params(benchmark=grid(["20ng", "fdcnews"], models, methods=["ce", "lcm"]))
    for cell in cells(p, "benchmark"):
        synthetic.write(tmp_path, p, cell, BASE)
    evidence = Evidence([read_study(p, "benchmark", tmp_path)])
    assert len(overview.headline_table(evidence, []).groups[0][1]) == 8 < len(evidence.plain("lcm"))


def test_a_setting_is_covered_by_lcm_and_cross_entropy_together(tmp_path):
    p = synthetic.params(benchmark=grid(["20ng", "fdcnews"], methods=["ce", "lcm"]))
    for cell in cells(p, "benchmark"):
        if (cell.corpus, cell.method) != ("fdcnews", "ce"):
            synthetic.write(tmp_path, p, cell, BASE)
    assert "settings: 1 (1 of them on 20NG" in overview.coverage(Evidence([read_study(p, "benchmark", tmp_path)]))


def test_of_four_labels_two_are_the_rarer_half(tmp_path):
    p = synthetic.params(confusion=grid(["8ng-h"], methods=["lcm"]))
    (cell,) = cells(p, "confusion")
    record = synthetic.write(tmp_path, p, cell, BASE, collapse=[[0.9, 0.1, 0, 0], [0, 0.9, 0.1, 0], [0, 0, 0.9, 0.1]])
    for run in record["runs"]:
        run["confusion_matrix"] = (np.array(run["confusion_matrix"]) * np.array([1, 2, 3, 4])[:, None]).tolist()
        del run["test"]["macro_f1"]  # it was another matrix's
    curves = [
        {"split": split, "seed": 0, "epoch": 1, "lcd_label_share": share} for split, share in enumerate((0.2, 0.3, 0.7))
    ]
    synthetic.put(tmp_path, cell, record, curves)
    table = overview.collapse_table(Evidence([read_study(p, "confusion", tmp_path)]))
    assert "among the rarer half of the labels in 2 of the 3 runs" in table.note
    assert table.groups[0][1][0][5] == "40"  # % of the variance between labels, the mean of the runs


def test_a_claims_table_has_its_p_value_and_how_its_comparisons_went(tmp_path):
    p = synthetic.params(benchmark=grid(["20ng", "fdcnews"]))
    scores = {"ce": BASE, "ls": BASE, "ls_matched": BASE, "lcm": plus((0.05, 0.06, 0.04))}
    for cell in cells(p, "benchmark"):
        synthetic.write(tmp_path, p, cell, scores[cell.method])
    claim = {claim.key: claim for claim in all_claims(Evidence([read_study(p, "benchmark", tmp_path)]))}["1a"]
    ((_, (row,)),) = overview.claims_table([claim]).groups
    assert row[0] == "1a" and row[2] == "supported" and row[3] == f"{claim.average.p:.3f}" and "+5.00" in row[4]
    ((_, rows),) = overview.claim_table(claim).groups
    # error .01 sqrt(1/3 + 30/60) = .009129; t at 2 degrees of freedom: 95 % half width 3.93 points, p = .0317, twice
    assert rows[0][1:] == ["+4.20", ("+5.00", "[+1.07, +8.93]"), "0.064", ("open", claim.needs[0]), "3"]
