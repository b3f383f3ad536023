"""Dropout without a generator: which elements drop is a hash of (seed, step, layer, call, element).

A run therefore drops the same ones alone, beside others in a fleet, in a CUDA graph, and after a checkpoint.
"""

import torch
from torch import Tensor, nn

BLOCK = 2**16  # elements


def mix(x: Tensor) -> Tensor:
    """A bijection of 32-bit integers (int32, products wrap) that looks random: "lowbias32" of C. Wellons'
    hash-prospector.
    """
    x = (x ^ ((x >> 16) & 0xFFFF)) * 0x7FEB352D  # masked: a shift of int32 brings in copies of the sign
    x = (x ^ ((x >> 15) & 0x1FFFF)) * (0x846CA68B - 2**32)
    return x ^ ((x >> 16) & 0xFFFF)


class Dropout(nn.Module):
    """nn.Dropout of probability p, but stateless. Its buffer `counter`, int32 (3,): the run's seed, the step, the
    layer's number.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p
        self.calls = 0  # in this step: ALBERT's layers are one layer, called again and again
        self.register_buffer("counter", torch.zeros(3, dtype=torch.int32), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs: any shape. Training: zero with probability p, else divided by 1 - p. Evaluation: as they are."""
        if not self.training or self.p == 0:
            return inputs
        seed, step, layer = self.counter
        key = mix(mix(mix(mix(seed) + step) + layer) + self.calls)
        self.calls += 1
        # By coordinates, not by a running number: a model may leave columns of pads out, and two keys share no shifted
        # streams.
        element = torch.zeros(1, dtype=torch.int32, device=inputs.device)
        for size in inputs.shape[:-1]:
            element = mix(element.unsqueeze(-1) + torch.arange(size, dtype=torch.int32, device=inputs.device)).flatten()
        last = torch.arange(inputs.shape[-1], dtype=torch.int32, device=inputs.device)
        # A CPU goes through the rows in blocks that stay in its cache: BERT's attention weights are 25 million
        # integers.
        block = max(1, BLOCK // len(last)) if inputs.device.type == "cpu" else len(element)
        keep = torch.cat(
            [mix(mix(rows.unsqueeze(-1) + last) + key) >= int(self.p * 2**32) - 2**31 for rows in element.split(block)]
        )
        return torch.where(keep.view(inputs.shape), inputs / (1 - self.p), 0)


def seed_dropout(module: nn.Module, seed: int) -> None:
    """Start the dropout of a run: step 0, layers numbered in the order of the module's definition."""
    for layer, dropout in enumerate(part for part in module.modules() if isinstance(part, Dropout)):
        dropout.counter.copy_(torch.tensor([seed, 0, layer]))


def next_step(module: nn.Module, buffers: dict[str, Tensor]) -> None:
    """Begin a step of training. buffers: the module's named buffers, of one run (counters (3,)) or of stacked runs (R,
    3).
    """
    for part in module.modules():
        if isinstance(part, Dropout):
            part.calls = 0
    for name, buffer in buffers.items():
        if name.endswith(".counter"):
            buffer[..., 1] += 1
