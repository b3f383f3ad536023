"""Label confusion learning: `from lcm import LabelConfusionModel, lcm_loss`; the study around it is in the pipeline's DVC stages."""

__version__ = "0.1.0"
__all__ = ["LabelConfusionModel", "lcm_loss", "matched_epsilon", "smoothing_loss"]


def __getattr__(name: str):
    # Lazily, so that stages which only read and write data start without importing PyTorch (2 to 5 seconds).
    if name == "matched_epsilon":
        from lcm.protocol.matched import matched_epsilon

        return matched_epsilon
    if name in __all__:
        from lcm import targets

        return getattr(targets, name)
    raise AttributeError(f"module 'lcm' has no attribute {name!r}")
