"""Every target that the registry finds: against its NumPy form and finite differences, and alone against stacked with
others.

A new target is in every test here without a line; in the first ones as soon as tests/targets_numpy.py has its form.
"""

import copy
import sys

import numpy as np
import pytest
import targets_numpy
import torch
from torch.func import functional_call, stack_module_state

from lcm.targets import Task, implicit_target, strength, target_class, target_names

C, D, N, B, EPOCHS = 6, 3, 48, 12, 3
GROUPS = [0, 0, 0, 1, 1, 2]
EXTRA = {  # settings beside the default and the ends of the grid
    "ls": [{"epsilon": 0.3, "stop_epoch": 1}],
    "lcm": [{"alpha": 1.5, "label_dim": 2, "stop_epoch": 1}, {"detach": True}],
    "bootstrap": [{"beta": 0.7, "detach": False}],
    "posterior_lcm": [{"beta": 0.8, "smoothing": 0.2, "matrix": "known"}, {"beta": 0.0}],
    "held_out_lcm": [{"epsilon": 0.4, "whole": True}],
    "label_embedding": [{"beta": 0.3, "cap": 0.2}],
    "ps_kd": [{"memory": 0.75}],
}


def variants(name):
    cls = target_class(name)
    tried = [{}, *cls.grid[:1], *cls.grid[-1:], *EXTRA.get(name, [])]
    return [settings for n, settings in enumerate(tried) if settings not in tried[:n]]


EVERY = [
    pytest.param(name, settings, id=f"{name}{settings or ''}") for name in target_names() for settings in variants(name)
]


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def make_task(seed=0):
    """A run's task, and the same in NumPy. A quarter of the labels is wrong, and held-out models say so."""
    rng = np.random.default_rng(seed)
    true = np.arange(N) % C
    wrong = np.arange(N) % 4 == 1
    labels = np.where(wrong, (true + 1 + rng.integers(C - 1, size=N)) % C, true)
    held_out = 0.1 * rng.dirichlet(np.ones(C), N) + 0.9 * np.eye(C)[true]
    transition = 0.1 * rng.dirichlet(np.ones(C), C) + 0.9 * np.eye(C)
    transition[0], transition[:, 1] = (
        np.eye(C)[0],
        np.where(np.arange(C) == 2, 0.0, transition[:, 1]),
    )  # with zeros in it
    transition /= transition.sum(1, keepdims=True)
    task = Task(
        C,
        D,
        N,
        EPOCHS,
        torch.tensor(GROUPS),
        torch.tensor(transition),
        torch.tensor(held_out),
        torch.tensor(labels),
        torch.tensor(true),
    )
    plain = {"epochs": EPOCHS, "groups": GROUPS, "transition": transition, "held_out": held_out, "true_labels": true}
    plain |= {"labels": labels, "keep": ~wrong, "temperature": fitted_temperature(held_out, labels)}
    shuffled = torch.randperm(C, generator=torch.Generator().manual_seed(0)).tolist()
    return task, plain | {"shuffled_groups": [GROUPS[k] for k in shuffled]}


def fitted_temperature(held_out, labels):
    """The one of 65 temperatures from 1/4 to 4 at which the labels are most likely."""

    def loss(temperature):
        rows = held_out ** (1 / temperature)
        return -np.log((rows / rows.sum(1, keepdims=True))[np.arange(N), labels]).mean()

    return min(2 ** np.linspace(-2, 2, 65), key=loss)


def make_target(name, settings, task, seed=0):
    if name in ("prune", "prune_window"):
        pytest.importorskip("cleanlab")
    torch.manual_seed(seed)
    target = target_class(name)(task, **settings)
    with torch.no_grad():
        for weight in target.parameters():  # away from tame initial values
            weight.normal_(0, 0.3 if name == "vol_min" else 1)
    return target


def make_batches(plain, seed=0, scale=2.0):
    """An epoch: (logits, labels, vectors, samples) of each batch, every sample once."""
    rng = np.random.default_rng([seed, 1])
    parts = rng.permutation(N).reshape(-1, B)
    signal = np.eye(C)[plain["true_labels"]]  # so that a good part of the answers is right
    sharp = np.where(np.arange(B) % 4 == 0, 5, 1)[:, None]  # some so sure that entries of p fall below 1e-4
    logits = [sharp * (rng.normal(size=(B, C)) + scale * signal[i]) for i in parts]
    return [(z, plain["labels"][i], rng.normal(size=(B, D)), i) for z, i in zip(logits, parts, strict=True)]


def tensors(batch):
    return [torch.tensor(array) for array in batch]


