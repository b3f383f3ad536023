"""Label smoothing of LCM's strength: the control that decides whether LCM's confusion distribution matters."""

from lcm.protocol.matched import matched_epsilon
from lcm.targets.base import Task
from lcm.targets.ls import LabelSmoothing


class MatchedLabelSmoothing(LabelSmoothing):
    """Label smoothing whose epsilon leaves as much mass on the label as LCM with a uniform confusion distribution.

    epsilon = (1 - t) C / (C - 1) with t = e^alpha / (e^alpha + C - 1): 0.272 at alpha = 4 and 20 labels. If LCM
    stops early, so does its control. Cost and implicit target as label smoothing.
    """

    name, label, short = "ls_matched", "matched label smoothing", "matched LS"
    reference = "this study"
    knob, grid = None, ()  # its strength is LCM's
    groups = ("lcm",)

    def __init__(self, task: Task | int, alpha: float = 4.0, **settings):
        """alpha: LCM's, used where no epsilon is given."""
        if "epsilon" not in settings:
            settings["epsilon"] = matched_epsilon(alpha, task if isinstance(task, int) else task.n_labels)
        super().__init__(task, **settings)

    @classmethod
    def resolve(cls, own: dict, groups: dict[str, dict], n_labels: int) -> dict:
        """epsilon and stop_epoch follow the group `lcm`; `ls_matched.alpha=2` is the control of `lcm.alpha=2`."""
        lcm = groups["lcm"] | own
        settings = {key: value for key, value in own.items() if key != "alpha"}
        return {"epsilon": matched_epsilon(lcm["alpha"], n_labels), "stop_epoch": lcm["stop_epoch"]} | settings
