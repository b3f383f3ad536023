"""The methods of an arm. An arm is named for the parameter group it depends on.

`ls`: plain cross-entropy (`base`) and label smoothing (`ls`). `lcm`: LCM and label smoothing matched to it (`ls_matched`).
Where LCM stops early, its control does too.
`lcm.alpha=2` or `ls.epsilon=0.3`: this one method, with these settings changed. Its runs are those of the plain arm at these settings.
"""

from dataclasses import dataclass

from lcm.params import Lcm, Params
from lcm.protocol.matched import matched_epsilon


@dataclass(frozen=True)
class Method:
    """name: base, ls, ls_matched or lcm. epsilon: label smoothing, 0 is plain cross-entropy; for lcm None, its settings are in `lcm`.

    smooth_until: the epoch after which label smoothing ends and one-hot targets follow, or None.
    """

    name: str
    epsilon: float | None = None
    lcm: Lcm | None = None
    smooth_until: int | None = None

    @property
    def stop_epoch(self) -> int | None:
        """The epoch after which the targets are one-hot, or None."""
        return self.lcm.stop_epoch if self.lcm else self.smooth_until

    def settings(self) -> dict:
        if self.lcm:
            return self.lcm.model_dump()
        return {"epsilon": self.epsilon} | ({} if self.smooth_until is None else {"stop_epoch": self.smooth_until})


def methods(params: Params, arm: str, n_labels: int) -> list[Method]:
    """The methods of an arm on a corpus of n_labels classes. Raises ValueError for an expression that is not valid."""
    group = params.arm(arm)
    if isinstance(group, Lcm):
        epsilon = matched_epsilon(group.alpha, n_labels)
        method, control = Method("lcm", lcm=group), Method("ls_matched", epsilon, smooth_until=group.stop_epoch)
    else:
        method, control = Method("ls", group.epsilon, smooth_until=group.stop_epoch), Method("base", epsilon=0.0)
    if arm not in ("ls", "lcm"):
        return [method]
    return [method, control] if arm == "lcm" else [control, method]
