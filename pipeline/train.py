"""Stages `train-<study>`: train the missing runs of a study -> metrics/cells/<study>/<corpus>/

Trains the whole study, one corpus of it, or one cell. Prints first what it will train and for how long. Ctrl-C loses
nothing: the same command continues. It needs neither git nor DVC, for example on a GPU machine.

Examples:
    python pipeline/train.py noise
    python pipeline/train.py noise 20ng
    python pipeline/train.py noise 20ng 30 lstm_rand lcm
"""

from lcm.errors import arguments, run_main
from lcm.params import load_params
from lcm.study import METRICS, cells, find
from lcm.training.pool import choose_device
from lcm.training.train import train_cells


def main() -> None:
    parser = arguments(__doc__, study="a file of studies/, without .yaml")
    parser.add_argument("corpus", nargs="?", help="a corpus of the study")
    parser.add_argument("noise", nargs="?", type=int, help="percent of wrong training labels")
    parser.add_argument("model", nargs="?", help="a name below `models` in params.yaml, or linear")
    targets = "a target (ce, ls, ls_matched, lcm, ...), or one with settings: lcm.alpha=0.5,stop_epoch=10"
    parser.add_argument("method", nargs="?", help=targets)
    parser.add_argument("--retrain", action="store_true", help="train all of it again, even runs that are recorded")
    given = parser.parse_args()
    if given.noise is not None and given.method is None:
        parser.error("expected a study, a study and a corpus, or study, corpus, noise, model and method")
    params = load_params(training=True)
    if given.method is None:
        found = cells(params, given.study, given.corpus)
    else:
        found = [find(params, given.study, given.corpus, given.noise, given.model, given.method)]
    if given.corpus:  # DVC expects the folder, also without cells: of the study `own` before a table is named
        (METRICS / "cells" / given.study / given.corpus).mkdir(parents=True, exist_ok=True)
    title = " ".join(filter(None, (given.study, given.corpus)))
    train_cells(params, found, choose_device(params.execution), title, given.retrain)


if __name__ == "__main__":
    run_main(main)
