"""README.md and docs/ against the repository: short, commands that exist, links that resolve, paired markers."""

import argparse
import json
import math
import re
import runpy
import sys
from functools import reduce
from pathlib import Path

import pytest
import yaml
from documents import ROOT, blocks

from lcm.compare.cli import add_arguments
from lcm.params import load_params
from lcm.protocol.matched import matched_epsilon
from lcm.study import find

README = ROOT / "README.md"
PAGES = [
    README,
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("*/*/README.md")),
    *sorted(ROOT.glob("*/README.md")),
]
MARKED = re.compile(r"^<!-- generated: ([\w-]+) -->\n(.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[`$] ?|\s{4})((?:make|dvc|python pipeline/\w+\.py|lcm) [^`#\n]*)", re.MULTILINE)
YOURS = re.compile(r"\b(mine|own|toy)\b|[<$]")  # a study, corpus or name that the reader makes


def name_of(path):
    return str(path.relative_to(ROOT))


def commands(path):
    """The commands of a page: in blocks, indented, or between backticks. What the page itself writes is no command."""
    text = re.sub(
        r"^```(?:python|yaml|mermaid).*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    text = re.sub(r" && ", "\n", text)
    return [match.strip() for match in COMMAND.findall(text)]


@pytest.fixture(scope="module")
def params():
    return load_params(ROOT / "params.yaml", training=True)


@pytest.fixture(scope="module")
def targets():
    """What `dvc repro` takes: studies, stages of both files and their instances."""
    return stages("dvc.yaml", "") | stages("data/dvc.yaml", "data/dvc.yaml:")


def stages(file, prefix):
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    studies = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "studies").glob("*.yaml")
    }
    context = params | {"studies": {name: content["studies"][name] for name, content in studies.items()}}
    found = {file}
    for name, stage in yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["stages"].items():
        found.add(prefix + name)
        items = context
        for key in stage.get("foreach", "")[2:-1].split(".") if "foreach" in stage else []:
            items = items[key]
        found |= {f"{prefix}{name}@{item}" for item in items} if "foreach" in stage else set()
    return found


@pytest.mark.parametrize("experiment", [None, "two"])
def test_an_experiment_leaves_the_readme_as_it_is(tmp_path, monkeypatch, capsys, experiment):
    from lcm.evidence import page

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    if experiment:
        monkeypatch.setenv("DVC_EXP_NAME", experiment)
    for name in ("params.yaml", "studies"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "README.md").write_text("<!-- generated: answer -->\nold\n<!-- end -->\n")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/snippets.json").write_text('{"answer": "new"}')
    monkeypatch.setattr(page, "write_page", lambda params: None)
    monkeypatch.setattr(sys, "argv", ["page.py"])
    runpy.run_path(str(ROOT / "pipeline/page.py"), run_name="__main__")
    assert ("old" if experiment else "new") in (tmp_path / "README.md").read_text()
    assert ("python pipeline/page.py" in capsys.readouterr().out) == bool(experiment)


def test_readme_can_be_read_in_two_minutes():
    text = README.read_text(encoding="utf-8")
    words = [word for word in text.split() if re.search(r"[^\W\d_]", word)]  # numbers and bars of tables are none
    assert len(words) <= 900, len(words)
    before, fence, after = text.partition("```sh\n")
    assert fence and before.count("\n") < 25 and after.startswith("make quickstart")


def test_the_worked_target_is_the_formula():
    import torch

    from lcm import matched_epsilon

    text = README.read_text(encoding="utf-8").partition("\n## ")[0]
    confusion, target, smoothing = (
        [float(number) for number in group.split(", ")] for group in re.findall(r"\((0\.\d+(?:, 0\.\d+)+)\)", text)
    )
    alpha = float(re.search(r"alpha = (\d+)", text)[1])
    computed = (alpha * torch.eye(5)[0] + torch.tensor(confusion)).softmax(0)
    assert sum(confusion) == pytest.approx(1)
    assert target == pytest.approx(computed.tolist(), abs=5e-4)
    epsilon = matched_epsilon(alpha, 5)
    assert smoothing == pytest.approx([1 - epsilon + epsilon / 5, *[epsilon / 5] * 4], abs=5e-4)


def test_matched_smoothing_of_the_protocol_is_the_code():
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    assert "1 / (1 + (C − 1) e^−alpha)" in text and "(1 − mass) C / (C − 1)" in text
    mass = 1 / (1 + 19 * 2.718281828459045**-4)
    assert matched_epsilon(4, 20) == pytest.approx((1 - mass) * 20 / 19)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_commands_name_what_exists(path, params, targets):
    check = {"make": check_make, "dvc": check_dvc, "python": check_python, "lcm": check_lcm}
    for command in commands(path):
        first, *words = command.split()
        if first in check:
            check[first](words, params, targets, f"{path.name}: {command}")


