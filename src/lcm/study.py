"""Study, cell and run: their names, paths and enumeration.

A study (a question: a table or figure) is made of cells, a cell of runs. Training and evidence both get the cells from
here. The parameters say which files to expect. No code lists a folder for them, because DVC keeps the files of cells
that are no longer in a study.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import yaml
from pydantic import ValidationError

from lcm.errors import UserError
from lcm.files import json_or_none, remembered
from lcm.params import OWN, Params, explain
from lcm.schema import Group

METRICS = Path("metrics")
LINEAR = "linear"  # the model name of all yardsticks
YARDSTICKS = {  # method -> for people
    "linear": "LinearSVC, C = 1",
    "linear_window": "LinearSVC, C = 1, the network's window",
    "svc": "LinearSVC",
    "svc_window": "LinearSVC, the network's window",
    "nb": "ComplementNB",
    "nb_window": "ComplementNB, the network's window",
}
SETTINGS = ("params.py", "schema.py", "study.py", "models/*.py", "targets/*.py")  # files that read settings
# Only characters that are safe in file names, shells and DVC target names.
METHOD = re.compile(r"([a-z]\w*)(?:\.(\w+=[\w.+-]+(?:,\w+=[\w.+-]+)*))?")


@dataclass(frozen=True)
class Cell:
    """One (study, corpus, noise, model, method), trained on the first `splits` splits with `seeds` seeds each.

    noise: percent of wrong training labels. method: a target (`lcm`), or a target with settings (`lcm.alpha=2`).
    """

    study: str
    corpus: str
    noise: int
    model: str
    method: str
    splits: int
    seeds: int = 1

    @property
    def name(self) -> str:
        return f"noise{self.noise}-{self.model}-{self.method}"

    @property
    def target(self) -> str:
        """The method without its settings."""
        return self.method.partition(".")[0]

    def path(self, kind: str = "cells") -> Path:
        """Return the path of the cell's results, or of its `curves`, relative to the repository's root."""
        suffix = {"cells": ".json", "curves": ".curves.json"}[kind]
        return METRICS / "cells" / self.study / self.corpus / f"{self.name}{suffix}"

    def runs(self) -> list["Run"]:
        """Return the cell's runs, seed by seed: an interrupted cell then has as many splits as possible."""
        return [Run(self, split, seed) for seed, split in product(range(self.seeds), range(self.splits))]

    def __str__(self) -> str:
        return f"{self.study} {self.corpus} {self.noise} {self.model} {self.method}"


@dataclass(frozen=True)
class Run:
    """One split and one seed of a cell."""

    cell: Cell
    split: int
    seed: int

    @property
    def random_seed(self) -> int:
        """Seed of initial weights, order of samples and dropout. Seed 0 of split k has k."""
        return self.split + 1000 * self.seed


def cells(params: Params, study: str, corpus: str | None = None) -> list[Cell]:
    """Return the cells of a study, or of one of its corpora, in the order of its file; yardsticks follow the networks.

    A cell that two grids name has the larger number of splits and of seeds. Raises UserError for an unknown study or
    corpus.
    """
    spec = params.studies.get(study)
    if spec is None:
        raise UserError(f"studies/{study}.yaml: not found; known studies are {', '.join(params.studies)}")
    if corpus is not None and corpus not in spec.corpora:
        raise UserError(f"studies/{study}.yaml: has no corpus {corpus}; it has {', '.join(spec.corpora)}")
    if study == OWN and params.corpora[OWN].path is None:
        return []  # nobody has named a table
    found: dict[tuple, Cell] = {}

    def add(cell: Cell) -> None:
        place = (cell.corpus, cell.noise, cell.model, cell.method)
        old = found.get(place, cell)
        found[place] = replace(cell, splits=max(cell.splits, old.splits), seeds=max(cell.seeds, old.seeds))

    for grid in spec.grids:
        splits, seeds = grid.splits or spec.splits, grid.seeds or spec.seeds
        methods = [method for name in grid.methods for method in tuning_grid(name)]
        for place in product(grid.corpora, grid.noise, grid.models, methods):
            add(Cell(study, *place, splits, seeds))
    for grid in spec.grids:
        for name, noise, method in product(grid.corpora, grid.noise, spec.yardsticks):
            add(Cell(study, name, noise, LINEAR, method, spec.splits))
    return [cell for cell in found.values() if corpus in (None, cell.corpus)]


