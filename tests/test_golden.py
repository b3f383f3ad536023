"""Golden traces: what the first steps of a noisy run give for each (encoder, target), alone and in a fleet.

A number that differs means that the code's numbers changed. If that is meant, raise the encoder's version
(ALGORITHM in training/store.py), so that no old result passes for a new one, and write the traces again:
`python tests/test_golden.py`. A new encoder or target gets its traces by the same command; the others must stay.
"""

import json
import tempfile
from pathlib import Path

import pytest
import runs
import torch

from lcm.models import encoder_names
from lcm.targets import target_names

FILE = Path(__file__).parent / "golden.json"
GOLDEN = json.loads(FILE.read_text())
MODELS = (*runs.MODELS, *runs.MORE_MODELS)
CHANGED = ("ls.epsilon=0.4,stop_epoch=1", "lcm.alpha=0.5", "lcm.stop_epoch=1", "lcm.detach=true")
TARGETS = [name for name in target_names() if name != "prune_window"]  # whose loss is that of prune
# The shuffle of seed 0 leaves four labels in their groups.
METHODS = tuple(name.replace("permuted_group", "permuted_group.seed=1") for name in (*TARGETS, *CHANGED))
TOLERANCE = 1e-4  # relative. Alone and in a fleet, or with AVX2 and AVX512, sums are in another order: measured 2e-6


def traces(model: str, method: str, folder: Path, seeds: list[int]) -> list[dict[str, list[float]]]:
    """Of runs with these seeds, 0 or 1, trained together: loss and validation NLL of each epoch; test NLL.

    Three epochs of five steps (a target with rounds has more). Test NLL at the best and after the last epoch.
    """
    data = [runs.noisy_runs(model, 2, folder=runs.bert_folder(folder))[seed] for seed in seeds]
    found = runs.train(model, data, method, seeds, lr=3e-4 if model == "bert" else 0.01)
    return [
        {
            "train_loss": [row["train_loss"] for row in record["curve"]],
            "val_nll": [row["val_nll"] for row in record["curve"]],
            "test_nll": [record["test"]["nll"], record["test_last"]["nll"]],
        }
        for record in found
    ]


ALONE = [(model, method, [0]) for model in MODELS for method in METHODS]
# Fleets of every encoder and of every target: that each pair gives in a fleet what it gives alone, test_pairs.py tests.
FLEETS = [(model, method, [1, 0]) for model, method, _ in ALONE if model == "cnn" or method in runs.METHODS + CHANGED]


@pytest.mark.parametrize("model,method,seeds", ALONE + FLEETS)
def test_the_numbers_are_those_of_before(tmp_path, model, method, seeds):
    for seed, found in zip(seeds, traces(model, method, tmp_path, seeds), strict=True):
        for name, values in GOLDEN[model][method][seed].items():
            assert found[name] == pytest.approx(values, rel=TOLERANCE), (seed, name)


def test_every_encoder_and_target_has_a_trace_of_its_own():
    """Else a trace would guard nothing: a method that is ignored gives another's numbers."""
    assert {encoder for model in GOLDEN for encoder in [runs.model_settings(model).encoder]} == set(encoder_names())
    assert all(set(of) == set(METHODS) for of in GOLDEN.values())
    traced = [json.dumps(of_run) for of in GOLDEN.values() for each in of.values() for of_run in each]
    assert len(set(traced)) == len(traced)


def write() -> None:
    torch.set_num_threads(1)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            of_model = []
            for method in METHODS:
                found = [traces(model, method, Path(folder), [seed])[0] for seed in (0, 1)]
                rounded = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 7))
                of_model.append(f' "{method}": {json.dumps(rounded)}')
            lines.append(f'"{model}": {{\n' + ",\n".join(of_model) + "\n}")
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write()
