"""Predictors: an encoder that makes the text vector v, and a softmax layer on it. They know no targets and no files.

An encoder is one file of this folder, found by its name: `models.X.encoder: lstm` is models/lstm.py. It holds `Config`,
its keys in params.yaml, and `Encoder(config, start)`, an nn.Module with `vector_size`. If it needs another form when
the weights of many runs are stacked, that is its method `forward_stacked` (models/stacked.py).
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from lcm.models.initialise import keras_linear
from lcm.schema import Count, Group, Side

_PARTS = ("attention", "dropout", "initialise", "stacked")  # files that encoders share


@dataclass(frozen=True)
class Start:
    """What an encoder starts from.

    image_size: pixels of a square image's side. vectors: (rows, size) float32, of the words with ids 0 to rows - 1, if
    the model names a set of word vectors. folder: of a BERT's configuration and weights.
    """

    image_size: int | None = None
    vectors: np.ndarray | None = None
    folder: Path | None = None


class ModelConfig(Group):
    """Keys that every model has. family: the name under which tables and claims count it."""

    family: str = ""
    reads: Literal["tokens", "wordpieces", "images"] = "tokens"
    init: Literal["keras", "torch"]


class TextConfig(ModelConfig):
    """Keys of a model that reads words.

    Its embedding has random rows of size `embedding`, or starts from a set of word vectors and has their size.
    """

    embedding: Count | None = None
    vectors: str | None = None
    vocabulary_size: Annotated[int, Field(ge=2, le=10**7)]
    vocabulary_fit: Literal["all", "train"]
    maxlen: Annotated[int, Field(ge=1, le=10**5)]
    truncation: Side
    padding: Side

    @model_validator(mode="after")
    def one_embedding(self):
        if (self.embedding is None) == (self.vectors is None):
            raise ValueError("expected either embedding, a size, or vectors, a name below vectors.sets")
        return self

    def embedding_layer(self, start: Start) -> nn.Embedding:
        """Return an embedding of the configured size, not yet initialised."""
        return nn.Embedding(self.vocabulary_size, self.embedding if start.vectors is None else start.vectors.shape[1])


def encoder_names() -> list[str]:
    """Return the encoders of this folder, by file name."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in _PARTS)


def config_class(encoder: str) -> type[ModelConfig]:
    """Return the class of an encoder's keys. Raises ValueError, one line, for a name without a file."""
    if encoder not in encoder_names():
        raise ValueError(f"encoder {encoder!r}: no such file in src/lcm/models; known are {', '.join(encoder_names())}")
    return import_module(f"lcm.models.{encoder}").Config


class Predictor(nn.Module):
    """p = softmax(W_o v + b_o), v = encoder(x): the paper's basic predictor."""

    def __init__(self, encoder: nn.Module, n_labels: int, init: str):
        super().__init__()
        self.encoder = encoder
        self.output = nn.Linear(encoder.vector_size, n_labels)
        if init == "keras":
            keras_linear(self.output)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors v (B, d) and the logits (B, C) of a batch of the encoder's inputs."""
        vector = self.encoder(inputs)
        return vector, self.output(vector)


def build(config: ModelConfig, n_labels: int, start: Start = Start()) -> Predictor:
    """Return a freshly initialised predictor. Draws from PyTorch's global generator."""
    encoder = import_module(f"lcm.models.{config.encoder}").Encoder(config, start)
    if start.vectors is not None:
        with torch.no_grad():
            encoder.embedding.weight[: len(start.vectors)] = torch.from_numpy(start.vectors)
    return Predictor(encoder, n_labels, config.init)