def tuning_grid(method: str) -> list[str]:
    """Return the methods that an entry of a study stands for.

    `gce.*` stands for all values of the target's grid, anything else for itself. Raises UserError for a target without
    a grid.
    """
    name, _, rest = method.partition(".")
    if rest != "*":
        return [method]
    grids = {target: facts.grid for target, facts in target_facts().items() if facts.grid}
    if name not in grids:
        raise UserError(f"method {method!r}: {name} has no grid of settings to try; these have: {', '.join(grids)}")
    return [f"{name}." + ",".join(f"{key}={value}" for key, value in values.items()) for values in grids[name]]


def find(params: Params, study: str, corpus: str, noise: int, model: str, method: str) -> Cell:
    """Return the cell of these names. Raises UserError, one line that lists known cells, the most alike first."""
    known = {(cell.noise, cell.model, cell.method): cell for cell in cells(params, study, corpus)}
    if (noise, model, method) in known:
        return known[noise, model, method]
    wanted = f"{noise} {model} {method}"
    alike = sorted(known, key=lambda place: -SequenceMatcher(None, wanted, " ".join(map(str, place))).ratio())
    shown = "; ".join(" ".join(map(str, place)) for place in alike[:12]) + ("; ..." if len(known) > 12 else "")
    raise UserError(
        f"{wanted}: no cell of study {study} and corpus {corpus}; its cells (noise model method) are {shown}"
    )


@cache
def target_facts() -> dict[str, SimpleNamespace]:
    """Return what tables say of each target, by its name: short, label, about (the first line of its file), knob,
    ceiling, grid and needs."""
    from lcm.targets import target_class, target_names

    def make() -> dict:
        names = ("short", "label", "knob", "ceiling", "grid", "needs")
        found = {}
        for target in target_names():
            try:
                kind = target_class(target)
            except ValueError as error:
                raise UserError(f"{error}; docs/extending.md shows a target") from None
            lacking = [name for name in names if not hasattr(kind, name)]
            if lacking:
                raise UserError(f"targets/{target}.py: set {' and '.join(lacking)}, as docs/extending.md shows")
            if not issubclass(kind.Settings, Group):
                raise UserError(f"targets/{target}.py: class Settings is no Group; write `class Settings(Group):`")
            found[target] = facts = {name: getattr(kind, name) for name in names}
            first = (import_module(kind.__module__).__doc__ or "").partition("\n")[0]
            facts["about"] = first.partition(": ")[2]
        return found

    found = remembered("targets", _digest(("targets/*.py",)), make)
    return {target: SimpleNamespace(**facts) for target, facts in found.items()}


def method_groups(params: Params, method: str) -> dict[str, Group]:
    """Return the checked parameter groups of a method, with the changes that its name makes.

    For `lcm.alpha=2` that is {"lcm": Settings(alpha=2, ...)}. Raises UserError, one line that names the method and the
    key.
    """
    from lcm.targets import target_class, target_names

    match = METHOD.fullmatch(method)
    if not match or match[1] not in target_names():
        known = ", ".join(target_names())
        raise UserError(
            f"method {method!r}: expected one of {known}, or one with settings, as in lcm.alpha=2,stop_epoch=10"
        )
    name, changes = match.groups()
    given = [change.split("=") for change in changes.split(",")] if changes else []
    for key, count in Counter(key for key, _ in given).items():
        if count > 1:
            raise UserError(f"method {method!r}: {key} is there twice")
    groups = {}
    for group in target_class(name).groups or (name,):
        of_group = target_class(group).Settings
        for key, _ in given:
            if key not in of_group.model_fields:
                known = ", ".join(of_group.model_fields) or "none"
                raise UserError(f"method {method!r}: {key} is no key of {group}, which has {known}")
        keys = dict(params.methods.get(group) or {}) | {key: _value(value) for key, value in given}
        try:
            groups[group] = of_group.model_validate(keys)
        except ValidationError as error:
            raise UserError(explain(error, f"method {method!r}" if changes else f"params.yaml: {group}")) from None
    return groups


def _value(text: str):
    """Read a setting: as a number where it is one (`1e-1` is text for YAML 1.1), else as YAML."""
    for read in (int, float, yaml.safe_load):
        try:
            return read(text)
        except (ValueError, yaml.YAMLError):
            pass
    return text


def method_settings(params: Params, method: str, n_labels: int) -> dict:
    """Return the settings of a method's target on a corpus of n_labels classes."""
    from lcm.targets import target_class

    groups = {name: group.model_dump() for name, group in method_groups(params, method).items()}
    target = target_class(method.partition(".")[0])
    return target.resolve(groups.get(target.name, {}), groups, n_labels)


