"""The targets as people use them in a loop of their own: what is refused and how, autocast, state, names, several
processes.
"""

import ast
import copy
import inspect
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lcm
from lcm import GeneralisedCrossEntropy, LabelConfusion, LabelConfusionModel, LabelSmoothing, Task, lcm_loss
from lcm.targets import target_class, target_names

C, D, B, T, N = 5, 4, 6, 3, 9


def inputs(*shape, seed=0):
    """Logits, labels, vectors and samples of this shape."""
    torch.manual_seed(seed)
    logits, vector = torch.randn(*shape, C), torch.randn(*shape, D)
    return logits, torch.randint(C, shape), vector, torch.arange(math.prod(shape)).reshape(shape) % N


def make(name, n_samples=N):
    if name == "prune":
        pytest.importorskip("cleanlab")
    torch.manual_seed(0)
    held_out = (4 * torch.eye(C)[torch.arange(n_samples) % C] + torch.rand(n_samples, C)).softmax(-1)
    labels = torch.arange(n_samples) % C
    groups, transition = torch.arange(C) // 2, 0.5 * torch.eye(C) + 0.5 / C
    task = Task(C, D, n_samples, 2, groups, transition, held_out, labels, labels)
    return target_class(name)(task).eval()


EVERY = pytest.mark.parametrize("name", target_names())


@EVERY
def test_a_target_takes_texts_and_places_in_texts(name):
    target, (logits, labels, vector, samples) = make(name), inputs(B, T)
    whole = target(logits, labels, vector, samples)
    flat = target(logits.flatten(0, 1), labels.flatten(), vector.flatten(0, 1), samples.flatten())
    one_by_one = target.losses(logits.flatten(0, 1), labels.flatten(), vector.flatten(0, 1), samples.flatten())
    assert whole.shape == () and torch.equal(whole, flat)
    torch.testing.assert_close(whole, one_by_one.mean())


@EVERY
def test_a_target_leaves_out_places_labelled_minus_100(name):
    target, (logits, labels, vector, samples) = make(name), inputs(B)
    kept = target(logits[2:], labels[2:], vector[2:], samples[2:])
    labels[:2] = -100
    torch.testing.assert_close(target(logits, labels, vector, samples), kept)
    logits.requires_grad_()
    nothing = target.train()(logits, torch.full((B,), -100), vector, samples)
    nothing.backward()
    assert nothing == 0 and (logits.grad == 0).all()


WRONG = [
    ("labels (B, 1)", {"labels": torch.zeros(B, 1).long()}, r"\(6,\), found \(6, 1\); use labels.squeeze\(-1\)$"),
    ("one label for all", {"labels": torch.zeros(1).long()}, r"labels of shape \(6,\), found \(1,\)$"),
    ("float labels", {"labels": torch.zeros(B)}, r"labels of integers, found torch.float32 of shape \(6,\)$"),
    ("bool labels", {"labels": torch.zeros(B).bool()}, "labels of integers, found torch.bool"),
    ("no tensor", {"labels": [0] * B}, "labels of integers, found list$"),
    ("a label too large", {"labels": torch.full((B,), C)}, "labels from 0 to 4, or -100 for none, found 5$"),
    ("a label too small", {"labels": torch.full((B,), -1)}, "labels from 0 to 4, or -100 for none, found -1$"),
    ("other labels", {"logits": torch.zeros(B, C + 1)}, r"logits of shape \(batch, 5\), found \(6, 6\)$"),
    ("one text without batch", {"logits": torch.zeros(C)}, r"logits of shape \(batch, 5\), found \(5,\)$"),
    ("an empty batch", {"logits": torch.zeros(0, C)}, r"the batch is empty, logits has shape \(0, 5\)$"),
    ("integer logits", {"logits": torch.zeros(B, C).long()}, "logits of floats, found torch.int64 of shape"),
]  # fmt: skip


