"""Cells on disk: small JSON files in git. A clone with an empty run store fills it from them."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lcm.cell_files import check_cell, check_curves
from lcm.errors import UserError
from lcm.files import json_or_none, replacing, write_json
from lcm.params import Params
from lcm.protocol.splits import TEST, TRAIN, VAL
from lcm.study import Cell, Run, cell_config, read_seconds, seconds_path
from lcm.training import inputs, store
from lcm.training.jobs import Job

NOT_IN_CELLS = ("curve", "seconds")  # of a record; seconds differ each time, and a cell's bytes must not
PLACE = ("split", "seed")  # of a run in a cell's files; a record has none, for studies share runs


def read_cell(cell: Cell) -> dict | None:
    """Return the content of a cell's file, or None if it is missing or broken."""
    return _read(cell.path(), check_cell)


def _read(path: Path, check: Callable):
    """Return what one of a cell's files holds, or None if it is missing or no such file."""
    try:
        return check(json_or_none(path))
    except ValueError:
        return None


def recorded_runs(content: dict | None) -> dict[tuple[int, int], dict]:
    """Return the runs of a cell's content as (split, seed) -> run; {} for None."""
    return {(run["split"], run["seed"]): run for run in content["runs"]} if content else {}


def is_complete(params: Params, cell: Cell, jobs: list[Job], content: dict | None) -> bool:
    """Return whether the cell's files, of which one has this content, hold exactly these runs and settings.

    So results in git count in a clone whose run store is empty.
    """
    recorded = recorded_runs(content)
    keys = {(job.runs[0].split, job.runs[0].seed): job.keys[0] for job in jobs}
    if {place: run.get("key") for place, run in recorded.items()} != keys:
        return False
    if not all(store.is_record(run, run["key"]) for run in recorded.values()):
        return False
    if not same_config(params, cell, content):
        return False
    finished = {place for place, run in recorded.items() if "failed" not in run}
    return jobs[0].model is None or finished <= {(row["split"], row["seed"]) for row in _read_curves(cell)}


def same_config(params: Params, cell: Cell, content: dict | None) -> bool:
    """Return whether a cell's content was made with today's parameters, and with as many splits and seeds."""
    if content is None or content["config"] != cell_config(params, cell):
        return False
    return set(recorded_runs(content)) == {(run.split, run.seed) for run in cell.runs()}


def _read_curves(cell: Cell) -> list[dict]:
    """Return the rows of the cell's curves, [] if the file is missing or broken."""
    return _read(cell.path("curves"), check_curves) or []


def seed_store(cell: Cell) -> None:
    """Copy what the cell's files hold into the run store, run by run and as a whole, before they are replaced."""
    recorded = recorded_runs(read_cell(cell))
    if not recorded:
        return
    folder = _archive(cell, [str(run.get("key")) for run in recorded.values()])
    if not (folder / "cells").exists():
        _copy(cell.path("curves"), folder / "curves")
        _copy(cell.path(), folder / "cells")
    curves = _read_curves(cell)
    for place, run in recorded.items():
        key = run.get("key")
        if key and store.is_record(run, key) and store.load_run(key) is None:
            curve = [_without(PLACE, row) for row in curves if (row["split"], row["seed"]) == place]
            store.save_run(_without(PLACE, run) | ({"curve": curve} if curve else {}))


def _without(names: tuple[str, ...], content: dict) -> dict:
    return {name: value for name, value in content.items() if name not in names}


def _copy(file: Path, to: Path) -> None:
    if file.exists():
        with replacing(to) as part:
            shutil.copy2(file, part)


def _archive(cell: Cell, keys: list[str]) -> Path:
    """Return where the run store keeps the files of a cell with these runs. Studies may share runs, and not files."""
    name = " ".join([cell.path().as_posix(), *sorted(keys)])
    return store.store_folder() / "cells" / hashlib.sha256(name.encode()).hexdigest()[:32]


def _kept(params: Params, cell: Cell, keys: list[str]) -> Path | None:
    """Return the folder of the cell's files as they were when it had these runs and today's parameters, or None."""
    folder = _archive(cell, keys)
    content = _read(folder / "cells", check_cell)
    return folder if content and content["config"] == cell_config(params, cell) else None


