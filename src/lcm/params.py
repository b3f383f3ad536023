"""Read params.yaml and studies/*.yaml once and strictly: a bad key, type or value stops a stage before any work.

params.yaml has one group for each method (`lcm: {alpha: 4}`) and one for each model. The file of the method or model
(src/lcm/targets/, src/lcm/models/) declares their keys. `lcm.study.method_groups` and `Params.model` check them.
"""

import codecs
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from lcm.errors import UserError, one_line, short
from lcm.files import read_yaml
from lcm.schema import Count, Group, Name, NotNegative, Percent, Positive, Seed, Share, Side

OWN = "own"  # the study of your own table, and its corpus
OWN_TABLES = Path("data/own")
NO_TABLE = (
    "own: no table yet. To study one, put it into data/own and name it, as in "
    "`dvc exp run -S own.path=reviews.csv own` (docs/data.md)"
)

Column = str | Annotated[int, Field(ge=0)]


class Parts(Group):
    """Files of your own table that is divided already: names in the folder `path`."""

    train: str
    dev: str | None = None
    test: str


class Corpus(Group):
    """Knobs of one corpus. Its entry in corpora/catalogue.py says which of them it has."""

    tokens: Literal["letters", "words", "jieba"] | None = None  # None: letters (English), jieba (Chinese)
    empty: Literal["error", "drop"] = "error"

    # data/raw/<name>, with a name below `originals`, or your own table. Corpora may share one.
    path: str | None = None

    # Which documents take part, in this order, after train and test are merged.
    labels: Annotated[list[str], Field(min_length=2)] | None = None
    per_label: Count | None = None
    subset: Count | None = None
    subset_seed: Seed = 0

    # Knobs of single formats.
    text_form: Literal["allterms", "raw", "stripped"] | None = None
    min_words: Count | None = None
    use_title: bool = False
    sources: Annotated[list[str], Field(min_length=1)] | None = None
    bad_rows: Literal["error", "drop"] = "error"

    # Keep the shares of the classes in every part of a split. None: as in `split`; small classes of your own, always.
    stratified: bool | None = None

    # Knobs of your own table.
    parts: Parts | None = None
    encoding: str | None = None
    text: Column | Annotated[list[Column], Field(min_length=1)] | None = None
    label: Column | None = None
    language: Literal["en", "zh"] | None = None

    @field_validator("encoding")
    @classmethod
    def encoding_is_known(cls, name: str | None) -> str | None:
        try:
            "".encode(name or "utf-8")  # codecs.lookup also finds hex and zlib, which are no encodings of text
            return name and codecs.lookup(name).name
        except (LookupError, ValueError):
            raise ValueError("expected the name of an encoding, such as cp1252, gb18030 or utf_16") from None


class Split(Group):
    n: Annotated[int, Field(ge=1, le=1000)]
    test: Share
    val: Share
    stratified: bool
    images: Literal["official", "random"]

    @model_validator(mode="after")
    def some_training_data(self):
        if self.test + self.val >= 1:
            raise ValueError(f"test + val must be below 1, found {self.test} + {self.val}")
        return self


class Skipgram(Group):
    text: str
    language: Literal["en", "zh"]
    size: Count
    window: Count
    min_count: Count
    epochs: Count
    seed: Seed


class VectorSource(Group):
    source: str
    size: Count


class Vectors(Group):
    words: Count
    unknown: Literal["scaled", "uniform01"]
    seed: Seed
    sets: dict[Name, dict[Name, VectorSource]]


class Encoder(Group):
    """Where a pre-trained encoder comes from: a local folder, an installed package, or the Hugging Face hub.

    hub: owner/name or owner/name@revision.
    """

    folder: str | None = None
    package: str | None = None
    hub: str | None = None

    @model_validator(mode="after")
    def one_place(self):
        if [self.folder, self.package, self.hub].count(None) != 2:
            raise ValueError("expected one of folder, package, hub")
        return self


class Wordpieces(Group):
    maxlen: Annotated[int, Field(ge=3, le=512)]
    corpora: dict[Name, Name]


class Noise(Group):
    kind: Literal["asym", "uniform"]
    val: Literal["clean", "noisy"]
    seed: Seed
    rates: dict[Name, list[Percent]]
    groups: dict[Name, list[str]]


