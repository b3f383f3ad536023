"""The schema of a cell's files. Training ignores a file that does not fit; the report says which line is wrong."""

import math
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from lcm.params import explain
from lcm.schema import Fraction
from lcm.study import LINEAR


def _share_or_nan(value: float) -> float:
    if not (math.isnan(value) or 0 <= value <= 1):
        raise ValueError(f"expected a share from 0 to 1, found {value}")
    return value


ROUNDING = 1e-6  # scores are written with six digits
Whole = Annotated[int, Field(ge=0)]
Matrix = list[list[Whole]]


class _Part(BaseModel):
    """A part of a file. It may have keys that are not named here."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Scores(_Part):
    accuracy: Annotated[float, Field(allow_inf_nan=True), AfterValidator(_share_or_nan)]  # nan: the run has failed
    __pydantic_extra__: dict[str, float | None]


class Run(_Part):
    """A key with the default None may be missing, but not null."""

    split: Whole
    seed: Whole
    key: str = ""
    failed: str = None
    test: Scores = None
    test_last: Scores = None
    val_accuracy: Fraction = None
    best_epoch: Whole = None
    epochs: Whole = None
    device: str = ""
    code: dict[str, str] = {}
    confusion_matrix: Matrix = None
    label_embedding: list[list[float]] = None
    lcd_by_class: list[list[float] | None] = None

    @model_validator(mode="after")
    def scores_or_a_reason(self):
        if self.test is None and self.failed is None:
            raise ValueError("expected test or failed")
        return self


class Sizes(_Part):
    train: Annotated[int, Field(ge=1)]
    val: Whole
    test: Annotated[int, Field(ge=1)]


class Settings(_Part):
    """The settings of the cell's target, or the values that a yardstick chose from."""

    alpha: float | list[float] = None
    epsilon: float = None
    stop_epoch: Whole | None = None
    __pydantic_extra__: dict[str, float | bool | str | list[float] | None]


class CellFile(_Part):
    model: str
    edition: str
    corpus_digest: str
    labels: list[str]
    n_labels: Annotated[int, Field(ge=2)]
    sizes: Sizes
    realised_noise: list[float]
    config: dict[str, dict | None]
    settings: Settings
    runs: list[Run]
    confusion_matrix: Matrix = None

    @model_validator(mode="after")
    def of_its_labels(self):
        if len(self.labels) != self.n_labels:
            raise ValueError(f"n_labels is {self.n_labels}, labels are {len(self.labels)}")
        for matrix in (self.confusion_matrix, *(run.confusion_matrix for run in self.runs)):
            if matrix and {len(matrix), *map(len, matrix)} != {self.n_labels}:
                raise ValueError(f"a confusion matrix is not {self.n_labels} x {self.n_labels}")
        if self.model != LINEAR and isinstance(self.settings.alpha, list):
            raise ValueError(f"settings.alpha: expected a number, found {self.settings.alpha}")
        if len({(run.split, run.seed) for run in self.runs}) < len(self.runs):
            raise ValueError("a run is there twice")
        return self

    @model_validator(mode="after")
    def of_its_matrices(self):
        """Accuracies must agree with the confusion matrices, so a score that was changed by hand is found."""
        tested = [run for run in self.runs if run.test]
        for run in tested:
            if run.confusion_matrix:
                what, scores = f"run split {run.split}, seed {run.seed}", run.test
                _compare(f"{what}: expected test accuracy", _accuracy(run.confusion_matrix), scores.accuracy)
                macro_f1 = (scores.__pydantic_extra__ or {}).get("macro_f1")
                if macro_f1 is not None:
                    _compare(f"{what}: expected test macro_f1", _macro_f1(run.confusion_matrix), macro_f1)
        if self.confusion_matrix and tested:  # the sum over the runs, whose test parts are equally large
            mean = sum(run.test.accuracy for run in tested) / len(tested)
            _compare("mean of all runs: expected test accuracy", _accuracy(self.confusion_matrix), mean)
        return self


def _accuracy(matrix: Matrix) -> float:
    total = sum(map(sum, matrix))
    return sum(row[label] for label, row in enumerate(matrix)) / total if total else math.nan


def _macro_f1(matrix: Matrix) -> float:
    both = [sum(row) + sum(column) for row, column in zip(matrix, zip(*matrix, strict=True), strict=True)]
    return sum(2 * matrix[label][label] / n if n else 0.0 for label, n in enumerate(both)) / len(matrix)


def _compare(expected: str, counted: float, found: float) -> None:
    if abs(found - counted) > ROUNDING:
        raise ValueError(f"{expected} {counted:.6f} by the confusion matrix, found {found:.6f}")


class Epoch(_Part):
    split: Whole
    seed: Whole
    epoch: Whole
    __pydantic_extra__: dict[str, float | None]


_CELL, _CURVES = TypeAdapter(CellFile), TypeAdapter(list[Epoch])


def check_cell(content: object) -> dict:
    """Return the content of a cell's file. Raises ValueError, one line, if it cannot be that."""
    return _checked(_CELL, content)


def check_curves(content: object) -> list[dict]:
    """Return the content of a file of curves. Raises ValueError, one line, if it cannot be that."""
    return _checked(_CURVES, content)


def _checked(kind: TypeAdapter, content):
    try:
        kind.validate_python(content)
    except ValidationError as error:
        raise ValueError(explain(error)) from None
    return content
