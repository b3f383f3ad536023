"""The report on a small made-up tree of cells: what is averaged, what is refused, and that the page is self-contained."""

import ast
import copy
import html.parser
import json
import re
from pathlib import Path

import pytest

import lcm.evidence.report as report_module
from lcm.errors import UserError
from lcm.evidence.figures import band
from lcm.evidence.paper import paper_accuracy
from lcm.evidence.plots import write_plots
from lcm.evidence.report import write_report
from lcm.evidence.results import ARMS, read_grid

PARAMS = {
    "studies": {
        "tiny": {
            "splits": 3,
            "text": {"corpora": ["20ng"], "noise": [0, 30], "models": ["lstm_rand"], "arms": ["ls", "lcm"]},
            "images": {"corpora": ["digits"], "noise": [0], "models": ["image_cnn"], "arms": ["ls", "lcm"]},
        }
    }
}
ACCURACY = {  # per split; chosen so that means and stds can be done by hand
    "base": [0.70, 0.72, 0.74], "ls": [0.71, 0.72, 0.76], "ls_matched": [0.71, 0.75, 0.76], "lcm": [0.72, 0.74, 0.79],
    "linear": [0.90, 0.91, 0.92], "linear_window": [0.80, 0.82, 0.84],
}  # fmt: skip
LABELS = ["<b>rec & co</b>", "$sci$"]
PAGE = "reports/tiny/index.html"


def expected_config(study, model, arm):
    config = {"train": {"epochs": 20, "lr": 0.001}, "model": {"name": model, "filters": (3, 10, 25)}}
    return config | {"lcm": {"lcm": {"alpha": 4.0}}, "linear": {"linear": {"maxlen": 100, "truncation": "post"}}}.get(arm, {})


def cell(corpus="20ng", noise=0, model="lstm_rand", arm="ls", splits=3):
    methods = {}
    for method in ARMS[arm]:
        runs = []
        for split in range(splits):
            test = {"accuracy": ACCURACY[method][split % 3], "macro_f1": 0.6}
            run = {"split": split, "seed": split, "test": test, "seconds": 60.0}
            if arm != "linear":
                test |= {"nll": 1.0, "ece": 0.1, "brier": 0.4}
                run |= {"test_last": test, "best_epoch": 19, "epochs": 20, "device": "cpu", "torch": "2.15.0"}
            runs.append(run)
        settings = {"ls": {"epsilon": 0.1}, "ls_matched": {"epsilon": 0.27232}, "lcm": {"alpha": 4.0}}.get(method, {})
        methods[method] = {"settings": settings, "runs": runs, "confusion_matrix": [[8, 2], [1, 9]]}
    return {
        "study": "tiny", "corpus": corpus, "noise": noise, "model": model, "arm": arm, "edition": f"{corpus} as published",
        "corpus_digest": "sha256:abc", "n_labels": 2, "labels": LABELS, "sizes": {"train": 70, "val": 10, "test": 30},
        "realised_noise": [noise / 100] * splits, "methods": methods,
        "config": json.loads(json.dumps(expected_config("tiny", model, arm))),
    }  # fmt: skip


def name_of(record):
    tail = "linear" if record["arm"] == "linear" else f"{record['model']}-{record['arm']}"
    return f"{record['corpus']}-noise{record['noise']}-{tail}"


def put(root, record, name=None):
    path = root / "metrics" / "cells" / "tiny" / f"{name or name_of(record)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def put_curves(root, record):
    rows = [
        {"corpus": record["corpus"], "noise": record["noise"], "model": record["model"], "method": method}
        | {"split": split, "epoch": epoch, "train_loss": 1.0, "val_accuracy": 0.1 * epoch + 0.01 * split, "val_nll": 1.0}
        | ({"lcd_true": 0.5, "sld_true_mean": 0.8, "lcd_label_share": 0.1} if method == "lcm" else {})
        for method in ARMS[record["arm"]]
        for split in range(3)
        for epoch in (1, 2, 3)
    ]
    path = root / "metrics" / "curves" / "tiny" / f"{name_of(record)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))


