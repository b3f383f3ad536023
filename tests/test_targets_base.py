"""What all targets share: settings, keys, numbers that stack, ending early; and cross-entropy, smoothing and LCM to the
last bit.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lcm.targets import Task, implicit_target, lcm_loss, strength, structure, target_class, target_files, target_names

CE, LS, MATCHED, LCM = (target_class(name) for name in ("ce", "ls", "ls_matched", "lcm"))


def batch(size=128, n_labels=20, vector_size=8, seed=0):
    torch.manual_seed(seed)
    labels = torch.randint(n_labels, (size,))
    return (
        (3 * torch.randn(size, n_labels)).requires_grad_(),
        labels,
        torch.randn(size, vector_size, requires_grad=True),
    )


def gradient(loss, *of):
    return torch.autograd.grad(loss, of)


def test_every_file_of_the_package_is_a_target_or_a_helper():
    for name in target_names():
        assert target_class(name).name == name and len(target_class(name).short) <= 10
    with pytest.raises(ValueError, match="'nosuch': not known; the targets are ce, ls, ls_matched, lcm"):
        target_class("nosuch")


def test_the_files_behind_a_target_are_its_own_and_those_of_its_classes():
    """A record's digest of the code holds them all: anti_group's formula stands in oracle_group.py."""
    for name in target_names():
        classes = [each for each in target_class(name).__mro__ if each.__module__.startswith("lcm.targets.")]
        modules = {each.__module__.rpartition(".")[2] for each in classes} - {"base"}
        assert target_files(name)[0] == name and modules <= set(target_files(name)) <= set(target_names())
    assert set(target_files("posterior_lcm")) == {"posterior_lcm", "forward"}  # a function of it


@pytest.mark.parametrize("size", [128, 97, 1])
@pytest.mark.parametrize("seed", range(3))
def test_cross_entropy_is_that_of_torch(size, seed):
    logits, labels, _ = batch(size, seed=seed)
    expected, found = F.cross_entropy(logits, labels), CE(20)(logits, labels)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.equal(gradient(found, logits)[0], gradient(expected, logits)[0])  # to the last bit


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.271745960883435, 0.75])
@pytest.mark.parametrize("seed", range(3))
def test_smoothing_is_that_of_torch_to_the_last_bit_where_the_batch_is_a_power_of_two(epsilon, seed):
    for size in (128, 97):
        logits, labels, _ = batch(size, seed=seed)
        expected, found = (
            F.cross_entropy(logits, labels, label_smoothing=epsilon),
            LS(20, epsilon=epsilon)(logits, labels),
        )
        assert found.item() == pytest.approx(expected.item(), rel=1e-6)
        expected, found = gradient(expected, logits)[0], gradient(found, logits)[0]
        assert torch.equal(found, expected) if size == 128 else torch.allclose(found, expected, rtol=3e-7, atol=1e-9)


@pytest.mark.parametrize("size", [128, 97])
@pytest.mark.parametrize("seed", range(3))
def test_lcm_is_that_of_kl_div_to_the_last_bit(size, seed):
    logits, labels, vector = batch(size, seed=seed)
    target = LCM(Task(20, vector_size=8), alpha=4.0, label_dim=5)
    weights = list(target.confusion_model.parameters())
    expected, found = lcm_loss(logits, target.confusion_model(vector, labels)), target(logits, labels, vector)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    for ours, theirs in zip(
        gradient(found, logits, vector, *weights), gradient(expected, logits, vector, *weights), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_run_keys_are_those_of_the_results_in_git():
    assert CE.key_name == "base" and CE.key_settings(CE.Settings()) == {"epsilon": 0.0}
    assert LS.key_settings(LS.Settings(epsilon=0.1)) == {"epsilon": 0.1}
    assert LS.key_settings(LS.Settings(epsilon=0.1, stop_epoch=3)) == {"epsilon": 0.1, "stop_epoch": 3}
    lcm = {"alpha": 2.0, "label_dim": 64, "stop_epoch": None, "stop_resets_optimizer": False, "detach": False}
    assert LCM.key_settings(LCM.Settings(**lcm)) == lcm

    def e(alpha):
        return (1 - math.exp(alpha) / (math.exp(alpha) + 19)) * 20 / 19

    for own, alpha in (({}, 2.0), ({"alpha": 1.0}, 1.0)):
        settings = MATCHED.Settings(**MATCHED.resolve(own, {"lcm": lcm}, 20))
        key = MATCHED.key_settings(settings)
        assert key.keys() == {"epsilon"} and key["epsilon"] == pytest.approx(e(alpha), rel=1e-12)
    stopping = MATCHED.resolve({}, {"lcm": lcm | {"stop_epoch": 30}}, 20)
    assert MATCHED.key_settings(MATCHED.Settings(**stopping))["stop_epoch"] == 30
    assert LS.resolve({"epsilon": 0.3}, {"lcm": lcm}, 20) == {"epsilon": 0.3}


def test_settings_are_checked_in_one_line():
    with pytest.raises(ValueError, match=r"^ls\.epsilon: input should be less than 1, found 1.5$"):
        LS(20, epsilon=1.5)
    with pytest.raises(ValueError, match=r"^ls\.q: extra inputs are not permitted, found 3$"):
        LS(20, q=3)
    with pytest.raises(ValueError, match="^lcm needs vector_size"):
        LCM(20)
    with pytest.raises(ValueError, match="at least 2 labels, found n_labels 1"):
        CE(1)
    with pytest.raises(ValueError, match="alpha"):
        LCM(Task(20, vector_size=3), alpha=math.nan)


def test_the_label_confusion_model_draws_its_weights_in_the_recorded_order():
    target = LCM(Task(4, vector_size=3), label_dim=2)
    torch.manual_seed(7)
    target = LCM(Task(4, vector_size=3), label_dim=2).confusion_model
    torch.manual_seed(7)
    modules = torch.nn.Embedding(4, 2), torch.nn.Linear(2, 3), torch.nn.Linear(4, 4)  # these draw too, in this order
    expected = [torch.nn.init.uniform_(modules[0].weight, -0.05, 0.05)]
    expected += [torch.nn.init.xavier_uniform_(module.weight) for module in modules[1:]]
    for weight, own in zip(
        expected, (target.embedding.weight, target.encoder.weight, target.confusion.weight), strict=True
    ):
        assert torch.equal(weight, own)


@pytest.mark.parametrize(
    "target", [LS(20, epsilon=0.3, stop_epoch=2), LCM(Task(20, vector_size=8), stop_epoch=2)], ids=["ls", "lcm"]
)
def test_until_epoch(target):
    logits, labels, vector = batch(33)
    one_hot = F.cross_entropy(logits, labels, reduction="none")
    for finished in range(4):
        losses = target.losses(logits, labels, vector, None)
        ended = torch.allclose(losses, one_hot, rtol=1e-6)
        assert ended == (finished >= 2) and target.epoch == finished
        reach = torch.autograd.grad(losses.sum(), vector, allow_unused=True)[0]
        assert target.name == "ls" or bool(reach.any()) == (finished < 2)
        target.end_epoch()
    with pytest.raises(ValueError, match="stop_epoch"):
        LS(20, stop_epoch=-1)


def test_a_state_with_other_numbers_is_refused_and_an_older_state_is_not():
    task = Task(5, vector_size=3)
    two, four = LCM(task, alpha=2.0), LCM(task, alpha=4.0)
    with pytest.raises(
        RuntimeError, match="confusion_model.alpha: the state holds 2, this LabelConfusionModel was built with 4"
    ):
        four.load_state_dict(two.state_dict())
    assert four.confusion_model.alpha == 4
    older = {name: tensor for name, tensor in two.confusion_model.state_dict().items() if name != "alpha"}
    four.confusion_model.load_state_dict(older)
    assert torch.equal(four.confusion_model.encoder.weight, two.confusion_model.encoder.weight)


def test_a_change_of_dtype_keeps_the_exact_numbers():
    assert LS(20, epsilon=0.1).double().epsilon.item() == 0.1
    assert LS(20, epsilon=0.1).half().double().on_each.item() == 0.1 / 20


def test_implicit_targets_of_cross_entropy_smoothing_and_lcm():
    logits, labels, vector = batch(9)
    y = F.one_hot(labels, 20).float()
    torch.testing.assert_close(implicit_target(CE(20), logits, labels), y)
    torch.testing.assert_close(implicit_target(LS(20, epsilon=0.3), logits, labels), 0.7 * y + 0.3 / 20)
    lcm = LCM(Task(20, vector_size=8))
    torch.testing.assert_close(implicit_target(lcm, logits, labels, vector), lcm.confusion_model(vector, labels))


def test_strength_and_structure_by_hand():
    labels = torch.tensor([0, 0, 1, 0, 0])
    s = torch.tensor([[1, 0, 0], [0.6, 0.2, 0.2], [0.4, 0.6, 0], [1.2, -0.1, -0.1], [0.5, 0.5, 0.5]])
    np.testing.assert_allclose(strength(s, labels), [0, 0.6, 0.6, -0.3, 0.75], atol=1e-6)
    np.testing.assert_allclose(
        structure(s, labels), [0, 0, 0.4 * math.log(2), math.nan, math.nan], atol=1e-6
    )  # .4 log(.4/.2)
    smoothed = implicit_target(LS(20, epsilon=0.3), *batch(9)[:2])
    np.testing.assert_allclose(strength(smoothed, batch(9)[1]), 0.3, rtol=1e-5)
    np.testing.assert_allclose(structure(smoothed, batch(9)[1]), 0, atol=1e-6)
    rounded = torch.tensor([[1 + 2e-7, -1e-7, -1e-7]])  # a one-hot target as p - gradient gives it
    assert structure(rounded, torch.tensor([0])).tolist() == [0]
    beyond = torch.tensor([[0.6, 0.401, -0.001]])  # more than rounding: no distribution
    assert structure(beyond, torch.tensor([0])).isnan().all()


@pytest.mark.parametrize("training", [True, False])
def test_the_implicit_target_leaves_a_target_in_its_mode(training):
    target = CE(20).train(training)
    implicit_target(target, *batch(9)[:2])
    assert target.training is training


def test_lcm_cannot_leave_uniform_smoothing_by_more_than_a_hundredth_of_a_nat():
    """At alpha = 4 and 20 labels; the most is reached where the confusion distribution is one wrong label."""
    labels = torch.zeros(20, dtype=torch.int64)

    def target(confusion):
        return (4 * F.one_hot(labels, 20) + confusion).softmax(-1)

    vertices = structure(target(torch.eye(20).double()), labels)
    assert vertices[1:].max() == pytest.approx(0.0123, abs=5e-5) and vertices[0] == pytest.approx(0, abs=1e-12)
    torch.manual_seed(0)
    for sharpness in (0.3, 1, 3, 10):
        for _ in range(50):
            inside = structure(target((sharpness * torch.randn(20, 20).double()).softmax(-1)), labels)
            assert inside.max() < vertices.max() + 1e-12
