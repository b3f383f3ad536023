"""The label confusion model: labels, smoothed by a distribution that is learnt from the likeness of texts and labels.

Guo et al., "Label Confusion Learning to Enhance Text Classification Models", AAAI 2021, section "Our Approach".
Shapes: B batch, C classes, d size of the text vector, e size of a label embedding.

To use LCM in a training loop of your own:

    lcm = LabelConfusionModel(n_labels=20, vector_size=64, alpha=4.0)
    optimizer = torch.optim.Adam([*model.parameters(), *lcm.parameters()])
    vector, logits = model(batch)                    # (B, d) and (B, C); logits = output_layer(vector)
    loss = lcm_loss(logits, lcm(vector, labels))     # at test time: model(batch)[1].argmax(-1), LCM is gone

or, in one piece: target = LabelConfusion(Task(20, vector_size=64)); loss = target(logits, labels, vector).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lcm.schema import Count, Group, NotNegative
from lcm.targets import checks
from lcm.targets.base import Epochs, Numbers, Task, UntilEpoch, one_hot


class LabelConfusionModel(Numbers):
    """The label confusion model: a label encoder and the simulated label distribution (SLD) block.

    n_labels: C. vector_size: d, the size of the predictor's text vector v. alpha: weight of the label (alpha in the
    paper), also a buffer, so that a state dict shows it. label_dim: e, the size of a label embedding; default d, as in
    the paper. detach: no gradient through the target distribution. The label encoder then learns nothing: an ablation,
    not the paper. Raises ValueError for a size below 1, fewer than 2 labels, and an alpha that is negative or no
    number.

    Initialised as in the authors' framework (embedding U(-0.05, 0.05), Glorot weights, zero biases). With
    DistributedDataParallel it has to stand inside the wrapped module, or its weights drift apart (docs/targets.md).
    """

    def __init__(
        self, n_labels: int, vector_size: int, alpha: float = 4.0, label_dim: int | None = None, detach: bool = False
    ):
        super().__init__()
        label_dim = vector_size if label_dim is None else label_dim
        for name, size, least in (
            ("n_labels", n_labels, 2),
            ("vector_size", vector_size, 1),
            ("label_dim", label_dim, 1),
        ):
            if size < least:
                raise ValueError(f"LabelConfusionModel: expected {name} of at least {least}, found {size}")
        if not 0 <= alpha < math.inf:
            raise ValueError(f"LabelConfusionModel: expected alpha to be a number >= 0, found {alpha}")
        self.weight_of_label = float(alpha)
        self.detach = detach
        self.embedding = nn.Embedding(n_labels, label_dim)
        self.encoder = nn.Linear(label_dim, vector_size)
        self.confusion = nn.Linear(n_labels, n_labels)
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        for layer in (self.encoder, self.confusion):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_numbers()

    def numbers(self) -> dict[str, float | int]:
        return {"alpha": self.weight_of_label}

    def extra_repr(self) -> str:
        return f"alpha={self.weight_of_label}, detach={self.detach}"

    def label_vectors(self) -> Tensor:
        """V = tanh(embedding W_e + b_e), the label representation matrix: (C, d)."""
        return torch.tanh(self.encoder(self.embedding.weight))

    def label_confusion(self, vector: Tensor) -> Tensor:
        """The label confusion distribution c = softmax(v^T V W + b) of text vectors (B, d): (B, C), rows sum to 1."""
        return self.confusion(vector @ self.label_vectors().T).softmax(-1)

    def distribution(self, vector: Tensor, labels: Tensor) -> Tensor:
        """s = softmax(alpha y + c) of vectors (B, d) and labels (B,) int64: (B, C). Unchecked, as `Target.losses`."""
        confusion = self.label_confusion(vector)
        target = (self.alpha * one_hot(labels, confusion) + confusion).softmax(-1)
        return target.detach() if self.detach else target

    def forward(self, vector: Tensor, labels: Tensor) -> Tensor:
        """The simulated label distribution s = softmax(alpha y + c), the training target.

        vector: (B, d) text vectors, or (B, T, d). labels: (B,) or (B, T) integers. Returns (B, C) or (B, T, C), in the
        dtype of LCM's weights also under autocast; rows sum to 1, or are 0 where the label is -100. Gradients flow to
        the label encoder and to the vectors unless `detach` was asked for. Raises ValueError, one line that names the
        sizes.
        """
        checks.of_floats("LabelConfusionModel", "vector", vector, self.encoder.out_features, labels)
        labels = checks.of_labels("LabelConfusionModel", labels, vector, self.confusion.out_features)
        with torch.autocast(vector.device.type, enabled=False):
            target = self.distribution(vector.to(self.encoder.weight.dtype), labels)
        return target * (labels != checks.IGNORE).unsqueeze(-1)


def lcm_loss(logits: Tensor, target: Tensor) -> Tensor:
    """KL(s || p) with p = softmax(logits), the paper's loss: the mean over all places whose target is not 0 (no label).

    logits, target: (B, C) or (B, T, C). Returns a scalar, 0 if no place has a label; half-precision floats are raised
    to float32. Gradients flow through both arguments. Raises ValueError, one line, for unequal shapes and a target that
    is no distribution.
    """
    if logits.shape != target.shape:
        raise ValueError(
            f"lcm_loss: expected logits and target of one shape, found {tuple(logits.shape)} and {tuple(target.shape)}"
        )
    checks.of_floats("lcm_loss", "logits", logits, target.shape[-1], target)
    checks.of_floats("lcm_loss", "target", target, logits.shape[-1], logits)
    checks.distribution("lcm_loss", target)
    logits, target = (checks.at_least_float32(tensor.flatten(0, -2)) for tensor in (logits, target))
    labelled = target.detach().sum(-1) > 0
    if not labelled.all():  # left out, not multiplied by 0: the gradient of t log t at 0 is infinite
        logits, target = logits[labelled], target[labelled]
        if not len(logits):
            return logits.sum() + target.sum()
    return F.kl_div(logits.log_softmax(-1), target, reduction="batchmean")


class LabelConfusion(UntilEpoch):
    """loss = KL(s || p) with s = softmax(alpha y + c), c = softmax(v^T V W + b), V = tanh(E W_e + b_e); gradients
    through s too.

    alpha: weight of the label, its strength (less is softer). label_dim: size of a label's embedding, None: that of the
    text vector. stop_epoch: one-hot labels follow after this epoch, None never. stop_resets_optimizer: they begin with
    a fresh optimiser, as in the authors' code (the training loop does it). detach: no gradient through s, an ablation.
    Cost O(B C (C + d) + C d e), memory C e + d e + C^2 weights. Implicit target: s.
    """

    name, label, short = "lcm", "label confusion model", "LCM"
    reference = "Guo et al. 2021"
    knob = "alpha"
    grid = tuple({"alpha": alpha} for alpha in (0.5, 1.0, 2.0, 3.0, 4.0, 6.0))
    needs = ("vector_size",)
    structural = ("label_dim", "detach", "stop_resets_optimizer")

    class Settings(Group):
        alpha: NotNegative = 4.0
        label_dim: Count | None = None
        stop_epoch: Epochs | None = None
        stop_resets_optimizer: bool = False
        detach: bool = False

    def __init__(self, task: Task, **settings):
        super().__init__(task, **settings)
        own = self.settings
        self.confusion_model = LabelConfusionModel(
            self.task.n_labels, self.task.vector_size, own.alpha, own.label_dim, own.detach
        )

    def numbers(self) -> dict[str, float | int]:
        return {
            name: value for name, value in super().numbers().items() if name != "alpha"
        }  # the confusion model has it

    def soft_losses(self, logits: Tensor, labels: Tensor, vector: Tensor | None, samples: Tensor | None) -> Tensor:
        target = self.confusion_model.distribution(vector, labels)
        cross = target * logits.log_softmax(
            -1
        )  # first, as in F.kl_div: gradients then add up in the same order, to the same bits
        return (torch.xlogy(target, target) - cross).sum(-1)
