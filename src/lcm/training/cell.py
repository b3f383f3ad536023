"""A cell: all splits of one (study, corpus, noise, model, arm), its runs as plain data, its results as two small files; and all cells of a study."""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

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


def cell_path(study: str, corpus: str, noise: int, model: str, arm: str, kind: str = "cells") -> Path:
    """The cell's file of results, or of `curves`."""
    return METRICS / kind / study / f"{cell_name(corpus, noise, model, arm)}.json"


def cell_config(params: Params, study: str, model: str, arm: str) -> dict:
    """The parameters that a cell's numbers depend on, as its file records them and as the report checks them.

    Knobs that have a default in params.py are left out while they are at it: a knob that is added later changes no older cell.
    """
    if arm == "linear":
        return {"linear": params.linear.model_dump()}
    return {
        "train": params.training(study, model).model_dump(exclude_defaults=True),
        "model": params.models[model].model_dump(exclude={"train"}, exclude_defaults=True),
        arm.partition(".")[0]: params.arm(arm).model_dump(exclude_defaults=True),
    }


@lru_cache(maxsize=1)
def load_data(corpus: str, noise: int) -> tuple[prepare.Prepared, np.ndarray, np.ndarray]:
    """The prepared corpus, its splits (n_splits, n) and the labels to learn from (n_splits, n). Raises UserError if one is missing."""
    splits, fit_labels = DATA / "splits" / corpus / "splits.npy", DATA / "noise" / corpus / f"{noise}.npy"
    made_by = f"dvc repro data/dvc.yaml:split@{corpus}"  # the last stage of the data: makes all three
    for path in (fit_labels, splits):
        if not path.exists():
            raise UserError(f"{path}: not found; make it with `{made_by}`")
    data = prepare.load(DATA / "corpus" / corpus)
    return data, _load(splits, made_by, data), _load(fit_labels, made_by, data)


def _load(path: Path, made_by: str, data: prepare.Prepared) -> np.ndarray:
    array = np.load(path, allow_pickle=False)
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


def job_data(job: dict) -> list:
    """What a job's runs read from data/: RunData for each, or for a linear model the corpus, its split and the labels to learn from."""
    data, splits, fit_labels = load_data(job["corpus"], job["noise"])
    if job["arm"] == "linear":
        whole = replace(data, labels=np.asarray(data.labels), ids=np.asarray(data.ids), offsets=np.asarray(data.offsets))
        return [whole, splits[job["split"]], fit_labels[job["split"]]]
    from lcm.training.run import RunData

    params = Params.model_validate(job["params"])
    refitted = getattr(params.models[job["model"]], "vocabulary_fit", "all") == "train"
    read = {}  # runs that read the same share one array

    def start(split: int) -> tuple:
        which = split if refitted else None
        if which not in read:
            read[which] = model_start(params, job["corpus"], job["model"], data, splits[split] == TRAIN)
        return read[which]

    def run_data(split: int) -> RunData:
        inputs, vectors, folder = start(split)
        groups = _group_index(data.names)
        return RunData(inputs, splits[split], fit_labels[split], np.asarray(data.labels), len(data.names), groups, vectors, folder)

    return [run_data(run["split"]) for run in pool.runs_of(job)]


def model_start(
    params: Params, corpus: str, model: str, data: prepare.Prepared, train: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, Path | None]:
    """What a model reads, (n, T) ids or (n, side, side) uint8; its word vectors; the folder of a BERT. train: (n,) bool, the training part."""
    if data.pixels is not None:
        return np.asarray(data.pixels), None, None
    settings = params.models[model]
    if settings.encoder == "bert":
        inputs, folder = pretrained.wordpieces(params, corpus, model, data)
        return inputs, None, folder
    inputs = text_inputs(
        data, train, settings.vocabulary_size, settings.maxlen, settings.truncation, settings.padding, settings.vocabulary_fit
    )
    return inputs, pretrained.word_vectors(params, corpus, model, data, train), None


def run_job(job: dict, data: list | None = None) -> list[dict]:
    """Train a job's runs and return their records. job: plain data (it crosses a process boundary). data: `job_data(job)`, where already loaded."""
    data = data or job_data(job)
    return (linear_job if job["arm"] == "linear" else neural_job)(job, data)


