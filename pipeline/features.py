"""Stage `features`: sentence vectors by a pre-trained encoder -> data/features/<corpus>/features.npy, (n, h) float32

and data/cards/features-<corpus>.json (to read, in git)

Example: python pipeline/features.py 20ng
"""

import argparse
from pathlib import Path

from lcm.corpora.catalogue import raw_path
from lcm.corpora.prepare import kept_texts
from lcm.errors import Unavailable, lookup, run_main
from lcm.files import make_gap, new_folder, pass_gap, write_array, write_json
from lcm.params import load_params
from lcm.text.wordpieces import encoder_folder, wordpieces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="a name below `features.corpora` in params.yaml, such as 20ng")
    corpus = parser.parse_args().corpus
    params = load_params()
    encoder = lookup(params.features.corpora, corpus, "features.corpora")
    knobs, data = params.corpora[corpus], Path("data")
    raw, prepared, out = raw_path(corpus, knobs), data / "corpus" / corpus, data / "features" / corpus
    if pass_gap(raw, out) or pass_gap(prepared, out):
        return
    from lcm.text import features  # PyTorch takes seconds to import

    try:
        folder = encoder_folder(encoder, params.encoders[encoder])
        features.check_weights(encoder, folder)
    except Unavailable as error:
        if params.execution.missing == "error":
            raise
        make_gap(out, str(error))
        print(f"{out}: not made, {error}")
        return
    ids, _ = wordpieces(kept_texts(corpus, knobs, raw, prepared), folder, params.wordpieces.maxlen)
    vectors = features.features(ids, folder)
    facts = {"corpus": corpus, "encoder": encoder, "samples": len(vectors), "size": vectors.shape[1]}
    facts["digest"] = features.digest(ids, folder)
    with new_folder(out) as part:
        write_array(part / "features.npy", vectors)
        write_json(part / "features.json", facts)
    write_json(data / "cards" / f"features-{corpus}.json", facts)
    print(f"{corpus}: {vectors.shape} features of {encoder}")


if __name__ == "__main__":
    run_main(main)
