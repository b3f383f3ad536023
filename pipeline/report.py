"""Stage <study>: the results of one study -> metrics/<study>/ for `dvc metrics`, reports/<study>/ with its tables

python pipeline/report.py noise
"""

import argparse

from lcm.errors import run_main
from lcm.evidence.report import write_report
from lcm.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", help="a study of studies/, as in noise")
    print(write_report(load_params(), parser.parse_args().study))


if __name__ == "__main__":
    run_main(main)
