"""params.yaml, validated once and strictly: an unknown key, a wrong type or an impossible value stops a stage before any work."""

import re
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from lcm.errors import UserError
from lcm.schema import Count, Group, NotNegative, Percent, Positive, Share, Side

ARM = re.compile(r"(ls|lcm)(\.\w+=[\w.+-]+(,\w+=[\w.+-]+)*)?")  # these characters are at home in file names, shells and DVC's targets


Column = str | Annotated[int, Field(ge=0)]


class Corpus(Group):
    """Knobs of one corpus. Which of them a corpus of the catalogue has is for its entry to say (corpora/catalogue.py)."""

    tokens: Literal["letters", "words", "jieba", "characters"] | None = None  # None: letters (English), jieba (Chinese)
    empty: Literal["error", "drop"] = "error"

    # data/raw/<name>, a name below `originals`, or your own table. Corpora may share one: a subset is read from its parent's
    path: str | None = None

    # which documents, in this order; applied after merging train and test
    labels: Annotated[list[str], Field(min_length=2)] | None = None
    per_label: Count | None = None
    subset: Count | None = None
    subset_seed: Annotated[int, Field(ge=0)] = 0

    # of single formats
    text_form: Literal["allterms", "raw", "stripped"] | None = None
    min_words: Count | None = None
    use_title: bool = False
    strip_header: bool = False
    sources: Annotated[list[str], Field(min_length=1)] | None = None
    bad_rows: Literal["error", "drop"] = "error"

    # your own data
    text: Column | Annotated[list[Column], Field(min_length=1)] | None = None
    label: Column | None = None
    language: Literal["en", "zh"] | None = None


class Split(Group):
    n: Count
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
    seed: Annotated[int, Field(ge=0)]


class VectorSource(Group):
    source: str
    size: Count


class Vectors(Group):
    words: Count
    unknown: Literal["scaled", "uniform01"]
    seed: Annotated[int, Field(ge=0)]
    sets: dict[str, dict[str, VectorSource]]


class Encoder(Group):
    """A pre-trained encoder: in a local folder, in an installed package, or on the Hugging Face hub (owner/name, or owner/name@revision)."""

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
    corpora: dict[str, str]


class Noise(Group):
    kind: Literal["asym", "shuffle"]
    val: Literal["clean", "noisy"]
    seed: int
    rates: dict[str, list[Percent]]
    groups: dict[str, list[str]]


class Train(Group):
    """Fields with a default stay out of a run's key while they are at it: a new knob retrains nothing."""

    epochs: Count
    batch_size: Count
    lr: Positive
    adam_eps: Positive
    adam_form: Literal["torch", "keras"] = "torch"
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: NotNegative = 0.0
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    decay_end_step: Annotated[int, Field(ge=0)] = 0
    final_lr_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    restart_epoch: Count | None = None
    select: Literal["best_val", "last"]

    @model_validator(mode="after")
    def decay_follows_warmup(self):
        if self.decay_end_step and self.decay_end_step <= self.warmup_steps:
            raise ValueError(f"decay_end_step must be 0 or above warmup_steps {self.warmup_steps}, found {self.decay_end_step}")
        return self


class TrainOverrides(Group):
    epochs: Count | None = None
    batch_size: Count | None = None
    lr: Positive | None = None
    adam_eps: Positive | None = None
    adam_form: Literal["torch", "keras"] | None = None
    optimizer: Literal["adam", "adamw"] | None = None
    weight_decay: NotNegative | None = None
    warmup_steps: Annotated[int, Field(ge=0)] | None = None
    decay_end_step: Annotated[int, Field(ge=0)] | None = None
    final_lr_share: Annotated[float, Field(ge=0, le=1)] | None = None
    restart_epoch: Count | None = None
    select: Literal["best_val", "last"] | None = None


class TextModel(Group):
    """A model that reads words. The embedding has random rows of size `embedding`, or starts from a set of word vectors, of their size."""

    embedding: Count | None = None
    vectors: str | None = None
    vocabulary_size: Annotated[int, Field(ge=2)]
    vocabulary_fit: Literal["all", "train"]
    maxlen: Count
    truncation: Side
    padding: Side
    init: Literal["keras", "torch"]
    train: TrainOverrides

    @model_validator(mode="after")
    def one_embedding(self):
        if (self.embedding is None) == (self.vectors is None):
            raise ValueError("expected either embedding, a size, or vectors, a name below vectors.sets")
        return self


class Lstm(TextModel):
    encoder: Literal["lstm"]
    hidden: Count
    mask: bool


