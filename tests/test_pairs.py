"""Every target with every kind of encoder: a few steps alone and in a fleet, equal up to rounding.

A new file in src/lcm/targets or src/lcm/models is tested here without an edit: all targets with the bag, all encoders
with a few targets, one of them with state of its own for each sample. An encoder with keys of its own, which the tests
cannot guess, fails here until runs.MODELS names them.
"""

import pytest
import runs

from lcm.targets import target_class, target_names

SOURCE = runs.ROOT / "src/lcm"
TARGETS = target_names()
WITH_STATE = [name for name in TARGETS if "n_samples" in target_class(name).needs][:1]
ENCODERS = [name for name in runs.MODELS | runs.MORE_MODELS if name != "bag"]
PAIRS = [("bag", target) for target in TARGETS] + [
    (model, name) for model in ENCODERS for name in ["ce", "ls", "lcm", *WITH_STATE]
]


def files(folder):
    return {path.stem: path.read_text(encoding="utf-8") for path in (SOURCE / folder).glob("[!_]*.py")}


def test_every_encoder_and_every_target_has_a_pair():
    settings = runs.MODELS | runs.MORE_MODELS
    encoders = {name for name, text in files("models").items() if "class Encoder(" in text}
    assert {settings[model]["encoder"] for model, _ in PAIRS} == encoders
    assert {target for _, target in PAIRS} == set(files("targets")) - {"base", "checks", "measures"}


@pytest.mark.parametrize("model,target", PAIRS, ids=[" ".join(pair) for pair in PAIRS])
def test_a_pair_trains_alone_and_in_a_fleet(tmp_path, model, target):
    data, seeds = runs.noisy_runs(model, 2, folder=runs.bert_folder(tmp_path)), [0, 3]
    # two steps an epoch, the second smaller
    changes = {"epochs": 2, "batch_size": 20, "lr": 1e-3 if model == "bert" else 0.01}
    together = runs.train(model, data, target, seeds, **changes)
    assert together[0]["curve"] != together[1]["curve"]
    for found, each, seed in zip(together, data, seeds, strict=True):
        (alone,) = runs.train(model, [each], target, [seed], **changes)
        runs.assert_alike(found, alone)
        assert found["curve"][0]["train_loss"] != found["curve"][-1]["train_loss"]
