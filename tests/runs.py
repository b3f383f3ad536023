"""Everything that the tests know of how runs are built and trained.

When the code's shape changes, this file changes and no test does.

A method is `ce`, `ls`, `ls_matched` or `lcm`, with settings after a point: `lcm.alpha=2,stop_epoch=1`.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import TypeAdapter

from lcm.corpora.prepare import load as load_corpus
from lcm.errors import UserError
from lcm.models import Predictor, build
from lcm.params import Lcm, Linear, Model, Params, Train, load_params
from lcm.protocol.matched import matched_epsilon
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.training import cell, fleet, linear, store
from lcm.training.methods import Method
from lcm.training.run import RunData, train_runs

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
    own = 1 + labels[:, None] * 3 + rng.randint(3, size=(n, 12))
    ids = np.where(rng.rand(n, 12) < 0.4, own, rng.randint(13, 40, size=(n, 12)))
    places, pads = np.arange(12), rng.randint(6, size=(n, 1))
    ids = np.where(places >= 12 - pads, 0, ids) if model == "bert" else np.where(places < pads, 0, ids)
    return ids.astype(np.int32), labels


def noisy_runs(model: str, n_runs: int, n: int = 60, folder: Path | None = None) -> list[RunData]:
    """Runs with a split of their own (60 / 15 / 25 %) and wrong labels of their own: 30 % of every part, test too."""
    inputs, labels = documents(model, n)
    runs = []
    for r in range(n_runs):
        rng = np.random.RandomState(100 + r)
        assignment = rng.permutation(np.repeat([TRAIN, VAL, TEST], [6 * n // 10, 15 * n // 100, n // 4])).astype(
            np.uint8
        )
        wrong = rng.rand(n) < 0.3
        given = np.where(wrong, (labels + rng.randint(1, N_LABELS, size=n)) % N_LABELS, labels).astype(np.int16)
        runs.append(
            RunData(inputs, assignment, given, labels, N_LABELS, GROUPS, folder=folder if model == "bert" else None)
        )
    return runs


def bert_folder(folder: Path, kind: str = "bert", dropout: float = 0.1) -> Path:
    """The configuration of an encoder that fits `documents`."""
    shares = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    sizes = {"vocab_size": 40, "embedding_size": 16, "max_position_embeddings": 16}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind, **sizes, **shares}))
    return folder


def changed(data: RunData, **arrays) -> RunData:
    return replace(data, **arrays)


# ------------------------------------------------------------------------------------------------------------- training


def model_settings(model: str, **changes):
    """The checked settings of one of MODELS."""
    reads = {} if model in ("image_cnn", "bert") else READS
    content = {**MODELS[model], **reads, "init": "keras", "train": {}} | changes
    return TypeAdapter(Model).validate_python(content)


def training(**changes) -> Train:
    return Train.model_validate(TRAINING | changes)


def method_of(name: str) -> Method:
    """ce, ls (epsilon 0.1), ls_matched (of alpha 4), lcm (alpha 4, label_dim 5), with settings after a point."""
    group, _, text = name.partition(".")
    settings = {key: yaml.safe_load(value) for key, value in (part.split("=") for part in text.split(",") if part)}
    if group == "lcm":
        plain = {"alpha": 4.0, "label_dim": 5, "stop_epoch": None, "stop_resets_optimizer": False, "detach": False}
        return Method("lcm", lcm=Lcm.model_validate(plain | settings))
    epsilon = {"ce": 0.0, "ls": 0.1, "ls_matched": matched_epsilon(4.0, N_LABELS)}[group]
    return Method(
        "base" if group == "ce" else group, settings.get("epsilon", epsilon), smooth_until=settings.get("stop_epoch")
    )


def train(
    model: str, data: list[RunData], methods: str | list[str], seeds: list[int] | None = None, **changes
) -> list[dict]:
    """The records of runs trained together, without their seconds.

    methods: one for all runs, or one each. seeds: 0, 1, ... unless given. changes: of TRAINING, or of the model.
    """
    names = [methods] * len(data) if isinstance(methods, str) else methods
    ours = {name: value for name, value in changes.items() if name in Train.model_fields}
    theirs = {name: value for name, value in changes.items() if name not in ours}
    settings = model_settings(model, **theirs)
    seeds = list(range(len(data))) if seeds is None else seeds
    return [
        without_time(record)
        for record in train_runs(data, settings, training(**ours), [method_of(name) for name in names], seeds, "cpu")
    ]


def orders_of(action: Callable[[], object]) -> list[np.ndarray]:
    """The order of samples, (R, n_train), of every epoch that is trained while action() runs."""
    seen, train_epoch = [], fleet.Fleet.train_epoch

    def watched(self, order):
        seen.append(np.array(order))
        return train_epoch(self, order)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet.Fleet, "train_epoch", watched)
        action()
    return seen


def fresh_predictor(model: str, data: RunData, seed: int, **changes) -> Predictor:
    """The predictor that a run with this seed starts from."""
    torch.manual_seed(seed)
    return build(model_settings(model, **changes), data.n_labels, data.inputs.shape[-1], data.vectors, data.folder)


def without_time(record: dict) -> dict:
    return {key: value for key, value in record.items() if key != "seconds"}


# ------------------------------------------------------------------------------------------------------ cells and keys


def load(content: dict, folder: Path) -> Params:
    """Checked parameters from the content of a params.yaml."""
    (folder / "p.yaml").write_text(yaml.safe_dump(content))
    return load_params(folder / "p.yaml")


def forget_data() -> None:
    """Whatever was loaded from data/ is read again: a test has changed it."""
    cell.load_data.cache_clear()


def cell_path(model: str, arm: str) -> Path:
    """The file of a cell of the study `small`."""
    return Path("metrics/cells/small") / f"{cell.cell_name('toy', 0, model, arm)}.json"


def numbers(path: Path) -> dict[str, list[dict]]:
    """Method -> runs of a cell's file, without their seconds."""
    content = json.loads(path.read_text())
    return {name: [without_time(run) for run in method["runs"]] for name, method in content["methods"].items()}


