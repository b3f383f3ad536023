"""Stages `fetch` and `fetch_text`: the verified originals of a corpus, or of word vectors -> data/raw/<name>/"""

import argparse
from pathlib import Path

from lcm.corpora.catalogue import fetch, fetch_text
from lcm.errors import UserError, run_main
from lcm.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a name below `corpora` or `texts` in params.yaml")
    name = parser.parse_args().name
    params = load_params()
    folder = Path("data/raw") / name
    if name in params.corpora:
        lines = fetch(name, params.corpora[name], folder)
    elif name in params.texts:
        lines = fetch_text(name, folder)
    else:
        raise UserError(f"params.yaml: no corpora.{name}; known are {', '.join([*params.corpora, *params.texts])}")
    for line in lines:
        print(line)


if __name__ == "__main__":
    run_main(main)
