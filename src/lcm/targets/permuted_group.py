"""Permuted-group smoothing: groups of the true sizes, with labels drawn at random."""

import torch
from torch import Tensor

from lcm.schema import Group, Seed
from lcm.targets.base import Epsilon, Fraction
from lcm.targets.oracle_group import OracleGroup


class PermutedGroup(OracleGroup):
    """As `oracle_group`, with the labels of all groups shuffled: same strength and structure, no likeness.

    seed: of the shuffle.
    """

    name, label, short = "permuted_group", "smoothing over shuffled groups", "shuffled"

    class Settings(Group):
        epsilon: Epsilon = 0.27
        rho: Fraction = 0.9
        seed: Seed = 0

    def preferred(self, groups: Tensor) -> Tensor:
        return super().preferred(
            groups[torch.randperm(len(groups), generator=torch.Generator().manual_seed(self.settings.seed))]
        )
