"""What a reader returns."""

from dataclasses import dataclass, field, fields, replace

import numpy as np


class Samples:
    """What texts and images have in common: fields that run in parallel, one item a sample, or are None."""

    def take(self, chosen: np.ndarray):
        """Return the samples of these indices, in this order."""
        parallel = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in ("facts", "files")}
        return replace(
            self,
            **{
                name: values[chosen] if isinstance(values, np.ndarray) else [values[index] for index in chosen]
                for name, values in parallel.items()
                if values is not None
            },
        )


@dataclass(frozen=True)
class Texts(Samples):
    """Texts with labels, in an order that depends on the content only.

    facts: counts for the card. given: labels that somebody gave, wrong ones among them, to learn from in place of the
    true `labels`. official_test, official_val: (n,) bool, the publisher's parts, which are those of every split.
    rows, file_numbers: (n,) where each text stands in which of `files`. None: there is none.
    """

    texts: list[str]
    labels: list[str]
    facts: dict[str, int] = field(default_factory=dict)
    given: list[str] | None = None
    official_test: np.ndarray | None = None
    official_val: np.ndarray | None = None
    rows: np.ndarray | None = None
    file_numbers: np.ndarray | None = None
    files: tuple[str, ...] = ()

    def place(self, number: int) -> str:
        """Return where a text comes from."""
        return f"{self.files[self.file_numbers[number]]}, row {self.rows[number]}"


@dataclass(frozen=True)
class Images(Samples):
    """pixels: (n, side, side) uint8. labels and official_test as in `Texts`."""

    pixels: np.ndarray
    labels: list[str]
    official_test: np.ndarray | None = None
    given = official_val = rows = None
