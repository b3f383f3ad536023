"""Do LCM's label embeddings (C labels, e numbers) and its confusion distribution know which labels are alike?"""

import numpy as np
from sklearn.manifold import TSNE

from lcm.evidence.results import Result


def groups_of(labels: list[str]) -> list[str]:
    """The group of each label: its name before the first dot (comp.graphics -> comp)."""
    return [label.split(".")[0] for label in labels]


def has_groups(labels: list[str]) -> bool:
    """Is there a pair of labels of one group, and a pair of two groups?"""
    return 1 < len(set(groups_of(labels))) < len(labels)


def embeddings(result: Result) -> dict[tuple[int, int], np.ndarray]:
    """(split, seed) -> label embedding (C, e) of the LCM runs that have one."""
    kept = ((run, run.get("label_embedding")) for run in result.runs)
    return {(run["split"], run["seed"]): np.array(embedding) for run, embedding in kept if embedding}


def cosines(embedding: np.ndarray) -> np.ndarray:
    """(C, e) -> cosine of every two rows, (C, C)."""
    unit = embedding / np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-12)
    return unit @ unit.T


def within_and_between(embedding: np.ndarray, groups: list[str]) -> tuple[float, float]:
    """Mean cosine of two labels of the same group, and of two groups; a label with itself does not count."""
    same = np.array(groups)[:, None] == np.array(groups)[None, :]
    cosine, other = cosines(embedding), ~np.eye(len(groups), dtype=bool)
    return float(cosine[same & other].mean()), float(cosine[~same].mean())


def in_the_plane(embedding: np.ndarray) -> np.ndarray:
    """t-SNE of the rows, as in Fig. 2b: (C, e) -> (C, 2). The paper gives no settings: exact, perplexity 5."""
    perplexity = min(5.0, (len(embedding) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", method="exact", random_state=0).fit_transform(embedding)


def frequencies(result: Result) -> np.ndarray | None:
    """(C,) share of the test documents of each label; None where no confusion matrix was kept."""
    confusion = result.confusion()
    return None if confusion is None else confusion.sum(axis=1) / confusion.sum()


def uniform_in_group(result: Result) -> float | None:
    """Mass of a uniform distribution on the other labels of a document's group, on average."""
    shares, groups = frequencies(result), groups_of(result.record["labels"])
    others = np.array([groups.count(group) - 1 for group in groups]) / len(groups)
    return None if shares is None else float(shares @ others)


def mean_lcd(result: Result) -> dict[tuple[int, int], np.ndarray]:
    """(split, seed) -> mean confusion distribution (C,) over the validation documents, of the runs that kept it."""
    shares = frequencies(result)
    kept = {(run["split"], run["seed"]): run["lcd_by_class"] for run in result.runs if run.get("lcd_by_class")}
    found = {}
    for place, means in kept.items() if shares is not None else ():
        known = [label for label, row in enumerate(means) if row]  # a label may have no validation document
        found[place] = shares[known] @ np.array([means[label] for label in known]) / shares[known].sum()
    return found


def first_means(result: Result) -> np.ndarray | None:
    """The first run's mean confusion distribution by true label, (C, C); rows without a validation document are 0."""
    means = next((run["lcd_by_class"] for run in result.runs if run.get("lcd_by_class")), None)
    return None if means is None else np.array([row or [0.0] * len(means) for row in means])
