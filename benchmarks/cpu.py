"""What the CPU measures of this repository are worth, as ratios on this machine: python benchmarks/cpu.py

Each line compares two ways of doing the same training step (batch 128; 100 tokens or MNIST's size; MiniLM: batch 16,
128 wordpieces) in CPU time of one thread, taken in turns, medians. Run it on an idle machine.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from lcm.models import Start, build, cnn, dropout, image_cnn
from lcm.params import Params, load_params
from lcm.text.wordpieces import encoder_folder
from lcm.training.pool import WORKER_ENVIRONMENT

ROUNDS = 15


class DenseCnn(cnn.Encoder):
    """The same encoder with autograd's own gradient of convolution and maximum."""

    def forward(self, tokens):
        embedded = self.embedding(tokens).transpose(1, 2)
        return torch.cat([F.conv1d(embedded, c.weight, c.bias).amax(-1) for c in self.convolutions], 1).relu()


class UsualImageCnn(image_cnn.Encoder):
    """The same encoder as it is usually written: ReLU before the pooling, weights with the channels first."""

    def __init__(self, config, start):
        super().__init__(config, start)
        first, pool, relu, second, *rest = self.layers
        self.layers = nn.Sequential(first, relu, pool, second, relu, pool, *rest[2:]).to(
            memory_format=torch.contiguous_format
        )


class Rounded(nn.Module):
    """An encoder whose products are of bf16 (execution.precision)."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs):
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            return self.encoder(inputs).float()


class Blocks(nn.Module):
    """Dropout alone, its hash in blocks of so many elements."""

    def __init__(self, block: int):
        super().__init__()
        self.block, self.dropout = block, dropout.Dropout(0.1)

    def forward(self, inputs):
        dropout.BLOCK = self.block
        return self.dropout(inputs)


NOTHING = Start()


def encoder_of(params: Params, model: str, start: Start = NOTHING) -> nn.Module:
    """Return the encoder of a model of params.yaml."""
    return build(params.model(model), 20, start).encoder


def steps(inputs: torch.Tensor, *encoders: nn.Module, rounds: int = ROUNDS) -> list[float]:
    """Median CPU seconds of a training step of each encoder, taken in turns."""
    seconds = [[] for _ in encoders]
    for _ in range(rounds):
        for encoder, taken in zip(encoders, seconds, strict=True):
            started = time.process_time()
            encoder.zero_grad()
            encoder(inputs).square().sum().backward()
            taken.append(time.process_time() - started)
    return [statistics.median(taken[2:]) for taken in seconds]


def main() -> None:
    torch.set_num_threads(1)
    params = load_params(Path(__file__).parent.parent / "params.yaml")
    tokens = torch.randint(0, 20000, (128, 100))
    if len(sys.argv) > 1:  # a worker: one number for its parent
        print(steps(tokens, encoder_of(params, "lstm_rand"))[0])
        return
    if "MALLOC_TOP_PAD_" not in os.environ:  # as the pool's workers have it
        os.execve(sys.executable, [sys.executable, __file__], os.environ | WORKER_ENVIRONMENT)
    sparse, dense = steps(tokens, encoder_of(params, "cnn_rand"), DenseCnn(params.model("cnn_rand"), Start()))
    print(
        f"CNN step, gradient through the maximum {sparse * 1e3:.0f} ms, dense {dense * 1e3:.0f} ms: "
        f"ratio {dense / sparse:.2f}"
    )
    images, start = torch.randint(0, 256, (128, 28, 28), dtype=torch.uint8), Start(image_size=28)
    usual = UsualImageCnn(params.model("image_cnn"), start)
    ours, usual = steps(images, encoder_of(params, "image_cnn", start), usual)
    print(
        f"image CNN step, pooling first and channels last {ours * 1e3:.0f} ms, as usual {usual * 1e3:.0f} ms: "
        f"ratio {usual / ours:.2f}"
    )
    weights = torch.rand(64, 12, 128, 128, requires_grad=True)  # MiniLM's attention
    block = dropout.BLOCK
    blocks, whole = steps(weights, Blocks(block), Blocks(2**40), rounds=7)
    print(
        f"dropout of attention's weights, hash in blocks {blocks * 1e3:.0f} ms, at once {whole * 1e3:.0f} ms: "
        f"ratio {whole / blocks:.2f}"
    )
    dropout.BLOCK = block
    folder = encoder_folder("minilm", params.encoders["minilm"])
    minilm = encoder_of(params, "minilm", Start(folder=folder)).train()
    exact, rounded = steps(torch.randint(1000, 20000, (16, 128)), minilm, Rounded(minilm), rounds=7)
    print(f"MiniLM step, bf16 {rounded:.2f} s, float32 {exact:.2f} s: ratio {exact / rounded:.2f}")
    plain = {name: value for name, value in os.environ.items() if name not in WORKER_ENVIRONMENT} | {
        "OMP_NUM_THREADS": "1"
    }
    times = {"plain": [], "tuned": []}
    for _ in range(3):
        for name, environment in (("plain", plain), ("tuned", plain | WORKER_ENVIRONMENT)):
            output = subprocess.run(
                [sys.executable, __file__, "worker"], env=environment, capture_output=True, text=True, check=True
            )
            times[name].append(float(output.stdout))
    before, after = (min(times[name]) for name in ("plain", "tuned"))
    print(
        f"LSTM step, glibc's malloc as it is {before * 1e3:.0f} ms, keeping its memory {after * 1e3:.0f} ms: "
        f"ratio {before / after:.2f}"
    )


if __name__ == "__main__":
    main()