class Train(Group):
    """How a network is trained.

    Fields at their default stay out of a run's key, so that a new knob retrains nothing.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=1, le=10**6)]
    lr: Positive
    adam_eps: Positive
    adam_form: Literal["torch", "keras"] = "torch"
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: NotNegative = 0.0
    warmup_steps: Annotated[int, Field(ge=0, le=10**9)] = 0
    decay_end_step: Annotated[int, Field(ge=0, le=10**9)] = 0
    final_lr_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    restart_epoch: Count | None = None
    select: Literal["best_val", "last"]

    @model_validator(mode="after")
    def decay_follows_warmup(self):
        if self.decay_end_step and self.decay_end_step <= self.warmup_steps:
            found = f"found {self.decay_end_step}"
            raise ValueError(f"decay_end_step must be 0 or above warmup_steps {self.warmup_steps}, {found}")
        return self


class Linear(Group):
    """The yardsticks: TF-IDF with a linear support vector machine or naive Bayes."""

    C: Positive
    sublinear_tf: bool
    vocabulary_size: Annotated[int, Field(ge=2)]
    maxlen: Count
    truncation: Side


class Grid(Group):
    """Cells of a study: corpora x noise x models x methods, each on the first `splits` splits with `seeds` seeds."""

    corpora: Annotated[list[Name], Field(min_length=1)]
    noise: list[Percent] = [0]
    models: Annotated[list[Name], Field(min_length=1)]
    methods: Annotated[list[str], Field(min_length=1)]
    splits: Count | None = None  # None: the study's
    seeds: Annotated[int, Field(ge=1, le=1000)] | None = None


class Study(Group):
    """A question, such as a table or figure: studies/<name>.yaml."""

    title: str
    question: str
    corpora: Annotated[list[Name], Field(min_length=1)]  # every corpus of its grids; each is a DVC stage
    splits: Count
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    noise_kind: Literal["asym", "uniform"] | None = None  # None: noise.kind of params.yaml
    noise_val: Literal["clean", "noisy"] | None = None  # None: noise.val
    yardsticks: list[str] = []  # linear models beside the networks, on the same texts, noise and splits
    grids: Annotated[list[Grid], Field(min_length=1)]

    @property
    def own_noise(self) -> str:
        """How names of its files of wrong labels end: "-uniform", "-noisy", or "" for those of params.yaml."""
        return "".join(f"-{value}" for value in (self.noise_kind, self.noise_val) if value)

    @model_validator(mode="after")
    def corpora_are_those_of_the_grids(self):
        used = list(dict.fromkeys(corpus for grid in self.grids for corpus in grid.corpora))
        if sorted(used) != sorted(self.corpora):
            raise ValueError(f"corpora: found {self.corpora}, but its grids use {used}; name the same in both")
        return self


class Execution(Group):
    device: Literal["auto", "cpu", "cuda"]
    processes: Annotated[int, Field(ge=0, le=4096)]
    fleet: Annotated[int, Field(ge=0)] = 0
    precision: Literal["float32", "tf32", "bf16"] = "tf32"
    checkpoint_epochs: Count = 2
    executor: Literal["local", "ray"] = "local"
    address: str | None = None
    missing: Literal["gap", "error"] = "gap"


class Params(Group):
    """The groups of params.yaml, and the studies by name.

    The groups of methods are in `model_extra`, not yet checked: `methods` returns them.
    """

    model_config = ConfigDict(extra="allow")

    corpora: dict[Name, Corpus]
    originals: list[Name]
    skipgram: dict[Name, Skipgram]
    vectors: Vectors
    encoders: dict[Name, Encoder]
    wordpieces: Wordpieces
    split: Split
    noise: Noise
    models: dict[Name, dict]
    train: Train
    linear: Linear
    execution: Execution
    own: Corpus | None = None  # `path` is below data/own; empty: no table is there yet
    studies: dict[Name, Study] = {}
    _checked: dict[str, dict] = PrivateAttr(default_factory=dict)

    @property
    def checked(self) -> dict[str, dict]:
        """The result of `lcm.study.check` for these parameters; {} if it was not called."""
        return self._checked

    def model_copy(self, **changes) -> "Params":
        """Return a copy, which nobody has checked."""
        copy = super().model_copy(**changes)
        copy._checked = {}
        return copy

    @field_validator("models")
    @classmethod
    def models_say_what_they_are_like(cls, models: dict[str, dict]) -> dict[str, dict]:
        """Resolve `like: lstm_rand`: take over the keys of that model which this one does not set."""
        own = {name: {key: keys[key] for key in keys if key != "like"} for name, keys in models.items()}
        likes = {name: keys["like"] for name, keys in models.items() if keys.get("like") is not None}
        for name, base in likes.items():
            if base not in list(models) or base in likes:
                own_keys = ", ".join(each for each in models if each not in likes)
                raise ValueError(
                    f"{name}.like: found {short(base)}, expected a model that has no `like` of its own: {own_keys}"
                )
        return {name: {**own.get(likes.get(name), {}), **keys} for name, keys in own.items()}

    @model_validator(mode="after")
    def own_is_a_corpus(self):
        """Add the group `own` to the corpora. Without a path it is a gap."""
        if self.own is not None:
            if OWN in self.corpora:
                raise ValueError(f"corpora.{OWN}: the group `{OWN}` has this name; give your corpus another one")
            path = str(OWN_TABLES / self.own.path) if self.own.path else None
            self.corpora[OWN] = self.own.model_copy(update={"path": path})
        return self

    @model_validator(mode="after")
    def names_are_known(self):
        for key, names, known in (
            *((f"vectors.sets.{name}", corpora, self.corpora) for name, corpora in self.vectors.sets.items()),
            ("wordpieces.corpora", self.wordpieces.corpora, self.corpora),
            ("wordpieces.corpora", self.wordpieces.corpora.values(), self.encoders),
        ):
            unknown = sorted(set(names) - set(known))
            if unknown:
                raise ValueError(f"{key} names {unknown}, known are {sorted(known)}")
        for name, corpus in self.corpora.items():
            path = Path(corpus.path or "")
            if path.parent == Path("data/raw") and path.name not in self.originals:
                raise ValueError(
                    f"corpora.{name}.path is {path}, but `originals` has no {path.name}; add it there, or correct the "
                    f"path to one of {', '.join(self.originals)}"
                )
        both = sorted(set(self.vectors.sets) & set(self.skipgram))  # both are folders in data/vectors
        if both:
            raise ValueError(f"vectors.sets and skipgram both have {both}; rename one")
        return self

    @property
    def methods(self) -> dict[str, dict]:
        """The groups of methods, as the file has them."""
        return self.model_extra or {}

    def model(self, name: str) -> Group:
        """Return the checked keys of a model, without its `train`.

        Raises UserError that names the model and the key.
        """
        from lcm.models import config_class

        keys = {key: value for key, value in self.models[name].items() if key != "train"}
        try:
            encoder = str(keys.get("encoder"))
            kind = config_class(encoder)
            config = kind.model_validate(keys)
            if not hasattr(import_module(kind.__module__), "Encoder"):
                raise AttributeError(name="Encoder")
        except ValidationError as error:
            raise UserError("params.yaml: " + explain(error, f"models.{name}", kind)) from None
        except ValueError as error:
            raise UserError(f"params.yaml: models.{name}: {error}") from None
        except AttributeError as error:
            raise UserError(
                f"src/lcm/models/{encoder}.py: has no class {error.name}; docs/extending.md shows a model"
            ) from None
        vectors, source = getattr(config, "vectors", None), getattr(config, "source", None)
        if vectors is not None and vectors not in self.vectors.sets:
            raise UserError(f"params.yaml: models.{name}.vectors is {vectors}, known are {sorted(self.vectors.sets)}")
        if source is not None and source not in self.encoders:
            raise UserError(f"params.yaml: models.{name}.source is {source}, known are {sorted(self.encoders)}")
        return config

    def noise_of(self, study: str) -> Noise:
        """Return `noise` with the changes of the study."""
        own = {"kind": self.studies[study].noise_kind, "val": self.studies[study].noise_val}
        return self.noise.model_copy(update={key: value for key, value in own.items() if value})

    def training(self, model: str) -> Train:
        """Return `train` with the changes of the model. A change to null sets null. Raises UserError."""
        where, keys = f"models.{model}.train", self.models[model].get("train") or {}
        if not isinstance(keys, dict):
            raise UserError(f"params.yaml: {where}: expected keys of train, found {keys!r}")
        try:
            return Train.model_validate(self.train.model_dump() | keys)
        except ValidationError as error:
            raise UserError(f"params.yaml: {explain(error, where, Train)}") from None


def load_params(path: str | Path = "params.yaml", training: bool = False) -> Params:
    """Read and check params.yaml and the files of studies/ beside it.

    training: also check every model, method and cell. The first time, this imports PyTorch; data stages do without.
    Raises UserError, one line that names every bad key, what was found and what is allowed.
    """
    path = Path(path)
    content = read_yaml(path)
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: {explain(error, group=Params)}") from None
    if "studies" in params.model_fields_set:
        raise UserError(f"{path}: remove the group `studies`; each study is a file of its own, studies/<name>.yaml")
    studies = {}
    for file in sorted((path.parent / "studies").glob("*.yaml")):
        studies[file.stem] = _read_study(file, params)
    params = params.model_copy(update={"studies": studies})
    if training:
        from lcm.study import check

        params._checked = check(params)
    return params


def kinds_of_wrong_labels(params: Params, corpus: str) -> dict[str, Noise]:
    """Return the studies of a corpus that want wrong labels of their own: the end of the file's name -> the noise."""
    studies = [name for name, spec in params.studies.items() if corpus in spec.corpora and spec.own_noise]
    return {params.studies[name].own_noise: params.noise_of(name) for name in sorted(studies)}


