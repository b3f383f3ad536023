"""Train what the run store lacks: first a few runs that tell length and time, then as many splits as fit.

The plan is made anew from the time that each part took, so that `--minutes` holds on a busy machine too.
"""

import math
import sys
import time
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from lcm.compare import table
from lcm.compare.plan import LONGER, MODEL_NAMES, STEPS, YARDSTICKS, Comparison, training
from lcm.files import read_json, write_json
from lcm.study import LINEAR
from lcm.training import jobs, pool, store
from lcm.training.jobs import Job

SAFETY = 1.3  # a few epochs say too little: later ones share the machine with other runs
FEWEST_SPLITS = 3  # below it a second network is left out, so that the first one gets more
PILOTS = ("ce", "lcm")  # the sharpest and a soft target: how long to train is looked up with these


def do(folder: Path, job: Job) -> list[tuple[dict, dict | None]]:
    """In a worker: the records and predictions of the job's runs. folder: in which the data lie."""
    return jobs.do(job, jobs.job_data(job, _data(folder)))


@lru_cache(maxsize=1)
def _data(folder: Path):
    return table.load(folder)


def train(comparison: Comparison, todo: list[Job], title: str) -> None:
    """Train those of the jobs whose runs the store lacks, and put them there."""
    missing = {job.keys: job for job in todo if store.load_run(job.keys[0]) is None}
    work, device = partial(do, comparison.documents.folder), comparison.device
    fleets = jobs.gather(list(missing.values()), 0, device)
    save = lambda result: store.save_run(*result)  # noqa: E731
    pool.run_jobs(work, fleets, comparison.processes, device, title, save, ["lcm.training.preload"])


@dataclass
class Schedule:
    """What was decided. models: those that are trained. steps: by model. lines: the decision in words."""

    models: list[str]
    steps: dict[str, int]
    splits: int
    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)
        print(line, file=sys.stderr, flush=True)


def run(comparison: Comparison, minutes: float) -> Schedule:
    """Train the comparison within about so many minutes from now. Every method of a network gets the same splits."""
    end = time.monotonic() + 60 * minutes
    schedule = Schedule(list(comparison.models), {}, 0)
    _yardsticks(comparison)
    _leave_out(comparison, schedule, 60 * minutes)
    _lengths(comparison, schedule, 60 * minutes)
    _train(comparison, schedule, minutes, end)
    return schedule


def _yardsticks(comparison: Comparison) -> None:
    request = comparison.documents.request
    splits = 1 if request.fixed else request.splits  # there is no random seed in them
    found = [job for name in YARDSTICKS for job in comparison.jobs(LINEAR, name, 0, splits)]
    train(comparison, found, "linear models")


def _leave_out(comparison: Comparison, schedule: Schedule, seconds: float) -> None:
    """Leave out the slowest networks, one always stays, while a few splits of all do not fit into the time.

    A few epochs of each network say how long its runs take. A network that an earlier call trained stays.
    """
    new = [model for model in schedule.models if model not in _known_steps(comparison)]
    if not new or len(schedule.models) < 2:
        return
    probes = {model: comparison.jobs(model, "ce", 1, 1)[0] for model in new}
    train(comparison, list(probes.values()), "how long a run takes")
    runs = min(FEWEST_SPLITS, comparison.documents.request.splits) * sum(
        len(method.candidates) for method in comparison.methods
    )
    needs = {}
    for model, probe in probes.items():
        epochs = training(model, comparison.documents, STEPS[model]).epochs
        run = store.load_run(probe.keys[0])["seconds"] * epochs / probe.train.epochs
        needs[model] = SAFETY * runs * run / comparison.cores
    while len(schedule.models) > 1 and needs and sum(needs.values()) > seconds:
        slowest, enough = max(needs, key=needs.get), _minutes(sum(needs.values()))
        schedule.models.remove(slowest)
        del needs[slowest]
        schedule.say(f"{MODEL_NAMES[slowest]}: left out, for lack of time; --minutes {enough} has room for it")


def _known_steps(comparison: Comparison) -> dict[str, int]:
    """How many steps earlier calls trained each network."""
    path = comparison.documents.folder / "steps.json"
    return read_json(path, "lcm compare") if path.exists() else {}


def _pilots(comparison: Comparison, model: str, steps: int) -> list[Job]:
    return [job for method in PILOTS for job in comparison.jobs(model, method, steps, 1)]


def _lengths(comparison: Comparison, schedule: Schedule, seconds: float) -> None:
    """How many steps each network trains, decided once for a table: longer while validation still rises at the end.

    The pilots of all networks run at the same time; they are the first split's runs of their methods.
    """
    known = _known_steps(comparison)
    schedule.steps = {model: known.get(model, STEPS[model]) for model in schedule.models}
    growing = list(schedule.models)
    while growing:
        pilots = {model: _pilots(comparison, model, schedule.steps[model]) for model in growing}
        train(comparison, [job for found in pilots.values() for job in found], "how long to train")
        growing = []
        for model, found in pilots.items():
            steps, records = schedule.steps[model], [store.load_run(job.keys[0]) for job in found]
            rising = [r for r in records if "failed" not in r and still_rising(r, comparison.documents.sizes["val"])]
            if model in known or not rising:
                continue
            if 2 * steps <= LONGER * STEPS[model] and 2 * max(r["seconds"] for r in records) < seconds / 10:
                schedule.steps[model] = 2 * steps
                growing.append(model)
            else:
                schedule.say(f"{MODEL_NAMES[model]}: validation accuracy still rises at the end; more steps do not fit")
    write_json(comparison.documents.folder / "steps.json", known | schedule.steps)


