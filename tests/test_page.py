"""The page, its tables and figures: whole, self-contained, the same in every form, readable in a browser."""

import ast
import csv
import html
import html.parser
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import browser
import numpy as np
import pytest
import synthetic
from synthetic import find, grid
from test_claims import alpha_world, put

import lcm.evidence
from lcm.errors import UserError
from lcm.evidence import figures, overview, page, snippets, svg
from lcm.evidence.claims import all_claims
from lcm.evidence.comparisons import Evidence
from lcm.evidence.names import TEXTS, method_name, setting_name
from lcm.evidence.page import read_evidence, write_page
from lcm.evidence.paper import SETTINGS, paper_accuracy
from lcm.evidence.report import write_report
from lcm.evidence.results import read_study
from lcm.evidence.statistics import Estimate
from lcm.evidence.study_tables import strengths_table
from lcm.evidence.tables import Table, to_markdown
from lcm.evidence.verdicts import Claim, Comparison
from lcm.study import cells
from lcm.targets import target_names

TARGETS = ["ce", "ls", "ls.epsilon=0.75", "ls_matched", "lcm", "lcm.alpha=2"]


def world(root):
    """All kinds of studies, one of them not run."""
    collapse = [[0.9, 0.02, 0.02, 0.03, 0.03]] * 3
    alpha_world(root)
    p = synthetic.params(
        alpha=grid(methods=[*synthetic.PLAIN, "lcm.alpha=0.5", "ls.epsilon=0.3", "lcm.alpha=0.5,stop_epoch=4"]),
        benchmark=grid(["20ng", "fdcnews"], ["lstm_rand", "lstm_pre"], yardsticks=["linear", "svc"]),
        noise=grid(noise=[30]),
        confusion=grid(["8ng-h", "8ng-e"]),
        images=grid(["mnist"], ["image_cnn"]),
        own_vectors=grid(["digits"], ["image_cnn"]),
        targets=grid(methods=TARGETS, noise=[0, 30], models=["cnn_rand"]),
    )
    put(root, p, "benchmark", collapse=collapse)
    put(root, p, "noise", noise=30, base=[0.5, 0.51, 0.52])
    put(root, p, "images", "mnist", model="image_cnn")
    put(root, p, "own_vectors", "digits", model="image_cnn")
    for cell in cells(p, "benchmark"):
        if cell.model == "linear" and cell.corpus == "20ng":
            synthetic.write(root, p, cell, [0.9, 0.91, 0.92])
    for index, cell in enumerate(cells(p, "targets")):
        place = None if cell.target == "ce" else (0.1 + 0.1 * (index % 5), 0.002 * (index % 3))
        synthetic.write(root, p, cell, [0.7 + 0.01 * (index % 4), 0.71, 0.72], place=place)
    return p


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    write_page(world(root), root)
    return root / "reports"