def write_cell(params: Params, cell: Cell, jobs: list[Job], retrained: bool = False) -> None:
    """Write the cell's files from the run store, which holds every run. What they held before is kept in the store.

    If the cell once had these very runs, its files become those of that time, byte for byte; retrained: not so, the
    runs were trained anew. Raises UserError if every run of the cell failed, and leaves the files as they are.
    """
    keys = [job.keys[0] for job in jobs]
    records = _records(cell, keys)
    seed_store(cell)
    if retrained:
        shutil.rmtree(_archive(cell, keys), ignore_errors=True)
    write_seconds(cell, records)
    kept = _kept(params, cell, keys)
    if kept:
        for kind in ("curves", "cells"):
            _copy(kept / kind, cell.path(kind))
        return
    runs = [(job.runs[0], record) for job, record in zip(jobs, records, strict=True)]
    curves = [{"split": run.split, "seed": run.seed, **row} for run, record in runs for row in record.get("curve", [])]
    if curves:
        write_json(cell.path("curves"), curves)
    write_json(cell.path(), _content(params, cell, jobs[0].settings, [_entry(run, record) for run, record in runs]))


def _records(cell: Cell, keys: list[str]) -> list[dict]:
    """Return the records of a cell's runs. Raises UserError if the store lacks one, or if every run failed."""
    records = [store.load_run(key) for key in keys]
    if None in records:
        raise UserError(
            f"{store.store_folder()}: has no record of run {keys[records.index(None)]} any more; "
            "run the same command again"
        )
    if all("failed" in record for record in records):
        raise UserError(
            f"every run failed, the first with: {records[0]['failed']}; try a smaller train.lr in params.yaml"
        )
    return records


def _entry(run: Run, record: dict) -> dict:
    """What a cell's file says of a run. Label embeddings are large, and those of one seed a split are enough."""
    left_out = (*NOT_IN_CELLS, "label_embedding") if run.seed else NOT_IN_CELLS
    return {"split": run.split, "seed": run.seed, **_without(left_out, record)}


def _content(params: Params, cell: Cell, settings: dict, entries: list[dict]) -> dict:
    data = inputs.load(cell.corpus, inputs.labels_of(params, cell))
    meta, splits = data.corpus.meta, data.splits[0]
    return {
        **{name: getattr(cell, name) for name in ("study", "corpus", "noise", "model", "method")},
        "edition": meta["edition"],
        "corpus_digest": meta["digest"],
        "n_labels": len(data.corpus.names),
        "labels": data.corpus.names,
        "sizes": {name: int((splits == part).sum()) for name, part in (("train", TRAIN), ("val", VAL), ("test", TEST))},
        "realised_noise": [round(float(rate), 6) for rate in realised_noise(data, cell.splits)],
        "config": cell_config(params, cell),
        "settings": settings,
        "runs": entries,
    }


def realised_noise(data: inputs.Data, n_splits: int) -> np.ndarray:
    """Return the share of wrong labels among the training samples of each split, (n_splits,)."""
    training = data.splits[:n_splits] == TRAIN
    return ((data.fit_labels[:n_splits] != data.corpus.labels) & training).sum(1) / training.sum(1)


def write_seconds(cell: Cell, records: list[dict]) -> None:
    """Record how long the cell's runs took, for those whose time is known.

    A time within a factor of two, or a second, of the recorded one of as many runs is no news and leaves git clean.
    """
    timed = [record for record in records if "seconds" in record and "failed" not in record]  # a failed run is a part
    recorded = read_seconds(cell.study, cell.corpus)
    old = recorded.get(cell.name, {})
    entry = dict(old)
    for prefix, on_cpu, digits in (("", True, 1), ("gpu_", False, 2)):
        seconds = [record["seconds"] for record in timed if record.get("device", "cpu").startswith("cpu") == on_cpu]
        if seconds:
            entry |= {f"{prefix}runs": len(seconds), f"{prefix}seconds": round(min(seconds), digits)}
    if _is_news(entry, old):
        write_json(seconds_path(cell.study, cell.corpus), recorded | {cell.name: entry})


def _is_news(entry: dict, old: dict) -> bool:
    def same(name: str) -> bool:
        new, known = entry[name], old.get(name)
        if name.endswith("runs") or not isinstance(known, int | float):
            return new == known
        return abs(new - known) <= max(1, min(new, known))

    return not all(map(same, entry))