def cells():
    """Every cell of the grid."""
    for noise in (0, 30):
        for arm in ("ls", "lcm"):
            yield cell(noise=noise, arm=arm)
        yield cell(noise=noise, model="linear", arm="linear")
    for arm in ("ls", "lcm"):
        yield cell("digits", model="image_cnn", arm=arm)


@pytest.fixture
def tree(tmp_path):
    for record in cells():
        put(tmp_path, record)
    return tmp_path


@pytest.fixture
def tree_with_curves(tree):
    """The same with curves: more figures, so slower."""
    for record in cells():
        if record["arm"] != "linear":
            put_curves(tree, record)
    return tree


def report(root, params=PARAMS):
    return write_report("tiny", params, expected_config, root, {"commit": "0123abc", "versions": {"torch": "2.15.0"}})


def read(root, name):
    return json.loads((root / "metrics" / name).read_text())


def test_mean_std_n_by_hand(tree):
    text = report(tree)
    # lcm .72 .74 .79: mean .75, deviations -.03 -.01 .04, std sqrt((.0009 + .0001 + .0016) / 2) = .0360555
    entry = read(tree, "tiny.json")["20ng"]["lstm_rand"]["lcm"]
    assert entry == {
        "accuracy_mean": 0.75, "accuracy_std": 0.036056, "macro_f1_mean": 0.6, "ece_mean": 0.1, "nll_mean": 1.0, "n": 3
    }  # fmt: skip
    assert read(tree, "tiny/lstm_rand-lcm.json") == {"20ng": 0.75, "20ng_noise30": 0.75}
    assert read(tree, "tiny/linear-linear.json") == {"20ng": 0.91, "20ng_noise30": 0.91}
    assert read(tree, "tiny/image_cnn-base.json") == {"digits": 0.72}
    # base .70 .72 .74: mean .72, std .02. The paper's 68.22 ± 3.34, and 46.81 at 30 % noise, stand beside.
    rows = [line.split() for line in text.splitlines()]
    assert ["lstm_rand", "base", "68.22", "±", "3.34", "72.00", "±", "2.00", "3"] == rows[4][:9]
    assert any(row[:3] == ["lstm_rand", "base", "46.81"] for row in rows)
    assert any(row[:6] == ["linear", "linear_window", "-", "82.00", "±", "2.00"] for row in rows)
    # lcm - base: .02 .02 .05: mean .03, std sqrt((.0001 + .0001 + .0004) / 2) = .0173205; factor 1/3 + 30/70 = 16/21,
    # half width 4.302653 * .872872 * .0173205 = .065050
    assert "+3.00 [-3.50, +9.50]" in " ".join(rows[4])
    assert max(map(len, text.splitlines())) <= 100
    assert text.splitlines()[-1] == f"report: {PAGE}"


def test_enumerates_and_never_globs(tree):
    other = cell(arm="lcm")
    for run in other["methods"]["lcm"]["runs"]:
        run["test"]["accuracy"] = 0.123
    put(tree, other, "20ng-noise0-lstm_rand-lcm2")
    put(tree, cell(noise=12), "20ng-noise12-lstm_rand-ls")
    put(tree, cell(model="cnn_rand"), "20ng-noise0-cnn_rand-ls")
    text = report(tree)
    shown = text + (tree / PAGE).read_text() + json.dumps(read(tree, "tiny.json"))
    assert "12.3" not in shown and "noise12" not in shown and "cnn_rand" not in shown
    assert not (tree / "metrics/tiny/cnn_rand-base.json").exists()