def case(target, plain, batch, state, epoch):
    # which of the wrong ones go is for cleanlab to say
    if target.name in ("prune", "prune_window") and target.settings.share < 1:
        plain = plain | {"keep": target.keep.bool().numpy()}
    weights = {name: weight.detach().numpy().copy() for name, weight in target.named_parameters()}
    return targets_numpy.Case(target.settings.model_dump(), *map(np.copy, batch), weights, plain, state, epoch)


def numpy_form(name):
    form = getattr(targets_numpy, name, None)
    return form or pytest.skip(f"tests/targets_numpy.py has no {name} yet")


@pytest.mark.parametrize("name,settings", EVERY)
def test_losses_and_state_equal_the_numpy_form_over_two_rounds_of_epochs(name, settings):
    form, (task, plain) = numpy_form(name), make_task()
    target = make_target(name, settings, task)
    state = {}
    for round_ in range(target.rounds):
        for epoch in range(EPOCHS):
            for batch in make_batches(plain, seed=10 * round_ + epoch, scale=1.0 + epoch):
                expected, state = form(case(target, plain, batch, state, epoch))
                found = target.losses(*tensors(batch))
                np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-9, atol=1e-12)
            target.end_epoch()
            state = targets_numpy.end_epoch(name, state, C)
        target.end_round()
        state = targets_numpy.end_round(name, state)


