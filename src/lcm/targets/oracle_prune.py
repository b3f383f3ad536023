"""Oracle pruning: samples with a wrong label are left out, by the true labels."""

from torch import Tensor

from lcm.targets.base import Target, Task, cross_entropy


class OraclePruning(Target):
    """loss = -k_i log p_y; k_i is 1 if the given label y of sample i is the true one, else 0.

    The mean runs over all samples of a batch, so the loss shrinks by the share that is kept; Adam does not notice.
    No strength to set. Cost O(B C), memory n numbers. Implicit target: y, or p for a pruned sample.
    """

    name, label, short = "oracle_prune", "pruning by the true labels", "true prune"
    reference = "this study"
    ceiling = True
    needs = ("true_labels", "n_samples")

    def __init__(self, task: Task, **settings):
        super().__init__(task, **settings)
        self.register_buffer("true_labels", self.of_task("true_labels", self.task.n_samples, floating=False))

    def losses(
        self, logits: Tensor, labels: Tensor, vector: Tensor | None = None, samples: Tensor | None = None
    ) -> Tensor:
        return (self.true_labels[samples] == labels) * cross_entropy(logits, labels)