class Cnn(TextModel):
    encoder: Literal["cnn"]
    filter_sizes: Annotated[list[Count], Field(min_length=1)]
    filters: Count

    @model_validator(mode="after")
    def filters_fit(self):
        if max(self.filter_sizes) > self.maxlen:
            raise ValueError(f"filter_sizes must not exceed maxlen {self.maxlen}, found {max(self.filter_sizes)}")
        return self


class RandomBert(Group):
    layers: Count
    hidden: Annotated[int, Field(ge=64, multiple_of=64)]


class Bert(Group):
    """source: a name below `encoders`. random: this shape with random weights in place of the source's."""

    encoder: Literal["bert"]
    source: str
    random: RandomBert | None = None
    hidden: Count
    init: Literal["keras", "torch"]
    train: TrainOverrides


class ImageCnn(Group):
    encoder: Literal["image_cnn"]
    channels: Annotated[list[Count], Field(min_length=2, max_length=2)]
    hidden: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    init: Literal["keras", "torch"]
    train: TrainOverrides


Model = Annotated[Lstm | Cnn | Bert | ImageCnn, Field(discriminator="encoder")]


class Ls(Group):
    """As in `Train`: a field with a default stays out of a run's key while it is at it."""

    epsilon: Annotated[float, Field(ge=0, lt=1)]
    stop_epoch: Annotated[int, Field(ge=0)] | None = None


class Lcm(Group):
    alpha: Annotated[float, Field(ge=0)]
    label_dim: Count
    stop_epoch: Annotated[int, Field(ge=0)] | None
    stop_resets_optimizer: bool
    detach: bool


class Linear(Group):
    C: Positive
    sublinear_tf: bool
    vocabulary_size: Annotated[int, Field(ge=2)]
    maxlen: Count
    truncation: Side


class Grid(Group):
    """Cells: corpora x noise x models x arms."""

    corpora: list[str]
    noise: list[Percent]
    models: list[str]
    arms: list[Literal["ls", "lcm"]]


class Variations(Grid):
    """A grid whose arms are expressions: `lcm.alpha=0.5,stop_epoch=10` is the group `lcm` with these settings changed."""

    arms: list[str]


class Study(Group):
    """A table or figure of the paper. Each grid is a DVC stage, for what its cells depend on differs (dvc.yaml)."""

    splits: Count
    splits_of: dict[str, Count] = {}  # fewer (or more) for a model
    train: TrainOverrides
    text: Grid | None = None  # models that read tokens
    text_forms: Grid | None = None  # the same on other corpora, where not every model of `text` is wanted
    vectors: Grid | None = None  # models that start from word vectors
    bert: Grid | None = None  # models that read wordpieces
    bert_noise: Grid | None = None  # with wrong labels, where fewer methods are trained
    bert_zh: Grid | None = None  # the same for Chinese, where the encoder is another one
    images: Grid | None = None
    variations: Variations | None = None

    def grids(self) -> dict[str, Grid]:
        grids = {name: getattr(self, name) for name in ("text", "text_forms", "vectors", "bert", "bert_noise", "bert_zh", "images", "variations")}
        return {name: grid for name, grid in grids.items() if grid}


class Execution(Group):
    device: Literal["auto", "cpu", "cuda"]
    processes: Annotated[int, Field(ge=0)]
    fleet: Annotated[int, Field(ge=0)] = 0
    precision: Literal["float32", "tf32", "bf16"] = "tf32"
    checkpoint_epochs: Count = 2
    executor: Literal["local", "ray"] = "local"
    address: str | None = None
    missing: Literal["gap", "error"] = "gap"