@pytest.mark.parametrize("name,settings", EVERY)
def test_gradients_equal_finite_differences_of_the_numpy_form(name, settings):
    """By logits, vectors and weights, with state from an epoch of training; the form knows where the gradient stops."""
    form, (task, plain) = numpy_form(name), make_task()
    target, state = make_target(name, settings, task), {}
    for batch in make_batches(plain):
        state = form(case(target, plain, batch, state, 0))[1]
        target.losses(*tensors(batch))
    epoch = 0 if target.settings.model_dump().get("stop_epoch") else 1
    if epoch:
        target.end_epoch()
        state = targets_numpy.end_epoch(name, state, C)
    batch = make_batches(plain, seed=5)[0]
    c = case(target, plain, batch, state, epoch)
    logits, labels, vector, samples = tensors(batch)
    inputs = {"z": logits.requires_grad_(), "v": vector.requires_grad_(), **dict(target.named_parameters())}
    gradients = torch.autograd.grad(
        target.losses(logits, labels, vector, samples).mean(), list(inputs.values()), allow_unused=True
    )
    step = 1e-6
    for key, gradient in zip(inputs, gradients, strict=True):
        array = {"z": c.z, "v": c.v, **c.weights}[key]
        gradient = np.zeros_like(array) if gradient is None else gradient.numpy()
        places = list(np.ndindex(array.shape))
        for place in places[:: max(1, len(places) // 40)]:
            old, sides = array[place], []
            for moved in (old + step, old - step):
                array[place] = moved
                sides.append(form(c)[0].mean())
            array[place] = old
            assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(gradient[place], abs=2e-8), (key, place)


class Caller(torch.nn.Module):
    """So that `functional_call` reaches whatever a function does with a target."""

    def __init__(self, target):
        super().__init__()
        self.target = target

    def forward(self, function, *arguments):
        return function(self.target, *arguments)


def finish(target):
    target.end_epoch()
    return target.epoch


@pytest.mark.parametrize("name", target_names())
def test_alone_equals_stacked(name):
    """Three runs under vmap, with settings, tasks, weights and state of their own: losses, gradients and state."""
    cls = target_class(name)
    tried = [{}, *cls.grid, *EXTRA.get(name, [])]
    fits = [settings for settings in tried if cls.fleet_key(cls.Settings(**settings)) == cls.fleet_key(cls.Settings())]
    runs = [make_task(seed) for seed in range(3)]
    targets = [make_target(name, (fits * 3)[seed], task, seed) for seed, (task, _) in enumerate(runs)]
    stack = [Caller(copy.deepcopy(target)) for target in targets]
    weights, buffers = stack_module_state(stack)
    mould = stack[0].to("meta")

    def each(function, *arguments):
        return torch.vmap(lambda state, *rest: functional_call(mould, state, (function, *rest)))(
            weights | buffers, *arguments
        )

    for epoch in range(2):
        for batches in zip(
            *(make_batches(plain, seed=epoch + 7 * r) for r, (_, plain) in enumerate(runs)), strict=True
        ):
            arguments = [torch.stack(part) for part in zip(*map(tensors, batches), strict=True)]
            arguments[0].requires_grad_()
            losses = each(lambda target, *rest: target.losses(*rest), *arguments)
            used = [weight for weight in weights.values()]
            found = torch.autograd.grad(losses.mean(1).sum(), [arguments[0], *used], allow_unused=True)
            for r, target in enumerate(targets):
                logits, *rest = (part[r].detach() for part in arguments)
                alone = target.losses(logits.requires_grad_(), *rest)
                torch.testing.assert_close(losses[r], alone, rtol=1e-10, atol=1e-12)
                expected = torch.autograd.grad(alone.mean(), [logits, *target.parameters()], allow_unused=True)
                for ours, theirs in zip(found, expected, strict=True):
                    if theirs is not None:
                        torch.testing.assert_close(ours[r], theirs, rtol=1e-9, atol=1e-12)
        each(finish)
        for r, target in enumerate(targets):
            target.end_epoch()
            for key, buffer in target.named_buffers():
                torch.testing.assert_close(buffers[f"target.{key}"][r], buffer, rtol=1e-10, atol=1e-12)
        map_of_losses = each(
            lambda target, *rest: implicit_target(target, *rest), *(part.detach() for part in arguments)
        )
        for r, target in enumerate(targets):
            torch.testing.assert_close(
                map_of_losses[r], implicit_target(target, *(part[r].detach() for part in arguments))
            )


@pytest.mark.parametrize("name,settings", EVERY)
def test_only_training_changes_the_state(name, settings):
    task, plain = make_task()
    target = make_target(name, settings, task)
    batch = tensors(make_batches(plain)[0])
    before = copy.deepcopy(target.state_dict())
    target.eval()
    first = target.losses(*batch)
    target.train()
    s = implicit_target(target, *batch)
    assert target.training and torch.isfinite(strength(s, batch[1])).all()
    assert all(torch.equal(tensor, before[key]) for key, tensor in target.state_dict().items())
    copied = make_target(name, settings, task, seed=1)
    copied.load_state_dict(target.state_dict())
    assert torch.equal(copied.eval().losses(*batch), first)


@pytest.mark.parametrize("name,settings", EVERY)
def test_a_loss_likes_the_label_better_than_another(name, settings):
    task, plain = make_task()
    target = make_target(name, settings, task).eval()
    _, labels, vector, samples = tensors(make_batches(plain)[0])

    def of(label):
        return target.losses(3 * torch.eye(C)[label], labels, vector, samples).mean()

    assert of(labels) < of((labels + 1) % C) - 0.01


@pytest.mark.parametrize("name", target_names())
def test_what_a_class_says_of_itself(name):
    cls = target_class(name)
    assert cls.__doc__ and cls.label and cls.reference and len(cls.short) <= 10
    assert len(cls.grid) in (0, 6) and (cls.knob is None) == (not cls.grid)
    for settings in cls.grid:
        assert cls.knob in settings and cls.Settings(**settings)
    assert len({cls(make_task()[0], **settings).extra_repr() for settings in cls.grid}) == len(cls.grid)
    assert set(cls.structural) <= set(cls.Settings.model_fields)
    assert "Cost" in (cls.__doc__ or "") or getattr(cls.__mro__[1], "name", ""), f"{name}: its docstring says no Cost"


@pytest.mark.parametrize("name", target_names())
def test_a_target_says_what_it_misses(name):
    cls = target_class(name)
    for missing in cls.needs:
        whole = make_task()[0]
        task = Task(**{key: value for key, value in vars(whole).items() if key != missing})
        with pytest.raises(ValueError, match=f"^{name} needs {missing}: "):
            cls(task)


def test_pruning_finds_the_planted_errors_and_of_these_the_share_that_was_asked_for():
    task, plain = make_task()
    wrong = ~plain["keep"]
    pytest.importorskip("cleanlab")
    prune = target_class("prune")
    assert (prune(task).keep.numpy() == plain["keep"]).all()
    half = prune(task, share=0.5).keep.numpy() == 0
    assert (half <= wrong).all() and 0 < half.sum() < wrong.sum()  # rounded in each pair of labels
    labels = task.labels.clone()
    labels[wrong] = -1  # not in the training part: nothing to prune there, and nothing learnt from it
    assert prune(Task(C, n_samples=N, held_out=task.held_out, labels=labels)).keep.all()


def test_pruning_by_both_rules_leaves_out_what_each_of_them_does():
    pytest.importorskip("cleanlab")
    rng = np.random.default_rng(0)
    labels, held_out = torch.tensor(rng.integers(3, size=60)), torch.tensor(rng.dirichlet(np.ones(3), 60))
    task = Task(3, n_samples=60, held_out=held_out, labels=labels)
    rate, by_class, both = (
        target_class("prune")(task, by=by).keep == 0 for by in ("prune_by_noise_rate", "prune_by_class", "both")
    )
    assert torch.equal(both, rate & by_class) and both.sum() < rate.sum() < by_class.sum()


def test_pruning_without_cleanlab_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(ModuleNotFoundError, match="^target prune needs the package cleanlab .*pip install cleanlab"):
        target_class("prune")(make_task()[0])