def test_stale_cell_is_named_and_not_averaged(tree):
    stale = cell(arm="lcm")
    stale["config"]["train"]["epochs"] = 10
    stale["config"]["lcm"]["alpha"] = 2.0
    put(tree, stale)
    text = report(tree)
    for shown in (text, (tree / PAGE).read_text(), (tree / "reports/tiny/table.md").read_text()):
        assert "stale (differs in lcm.alpha: 4.0 in params, 2.0 in cell; differs in train.epochs: 20 in" in " ".join(shown.split())
    assert "lcm" not in read(tree, "tiny.json")["20ng"]["lstm_rand"]
    assert "20ng" not in read(tree, "tiny/lstm_rand-lcm.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["methods"]["ls"]["runs"].pop(1), "differs in splits: 3 in params, only 0, 2 in cell"),
        (lambda c: c["methods"].pop("ls"), "holds no runs of ls"),
        (lambda c: c.update(noise=6), "differs in noise: 0 in params, 6 in cell"),
        (lambda c: c["config"]["model"].pop("name"), "differs in model.name: lstm_rand in params, absent in cell"),
    ],
)
def test_what_makes_a_cell_stale(tree, change, reason):
    record = cell()
    change(record)
    put(tree, record, "20ng-noise0-lstm_rand-ls")
    assert f"stale ({reason})" in report(tree)


def test_more_splits_than_asked_for_is_stale(tree):
    put(tree, cell(splits=10))
    assert "stale (differs in splits: 3 in params, 10 in cell)" in report(tree)


def test_missing_cell_is_not_run_and_not_filled_from_the_paper(tree):
    (tree / "metrics/cells/tiny/20ng-noise0-lstm_rand-lcm.json").unlink()
    text = report(tree)
    row = next(line for line in text.splitlines() if line.split()[:2] == ["lstm_rand", "lcm"])
    assert row.split() == ["lstm_rand", "lcm", "72.42", "±", "1.91", "not", "run", "0"]
    assert "not run: 20ng: lstm_rand-lcm" in text
    assert "<li>20ng-noise0-lstm_rand-lcm: not run</li>" in (tree / PAGE).read_text()
    assert "0.7242" not in json.dumps(read(tree, "tiny.json"))


def test_nothing_run_yet(tmp_path):
    text = report(tmp_path)
    assert "not run: 20ng; 20ng with 30 % noise; digits\n" in text
    assert "No network of this study has been trained yet" in (tmp_path / PAGE).read_text()
    assert read(tmp_path, "tiny.json") == {}
    assert (tmp_path / PAGE).exists() and read(tmp_path, "tiny/not_run.json") == {"cells": 8}


def test_failed_run_is_shown_and_left_out(tree):
    record = cell(arm="lcm")
    record["methods"]["lcm"]["runs"][1] = {"split": 1, "seed": 1, "failed": "NaN loss in epoch 3"}
    record["methods"]["ls_matched"]["runs"][2]["test"]["accuracy"] = float("nan")
    put(tree, record)
    text, page = report(tree), (tree / PAGE).read_text()
    assert "20ng-noise0-lstm_rand-lcm, lcm, split 1: failed (NaN loss in epoch 3)" in text
    assert "split 2: failed (test accuracy is nan)" in page
    assert "<small>1 of 3 runs failed</small>" in page
    entry = read(tree, "tiny.json")["20ng"]["lstm_rand"]["lcm"]
    # .72 and .79 are left: mean .755, std .07 / sqrt(2) = .049497
    assert (entry["accuracy_mean"], entry["accuracy_std"], entry["n"], entry["failed"]) == (0.755, 0.049497, 2, 1)
    # One bare number cannot say that a run is missing, so there is none.
    assert read(tree, "tiny/lstm_rand-lcm.json") == {"20ng_noise30": 0.75}


def test_cells_on_different_data_are_not_compared(tree):
    record = cell(arm="lcm")
    record["corpus_digest"] = "sha256:other"
    put(tree, record)
    text = report(tree)
    row = next(line for line in text.splitlines() if line.split()[:2] == ["lstm_rand", "base"])
    assert row.split()[-1] == "3"  # no difference after n
    assert "not compared, trained on other data (corpus_digest" in " ".join(text.split())


