"""Stage `page`: all studies -> reports/ (index.html, tables.md, tables/, figures/, snippets.json)

Also writes the generated parts of README.md and docs/, between their markers; an experiment
(`dvc exp run`) leaves them as they are.

Example: python pipeline/page.py
"""

import os
from pathlib import Path

from lcm.errors import arguments, run_main
from lcm.evidence.page import write_page
from lcm.evidence.snippets import fill
from lcm.files import remedies
from lcm.params import load_params


def main() -> None:
    arguments(__doc__).parse_args()
    write_page(load_params(training=True))
    print("reports/index.html")
    if "DVC_EXP_NAME" in os.environ:
        print("README.md, docs/: left as they are by an experiment; `python pipeline/page.py` writes its numbers there")
    else:
        for path in fill():
            print(f"{path}: its generated parts are written anew")
    for line in remedies(Path("data/raw")):
        print(line)


if __name__ == "__main__":
    run_main(main)
