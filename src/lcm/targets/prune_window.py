"""Pruning by confident learning, where the held-out models read no more of a text than the network."""

from lcm.targets.prune import ConfidentPruning


class WindowPruning(ConfidentPruning):
    """`prune`, but the held-out models read the network's tokens, not whole texts (this study).

    A control: how much of what `prune` gains is the longer text? Used alone it is `prune`, with the `held_out` that you
    give. Loss, settings, cost, memory and implicit target are those of `ConfidentPruning`.
    """

    name, label, short = "prune_window", "pruning, held-out models read the network’s words", "prune win."
    reference = "this study"
    held_out_reads = "window"
