"""What the CPU measures of this repository are worth, as ratios on this machine: python benchmarks/cpu.py

Each line compares two ways of doing the same training step (batch 128, 100 tokens, the paper's sizes) in CPU time of one
thread, taken in turns, medians. Run it on an idle machine.
"""

import os
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from lcm.models.cnn import CnnEncoder
from lcm.models.lstm import LstmEncoder
from lcm.training.pool import WORKER_ENVIRONMENT

ROUNDS = 15


class DenseCnn(CnnEncoder):
    """The same encoder with autograd's own gradient of convolution and maximum."""

    def forward(self, tokens):
        embedded = self.embedding(tokens).transpose(1, 2)
        return torch.cat([F.conv1d(embedded, c.weight, c.bias).amax(-1) for c in self.convolutions], 1).relu()


def steps(*encoders: nn.Module) -> list[float]:
    """Median CPU seconds of a training step of each encoder, taken in turns."""
    tokens = torch.randint(0, 20000, (128, 100))
    seconds = [[] for _ in encoders]
    for _ in range(ROUNDS):
        for encoder, taken in zip(encoders, seconds, strict=True):
            started = time.process_time()
            encoder.zero_grad()
            encoder(tokens).square().sum().backward()
            taken.append(time.process_time() - started)
    return [statistics.median(taken[2:]) for taken in seconds]


def main() -> None:
    torch.set_num_threads(1)
    if len(sys.argv) > 1:  # a worker: one number for its parent
        print(steps(LstmEncoder(20000, 64, 64, False, "keras"))[0])
        return
    sparse, dense = steps(CnnEncoder(20000, 64, [3, 10, 25], 100, "keras"), DenseCnn(20000, 64, [3, 10, 25], 100, "keras"))
    print(f"CNN step, gradient through the maximum {sparse * 1e3:.0f} ms, dense {dense * 1e3:.0f} ms: ratio {dense / sparse:.2f}")
    plain = {name: value for name, value in os.environ.items() if name not in WORKER_ENVIRONMENT} | {"OMP_NUM_THREADS": "1"}
    times = {"plain": [], "tuned": []}
    for _ in range(3):
        for name, environment in (("plain", plain), ("tuned", plain | WORKER_ENVIRONMENT)):
            output = subprocess.run([sys.executable, __file__, "worker"], env=environment, capture_output=True, text=True, check=True)
            times[name].append(float(output.stdout))
    before, after = (min(times[name]) for name in ("plain", "tuned"))
    print(f"LSTM step, glibc's malloc as it is {before * 1e3:.0f} ms, keeping its memory {after * 1e3:.0f} ms: ratio {before / after:.2f}")


if __name__ == "__main__":
    main()
