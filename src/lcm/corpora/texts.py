"""What a reader returns."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Texts:
    """texts and labels run in parallel; documents in an order that depends on the content only. facts: counts for the card.

    given: labels that somebody gave, wrong ones among them, to learn from in place of the true `labels`; None: there are none.
    official_test: (n,) bool, the publisher's test part, which is that of every split; None: there is none.
    """

    texts: list[str]
    labels: list[str]
    facts: dict[str, int] = field(default_factory=dict)
    given: list[str] | None = None
    official_test: np.ndarray | None = None


@dataclass(frozen=True)
class Images:
    """pixels: (n, side, side) uint8. labels run in parallel. official_test: (n,) bool, the publisher's test part; None: there is none."""

    pixels: np.ndarray
    labels: list[str]
    official_test: np.ndarray | None = None
