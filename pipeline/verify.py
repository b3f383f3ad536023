"""Train a cell again and print every run beside its recorded number. Changes no file; not a stage.

The same CPU type gives the same bits. Another one, or a GPU, rounds otherwise, and an LSTM's run then ends a point or two
elsewhere, as from another seed: there compare means over splits.

    python pipeline/verify.py benchmark 20ng 0 lstm_rand lcm --splits 1
"""

import argparse
import os
from tempfile import TemporaryDirectory

from lcm.errors import UserError, run_main
from lcm.params import load_params
from lcm.training import cell, store
from lcm.training.pool import choose_device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("corpus")
    parser.add_argument("noise", type=int, help="percent of wrong training labels")
    parser.add_argument("model", help="a name below `models` in params.yaml, or `linear`")
    parser.add_argument("arm", help="ls, lcm, linear, or lcm.alpha=2")
    parser.add_argument("--splits", type=int, help="only so many, from the first on")
    arguments = parser.parse_args()
    if arguments.splits is not None and arguments.splits < 1:
        parser.error("--splits: expected 1 or more")
    place = (arguments.study, arguments.corpus, arguments.noise, arguments.model, arguments.arm)
    params = load_params()
    if arguments.study not in params.studies or place[1:] not in cell.study_cells(params, arguments.study):
        raise UserError(f"{' '.join(map(str, place))}: is no cell of params.yaml; `dvc stage list --name-only` shows them")
    with TemporaryDirectory() as folder:  # an empty run store: nothing trained before counts
        os.environ["LCM_RUN_STORE"] = folder
        jobs = cell.cell_jobs(params, *place, choose_device(params.execution))
        recorded = cell.recorded_runs(*place)
        jobs = [job for job in jobs if arguments.splits is None or job["split"] < arguments.splits]
        for job in jobs:
            if recorded.get((job["method"], job["split"]), {}).get("key") != job["key"]:
                raise UserError(
                    f"{cell.cell_path(*place)}: {job['method']} of split {job['split']} is not there, or is of other data or parameters; "
                    "make the cell with pipeline/train.py"
                )
        cell.run_missing(params, jobs, jobs[0]["device"], cell.cell_name(*place[1:]))
        again = {job["key"]: store.load_run(job["key"]) for job in jobs}
    print(f"{'method':<14}{'split':>6}{'recorded':>10}{'again':>8}{'difference':>12}   test accuracy in %; recorded on, again on")
    for job in jobs:
        old, new = recorded[job["method"], job["split"]], again[job["key"]]
        if "failed" in old or "failed" in new:
            print(f"{job['method']:<14}{job['split']:>6}   recorded: {old.get('failed', 'a number')}; again: {new.get('failed', 'a number')}")
            continue
        before, after = (100 * record["test"]["accuracy"] for record in (old, new))
        devices = old["device"] if old["device"] == new["device"] else f"{old['device']}, {new['device']}"
        print(f"{job['method']:<14}{job['split']:>6}{before:>10.2f}{after:>8.2f}{after - before:>+12.2f}   {devices}")
    print("The same CPU type gives the same bits. Where another was used (other vector instructions), single runs differ as from another seed.")


if __name__ == "__main__":
    run_main(main)