def neural_job(job: dict, data: list) -> list[dict]:
    """Train the predictors of a job, together."""
    from lcm.training import checkpoint, run

    params = Params.model_validate(job["params"])
    of_name = {method.name: method for method in methods(params, job["arm"], data[0].n_labels)}

    def train(members: list[tuple[dict, run.RunData]]) -> list[dict]:
        runs = [each for each, _ in members]
        keep = None
        if job["store"]:
            keep = checkpoint.Checkpoint(Path(job["store"]), [each["key"] for each in runs], params.execution.checkpoint_epochs)
        return run.train_runs(
            [of_run for _, of_run in members], params.models[job["model"]], params.training(job["study"], job["model"]),
            [of_name[each["method"]] for each in runs], [each["split"] for each in runs], job["device"], params.execution.precision, keep,
            on_epoch=lambda: pool.tick(len(runs)),
        )  # fmt: skip

    return run.halving(train, list(zip(pool.runs_of(job), data, strict=True)))


def linear_job(job: dict, data: list) -> list[dict]:
    """Fit one linear model; a list of one record."""
    from lcm.training import linear

    return [linear.fit_run(*data, Params.model_validate(job["params"]).linear, job["method"])]


def cell_methods(params: Params, arm: str, n_labels: int) -> dict[str, dict]:
    """The settings of each method of an arm, by its name."""
    if arm == "linear":
        whole = params.linear.model_dump(exclude={"maxlen", "truncation", "vocabulary_size"})
        return {"linear": whole, "linear_window": params.linear.model_dump()}
    return {method.name: method.settings() for method in methods(params, arm, n_labels)}


def cell_jobs(params: Params, study: str, corpus: str, noise: int, model: str, arm: str, device: str) -> list[dict]:
    """The runs of a cell as plain data, each with its `key` in the run store. Raises UserError for missing data."""
    data, splits, fit_labels = load_data(corpus, noise)
    config = cell_config(params, study, model, arm)
    if arm != "linear" and (params.models[model].encoder == "image_cnn") != (data.pixels is not None):
        raise UserError(f"studies.{study}: model {model} cannot read corpus {corpus}, which holds {data.meta['kind']}")
    content = {} if arm == "linear" else pretrained.digests(params, corpus, model, data)
    shared = {
        **{"study": study, "corpus": corpus, "noise": noise, "model": model, "arm": arm, "params": params.model_dump()},
        "device": "cpu" if arm == "linear" else device,
        "epochs": 1 if arm == "linear" else config["train"]["epochs"],
        "store": str(store.store_folder().absolute()),
    }
    jobs = []
    for split in range(params.n_splits(study, model)):
        for name, settings in cell_methods(params, arm, len(data.names)).items():
            determinants = {
                "corpus": data.meta["digest"],
                "assignment": _sha(splits[split]),
                "fit_labels": _sha(fit_labels[split]),
                "model": config.get("model"),
                "train": config.get("train"),
                "method": {"name": name, **settings},
                "seed": split,
                **content,
            }
            jobs.append({**shared, "method": name, "settings": settings, "split": split, "key": store.run_key(determinants)})
    return jobs


def run_missing(params: Params, jobs: list[dict], device: str, title: str, on_saved: Callable[[str], None] = lambda key: None) -> None:
    """Train what the run store does not hold yet, each key once; `on_saved` is called with the key of every run that was put there."""

    def save(record: dict) -> None:
        store.save_run(record["key"], record)
        on_saved(record["key"])

    missing = [job for job in {job["key"]: job for job in jobs}.values() if store.load_run(job["key"]) is None]
    missing = pool.fleets(missing, params.execution.fleet, device)
    if params.execution.executor == "ray":
        from lcm.training import cluster

        # A checkpoint on a lost node helps nobody: there a run is trained again from its beginning.
        cluster.run_jobs(run_job, job_data, [{**job, "store": None} for job in missing], params.execution, device, title, save)
    else:
        pool.run_jobs(run_job, missing, params.execution.processes, device, title, save)


def write_cell(params: Params, study: str, corpus: str, noise: int, model: str, arm: str, jobs: list[dict]) -> None:
    """Write metrics/cells/<study>/<cell>.json and metrics/curves/<study>/<cell>.json from the run store, which holds every job.

    Raises UserError when every run of the cell failed.
    """
    data, splits, fit_labels = load_data(corpus, noise)
    n_splits = params.n_splits(study, model)
    title = cell_name(corpus, noise, model, arm)
    records = {(job["method"], job["split"]): store.load_run(job["key"]) for job in jobs}
    if all("failed" in record for record in records.values()):
        raise UserError(f"{title}: every run failed, the first with: {next(iter(records.values()))['failed']}; see train.lr in params.yaml")
    curves = []
    results = {}
    for name, settings in cell_methods(params, arm, len(data.names)).items():
        runs, total = [], np.zeros((len(data.names),) * 2, int)
        for split in range(n_splits):
            record = dict(records[name, split])
            for row in record.pop("curve", []):
                curves.append({"corpus": corpus, "noise": noise, "model": model, "method": name, "split": split, **row})
            total += np.array(record.pop("confusion_matrix", 0))
            runs.append({"split": split, "seed": split, **record})
        results[name] = {"settings": settings, "runs": runs, "confusion_matrix": total.tolist()}
    write_json(
        cell_path(study, corpus, noise, model, arm),
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
            "config": cell_config(params, study, model, arm),
            "methods": results,
        },
    )
    if curves:
        write_json(cell_path(study, corpus, noise, model, arm, "curves"), curves)


