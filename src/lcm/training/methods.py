"""The methods of an arm. An arm is named for the parameter group it depends on.

`ls`: plain cross-entropy (`base`) and label smoothing (`ls`). `lcm`: LCM and label smoothing matched to it (`ls_matched`).
"""

from dataclasses import dataclass

from lcm.params import Lcm, Params
from lcm.protocol.matched import matched_epsilon


@dataclass(frozen=True)
class Method:
    """name: base, ls, ls_matched or lcm. epsilon: label smoothing, 0 is plain cross-entropy; for lcm None, its settings are in `lcm`."""

    name: str
    epsilon: float | None = None
    lcm: Lcm | None = None

    def settings(self) -> dict:
        return self.lcm.model_dump() if self.lcm else {"epsilon": self.epsilon}


def methods(params: Params, arm: str, n_labels: int) -> list[Method]:
    """The methods of arm `ls` or `lcm` on a corpus of n_labels classes."""
    if arm == "ls":
        return [Method("base", epsilon=0.0), Method("ls", epsilon=params.ls.epsilon)]
    return [Method("lcm", lcm=params.lcm), Method("ls_matched", epsilon=matched_epsilon(params.lcm.alpha, n_labels))]
