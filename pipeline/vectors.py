"""Stages `vectors_<set>`: take the vectors of a corpus' words -> data/vectors/<set>/<corpus>/vectors.npy

Also writes data/cards/vectors-<set>-<corpus>.json, a summary, in git.

Example: python pipeline/vectors.py pretrained 20ng
"""

from pathlib import Path

from lcm.errors import arguments, lookup, run_main
from lcm.files import new_folder, pass_gap, write_array, write_json
from lcm.params import load_params
from lcm.text.vectors import fit_vectors, read_vocabulary


def main() -> None:
    sets = "a name below `vectors.sets` in params.yaml, such as pretrained"
    given = arguments(__doc__, set=sets, corpus="a name below that set, such as 20ng").parse_args()
    name, corpus = given.set, given.corpus
    settings = load_params().vectors
    source = lookup(lookup(settings.sets, name, "vectors.sets"), corpus, f"vectors.sets.{name}")
    folder, prepared = Path("data/vectors") / name / corpus, Path("data/corpus") / corpus
    if pass_gap(prepared, folder) or pass_gap(Path(source.source), folder):
        return
    vectors, facts = fit_vectors(*read_vocabulary(prepared), source, settings)
    with new_folder(folder) as part:
        write_array(part / "vectors.npy", vectors)
    card = {"set": name, "corpus": corpus, "source": source.source, "unknown": settings.unknown, **facts}
    write_json(Path("data/cards") / f"vectors-{name}-{corpus}.json", card)
    print(
        f"{name}, {corpus}: {facts['words_with_vector']} of {facts['words']} words, {facts['tokens_with_vector']:.1%} "
        "of all tokens have a vector"
    )


if __name__ == "__main__":
    run_main(main)