class Params(Group):
    corpora: dict[str, Corpus]
    originals: list[str]
    skipgram: dict[str, Skipgram]
    vectors: Vectors
    encoders: dict[str, Encoder]
    wordpieces: Wordpieces
    split: Split
    noise: Noise
    models: dict[str, Model]
    train: Train
    ls: Ls
    lcm: Lcm
    linear: Linear
    studies: dict[str, Study]
    execution: Execution

    @model_validator(mode="after")
    def names_are_known(self):
        for where, names, known in (
            *((f"vectors.sets.{name}", corpora, self.corpora) for name, corpora in self.vectors.sets.items()),
            ("wordpieces.corpora", self.wordpieces.corpora, self.corpora),
            ("wordpieces.corpora", self.wordpieces.corpora.values(), self.encoders),
        ):
            unknown = sorted(set(names) - set(known))
            if unknown:
                raise ValueError(f"{where} names {unknown}, known are {sorted(known)}")
        for name, corpus in self.corpora.items():
            if corpus.path is None:
                raise ValueError(f"corpora.{name}.path is missing; expected data/raw/{name}, or the file of your own table")
            if Path(corpus.path).parent == Path("data/raw") and Path(corpus.path).name not in self.originals:
                raise ValueError(f"corpora.{name}.path is {corpus.path}; {Path(corpus.path).name} is not among `originals`: {self.originals}")
        both = sorted(set(self.vectors.sets) & set(self.skipgram))  # both are folders in data/vectors
        if both:
            raise ValueError(f"vectors.sets and skipgram both have {both}; rename one")
        for name, model in self.models.items():
            vectors = getattr(model, "vectors", None)
            if vectors is not None and vectors not in self.vectors.sets:
                raise ValueError(f"models.{name}.vectors is {vectors}, known are {sorted(self.vectors.sets)}")
            if model.encoder == "bert" and model.source not in self.encoders:
                raise ValueError(f"models.{name}.source is {model.source}, known are {sorted(self.encoders)}")
        for name, study in self.studies.items():
            for part, grid in study.grids().items():
                for kind, known in (("corpora", self.corpora), ("models", self.models)):
                    unknown = [item for item in getattr(grid, kind) if item not in known]
                    if unknown:
                        raise ValueError(f"studies.{name} names {kind} {unknown}, known are {sorted(known)}")
                for arm in grid.arms if part == "variations" else []:
                    if arm in ("ls", "lcm"):
                        raise ValueError(f"studies.{name}.variations.arms names {arm!r}, which varies nothing; it belongs to another grid's arms")
                    try:
                        self.arm(arm)
                    except ValueError as error:
                        raise ValueError(f"studies.{name}.variations.arms: {error}") from None
            unknown = [model for model in study.splits_of if model not in self.models]
            if unknown:
                raise ValueError(f"studies.{name}.splits_of names models {unknown}, known are {sorted(self.models)}")
            most = max([study.splits, *study.splits_of.values()])
            if most > self.split.n:
                raise ValueError(f"studies.{name}.splits is {most}, but split.n makes only {self.split.n}")
        return self

    def arm(self, arm: str) -> Ls | Lcm:
        """The parameter group of an arm: `ls` or `lcm`, with settings changed by an expression such as `lcm.alpha=0.5,stop_epoch=10`.

        Raises ValueError, one line that names the arm, for an expression that is none, an unknown key or an impossible value.
        """
        if not ARM.fullmatch(arm):
            raise ValueError(f"arm {arm!r}: expected ls or lcm, or one of them with settings, as in lcm.alpha=0.5,stop_epoch=10")
        name, _, changes = arm.partition(".")
        group: Ls | Lcm = getattr(self, name)
        settings, changed = group.model_dump(), {}
        for change in changes.split(",") if changes else []:
            key, _, value = change.partition("=")
            if key not in settings or key in changed:
                reason = "is there twice" if key in changed else f"is no key of {name}, which has {', '.join(settings)}"
                raise ValueError(f"arm {arm!r}: {key} {reason}")
            changed[key] = yaml.safe_load(value)
        try:
            return type(group).model_validate({**settings, **changed})
        except ValidationError as error:
            raise ValueError(f"arm {arm!r}: {_explain(error.errors()[0])}") from None

    def n_splits(self, study: str, model: str) -> int:
        """How many of the splits a cell of this model is trained on: the first ones."""
        return self.studies[study].splits_of.get(model, self.studies[study].splits)

    def training(self, study: str, model: str) -> Train:
        """`train` as overridden by the model and then by the study."""
        settings = self.train.model_dump()
        for overrides in (self.models[model].train, self.studies[study].train):
            settings.update(overrides.model_dump(exclude_none=True))
        try:
            return Train(**settings)
        except ValidationError as error:
            raise UserError(f"params.yaml: train of model {model} in study {study}: {_explain(error.errors()[0])}") from None


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and check params.yaml.

    Raises UserError with one line that names every bad key, what was found there and what is allowed.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run from the root of the repository") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(_explain(problem) for problem in error.errors())) from None


def _explain(problem: dict) -> str:
    # The discriminator (lstm, cnn, ...) is part of pydantic's path but not of the file's.
    path = [str(part) for part in problem["loc"]]
    if path[:1] == ["models"] and len(path) > 2:
        del path[2]
    where = ".".join(path) or "the whole file"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {where}"
    if problem["type"] == "missing":
        return f"{where} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return message if where == "the whole file" else f"{where}: {message}"
    return f"{where}: {message[0].lower()}{message[1:]}, found {problem['input']!r}"
