"""What a reader returns."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Texts:
    """texts and labels run in parallel; documents in an order that depends on the content only. facts: counts for the card."""

    texts: list[str]
    labels: list[str]
    facts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Images:
    """pixels: (n, side, side) uint8. labels run in parallel. official_test: (n,) bool, the publisher's test part; None: there is none."""

    pixels: np.ndarray
    labels: list[str]
    official_test: np.ndarray | None = None
