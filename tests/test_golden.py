"""Golden traces: what the first steps of a noisy run give for each (encoder, method), alone and in a fleet.

A number that differs means that the code's numbers changed. If that is meant, raise the encoder's version
(ALGORITHM in training/store.py), so that no old result passes for a new one, and write the traces again:
`python tests/test_golden.py`.
"""

import json
import tempfile
from pathlib import Path

import pytest
import runs
import torch

FILE = Path(__file__).parent / "golden.json"
METHODS = (*runs.METHODS, "ls.epsilon=0.4,stop_epoch=1", "lcm.alpha=0.5", "lcm.stop_epoch=1", "lcm.detach=true")
TOLERANCE = 1e-4  # relative. Alone and in a fleet, or with AVX2 and AVX512, sums are in another order: measured 1e-6


def traces(model: str, method: str, folder: Path, together: bool) -> list[dict[str, list[float]]]:
    """Of two runs: loss and validation NLL of three epochs of five steps; test NLL at the best and the last epoch."""
    data = runs.noisy_runs(model, 2, folder=runs.bert_folder(folder))
    parts = [(data, [0, 1])] if together else [(data[:1], [0]), (data[1:], [1])]
    lr = 3e-4 if model == "bert" else 0.01
    found = [record for part, seeds in parts for record in runs.train(model, part, method, seeds, lr=lr)]
    return [
        {
            "train_loss": [row["train_loss"] for row in record["curve"]],
            "val_nll": [row["val_nll"] for row in record["curve"]],
            "test_nll": [record["test"]["nll"], record["test_last"]["nll"]],
        }
        for record in found
    ]


@pytest.mark.parametrize("together", [False, True], ids=["alone", "fleet"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", runs.MODELS)
def test_the_numbers_are_those_of_before(tmp_path, model, method, together):
    expected = json.loads(FILE.read_text())[model][method]
    for run, (found, golden) in enumerate(zip(traces(model, method, tmp_path, together), expected, strict=True)):
        for name, values in golden.items():
            assert found[name] == pytest.approx(values, rel=TOLERANCE), (run, name)


def test_every_pair_differs_from_every_other():
    """Else a trace would guard nothing: a method that is ignored gives another's numbers."""
    losses = {
        f"{model} {method}": str(each[0]["train_loss"])
        for model, of in json.loads(FILE.read_text()).items()
        for method, each in of.items()
    }
    assert len(set(losses.values())) == len(losses) == len(runs.MODELS) * len(METHODS)


def write() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        golden = {
            model: {method: traces(model, method, Path(folder), False) for method in METHODS} for model in runs.MODELS
        }
    rounded = json.loads(json.dumps(golden), parse_float=lambda text: round(float(text), 7))
    lines = [
        f'"{model}": {{\n' + ",\n".join(f' "{method}": {json.dumps(of)}' for method, of in each.items()) + "\n}"
        for model, each in rounded.items()
    ]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write()