def still_rising(record: dict, val_rows: int) -> bool:
    """Whether the last third of training made validation better by more than a row and half a point."""
    scores = [row["val_accuracy"] for row in record["curve"]]
    before = scores[: math.ceil(2 * len(scores) / 3)]
    return max(scores) - max(before) > max(1.5 / val_rows, 0.005)


def _network_jobs(comparison: Comparison, schedule: Schedule, splits: int) -> list[Job]:
    """The jobs of networks, split by split: what an interrupted run leaves are whole splits, or nearly."""
    found = []
    for model in schedule.models:
        for method in comparison.methods:
            for candidate in method.candidates:
                found += comparison.jobs(model, candidate, schedule.steps[model], splits)
    return sorted(found, key=lambda job: (job.runs[0].split, job.runs[0].seed))


class _Plan:
    """What the networks of a schedule still need. seconds: of a run of each. pace: measured time over planned time."""

    def __init__(self, comparison: Comparison, schedule: Schedule, seconds: dict[str, float]):
        self.comparison, self.schedule, self.seconds, self.pace = comparison, schedule, seconds, 1.0
        self.wanted = comparison.documents.request.splits
        self.possible = _network_jobs(comparison, schedule, self.wanted)  # once: to make and look up all takes seconds
        self.missing = {job.keys for job in self.possible if store.load_run(job.keys[0]) is None}

    def first(self, splits: int) -> list[Job]:
        """The jobs of the first splits, without those of networks that were left out."""
        of_models = [job for job in self.possible if job.cell.model in self.schedule.models]
        return [job for job in of_models if self.comparison.place(job)[0] < splits]

    def needs(self, splits: int) -> float:
        """Seconds to train what the first splits lack."""
        lacking = [job for job in self.first(splits) if job.keys in self.missing]
        return self.pace * sum(self.seconds[job.cell.model] for job in lacking) / self.comparison.cores

    def fitting(self, seconds: float) -> int:
        """How many splits fit into so many seconds."""
        return max((splits for splits in range(1, self.wanted + 1) if self.needs(splits) <= seconds), default=0)

    def train(self, splits: int, title: str) -> bool:
        """Train the first splits, and correct the pace. Returns whether anything was left to train."""
        planned, start, todo = self.needs(splits) / self.pace, time.monotonic(), self.first(splits)
        train(self.comparison, todo, title)
        self.missing -= {job.keys for job in todo}
        self.pace = (time.monotonic() - start) / planned if planned else self.pace
        return planned > 0


def _run_seconds(comparison: Comparison, schedule: Schedule) -> dict[str, float]:
    """How long a run of each network takes: the longer of its pilots."""
    seconds = {}
    for model in schedule.models:
        pilots = _pilots(comparison, model, schedule.steps[model])
        seconds[model] = max(store.load_run(job.keys[0])["seconds"] for job in pilots)
        schedule.say(f"{MODEL_NAMES[model]}: a run takes {seconds[model]:.0f} s ({pilots[0].train.epochs} epochs)")
    return seconds


def _train(comparison: Comparison, schedule: Schedule, minutes: float, end: float) -> None:
    """Train as many splits as fit before `end`, and with them the networks that fit.

    At first one split is trained, then half of what seems to fit, and so on. Each time the measured time corrects the
    plan: the first runs may have had the machine to themselves, and some methods take longer. One split is the least.
    """
    cores, unit = comparison.cores, "seeds" if comparison.documents.request.fixed else "splits"
    plan = _Plan(comparison, schedule, _run_seconds(comparison, schedule))
    wanted, begin, done, trained = plan.wanted, end - 60 * minutes, 0, False
    while done < wanted:
        _leave_out_what_does_not_fit(plan, begin, end, done, unit)
        can = plan.fitting(end - time.monotonic())
        if done and can <= done:
            break
        if not done:
            splits = max(can, 1)
            needed = _minutes(plan.needs(splits))
            time_needed = f"about {needed} minute{'s' * (needed > 1)} on {cores} core{'s' * (cores > 1)}"
            time_needed = time_needed if plan.needs(splits) else "all of them known"
            schedule.say(f"{splits} of {wanted} {unit}, {len(plan.first(splits))} runs of networks, {time_needed}")
        known = plan.fitting(0)
        done = max(known, 1) if can <= known else known + (max(1, (can - known) // 2) if trained else 1)
        trained |= plan.train(done, f"training, {done} of {wanted} {unit}")
    schedule.splits = done
    took = time.monotonic() - begin
    if trained:
        enough = _minutes(plan.needs(wanted) + took)
        more = f"; --minutes {enough} has room for all {wanted}" if done < wanted else ""
        schedule.say(f"{done} of {wanted} {unit} trained, in {took / 60:.1f} of the {minutes:g} minutes given{more}")


def _leave_out_what_does_not_fit(plan: _Plan, begin: float, end: float, done: int, unit: str) -> None:
    """Leave out the slowest networks while a few splits do not fit, unless nothing would come of it."""
    schedule, fewest = plan.schedule, min(FEWEST_SPLITS, plan.wanted)
    while plan.fitting(end - time.monotonic()) < fewest and len(schedule.models) > 1:
        enough, everything = plan.needs(fewest) + time.monotonic() - begin, schedule.models
        slowest = max(schedule.models, key=plan.seconds.get)
        schedule.models = [model for model in everything if model != slowest]
        if done and plan.fitting(end - time.monotonic()) <= done:
            schedule.models = everything
            return
        hint = f"--minutes {_minutes(enough)} has room for {fewest} {unit} of it"
        schedule.say(f"{MODEL_NAMES[slowest]}: left out, for lack of time; {hint}")


def _minutes(seconds: float) -> int:
    return math.ceil(seconds / 60)