def test_a_model_with_fewer_splits_is_compared_on_its_own(tree):
    params = copy.deepcopy(PARAMS)
    params["studies"]["tiny"]["text"]["models"].append("cnn_rand")
    params["studies"]["tiny"]["splits_of"] = {"cnn_rand": 2}
    for noise in (0, 30):
        for arm in ("ls", "lcm"):
            put(tree, cell(noise=noise, model="cnn_rand", arm=arm, splits=2))
    text = report(tree, params)
    rows = [line.split() for line in text.splitlines()]
    (row,) = [row for row in rows[:12] if row[:2] == ["cnn_rand", "base"]]
    # base .70 .72, lcm .72 .74: mean .71, std .0141421, difference .02 twice
    assert "71.00 ± 1.41 2 +2.00 no interval" in " ".join(row)
    assert "trained on other data" not in text and "2 to 3 random splits each" in (tree / PAGE).read_text()


def test_one_split(tree):
    params = copy.deepcopy(PARAMS)
    params["studies"]["tiny"]["splits"] = 1
    for arm in ("ls", "lcm"):
        put(tree, cell(arm=arm, splits=1))
    report(tree, params)
    assert "accuracy_std" not in read(tree, "tiny.json")["20ng"]["lstm_rand"]["lcm"]
    assert "undecided at n = 1" in (tree / PAGE).read_text()


class Page(html.parser.HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_page_is_self_contained_and_complete(tree_with_curves):
    tree = tree_with_curves
    report(tree)
    text = (tree / PAGE).read_text()
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "object"} & set(tags)
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "data", "srcset"):
            assert attributes.get(name, "#").startswith("#")
    assert not re.search(r"url\((?!#)|@import", text)
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags
    assert "prefers-color-scheme: dark" in text
    assert tags.count("table") == 4
    assert tags.count("svg") == 3 + 3 + 3 + 1  # forest, curves, lcd, confusion
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    targets = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert targets <= set(identifiers)
    assert len({i for i in identifiers if i in targets}) == len([i for i in identifiers if i in targets])
    for wanted in ("0123abc", "20ng as published", "2.15.0", "AAAI-21", "LCM α = 4", "matched LS ε = 0.2723"):
        assert wanted in text
    assert "on 20ng: against cross-entropy the difference of LCM is +3.00 points (95 % CI −3.50 to +9.50" in text.replace("&nbsp;", " ")


def test_figures_are_saved_and_old_ones_removed(tree_with_curves):
    tree = tree_with_curves
    figures, metrics = tree / "reports/tiny/figures", tree / "metrics/tiny"
    for folder, name in ((figures, "curves-old-noise0-bert.svg"), (metrics, "bert-base.json")):
        folder.mkdir(parents=True)
        (folder / name).write_text("{}")
    report(tree)
    names = {path.name for path in figures.iterdir()}
    assert {"forest-base.svg", "forest-ls_matched.png", "curves-20ng-noise30-lstm_rand.svg", "lcd-digits-noise0-image_cnn.png"} <= names
    assert not any("old" in name for name in names)
    assert (figures / "forest-base.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in metrics.iterdir()) == [
        *sorted(f"image_cnn-{m}.json" for m in ("base", "lcm", "ls", "ls_matched")),
        "linear-linear.json", "linear-linear_window.json",
        *sorted(f"lstm_rand-{m}.json" for m in ("base", "lcm", "ls", "ls_matched")),
    ]  # fmt: skip


def test_label_names_are_escaped(tree):
    stale = cell(noise=30, arm="lcm")
    stale["config"]["train"]["lr"] = "<i>x</i>"
    put(tree, stale)
    report(tree)
    text = (tree / PAGE).read_text()
    assert "<b>rec" not in text and "&lt;b&gt;rec &amp; co&lt;/b&gt;" in text
    assert "<i>x" not in text and "<i>x" not in (tree / "reports/tiny/table.md").read_text()
    assert "$sci$" in text  # not read as mathematics


