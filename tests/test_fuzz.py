"""Random damage: whatever stands in params.yaml, a prepared corpus or a result, the answer is a result or one line."""

import copy
import json
import shutil
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import synthetic
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan import data_plans

from lcm.corpora.catalogue import entry
from lcm.corpora.prepare import load, prepare
from lcm.errors import UserError
from lcm.evidence.report import write_report
from lcm.params import Corpus, Params, load_params
from lcm.study import cells

MANY = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["..", "../../src", "x;touch y", "data/raw/20ng", "1e-3", "latin-1", "~/x", "é" * 300, "20ng", "letters"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=4,
)


@lru_cache
def committed() -> dict:
    return yaml.safe_load((synthetic.ROOT / "params.yaml").read_text(encoding="utf-8"))


def below(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The path of every value in lists and mappings."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from below(inner, (*path, key))


@lru_cache
def places() -> list[tuple]:
    """The path of every value in params.yaml."""
    return [path for path in below(committed()) if path]


@settings(max_examples=500, **MANY)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(range(10_000)), st.sampled_from(["set", "add", "remove"]), VALUES),
        min_size=1,
        max_size=3,
    )
)
def test_parameters(tmp_path, changes):
    content = copy.deepcopy(committed())
    for number, what, value in changes:
        *parents, last = places()[number % len(places())]
        group = content
        for key in parents:
            try:
                group = group[key]
            except (LookupError, TypeError):  # an earlier change has removed it
                group = None
        if isinstance(group, dict):
            group[last] = value
            if what == "remove":
                del group[last]
            elif what == "add":
                group[str(value)] = value
        elif isinstance(group, list) and group:
            group[-1] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, allow_unicode=True), encoding="utf-8", errors="replace")
    try:
        params = load_params(path)
        for name, knobs in params.corpora.items():
            entry(name, knobs)
        data_plans(params)
    except UserError as error:
        message = str(error)
        assert "\n" not in message and len(message) <= 1000, message


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    rows = "".join(f"{'ab'[n % 2]},words w{n} of {n % 7}\n" for n in range(60))
    (folder / "t.csv").write_text("label,text\n" + rows)
    knobs = Corpus(path=str(folder / "t.csv"), text="text", label="label", language="en", tokens="words")
    prepare("mine", knobs, folder / "t.csv", folder / "mine", folder / "card.json")
    return folder / "mine"


@settings(max_examples=200, **MANY)
@given(
    name=st.sampled_from(["ids.npy", "offsets.npy", "labels.npy", "corpus.json", "vocabulary.tsv"]),
    start=st.floats(0, 1),
    length=st.integers(0, 200),
    noise=st.binary(max_size=50),
)
def test_a_prepared_corpus(tmp_path, corpus, name, start, length, noise):
    """A piece of a file is cut out and something else put in: never a traceback, never another corpus."""
    folder = tmp_path / "mine"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(corpus, folder)
    content = (folder / name).read_bytes()
    at = int(start * len(content))
    damaged = content[:at] + noise + content[at + length :]
    (folder / name).write_bytes(damaged)
    try:
        data = load(folder)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) <= 600
        assert damaged != content
    else:
        assert damaged == content or name == "corpus.json"
        np.testing.assert_array_equal(data.ids, load(corpus).ids)
        assert data.names == load(corpus).names


@lru_cache
def study() -> Params:
    return synthetic.params(tiny=synthetic.grid(yardsticks=["linear"]))


@lru_cache
def parts_of_results() -> list[tuple]:
    """The file and the path of every value in a cell's files, but few of long lists."""
    cell = synthetic.find(study(), "tiny", "20ng", 0, "lstm_rand", "lcm")
    with tempfile.TemporaryDirectory() as folder:
        synthetic.write(Path(folder), study(), cell, [0.7, 0.72, 0.74])
        files = {kind: json.loads((Path(folder) / cell.path(kind)).read_text()) for kind in ("cells", "curves")}
    found = [(kind, *path) for kind, content in files.items() for path in below(content) if path]
    return [path for path in found if all(not isinstance(key, int) or key < 2 for key in path)]


@settings(max_examples=200, **MANY)
@given(place=st.sampled_from(range(1000)), value=VALUES, deleted=st.booleans())
def test_a_result(tmp_path, place, value, deleted):
    """One value of a cell's files is another one or gone: a report, or one line."""
    params, root = study(), tmp_path
    for cell in cells(params, "tiny"):
        synthetic.write(root, params, cell, [0.7, 0.72, 0.74])
    kind, *keys, last = parts_of_results()[place % len(parts_of_results())]
    path = root / synthetic.find(params, "tiny", "20ng", 0, "lstm_rand", "lcm").path(kind)
    content = inner = json.loads(path.read_text())
    for key in keys:
        inner = inner[key]
    if deleted:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(content, default=str))
    try:
        write_report(params, "tiny", root)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) <= 400
