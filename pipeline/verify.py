"""Train a recorded cell again and print each run beside its recorded number. Changes no result.

On the same type of CPU the numbers are bit-identical. Another CPU, or a GPU, rounds differently. A run of an LSTM then
ends a point or two elsewhere, as from another seed; compare means over splits there. The outcome goes into
metrics/verified.json. docs/experiments.md says how to find the names of a cell.

Examples:
    dvc repro data/dvc.yaml:split@4ng-h
    python pipeline/verify.py targets 4ng-h 0 bag_small lcm --splits 2
    python pipeline/verify.py benchmark 20ng 0 lstm_rand lcm --splits 1
"""

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lcm.errors import UserError, arguments, run_main
from lcm.files import read_json, write_json
from lcm.params import load_params
from lcm.study import Cell, find
from lcm.training import code, results, store
from lcm.training.jobs import gather, jobs_of
from lcm.training.pool import choose_device
from lcm.training.train import run_jobs

VERIFIED = Path("metrics/verified.json")


def main() -> None:
    parser = arguments(__doc__, study="a file of studies/, without .yaml", corpus="a corpus of the study")
    parser.add_argument("noise", type=int, help="percent of wrong training labels")
    parser.add_argument("model", help="a name below `models` in params.yaml, or linear")
    parser.add_argument("method", help="a target (ce, ls, ls_matched, lcm, ...), or one with settings: lcm.alpha=2")
    parser.add_argument("--splits", type=int, help="train only the first SPLITS splits")
    given = parser.parse_args()
    if given.splits is not None and given.splits < 1:
        parser.error("--splits: expected 1 or more")
    params = load_params(training=True)
    cell = find(params, given.study, given.corpus, given.noise, given.model, given.method)
    cell = replace(cell, splits=min(cell.splits, given.splits or cell.splits), seeds=1)
    recorded = results.recorded_runs(results.read_cell(cell))
    with TemporaryDirectory() as folder:  # an empty run store: nothing trained before counts
        os.environ["LCM_RUN_STORE"] = folder
        jobs = jobs_of(params, cell, choose_device(params.execution))
        for job in jobs:
            (run,), (key,) = job.runs, job.keys
            if recorded.get((run.split, run.seed), {}).get("key") != key:
                raise UserError(
                    f"{cell.path()}: split {run.split} is not there, or is of other data or parameters; "
                    f"make the cell with `python pipeline/train.py {cell}`"
                )
        fleets, device = gather(jobs, params.execution.fleet, jobs[0].device), jobs[0].device
        run_jobs(params, fleets, device, str(cell), lambda result: store.save_run(*result))
        pairs = [(recorded[job.runs[0].split, 0], store.load_run(job.keys[0])) for job in jobs]
    if differences := _table(pairs):
        _record(cell, differences, pairs[-1][1]["device"])
    print("On the same type of CPU the numbers are identical. On another type a run differs as with another seed.")


def _record(cell: Cell, differences: list[float], device: str) -> None:
    known = read_json(VERIFIED, f"python pipeline/verify.py {cell}") if VERIFIED.exists() else {}
    known[str(cell)] = {
        "splits": len(differences),
        "mean_difference": round(sum(differences) / len(differences), 3),
        "largest_difference": round(max(map(abs, differences)), 3),
        "device": device,
        "commit": code.commit(),
    }
    write_json(VERIFIED, known)


def _table(pairs: list[tuple[dict, dict]]) -> list[float]:
    """Print a line for each split, (recorded, again). Return the differences in points where both have a number."""
    print(f"{'split':>6}{'recorded':>10}{'again':>8}{'difference':>12}   test accuracy in %; recorded on, again on")
    differences = []
    for old, new in pairs:
        split = f"{old['split']:>6}"
        if "failed" in old or "failed" in new:
            says = [record.get("failed", "a number") for record in (old, new)]
            print(f"{split}   recorded: {says[0]}; again: {says[1]}")
            continue
        before, after = (100 * record["test"]["accuracy"] for record in (old, new))
        differences.append(after - before)
        devices = old["device"] if old["device"] == new["device"] else f"{old['device']}, {new['device']}"
        print(f"{split}{before:>10.2f}{after:>8.2f}{after - before:>+12.2f}   {devices}")
    return differences


if __name__ == "__main__":
    run_main(main)
