"""Predictors: an encoder that makes the text vector v, and a softmax layer on it. They know nothing of targets or of files."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lcm.models.initialise import keras_linear
from lcm.params import Model


class Predictor(nn.Module):
    """p = softmax(W_o v + b_o), v = encoder(x): the paper's basic predictor."""

    def __init__(self, encoder: nn.Module, n_labels: int, init: str):
        super().__init__()
        self.encoder = encoder
        self.output = nn.Linear(encoder.vector_size, n_labels)
        if init == "keras":
            keras_linear(self.output)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs as the encoder takes them. Returns the vectors v (B, d) and the logits (B, C)."""
        vector = self.encoder(inputs)
        return vector, self.output(vector)


def build(
    settings: Model, n_labels: int, image_size: int | None = None, vectors: np.ndarray | None = None, folder: Path | None = None
) -> Predictor:
    """A freshly initialised predictor; draws from PyTorch's global generator.

    image_size: pixels of a (square) image's side. vectors: (rows, size) float32 of the words with ids 0 to rows - 1, where
    the settings name a set of vectors: the embedding starts from them and is trained like everything else. folder: of a BERT's
    configuration and weights.
    """
    embedding = getattr(settings, "embedding", None) if vectors is None else vectors.shape[1]
    if settings.encoder == "lstm":
        from lcm.models.lstm import LstmEncoder

        encoder = LstmEncoder(settings.vocabulary_size, embedding, settings.hidden, settings.mask, settings.init)
    elif settings.encoder == "cnn":
        from lcm.models.cnn import CnnEncoder

        encoder = CnnEncoder(settings.vocabulary_size, embedding, settings.filter_sizes, settings.filters, settings.init)
    elif settings.encoder == "bert":
        from lcm.models.bert import BertEncoder

        encoder = BertEncoder(folder, settings.random, settings.hidden, settings.init)
    else:
        from lcm.models.image_cnn import ImageCnnEncoder

        encoder = ImageCnnEncoder(image_size, settings.channels, settings.hidden, settings.dropout, settings.init)
    if vectors is not None:
        with torch.no_grad():
            encoder.embedding.weight[: len(vectors)] = torch.from_numpy(vectors)
    return Predictor(encoder, n_labels, settings.init)
