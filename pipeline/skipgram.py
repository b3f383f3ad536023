"""Stage `skipgram`: word vectors trained on a text -> data/vectors/<name>/vectors.txt, in GloVe's format"""

import argparse
import tempfile
from pathlib import Path

from lcm.errors import UserError, run_main
from lcm.files import new_folder
from lcm.params import load_params
from lcm.text.vectors import train_skipgram


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a name below `skipgram` in params.yaml")
    name = parser.parse_args().name
    settings = load_params().skipgram.get(name)
    if settings is None:
        raise UserError(f"params.yaml: no skipgram.{name}; known are {', '.join(load_params().skipgram)}")
    folder = Path("data/vectors") / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(folder) as part, tempfile.TemporaryDirectory(dir=folder.parent, suffix=".part") as scratch:
        facts = train_skipgram(settings, Path(scratch), part / "vectors.txt")
    print(f"{name}: {facts['words']} words from {facts['tokens']} tokens of {settings.text}")


if __name__ == "__main__":
    run_main(main)
