"""What the loss fits: one-hot labels, smoothed labels, or the label distribution simulated by the label confusion model.

Paper: Guo et al., "Label Confusion Learning to Enhance Text Classification Models", AAAI-21, section "Our Approach".
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


class LabelConfusionModel(nn.Module):
    """The label confusion model: a label encoder and the simulated label distribution (SLD) block.

    n_labels: C. vector_size: d, the size of the predictor's text vector v. alpha: weight of the one-hot label (alpha in the paper).
    label_dim: e, the size of a label embedding; default d, as in the paper.
    detach: no gradient through the target distribution. The label encoder then learns nothing: an ablation, not the paper.

    Initialised as in the authors' framework (embedding U(-0.05, 0.05), Glorot weights, zero biases).
    """

    def __init__(self, n_labels: int, vector_size: int, alpha: float = 4.0, label_dim: int | None = None, detach: bool = False):
        super().__init__()
        if alpha < 0:
            raise ValueError(f"alpha must be >= 0, got {alpha}")
        self.alpha = alpha
        self.detach = detach
        self.embedding = nn.Embedding(n_labels, label_dim or vector_size)
        self.encoder = nn.Linear(label_dim or vector_size, vector_size)
        self.confusion = nn.Linear(n_labels, n_labels)
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        for layer in (self.encoder, self.confusion):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def label_vectors(self) -> Tensor:
        """V = tanh(embedding W_e + b_e), the label representation matrix: (C, d)."""
        return torch.tanh(self.encoder(self.embedding.weight))

    def label_confusion(self, vector: Tensor) -> Tensor:
        """The label confusion distribution c = softmax(v^T V W + b) of text vectors (B, d): (B, C), rows sum to 1."""
        return self.confusion(vector @ self.label_vectors().T).softmax(-1)

    def forward(self, vector: Tensor, labels: Tensor) -> Tensor:
        """The simulated label distribution s = softmax(alpha * onehot(y) + c), the training target.

        vector: (B, d) text vectors. labels: (B,) int64 class indices. Returns (B, C), rows sum to 1; gradients flow to
        the label encoder and to the text vector unless `detach` was asked for.
        """
        confusion = self.label_confusion(vector)
        one_hot = F.one_hot(labels, confusion.shape[-1]).to(confusion.dtype)
        target = (self.alpha * one_hot + confusion).softmax(-1)
        return target.detach() if self.detach else target


def lcm_loss(logits: Tensor, target: Tensor) -> Tensor:
    """KL(s || p) with p = softmax(logits), mean over the batch: the paper's loss.

    logits, target: (B, C). Returns a scalar. Gradients flow through both arguments.
    """
    return F.kl_div(logits.log_softmax(-1), target, reduction="batchmean")


def smoothing_loss(logits: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Cross-entropy with label smoothing: target (1 - epsilon) onehot(y) + epsilon / C. epsilon = 0 is plain cross-entropy.

    logits: (B, C). labels: (B,) int64. Returns a scalar, the mean over the batch.
    """
    return F.cross_entropy(logits, labels, label_smoothing=epsilon)
