"""Stage `wordpieces`: make BERT's inputs of a corpus -> data/wordpieces/<corpus>/wordpieces.npy, (n, maxlen) int32

Also writes data/cards/wordpieces-<corpus>.json, a summary, in git.

Example: python pipeline/wordpieces.py 20ng
"""

from pathlib import Path

from lcm.corpora.catalogue import raw_path
from lcm.corpora.prepare import kept_texts
from lcm.errors import Unavailable, arguments, lookup, run_main
from lcm.files import make_gap, new_folder, pass_gap, write_array, write_json
from lcm.params import load_params
from lcm.text.wordpieces import encoder_folder, wordpieces


def main() -> None:
    what = "a name below `wordpieces.corpora` in params.yaml, such as 20ng"
    corpus = arguments(__doc__, corpus=what).parse_args().corpus
    params = load_params()
    encoder = lookup(params.wordpieces.corpora, corpus, "wordpieces.corpora")
    knobs, data = params.corpora[corpus], Path("data")
    raw, prepared, out = raw_path(corpus, knobs), data / "corpus" / corpus, data / "wordpieces" / corpus
    if pass_gap(raw, out) or pass_gap(prepared, out):
        return
    try:
        folder = encoder_folder(encoder, params.encoders[encoder])
    except Unavailable as error:
        if params.execution.missing == "error":
            raise
        make_gap(out, str(error))
        print(f"{out}: not made, {error}")
        return
    ids, facts = wordpieces(kept_texts(corpus, knobs, raw, prepared), folder, params.wordpieces.maxlen)
    facts = {"corpus": corpus, "encoder": encoder, "samples": len(ids), **facts}
    with new_folder(out) as part:
        write_array(part / "wordpieces.npy", ids)
        write_json(part / "wordpieces.json", facts)
    write_json(data / "cards" / f"wordpieces-{corpus}.json", facts)
    print(f"{corpus}: {ids.shape} wordpieces of {encoder}, {facts['full_share']:.1%} of the texts fill the window")


if __name__ == "__main__":
    run_main(main)