def _read_study(file: Path, params: Params) -> Study:
    # The file repeats its name because DVC reads it from there (`foreach: ${studies.noise.corpora}` in dvc.yaml).
    content = read_yaml(file)
    studies = content.get("studies") if isinstance(content, dict) and list(content) == ["studies"] else None
    if not isinstance(studies, dict) or list(studies) != [file.stem]:
        raise UserError(f"{file}: expected `studies:` and below it only `{file.stem}:`, the name of the file")
    try:
        study = Study.model_validate(studies[file.stem])
    except ValidationError as error:
        raise UserError(f"{file}: {explain(error, group=Study)}") from None
    for grid in study.grids:
        for key, known in (("corpora", params.corpora), ("models", params.models)):
            unknown = [name for name in getattr(grid, key) if name not in known]
            if unknown:
                raise UserError(f"{file}: {key} names {unknown}, known are {', '.join(known)}")
        if (grid.splits or study.splits) > params.split.n:
            raise UserError(
                f"{file}: splits is {grid.splits or study.splits}, but params.yaml makes only {params.split.n} splits; "
                "lower it, or raise split.n"
            )
    return study


def explain(error: ValidationError, where: str = "", group: type[Group] | None = None) -> str:
    """Describe every problem of a validation in one line: key, what is wrong, what was found.

    where: the path of the checked group. group: its class; the line lists its keys beside one that is unknown.
    """
    lines = [_explain(problem, where, group) for problem in error.errors()]
    return one_line("; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else ""), 600)


def _explain(problem: dict, where: str, group: type[Group] | None) -> str:
    where = ".".join([*([where] if where else []), *(one_line(str(key), 60) for key in problem["loc"])])
    if problem["type"] == "extra_forbidden":
        known = _keys_beside(problem["loc"], group) if group else []
        return f"unknown key {where}" + (f" (known are {', '.join(known)})" if known else "")
    if problem["type"] == "missing":
        return f"{where} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where or 'the whole file'}: {message[0].lower()}{message[1:]}, found {short(problem['input'], 100)}"


def _keys_beside(place: tuple, group: type[Group]) -> list[str]:
    """Return the keys of the group that holds the key at `place`, a path that begins in `group`."""
    kind = group
    for key in place[:-1]:
        kind = kind.model_fields[key].annotation if hasattr(kind, "model_fields") else get_args(kind)[-1]
        if isinstance(kind, UnionType):  # X | None
            kind = get_args(kind)[0]
    return list(kind.model_fields)
