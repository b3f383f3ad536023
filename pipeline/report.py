"""Stage `report`: cells of one study -> reports/<study>/ (page, tables, figures), metrics/<study>/ and metrics/<study>.json"""

import argparse
import platform
from functools import partial
from pathlib import Path

from lcm.errors import UserError, run_main
from lcm.evidence.plots import write_plots
from lcm.evidence.provenance import commit
from lcm.evidence.report import write_report
from lcm.evidence.results import read_grid
from lcm.files import write_text
from lcm.params import load_params
from lcm.training.cell import cell_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    study = parser.parse_args().study
    params = load_params()
    if study not in params.studies:
        raise UserError(f"params.yaml: no studies.{study}; known are {', '.join(params.studies)}")
    content, expected, root = params.model_dump(), partial(cell_config, params), Path()
    table = write_report(study, content, expected, root, {"commit": commit(), "Python": platform.python_version()})
    write_plots(read_grid(study, content, expected, root), root)
    write_text(Path("reports") / study / "table.txt", table + "\n")
    print(table)


if __name__ == "__main__":
    run_main(main)
