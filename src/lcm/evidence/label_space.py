"""Do LCM's label embeddings know which labels are alike? Paper, Fig. 2. C labels, e numbers per embedding."""

import numpy as np
from sklearn.manifold import TSNE

from lcm.evidence.results import Cell


def groups_of(labels: list[str]) -> list[str]:
    """The group of each label: its name before the first dot (comp.graphics -> comp)."""
    return [label.split(".")[0] for label in labels]


def has_groups(labels: list[str]) -> bool:
    """Is there a pair of labels of one group, and a pair of two groups?"""
    return 1 < len(set(groups_of(labels))) < len(labels)


def embeddings(cell: Cell) -> dict[int, np.ndarray]:
    """Split -> label embedding (C, e) of the LCM runs that finished."""
    failed = cell.failures("lcm")
    return {run["split"]: np.array(run["label_embedding"]) for run in cell.runs("lcm") if run["split"] not in failed and "label_embedding" in run}


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
    """t-SNE of the rows, as in the paper's Fig. 2b: (C, e) -> (C, 2). The paper gives no settings: exact, perplexity 5 or less."""
    perplexity = min(5.0, (len(embedding) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", method="exact", random_state=0).fit_transform(embedding)


def uniform_in_group(cell: Cell) -> float:
    """Mass that a uniform distribution over the labels leaves on the other labels of a document's group, on average."""
    groups = groups_of(cell.record["labels"])
    counts = np.array(cell.record["methods"]["lcm"]["confusion_matrix"]).sum(axis=1)  # test documents of each label
    others = np.array([groups.count(group) - 1 for group in groups]) / len(groups)
    return float((counts * others).sum() / counts.sum())
