"""Which samples of a corpus take part: chosen labels, at most so many of each, a random subset (paper: 50000 of AG's
News and DBPedia).
"""

import numpy as np

from lcm.errors import UserError
from lcm.params import Corpus


def choose(labels: list[str], knobs: Corpus) -> np.ndarray:
    """Indices of the samples that take part, ascending.

    labels: of every sample. First `labels` keeps those of the named labels, then `per_label` draws at most so many of
    each label, then `subset` draws from all that are left; both draws by `subset_seed`. Drawing a second time changes
    nothing. Raises UserError for a label that does not occur and for a subset larger than the corpus.
    """
    names, codes = np.unique(np.array(labels, dtype=object), return_inverse=True)
    unknown = sorted(set(knobs.labels or []) - set(names))
    if unknown:
        raise UserError(f"labels: {unknown[0]!r} is not a label of this corpus; these are: {', '.join(names)}")
    # RandomState, because NumPy promises to keep its stream for ever.
    random = np.random.RandomState(knobs.subset_seed)
    kept = np.arange(len(labels))
    if knobs.labels:
        kept = kept[np.isin(names[codes], knobs.labels)]
    if knobs.per_label:
        order = kept[random.permutation(len(kept))]
        drawn = [order[codes[order] == code][: knobs.per_label] for code in range(len(names))]
        kept = np.sort(np.concatenate(drawn))
    if knobs.subset:
        if knobs.subset > len(kept):
            raise UserError(
                f"subset: found {knobs.subset}, but there are only {len(kept)} samples; set it to null for all of them"
            )
        kept = np.sort(kept[random.permutation(len(kept))[: knobs.subset]])
    return kept
