"""The label confusion model: labels, smoothed by a distribution that is learnt from the likeness of texts and labels.

Guo et al., "Label Confusion Learning to Enhance Text Classification Models", AAAI 2021, section "Our Approach".
Shapes: B batch, C classes, d size of the text vector, e size of a label embedding.

To use LCM in a training loop of your own:

    lcm = LabelConfusionModel(n_labels=20, vector_size=64, alpha=4.0)
    optimizer = torch.optim.Adam([*model.parameters(), *lcm.parameters()])
    vector, logits = model(batch)                    # (B, d) and (B, C); logits = output_layer(vector)
    loss = lcm_loss(logits, lcm(vector, labels))     # at test time: model(batch)[1].argmax(-1), LCM is gone
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lcm.schema import Count, Group, NotNegative
from lcm.targets.base import Epochs, Numbers, Task, UntilEpoch, one_hot


class LabelConfusionModel(Numbers):
    """The label confusion model: a label encoder and the simulated label distribution (SLD) block.

    n_labels: C. vector_size: d, the size of the predictor's text vector v. alpha: weight of the one-hot label (alpha in the paper).
    label_dim: e, the size of a label embedding; default d, as in the paper.
    detach: no gradient through the target distribution. The label encoder then learns nothing: an ablation, not the paper.

    Initialised as in the authors' framework (embedding U(-0.05, 0.05), Glorot weights, zero biases).
    """

    def __init__(
        self, n_labels: int, vector_size: int, alpha: float = 4.0, label_dim: int | None = None, detach: bool = False
    ):
        super().__init__()
        if alpha < 0:
            raise ValueError(f"alpha must be >= 0, got {alpha}")
        self.weight_of_label = float(alpha)
        self.detach = detach
        self.embedding = nn.Embedding(n_labels, label_dim or vector_size)
        self.encoder = nn.Linear(label_dim or vector_size, vector_size)
        self.confusion = nn.Linear(n_labels, n_labels)
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        for layer in (self.encoder, self.confusion):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_numbers()

    def numbers(self) -> dict[str, float | int]:
        return {"alpha": self.weight_of_label}

    def label_vectors(self) -> Tensor:
        """V = tanh(embedding W_e + b_e), the label representation matrix: (C, d)."""
        return torch.tanh(self.encoder(self.embedding.weight))

    def label_confusion(self, vector: Tensor) -> Tensor:
        """The label confusion distribution c = softmax(v^T V W + b) of text vectors (B, d): (B, C), rows sum to 1."""
        return self.confusion(vector @ self.label_vectors().T).softmax(-1)

    def forward(self, vector: Tensor, labels: Tensor) -> Tensor:
        """The simulated label distribution s = softmax(alpha y + c), the training target.

        vector: (B, d) text vectors. labels: (B,) int64 class indices. Returns (B, C), rows sum to 1; gradients flow to
        the label encoder and to the text vector unless `detach` was asked for.
        """
        confusion = self.label_confusion(vector)
        target = (self.alpha * one_hot(labels, confusion) + confusion).softmax(-1)
        return target.detach() if self.detach else target


def lcm_loss(logits: Tensor, target: Tensor) -> Tensor:
    """KL(s || p) with p = softmax(logits), mean over the batch: the paper's loss.

    logits, target: (B, C). Returns a scalar. Gradients flow through both arguments.
    """
    return F.kl_div(logits.log_softmax(-1), target, reduction="batchmean")


class LabelConfusion(UntilEpoch):
    """loss = KL(s || p) with s = softmax(alpha y + c), c = softmax(v^T V W + b), V = tanh(E W_e + b_e); gradients through s too.

    alpha: weight of the label, its strength (less is softer). label_dim: size of a label's embedding, None: that of the text vector.
    stop_epoch: one-hot labels follow after this epoch, None never; stop_resets_optimizer: with a fresh optimiser, as in the
    authors' code (the training loop reads this one). detach: no gradient through s, an ablation.
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
        target = self.confusion_model(vector, labels)
        cross = target * logits.log_softmax(
            -1
        )  # first, as in F.kl_div: gradients then add up in the same order, to the same bits
        return (torch.xlogy(target, target) - cross).sum(-1)
