"""Stage `plan`: write what each stage depends on -> data/plans/<stage>/<name>.json, plans/<study>/<corpus>.json

DVC compares these files. A stage runs again when its own settings or its numeric code have changed: a comment or
another method's setting changes nothing, nor does the code of `skipgram`, whose training takes hours. Every stage has
such a file, so that none runs before params.yaml has been checked; a report's is plans/<study>/+report.json.

Example: python pipeline/plan.py
"""

import hashlib
import json
from pathlib import Path

from lcm.corpora.catalogue import original
from lcm.errors import arguments, run_main
from lcm.files import new_folder, write_json
from lcm.params import Params, kinds_of_wrong_labels, load_params
from lcm.schema import Group
from lcm.source import ROOT, digest
from lcm.study import LINEAR, cell_config, cells
from lcm.training import code

# Files, seen from src/lcm, that can change the data.
READ = (
    *(f"corpora/{name}.py" for name in ("prepare", "catalogue", "readers", "tables", "texts", "pydocs")),
    "archives.py",
    "protocol/subsets.py",
)
SPLIT = ("protocol/splits.py", "protocol/noise.py", "../../pipeline/split.py")
TOKENISE = ("text/encode.py", "text/english.py", "text/chinese.py")


def _changed(group: Group) -> dict:
    """The settings of a group that have not their default."""
    return group.model_dump(exclude_defaults=True)


def data_plans(params: Params) -> dict[str, dict]:
    """Return what each data stage depends on, by "stage/name"; settings that have their default are left out."""
    read, split, vectors = digest((*READ, *TOKENISE)), digest(SPLIT), digest(("text/vectors.py", "archives.py"))
    found = {}
    for name in params.originals:
        found[f"fetch/{name}"] = {"files": {file.name: file.checksum for file in original(name).files}}
    for name, corpus in params.corpora.items():
        found[f"prepare/{name}"] = {"corpus": _changed(corpus), "code": read}
        noise = params.noise.model_dump(exclude={"rates", "groups"})
        noise |= {"rates": params.noise.rates.get(name, []), "groups": params.noise.groups.get(name)}
        found[f"split/{name}"] = {
            "split": params.split.model_dump(),
            "stratified": corpus.stratified,
            "noise": noise,
            "code": split,
        }
        if others := kinds_of_wrong_labels(params, name):
            found[f"split/{name}"]["of_studies"] = list(others)
    for name, settings in params.skipgram.items():
        found[f"skipgram/{name}"] = _changed(settings)
    for set_name, corpora in params.vectors.sets.items():
        for name, source in corpora.items():
            found[f"vectors-{set_name}/{name}"] = {
                **params.vectors.model_dump(exclude={"sets"}),
                "source": _changed(source),
                "code": vectors,
            }
    pieces = digest((*READ, "text/wordpieces.py"))
    for name, encoder in params.wordpieces.corpora.items():
        found[f"wordpieces/{name}"] = {
            "encoder": _changed(params.encoders[encoder]),
            "corpus": _changed(params.corpora[name]),
            "maxlen": params.wordpieces.maxlen,
            "code": pieces,
        }
    return found


def _evidence() -> str:
    """Return a digest of the code and the texts that make reports."""
    files = sorted(path for path in (ROOT / "evidence").iterdir() if path.is_file())
    names = [f"evidence/{path.name}" for path in files if path.suffix == ".py"]
    code = digest((*names, "study.py", "cell_files.py"))  # names of yardsticks; which files count
    texts = b"".join(path.read_bytes() for path in files if path.suffix != ".py")
    return hashlib.sha256(code.encode() + texts).hexdigest()[:16]


def training_plans(params: Params) -> dict[str, dict]:
    """Return the cells of each study on each corpus, by "study/corpus": how many runs, digests of settings and code.

    And what its report depends on besides, by "study/+report".
    """
    found, evidence = {}, _evidence()
    for study, spec in params.studies.items():
        # No corpus can have this name.
        found[f"{study}/+report"] = {"code": evidence, "title": spec.title, "question": spec.question}
        for corpus in spec.corpora:
            plan = found[f"{study}/{corpus}"] = {}
            for cell in cells(params, study, corpus):
                encoder = None if cell.model == LINEAR else params.model(cell.model).encoder
                settings = json.dumps(cell_config(params, cell), sort_keys=True).encode()
                runs, settings = f"{cell.splits} splits x {cell.seeds} seeds", hashlib.sha256(settings).hexdigest()[:12]
                plan[cell.name] = f"{runs}, settings {settings}, code {code.digest(encoder, cell.target)}"
    return found


def main() -> None:
    arguments(__doc__).parse_args()
    params = load_params(training=True)
    for place, plans in ((Path("data/plans"), data_plans(params)), (Path("plans"), training_plans(params))):
        with new_folder(place) as folder:
            for name, content in plans.items():
                write_json(folder / f"{name}.json", content)
        print(f"{place}/: {len(plans)} files")


if __name__ == "__main__":
    run_main(main)
