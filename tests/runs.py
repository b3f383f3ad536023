"""Everything that the tests know of how runs are built and trained.

When the code's shape changes, this file changes and no test does.

A method is `ce`, `ls`, `ls_matched`, `lcm` or another target, with settings after a point: `lcm.alpha=2,stop_epoch=1`.
"""

import copy
import json
import multiprocessing
import multiprocessing.forkserver
import os
import resource
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from lcm.corpora import prepare
from lcm.corpora.prepare import Prepared
from lcm.corpora.prepare import load as load_corpus
from lcm.errors import UserError
from lcm.files import write_array, write_json
from lcm.models import ModelConfig, Predictor, Start, build, config_class, encoder_names
from lcm.models.bert import RandomShape, random_bert
from lcm.params import Linear, Params, Train, load_params
from lcm.protocol.splits import TEST, TRAIN, VAL, make_splits
from lcm.study import Cell, find, method_settings
from lcm.training import inputs, jobs, linear, pool, store
from lcm.training.run import RunData, train_runs
from lcm.training.train import train_cells

ROOT = Path(__file__).parent.parent
N_LABELS = 4
GROUPS = np.array([0, 0, 1, 1])
NAMES = ["a.x", "a.y", "b.x", "b.y"]
METHODS = ("ce", "ls", "ls_matched", "lcm")
MODELS = {
    "lstm": {"encoder": "lstm", "embedding": 6, "hidden": 8, "mask": False},
    "lstm_masked": {"encoder": "lstm", "embedding": 6, "hidden": 8, "mask": True},
    "cnn": {"encoder": "cnn", "embedding": 6, "filter_sizes": [2, 3], "filters": 5},
    "image_cnn": {"encoder": "image_cnn", "channels": [3, 4], "hidden": 8, "dropout": 0.25},
    "bert": {"encoder": "bert", "source": "none", "random": {"layers": 1, "hidden": 64}, "hidden": 8},
}
# Every other file of src/lcm/models; one that has keys of its own needs an entry here or above.
OWN_KEYS = {"frozen": {"encoder": "frozen", "source": "none", "size": 10, "hidden": 8}}
MORE_MODELS = {
    name: OWN_KEYS.get(name, {"encoder": name, "embedding": 6})
    for name in encoder_names()
    if name not in {model["encoder"] for model in MODELS.values()}
}
READS = {"vocabulary_size": 40, "vocabulary_fit": "all", "maxlen": 12, "truncation": "pre", "padding": "pre"}
TRAINING = {"epochs": 3, "batch_size": 8, "lr": 0.01, "adam_eps": 1e-7, "select": "best_val"}


# ----------------------------------------------------------------------------------------------------------------- data


