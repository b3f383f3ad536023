"""Label confusion learning: the reference study, and its training targets as a small library.

    from lcm import LabelConfusionModel, SquareLoss, lcm_loss

Names are loaded when they are first used: `import lcm` is cheap and does not import PyTorch.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers; a test holds this list to `_HOME`
    from lcm.protocol.matched import matched_epsilon as matched_epsilon
    from lcm.targets.anti_group import AntiGroup as AntiGroup
    from lcm.targets.base import Target as Target
    from lcm.targets.base import Task as Task
    from lcm.targets.bootstrap import Bootstrapping as Bootstrapping
    from lcm.targets.ce import CrossEntropy as CrossEntropy
    from lcm.targets.confidence_penalty import ConfidencePenalty as ConfidencePenalty
    from lcm.targets.elr import EarlyLearningRegularisation as EarlyLearningRegularisation
    from lcm.targets.forward import ForwardCorrection as ForwardCorrection
    from lcm.targets.gce import GeneralisedCrossEntropy as GeneralisedCrossEntropy
    from lcm.targets.held_out_lcm import HeldOutLcm as HeldOutLcm
    from lcm.targets.label_embedding import LabelEmbeddingNetwork as LabelEmbeddingNetwork
    from lcm.targets.lcm import LabelConfusion as LabelConfusion
    from lcm.targets.lcm import LabelConfusionModel as LabelConfusionModel
    from lcm.targets.lcm import lcm_loss as lcm_loss
    from lcm.targets.ls import LabelSmoothing as LabelSmoothing
    from lcm.targets.ls import smoothing_loss as smoothing_loss
    from lcm.targets.ls_matched import MatchedLabelSmoothing as MatchedLabelSmoothing
    from lcm.targets.measures import implicit_target as implicit_target
    from lcm.targets.measures import strength as strength
    from lcm.targets.measures import structure as structure
    from lcm.targets.ols import OnlineLabelSmoothing as OnlineLabelSmoothing
    from lcm.targets.ols_fixed import FixedOnlineLabelSmoothing as FixedOnlineLabelSmoothing
    from lcm.targets.oracle_group import OracleGroup as OracleGroup
    from lcm.targets.oracle_prune import OraclePruning as OraclePruning
    from lcm.targets.permuted_group import PermutedGroup as PermutedGroup
    from lcm.targets.posterior_lcm import PosteriorLcm as PosteriorLcm
    from lcm.targets.prune import ConfidentPruning as ConfidentPruning
    from lcm.targets.prune_window import WindowPruning as WindowPruning
    from lcm.targets.ps_kd import ProgressiveSelfDistillation as ProgressiveSelfDistillation
    from lcm.targets.sce import SymmetricCrossEntropy as SymmetricCrossEntropy
    from lcm.targets.seal import SelfEvolutionAverageLabel as SelfEvolutionAverageLabel
    from lcm.targets.square import SquareLoss as SquareLoss
    from lcm.targets.vol_min import VolMinNet as VolMinNet

__version__ = "0.1.0"

_HOME = {  # public name: its module
    "matched_epsilon": "protocol.matched",
    "Target": "targets.base",
    "Task": "targets.base",
    "implicit_target": "targets.measures",
    "strength": "targets.measures",
    "structure": "targets.measures",
    "LabelConfusionModel": "targets.lcm",
    "lcm_loss": "targets.lcm",
    "smoothing_loss": "targets.ls",
    # a class for each target
    "AntiGroup": "targets.anti_group",
    "Bootstrapping": "targets.bootstrap",
    "ConfidencePenalty": "targets.confidence_penalty",
    "ConfidentPruning": "targets.prune",
    "CrossEntropy": "targets.ce",
    "EarlyLearningRegularisation": "targets.elr",
    "FixedOnlineLabelSmoothing": "targets.ols_fixed",
    "ForwardCorrection": "targets.forward",
    "GeneralisedCrossEntropy": "targets.gce",
    "HeldOutLcm": "targets.held_out_lcm",
    "LabelConfusion": "targets.lcm",
    "LabelEmbeddingNetwork": "targets.label_embedding",
    "LabelSmoothing": "targets.ls",
    "MatchedLabelSmoothing": "targets.ls_matched",
    "OnlineLabelSmoothing": "targets.ols",
    "OracleGroup": "targets.oracle_group",
    "OraclePruning": "targets.oracle_prune",
    "PermutedGroup": "targets.permuted_group",
    "PosteriorLcm": "targets.posterior_lcm",
    "ProgressiveSelfDistillation": "targets.ps_kd",
    "SelfEvolutionAverageLabel": "targets.seal",
    "SquareLoss": "targets.square",
    "SymmetricCrossEntropy": "targets.sce",
    "VolMinNet": "targets.vol_min",
    "WindowPruning": "targets.prune_window",
}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"lcm.{_HOME[name]}"), name)
    raise AttributeError(f"module 'lcm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
