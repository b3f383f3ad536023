"""Stages `vectors_<set>`: vectors for the words of one corpus -> data/vectors/<set>/<corpus>.npy and data/cards/vectors-<set>-<corpus>.json"""

import argparse
from pathlib import Path

from lcm.errors import UserError, run_main
from lcm.files import write_array, write_json
from lcm.params import load_params
from lcm.text.vectors import fit_vectors, read_vocabulary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", help="a name below `vectors.sets` in params.yaml")
    parser.add_argument("corpus")
    arguments = parser.parse_args()
    name, corpus = arguments.set, arguments.corpus
    settings = load_params().vectors
    source = settings.sets.get(name, {}).get(corpus)
    if source is None:
        known = [f"{name} {corpus}" for name, corpora in settings.sets.items() for corpus in corpora]
        raise UserError(f"params.yaml: no vectors.sets.{name}.{corpus}; known are {', '.join(known)}")
    vectors, facts = fit_vectors(*read_vocabulary(Path("data/corpus") / corpus), source, settings)
    write_array(Path("data/vectors") / name / f"{corpus}.npy", vectors)
    card = {"set": name, "corpus": corpus, "source": source.source, "unknown": settings.unknown, **facts}
    write_json(Path("data/cards") / f"vectors-{name}-{corpus}.json", card)
    print(f"{name}, {corpus}: {facts['words_with_vector']} of {facts['words']} words, {facts['tokens_with_vector']:.1%} of all tokens have a vector")


if __name__ == "__main__":
    run_main(main)
