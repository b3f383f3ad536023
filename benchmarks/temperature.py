"""What a temperature does to probabilities: calibration error and likelihood before and after, target by target.

usage: python benchmarks/temperature.py > benchmarks/measured/temperature.md

Reads the probabilities that the run store keeps of the study `targets`, with each target tuned, and the prepared data.
For each run one temperature T is fitted on the validation part (right labels, likelihood of softmax(log p / T)) and
used on the test part. Means over the runs that cross-entropy shares, then over settings. Runs without probabilities
(trained on another machine) are left out; a setting counts where half of a target's runs have them.
"""

from functools import cache
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from lcm.evidence import rivals, which
from lcm.evidence.page import read_evidence
from lcm.evidence.results import Result
from lcm.params import load_params
from lcm.protocol.splits import TEST, VAL
from lcm.study import target_facts
from lcm.training import inputs, store
from lcm.training.evaluation import evaluate


def with_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log p / T), (B, C). The store keeps float16: what it rounds to 0 counts as its smallest number."""
    return softmax(np.log(np.maximum(probabilities.astype(np.float64), 6e-8)) / temperature, axis=1)


def fitted(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in [0.01, 100] with the best likelihood of these labels (B,)."""
    rows = np.arange(len(labels))

    def nll(log_temperature: float) -> float:
        p = with_temperature(probabilities, float(np.exp(log_temperature)))[rows, labels]
        return -float(np.log(np.maximum(p, 1e-300)).mean())

    return float(np.exp(minimize_scalar(nll, bounds=np.log([0.01, 100]), method="bounded").x))


@cache
def of_run(key: str, corpus: str, split: int) -> tuple[dict, dict, float] | None:
    """Test metrics of a run before and after, and the temperature; None if the store has no probabilities."""
    kept = store.load_predictions(key)
    if kept is None:
        return None
    data = inputs.load(corpus)
    true = {part: data.corpus.labels[data.splits[split] == code] for part, code in (("test", TEST), ("val", VAL))}
    temperature = fitted(kept["val"], true["val"])
    after = with_temperature(kept["test"], temperature)
    return evaluate(kept["test"], true["test"]), evaluate(after, true["test"]), temperature


def of_setting(result: Result | None) -> dict[tuple[int, int], list[float]]:
    """(split, seed) -> [ECE, ECE after, NLL after, temperature]; empty if fewer than half of the runs have them."""
    runs = result.runs if result else []
    found = {(run["split"], run.get("seed", 0)): of_run(run["key"], result.corpus, run["split"]) for run in runs}
    rows = {place: [each[0]["ece"], each[1]["ece"], each[1]["nll"], each[2]] for place, each in found.items() if each}
    return rows if 2 * len(rows) >= len(runs) else {}


def lines(kind: str) -> list[str]:
    """Rows of the table for settings of one kind, the best likelihood first."""
    evidence = read_evidence(load_params(training=True), Path(), ["targets"])
    settings = [each for each in rivals.settings_of(evidence) if kind in which.kinds(each)]
    plain = [of_setting(evidence.rival(each, "ce")) for each in settings]
    found = []
    for name, target in target_facts().items():
        if target.ceiling or name == "ls_matched":
            continue
        measured = plain if name == "ce" else [of_setting(evidence.tuned(each, name)) for each in settings]
        rows, over, runs = [], [], 0
        for mine, theirs in zip(measured, plain, strict=True):
            if shared := mine.keys() & theirs.keys():
                rows.append(np.mean([mine[place] for place in shared], axis=0))
                over.append(np.mean([mine[place][2] - theirs[place][2] for place in shared]))
                runs += len(shared)
        if len(rows) > 1:
            ece, after, _, temperature = np.mean(rows, axis=0)
            found.append(
                (
                    float(np.mean(over)),
                    f"| {target.label} | {100 * ece:.1f} | {100 * after:.1f} | {temperature:.2f} | "
                    f"{_signed(float(np.mean(over)))} | {len(rows)} | {runs} |",
                )
            )
    return [line for _, line in sorted(found)]


def _signed(nats: float) -> str:
    value = round(nats, 3)
    return (f"{value:+.3f}" if value else "0.000").replace("-", "−")


def main() -> None:
    for kind in (which.RIGHT, which.WRONG):
        print(f"**{kind.capitalize()}**\n")
        print("| target | ECE, % | ECE with T, % | T | NLL with T − that of cross-entropy, nats | settings | runs |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        print("\n".join(lines(kind)), end="\n\n")


if __name__ == "__main__":
    main()
