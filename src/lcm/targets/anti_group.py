"""Anti-group smoothing: mass on the labels that are *not* alike."""

from torch import Tensor

from lcm.targets.oracle_group import OracleGroup


class AntiGroup(OracleGroup):
    """As `oracle_group`, but the share rho goes evenly to the labels outside y's group: the opposite of the paper's
    premise.
    """

    name, label, short = "anti_group", "smoothing outside the true group", "outside"

    def preferred(self, groups: Tensor) -> Tensor:
        return 1 - super().preferred(groups)
