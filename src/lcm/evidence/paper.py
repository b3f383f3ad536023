"""What the paper prints, from paper.yaml. Shown beside our numbers, never in their place."""

from lcm.evidence.names import read_yaml

_PAPER = read_yaml("paper.yaml")
_ACCURACY = {(row.pop("corpus"), row.pop("noise"), row.pop("model")): row for row in _PAPER["accuracy"]}
SOURCE = _PAPER["source"]  # the citation
LABELS = _PAPER["labels"]  # corpus -> the labels of a subset as Table 2 lists them
SETTINGS = tuple(_ACCURACY)  # every (corpus, noise in percent, model) of which the paper prints LCM's accuracy


def paper_accuracy(corpus: str, noise: float, model: str, method: str) -> tuple[float, float | None] | None:
    """(mean test accuracy in [0, 1], std or None where none is printed), or None where the paper has no number."""
    mean_and_std = _ACCURACY.get((corpus, noise, model), {}).get(method)
    return mean_and_std and (*mean_and_std, None)[:2]


def paper_gain(corpus: str, noise: float, model: str, method: str = "lcm", other: str = "ce") -> float | None:
    """Mean of one method minus mean of the other as printed, or None where the paper lacks one of them."""
    numbers = [paper_accuracy(corpus, noise, model, each) for each in (method, other)]
    return numbers[0][0] - numbers[1][0] if all(numbers) else None
