"""The examples of README run as they stand, and do what they say."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))

import huggingface_trainer  # noqa: E402
import plain_pytorch  # noqa: E402


def test_plain_pytorch_learns_and_saves_a_network_without_lcm(tmp_path):
    out = tmp_path / "digits.pt"
    done = subprocess.run(
        [sys.executable, EXAMPLES / "plain_pytorch.py", "--epochs", "12", "--out", out], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[1].rstrip(";")) > 0.85  # chance: 0.1
    alone = plain_pytorch.Network(64, 64, 10)
    alone.load_state_dict(torch.load(out, weights_only=True))  # strict: not a key too many


def test_the_trainer_learns_and_saves_a_model_without_lcm(tmp_path, capsys):
    accuracy = huggingface_trainer.train(tmp_path, epochs=4, accumulate=2)
    assert accuracy > 0.5  # chance: 0.36, the largest module
    assert "UNEXPECTED" not in capsys.readouterr().out


@pytest.fixture
def bert():
    torch.manual_seed(0)
    model = huggingface_trainer.tiny_bert(50)
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.0
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def trained(bert, tmp_path, accumulate: int) -> torch.Tensor:
    """LCM's weights after two optimiser steps of eight texts, taken in `accumulate` batches each."""
    torch.manual_seed(1)
    target = huggingface_trainer.LabelConfusion(huggingface_trainer.Task(n_labels=5, vector_size=64))
    ids = torch.randint(1, 50, (16, 10), generator=torch.Generator().manual_seed(0))
    rows = [{"input_ids": row, "attention_mask": torch.ones_like(row), "labels": k % 5} for k, row in enumerate(ids)]
    arguments = huggingface_trainer.TrainingArguments(
        output_dir=str(tmp_path), num_train_epochs=1, per_device_train_batch_size=8 // accumulate, use_cpu=True, seed=0,
        gradient_accumulation_steps=accumulate, optim="sgd", learning_rate=0.5, save_strategy="no", report_to=[],
        disable_tqdm=True, remove_unused_columns=False, max_grad_norm=0,
    )  # fmt: skip
    model = huggingface_trainer.WithTarget(bert, bert.classifier, target)
    before = target.confusion_model.embedding.weight.detach().clone()
    huggingface_trainer.Trainer(model=model, args=arguments, train_dataset=rows).train()
    after = target.confusion_model.embedding.weight.detach()
    assert not torch.equal(before, after)
    return after


def test_accumulated_batches_take_the_step_of_one_batch(bert, tmp_path):
    start = {name: weight.clone() for name, weight in bert.state_dict().items()}
    whole = trained(bert, tmp_path, 1)
    bert.load_state_dict(start)
    torch.testing.assert_close(trained(bert, tmp_path, 4), whole, rtol=1e-3, atol=1e-6)


def test_the_vector_is_what_the_output_layer_reads(bert):
    target = huggingface_trainer.LabelConfusion(huggingface_trainer.Task(n_labels=5, vector_size=64))
    model = huggingface_trainer.WithTarget(bert, bert.classifier, target).eval()
    ids = torch.randint(1, 50, (3, 10))
    outputs = model(labels=torch.tensor([0, 1, 2]), input_ids=ids)
    torch.testing.assert_close(bert.classifier(model.vector), outputs.logits)
    torch.testing.assert_close(outputs["loss"], target(outputs.logits, torch.tensor([0, 1, 2]), model.vector))
