"""Stage `plan` of data/dvc.yaml: write what each data stage depends on -> data/plans/<stage>/<name>.json

DVC compares these files. A stage runs again when its own settings or its code have changed. Comments do not count, nor
does the code of `skipgram`, whose training takes hours. Every stage has such a file, so that none runs before
params.yaml has been checked.

Example: python pipeline/plan_data.py
"""

import argparse
from pathlib import Path

from lcm.corpora.catalogue import original
from lcm.errors import run_main
from lcm.files import new_folder, write_json
from lcm.params import Params, load_params
from lcm.source import digest

# Modules below src/lcm that can change the data.
READ = ("corpora/prepare.py", "corpora/readers.py", "corpora/tables.py", "corpora/pydocs.py", "protocol/subsets.py")
TOKENISE = ("text/encode.py", "text/english.py", "text/chinese.py")


def plans(params: Params) -> dict[str, dict]:
    """Return the settings of each data stage by "stage/name"; settings that have their default are left out."""

    def of(group) -> dict:
        return group.model_dump(exclude_defaults=True)

    read, split, vectors = (
        digest((*READ, *TOKENISE)),
        digest(("protocol/splits.py", "protocol/noise.py")),
        digest(("text/vectors.py",)),
    )
    found = {}
    for name in params.originals:
        found[f"fetch/{name}"] = {"files": {file.name: file.checksum for file in original(name).files}}
    for name, corpus in params.corpora.items():
        found[f"prepare/{name}"] = {"corpus": of(corpus), "code": read}
        noise = params.noise.model_dump(exclude={"rates", "groups"})
        noise |= {"rates": params.noise.rates.get(name, []), "groups": params.noise.groups.get(name)}
        found[f"split/{name}"] = {
            "split": params.split.model_dump(),
            "stratified": corpus.stratified,
            "noise": noise,
            "code": split,
        }
    for name, settings in params.skipgram.items():
        found[f"skipgram/{name}"] = of(settings)
    for set_name, corpora in params.vectors.sets.items():
        for name, source in corpora.items():
            found[f"vectors-{set_name}/{name}"] = {
                **params.vectors.model_dump(exclude={"sets"}),
                "source": of(source),
                "code": vectors,
            }
    pieces = digest((*READ, "text/wordpieces.py"))
    means = digest((*READ, "text/wordpieces.py", "text/features.py"))
    for kind, corpora, made_by in (
        ("wordpieces", params.wordpieces.corpora, pieces),
        ("features", params.features.corpora, means),
    ):
        for name, encoder in corpora.items():
            settings = {
                "encoder": of(params.encoders[encoder]),
                "corpus": of(params.corpora[name]),
                "maxlen": params.wordpieces.maxlen,
            }
            found[f"{kind}/{name}"] = settings | {"code": made_by}
    return found


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with new_folder(Path("data/plans")) as folder:
        for name, settings in plans(load_params()).items():
            write_json(folder / f"{name}.json", settings)


if __name__ == "__main__":
    run_main(main)
