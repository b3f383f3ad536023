"""A cell: all splits of one (study, corpus, noise, model, arm), its runs divided over processes, its results as two small files."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from lcm.corpora import prepare
from lcm.errors import UserError
from lcm.files import write_json
from lcm.params import Params
from lcm.protocol.noise import label_groups
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.text import encode
from lcm.training import pool, pretrained, store
from lcm.training.methods import methods

DATA = Path("data")
METRICS = Path("metrics")


def cell_name(corpus: str, noise: int, model: str, arm: str) -> str:
    return f"{corpus}-noise{noise}-linear" if arm == "linear" else f"{corpus}-noise{noise}-{model}-{arm}"


def cell_config(params: Params, study: str, model: str, arm: str) -> dict:
    """The parameters that a cell's numbers depend on, as its file records them and as the report checks them.

    Knobs that have a default in params.py are left out while they are at it: a knob that is added later changes no older cell.
    """
    if arm == "linear":
        return {"linear": params.linear.model_dump()}
    return {
        "train": params.training(study, model).model_dump(exclude_defaults=True),
        "model": params.models[model].model_dump(exclude={"train"}, exclude_defaults=True),
        arm.partition(".")[0]: params.arm(arm).model_dump(),
    }


@lru_cache(maxsize=1)
def load_data(corpus: str, noise: int) -> tuple[prepare.Prepared, np.ndarray, np.ndarray]:
    """The prepared corpus, its splits (n_splits, n) and the labels to learn from (n_splits, n). Raises UserError if one is missing."""
    data = prepare.load(DATA / "corpus" / corpus)
    return (
        data,
        _load(DATA / "splits" / f"{corpus}.npy", f"dvc repro data/dvc.yaml:split@{corpus}", data),
        _load(DATA / "noise" / corpus / f"{noise}.npy", f"dvc repro data/dvc.yaml:corrupt@{corpus}", data),
    )


def _load(path: Path, made_by: str, data: prepare.Prepared) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; make it with `{made_by}`") from None
    if array.shape[1] != len(data.labels):
        raise UserError(f"{path}: is for {array.shape[1]} samples, the corpus has {len(data.labels)}; make it again with `{made_by}`")
    return array


def text_inputs(data: prepare.Prepared, train: np.ndarray, vocabulary_size: int, maxlen: int, truncation: str, padding: str, fit: str):
    """The (n, maxlen) ids that a model with these settings reads; `fit` = train: vocabulary of the training part (`train`, bool) only."""
    ids = encode.refit(data.ids, data.offsets, train) if fit == "train" else data.ids
    return encode.window(np.asarray(ids), data.offsets, vocabulary_size, maxlen, truncation, padding)


def _group_index(names: list[str]) -> np.ndarray | None:
    groups = label_groups(names)
    if not groups:
        return None
    index = -1 - np.arange(len(names))  # a label of no group is a group of its own
    for number, members in enumerate(groups):
        index[members] = number
    return index


def neural_job(job: dict) -> dict:
    """Train one run; `job` is plain data (it crosses a process boundary), the result is the run's record."""
    from lcm.params import Params
    from lcm.training import run

    params = Params.model_validate(job["params"])
    data, splits, fit_labels = load_data(job["corpus"], job["noise"])
    settings, split = params.models[job["model"]], job["split"]
    training = splits[split] == TRAIN
    inputs, vectors, folder = data.pixels, None, None
    if settings.encoder == "bert":
        inputs, folder = pretrained.wordpieces(params, job["corpus"], job["model"], data)
    elif inputs is None:
        inputs = text_inputs(
            data, training, settings.vocabulary_size, settings.maxlen, settings.truncation, settings.padding, settings.vocabulary_fit
        )
        vectors = pretrained.word_vectors(params, job["corpus"], job["model"], data, training)
    groups = _group_index(data.names)
    run_data = run.RunData(inputs, splits[split], fit_labels[split], np.asarray(data.labels), len(data.names), groups, vectors, folder)
    method = next(method for method in methods(params, job["arm"], len(data.names)) if method.name == job["method"])
    return run.train_run(
        run_data, settings, params.training(job["study"], job["model"]), method, seed=split, device=job["device"], on_epoch=pool.tick
    )