class Page(html.parser.HTMLParser):
    """Every tag with its attributes and the tags that it stands in."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs), tuple(self.open)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag  # well-formed


# --------------------------------------------------------------------------------------------------------------- page


def test_page_is_whole_and_self_contained(site):
    text = (site / "index.html").read_text()
    shown = Page(text)
    assert not {"link", "img", "iframe", "object", "image"} & {tag for tag, _, _ in shown.tags}
    for tag, attributes, _ in shown.tags:
        assert not {"src", "data", "srcset"} & set(attributes) and attributes.get("xlink:href", "#").startswith("#")
        if tag == "a" and not attributes["href"].startswith("#"):  # followed by hand, to a file beside this one
            assert (site / attributes["href"]).is_file()
        else:
            assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\((?!#)|@import|@font-face|fetch\(|XMLHttp", text)
    identifiers = [attributes["id"] for _, attributes, _ in shown.tags if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= set(identifiers)
    words = html.unescape(re.sub(r"<[^>]+>|\s+", " ", text)).replace("\u00a0", " ")
    assert all(" ".join(line.split()) in " ".join(words.split()) for line in TEXTS["rule"])


def test_label_names_are_escaped(site):
    text = (site / "index.html").read_text()
    assert "<b>a & b" not in text and "<b>a" not in (site / "tables.md").read_text()


def test_every_figure_has_a_caption_and_a_text(site):
    text = (site / "index.html").read_text()
    drawn = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
    assert all(re.search(r"<figcaption>[^<]{40,}", figure) for figure in drawn)
    pictures = [attributes for tag, attributes, _ in Page(text).tags if tag == "svg"]
    assert all(picture["role"] == "img" and len(picture["aria-label"]) > 15 for picture in pictures)
    for wanted in (
        "LCM minus its rivals", "cosine matrix", "t-SNE map", "mean confusion distribution by label",
        "map of targets, 20NG, CNN-rand", "map of targets, 20NG, 30 % wrong labels",
        "test accuracy by share of wrong labels", "test accuracy by mass", "with and without early stop",
    ):  # fmt: skip
        assert any(wanted in picture["aria-label"] for picture in pictures), wanted
    names = {path.name for path in (site / "figures").iterdir()}
    assert names == {"summary.svg"}  # the README's map is of another network than this study's
    assert "prefers-color-scheme:dark" in (site / "figures/summary.svg").read_text()


def test_page_markdown_csv_and_terminal_say_the_same(site):
    text, markdown = (site / "index.html").read_text(), (site / "tables.md").read_text()
    with open(site / "tables/benchmark.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    # base .70 .72 .71, LCM + .05 .051 .049: paper 68.22, ours 71.00
    row = next(row for row in rows if row["method"] == "CE")
    assert (row["group"], row["paper"], row["ours"], row["LCM − this, 95 % CI"]) == (
        "20NG, LSTM-rand",
        "68.22",
        "71.00",
        "+5.00",
    )
    assert row["LCM − this, 95 % CI (more)"] == "[+4.61, +5.39]; LCM better"
    assert "| CE | 68.22 ± 3.34 | 71.00 ± 1.00 | +2.78 | +5.00 [+4.61, +5.39] LCM better | 3 |" in markdown
    shown = re.sub(
        r"<[^>]+>", " ", re.search(r'<tr><th scope="row">CE</th>.*?</tr>', text.partition('id="study-benchmark"')[2])[0]
    ).split()
    assert shown == "CE 68.22 ± 3.34 71.00 ± 1.00 +2.78 +5.00 [+4.61, +5.39] LCM better 3".split()
    for wanted in ("LCM improves LSTM models", "not measured", "Study confusion", "Not run"):
        assert wanted in text and wanted in markdown


def test_unmeasured_settings_are_one_row_a_corpus(site):
    with open(site / "tables/benchmark.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] == "Not run"]
    assert [(row["method"], row["method (more)"], row["ours"]) for row in rows] == [
        ("20NG", "LSTM-pre", "not run"), ("FDCNews", "LSTM-rand, LSTM-pre", "not run")
    ]  # fmt: skip


def test_same_input_same_bytes_and_nothing_old_stays(tmp_path):
    root, again = tmp_path / "a", tmp_path / "b"
    p = synthetic.params(benchmark=grid(["fdcnews"]))
    put(root, p, "benchmark", "fdcnews")
    shutil.copytree(root, again)
    (root / "reports/figures").mkdir(parents=True)
    (root / "reports/figures/old.svg").write_text("")
    contents = []
    for place in (root, again):
        for _ in range(2):  # once more over its own output
            write_page(p, place)
            write_report(p, "benchmark", place)
        made = [*(place / "reports").rglob("*"), *(place / "metrics/benchmark").rglob("*")]
        contents.append({path.relative_to(place): path.read_bytes() for path in made if path.is_file()})
    assert contents[0] == contents[1] and len(contents[0]) > 10
    assert not [path for path in contents[0] if "old" in path.name or ".part" in path.name]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    program = browser.find()
    if program is None:
        pytest.skip(f"no browser here: none of {', '.join(browser.NAMES)} is on PATH")
    with browser.Browser(program, tmp_path_factory.mktemp("profile")) as shown:
        yield shown


@pytest.mark.parametrize("width", [400, 1400])
def test_in_a_browser(site, chromium, width):
    file = site / "index.html"
    chromium.open(file, width, dark=width == 400)
    chromium.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert chromium.evaluate(f"[document.documentElement, document.body].every(e => e.scrollWidth <= {width})")
    box = f"r.width > 100 && r.height > 60 && r.left >= 0 && r.right <= {width}"
    inside = f"e => {{ const r = e.getBoundingClientRect(); return {box}; }}"
    assert chromium.evaluate("document.querySelectorAll('figure svg').length") > 9
    # on a phone the three panels of LCM's gains scroll in their frame
    shown = "figure :not(.rivals) > svg, .rivals" if width == 400 else "figure svg"
    assert chromium.evaluate(f"[...document.querySelectorAll('{shown}')].every({inside})")
    assert chromium.evaluate("document.querySelector('.rivals svg').getBoundingClientRect().width >= 400")
    # The tables that are read first need no scrolling of their own: LCM's column is in view.
    assert chromium.evaluate(
        "[...document.querySelectorAll('.compare')].every(e => e.scrollWidth <= e.parentElement.clientWidth + 1)"
    )
    if width == 1400:  # one column grid, no empty right third
        wide = "[...document.querySelectorAll('section > .scroll, section > figure')]"
        right = f"{wide}.map(e => e.getBoundingClientRect().right)"
        assert (
            chromium.evaluate(f"Math.max(...{right}) - Math.min(...{right})") < 1
            and chromium.evaluate(f"Math.min(...{right})") > 1200
        )
    ground = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 200) == (width == 400)  # dark where asked for
    assert chromium.requests() == [file.resolve().as_uri()]
    assert chromium.complaints() == []


def test_a_click_sorts_the_rows_of_each_group(site, chromium):
    chromium.open(site / "index.html", 1400)
    rows = "[...document.querySelectorAll('#study-benchmark tbody')[1].rows].slice(1)"
    column = rows + r".map(r => r.cells[2].innerText.split(/\s/)[0])"
    before = chromium.evaluate(column)
    click = "document.querySelectorAll('#study-benchmark thead button')[2].click()"
    chromium.evaluate(click)
    up = chromium.evaluate(column)
    chromium.evaluate(click)
    down = chromium.evaluate(column)
    assert up == sorted(before, key=float) and down == up[::-1] and up != down
    assert chromium.evaluate("document.querySelectorAll('#study-benchmark tbody')[1].rows[0].className") == "group"


def test_print_is_short(site, chromium):
    chromium.open(site / "index.html", 1000)
    assert chromium.pages() <= 15


# --------------------------------------------------------------------------------------------------- a study's report


def test_report_of_a_study(tmp_path):
    p = synthetic.params(tiny=grid(["20ng"], noise=[0, 30]))
    put(tmp_path, p, "tiny")
    put(tmp_path, p, "tiny", noise=30, base=[0.5, 0.51, 0.52])
    text = write_report(p, "tiny", tmp_path)
    metrics = {path.name: json.loads(path.read_text()) for path in (tmp_path / "metrics/tiny").iterdir()}
    assert metrics["lstm_rand-ce.json"] == {"20ng": 0.71, "20ng_noise30": 0.51} and len(metrics) == 4
    assert metrics["lstm_rand-lcm.json"]["20ng"] == 0.76
    assert max(map(len, text.splitlines())) <= 100 and "71.00 ± 1.00" in text
    assert "better" not in text  # verdicts belong to claims, which need all studies
    put(tmp_path, p, "tiny", gain=(0.05, 0.05, 0.051))
    cell = find(p, "tiny", "20ng", 0, "lstm_rand", "lcm")
    record = json.loads((tmp_path / cell.path()).read_text())
    record["runs"][0] = {"split": 0, "seed": 0, "failed": "NaN"}
    synthetic.put(tmp_path, cell, record)
    assert "split 0, seed 0: failed (NaN)" in write_report(p, "tiny", tmp_path)
    # One bare number cannot say that a run is missing, so there is none.
    assert json.loads((tmp_path / "metrics/tiny/lstm_rand-lcm.json").read_text()).keys() == {"20ng_noise30"}


def test_report_of_nothing(tmp_path):
    text = write_report(synthetic.params(tiny=grid(["20ng"])), "tiny", tmp_path)
    assert "not run" in text and json.loads((tmp_path / "metrics/tiny/not_run.json").read_text()) == {"cells": 4}


# ------------------------------------------------------------------------------------------------ tables and snippets


def test_sweep_is_sorted_by_the_mass_on_the_true_label(tmp_path):
    p = alpha_world(tmp_path)
    study = read_study(p, "alpha", tmp_path)
    ((_, rows),) = strengths_table(study).groups
    # 5 labels. LS .1: .92; matched .07: .944; LS .3: .76; alpha 4: e^4 / (e^4 + 4) = .9317; alpha .5: .2919
    assert [(row[0] if isinstance(row[0], str) else " ".join(row[0]), row[1]) for row in rows] == [
        ("CE", "100.0"), ("matched LS ε = 0.07", "94.4"), ("LCM α = 4", "93.2"), ("LS ε = 0.1", "92.0"),
        ("LS, ε = 0.3", "76.0"), ("LCM, α = 0.5", "29.2"),
    ]  # fmt: skip


def test_coverage_counts_settings_by_edition(tmp_path):
    p = synthetic.params(benchmark=grid(["20ng"]), noise=grid(noise=[30]), bert=grid(["20ng"], ["minilm"]))
    for study, noise, model in (("benchmark", 0, "lstm_rand"), ("noise", 30, "lstm_rand"), ("bert", 0, "minilm")):
        put(tmp_path, p, study, noise=noise, model=model)
    text = overview.coverage(read_evidence(p, tmp_path))
    assert text.startswith("Measured of the paper’s 37 settings: 2 (2 of them on 20NG or parts of it); 1 more with a")
    assert text.endswith("; 34 not at all.")
    both = synthetic.params(bert=grid(["20ng"], ["minilm", "bert_tiny"]))
    for model in ("minilm", "bert_tiny"):
        put(tmp_path / "both", both, "bert", model=model)
    assert ": 1 (1 of them on 20NG or parts of it); 0 more" in overview.coverage(read_evidence(both, tmp_path / "both"))
    assert overview.coverage(read_evidence(synthetic.params(benchmark=grid()), tmp_path / "none")).endswith(
        "37 not at all."
    )
    assert len(SETTINGS) == 37 and all(paper_accuracy(*setting, "lcm") for setting in SETTINGS)


def test_collapse_table_names_the_label_and_its_rank(tmp_path):
    p = synthetic.params(benchmark=grid())
    put(tmp_path, p, "benchmark", collapse=[[0.9, 0.1, 0, 0, 0], [0.8, 0.1, 0.1, 0, 0], [0, 0, 0, 0.6, 0.4]])
    for method in synthetic.PLAIN:
        cell = find(p, "benchmark", "20ng", 0, "lstm_rand", method)
        record = json.loads((tmp_path / cell.path()).read_text())
        for run in record["runs"]:
            rows = (
                np.array(run["confusion_matrix"]) * np.array([2, 3, 1, 5, 4])[:, None]
            )  # the third label is the rarest
            run["confusion_matrix"] = rows.tolist()
            del run["test"]["macro_f1"]  # it was another matrix's
        synthetic.put(tmp_path, cell, record)
    table = overview.collapse_table(read_evidence(p, tmp_path))
    ((_, (row,)),) = table.groups
    # first: .9, .8, .6; two: 1, .9, 1; ranks 2, 2, 5
    assert row == ["20NG, LSTM-rand", "77", "97", "comp.graphics (2), rec.sport.hockey (1)", "3.0 of 5", "70", "3"]
    assert "in 2 of the 3 runs" in table.note


def test_numbers_stand_to_the_right_and_words_to_the_left():
    rows = [[("20NG", "small"), "two words", "−0.5", "–"], ["MNIST", "one", ("12.3", "± 1"), "not run"]]
    text = to_markdown(Table("x", "", ["a", "b", "c", "d"], [("", rows)]), 0)
    assert text.splitlines()[1] == "|---|---|---:|---:|"


def test_headline_has_at_most_eight_rows(tmp_path):
    p = world(tmp_path)
    evidence = read_evidence(p, tmp_path)
    ((_, rows),) = overview.headline_table(evidence, all_claims(evidence)).groups
    assert len(rows) <= 8 and rows[0][0] == "20NG, LSTM-rand" and rows[0][1] == "68.22 → 72.42"
    assert any(row[0] == "20NG, 30 % wrong labels, LSTM-rand" for row in rows)


def test_the_answer_says_where_lcm_gains_nothing(tmp_path):
    """Over all settings with LSTMs, and with the networks that the paper lacks."""
    p = synthetic.params(
        benchmark=grid(["20ng", "fdcnews"], ["lstm_rand", "cnn_rand"], ["ce", "ls_matched", "lcm"]),
        targets=grid(["20ng", "fdcnews"], ["bag", "lstm_rand"], ["ce", "lcm"]),
    )
    for number, cell in enumerate([*cells(p, "benchmark"), *cells(p, "targets")]):
        gain = {"bag": -0.01, "lstm_rand": 0.03, "cnn_rand": 0.05}[cell.model] if cell.method == "lcm" else 0.0
        gain += 0.01 * (cell.method == "ls_matched")
        synthetic.write(tmp_path, p, cell, [0.7 + gain + wobble * (1 + number / 50) for wobble in (0.0, 0.002, -0.003)])
    evidence = read_evidence(p, tmp_path)
    ((_, rows),) = snippets.answer_table(all_claims(evidence), evidence).groups
    told = {row[0]: (row[1][0], row[2]) for row in rows}
    assert told["cross-entropy, all our LSTMs"] == ("+3.00", "2")
    assert told["cross-entropy, bag of embeddings"] == ("−1.00", "2")
    assert told["cross-entropy, Table 1, LSTMs"] == ("+3.00", "2")
    assert told["cross-entropy, Table 1, CNNs"] == ("+5.00", "2")
    assert told["label smoothing of the same strength"] == ("+3.00", "4")  # two LSTMs by 2 points, two CNNs by 4
    assert not snippets.answer_table([], Evidence([])).groups


def test_snippets_are_written_between_their_markers(tmp_path):
    text = "a\n<!-- generated: x -->\nold | 1\n<!-- end -->\nb <!-- generated: y -->\n<!-- end -->"
    found = {"x": "| new |", "y": "2"}
    new = snippets.filled(text, found)
    assert new == "a\n<!-- generated: x -->\n| new |\n<!-- end -->\nb <!-- generated: y -->\n2\n<!-- end -->"
    assert snippets.filled(new, found) == new
    with pytest.raises(UserError, match="README.md: no generated part is called z; there are x, y"):
        snippets.filled(text.replace(": x", ": z"), found, "README.md")


def test_the_answer_counts_what_is_decided():
    def comparison(value, p, equal=False):
        return Comparison("", Estimate(value, (value - 0.01, value + 0.01), p, 5, 5), equal=equal)

    none = Evidence([])
    one = Claim("Q1", "", "", [comparison(0.02, 0.001)])
    assert snippets.counted(one) == "better in one setting (+2.00 points)"
    four = Claim("Q1", "", "", [comparison(-0.03, 0.0001), comparison(0.001, 0.9, True), *[comparison(0.01, 0.5)] * 2])
    told = "better in 0 of 4 settings, worse in 1, equal in 1, undecided in 2 (−3.00 to +1.00 points)"
    assert snippets.counted(four) == told
    assert snippets.answer([four, Claim("Q1b", "", "", [])], none) == (
        f"No. Against label smoothing of the same strength, one line of code, it is {told}."
    )
    assert snippets.answer([Claim("Q1", "", "", []), Claim("Q1b", "", "", [])], none) == "Not measured yet."
    open_, unmeasured = Claim("Q1", "", "", [comparison(0.01, 0.5)]), Claim("Q1b", "", "", [])
    assert snippets.answer([open_, unmeasured], none).startswith("Nothing speaks for it. Against")
    won = Claim("Q1b", "", "", [replace(comparison(0.02, 0.001), what="toy, bag: a − b"), comparison(0.01, 0.5)])
    assert "better in 1 of 2 settings (toy, bag), undecided in 1" in snippets.counted(won)
    assert snippets.answer([open_, won], none).startswith("Undecided. Against")


def test_a_mean_is_said_to_be_one_test_of_many():
    def claim(key, t):
        """Two corpora; the mean of both is t standard errors from 0, with 18 degrees of freedom."""
        contrast = Estimate(0.02, (0.0, 0.04), 0.5, 10, 10, error=0.02 * 2**0.5 / t, df=9)
        return Claim(key, "", "", [Comparison("", contrast, corpus=corpus) for corpus in "ab"])

    text = overview.robustness([claim("x", 5.0), claim("y", 2.3), claim("z", 2.2), claim("open", 2.0)])
    # p .0001, .034, .041, .061: Holm makes .10 of the second and the third
    assert "Of 4 means 3 have p below 0.05 (x, y, z)" in text and "1 would (x)" in text
    assert text.endswith("By the old rule undecided would be x, y, z.")


def test_runs_of_two_studies_are_counted_once():
    run = {"key": "a", "device": "cpu (x86_64)"}
    results = [
        SimpleNamespace(model="lstm_rand", runs=[run, {"key": "b", "device": "NVIDIA H200"}]),
        SimpleNamespace(model="linear", runs=[{"key": "c"}]),
    ]
    evidence = {name: SimpleNamespace(results=results) for name in ("one", "two")}
    assert snippets.devices(evidence).startswith("Of the 2 runs of networks in git, 1 were trained on CPUs and 1 were")
    assert snippets.devices({}) == "Nothing is measured yet."


def test_readme_and_docs_show_what_is_generated():
    """README.md and docs/ say what the last page stage wrote, and what the benchmarks printed."""
    root = synthetic.ROOT
    found = snippets.generated(root)
    assert {
        "answer",
        "measured-targets",
        "measured-fleet",
        "measured-temperature",
        "measured-experiment",
    } <= found.keys()
    for pattern in snippets.DOCUMENTS:
        for path in root.glob(pattern):
            text = path.read_text()
            assert snippets.filled(text, found, path.name) == text, f"{path.name}: run `dvc repro page`"


def test_coverage_and_answers_are_those_of_the_committed_results():
    """The committed reports are of the committed results."""
    root = synthetic.ROOT
    evidence = read_evidence(synthetic.committed(), root)
    found = json.loads((root / "reports/snippets.json").read_text())
    assert found["coverage"] == overview.coverage(evidence)
    assert found["coverage"] in (root / "reports/tables.md").read_text()


def test_the_page_opens_at_once():
    """Below a megabyte: a phone loads it in seconds."""
    assert (synthetic.ROOT / "reports/index.html").stat().st_size < 1_000_000


def test_names_for_people():
    assert method_name("lcm.alpha=0.5,stop_epoch=10") == "LCM, α = 0.5, until epoch 10"
    assert (
        method_name("ls.epsilon=0.3", short=True) == "LS, ε = 0.3"
        and method_name("ls.tuned") == "label smoothing, tuned"
    )
    assert method_name("svc") == "LinearSVC" and method_name("nonsense") == "nonsense"
    assert setting_name("20ng", 30, "lstm_rand") == "20NG, 30 % wrong labels, LSTM-rand"
    looks = [tuple(sorted((k, str(v)) for k, v in figures.look(name).items())) for name in target_names()]
    assert len(set(looks)) == len(looks)  # every target of the registry looks different


# -------------------------------------------------------------------------------------------------- figures and paper


def test_rounding_coordinates_leaves_numbers_that_people_read():
    text = svg.to_svg(figures.sweep({"lcm": [(0.02, 0.7, None, ""), (0.04, 0.8, None, "")]}, "", "x"))
    assert re.search(r">\s*0\.02\d*\s*<", text)
    assert not re.search(r' d="[^"]*\d\.\d{2}', text)


def test_band_by_hand():
    def row(split, epoch, value, seed=0):
        return {"split": split, "seed": seed, "epoch": epoch, "x": value}

    # Epoch 3 exists for split 0 only and is left out; epoch 1: mean .3, std sqrt(.02) = .141421; epoch 2: .5, .141421
    rows = [row(0, 1, 0.2), row(0, 2, 0.4), row(0, 3, 0.9), row(1, 1, 0.4), row(1, 2, 0.6)]
    epochs, mean, std = figures.band(rows, "x")
    assert epochs.tolist() == [1, 2] and mean == pytest.approx([0.3, 0.5])
    assert std == pytest.approx([0.141421, 0.141421], abs=1e-6)
    assert figures.band([row(0, 1, 0.2), row(0, 1, 0.4, seed=1)], "x")[1] == pytest.approx([0.3])  # seeds are runs too
    assert figures.band([row(0, 1, 0.2)], "x")[2] is None and figures.band([row(0, 1, None)], "x")[0].size == 0


def test_substitutes_have_no_printed_number_and_bert_is_the_papers():
    assert paper_accuracy("fdcnews", 0, "albert_tiny_zh", "lcm") == (0.9544, 0.0034)
    assert paper_accuracy("20ng", 12, "bert_tiny", "ls") == (0.8535, None)
    for model in ("minilm", "lstm_own", "lstm_rand_post", "bag"):
        assert paper_accuracy("20ng", 0, model, "ce") is None
    assert paper_accuracy("ag_news_tokens", 0, "lstm_rand", "ce") is None


def test_paper_numbers_are_looked_up_per_table():
    assert paper_accuracy("20ng", 0, "lstm_rand", "lcm") == (0.7242, 0.0191)  # Table 1
    assert paper_accuracy("20ng", 0, "lstm_rand", "ce") == (0.6822, 0.0334)
    assert paper_accuracy("20ng", 0, "lstm_rand", "ls") == (0.7015, None)  # Table 4 at 0 %
    assert paper_accuracy("20ng", 30, "bert_tiny", "ce") == (0.7916, None)  # Table 4
    assert paper_accuracy("4ng-e", 0, "lstm_rand", "lcm") == (0.9254, None)  # Table 3
    assert paper_accuracy("mnist", 0, "image_cnn", "ls") == (0.9834, None)  # Table 5
    for nothing in (
        ("20ng", 0, "lstm_rand", "ls_matched"),
        ("20ng", 5, "lstm_rand", "ls"),
        ("pydocs", 0, "lstm_rand", "ce"),
    ):
        assert paper_accuracy(*nothing) is None


def test_evidence_imports_neither_torch_nor_training():
    known = ("cell_files", "errors", "files", "evidence", "study", "params", "targets")
    for path in Path(lcm.evidence.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] != "torch", path
                assert not name.startswith("lcm.") or name.split(".")[1] in known, path


def test_every_section_of_figures_has_a_caption(site):
    used = re.findall(r'figure\("(\w+)"', (Path(page.__file__).parent / "page.html.j2").read_text())
    assert set(used) | {"alpha", "early_stop", "noise"} == set(TEXTS["captions"])