@EVERY
@pytest.mark.parametrize("change,message", [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_said_in_one_line(name, change, message):
    arguments = dict(zip(("logits", "labels", "vector", "samples"), inputs(B), strict=True)) | change
    with pytest.raises(ValueError, match=f"^{name}: .*{message}") as error:
        make(name)(**arguments)
    assert "\n" not in str(error.value)


@EVERY
def test_swapped_arguments_are_noticed(name):
    logits, labels, vector, samples = inputs(B)
    with pytest.raises(ValueError, match="are logits and labels swapped"):
        make(name)(labels, logits, vector, samples)


@EVERY
def test_vectors_and_samples_are_checked_where_they_are_needed(name):
    target, (logits, labels, vector, samples) = make(name), inputs(B)
    if "vector_size" in target.needs:
        for wrong, found in (
            (None, "None"),
            (vector[:2], r"\(2, 4\)"),
            (vector[:, :3], r"\(6, 3\)"),
            (vector.long(), "torch.int64"),
        ):
            with pytest.raises(ValueError, match=f"^{name}.* vector .*found {found}"):
                target(logits, labels, wrong, samples)
    else:
        assert target(logits, labels, "ignored", samples).isfinite()
    if "n_samples" in target.needs:
        for wrong, found in (
            (None, "None"),
            (samples[:2], r"\(2,\)"),
            (samples + N, "9"),
            (-1 - samples, "-1"),
            (samples.float(), "torch"),
        ):
            with pytest.raises(ValueError, match=f"^{name}.* samples .*found {found}"):
                target(logits, labels, vector, wrong)
    else:
        assert target(logits, labels, vector, "ignored").isfinite()


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.int16, torch.int32])
def test_labels_of_other_integers_are_right(kind):
    logits, labels, vector, _ = inputs(B)
    model = LabelConfusionModel(C, D)
    assert torch.equal(LabelSmoothing(C)(logits, labels.to(kind)), LabelSmoothing(C)(logits, labels))
    assert torch.equal(model(vector, labels.to(kind)), model(vector, labels))


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@EVERY
def test_losses_are_of_float32_whatever_the_model_is(name, half):
    target, (logits, labels, vector, samples) = make(name), inputs(B)
    logits, vector = logits.to(half), vector.to(half)
    expected = target(logits.float(), labels, vector.float(), samples)
    with torch.autocast("cpu", torch.bfloat16):
        found = target(logits, labels, vector, samples)
    assert found.dtype == torch.float32 and torch.equal(found, expected)
    assert torch.equal(target(logits, labels, vector, samples), expected)


# The label confusion model and its loss


def test_lcm_in_two_steps_equals_kl_div_to_the_last_bit_and_the_target_in_one():
    logits, labels, vector, _ = inputs(97)
    logits.requires_grad_()
    torch.manual_seed(1)
    one = LabelConfusion(Task(C, D))
    model = one.confusion_model
    loss = lcm_loss(logits, model(vector, labels))
    expected = F.kl_div(logits.log_softmax(-1), model(vector, labels), reduction="batchmean")
    assert torch.equal(loss, expected)
    of = (logits, *model.parameters())
    for ours, theirs in zip(torch.autograd.grad(loss, of), torch.autograd.grad(expected, of), strict=True):
        assert torch.equal(ours, theirs)
    torch.testing.assert_close(one(logits, labels, vector), loss)


def test_lcm_at_token_level_is_a_mean_over_the_places_that_have_a_label():
    logits, labels, vector, _ = inputs(B, T)
    labels[0], labels[1, 2] = -100, -100
    model, keep = LabelConfusionModel(C, D), labels != -100
    target = model(vector, labels)
    assert target.shape == (B, T, C) and (target[~keep] == 0).all()
    loss, expected = lcm_loss(logits, target), lcm_loss(logits[keep], model(vector[keep], labels[keep]))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(each, list(model.parameters())) for each in (loss, expected)))
    nothing = lcm_loss(logits.requires_grad_(), model(vector, torch.full_like(labels, -100)))
    nothing.backward()
    assert nothing == 0 and (logits.grad == 0).all() and torch.isfinite(model.encoder.weight.grad).all()


@pytest.mark.parametrize(
    "vector,labels,message",
    [
        (torch.zeros(B, D), torch.zeros(B, 1).long(), r"labels of shape \(6,\), found \(6, 1\); use labels.squeeze"),
        (torch.zeros(B, D), torch.zeros(1).long(), r"labels of shape \(6,\), found \(1,\)"),
        (torch.zeros(B, D + 1), torch.zeros(B).long(), r"vector of shape \(batch, 4\), found \(6, 5\)"),
        (torch.zeros(B, T, D), torch.zeros(B).long(), r"labels of shape \(6, 3\), found \(6,\)"),
        (torch.zeros(B, D), torch.full((B,), C), "labels from 0 to 4, or -100 for none, found 5"),
        (torch.zeros(B, D), torch.zeros(B), "labels of integers, found torch.float32"),
        (
            torch.zeros(B).long(),
            torch.zeros(B, D),
            "vector of floats, found torch.int64 of shape .*are vector and labels swapped",
        ),
        (torch.zeros(0, D), torch.zeros(0).long(), r"the batch is empty, vector has shape \(0, 4\)"),
    ],
)
def test_the_label_confusion_model_refuses(vector, labels, message):
    with pytest.raises(ValueError, match=f"^LabelConfusionModel: .*{message}"):
        LabelConfusionModel(C, D)(vector, labels)


def test_lcm_loss_refuses_what_is_no_target():
    logits, labels, vector, _ = inputs(B)
    target = LabelConfusionModel(C, D)(vector, labels)
    with pytest.raises(ValueError, match="^lcm_loss: .*are logits and target swapped"):
        lcm_loss(target, logits)
    with pytest.raises(ValueError, match=r"^lcm_loss: .*of one shape, found \(6, 1\) and \(6, 5\)"):
        lcm_loss(logits[:, :1], target)
    with pytest.raises(ValueError, match=r"^lcm_loss: the batch is empty, logits has shape \(0, 5\)"):
        lcm_loss(logits[:0], target[:0])
    with pytest.raises(ValueError, match="^lcm_loss: expected target of floats"):
        lcm_loss(logits, target.long())


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"n_labels": 1}, "n_labels of at least 2, found 1"),
        ({"vector_size": 0}, "vector_size of at least 1, found 0"),
        ({"label_dim": 0}, "label_dim of at least 1, found 0"), ({"alpha": -1}, "alpha to be a number >= 0, found -1"),
        ({"alpha": math.nan}, "found nan"), ({"alpha": math.inf}, "found inf"),
    ],
)  # fmt: skip
def test_the_label_confusion_model_has_possible_sizes(arguments, message):
    with pytest.raises(ValueError, match=f"^LabelConfusionModel: expected .*{message}$"):
        LabelConfusionModel(**{"n_labels": C, "vector_size": D, **arguments})


