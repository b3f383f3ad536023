"""Stage `plan`: write what each study trains on each corpus, with digests -> plans/<study>/<corpus>.json

DVC compares these files. A training stage runs again if the parameters of its own cells, or the numeric code, have
changed; a comment or another method's setting changes nothing.

Example: python pipeline/plan.py
"""

import argparse
import hashlib
import json
from pathlib import Path

from lcm.errors import run_main
from lcm.files import new_folder, write_json
from lcm.params import load_params
from lcm.study import LINEAR, cell_config, cells
from lcm.training import code


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    params = load_params(training=True)
    with new_folder(Path("plans")) as folder:
        for study, spec in params.studies.items():
            for corpus in spec.corpora:
                plan = {}
                for cell in cells(params, study, corpus):
                    encoder = None if cell.model == LINEAR else params.model(cell.model).encoder
                    settings = hashlib.sha256(
                        json.dumps(cell_config(params, cell), sort_keys=True).encode()
                    ).hexdigest()[:12]
                    runs = f"{cell.splits} splits x {cell.seeds} seeds"
                    plan[cell.name] = f"{runs}, settings {settings}, code {code.digest(encoder, cell.target)}"
                write_json(folder / study / f"{corpus}.json", plan)
    print(
        f"plans/: {sum(len(spec.corpora) for spec in params.studies.values())} files of {len(params.studies)} studies"
    )


if __name__ == "__main__":
    run_main(main)
