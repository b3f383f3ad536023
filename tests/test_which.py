"""Which target to use, from made-up results whose answer is known."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import synthetic
from synthetic import grid

from lcm.evidence import draw, verdicts, which
from lcm.evidence.comparisons import Evidence
from lcm.evidence.results import read_study
from lcm.evidence.verdicts import AGAINST, EQUAL, FOR, OPEN
from lcm.study import LINEAR, cells, target_facts

METHODS = ["ce", "ls", "ls_matched", "lcm", "square", "square.size=2.0", "gce", "gce.q=0.5", "oracle_group"]
STRENGTHS = [*METHODS, "ls.epsilon=0.75"]
WOBBLE = (0.0, 0.001, -0.001)


def world(root, gains, methods=STRENGTHS, corpora=("20ng", "fdcnews"), noise=(0, 30), linear=None, **more) -> Evidence:
    """Study `targets`. gains: target, model:target or method -> gain over .70 with right and with wrong labels.

    The second setting of a target is worse by .01 everywhere, so validation chooses the first. linear: method ->
    accuracy. more: `models`; `metrics`, target -> those of the test part.
    """
    yardsticks = list(linear or {})
    metrics, models = more.get("metrics", {}), more.get("models", ["lstm_rand"])
    p = synthetic.params(targets=grid(list(corpora), models, methods, noise, yardsticks=yardsticks))
    for number, cell in enumerate(cells(p, "targets")):
        if cell.model == LINEAR:
            synthetic.write(root, p, cell, [linear[cell.method] + wobble for wobble in WOBBLE])
            continue
        names = (f"{cell.model}:{cell.target}", cell.method, cell.target)
        gain = next((gains[name] for name in names if name in gains), (0.0, 0.0))[bool(cell.noise)]
        gain -= 0.01 * ("." in cell.method)
        own = 1e-4 * (number % 7)  # else differences would be equal, which no test can use
        scores = [0.70 + gain + wobble * (1 + 100 * own) for wobble in WOBBLE]
        synthetic.write(root, p, cell, scores, metrics=metrics.get(cell.method, metrics.get(cell.target)))
    return Evidence([read_study(p, "targets", root)])


def by_target(evidence, kind) -> dict[str, which.Gain]:
    which.over_smoothing.cache_clear()  # tests change what it reads
    return {gain.target: gain for gain in which.over_smoothing(evidence, kind)}


def test_a_target_may_win_where_labels_are_wrong_alone(tmp_path):
    evidence = world(tmp_path, {"square": (0.0, 0.03), "gce": (-0.04, 0.0), "ce": (-0.02, -0.02)})
    right, wrong = (by_target(evidence, kind) for kind in (which.RIGHT, which.WRONG))
    # only what has several strengths, and cross-entropy; never a ceiling, never smoothing against itself
    assert set(right) == set(wrong) == {"ce", "square", "gce"}
    assert (right["square"].word, right["gce"].word, right["ce"].word) == (EQUAL, AGAINST, AGAINST)
    assert (wrong["square"].word, wrong["gce"].word) == (FOR, EQUAL)
    assert wrong["square"].mean.value == pytest.approx(0.03, abs=1e-3) and wrong["square"].settings == 2
    assert list(by_target(evidence, which.WRONG))[0] == "square"
    text = which.instead(evidence)
    assert "With right labels, no target is known to beat it; square loss comes first (equal)." in text
    assert "With wrong labels, square loss beats it on average." in text
    ((_, short),) = which.short_gains_table(evidence).groups  # what the sentences name, and cross-entropy
    assert [row[0] for row in short] == ["square loss", "cross-entropy"] and short[0][3] == "–"
    assert short[0][2][0] == "+3.00" and short[0][2][1].endswith("] better") and short[0][1][1].endswith("] equal")
    ((_, rows),) = which.gains_table(evidence).groups
    assert rows[0][0] == "square loss" and rows[0][2][0] == "+3.00" and "better, 2 settings" in rows[0][2][1]
    assert rows[0][3] == "–" and rows[0][4:] == [("0.0", "2 settings"), "–"]  # no crowd; all are equally sure
    assert [row[0] for row in rows[:2]] == ["square loss", "label smoothing"] and rows[1][1:4] == ["0"] * 3
    assert "fit a temperature" not in text


def test_the_table_says_what_a_target_does_to_confidence(tmp_path):
    """In points, from runs with right labels, against cross-entropy; smoothing has a row, though it gains nothing."""
    metrics = {
        "ls": {"ece": 0.2},
        "ls.epsilon=0.75": {"ece": 0.5, "auroc": 0.78},
        "ce": {"ece": 0.1, "auroc": 0.8},
        "square": {"ece": 0.3},
    }
    gains = {"ls.epsilon=0.75": (0.02, 0.02), "square": (0.01, 0.03), "gce": (0.0, -0.03)}  # less .01: what it chooses
    evidence = world(tmp_path, gains, metrics=metrics)
    which.over_smoothing.cache_clear()
    ((_, rows),) = which.gains_table(evidence).groups
    assert [row[0] for row in rows] == ["square loss", "label smoothing", "cross-entropy", "generalised cross-entropy"]
    assert rows[1][4:] == [("+40.0", "2 settings"), ("−2.0", "2 settings")] and rows[0][4:] == [
        ("+20.0", "2 settings"),
        "–",
    ]
    said = "Smoothing makes probabilities too low (calibration error +40.0 points): fit a temperature."
    assert which.instead(evidence).endswith(said)


def test_a_target_may_win_with_one_network_alone(tmp_path):
    gains = {"square": (0.0, 0.03), "bag:square": (0.0, -0.02), "gce": (0.0, 0.01)}
    evidence = world(tmp_path, gains, corpora=("20ng", "fdcnews"), models=["lstm_rand", "cnn_rand", "bag"])
    which.over_smoothing.cache_clear()
    (_, rows), (_, right) = which.network_table(evidence).groups
    assert which.network_table(evidence).columns[1:3] == [("LSTM and CNN", "95 % CI"), ("bag", "95 % CI")]
    square = next(row for row in rows if row[0] == "square loss")
    assert [entry[0] for entry in square[1:3]] == ["+3.00", "−2.00"]
    assert "better, 4 settings" in square[1][1] and "worse, 2 settings" in square[2][1]
    assert square[3][0] == "−2.00" and square[3][1].endswith("30 % wrong labels, bag")
    first, gce = rows[0], next(row for row in rows if row[0] == "generalised cross-entropy")
    assert first[0] == "square loss" and first[4] == "–" and gce[4][0] == "+0.33"  # (4 x 3 - 2 x 2) / 6 - 1
    assert len(right) == len(rows)


def test_the_best_target_meets_the_next_where_only_it_is_decided(tmp_path, monkeypatch):
    evidence = world(tmp_path, {"square": (0.0, 0.03), "gce": (0.0, 0.02)})
    gains = by_target(evidence, which.WRONG)
    said = which._direct(evidence, which.WRONG, [gains["square"]], [gains["gce"]])
    assert said[0].startswith("Against generalised cross-entropy it gains +1.00 [") and said[0].endswith("], decided.")
    two = which._direct(evidence, which.WRONG, [gains["square"]] * 2, [gains["gce"]])
    assert two[0].startswith("Against generalised cross-entropy square loss gains +1.00 [")
    monkeypatch.setattr(verdicts, "LEVEL", 0.0)
    assert which._direct(evidence, which.WRONG, [gains["square"]], [gains["gce"]])[0].endswith("], undecided.")
    assert not which._direct(evidence, which.WRONG, [gains["square"]], [])
    one = Evidence([replace(evidence["targets"], results=[r for r in evidence.results() if r.corpus == "20ng"])])
    assert not which._direct(one, which.WRONG, [gains["square"]], [gains["gce"]])  # one setting is no mean


def test_what_a_target_does_to_the_calibration_error_is_read_where_labels_are_right(tmp_path):
    evidence = world(tmp_path, {"square": (0.0, 0.03)})
    for result in evidence.results():  # all others have .1
        if result.target == "square":
            for run in result.record["runs"]:
                run["test"]["ece"] = 0.5 if result.noise else 0.13
    which.over_smoothing.cache_clear()
    ((_, rows),) = which.gains_table(evidence).groups
    assert {row[0]: row[4] for row in rows}["square loss"] == ("+3.0", "2 settings")


def test_the_figure_marks_what_is_decided(tmp_path, monkeypatch):
    evidence = world(tmp_path, {"square": (0.0, 0.03), "gce": (-0.04, 0.0), "ce": (-0.02, -0.02)})
    which.over_smoothing.cache_clear()
    shown = {}
    monkeypatch.setattr(draw.figures, "gains", lambda rows, titles: shown.update(rows=dict(rows), titles=titles))
    monkeypatch.setattr(draw.svg, "to_svg", lambda figure: "")
    (drawn,) = draw._which(evidence)
    assert drawn.name == drawn.section == "which" and shown["titles"] == [which.RIGHT, which.WRONG]
    assert list(shown["rows"]) == ["square loss", "generalised cross-entropy", "cross-entropy"]
    marks = {name: {kind: of[2] for kind, of in row.items()} for name, row in shown["rows"].items()}
    assert marks["square loss"] == {which.RIGHT: "o", which.WRONG: "D"}
    assert marks["generalised cross-entropy"] == {which.RIGHT: "v", which.WRONG: "o"}
    assert shown["rows"]["square loss"][which.WRONG][0].value == pytest.approx(0.03, abs=1e-3)


def test_pruning_is_advised_with_what_its_helper_reads(tmp_path):
    """The control stands in the sentence, not in the short table; without pruning in front nobody asks for it."""
    methods = [*STRENGTHS, "prune", "prune.share=0.5", "prune_window", "prune_window.share=0.5"]
    evidence = world(tmp_path, {"prune": (0.0, 0.03), "prune_window": (0.0, 0.0), "gce": (0.0, -0.02)}, methods)
    which.over_smoothing.cache_clear()
    said = which.instead(evidence)
    assert "pruning by confident learning beats it on average. " in said
    assert "where that reads the network’s words, the gain is 0.00 [" in said and "], equal." in said
    ((_, short),) = which.short_gains_table(evidence).groups
    names = [row[0] for row in short]
    assert names[0] == "pruning by confident learning" and not any("network’s words" in name for name in names)
    evidence = world(tmp_path / "both", {"prune": (0.0, 0.03), "prune_window": (0.0, 0.01)}, methods)
    which.over_smoothing.cache_clear()
    ((_, short),) = which.short_gains_table(evidence).groups  # though the control is among the best
    assert not any("network’s words" in row[0] for row in short)
    evidence = world(tmp_path / "no", {"prune": (0.0, -0.03), "square": (0.0, 0.03)}, methods)
    which.over_smoothing.cache_clear()
    assert "helper" not in which.instead(evidence)


def test_a_target_without_a_grid_counts_as_it_is(tmp_path):
    evidence = world(tmp_path, {"seal": (0.0, 0.02)}, [*STRENGTHS, "seal"])
    gain = by_target(evidence, which.WRONG)["seal"]
    assert gain.mean.value == pytest.approx(0.02, abs=2e-3) and gain.settings == 2
    ((_, rows),) = which.gains_table(evidence).groups
    assert rows[0][2][1].endswith("2 settings,\np < 0.001")


def test_one_setting_is_no_mean_and_a_crowd_is_counted_apart(tmp_path, monkeypatch):
    evidence = world(tmp_path, {"square": (0.0, 0.03)}, corpora=("20ng",))
    assert not by_target(evidence, which.RIGHT) and which.instead(evidence) == "Not measured yet."
    evidence = world(tmp_path / "two", {"square": (0.0, 0.03)})
    assert not by_target(evidence, which.CROWD)
    monkeypatch.setitem(which.TEXTS, "crowd", ["20ng", "fdcnews"])
    assert by_target(evidence, which.CROWD)["square"].word == FOR
    assert "Where a crowd gave the wrong labels (20NG and FDCNews), square loss leads." in which.instead(evidence)
    assert by_target(evidence, which.WRONG)["square"].settings == 2  # a crowd's wrong labels are wrong labels


def test_a_ceiling_is_no_advice(tmp_path, monkeypatch):
    evidence, facts = world(tmp_path, {"square": (0.03, 0.03)}), target_facts()
    told_all = {name: SimpleNamespace(**{**vars(of), "ceiling": name == "square"}) for name, of in facts.items()}
    monkeypatch.setattr(which, "target_facts", lambda: told_all)
    assert "square" not in by_target(evidence, which.RIGHT) and "gce" in by_target(evidence, which.RIGHT)


def test_words_are_corrected_over_the_targets(tmp_path, monkeypatch):
    evidence = world(tmp_path, {"square": (0.0, 0.03)})
    found = by_target(evidence, which.WRONG)
    p = found["square"].mean.p
    assert found["square"].p == pytest.approx(3 * p)
    monkeypatch.setattr(verdicts, "LEVEL", 2.9 * p)  # three targets: the smallest p counts threefold
    assert by_target(evidence, which.WRONG)["square"].word == OPEN
    monkeypatch.setattr(verdicts, "LEVEL", 3.1 * p)
    assert by_target(evidence, which.WRONG)["square"].word == FOR
    monkeypatch.setattr(verdicts, "LEVEL", 2.9 * p)
    which.over_smoothing.cache_clear()
    assert "no target is known to beat it; square loss comes first (undecided)." in which.instead(evidence)
    ((_, short),) = which.short_gains_table(evidence).groups
    assert short[0][2][1].endswith("]")  # undecided, which has no word
    evidence = world(tmp_path / "two", {"square": (0.0, 0.03), "gce": (0.0, 0.02)})
    monkeypatch.setattr(verdicts, "LEVEL", 0.0)
    which.over_smoothing.cache_clear()
    best, first, maybe = which._ahead(evidence, which.WRONG)
    assert not best and [gain.target for gain in first] == ["square"] and [gain.target for gain in maybe] == ["gce"]
    ((_, short),) = which.short_gains_table(evidence).groups
    assert [row[0] for row in short[:2]] == ["square loss", "generalised cross-entropy"]


def test_tuned_smoothing_may_choose_cross_entropy(tmp_path):
    evidence = world(tmp_path, {"square": (0.0, 0.0), "ls": (-0.05, -0.05), "ls_matched": (-0.03, -0.03)})
    assert by_target(evidence, which.RIGHT)["square"].mean.value == pytest.approx(0.0, abs=2e-3)  # ce has .70


def test_other_wrong_labels_stand_beside_those_of_the_same_group(tmp_path):
    studies = {"targets": {}, "noisy_val": {"noise_val": "noisy"}, "uniform_noise": {"noise_kind": "uniform"}}
    methods = ["ce", "ls", "ls.epsilon=0.75", "square", "square.size=2.0"]
    alone = {"targets": ["gce", "gce.q=0.5"]}  # no row: the other studies have not asked
    p = synthetic.params(
        **{name: grid(methods=[*methods, *alone.get(name, [])], noise=[30], **more) for name, more in studies.items()}
    )
    gains = {"targets": 0.03, "noisy_val": 0.01, "uniform_noise": -0.02}  # of the square loss
    for study, of_study in gains.items():
        for number, cell in enumerate(cells(p, study)):
            gain = (of_study if cell.target == "square" else 0.0) - 0.01 * ("." in cell.method)
            scores = [0.70 + gain + wobble * (1 + 0.01 * number) for wobble in WOBBLE]
            synthetic.write(tmp_path, p, cell, scores)
    evidence = Evidence([read_study(p, name, tmp_path) for name in studies])
    table = which.other_noise_table(evidence)
    ((_, rows),) = table.groups
    assert [row[0] for row in rows] == ["square loss", "cross-entropy"]
    # never one study's target against another's smoothing
    assert [entry[0] for entry in rows[0][1:]] == ["+3.00", "+1.00", "−2.00"]
    assert which.other_noise_table(Evidence([evidence["targets"]])).groups == []
    ((_, rows),) = which.other_noise_table(Evidence([evidence["uniform_noise"]])).groups
    assert [entry[0] for entry in rows[1][1:]] == ["−2.00"]


def test_the_linear_model_is_chosen_on_validation(tmp_path):
    linear = {"svc": 0.90, "nb": 0.92, "svc_window": 0.71, "nb_window": 0.60}
    evidence = world(tmp_path, {"square": (0.02, 0.02), "oracle_group": (0.2, 0.2)}, linear=linear)
    found = which.yardsticks(evidence)
    assert [each.network.corpus for each in found] == ["20ng", "20ng", "fdcnews", "fdcnews"]
    assert all(each.network.target == "square" for each in found)  # the ceiling has more, and is told the groups
    assert [each.whole.summary().mean for each in found] == pytest.approx([0.92] * 4)
    assert [each.window.summary().mean for each in found] == pytest.approx([0.71] * 4)
    said = which.linear(evidence)
    assert "ahead of the best network on 4 of 4 data sets (20NG: 92.0 against 72.0 %)" in said
    assert said.endswith("; on the last 100 words, which the bag, LSTM and CNN read, on 0.")  # 71 against 72
    ((_, rows),) = which.linear_table(evidence).groups
    assert rows[0] == ["20NG", ("72.0", "LSTM-rand: square loss, tuned"), "71.0", "92.0"]
    assert which.linear(world(tmp_path / "none", {})) == "Not measured yet."
