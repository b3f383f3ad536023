"""Stages `quickstart`, `benchmark`, ...: one cell -> metrics/cells/<study>/ and metrics/curves/<study>/

Runs without DVC too (on a GPU machine, say): PYTHONPATH=src python pipeline/train.py benchmark 20ng 0 lstm_rand lcm
"""

import argparse

from lcm.errors import UserError, run_main
from lcm.params import load_params
from lcm.training.cell import train_cell
from lcm.training.pool import choose_device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    parser.add_argument("corpus")
    parser.add_argument("noise", type=int, help="percent of wrong training labels")
    parser.add_argument("model", help="a name below `models` in params.yaml, or `linear`")
    parser.add_argument("arm", help="ls, lcm or linear; or settings changed: lcm.alpha=0.5,stop_epoch=10")
    arguments = parser.parse_args()
    params = load_params()
    for name, known in ((arguments.study, params.studies), (arguments.corpus, params.corpora), (arguments.model, [*params.models, "linear"])):
        if name not in known:
            raise UserError(f"{name!r} is not in params.yaml; known are {', '.join(known)}")
    if arguments.arm != "linear":
        try:
            params.arm(arguments.arm)
        except ValueError as error:
            raise UserError(str(error)) from None
    device = "cpu" if arguments.arm == "linear" else choose_device(params.execution.device)
    train_cell(params, **vars(arguments), device=device)


if __name__ == "__main__":
    run_main(main)
