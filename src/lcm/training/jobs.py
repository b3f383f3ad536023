"""Jobs: runs with all settings resolved, as a worker gets them, and how it does them.

Workers never read params.yaml.
"""

from __future__ import annotations  # so that a plan of gaps needs no PyTorch

import platform
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lcm.errors import UserError
from lcm.params import Linear, Params, Train
from lcm.protocol.noise import label_groups
from lcm.protocol.splits import TRAIN
from lcm.study import LINEAR, Cell, Run, method_settings
from lcm.training import code, inputs, pool, store

if TYPE_CHECKING:
    from lcm.models import ModelConfig
    from lcm.targets import Target


@dataclass(frozen=True)
class Job:
    """Runs of one cell that train together, most often one.

    settings: of the cell's target. model, train: None for a yardstick, which has `linear` instead. labels: which ones
    it learns from, as `inputs.labels_of` names them. store: where checkpoints go, or None. runs, keys, code: filled in
    by `with_keys`; keys are in the order of runs, and code (commit and digest) is found out there because a node of a
    cluster has no repository.
    """

    cell: Cell
    settings: dict
    model: ModelConfig | None = None
    train: Train | None = None
    linear: Linear | None = None
    labels: str = "labels-0"
    source: inputs.Source = inputs.Source()
    device: str = "cpu"
    precision: str = "float32"
    store: Path | None = None
    checkpoint_epochs: int = 2
    runs: tuple[Run, ...] = ()
    keys: tuple[str, ...] = ()
    code: dict = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of epochs of all its runs, the unit of progress."""
        if self.train is None:
            return len(self.runs)
        from lcm.targets import target_class

        return len(self.runs) * self.train.epochs * target_class(self.cell.target).rounds


def jobs_of(params: Params, cell: Cell, device: str) -> list[Job]:
    """Return a job for each run of a cell, with its key. Raises UserError if data are missing, Unavailable in a gap."""
    labels = inputs.labels_of(params, cell)
    _noise_is_made(params, cell, labels)
    data = inputs.load(cell.corpus, labels)
    if cell.model == LINEAR:
        from lcm.training.linear import method_settings as linear_settings

        if data.corpus.ids is None:
            raise UserError(f"{cell}: yardsticks read texts, and corpus {cell.corpus} holds images")
        return with_keys(
            Job(cell, linear_settings(cell.method, params.linear), linear=params.linear, labels=labels), data
        )
    execution = params.execution
    common = Job(
        cell,
        method_settings(params, cell.method, len(data.corpus.names)),
        params.model(cell.model),
        params.training(cell.model),
        labels=labels,
        source=inputs.find_source(params, cell, data.corpus),
        device=device,
        precision=execution.precision,
        store=store.store_folder() if execution.executor == "local" else None,
        checkpoint_epochs=execution.checkpoint_epochs,
    )
    return with_keys(common, data)


def _noise_is_made(params: Params, cell: Cell, labels: str) -> None:
    """Raises UserError if no stage makes a cell's wrong labels. A corpus that brings its own has no rate."""
    folder, rates = inputs.DATA / "splits" / cell.corpus, params.noise.rates.get(cell.corpus, [])
    if cell.noise in (0, *rates) or (folder / f"{labels}.npy").exists() or not (folder / "splits.npy").exists():
        return
    raise UserError(
        f"params.yaml: noise.rates.{cell.corpus} is {rates}, expected {cell.noise} among them; add it, then run "
        f"`dvc repro data/dvc.yaml:split@{cell.corpus}`"
    )


def with_keys(common: Job, data: inputs.Data) -> list[Job]:
    """A job for each run of the cell of `common`, which has no runs yet, with the run's key."""
    name, settings, model, train = common.cell.method, common.settings, None, None
    if common.model is not None:
        target = _target_that_suits(common.cell, data)
        name, settings = target.key_name or target.name, target.key_settings(target.Settings(**settings))
        model, train = common.model.model_dump(exclude_defaults=True), common.train.model_dump(exclude_defaults=True)
    encoder = common.model.encoder if common.model else None
    made_by = {"commit": code.commit(), "digest": code.digest(encoder, common.cell.target)}
    jobs = []
    for run in common.cell.runs():
        determinants = {
            "corpus": data.corpus.meta["digest"],
            "assignment": inputs.sha(data.splits[run.split]),
            "fit_labels": inputs.sha(data.fit_labels[run.split]),
            "model": model,
            "train": train,
            "method": {"name": name, **settings},
            "seed": run.random_seed,
            **common.source.digests,
        }
        jobs.append(replace(common, runs=(run,), keys=(store.run_key(determinants),), code=made_by))
    return jobs


def _target_that_suits(cell: Cell, data: inputs.Data) -> type[Target]:
    """Return the class of a cell's target. Raises UserError if the corpus lacks what the target needs."""
    from lcm.targets import target_class

    target = target_class(cell.target)
    needs = f"{cell}: target {target.name} needs"
    if "groups" in target.needs and not label_groups(data.corpus.names):
        raise UserError(f"{needs} labels with groups (group.label), and {cell.corpus} has none")
    if "held_out" in target.needs and data.corpus.ids is None:
        raise UserError(f"{needs} a model of texts beside it, and {cell.corpus} holds images")
    return target