def linear_job(job: dict) -> dict:
    """Fit one linear model."""
    from lcm.params import Params
    from lcm.training import linear

    settings = Params.model_validate(job["params"]).linear
    data, splits, fit_labels = load_data(job["corpus"], job["noise"])
    return linear.fit_run(data, splits[job["split"]], fit_labels[job["split"]], settings, windowed=job["method"] == "linear_window")


def train_cell(params: Params, study: str, corpus: str, noise: int, model: str, arm: str, device: str) -> None:
    """Train what the run store does not hold yet, then write metrics/cells/<study>/<cell>.json and metrics/curves/<study>/<cell>.json.

    Raises UserError for missing data, and when every run of the cell failed.
    """
    data, splits, fit_labels = load_data(corpus, noise)
    n_splits = params.n_splits(study, model)
    config = cell_config(params, study, model, arm)
    if arm == "linear":
        content = {}
        settings = {"linear": params.linear.model_dump(exclude={"maxlen", "truncation", "vocabulary_size"}), "linear_window": params.linear.model_dump()}
        job_of = linear_job
    else:
        if (params.models[model].encoder == "image_cnn") != (data.pixels is not None):
            raise UserError(f"studies.{study}: model {model} cannot read corpus {corpus}, which holds {data.meta['kind']}")
        settings = {method.name: method.settings() for method in methods(params, arm, len(data.names))}
        content = pretrained.digests(params, corpus, model, data)
        job_of = neural_job

    jobs = []
    for split in range(n_splits):
        for name in settings:
            determinants = {
                "corpus": data.meta["digest"],
                "assignment": _sha(splits[split]),
                "fit_labels": _sha(fit_labels[split]),
                "model": config.get("model"),
                "train": config.get("train"),
                "method": {"name": name, **settings[name]},
                "seed": split,
                **content,
            }
            place = {"study": study, "corpus": corpus, "noise": noise, "model": model, "arm": arm, "method": name, "split": split}
            jobs.append({**place, "device": device, "params": params.model_dump(), "key": store.run_key(determinants)})
    epochs = config["train"]["epochs"] if arm != "linear" else 1
    title = cell_name(corpus, noise, model, arm)
    pool.run_jobs(job_of, [job for job in jobs if store.load_run(job["key"]) is None], epochs, params.execution.processes, device, title)

    records = {(job["method"], job["split"]): store.load_run(job["key"]) for job in jobs}
    if all("failed" in record for record in records.values()):
        raise UserError(f"{title}: every run failed, the first with: {next(iter(records.values()))['failed']}; see train.lr in params.yaml")
    curves = []
    results = {}
    for name in settings:
        runs, total = [], np.zeros((len(data.names),) * 2, int)
        for split in range(n_splits):
            record = dict(records[name, split])
            for row in record.pop("curve", []):
                curves.append({"corpus": corpus, "noise": noise, "model": model, "method": name, "split": split, **row})
            total += np.array(record.pop("confusion_matrix", 0))
            runs.append({"split": split, "seed": split, **record})
        results[name] = {"settings": settings[name], "runs": runs, "confusion_matrix": total.tolist()}
    write_json(
        METRICS / "cells" / study / f"{title}.json",
        {
            "study": study,
            "corpus": corpus,
            "noise": noise,
            "model": model,
            "arm": arm,
            "edition": data.meta["edition"],
            "corpus_digest": data.meta["digest"],
            "n_labels": len(data.names),
            "labels": data.names,
            "sizes": {name: int((splits[0] == part).sum()) for name, part in (("train", TRAIN), ("val", VAL), ("test", TEST))},
            "realised_noise": [round(float(rate), 6) for rate in realised_noise(data.labels, splits[:n_splits], fit_labels[:n_splits])],
            "config": config,
            "methods": results,
        },
    )
    if curves:
        write_json(METRICS / "curves" / study / f"{title}.json", curves)


def realised_noise(labels: np.ndarray, splits: np.ndarray, fit_labels: np.ndarray) -> np.ndarray:
    """Share of wrong labels among the training samples of each split: (n_splits,)."""
    training = splits == TRAIN
    return ((fit_labels != labels) & training).sum(1) / training.sum(1)


def _sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
