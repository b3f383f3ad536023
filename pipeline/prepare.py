"""Stage `prepare`: read and tokenise a corpus -> data/corpus/<corpus>/ (arrays), data/cards/<corpus>.json (a summary)

The summary is in git, so that a change of the data shows in a diff.

Example: python pipeline/prepare.py 20ng
"""

from pathlib import Path

from lcm.corpora.catalogue import raw_path
from lcm.corpora.prepare import prepare
from lcm.errors import arguments, lookup, run_main
from lcm.files import make_gap, pass_gap
from lcm.params import NO_TABLE, OWN, load_params


def main() -> None:
    corpus = arguments(__doc__, corpus="a name below `corpora` in params.yaml, such as 20ng").parse_args().corpus
    knobs = lookup(load_params().corpora, corpus, "corpora")
    raw, folder = raw_path(corpus, knobs), Path("data/corpus") / corpus
    if corpus == OWN and knobs.path is None:
        make_gap(folder, NO_TABLE)
        return
    if pass_gap(raw, folder):
        return
    meta = prepare(corpus, knobs, raw, folder, Path("data/cards") / f"{corpus}.json")
    print(f"{corpus}: {meta['edition']}, {len(meta['labels'])} labels, {meta['digest'][:19]}…")


if __name__ == "__main__":
    run_main(main)