def test_same_input_same_bytes(tree_with_curves, tmp_path_factory):
    tree = tree_with_curves
    second = tmp_path_factory.mktemp("second")
    for source in (tree / "metrics").rglob("*.json"):
        target = second / source.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    assert report(tree) == report(second)
    report(second)  # once more over its own output

    def contents(root):
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    assert contents(tree) == contents(second)
    assert not [name for name in contents(tree) if ".part" in name]
    assert str(tree) not in (tree / PAGE).read_text()


def test_metrics_are_scalars_only(tree):
    report(tree)

    def leaves(value):
        return [leaf for item in value.values() for leaf in leaves(item)] if isinstance(value, dict) else [value]

    for path in [tree / "metrics/tiny.json", *(tree / "metrics/tiny").iterdir()]:
        content = json.loads(path.read_text())
        assert content and all(type(leaf) in (int, float) for leaf in leaves(content))


def test_markdown_has_the_tables(tree):
    report(tree)
    text = (tree / "reports/tiny/table.md").read_text()
    assert "| model | CE paper | CE ours | LS paper | LS ours | matched LS ours | LCM paper | LCM ours |" in text
    assert "| LSTM-rand | 68.22 ± 3.34 | 72.00 ± 2.00 | 70.15 |" in text
    assert "first 100 tokens" in text  # as the settings of the linear model say
    for line in text.splitlines():
        if line.startswith("|---"):
            columns = line.count("|")
        elif line.startswith("|") and not line.startswith(("| model", "| cell")):
            assert line.count("|") == columns


def test_paper_columns_are_left_out_where_nothing_is_printed(tree):
    params = copy.deepcopy(PARAMS)
    del params["studies"]["tiny"]["text"]
    report(tree, params)
    assert "paper</small>" not in (tree / PAGE).read_text()


def test_user_errors(tree):
    with pytest.raises(UserError, match=r"studies\.none: no such study.*tiny"):
        write_report("none", PARAMS, expected_config, tree, {})
    with pytest.raises(UserError, match="another name"):
        write_report("cells", {"studies": {"cells": PARAMS["studies"]["tiny"]}}, expected_config, tree, {})
    path = tree / "metrics/cells/tiny/20ng-noise0-lstm_rand-ls.json"
    for broken in ("<<<<<<< HEAD", "[]", '{"methods": {}}'):
        path.write_text(broken)
        with pytest.raises(UserError, match="20ng-noise0-lstm_rand-ls.json: not a result file"):
            report(tree)


def test_evidence_imports_neither_torch_nor_training():
    folder = Path(report_module.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] != "torch", path
                assert not name.startswith("lcm.") or name.split(".")[1] in ("errors", "files", "evidence"), path


def test_band_by_hand():
    def row(split, epoch, value):
        return {"split": split, "epoch": epoch, "x": value}

    # Epoch 3 exists for split 0 only and is left out; epoch 1: mean .3, std sqrt(.02) = .141421; epoch 2: .5, .141421
    epochs, mean, std = band([row(0, 1, 0.2), row(0, 2, 0.4), row(0, 3, 0.9), row(1, 1, 0.4), row(1, 2, 0.6)], "x")
    assert epochs.tolist() == [1, 2]
    assert mean == pytest.approx([0.3, 0.5])
    assert std == pytest.approx([0.141421, 0.141421], abs=1e-6)
    assert band([row(0, 1, 0.2)], "x")[2] is None
    assert band([row(0, 1, None)], "x")[0].size == 0


SWEPT = {"lcm.alpha=0.5": 0.5, "lcm.alpha=10": 10.0, "lcm.alpha=0.5,stop_epoch=10": 0.5, "ls.epsilon=0.4": 0.4}


def swept_config(study, model, arm):
    config = {"train": {"epochs": 20, "lr": 0.001}, "model": {"name": model}}
    if arm == "linear":
        return config | expected_config(study, model, arm)
    group, _, changes = arm.partition(".")
    settings = {"lcm": {"alpha": 4.0, "stop_epoch": None}, "ls": {"epsilon": 0.1}}[group]
    return config | {group: settings | {k: json.loads(v) for k, v in (change.split("=") for change in changes.split(",") if changes)}}


