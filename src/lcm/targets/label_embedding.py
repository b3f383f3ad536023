"""Label embedding network: a second head learns, without touching the text vector, which labels it confuses."""

import torch
from torch import Tensor, nn

from lcm.schema import Group, Positive
from lcm.targets.base import Fraction, Target, Task, cross_entropy, of_label, soft_cross_entropy


class LabelEmbeddingNetwork(Target):
    """loss = beta CE(y, o1) + (1 - beta) CE([softmax E_y], o1) + CE(y, o2) + right CE([softmax o2/T], E_y) + max(0,
    p2_y - cap).

    CE(s, z) = -sum_k s_k log softmax(z)_k; [.] stops the gradient (Sun et al. 2017, who precede LCM and avoid its
    collapse). o1: the predictor's logits. o2 = W [v] + b: a second head on the text vector; p2 = softmax(o2); right: 1
    where o2 names the label. E (C, C): the labels' embeddings, at first the identity. All terms are means over the
    batch, as in the authors' text code. beta: trust in the label, its strength (less is softer). temperature: T. cap:
    how sure o2 may be. Cost O(B C d), memory C d + C + C^2 weights. Implicit target: beta y + (1 - beta) softmax E_y.
    """

    name, label, short = "label_embedding", "label embedding network", "LEN"
    reference = "Sun et al. 2017"
    knob = "beta"
    grid = tuple({"beta": beta} for beta in (0.9, 0.7, 0.5, 0.3, 0.2, 0.1))
    needs = ("vector_size",)

    class Settings(Group):
        beta: Fraction = 0.5
        temperature: Positive = 2.0
        cap: Fraction = 0.9

    def __init__(self, task: Task, **settings):
        super().__init__(task, **settings)
        self.head = nn.Linear(self.task.vector_size, self.task.n_labels)
        self.embedding = nn.Parameter(torch.eye(self.task.n_labels))

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        second, own = self.head(vector.detach()), self.embedding[labels]
        right = (second.argmax(-1) == labels).to(logits.dtype)
        fit = self.beta * cross_entropy(logits, labels) + (1 - self.beta) * soft_cross_entropy(
            logits, own.detach().softmax(-1)
        )
        learn = right * soft_cross_entropy(own, (second.detach() / self.temperature).softmax(-1))
        surplus = (of_label(second.softmax(-1), labels) - self.cap).clamp(min=0)
        return fit + cross_entropy(second, labels) + learn + surplus
