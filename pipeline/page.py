"""Stage `page`: cells of several studies -> reports/index.html, reports/tables.md and reports/figures/"""

import argparse
import platform
from pathlib import Path

from lcm.errors import UserError, run_main
from lcm.evidence.provenance import commit
from lcm.evidence.results import read_grid
from lcm.evidence.site import write_site
from lcm.params import load_params
from lcm.training.cell import cell_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+")
    params = load_params()
    grids = {}
    for study in parser.parse_args().studies:
        if study not in params.studies:
            raise UserError(f"params.yaml: no studies.{study}; known are {', '.join(params.studies)}")
        grids[study] = read_grid(study, params.model_dump(), lambda study, model, arm: cell_config(params, study, model, arm), Path())
    write_site(grids, Path(), {"commit": commit(), "Python": platform.python_version()})
    print("reports/index.html")


if __name__ == "__main__":
    run_main(main)