def check_make(words, params, targets, where):
    rules = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {word for word in words if "=" not in word} <= set(rules), where


def check_dvc(words, params, targets, where):
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert words[0] in ("repro", "exp", "metrics", "plots", "params", "queue", "dag", "status"), where
    if words[0] != "repro" and words[:2] != ["exp", "run"]:
        return
    words = words[1 if words[0] == "repro" else 2 :]
    for flag, change in zip(words, words[1:]):
        if flag == "-S" and not change.strip("'").startswith("+"):
            key = change.strip("'").partition("=")[0]
            assert reduce(lambda group, name: (group or {}).get(name), key.split("."), content) is not None, where
    named = [word for flag, word in zip(["", *words], words) if not word.startswith("-") and flag not in ("-S", "-n")]
    assert all(YOURS.search(word) or word in targets for word in named), where


def check_lcm(words, params, targets, where):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert words[0] == "compare", where
    if words[1:] and "-h" not in words:
        parser.parse_args(words[1:])  # ends the test for an option that is not there


def check_python(words, params, targets, where):
    script, named = words[0], [word for word in words[1:] if not word.startswith("-")]
    assert (ROOT / script).is_file(), where
    if Path(script).stem in ("train", "verify", "report", "tune") and named and not YOURS.search(named[0]):
        assert named[0] in params.studies, where
        if len(named) >= 5:
            find(params, named[0], named[1], int(named[2]), *named[3:5])


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(path):
    text = path.read_text(encoding="utf-8")
    for link in LINK.findall(text):
        if link.startswith(("http://", "https://")):
            continue
        file, _, heading = link.partition("#")
        place = path.parent / file if file else path
        assert place.exists(), f"{path.name}: {link}"
        if heading:
            headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}, link


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_markers_are_paired(path):
    text = path.read_text(encoding="utf-8")
    names = re.findall(r"<!-- generated: ([^>]*) -->", text)
    assert [name for name, _ in MARKED.findall(text)] == names and text.count("<!-- end -->") == len(names)


def test_files_that_a_page_names_exist():
    """Paths between backticks that begin with a folder of the repository."""
    named = re.compile(r"`((?:src|tests|pipeline|studies|docs|benchmarks|examples)/[\w./-]+)`")
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for name in named.findall(text):
            assert YOURS.search(name) or (ROOT / name).exists(), f"{path.name}: {name}"


def test_numbers_of_documents_are_those_of_the_cards():
    rows = [
        line.split("|") for line in (ROOT / "docs/data.md").read_text(encoding="utf-8").splitlines() if "| `" in line
    ]
    seen = 0
    for row in rows:
        for name, documents in zip(re.findall(r"`([^`]+)`", row[1]), re.split(", ?", row[3].strip()) * 2):
            card = ROOT / f"data/cards/{name}.json"
            if card.exists():
                assert str(json.loads(card.read_text(encoding="utf-8"))["samples"]) == documents.strip(), name
                seen += 1
    assert seen >= 10


def test_walks_are_short():
    walks = {}
    for block in blocks(ROOT / "docs/extending.md"):
        walks.setdefault(block.section, []).extend(line for line in block.text.splitlines() if line.strip())
    assert len(walks) == 5 and all(len(lines) <= 16 for lines in walks.values()), {k: len(v) for k, v in walks.items()}


def test_the_rate_of_wrong_labels_within_groups_is_that_of_the_card():
    """docs/protocol.md: labels that are alone in their group stay right, so the others get all of the wrong ones."""
    counts = json.loads((ROOT / "data/cards/20ng.json").read_text())["samples_by_label"]
    inside = sum(count for label, count in counts.items() if label.split(".")[0] in ("comp", "rec", "talk"))
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    assert f"30 % overall is {30 * sum(counts.values()) / inside:.0f} % within these groups" in text


def test_lcm_leaves_less_on_the_label_than_matched_smoothing():
    """docs/protocol.md: matched smoothing follows alpha, not the mass that is measured on the true label."""
    rows = json.loads((ROOT / "metrics/cells/alpha/20ng/noise0-lstm_rand-lcm.curves.json").read_text())
    last = {(row["split"], row["seed"]): row["sld_true_mean"] for row in rows if "sld_true_mean" in row}
    assert len(last) >= 10 and sum(last.values()) / len(last) < 1 / (1 + 19 * math.exp(-4))
