"""A fleet: R runs of one architecture trained in lock-step. Weights, Adam's state, data order and best epochs have a leading run axis.

One run on a CPU is the plain case: its own modules, nothing stacked. Every fleet must give each run what that gives, up to
rounding. Shapes: R runs, n samples of the corpus, B batch, C classes, d size of the text vector.
"""

import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from lcm.models.dropout import next_step
from lcm.models.stacked import vmappable
from lcm.params import Train
from lcm.targets import lcm_loss, smoothing_loss
from lcm.training.optimizer import Optimizer

EVALUATION_BATCH = 512
WARM_UP = 3  # steps of a batch size before its CUDA graph is captured: libraries choose algorithms and take their workspace


class Run(nn.Module):
    """All modules of one run: the predictor, and the label confusion model or None. bf16: of the predictor's products."""

    def __init__(self, predictor: nn.Module, confusion_model: nn.Module | None):
        super().__init__()
        self.predictor = predictor
        self.confusion_model = confusion_model
        self.bf16 = False

    def forward(self, function: Callable, *arguments):
        """function(predict, confusion_model, *arguments): so `functional_call` reaches whatever a function does with the modules."""
        return function(self.predict, self.confusion_model, *arguments)

    def predict(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Text vectors (B, d) and logits (B, C) in float32: losses and LCM never run in bf16."""
        # Without autocast's cache: a cached copy of a weight would outlive the step that a CUDA graph repeats.
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            vector, logits = self.predictor(inputs)
        return vector.float(), logits.float()


class Fleet:
    """R runs that take their steps together.

    runs: freshly initialised, on the CPU. inputs: (n, ...) shared by all runs or (R, n, ...). fit_labels: (R, n) int64.
    epsilons: label smoothing of each run; where the runs have a label confusion model it counts once that is dropped.
    precision: execution.precision.
    """

    def __init__(
        self, runs: list[Run], inputs: np.ndarray, fit_labels: np.ndarray, epsilons: list[float], train: Train, device: str, precision: str
    ):
        self.train_settings, self.device = train, device
        self.n_runs, self.stacked = len(runs), len(runs) > 1 or device != "cpu"
        self.run = runs[0]
        self.run.bf16 = precision == "bf16"
        if self.stacked:
            weights, self.buffers = stack_module_state(runs)
            self.weights = {name: weight.detach().to(device).requires_grad_(weight.requires_grad) for name, weight in weights.items()}
            self.buffers = {name: buffer.to(device) for name, buffer in self.buffers.items()}
            vmappable(self.run.predictor)
            self.run.to("meta")  # from here on only a mould
            self.epsilons = torch.tensor(epsilons, device=device)
        else:
            self.weights, self.buffers = dict(self.run.named_parameters()), dict(self.run.named_buffers())
            self.epsilons = epsilons
        self.best = {name: weight.detach().clone() for name, weight in self.weights.items() if name.startswith("predictor.")}
        own_rows = torch.arange(self.n_runs, device=device).unsqueeze(1) * fit_labels.shape[1]  # (R, 1)
        self.label_rows, self.input_rows = own_rows, own_rows if inputs.shape[:2] == fit_labels.shape else torch.zeros_like(own_rows)
        self.fit_labels = torch.tensor(fit_labels, device=device).flatten()
        self.inputs = torch.tensor(inputs, device=device)  # a copy: the corpus is mapped read-only
        if inputs.shape[:2] == fit_labels.shape:
            self.inputs = self.inputs.flatten(0, 1)
        self.total = torch.zeros(self.n_runs, device=device)
        if device == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "float32"
        self.captures = device == "cuda"
        self.new_optimizer()

    def new_optimizer(self) -> None:
        """A fresh optimiser for the weights that there are."""
        self.optimizer = Optimizer([weight for weight in self.weights.values() if weight.requires_grad], self.train_settings)
        self._forget_graphs()

    def drop_smoothing(self, which: list[bool]) -> None:
        """From now on these runs learn from one-hot labels."""
        if self.stacked:  # in place: a CUDA graph knows the tensor by its address
            self.epsilons.masked_fill_(torch.tensor(which, device=self.device), 0.0)
        else:
            self.epsilons = [0.0 if stop else epsilon for stop, epsilon in zip(which, self.epsilons, strict=True)]

    def drop_confusion_model(self) -> None:
        """From now on the runs learn from one-hot labels. The optimiser stays as it is."""
        self.run.confusion_model = None
        self.weights = {name: weight for name, weight in self.weights.items() if name.startswith("predictor.")}
        self.buffers = {name: buffer for name, buffer in self.buffers.items() if name.startswith("predictor.")}
        self._forget_graphs()

    @property
    def has_confusion_model(self) -> bool:
        return self.run.confusion_model is not None

    def train_epoch(self, order: np.ndarray) -> Tensor:
        """One pass over the samples `order`, (R, n_train), each run's in its own order. Returns each run's sum of losses, (R,)."""
        self.run.train()
        self.total.zero_()
        for batch in torch.from_numpy(order).to(self.device).split(self.train_settings.batch_size, 1):
            self.captured_step(batch) if self.captures else self.step(batch)
        return self.total

    def step(self, batch: Tensor) -> None:
        """Forward, backward and Adam for the samples `batch`, (R, B); adds the summed loss of each run to `total`."""
        next_step(self.run, self.buffers)
        labels = self.fit_labels[batch + self.label_rows]
        losses = self._each(_stacked_loss if self.stacked else _loss, self._inputs(batch), labels, self.epsilons)
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        self.total += losses.detach() * batch.shape[1]

    def captured_step(self, batch: Tensor) -> None:
        """`step` as a CUDA graph, one for each batch size (an epoch's last batch is smaller); where that fails `step`, with one line."""
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
                print(f"no CUDA graph ({' '.join(str(error).split())[:100]}); going on without, more slowly", file=sys.stderr)
                self.captures = False
                self._forget_graphs()
                return self.step(batch)
            self.graphs[size] = graph, buffer
        graph, buffer = self.graphs[size]
        buffer.copy_(batch)
        graph.replay()

    def _forget_graphs(self) -> None:
        """A graph knows its tensors by their addresses: it ends with the optimiser or the modules that it was captured with."""
        self.graphs, self.seen = {}, Counter()

    @torch.no_grad()
    def predict(self, index: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """Of the samples `index`, (R, m): probabilities (R, m, C) as NumPy and text vectors (R, m, d), in evaluation mode."""
        self.run.eval()
        parts = []
        for batch in torch.from_numpy(index).to(self.device).split(EVALUATION_BATCH, 1):
            parts.append(self._each(_forward, self._inputs(batch)))
        vectors, logits = (torch.cat(part, 1) for part in zip(*parts, strict=True))
        return logits.softmax(-1).cpu().numpy(), vectors

    @torch.no_grad()
    def confusions(self, vectors: Tensor, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of text vectors (R, m, d) of samples `index`: label confusion distributions (R, m, C), and SLD mass on the label, (R, m)."""
        labels = self.fit_labels[torch.from_numpy(index).to(self.device) + self.label_rows]
        lcd, sld_true = self._each(_confusions, vectors, labels)
        return lcd.cpu().numpy(), sld_true.cpu().numpy()

    def label_embeddings(self) -> list[list[list[float]]]:
        """Of every run: (C, e)."""
        embedding = self.weights["confusion_model.embedding.weight"]
        return embedding.tolist() if self.stacked else [embedding.tolist()]

    @torch.no_grad()
    def keep_best(self, improved: list[bool]) -> None:
        """Note the weights of the runs that improved, without leaving the device."""
        if not any(improved):
            return
        mask = torch.tensor(improved, device=self.device)
        for name, best in self.best.items():
            weight = self.weights[name]
            best.copy_(torch.where(mask.view(-1, *[1] * (weight.dim() - 1)), weight, best) if self.stacked else weight)

    @torch.no_grad()
    def load_best(self) -> None:
        for name, best in self.best.items():
            self.weights[name].copy_(best)

    def state(self) -> dict:
        """Everything that the next step depends on (dropout's counters are among the buffers), and the best weights so far."""
        return {"weights": self.weights, "buffers": self.buffers, "best": self.best, "optimizer": self.optimizer.state_dict()}

    @torch.no_grad()
    def load_state(self, state: dict) -> None:
        for name, tensors in (("weights", self.weights), ("buffers", self.buffers), ("best", self.best)):
            for key, tensor in tensors.items():
                tensor.copy_(state[name][key])
        self.optimizer.load_state_dict(state["optimizer"])
        self._forget_graphs()

    def _inputs(self, batch: Tensor) -> Tensor:
        inputs = self.inputs[batch + self.input_rows]
        return inputs.long() if inputs.dtype == torch.int32 else inputs

    def _each(self, function: Callable, *arguments):
        """function(predict, confusion_model, *arguments) of every run; arguments and results have a leading run axis."""
        if self.stacked:
            one = lambda state, *arguments: functional_call(self.run, state, (function, *arguments))  # noqa: E731
            return torch.vmap(one)(self.weights | self.buffers, *arguments)
        result = self.run(function, *(argument[0] for argument in arguments))
        return tuple(each.unsqueeze(0) for each in result) if isinstance(result, tuple) else result.unsqueeze(0)


def _forward(predict, confusion_model, inputs: Tensor) -> tuple[Tensor, Tensor]:
    return predict(inputs)


def _loss(predict, confusion_model, inputs: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    vector, logits = predict(inputs)
    if confusion_model is not None:
        return lcm_loss(logits, confusion_model(vector, labels))
    return smoothing_loss(logits, labels, epsilon)


def _stacked_loss(predict, confusion_model, inputs: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
    """The same, written out: `vmap` has no kl_div, and `label_smoothing` takes one number for all runs."""
    vector, logits = predict(inputs)
    log_p = logits.log_softmax(-1)
    if confusion_model is not None:
        target = confusion_model(vector, labels)
        return (torch.xlogy(target, target) - target * log_p).sum(-1).mean()
    target = (1 - epsilon) * F.one_hot(labels, logits.shape[-1]) + epsilon / logits.shape[-1]
    return -(target * log_p).sum(-1).mean()


def _confusions(predict, confusion_model, vectors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    target = confusion_model(vectors, labels)
    return confusion_model.label_confusion(vectors), target.gather(1, labels.unsqueeze(1)).squeeze(1)
