"""Stage `fetch`: the verified originals of one corpus -> data/raw/<corpus>/"""

import argparse
from pathlib import Path

from lcm.corpora.catalogue import fetch
from lcm.errors import UserError, run_main
from lcm.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    corpus = parser.parse_args().corpus
    params = load_params()
    if corpus not in params.corpora:
        raise UserError(f"params.yaml: no corpora.{corpus}; known are {', '.join(params.corpora)}")
    for line in fetch(corpus, params.corpora[corpus], Path("data/raw") / corpus):
        print(line)


if __name__ == "__main__":
    run_main(main)
