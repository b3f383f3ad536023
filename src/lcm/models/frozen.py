"""A pre-trained encoder that is never trained: lcm.text.features makes its sentence features once, this is the head.

Shapes: B batch, s size of a feature vector, h hidden.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from lcm.models import ModelConfig, Start
from lcm.models.initialise import keras_linear
from lcm.schema import Count


class Config(ModelConfig):
    """source: a name below `encoders`, which the features were made with. size: s, of its vectors."""

    family: str = "frozen BERT"
    reads: Literal["features"] = "features"
    encoder: Literal["frozen"]
    source: str
    size: Count
    hidden: Count


class Encoder(nn.Module):
    """Features, standardised -> dense -> tanh, as the head of models/bert.py.

    Each text's numbers get mean 0 and variance 1, whatever the other texts are: an encoder's own are about 0.3 large.
    """

    def __init__(self, config: Config, start: Start):
        super().__init__()
        self.vector_size = config.hidden
        self.dense = nn.Linear(config.size, config.hidden)
        if config.init == "keras":
            keras_linear(self.dense)

    def forward(self, features: Tensor) -> Tensor:
        """features: (B, s) float32. Returns v: (B, h)."""
        return self.dense(F.layer_norm(features, features.shape[-1:])).tanh()
