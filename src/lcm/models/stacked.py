"""How an encoder runs when the weights of many runs are stacked and `torch.vmap` maps its forward pass over them.

A model file is written for one run, and for a CPU if that differs. Its method `forward_stacked`, if it has one, is the
form that `vmap` and a GPU need instead: same weights, same names, same numbers up to rounding.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def vmappable(predictor: nn.Module) -> nn.Module:
    """The predictor itself, its encoder's forward pass replaced by `forward_stacked` where the encoder has one."""
    stacked = getattr(predictor.encoder, "forward_stacked", None)
    if stacked is not None:
        predictor.encoder.forward = stacked
    return predictor


class Recurrence(torch.autograd.Function):
    """The last hidden state of an LSTM, of R runs at a time: one product for the inputs of all time steps, then seven
    operations a step forward and five backward, each over all runs, where autograd would need about thirty.

    To be called under `vmap` only, with one run's embedded tokens (T, B, E), weights (4h, E) and (4h, h), bias (4h,) in
    nn.LSTM's order of gates (i, f, g, o), and a mask (T, B) of steps that hold the state at zero, or None. Returns (B,
    h), and what the backward pass needs.
    """

    @staticmethod
    def vmap(info, in_dims, *arguments):
        stacked = [
            argument
            if argument is None
            else argument.expand(info.batch_size, *argument.shape)
            if dim is None
            else argument.movedim(dim, 0)
            for argument, dim in zip(arguments, in_dims, strict=True)
        ]
        return Recurrence.apply(*stacked), 0

    @staticmethod
    def forward(embedded: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, skip: Tensor | None) -> tuple[Tensor, ...]:
        (runs, time, batch, _), hidden = embedded.shape, w_hh.shape[2]
        # In the order o, i, f, g: three sigmoids side by side, and three gates that the cell's gradient goes through.
        w_ih, w_hh, bias = (weight.roll(hidden, 1) for weight in (w_ih, w_hh, bias))
        gates = torch.baddbmm(bias.unsqueeze(1), embedded.flatten(1, 2), w_ih.transpose(1, 2)).view(
            runs, time, batch, 4, hidden
        )
        if skip is not None:
            gates[:, :, :, 1].masked_fill_(skip.unsqueeze(-1), -torch.inf)  # nothing comes in
        h, c = (gates.new_zeros(runs, time + 1, batch, hidden) for _ in range(2))
        tanh_c = torch.empty_like(c[:, 1:])
        recurrent = w_hh.transpose(1, 2)
        for t in range(time):
            gate = gates[:, t]
            gate.flatten(2).baddbmm_(h[:, t], recurrent)
            gate[:, :, :3].sigmoid_()
            gate[:, :, 3].tanh_()
            o, i, f, g = gate.unbind(2)
            torch.mul(f, c[:, t], out=c[:, t + 1]).addcmul_(i, g)
            torch.tanh(c[:, t + 1], out=tanh_c[:, t])
            torch.mul(o, tanh_c[:, t], out=h[:, t + 1])
        return h[:, -1].clone(), gates, h, c, tanh_c

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:3], *output[1:])
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, *_) -> tuple[Tensor | None, ...]:
        embedded, w_ih, w_hh, gates, h, c, tanh_c = ctx.saved_tensors
        hidden = w_hh.shape[2]
        o, i, f, g = gates.unbind(3)
        # Derivatives of h (o) and of c (i, f, g) by the gates' inputs; the loop multiplies them by the gradients of h
        # and c.
        d_gates = torch.stack([tanh_c * o * (1 - o), g * i * (1 - i), c[:, :-1] * f * (1 - f), i * (1 - g * g)], 3)
        c_in_h = o * (1 - tanh_c * tanh_c)
        dh, dc, recurrent = grad.clone(), torch.zeros_like(grad), w_hh.roll(hidden, 1)
        for t in reversed(range(gates.shape[1])):
            dc.addcmul_(dh, c_in_h[:, t])
            d_gates[:, t, :, 0].mul_(dh)
            d_gates[:, t, :, 1:].mul_(dc.unsqueeze(2))
            dc.mul_(f[:, t])
            torch.bmm(d_gates[:, t].flatten(2), recurrent, out=dh)
        flat = d_gates.flatten(3).flatten(1, 2).roll(-hidden, 2)  # (R, T B, 4h), in nn.LSTM's order again
        grad_hh = flat.transpose(1, 2) @ h[:, :-1].flatten(1, 2)
        grad_ih = flat.transpose(1, 2) @ embedded.flatten(1, 2)
        return (flat @ w_ih).view(embedded.shape), grad_ih, grad_hh, flat.sum(1), None