def toy(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Documents of 12 tokens; a label's own three words are mixed with common ones. ids, offsets, labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(N_LABELS, size=n).astype(np.int16)
    own = 1 + labels[:, None] * 3 + rng.integers(3, size=(n, 12))
    ids = np.where(rng.random((n, 12)) < 0.5, own, rng.integers(13, 40, size=(n, 12))).astype(np.int32)
    return ids.ravel(), np.arange(0, 12 * n + 1, 12), labels


def documents(model: str, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of a model (texts have 0 to 5 pads) and their true labels: the same numbers on every machine."""
    rng = np.random.RandomState(1)
    labels = rng.randint(N_LABELS, size=n).astype(np.int16)
    if model == "image_cnn":
        return np.minimum(rng.randint(0, 160, (n, 8, 8)) + 30 * labels[:, None, None], 255).astype(np.uint8), labels
    if model == "frozen":
        return (rng.rand(n, 10) + (np.arange(10) % N_LABELS == labels[:, None])).astype(np.float32), labels
    own = 1 + labels[:, None] * 3 + rng.randint(3, size=(n, 12))
    ids = np.where(rng.rand(n, 12) < 0.4, own, rng.randint(13, 40, size=(n, 12)))
    places, pads = np.arange(12), rng.randint(6, size=(n, 1))
    ids = np.where(places >= 12 - pads, 0, ids) if model == "bert" else np.where(places < pads, 0, ids)
    return ids.astype(np.int32), labels


def noisy_runs(model: str, n_runs: int, n: int = 60, folder: Path | None = None) -> list[RunData]:
    """Runs with a split of their own (60 / 15 / 25 %) and wrong labels of their own: 30 % of every part, test too.

    They also hold what a target may ask for: the true transition matrix, and somebody's out-of-fold probabilities.
    """
    read, labels = documents(model, n)
    start = Start(image_size=8) if model == "image_cnn" else Start(folder=folder if model == "bert" else None)
    runs = []
    for r in range(n_runs):
        rng = np.random.RandomState(100 + r)
        assignment = rng.permutation(np.repeat([TRAIN, VAL, TEST], [6 * n // 10, 15 * n // 100, n // 4]))
        wrong = rng.rand(n) < 0.3
        given = np.where(wrong, (labels + rng.randint(1, N_LABELS, size=n)) % N_LABELS, labels).astype(np.int16)
        transition = np.full((N_LABELS, N_LABELS), 0.1) + 0.6 * np.eye(N_LABELS)
        transition[0, 1:] = 0.2, 0.06, 0.04  # which way round it is shows
        believed = rng.dirichlet(np.ones(N_LABELS), n).astype(np.float32)
        runs.append(
            RunData(
                read,
                assignment.astype(np.uint8),
                given,
                labels,
                N_LABELS,
                GROUPS,
                start,
                transition=transition,
                held_out=believed,
            )
        )
    return runs


def bert_folder(folder: Path, kind: str = "bert", dropout: float = 0.1) -> Path:
    """The configuration of an encoder that fits `documents`."""
    shares = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    sizes = {"vocab_size": 40, "embedding_size": 16, "max_position_embeddings": 16}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind, **sizes, **shares}))
    return folder


PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "label", "con", "##fusion", "!"]


def encoder(folder: Path, layers: int, positions: int, prefix: str = "bert.") -> Path:
    """An encoder as the hub has it: configuration, vocabulary, weights; its vectors have 64 numbers."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    shape = {"num_hidden_layers": layers, "hidden_size": 64, "num_attention_heads": 1, "intermediate_size": 256}
    config = {"model_type": "bert", "vocab_size": 8, "max_position_embeddings": positions, "hidden_dropout_prob": 0.1}
    write_json(folder / "config.json", config | shape)
    torch.manual_seed(0)
    weights = random_bert(folder, RandomShape(layers=layers, hidden=64)).state_dict()
    save_file({prefix + name: value for name, value in weights.items()}, folder / "model.safetensors")
    return folder


@contextmanager
def largest_file(size: int):
    """No file can grow beyond so many bytes: what a full disk says, for this process alone."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, handler)


def changed(data: RunData, **arrays) -> RunData:
    return replace(data, **arrays)


# ------------------------------------------------------------------------------------------------------------- training


def model_settings(model: str, **changes) -> ModelConfig:
    """The checked settings of one of MODELS."""
    reads = {} if model in ("image_cnn", "bert", "frozen") else READS
    content = {**(MODELS | MORE_MODELS)[model], **reads, "init": "keras"} | changes
    return config_class(content["encoder"]).model_validate(content)


def training(**changes) -> Train:
    return Train.model_validate(TRAINING | changes)


@lru_cache
def _params() -> Params:
    """The committed settings of all methods, LCM's with label embeddings of 5 numbers."""
    content = committed()
    content["lcm"] |= {"alpha": 4.0, "label_dim": 5}
    content["ls"]["epsilon"] = 0.1
    return Params.model_validate(content)


def target_of(method: str) -> tuple[str, dict]:
    """Name and settings of a method's target: epsilon of ls is 0.1, alpha 4, label_dim 5, unless it says otherwise."""
    return method.partition(".")[0], method_settings(_params(), method, N_LABELS)


def train(model: str, data: list[RunData], method: str, seeds: list[int] | None = None, **changes) -> list[dict]:
    """The records of runs trained together, without their seconds.

    seeds: 0, 1, ... unless given. changes: of TRAINING, of the model, or further arguments of `train_runs`.
    """
    ours = {name: value for name, value in changes.items() if name in Train.model_fields}
    rest = {name: value for name, value in changes.items() if name in ("checkpoint", "on_epoch", "precision")}
    theirs = {name: value for name, value in changes.items() if name not in ours and name not in rest}
    seeds = list(range(len(data))) if seeds is None else seeds
    records = train_runs(
        data, model_settings(model, **theirs), training(**ours), *target_of(method), seeds, "cpu", **rest
    )
    return [without_time(record) for record in records]


def assert_alike(found, expected):
    """Two records agree up to rounding: curves and losses to 1e-4, so that every accuracy is the same."""
    assert found.keys() == expected.keys()
    for name in ("test", "test_last"):
        assert found[name] == pytest.approx(expected[name], abs=1e-4)
    assert found["best_epoch"] == expected["best_epoch"]
    assert np.array_equal(found["confusion_matrix"], expected["confusion_matrix"])
    for row, other in zip(found["curve"], expected["curve"], strict=True):
        assert row == pytest.approx(other, abs=1e-4)
    for part, probabilities in found["predictions"].items():
        np.testing.assert_allclose(probabilities, expected["predictions"][part], atol=1e-3)  # float16
    for name in ("label_embedding", "lcd_by_class"):
        if name in found:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


def fresh_predictor(model: str, data: RunData, seed: int, **changes) -> Predictor:
    """The predictor that a run with this seed starts from."""
    torch.manual_seed(seed)
    return build(model_settings(model, **changes), data.n_labels, data.start)


def built(
    model: str, n_labels: int = 3, folder: Path | None = None, start_vectors=None, image_size: int = 8, **changes
) -> Predictor:
    """A predictor as the generator's state makes it. changes: of the model's settings."""
    return build(model_settings(model, **changes), n_labels, Start(image_size, start_vectors, folder))


def without_time(record: dict) -> dict:
    """A record as text would keep it: without its seconds, arrays (predictions) as lists."""
    if "predictions" in record:
        record = record | {"predictions": {part: found.tolist() for part, found in record["predictions"].items()}}
    return {key: value for key, value in record.items() if key != "seconds"}


# ------------------------------------------------------------------------------------------------------ cells and keys


@lru_cache
def _committed() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def committed() -> dict:
    """The content of the committed params.yaml, to be changed."""
    return copy.deepcopy(_committed())


def write_params(content: dict, folder: Path = Path()) -> None:
    """Write params.yaml and studies/*.yaml. content: of params.yaml, and under `studies` name -> study."""
    own = {name: of for name, of in content.items() if name != "studies"}
    (folder / "params.yaml").write_text(yaml.safe_dump(own, sort_keys=False))
    (folder / "studies").mkdir(exist_ok=True)
    for file in (folder / "studies").glob("*.yaml"):
        file.unlink()
    for name, study in content.get("studies", {}).items():
        (folder / "studies" / f"{name}.yaml").write_text(yaml.safe_dump({"studies": {name: study}}, sort_keys=False))


def load(content: dict, folder: Path) -> Params:
    """Checked parameters from the content of a params.yaml with its studies."""
    write_params(content, folder)
    return load_params(folder / "params.yaml", training=True)


def study(corpora: list[str], models: list[str], methods: list[str], **more) -> dict:
    """The content of a study of one grid and two splits. more: further keys, of the study; `noise` of its grid."""
    grid = {"corpora": corpora, "models": models, "methods": methods}
    if "noise" in more:
        grid["noise"] = more.pop("noise")
    return {"title": "A study", "question": "Does it?", "corpora": corpora, "splits": 2, "grids": [grid]} | more


def write_corpus(folder: Path, name: str = "toy") -> None:
    """A prepared corpus of `toy`, its splits and labels, below folder/data, as the data stages would leave it."""
    ids, offsets, labels = toy()
    data = folder / "data"
    for kind, array in (("ids", ids), ("offsets", offsets), ("labels", labels)):
        write_array(data / "corpus" / name / f"{kind}.npy", array)
    digest = prepare.digest(data / "corpus" / name, NAMES)
    meta = {"corpus": name, "digest": digest, "edition": "toy", "kind": "text", "labels": NAMES}
    write_json(data / "corpus" / name / "corpus.json", meta)
    write_array(data / "splits" / name / "splits.npy", make_splits(labels, 10, 0.3, 0.1))
    write_array(data / "splits" / name / "labels-0.npy", np.tile(labels, (10, 1)))


def forget_data() -> None:
    """Whatever was loaded from data/ is read again: a test has changed it."""
    inputs._load.cache_clear()


def cell(params: Params, model: str, method: str, corpus: str = "toy", noise: int = 0, study: str = "small") -> Cell:
    """A cell of the study `small`, whether or not its grid has it."""
    spec = params.studies[study]
    return Cell(study, corpus, noise, model, method, spec.splits, spec.seeds)


def damage_header(path: Path) -> None:
    """Take a bracket out of a .npy file's header: NumPy then raises tokenize.TokenError, which is no ValueError."""
    path.write_bytes(path.read_bytes().replace(b"}", b" ", 1))


def in_this_process(monkeypatch) -> list[jobs.Job]:
    """Let training do without processes, which costs nothing; returns a list that will hold the jobs done."""
    done = []

    def run_jobs(work, todo, processes, device, title, save, preload=()):
        for job in todo:
            done.append(job)
            for result in work(job):
                save(result)

    monkeypatch.setattr(pool, "run_jobs", run_jobs)
    return done


def workers() -> list[int]:
    """The pool's processes that are alive: children of this process' fork server."""
    return children(multiprocessing.forkserver._forkserver._forkserver_pid)


def children(parent: int) -> list[int]:
    """The processes that a process has started and that are no zombies."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, of, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(of) == parent and state != "Z":
            found.append(int(pid))
    return found


def cell_path(model: str, method: str, kind: str = "cells") -> Path:
    """The file of a cell of the study `small` and the corpus `toy`."""
    return Cell("small", "toy", 0, model, method, 1).path(kind)


@lru_cache
def fork_server() -> None:
    """Started once, with what networks need, also if the first thing to be trained is a linear model."""
    os.environ.update(pool.WORKER_ENVIRONMENT)
    multiprocessing.get_context("forkserver").set_forkserver_preload(["lcm.training.preload"])
    pool._start_fork_server()


def train_cell(params: Params, model: str, method: str, **rest) -> Path:
    """Train one cell of the study `small`; returns its file."""
    fork_server()
    train_cells(params, [cell(params, model, method)], "cpu", "small", **rest)
    return cell_path(model, method)


def numbers(path: Path) -> list[dict]:
    """The runs of a cell's file."""
    return json.loads(path.read_text())["runs"]


def keys_of(params: Params, study: str, corpus: str, noise: int, model: str, method: str) -> list[str]:
    """The keys of a method's runs, in the order of splits."""
    return [job.keys[0] for job in jobs.jobs_of(params, cell(params, model, method, corpus, noise, study), "cpu")]


def inputs_of(params: Params, study: str, corpus: str, noise: int, model: str, method: str) -> list[RunData]:
    """What the runs of a method read when they are trained as one fleet."""
    alone = jobs.jobs_of(params, cell(params, model, method, corpus, noise, study), "cpu")
    (together,) = jobs.gather(alone, len(alone), "cpu")
    return jobs.job_data(together)


def written_cell(
    params: Params, study: str, corpus: str, noise: int, model: str, method: str, records: list[dict]
) -> dict:
    """Write a cell from made-up records, one a split, and read what its files say.

    Returns the content of the cell's file, its runs in the order of splits, and `curves`, the rows of its curves.
    """
    of = cell(params, model, method, corpus, noise, study)
    for job in jobs.jobs_of(params, of, "cpu"):
        store.save_run({"key": job.keys[0], **records[job.runs[0].split]})
    train_cells(params, [of], "cpu", "made up")
    content, curves = (json.loads(of.path(kind).read_text()) for kind in ("cells", "curves"))
    return content | {"runs": sorted(content["runs"], key=lambda each: each["split"]), "curves": curves}


def keys_from_digests(content: dict, digests: dict) -> dict[tuple[int, int], str]:
    """(split, seed) -> the key that the committed parameters give to every run of a cell.

    content: of the cell's file. digests: of its data, in place of these: `assignments` and `fit_labels`, one a split,
    and `start`, of what the model starts from.
    """
    meta = {"digest": content["corpus_digest"], "kind": "any", "labels": content["labels"]}
    corpus = Prepared(meta, None, ids=np.zeros(0))  # of a text, as far as a key can tell
    data = inputs.Data(corpus, digests["assignments"], digests["fit_labels"])
    source = inputs.Source(digests=digests.get("start", {}))
    params = _all_params()
    place = [content[name] for name in ("study", "corpus", "noise", "model", "method")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "load", lambda corpus, noise: data)
        patch.setattr(inputs, "sha", lambda digest: digest)
        patch.setattr(inputs, "find_source", lambda *_: source)
        return {
            (job.runs[0].split, job.runs[0].seed): job.keys[0]
            for job in jobs.jobs_of(params, find(params, *place), "cpu")
        }


@lru_cache
def _all_params() -> Params:
    return load_params(ROOT / "params.yaml", training=True)


def starts_from_something(content: dict) -> bool:
    """Whether the model of a cell's file starts from word vectors or is a BERT, trained or frozen."""
    model = content["config"].get("model", {})
    return model.get("encoder") in ("bert", "frozen") or bool(model.get("vectors"))


def start_digests(corpus: str, model: str) -> dict[str, str]:
    """Digests of what a model of params.yaml starts from; {} where it starts from nothing or data/ lacks it."""
    if model == "linear":
        return {}
    try:
        return inputs.find_source(
            _all_params(), Cell("any", corpus, 0, model, "ce", 1), load_corpus(Path("data/corpus") / corpus)
        ).digests
    except UserError:
        return {}


def keys_in(content: dict) -> dict[tuple[int, int], str]:
    """(split, seed) -> key of every run that a cell's file holds."""
    return {(run["split"], run["seed"]): run["key"] for run in content["runs"]}


def fit_linear(data, assignment: np.ndarray, given: np.ndarray, settings: dict, method: str) -> dict:
    """The record of a linear model. given: (n,) labels to learn from. method: linear, linear_window, svc, nb, ..."""
    return without_time(linear.fit_run(data, assignment, given, Linear.model_validate(settings), method))


# ------------------------------------------------------------------------------------------------------------- commands


def command(script: str, *arguments: str, **environment: str) -> tuple[list[str], dict]:
    """A stage's command line, and the environment that it runs in."""
    line = [sys.executable, str(ROOT / "pipeline" / script), *arguments]
    return line, os.environ | {"PYTHONPATH": str(ROOT / "src"), **environment}


def stage(monkeypatch, capsys, script: str, *arguments: str) -> tuple[int, str, str]:
    """Run a stage in this process and the current folder. Returns its exit status and what it said."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    try:
        runpy.run_path(str(ROOT / "pipeline" / script), run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code or 0
    return status, *capsys.readouterr()


def start_stage(script: str, *arguments: str, **environment: str) -> subprocess.Popen:
    """Start a stage in a process group of its own, as a terminal does."""
    line, environment = command(script, *arguments, **environment)
    # A shell starts `pytest &` with SIGINT ignored, which programs inherit and which Python leaves so, as it should.
    plain = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(line, env=environment, start_new_session=True, preexec_fn=plain, **output)


def wait_for(condition: Callable[[], object], seconds: float = 300, every: float = 0.01) -> None:
    """Wait until condition() is true; fail after so many seconds (on a busy machine a stage starts in a minute)."""
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, f"waited {seconds} seconds in vain"
        time.sleep(every)
