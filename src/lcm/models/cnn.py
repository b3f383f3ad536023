"""CNN of Kim (2014) with the paper's filters: sizes 3, 10, 25, 100 of each.

Shapes: B batch, T tokens, E embedding, F filters.
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable

from lcm.models import Start, TextConfig
from lcm.models.initialise import keras_embedding, keras_linear
from lcm.schema import Count


class Config(TextConfig):
    family: str = "CNN"
    encoder: Literal["cnn"]
    filter_sizes: Annotated[list[Count], Field(min_length=1)]
    filters: Count

    @model_validator(mode="after")
    def filters_fit(self):
        if max(self.filter_sizes) > self.maxlen:
            raise ValueError(f"filter_sizes must not exceed maxlen {self.maxlen}, found {max(self.filter_sizes)}")
        return self


class Encoder(nn.Module):
    """Embedding -> convolutions over time -> ReLU -> maximum over time -> concatenation."""

    def __init__(self, config: Config, start: Start):
        super().__init__()
        self.vector_size = config.filters * len(config.filter_sizes)
        self.embedding = config.embedding_layer(start)
        size = self.embedding.embedding_dim
        self.convolutions = nn.ModuleList(nn.Conv1d(size, config.filters, width) for width in config.filter_sizes)
        if config.init == "keras":
            keras_embedding(self.embedding)
            for convolution in self.convolutions:
                keras_linear(convolution)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (B, T) int64. Returns v: (B, F * number of sizes)."""
        embedded = self.embedding(tokens)
        maxima = [
            ConvolutionMaximum.apply(embedded, convolution.weight, convolution.bias)
            for convolution in self.convolutions
        ]
        return torch.cat(maxima, 1).relu()  # ReLU commutes with the maximum

    def forward_stacked(self, tokens: Tensor) -> Tensor:
        """`forward` with dense gradients: the sparse ones of ConvolutionMaximum are faster on a CPU only."""
        embedded = self.embedding(tokens).transpose(1, 2)
        return torch.cat(
            [F.conv1d(embedded, layer.weight, layer.bias).max(-1).values for layer in self.convolutions], 1
        ).relu()


class ConvolutionMaximum(torch.autograd.Function):
    """max over t of (inputs * weight + bias)_t, (B, F), of inputs (B, T, E), weight (F, E, k), bias (F,).

    A maximum passes its gradient to one window only, so the backward pass needs B * F windows and not B * F * T. With
    the paper's filters a training step on a CPU is 2.8 times as fast as with autograd's dense gradients
    (benchmarks/cpu.py).
    """

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # embedding_bag adds float32 only
    def forward(ctx, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        maximum, where = F.conv1d(inputs.transpose(1, 2), weight, bias).max(-1)
        ctx.save_for_backward(inputs, weight, where)
        return maximum

    @staticmethod
    @custom_bwd(device_type="cpu")
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs, weight, where = ctx.saved_tensors
        (batch, time, size), (filters, _, width) = inputs.shape, weight.shape
        shifts = torch.arange(width, device=grad.device)
        first = where + time * torch.arange(batch, device=grad.device).unsqueeze(
            1
        )  # (B, F) row of a window's first token

        # weight: row (f, j) is the sum over samples of grad * token j of the window that won.
        rows = (first.T.unsqueeze(1) + shifts.unsqueeze(1)).reshape(-1, batch)
        shares = grad.T.unsqueeze(1).expand(filters, width, batch).reshape(-1, batch)
        grad_weight = F.embedding_bag(rows, inputs.reshape(-1, size), per_sample_weights=shares, mode="sum")

        # inputs: token p of the batch gets grad * weight[f, :, j] from every window that won and has p in place j.
        in_order = first.flatten().argsort(stable=True)
        starts = torch.bincount(first.flatten(), minlength=batch * time).cumsum(0).roll(1)
        starts[0] = 0
        winners, winners_grad = in_order % filters, grad.flatten()[in_order]
        grad_inputs = torch.zeros_like(inputs)
        flat = grad_inputs.view(-1, size)
        for j, block in enumerate(weight.permute(2, 0, 1).contiguous()):
            flat[j:] += F.embedding_bag(winners, block, starts, per_sample_weights=winners_grad, mode="sum")[
                : batch * time - j
            ]
        return grad_inputs, grad_weight.view(filters, width, size).transpose(1, 2), grad.sum(0)
