"""The optimiser and its schedule, against the definitions in float64 (Keras' form of Adam: test_keras_parity.py)."""

import copy

import numpy as np
import pytest
import torch

from lcm.errors import UserError
from lcm.params import Train, load_params
from lcm.training.optimizer import Optimizer, lr_share

ADAM = {"epochs": 1, "batch_size": 1, "lr": 0.01, "adam_eps": 1e-7, "select": "last"}
BERT = {"warmup_steps": 1000, "decay_end_step": 2000, "final_lr_share": 0.1}


def settings(**change) -> Train:
    return Train(**ADAM | change)


def train(weight: torch.Tensor, optimizer, steps: int) -> list[torch.Tensor]:
    """The weight after each step of a made-up loss that depends on nothing but the weight."""
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        (weight.sin() * torch.arange(1.0, 4.0)).square().sum().backward()
        optimizer.step()
        seen.append(weight.detach().clone())
    return seen


def start() -> torch.Tensor:
    return torch.tensor([[0.3, -1.0, 0.0], [2.0, 1e-4, -0.7]], requires_grad=True)


def test_by_default_it_is_pytorchs_adam_bit_for_bit():
    weight = start()
    expected = train(weight, torch.optim.Adam([weight], lr=0.01, eps=1e-7, fused=True), 5)
    weight = start()
    assert all(
        torch.equal(a, b) for a, b in zip(train(weight, Optimizer([weight], settings()), 5), expected, strict=True)
    )


def test_the_authors_schedule_for_bert():
    steps = torch.tensor([1, 500, 1000, 1500, 2000, 3450])
    np.testing.assert_allclose(lr_share(steps, settings(**BERT)).numpy(), [0.001, 0.5, 1, 0.55, 0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(
        lr_share(steps, settings(warmup_steps=1000)).numpy(), [0.001, 0.5, 1, 1, 1, 1], rtol=1e-6
    )
    np.testing.assert_allclose(
        lr_share(steps, settings(decay_end_step=1000, final_lr_share=0.0)).numpy(), [0.999, 0.5, 0, 0, 0, 0], rtol=1e-6
    )


def test_the_schedule_reaches_the_weights():
    """Adam's step is proportional to the learning rate; the first one has the size of the learning rate itself."""
    weight = start()
    first, second, *_, last = train(
        weight, Optimizer([weight], settings(warmup_steps=4, decay_end_step=6, final_lr_share=0.0)), 8
    )
    moved = (start().detach()[0, :2] - first[0, :2]).abs()
    np.testing.assert_allclose(moved, [0.0025, 0.0025], rtol=1e-3)
    assert not torch.equal(first, second)
    weight = start()
    flat = train(weight, Optimizer([weight], settings(warmup_steps=4, decay_end_step=6, final_lr_share=0.0)), 6)[-1]
    assert torch.equal(flat, last)  # from step 6 on the learning rate is 0


def test_a_decay_needs_no_warm_up():
    weight = start()
    change = {"decay_end_step": 3, "final_lr_share": 0.0}
    first, *_, third, fourth = train(weight, Optimizer([weight], settings(**change)), 4)
    moved = (start().detach()[0, :2] - first[0, :2]).abs()
    np.testing.assert_allclose(moved, [0.01 * 2 / 3] * 2, rtol=1e-3)
    assert torch.equal(third, fourth)  # from step 3 on the learning rate is 0


@pytest.mark.parametrize(
    "change", [{}, {"adam_form": "keras"}, {"warmup_steps": 3, "decay_end_step": 6, "final_lr_share": 0.5}]
)
def test_it_goes_on_from_its_state_and_a_fresh_one_starts_again(change):
    weight = start()
    optimizer = Optimizer([weight], settings(**change))
    train(weight, optimizer, 2)
    kept, state = weight.detach().clone(), copy.deepcopy(optimizer.state_dict())
    expected = train(weight, optimizer, 5)
    weight = kept.clone().requires_grad_()
    resumed = Optimizer([weight], settings(**change))
    resumed.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(train(weight, resumed, 5), expected, strict=True))
    weight = kept.clone().requires_grad_()
    assert not torch.equal(train(weight, Optimizer([weight], settings(**change)), 5)[-1], expected[-1])


def test_a_leading_run_axis_changes_nothing():
    change = {"adam_form": "keras", "warmup_steps": 3, "weight_decay": 0.1, "optimizer": "adamw"}
    weight = start()
    together = train(weight, Optimizer([weight], settings(**change)), 4)[-1]
    for row in range(2):
        weight = start().detach()[row].clone().requires_grad_()
        torch.testing.assert_close(
            train(weight, Optimizer([weight], settings(**change)), 4)[-1], together[row], rtol=1e-6, atol=1e-8
        )


def test_weight_decay_is_added_to_the_gradient_or_decoupled():
    """A weight of 1 without a gradient moves by lr (Adam normalises the decay away) or by lr * decay (AdamW)."""
    for kind, expected in (("adam", 1 - 0.01), ("adamw", 1 - 0.01 * 0.5)):
        weight = torch.ones(1, requires_grad=True)
        optimizer = Optimizer([weight], settings(optimizer=kind, weight_decay=0.5))
        weight.grad = torch.zeros(1)
        optimizer.step()
        assert weight.item() == pytest.approx(expected, rel=1e-5)


def test_a_schedule_that_ends_before_it_begins_is_refused():
    params = load_params("params.yaml")
    params.models["cnn_rand"]["train"] = {"warmup_steps": 10, "decay_end_step": 5}
    with pytest.raises(
        UserError, match="models.cnn_rand.train.*decay_end_step must be 0 or above warmup_steps 10, found 5"
    ):
        params.training("cnn_rand")
