"""Stage <study>: print the results of a study and write them -> metrics/<study>/ (for `dvc metrics`), reports/<study>/

Trains nothing: cells without results are listed as not run.

Example: python pipeline/report.py noise
"""

from lcm.errors import arguments, run_main
from lcm.evidence.report import write_report
from lcm.params import load_params


def main() -> None:
    study = arguments(__doc__, study="a file of studies/, without .yaml, such as noise").parse_args().study
    print(write_report(load_params(training=True), study))


if __name__ == "__main__":
    run_main(main)