@pytest.fixture
def swept(tmp_path):
    """One text cell with LS, LCM and four variations, the last of which was not run; lcm.alpha=0.5 at LCM's accuracy - 0.01 on every split."""
    params = {"studies": {"tiny": {"splits": 3, "text": {"corpora": ["20ng"], "noise": [0], "models": ["lstm_rand"], "arms": ["ls", "lcm"]}}}}
    params["studies"]["tiny"]["variations"] = params["studies"]["tiny"]["text"] | {"arms": list(SWEPT)}
    for arm in ("ls", "lcm", *list(SWEPT)[:3]):
        record = cell(arm=arm.partition(".")[0])
        record |= {"arm": arm, "n_labels": 20, "config": swept_config("tiny", "lstm_rand", arm)}
        if arm not in ("ls", "lcm"):
            record["methods"] = {"lcm": record["methods"]["lcm"] | {"settings": record["config"]["lcm"]}}
            for run in record["methods"]["lcm"]["runs"]:
                run["test"]["accuracy"] -= {"lcm.alpha=0.5": 0.01, "lcm.alpha=10": 0.03}.get(arm, 0.0)
        put(tmp_path, record)
    return tmp_path, params


def test_a_sweep_is_sorted_by_the_mass_on_the_true_label(swept):
    tree, params = swept
    grid = read_grid("tiny", params, swept_config, tree)
    points = grid.sweep("20ng", 0, "lstm_rand")
    # By hand, 20 labels: e^10 / (e^10 + 19) = .99914; 1 - .1 + .1/20 = .905; e^4 / (e^4 + 19) = .74184; matched .27232: .74130;
    # 1 - .4 + .4/20 = .62; e^.5 / (e^.5 + 19) = .07985. With a stop it is no point of the sweep.
    assert [(point.cell.arm, point.method) for point in points] == [
        ("ls", "base"), ("lcm.alpha=10", "lcm"), ("ls", "ls"), ("lcm", "lcm"), ("lcm", "ls_matched"), ("ls.epsilon=0.4", "ls"), ("lcm.alpha=0.5", "lcm"),
    ]  # fmt: skip
    assert [point.true_mass for point in points] == pytest.approx([1, 0.99914, 0.905, 0.74184, 0.74130, 0.62, 0.07985], abs=1e-5)
    assert points[5].cell.state == "not run"


def test_variations_stand_in_tables_of_their_own(swept):
    tree, params = swept
    text = write_report("tiny", params, swept_config, tree, {})
    # LCM .72 .74 .79 is .75 on average; with alpha = 0.5 .74, with the stop .75 again
    assert read(tree, "tiny/lstm_rand-lcm.json") == {"20ng": 0.75}
    assert read(tree, "tiny/lstm_rand-lcm.alpha=0.5.json") == {"20ng": 0.74}
    assert read(tree, "tiny.json")["20ng"]["lstm_rand"]["lcm.alpha=0.5,stop_epoch=10"]["accuracy_mean"] == 0.75
    page = (tree / "reports/tiny/table.md").read_text()
    sweep = page[page.index("## Label smoothing and LCM on one axis") : page.index("## One setting changed")]
    assert "| LCM, α = 0.5 | 8.0 | 74.00 ± 3.61 | +2.00" in sweep and "until epoch" not in sweep
    assert "| label smoothing, ε = 0.4 | 62.0 | not run |" in sweep
    changed = page[page.index("## One setting changed") : page.index("## Is the difference real?")]
    assert "| LCM, α = 0.5, until epoch 10, LCM, α = 0.5 |" in changed.replace(" | LCM, α = 0.5 |", ", LCM, α = 0.5 |", 1) and "+1.00 no interval" in changed
    assert "LCM is best at α = 4 (75.0 %, 74 % of the target on the true label), label smoothing at ε = 0.272 (74.0 %" in page
    assert "LCM, α = 0.5, until epoch 10 minus LCM, α = 0.5 is +1.00 points (the same on all 3 splits, so no interval): undecided at n = 3." in page
    row = next(line for line in text.splitlines() if "lcm.alpha=0.5 " in line)
    assert row.split() == "lstm_rand lcm.alpha=0.5 74.00 ± 3.61 3 +1.00 no interval".split()  # LCM minus this
    assert max(map(len, text.splitlines())) <= 100


