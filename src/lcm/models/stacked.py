"""How an encoder runs when the weights of many runs are stacked and `torch.vmap` maps its forward pass over them.

A model file is written for one run, and for a CPU where that differs. Here, and only here, stand the forms that `vmap` (and
a GPU) needs instead: same weights, same names, same numbers up to rounding. An encoder not named here runs as it is.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from lcm.models import Predictor


def vmappable(predictor: Predictor) -> Predictor:
    """The predictor itself, its encoder's forward pass replaced where `vmap` needs it."""
    forward = {"LstmEncoder": lstm, "CnnEncoder": cnn}.get(type(predictor.encoder).__name__)
    if forward:
        predictor.encoder.forward = partial(forward, predictor.encoder)
    return predictor


def lstm(encoder, tokens: Tensor) -> Tensor:
    """LstmEncoder.forward: one product for the inputs of all time steps, then the recurrence step by step."""
    layer = encoder.lstm
    gates = F.linear(encoder.embedding(tokens.T), layer.weight_ih_l0, layer.bias_ih_l0 + layer.bias_hh_l0)  # (T, B, 4h)
    hidden = cell = layer.weight_hh_l0.new_zeros(gates.shape[1], layer.hidden_size)  # float32 in bf16 training too: a sum over time
    for gate, live in zip(gates.unbind(), (tokens.T != 0).unsqueeze(-1).unbind(), strict=True):
        i, f, g, o = (gate + hidden @ layer.weight_hh_l0.T).chunk(4, -1)
        new_cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        new_hidden = o.sigmoid() * new_cell.tanh()
        if encoder.mask:  # a pad changes nothing
            new_hidden, new_cell = torch.where(live, new_hidden, hidden), torch.where(live, new_cell, cell)
        hidden, cell = new_hidden, new_cell
    return hidden


def cnn(encoder, tokens: Tensor) -> Tensor:
    """CnnEncoder.forward with dense gradients: the sparse ones of ConvolutionMaximum pay on a CPU only."""
    embedded = encoder.embedding(tokens).transpose(1, 2)
    return torch.cat([F.conv1d(embedded, layer.weight, layer.bias).max(-1).values for layer in encoder.convolutions], 1).relu()
