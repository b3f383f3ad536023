"""From cells to results: train the runs that are missing, and write each cell's files as soon as they are complete."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from tqdm import tqdm

from lcm.errors import Unavailable, UserError
from lcm.files import sweep
from lcm.params import Params
from lcm.study import METRICS, Cell, read_seconds
from lcm.training import inputs, pool, results, store
from lcm.training.jobs import Job, do, gather, job_data, jobs_of


@dataclass
class Plan:
    """What is known of some cells before anything is trained.

    complete: cells whose files hold all runs. waiting: the jobs of the others. gaps: cell -> why its data are missing;
    kept: the gaps whose files in git were made with today's parameters. broken: cell -> why it cannot be trained.
    other_code: number of recorded runs of complete cells that other code made. retrain: all runs are trained, known or
    not.
    """

    complete: dict[Cell, list[Job]] = field(default_factory=dict)
    waiting: dict[Cell, list[Job]] = field(default_factory=dict)
    gaps: dict[Cell, str] = field(default_factory=dict)
    kept: list[Cell] = field(default_factory=list)
    broken: dict[Cell, str] = field(default_factory=dict)
    other_code: int = 0
    retrain: bool = False

    def missing(self) -> list[Job]:
        """Return the jobs to train, each key once: those whose runs neither a file nor the store holds, or all."""
        unique = {job.keys: job for jobs in self.waiting.values() for job in jobs}
        return [job for job in unique.values() if self.retrain or store.load_run(job.keys[0]) is None]


def make_plan(params: Params, cells: list[Cell], device: str, retrain: bool = False) -> Plan:
    """Find out what there is to train. retrain: ignore all recorded results."""
    plan = Plan(retrain=retrain)
    for cell in cells:
        content = results.read_cell(cell)
        try:
            jobs = jobs_of(params, cell, device)
        except Unavailable as error:
            if params.execution.missing == "error":
                raise
            plan.gaps[cell] = str(error)
            if results.same_config(params, cell, content):
                plan.kept.append(cell)
        except UserError as error:
            plan.broken[cell] = str(error)
        else:
            done = not retrain and results.is_complete(params, cell, jobs, content)
            (plan.complete if done else plan.waiting)[cell] = jobs
            if done:
                made_by = [run.get("code", {}).get("digest") for run in content["runs"]]
                plan.other_code += sum(digest not in (None, jobs[0].code["digest"]) for digest in made_by)
    return plan


def describe(plan: Plan, missing: list[Job], title: str, workers: int) -> list[str]:
    """Describe the plan, of which these jobs are missing, in lines for people.

    They say how many runs are known and how many to train, the hours from recorded seconds, each gap once, and how many
    results other code made.
    """
    cells = [*plan.complete, *plan.waiting]
    runs = sum(cell.splits * cell.seeds for cell in cells)
    lines = []
    if cells:
        grid = f"{len(cells)} cell{'s' * (len(cells) > 1)}"
        known = f"{title}: {runs} runs in {grid}: {runs - len(missing)} known, {len(missing)} to train"
        lines.append(known + (f", {_hours(missing, workers)}" if missing else ""))
    if missing and len(cells) > 1:
        lines.append(f"  only one cell of it: python pipeline/train.py {missing[0].cell}")
    for reason in dict.fromkeys(plan.gaps.values()):
        here = [cell for cell, why in plan.gaps.items() if why == reason]
        kept = len([cell for cell in here if cell in plan.kept])
        what = [f"{kept} cells kept from git, not checked"] if kept else []
        what += [f"{len(here) - kept} cells not run"] if kept < len(here) else []
        lines.append(f"{title}: {', '.join(what)}: {reason}")
    if plan.other_code:
        lines.append(f"{title}: {plan.other_code} recorded runs were made by other code; --retrain trains them again")
    return lines


def _hours(missing: list[Job], workers: int) -> str:
    kinds = {(job.cell, "gpu_seconds" if job.device == "cuda" else "seconds") for job in missing}
    seconds = {cell: _seconds(cell, kind) for cell, kind in kinds}
    if None in seconds.values():
        return "how long is not known (no such run is recorded)"
    hours = sum(seconds[job.cell] for job in missing) / workers / 3600
    minutes = max(1, round(60 * hours))
    time = f"{hours:.1f} hours" if hours >= 0.1 else f"{minutes} minute{'s' * (minutes > 1)}"
    on_gpu = any(job.device == "cuda" for job in missing)
    return f"about {time} on {'a GPU' if on_gpu else f'{workers} core' + 's' * (workers > 1)}"


def _seconds(cell: Cell, kind: str) -> float | None:
    """Return the time of a run of this cell, else the mean of others with its model and corpus, else None.

    kind: `seconds` on a core, or `gpu_seconds`.
    """
    own = read_seconds(cell.study, cell.corpus).get(cell.name, {})
    if kind in own:
        return own[kind]
    for path in sorted((METRICS / "seconds").glob(f"*/{cell.corpus}.json")):
        known = read_seconds(path.parent.name, cell.corpus).items()
        like = [entry[kind] for name, entry in known if f"-{cell.model}-" in name and kind in entry]
        if like:
            return sum(like) / len(like)
    return None


def train_cells(params: Params, cells: list[Cell], device: str, title: str, retrain: bool = False) -> Plan:
    """Train the missing runs of the cells, in one pool, and write the cells' files. Complete cells stay as they are.

    Prints the plan. A gap (data that could not be fetched) changes no file. Raises UserError at the end if a cell could
    not be trained for another reason; by then the others are complete.
    """
    plan = make_plan(params, cells, device, retrain)
    for cell in cells:
        cell.path().parent.mkdir(parents=True, exist_ok=True)
    missing = plan.missing()
    for line in describe(plan, missing, title, pool.workers(params.execution.processes, device)):
        print(line, flush=True)
    waiting = _Waiting(params, plan, {key for job in missing for key in job.keys})
    waiting.write_complete()
    run_jobs(params, gather(missing, params.execution.fleet, device), device, title, waiting.save)
    for cell, reason in plan.broken.items():
        print(f"{cell}: cannot be trained: {reason}", file=sys.stderr)
    if plan.broken:
        rest = "; the others are complete" if len(plan.broken) < len(cells) else ""
        raise UserError(f"{title}: {len(plan.broken)} of {len(cells)} cells could not be trained, see above{rest}")
    return plan


class _Waiting:
    """The cells that wait for runs, each with the keys that it lacks. Its files are written when none is left."""

    def __init__(self, params: Params, plan: Plan, to_train: set[str]):
        self.params, self.plan = params, plan
        self.keys = {cell: {job.keys[0] for job in jobs} & to_train for cell, jobs in plan.waiting.items()}

    def save(self, result: tuple[dict, dict | None]) -> None:
        store.save_run(*result)
        for keys in self.keys.values():
            keys.discard(result[0]["key"])
        self.write_complete()

    def write_complete(self) -> None:
        for cell in [cell for cell, keys in self.keys.items() if not keys]:
            del self.keys[cell]
            try:
                results.write_cell(self.params, cell, self.plan.waiting[cell], self.plan.retrain)
            except UserError as error:
                self.plan.broken[cell] = str(error)
                continue
            if not sys.stderr.isatty():
                tqdm.write(f"{cell}: {_summary(cell)}")


def run_jobs(params: Params, jobs: list[Job], device: str, title: str, save: Callable[[tuple], None]) -> None:
    """Do the jobs on this machine or on a Ray cluster, as execution.executor says.

    save: is called with each run's (record, predictions).
    """
    if not jobs:
        return
    store.store_folder().mkdir(parents=True, exist_ok=True)  # what forbids it is known before hours of training
    for folder in (store.store_folder(), METRICS):
        sweep(folder)
    with_features = [job.source for job in jobs if "features" in job.source.digests]
    for source in {source.digests["features"]: source for source in with_features}.values():
        inputs.features_of(source)  # here, on all cores; the workers then read them
    if params.execution.executor == "ray":
        from lcm.training import cluster

        cluster.run_jobs(do, job_data, jobs, params.execution, device, title, save)
        return
    # PyTorch is imported once in the fork server, not once in each worker. Linear models need none.
    preload = ["lcm.training.preload"] if any(job.model is not None for job in jobs) else []
    pool.run_jobs(do, jobs, params.execution.processes, device, title, save, preload)


def _summary(cell: Cell) -> str:
    recorded = results.recorded_runs(results.read_cell(cell)).values()
    scores = [run["test"]["accuracy"] for run in recorded if "failed" not in run]
    if not scores:
        return "no run finished"
    return f"test accuracy {100 * sum(scores) / len(scores):.2f} %, mean of {len(scores)} runs"
