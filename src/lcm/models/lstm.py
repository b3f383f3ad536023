"""LSTM (paper, "Choice of Basic Predictors"): the last hidden state is the text vector.

Shapes: B batch, T tokens, h hidden.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from lcm.models import Start, TextConfig
from lcm.models.initialise import keras_embedding, keras_lstm
from lcm.models.stacked import Recurrence
from lcm.schema import Count


class Config(TextConfig):
    family: str = "LSTM"
    encoder: Literal["lstm"]
    hidden: Count
    mask: bool


class Encoder(nn.Module):
    """Embedding -> LSTM -> last hidden state.

    `mask` skips the pads (id 0); without it the LSTM reads them, as the authors' does.
    """

    def __init__(self, config: Config, start: Start):
        super().__init__()
        self.vector_size = config.hidden
        self.mask = config.mask
        self.embedding = config.embedding_layer(start)
        self.lstm = nn.LSTM(self.embedding.embedding_dim, config.hidden)
        if config.init == "keras":
            keras_embedding(self.embedding)
            keras_lstm(self.lstm)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (B, T) int64, 0 is padding, on one side. Returns v: (B, h)."""
        if not self.mask:
            _, (last, _) = self.lstm(self.embedding(tokens.T))  # (T, B, embedding): time first is the faster layout
            return last[0]
        lengths = (tokens != 0).sum(1)
        # Real tokens to the front whatever the padding side: with a mask the side must not matter.
        front = (tokens == 0).to(tokens.dtype).argsort(dim=1, stable=True)
        embedded = self.embedding(tokens.gather(1, front).T)
        packed = pack_padded_sequence(embedded, lengths.clamp(min=1).cpu(), enforce_sorted=False)
        _, (last, _) = self.lstm(packed)
        return last[0] * (lengths > 0).unsqueeze(1)  # nothing but pads: the zero state, as Keras gives

    def forward_stacked(self, tokens: Tensor) -> Tensor:
        """`forward` of stacked runs. With `mask` the pads come first and hold the state at zero, which is the same as
        to skip them.
        """
        layer, skip = self.lstm, None
        if self.mask:
            tokens = tokens.gather(1, (tokens != 0).long().argsort(dim=1, stable=True))
            skip = tokens.T == 0
        # float32 in bf16 training too: the state is a sum over time, and the recurrence waits for launches, not for
        # arithmetic.
        with torch.autocast(tokens.device.type, enabled=False):
            bias = layer.bias_ih_l0 + layer.bias_hh_l0
            return Recurrence.apply(self.embedding(tokens.T), layer.weight_ih_l0, layer.weight_hh_l0, bias, skip)[0]
