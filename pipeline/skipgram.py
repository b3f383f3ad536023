"""Stage `skipgram`: train word vectors on a text -> data/vectors/<name>/vectors.txt, in GloVe's format

Example: python pipeline/skipgram.py 20ng_text
"""

import tempfile
from pathlib import Path

from lcm.errors import arguments, lookup, run_main
from lcm.files import new_folder, pass_gap
from lcm.params import load_params
from lcm.text.vectors import train_skipgram


def main() -> None:
    name = arguments(__doc__, name="a name below `skipgram` in params.yaml, such as 20ng_text").parse_args().name
    settings = lookup(load_params().skipgram, name, "skipgram")
    folder = Path("data/vectors") / name
    if pass_gap(Path(settings.text), folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(folder) as part, tempfile.TemporaryDirectory(dir=folder.parent, suffix=".part") as scratch:
        facts = train_skipgram(settings, Path(scratch), part / "vectors.txt")
    print(f"{name}: {facts['words']} words from {facts['tokens']} tokens of {settings.text}")


if __name__ == "__main__":
    run_main(main)