def gather(jobs: list[Job], size: int, device: str) -> list[Job]:
    """Join jobs of a cell into fleets of at most `size` runs (0: all of them on a GPU, one on a CPU)."""
    size = size or (1 if device == "cpu" else len(jobs))
    if size == 1:
        return jobs
    by_cell: dict[Cell, list[Job]] = {}
    for job in jobs:
        by_cell.setdefault(job.cell, []).append(job)
    fleets = []
    for cell, alike in by_cell.items():
        step = 1 if cell.model == LINEAR else size
        for part in (alike[start : start + step] for start in range(0, len(alike), step)):
            runs, keys = (tuple(getattr(job, name)[0] for job in part) for name in ("runs", "keys"))
            fleets.append(replace(part[0], runs=runs, keys=keys))
    return fleets


def job_data(job: Job, data: inputs.Data | None = None) -> list:
    """Return what a job's runs read: RunData for each, or for a yardstick the corpus, its split and labels.

    data: of the job's corpus, if it does not lie in data/.
    """
    data = data or inputs.load(job.cell.corpus, job.labels)
    corpus = data.corpus
    if job.model is None:
        (run,) = job.runs
        whole = replace(corpus, **{name: np.asarray(getattr(corpus, name)) for name in ("labels", "ids", "offsets")})
        return [whole, data.splits[run.split], data.fit_labels[run.split]]
    from lcm.targets import target_class
    from lcm.training.evaluation import group_index  # scikit-learn takes a second to import; a plan needs none of it
    from lcm.training.held_out import held_out
    from lcm.training.run import RunData

    target = target_class(job.cell.target)
    windowed = getattr(target, "held_out_reads", "texts") == "window"
    fitted = getattr(job.model, "vocabulary_fit", "all") == "train"
    read, found = {}, []  # read: runs that read the same share one array
    for run in job.runs:
        which = run.split if fitted else None
        if which not in read:
            read[which] = inputs.model_inputs(job.model, job.source, corpus, data.splits[run.split] == TRAIN)
        tokens, start = read[which]
        seen = inputs.as_read(job.model, job.source, data, tokens) if windowed else data
        found.append(
            RunData(
                inputs=tokens,
                assignment=data.splits[run.split],
                fit_labels=data.fit_labels[run.split],
                labels=np.asarray(corpus.labels),
                n_labels=len(corpus.names),
                groups=group_index(corpus.names),
                start=start,
                transition=inputs.true_transition(data, run.split) if "transition" in target.needs else None,
                held_out=held_out(seen, run.split) if "held_out" in target.needs else None,
            )
        )
    return found


def do(job: Job, data: list | None = None) -> list[tuple[dict, dict | None]]:
    """Train a job's runs in this process. data: `job_data(job)`, if already loaded.

    Returns for each run its record, rounded and with its provenance, and its predictions.
    """
    data = data or job_data(job)
    results = []
    for key, record in zip(job.keys, (_fit_linear if job.model is None else _train_networks)(job, data), strict=True):
        predictions = record.pop("predictions", None)
        results.append((_rounded(record | {"key": key, **_made_with(job)}), predictions))
    return results


def _fit_linear(job: Job, data: list) -> list[dict]:
    from lcm.training import linear

    record = linear.fit_run(*data, job.linear, job.cell.method)
    pool.tick()
    return [record]


def _train_networks(job: Job, data: list) -> list[dict]:
    from lcm.training import checkpoint, run

    def train(members: list[tuple[int, run.RunData]]) -> list[dict]:
        which = [index for index, _ in members]
        keep = None
        if job.store:
            keys = [job.keys[index] for index in which]
            keep = checkpoint.Checkpoint(job.store, keys, job.checkpoint_epochs, job.code["digest"])
        seeds = [job.runs[index].random_seed for index in which]
        return run.train_runs(
            [each for _, each in members],
            job.model,
            job.train,
            job.cell.target,
            job.settings,
            seeds,
            job.device,
            job.precision,
            keep,
            on_epoch=lambda: pool.tick(len(which)),
        )

    return run.halving(train, list(enumerate(data)))


def _made_with(job: Job) -> dict:
    """Return the provenance of a run's numbers: versions, device and precision, code.

    For a CPU it names the vector instructions that PyTorch uses: AVX2 and AVX512 add in another order, and after
    thousands of steps an LSTM ends a point or two elsewhere, as from another seed.
    """
    if job.model is None:
        return {"scikit-learn": version("scikit-learn"), "device": "cpu", "code": job.code}
    import torch

    if job.device == "cuda":
        device = f"{torch.cuda.get_device_name()} ({job.precision})"
    else:
        precision = ", bf16" if job.precision == "bf16" else ""
        device = f"cpu ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()}{precision})"
    return {"torch": version("torch"), "device": device, "code": job.code}


def _rounded(value):
    """Round to six decimals: enough for every table, small in git, and the same text after a round trip."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
