"""Stage `vectors`: vectors for the words of one corpus -> data/vectors/<corpus>.npy and data/cards/vectors-<corpus>.json"""

import argparse
from pathlib import Path

from lcm.errors import UserError, run_main
from lcm.files import write_array, write_json
from lcm.params import load_params
from lcm.text.vectors import fit_vectors, read_vocabulary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    corpus = parser.parse_args().corpus
    settings = load_params().vectors
    if corpus not in settings.corpora:
        raise UserError(f"params.yaml: no vectors.corpora.{corpus}; known are {', '.join(settings.corpora)}")
    source = settings.corpora[corpus]
    vectors, facts = fit_vectors(*read_vocabulary(Path("data/corpus") / corpus), source, settings)
    write_array(Path("data/vectors") / f"{corpus}.npy", vectors)
    write_json(Path("data/cards") / f"vectors-{corpus}.json", {"corpus": corpus, "source": source.source, "unknown": settings.unknown, **facts})
    print(f"{corpus}: {facts['words_with_vector']} of {facts['words']} words, {facts['tokens_with_vector']:.1%} of all tokens have a vector")


if __name__ == "__main__":
    run_main(main)