def recorded_runs(*cell) -> dict[tuple[str, int], dict]:
    """(method, split) -> run, as the cell's file has it; {} if there is none or it cannot be read."""
    try:
        content = json.loads(cell_path(*cell).read_text(encoding="utf-8"))
        return {(name, run["split"]): run for name, method in content["methods"].items() for run in method["runs"]}
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def is_complete(study: str, corpus: str, noise: int, model: str, arm: str, jobs: list[dict]) -> bool:
    """Whether the cell's files are there and hold these very runs: the results in git, in a clone whose run store is empty."""
    cell = study, corpus, noise, model, arm
    keys = {place: run.get("key") for place, run in recorded_runs(*cell).items()}
    return keys == {(job["method"], job["split"]): job["key"] for job in jobs} and (arm == "linear" or cell_path(*cell, "curves").exists())


def remove_cell(study: str, corpus: str, noise: int, model: str, arm: str) -> None:
    """Remove the files of a cell that hold other runs: if training fails, older results must not stand in for it."""
    for kind in ("cells", "curves"):
        cell_path(study, corpus, noise, model, arm, kind).unlink(missing_ok=True)


def train_cell(params: Params, study: str, corpus: str, noise: int, model: str, arm: str, device: str) -> None:
    """Train what the run store does not hold yet of one cell, then write its files, unless they hold it all.

    Raises UserError for missing data, and when every run of the cell failed.
    """
    jobs = cell_jobs(params, study, corpus, noise, model, arm, device)
    if is_complete(study, corpus, noise, model, arm, jobs):
        print(f"{cell_name(corpus, noise, model, arm)}: all {len(jobs)} runs are in {METRICS}/cells/{study}; nothing to train")
        return
    remove_cell(study, corpus, noise, model, arm)
    run_missing(params, jobs, device, cell_name(corpus, noise, model, arm))
    write_cell(params, study, corpus, noise, model, arm, jobs)


def study_cells(params: Params, study: str) -> list[tuple[str, int, str, str]]:
    """The (corpus, noise, model, arm) of a study; every text corpus has the linear yardstick."""
    cells = []
    for kind, grid in params.studies[study].grids().items():
        for corpus, noise in product(grid.corpora, grid.noise):
            cells += [(corpus, noise, model, arm) for model, arm in product(grid.models, grid.arms)]
            if kind not in ("images", "variations"):
                cells.append((corpus, noise, "linear", "linear"))
    return list(dict.fromkeys(cells))


def train_study(params: Params, study: str, device: str) -> None:
    """Train what the run store does not hold yet of all cells of a study, in one pool; a cell's files are written as soon as it is complete.

    A cell whose files hold all of it is left alone. A cell that cannot be trained is one line on stderr, the others go on; raises
    UserError at the end if there were any.
    """
    cells, jobs, untrained = study_cells(params, study), {}, []

    def attempt(step: Callable, cell: tuple, *rest):
        try:
            return step(params, study, *cell, *rest)
        except UserError as error:
            untrained.append(cell)
            tqdm.write(f"{cell_name(*cell)} cannot be trained: {error}", file=sys.stderr)

    def write_complete() -> None:
        for cell in [cell for cell in jobs if not waiting[cell]]:
            attempt(write_cell, cell, jobs.pop(cell))

    def on_saved(key: str) -> None:
        for keys in waiting.values():
            keys.discard(key)
        write_complete()

    for cell in cells:
        found = attempt(cell_jobs, cell, device)
        if found is not None and not is_complete(study, *cell, found):
            remove_cell(study, *cell)
            jobs[cell] = found
    waiting = {cell: {job["key"] for job in found if store.load_run(job["key"]) is None} for cell, found in jobs.items()}
    every = [job for found in jobs.values() for job in found]
    write_complete()
    run_missing(params, every, device, study, on_saved)
    if untrained:
        raise UserError(f"{study}: {len(untrained)} of {len(cells)} cells could not be trained, see above; the others are complete")


def realised_noise(labels: np.ndarray, splits: np.ndarray, fit_labels: np.ndarray) -> np.ndarray:
    """Share of wrong labels among the training samples of each split: (n_splits,)."""
    training = splits == TRAIN
    return ((fit_labels != labels) & training).sum(1) / training.sum(1)


def _sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