def test_the_target_distribution_is_of_float32_under_autocast_and_after_a_half_model():
    _, labels, vector, _ = inputs(B)
    model = LabelConfusionModel(C, D)
    expected = model(vector.bfloat16().float(), labels)
    with torch.autocast("cpu", torch.bfloat16):
        found = model(vector.bfloat16(), labels)
        loss = lcm_loss(torch.randn(B, C).bfloat16(), found)
    assert found.dtype == loss.dtype == torch.float32 and torch.equal(found, expected)
    assert torch.equal(model(vector.bfloat16(), labels), expected)


def test_settings_are_shown_and_a_state_with_another_one_is_refused():
    """LCM's own: test_targets_base.py."""
    assert "alpha=2.0" in repr(LabelConfusionModel(C, D, alpha=2.0))
    assert "epsilon=0.3" in repr(LabelSmoothing(C, epsilon=0.3))
    with pytest.raises(RuntimeError, match="q: the state holds 0.5, this GeneralisedCrossEntropy was built with 0.7"):
        GeneralisedCrossEntropy(C).load_state_dict(GeneralisedCrossEntropy(C, q=0.5).state_dict())


@EVERY
def test_a_target_can_be_copied_and_compiled_steps_are_possible(name):
    target, batch = make(name), inputs(B)
    assert torch.equal(copy.deepcopy(target)(*batch), target(*batch))


# Names


def test_import_lcm_is_cheap_and_dir_shows_its_names():
    code = "import sys, lcm; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules); print(*dir(lcm))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*lcm.__all__, "__version__"} <= set(found.stdout.split())
    with pytest.raises(AttributeError, match="'lcm' has no attribute 'nosuch'"):
        lcm.nosuch  # noqa: B018


def test_the_library_needs_pytorch_and_pydantic_only():
    """What a wheel without extras has to install. (NumPy comes with PyTorch or not at all.)"""
    code = (
        "import sys, lcm, lcm.targets as t\n[t.target_class(n) for n in t.target_names()]\n"
        "[getattr(lcm, n) for n in lcm.__all__]; print(*{m.split('.')[0] for m in sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    study = {"scipy", "sklearn", "pandas", "yaml", "requests", "matplotlib", "jieba", "gensim", "transformers"}
    assert {"torch", "pydantic"} <= set(found) and not study & set(found)


def test_every_public_name_is_there_for_people_and_for_editors():
    """The lazy names, the imports that a type checker reads, and the registry agree."""
    tree = ast.parse(Path(lcm.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    read = {alias.name: node.module for node in block.body for alias in node.names if alias.asname == alias.name}
    assert read == {name: f"lcm.{module}" for name, module in lcm._HOME.items()}
    for name in lcm.__all__:
        found = getattr(lcm, name)
        assert found.__module__ == read[name] and inspect.getdoc(found)
    classes = {target_class(name) for name in target_names()}
    assert {getattr(lcm, name) for name in lcm.__all__ if read[name].split(".")[-1] in target_names()} >= classes
    assert (Path(lcm.__file__).parent / "py.typed").exists()


# Several processes


class Whole(nn.Module):
    """A predictor with LCM inside, as DistributedDataParallel wants it: one forward pass returns the loss."""

    def __init__(self):
        super().__init__()
        self.encoder, self.output = nn.Linear(8, D), nn.Linear(D, C)
        self.target = LabelConfusion(Task(C, D))

    def forward(self, texts, labels):
        vector = self.encoder(texts).tanh()
        return self.target(self.output(vector), labels, vector)


def train_one_process(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(rank)  # so that only DDP can make them equal
    model = nn.parallel.DistributedDataParallel(Whole())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    start = model.module.target.confusion_model.confusion.weight.detach().clone()
    for step in range(20):
        generator = torch.Generator().manual_seed(100 * step + rank)  # each process its own texts
        texts, labels = torch.randn(16, 8, generator=generator), torch.randint(C, (16,), generator=generator)
        optimizer.zero_grad()
        model(texts, labels).backward()
        optimizer.step()
    torch.save((model.module.state_dict(), start), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_keep_equal_weights_with_lcm_inside_the_wrapped_module(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.start_processes(train_one_process, (port, str(tmp_path)), nprocs=2, start_method="spawn")
    (first, start), (second, _) = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert (first["target.confusion_model.confusion.weight"] - start).abs().max() > 0.01  # and LCM did learn
