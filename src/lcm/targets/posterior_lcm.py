"""Posterior LCM: LCM's formula, mended; one knob leads from label smoothing to forward correction."""

from typing import Literal

from torch import Tensor

from lcm.schema import Group, NotNegative
from lcm.targets.base import Epsilon, Fraction, Target, Task, one_hot, soft_cross_entropy
from lcm.targets.forward import log_transition


class PosteriorLcm(Target):
    """loss = -sum_k s_k log p_k with s = [softmax(A_y + beta log p)], [.] stops the gradient (this study).

    LCM has softmax(alpha y + c). Here log p takes the place of the bounded c, s is taken as given, and A_y may know the
    noise. matrix: `symmetric`, A_y = alpha y; `known`, A_y = log T_.y of the task's noise matrix. beta: 0 is label
    smoothing of LCM's strength (`ls_matched`), 1 is forward correction, with `symmetric` for noise that leaves a label
    right with probability e^alpha / (e^alpha + C - 1): 74 % at alpha = 4 and 20 labels. A model that fits s has p =
    softmax(alpha y / (1 - beta)). smoothing: s <- (1 - smoothing) s + smoothing / C. Cost O(B C), memory none or C^2
    numbers. Implicit target: s.
    """

    name, label, short = "posterior_lcm", "posterior LCM", "post. LCM"
    reference = "this study"
    knob = "beta"
    grid = tuple({"alpha": alpha, "beta": beta} for alpha in (2.0, 4.0) for beta in (0.25, 0.5, 1.0))
    structural = ("matrix",)

    class Settings(Group):
        alpha: NotNegative = 4.0
        beta: Fraction = 0.5
        smoothing: Epsilon = 0.0
        matrix: Literal["symmetric", "known"] = "symmetric"

    def __init__(self, task: Task | int, **settings):
        super().__init__(task, **settings)
        if self.settings.matrix == "known":
            if self.task.transition is None:
                raise ValueError("posterior_lcm needs transition for matrix `known`: give it as Task(transition=...)")
            self.register_buffer("log_matrix", log_transition(self))

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        evidence = (
            self.alpha * one_hot(labels, logits) if self.settings.matrix == "symmetric" else self.log_matrix.T[labels]
        )
        s = (evidence + self.beta * logits.detach().log_softmax(-1)).softmax(-1)
        return soft_cross_entropy(logits, (1 - self.smoothing) * s + self.smoothing / logits.shape[-1])