def cell_config(params: Params, cell: Cell) -> dict:
    """Return all parameters that a cell's numbers depend on. Its file records them and the report compares them.

    Keys at their default are left out, and so are a method's keys that are null: a key that is added later makes no
    older cell stale.
    """
    if str(cell) in params.checked:
        return params.checked[str(cell)]
    corpus = params.corpora[cell.corpus].model_dump(exclude_defaults=True)
    config = {"split": params.split.model_dump(), "corpus": corpus}
    if cell.noise:
        noise = params.noise_of(cell.study)
        config["noise"] = {
            "kind": noise.kind,
            "val": noise.val,
            "seed": noise.seed,
            "groups": noise.groups.get(cell.corpus),
        }
    if cell.model == LINEAR:
        return config | {"linear": params.linear.model_dump(exclude_defaults=True)}
    model = params.model(cell.model)
    config["model"] = model.model_dump(exclude_defaults=True)
    config["train"] = params.training(cell.model).model_dump(exclude_defaults=True)
    vectors = getattr(model, "vectors", None)
    if vectors is not None:
        source = params.vectors.sets[vectors].get(cell.corpus)
        config["vectors"] = {**params.vectors.model_dump(exclude={"sets"}), "source": source and source.model_dump()}
        trained = params.skipgram.get(Path(source.source).name) if source else None
        if trained:
            config["skipgram"] = trained.model_dump()
    if model.reads in ("wordpieces", "features"):
        config["wordpieces"] = {"maxlen": params.wordpieces.maxlen}
        if model.reads == "wordpieces":  # features come with their encoder's own
            config["wordpieces"]["vocabulary"] = params.wordpieces.corpora.get(cell.corpus)
        config["source"] = params.encoders[model.source].model_dump(exclude_defaults=True)
    return config | {
        name: group.model_dump(exclude_none=True) for name, group in method_groups(params, cell.method).items()
    }


def seconds_path(study: str, corpus: str) -> Path:
    """Return where run times are kept: beside the results, and no output of a stage, because they differ each time."""
    return METRICS / "seconds" / study / f"{corpus}.json"


def read_seconds(study: str, corpus: str, root: Path = Path()) -> dict[str, dict]:
    """Return cell name -> {"runs": n, "seconds": of the quickest run, on one core}; {} if nothing is recorded.

    The quickest, because whatever else a machine does can only slow a run. Runs on a GPU are counted apart, as
    {"gpu_runs": n, "gpu_seconds": a run's share of the GPU's time}. A damaged file counts as none.
    """
    content = json_or_none(root / seconds_path(study, corpus))
    return content if isinstance(content, dict) else {}


def family(params: Params, cell: Cell) -> str:
    """Return the name under which tables and claims count the cell's model: LSTM, CNN, BERT, ..."""
    if cell.model == LINEAR:
        return LINEAR
    known = params.checked.get(f"models.{cell.model}")
    return known["family"] if known else params.model(cell.model).family


def check(params: Params) -> dict[str, dict]:
    """Check every model, every method's group and every cell of every study. Raises UserError.

    Returns `cell_config` of each cell by the cell's name, and {"family": ...} by models.<name>.
    """
    return remembered("checked", _digest(SETTINGS, params.model_dump_json()), lambda: _check(params))


def _digest(patterns: tuple[str, ...], text: str = "") -> str:
    """Return a digest of a text and of the files below src/lcm that match the patterns."""
    found = hashlib.sha256(text.encode())
    for path in (path for pattern in patterns for path in sorted(Path(__file__).parent.glob(pattern))):
        found.update(f"{path.name}\n".encode() + path.read_bytes())
    return found.hexdigest()


def _check(params: Params) -> dict[str, dict]:
    from lcm.targets import target_class, target_names

    for group, keys in params.methods.items():
        if group not in target_names():
            raise UserError(
                f"params.yaml: unknown key {group}; its other groups are methods: {', '.join(target_names())}"
            )
        if not isinstance(keys, dict):
            raise UserError(f"params.yaml: {group}: expected the keys of a method, found {keys!r}")
        try:
            target_class(group).Settings.model_validate(keys)
        except ValidationError as error:
            raise UserError(f"params.yaml: {explain(error, group, target_class(group).Settings)}") from None
    found = {f"models.{model}": {"family": params.model(model).family} for model in params.models}
    for study, spec in params.studies.items():
        unknown = [method for method in spec.yardsticks if method not in YARDSTICKS]
        if unknown:
            raise UserError(f"studies/{study}.yaml: yardsticks names {unknown}, known are {', '.join(YARDSTICKS)}")
        for cell in cells(params, study):
            try:
                found[str(cell)] = cell_config(params, cell)
            except UserError as error:
                raise UserError(f"studies/{study}.yaml: {error}") from None
    return found
