"""Stage `wordpieces`: BERT's inputs for one corpus -> data/wordpieces/<corpus>.npy, (n, maxlen) int32, and data/cards/wordpieces-<corpus>.json"""

import argparse
from pathlib import Path

from lcm.corpora.prepare import kept_texts
from lcm.errors import UserError, run_main
from lcm.files import write_array, write_json
from lcm.params import load_params
from lcm.text.wordpieces import encoder_folder, wordpieces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    corpus = parser.parse_args().corpus
    params = load_params()
    if corpus not in params.wordpieces.corpora:
        raise UserError(f"params.yaml: no wordpieces.corpora.{corpus}; known are {', '.join(params.wordpieces.corpora)}")
    encoder = params.wordpieces.corpora[corpus]
    folder = encoder_folder(encoder, params.encoders[encoder])
    data = Path("data")
    texts = kept_texts(corpus, params.corpora[corpus], data / "raw" / corpus, data / "corpus" / corpus)
    ids, facts = wordpieces(texts, folder, params.wordpieces.maxlen)
    write_array(data / "wordpieces" / f"{corpus}.npy", ids)
    write_json(data / "cards" / f"wordpieces-{corpus}.json", {"corpus": corpus, "encoder": encoder, "samples": len(ids), **facts})
    print(f"{corpus}: {ids.shape} wordpieces of {encoder}, {facts['full_share']:.1%} of the texts fill the window")


if __name__ == "__main__":
    run_main(main)
