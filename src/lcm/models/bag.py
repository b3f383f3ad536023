"""Bag of embeddings (fastText's architecture, Joulin et al. 2017): the mean of the word vectors is the text vector."""

from typing import Literal

from torch import Tensor, nn

from lcm.models import Start, TextConfig
from lcm.models.initialise import keras_embedding


class Config(TextConfig):
    family: str = "bag"
    encoder: Literal["bag"]


class Encoder(nn.Module):
    """Embedding -> mean over the tokens that are no padding. A document without tokens has the zero vector."""

    def __init__(self, config: Config, start: Start):
        super().__init__()
        self.embedding = config.embedding_layer(start)
        self.vector_size = self.embedding.embedding_dim
        if config.init == "keras":
            keras_embedding(self.embedding)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (B, T) int64, 0 is padding. Returns v: (B, E)."""
        real = (tokens != 0).to(self.embedding.weight.dtype)
        return (self.embedding(tokens) * real.unsqueeze(-1)).sum(1) / real.sum(1, keepdim=True).clamp(min=1)
