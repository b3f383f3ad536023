"""Label confusion learning in a plain PyTorch loop: scikit-learn's digits, a small network, half a minute on a CPU.

    pip install lcm-study scikit-learn
    python examples/plain_pytorch.py

Three things to get right are marked (1) to (3).
"""

import argparse
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from lcm import LabelConfusion, Task


class Network(nn.Module):
    """A network that also returns the vector which its last layer reads."""

    def __init__(self, n_inputs: int, hidden: int, n_labels: int):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(n_inputs, hidden), nn.ReLU())
        self.output = nn.Linear(hidden, n_labels)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        vector = self.hidden(inputs)
        return vector, self.output(vector)  # (1) LCM compares labels with the input of the output layer, with gradient


def train(epochs: int) -> tuple[Network, float]:
    """Train on two thirds of the digits. Returns the network and its accuracy on the last third."""
    torch.manual_seed(0)
    digits = load_digits()
    inputs, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    n = 2 * len(labels) // 3

    network = Network(64, 64, 10)
    target = LabelConfusion(Task(n_labels=10, vector_size=64), alpha=4.0)
    # (2) LCM has weights of its own, and they are trained together with the network's.
    optimizer = torch.optim.Adam([*network.parameters(), *target.parameters()], lr=0.003)
    for _ in range(epochs):
        for batch in torch.randperm(n).split(64):
            vector, logits = network(inputs[batch])
            loss = target(logits, labels[batch], vector)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    with torch.no_grad():
        _, logits = network(inputs[n:])  # (3) in use the network is alone
    return network, float((logits.argmax(-1) == labels[n:]).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training part (default: 30)")
    parser.add_argument(
        "--out", type=Path, default=Path("digits.pt"), help="where to save the network (default: digits.pt)"
    )
    given = parser.parse_args()
    network, accuracy = train(given.epochs)
    torch.save(network.state_dict(), given.out)  # nothing of LCM in it
    print(f"accuracy {accuracy:.3f}; saved to {given.out}")


if __name__ == "__main__":
    main()
