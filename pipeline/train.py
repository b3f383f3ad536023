"""Stages `quickstart`, `benchmark`, ...: one cell -> metrics/cells/<study>/ and metrics/curves/<study>/; without a cell, all of the study

Runs without DVC too (on a GPU machine, say): PYTHONPATH=src python pipeline/train.py benchmark 20ng 0 lstm_rand lcm
"""

import argparse

from lcm.errors import UserError, run_main
from lcm.params import load_params
from lcm.training.cell import train_cell, train_study
from lcm.training.pool import choose_device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    parser.add_argument("corpus", nargs="?")
    parser.add_argument("noise", nargs="?", type=int, help="percent of wrong training labels")
    parser.add_argument("model", nargs="?", help="a name below `models` in params.yaml, or `linear`")
    parser.add_argument("arm", nargs="?", help="ls, lcm or linear; or settings changed: lcm.alpha=0.5,stop_epoch=10")
    arguments = parser.parse_args()
    if arguments.corpus and not arguments.arm:
        parser.error("expected a study, or a study, corpus, noise, model and arm")
    params = load_params()
    for name, known in ((arguments.study, params.studies), (arguments.corpus, params.corpora), (arguments.model, [*params.models, "linear"])):
        if name is not None and name not in known:
            raise UserError(f"{name!r} is not in params.yaml; known are {', '.join(known)}")
    if arguments.arm not in (None, "linear"):
        try:
            params.arm(arguments.arm)
        except ValueError as error:
            raise UserError(str(error)) from None
    device = "cpu" if arguments.arm == "linear" else choose_device(params.execution)
    if arguments.corpus:
        train_cell(params, **vars(arguments), device=device)
    else:
        train_study(params, arguments.study, device)


if __name__ == "__main__":
    run_main(main)
