"""Stage <study>: print the results of a study and write them -> metrics/<study>/ (for `dvc metrics`), reports/<study>/

Trains nothing: cells without results are listed as not run.

Example: python pipeline/report.py noise
"""

import argparse

from lcm.errors import run_main
from lcm.evidence.report import write_report
from lcm.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", help="a file of studies/, without .yaml, such as noise")
    print(write_report(load_params(training=True), parser.parse_args().study))


if __name__ == "__main__":
    run_main(main)
