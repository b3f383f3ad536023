"""LSTM (paper, "Choice of Basic Predictors"): the last hidden state is the text vector. Shapes: B batch, T tokens, h hidden."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from lcm.models.initialise import keras_embedding, keras_lstm


class LstmEncoder(nn.Module):
    """Embedding -> LSTM -> last hidden state. `mask` skips the pads (id 0); without it the LSTM reads them, as the authors' does."""

    def __init__(self, vocabulary_size: int, embedding: int, hidden: int, mask: bool, init: str):
        super().__init__()
        self.vector_size = hidden
        self.mask = mask
        self.embedding = nn.Embedding(vocabulary_size, embedding)
        self.lstm = nn.LSTM(embedding, hidden)
        if init == "keras":
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
