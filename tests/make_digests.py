"""Write tests/digests.json: `python tests/make_digests.py`, in a tree with data/. test_cells.py makes keys of it.

It holds for each corpus (named by its content's digest) the digests of its splits, of the labels to learn from at every
rate of noise, and of what models start from (wordpieces and weights, or vectors). Corpora that data/ lacks stay.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import runs

FILE = Path(__file__).parent / "digests.json"


def short(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def main() -> None:
    digests = json.loads(FILE.read_text()) if FILE.exists() else {}
    cells = [
        json.loads(path.read_text()) for path in Path("metrics/cells").rglob("*.json") if ".curves." not in path.name
    ]
    for card in sorted(Path("data/corpus").glob("*/corpus.json")):
        corpus, digest = card.parent.name, json.loads(card.read_text())["digest"]
        folder = Path("data/splits") / corpus
        labels = {
            path.stem.removeprefix("labels-"): [short(row) for row in np.load(path)]
            for path in sorted(folder.glob("labels-*.npy"))
        }
        starts = digests.get(digest, {}).get("start", {})
        for model in sorted({cell["model"] for cell in cells if cell["corpus"] == corpus}):
            if found := runs.start_digests(corpus, model):
                starts[model] = found
        digests[digest] = {
            "corpus": corpus,
            "assignments": [short(row) for row in np.load(folder / "splits.npy")],
            "fit_labels": labels,
            "start": starts,
        }
    FILE.write_text(json.dumps(digests, indent=1) + "\n")


if __name__ == "__main__":
    main()