def keys_of(params: Params, study: str, corpus: str, noise: int, model: str, method: str) -> list[str]:
    """The keys of a method's runs, in the order of splits."""
    arm, name = _place(method)
    jobs = cell.cell_jobs(params, study, corpus, noise, model, arm, "cpu")
    return [job["key"] for job in jobs if job["method"] == name]


def inputs_of(params: Params, study: str, corpus: str, noise: int, model: str, method: str) -> list[RunData]:
    """What the runs of a method read when they are trained as one fleet."""
    arm, name = _place(method)
    jobs = [job for job in cell.cell_jobs(params, study, corpus, noise, model, arm, "cpu") if job["method"] == name]
    return cell.job_data({**jobs[0], "members": jobs})


def written_cell(
    params: Params, study: str, corpus: str, noise: int, model: str, method: str, records: list[dict]
) -> dict:
    """Write a cell from made-up records, one a split, and read what its file says of a method.

    Returns settings, runs (in the order of splits), the confusion matrix over all runs, and the rows of curves.
    """
    arm, name = _place(method)
    for job in cell.cell_jobs(params, study, corpus, noise, model, arm, "cpu"):
        store.save_run(job["key"], {"key": job["key"], **records[job["split"]]})
    cell.train_cell(params, study, corpus, noise, model, arm, "cpu")
    content, curves = (
        json.loads(cell.cell_path(study, corpus, noise, model, arm, kind).read_text()) for kind in ("cells", "curves")
    )
    found = content["methods"][name]
    return {
        "settings": found["settings"],
        "runs": sorted(found["runs"], key=lambda each: each["split"]),
        "confusion_matrix": np.array(found["confusion_matrix"]),
        "curves": [row for row in curves if row["method"] == name],
    }


def _place(method: str) -> tuple[str, str]:
    """Arm, and the method's name in it."""
    group, point, _ = method.partition(".")
    name = {"ce": "base", "svc": "linear", "svc_window": "linear_window"}.get(group, group)
    if point:
        return method, name
    return {"base": "ls", "ls_matched": "lcm", "linear": "linear", "linear_window": "linear"}.get(name, name), name


def keys_from_digests(content: dict, digests: dict) -> dict[tuple[str, int], str]:
    """(method, split) -> the key that the committed params.yaml gives to every run of a cell.

    content: of the cell's file. digests: of its data, in place of these: `assignments` and `fit_labels`, one a split,
    and `start`, of what the model starts from.
    """

    class Data:
        meta, names = {"digest": content["corpus_digest"], "kind": "any"}, content["labels"]
        pixels = True if content["model"] == "image_cnn" else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell, "load_data", lambda corpus, noise: (Data, digests["assignments"], digests["fit_labels"]))
        patch.setattr(cell, "_sha", lambda digest: digest)
        patch.setattr(cell.pretrained, "digests", lambda *_: digests.get("start", {}))
        place = [content[name] for name in ("study", "corpus", "noise", "model", "arm")]
        return {(job["method"], job["split"]): job["key"] for job in cell.cell_jobs(load_params(), *place, "cpu")}


def starts_from_something(content: dict) -> bool:
    """Whether the model of a cell's file starts from word vectors or is a BERT."""
    model = content["config"].get("model", {})
    return model.get("encoder") == "bert" or bool(model.get("vectors"))


def start_digests(corpus: str, model: str) -> dict[str, str]:
    """Digests of what a model of params.yaml starts from; {} where it starts from nothing or data/ lacks it."""
    try:
        return (
            cell.pretrained.digests(load_params(), corpus, model, load_corpus(Path("data/corpus") / corpus))
            if model != "linear"
            else {}
        )
    except UserError:
        return {}


def keys_in(content: dict) -> dict[tuple[str, int], str]:
    """(method, split) -> key of every run that a cell's file holds."""
    return {
        (name, each["split"]): each["key"] for name, method in content["methods"].items() for each in method["runs"]
    }


def fit_linear(data, assignment: np.ndarray, given: np.ndarray, settings: dict, method: str) -> dict:
    """The record of a linear model. given: (n,) labels to learn from. method: linear, linear_window, svc, nb, ..."""
    return without_time(linear.fit_run(data, assignment, given, Linear.model_validate(settings), method))
