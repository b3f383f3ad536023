"""A fleet: R runs of one architecture and one target, trained in lock-step.

Weights, Adam's state, data order and best epochs have a leading run axis. One run on a CPU is the plain case: its own
modules, nothing stacked. In every fleet each run must give what it gives alone, up to rounding.
Shapes: R runs, n samples of the corpus, B batch, C classes, d size of the text vector.
"""

import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from lcm.models.dropout import next_step
from lcm.models.stacked import vmappable
from lcm.params import Train
from lcm.targets import Target, implicit_target, strength, structure
from lcm.training.optimizer import Optimizer

EVALUATION_BATCH = 512
WARM_UP = (
    3  # steps of a batch size before its CUDA graph is captured: libraries choose algorithms and take their workspace
)


class Member(nn.Module):
    """All modules of one run: the predictor and the target. bf16: whether the predictor's products are in bf16."""

    def __init__(self, predictor: nn.Module, target: Target):
        super().__init__()
        self.predictor = predictor
        self.target = target
        self.bf16 = False

    def forward(self, function: Callable, *arguments):
        """Return function(self, *arguments), so that `functional_call` reaches whatever the function does."""
        return function(self, *arguments)

    def predict(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return text vectors (B, d) and logits (B, C) in float32: losses and targets never run in bf16."""
        # Without autocast's cache: a cached copy of a weight would outlive the step that a CUDA graph repeats.
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            vector, logits = self.predictor(inputs)
        return vector.float(), logits.float()


class Fleet:
    """R runs that take their steps together.

    members: freshly initialised, on the CPU. inputs: (n, ...) shared by all runs or (R, n, ...). fit_labels: (R, n)
    int64. precision: execution.precision.
    """

    def __init__(
        self,
        members: list[Member],
        inputs: np.ndarray,
        fit_labels: np.ndarray,
        train: Train,
        device: str,
        precision: str,
    ):
        self.train_settings, self.device = train, device
        self.n_runs, self.stacked = len(members), len(members) > 1 or device != "cpu"
        self.member = members[0]
        self.member.bf16 = precision == "bf16"
        if self.stacked:
            weights, buffers = stack_module_state(members)
            self.weights = {
                name: each.detach().to(device).requires_grad_(each.requires_grad) for name, each in weights.items()
            }
            self.buffers = {name: buffer.to(device) for name, buffer in buffers.items()}
            vmappable(self.member.predictor)
            self.member.to("meta")  # its structure stays, its weights live in self.weights
        else:
            self.weights, self.buffers = dict(self.member.named_parameters()), dict(self.member.named_buffers())
        self.initial = self._copy_of_predictors()
        self.best = self._copy_of_predictors()
        own_rows = torch.arange(self.n_runs, device=device).unsqueeze(1) * fit_labels.shape[1]  # (R, 1)
        own_inputs = inputs.shape[:2] == fit_labels.shape
        self.label_rows, self.input_rows = own_rows, own_rows if own_inputs else torch.zeros_like(own_rows)
        self.fit_labels = torch.tensor(fit_labels, device=device).flatten()
        self.inputs = torch.tensor(inputs, device=device)  # a copy: the corpus is mapped read-only
        if own_inputs:
            self.inputs = self.inputs.flatten(0, 1)
        self.loss, self.correct = torch.zeros(2, self.n_runs, device=device)
        if device == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "float32"
        self.captures = device == "cuda"
        self.new_optimizer()

    def new_optimizer(self) -> None:
        """Create a new optimiser for the current weights."""
        self.optimizer = Optimizer(
            [weight for weight in self.weights.values() if weight.requires_grad], self.train_settings
        )
        self._forget_graphs()

    @torch.no_grad()
    def restart(self) -> None:
        """Begin a new round: predictors get their initial weights and a new optimiser, targets keep what they know."""
        self._each(_end_round, self.loss)
        for name, weight in self.initial.items():
            self.weights[name].copy_(weight)
        self.new_optimizer()

    def train_epoch(self, order: np.ndarray) -> tuple[Tensor, Tensor]:
        """Train on the samples `order`, (R, n_train), each run in its own order.

        Returns each run's sum of losses and its number of right predictions during training, both (R,).
        """
        self.member.train()
        self.loss.zero_()
        self.correct.zero_()
        for batch in torch.from_numpy(order).to(self.device).split(self.train_settings.batch_size, 1):
            self.captured_step(batch) if self.captures else self.step(batch)
        return self.loss, self.correct

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Tell the targets that an epoch is over."""
        self._each(_end_epoch, self.loss)

    def step(self, batch: Tensor) -> None:
        """Forward, backward and Adam for the samples `batch`, (R, B)."""
        next_step(self.member, self.buffers)
        labels = self.fit_labels[batch + self.label_rows]
        losses, correct = self._each(_loss, self._inputs(batch), labels, batch)
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        self.loss += losses.detach() * batch.shape[1]
        self.correct += correct

    def captured_step(self, batch: Tensor) -> None:
        """`step` as a CUDA graph, one for each batch size (an epoch's last batch is smaller); where that fails `step`,
        with one line.
        """
        size = batch.shape[1]
        self.seen[size] += 1
        if self.seen[size] <= WARM_UP:  # steps like any other, on a side stream, as capturing wants it
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self.step(batch)
            torch.cuda.current_stream().wait_stream(side)
            return
        if size not in self.graphs:
            graph, buffer = torch.cuda.CUDAGraph(), batch.clone()
            try:
                with torch.cuda.graph(graph):  # records, does nothing
                    self.step(buffer)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                print(
                    f"no CUDA graph ({' '.join(str(error).split())[:100]}); training goes on without, more slowly",
                    file=sys.stderr,
                )
                self.captures = False
                self._forget_graphs()
                return self.step(batch)
            self.graphs[size] = graph, buffer
        graph, buffer = self.graphs[size]
        buffer.copy_(batch)
        graph.replay()

    def _forget_graphs(self) -> None:
        """A graph knows its tensors by their addresses: it ends with the optimiser that it was captured with."""
        self.graphs, self.seen = {}, Counter()

    @torch.no_grad()
    def predict(self, index: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """Return probabilities (R, m, C), NumPy, and text vectors (R, m, d) of the samples `index`, (R, m).

        The modules are in evaluation mode.
        """
        self.member.eval()
        parts = []
        for batch in torch.from_numpy(index).to(self.device).split(EVALUATION_BATCH, 1):
            parts.append(self._each(_forward, self._inputs(batch)))
        vectors, logits = (torch.cat(part, 1) for part in zip(*parts, strict=True))
        return logits.softmax(-1).cpu().numpy(), vectors

    @property
    def has_confusion_model(self) -> bool:
        return hasattr(self.member.target, "confusion_model")

    @torch.no_grad()
    def confusions(self, vectors: Tensor, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return label confusion distributions (R, m, C) and the SLD's mass on the label, (R, m).

        vectors: (R, m, d), of the samples `index`, (R, m).
        """
        labels = self.fit_labels[torch.from_numpy(index).to(self.device) + self.label_rows]
        lcd, sld_true = self._each(_confusions, vectors, labels)
        return lcd.cpu().numpy(), sld_true.cpu().numpy()

    @torch.no_grad()
    def implicit(self, index: np.ndarray) -> tuple[list[float], list[float]]:
        """Return the mean strength and structure (nats) of each run's implicit target over the samples `index`, (R, m).

        nan where they are undefined.
        """
        self.member.eval()
        batch = torch.from_numpy(index).to(self.device)
        labels = self.fit_labels[batch + self.label_rows]
        mass, nats = self._each(_implicit, self._inputs(batch), labels, batch)
        return mass.nanmean(1).tolist(), nats.nanmean(1).tolist()

    def label_embeddings(self) -> list[list[list[float]]]:
        """Return every run's label embeddings, (C, e)."""
        embedding = self.weights["target.confusion_model.embedding.weight"]
        return embedding.tolist() if self.stacked else [embedding.tolist()]

    @torch.no_grad()
    def keep_best(self, improved: list[bool]) -> None:
        """Remember the weights of the runs that improved, without leaving the device."""
        if not any(improved):
            return
        mask = torch.tensor(improved, device=self.device)
        for name, best in self.best.items():
            weight = self.weights[name]
            best.copy_(torch.where(mask.view(-1, *[1] * (weight.dim() - 1)), weight, best) if self.stacked else weight)

    @torch.no_grad()
    def load_best(self) -> None:
        """Give every run the predictor of its best epoch."""
        for name, best in self.best.items():
            self.weights[name].copy_(best)

    def state(self) -> dict:
        """Return everything that the next step depends on, and the best weights.

        Dropout's counters and the targets' tables are buffers and so part of it.
        """
        return {
            "weights": self.weights,
            "buffers": self.buffers,
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
        }

    def fits(self, state: dict) -> bool:
        """Return whether `state` belongs to these modules.

        Other code may have left a checkpoint under the same run key.
        """
        groups = (("weights", self.weights), ("buffers", self.buffers), ("best", self.best))
        return all(
            {key: tensor.shape for key, tensor in state.get(name, {}).items()}
            == {key: tensor.shape for key, tensor in tensors.items()}
            for name, tensors in groups
        )

    @torch.no_grad()
    def load_state(self, state: dict) -> None:
        """Continue from `state()`."""
        for name, tensors in (("weights", self.weights), ("buffers", self.buffers), ("best", self.best)):
            for key, tensor in tensors.items():
                tensor.copy_(state[name][key])
        self.optimizer.load_state_dict(state["optimizer"])
        self._forget_graphs()

    def _copy_of_predictors(self) -> dict[str, Tensor]:
        return {name: each.detach().clone() for name, each in self.weights.items() if name.startswith("predictor.")}

    def _inputs(self, batch: Tensor) -> Tensor:
        inputs = self.inputs[batch + self.input_rows]
        return inputs.long() if inputs.dtype == torch.int32 else inputs

    def _each(self, function: Callable, *arguments):
        """function(member, *arguments) of every run; arguments and results have a leading run axis."""
        if self.stacked:
            one = lambda state, *arguments: functional_call(self.member, state, (function, *arguments))  # noqa: E731
            return torch.vmap(one)(self.weights | self.buffers, *arguments)
        result = self.member(function, *(argument[0] for argument in arguments))
        return tuple(each.unsqueeze(0) for each in result) if isinstance(result, tuple) else result.unsqueeze(0)


def _forward(member: Member, inputs: Tensor) -> tuple[Tensor, Tensor]:
    return member.predict(inputs)


def _loss(member: Member, inputs: Tensor, labels: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    """The mean loss of a batch and the number of its right predictions."""
    vector, logits = member.predict(inputs)
    loss = member.target.losses(logits, labels, vector, samples).mean()
    return loss, (logits.detach().argmax(-1) == labels).sum()


def _end_epoch(member: Member, loss: Tensor) -> Tensor:
    member.target.end_epoch()
    return loss


def _end_round(member: Member, loss: Tensor) -> Tensor:
    member.target.end_round()
    return loss


def _confusions(member: Member, vectors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    model = member.target.confusion_model
    return model.label_confusion(vectors), model.distribution(vectors, labels).gather(1, labels.unsqueeze(1)).squeeze(1)


def _implicit(member: Member, inputs: Tensor, labels: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    vector, logits = member.predict(inputs)
    target = implicit_target(member.target, logits, labels, vector, samples)
    return strength(target, labels), structure(target, labels)
