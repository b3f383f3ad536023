"""What each target costs: CPU microseconds of a step's loss and gradient, and the memory of its state.

usage: python benchmarks/targets.py [n_labels] > benchmarks/measured/targets.md

20 labels unless told, batches of 128, text vectors of 64, 18,846 samples. Prints a table in Markdown for
docs/targets.md, the cheapest first. The shortest of many rounds counts, so that other work on the machine does not.
"""

import sys
import time

import torch

from lcm.targets import Task, target_class, target_names

BATCH, SIZE, SAMPLES, ROUNDS, STEPS = 128, 64, 18_846, 60, 10


def task(n_labels: int) -> Task:
    labels = torch.arange(SAMPLES) % n_labels
    groups, transition = torch.arange(n_labels) // 4, 0.5 * torch.eye(n_labels) + 0.5 / n_labels
    held_out = (4 * torch.eye(n_labels)[labels] + torch.rand(SAMPLES, n_labels)).softmax(-1)
    return Task(n_labels, SIZE, SAMPLES, 20, groups, transition, held_out, labels, labels)


def one_round(target, n_labels: int) -> float:
    """CPU seconds of one loss and its gradient."""
    vector, logits = torch.randn(BATCH, SIZE, requires_grad=True), torch.randn(BATCH, n_labels, requires_grad=True)
    labels, samples = torch.randint(n_labels, (BATCH,)), torch.randperm(SAMPLES)[:BATCH]
    started = time.process_time()
    for _ in range(STEPS):
        target.losses(logits, labels, vector, samples).mean().backward()
    return (time.process_time() - started) / STEPS


def main(n_labels: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    given = task(n_labels)
    targets = {name: target_class(name)(given) for name in target_names()}
    best = dict.fromkeys(targets, float("inf"))
    for _ in range(ROUNDS):  # in turns, so that a busy moment hits all
        for name, target in targets.items():
            best[name] = min(best[name], one_round(target, n_labels))
    print("| target | microseconds | over cross-entropy | state and weights, kB |\n|---|---:|---:|---:|")
    for name, target in sorted(targets.items(), key=lambda item: best[item[0]]):
        held = sum(each.numel() * each.element_size() for each in [*target.buffers(), *target.parameters()]) / 1000
        print(f"| `{name}` | {1e6 * best[name]:.0f} | {1e6 * (best[name] - best['ce']):+.0f} | {held:,.1f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