def test_rows_for_dvcs_plots(swept):
    tree, params = swept
    for arm in ("ls", "lcm", "lcm.alpha=0.5"):
        record = cell(arm=arm.partition(".")[0])
        put_curves(tree, record)  # written under the plain arm's name
        if arm != record["arm"]:
            folder = tree / "metrics/curves/tiny"
            rows = [row for row in json.loads((folder / "20ng-noise0-lstm_rand-lcm.json").read_text()) if row["method"] == "lcm"]
            (folder / f"20ng-noise0-lstm_rand-{arm}.json").write_text(json.dumps(rows))
    write_plots(read_grid("tiny", params, swept_config, tree), tree)

    def plot(name):
        return json.loads((tree / f"reports/tiny/plots/{name}.json").read_text())

    # val_accuracy = .1 epoch + .01 split over splits 0, 1, 2: mean .1 epoch + .01, std .01
    (row,) = [row for row in plot("curves") if (row["method"], row["epoch"]) == ("base", 2)]
    assert (row["val_accuracy"], row["low"], row["high"], row["cell"]) == (0.21, 0.2, 0.22, "LSTM-rand, 20ng")
    assert len(plot("curves")) == 4 * 3 and {row["target"] for row in plot("variations")} == {"LCM, α = 0.5"}
    # [[8, 2], [1, 9]] in percent of a row
    assert [row["share"] for row in plot("confusion")] == [80.0, 20.0, 10.0, 90.0] * 2
    assert {(row["family"], row["true_mass"]) for row in plot("sweep")} >= {("cross-entropy", 1.0), ("LCM", 0.0798)}
    assert len(plot("sweep")) == 6  # of seven points one was not run


def test_a_change_of_alpha_alone_makes_a_variation_stale_only_where_it_matters(swept):
    tree, params = swept
    other = lambda study, model, arm: (lambda c: c | ({"lcm": c["lcm"] | {"stop_epoch": 5}} if arm == "lcm" else {}))(swept_config(study, model, arm))  # noqa: E731
    grid = read_grid("tiny", params, other, tree)
    assert {cell.arm for cell in grid.cells if cell.state == "stale"} == {"lcm"}


def test_substitutes_have_no_printed_number_and_bert_is_the_papers():
    assert paper_accuracy("fdcnews", 0, "albert_tiny_zh", "lcm") == (0.9544, 0.0034)
    assert paper_accuracy("20ng", 12, "bert_tiny", "ls") == (0.8535, None)
    for model in ("minilm", "bert_tiny_random", "lstm_own", "lstm_rand_post"):
        assert paper_accuracy("20ng", 0, model, "base") is None
    assert paper_accuracy("ag_news_tokens", 0, "lstm_rand", "base") is None


def test_paper_numbers_are_looked_up_per_table():
    assert paper_accuracy("20ng", 0, "lstm_rand", "lcm") == (0.7242, 0.0191)  # Table 1
    assert paper_accuracy("20ng", 0, "lstm_rand", "ls") == (0.7015, None)  # Table 4 at 0 %
    assert paper_accuracy("20ng", 30, "bert_tiny", "base") == (0.7916, None)  # Table 4
    assert paper_accuracy("4ng-e", 0, "lstm_rand", "lcm") == (0.9254, None)  # Table 3
    assert paper_accuracy("mnist", 0, "image_cnn", "ls") == (0.9834, None)  # Table 5
    for nothing in (("20ng", 0, "lstm_rand", "ls_matched"), ("20ng", 5, "lstm_rand", "ls"), ("pydocs", 0, "lstm_rand", "base")):
        assert paper_accuracy(*nothing) is None
