"""Building blocks of parameter files: a strict group of keys, and the kinds of numbers and names in it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 10**8  # larger numbers are typing errors, and sizes of tensors overflow

Count = Annotated[int, Field(ge=1, le=LARGEST)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]  # a share that may be 0 or 1
Percent = Annotated[int, Field(ge=0, lt=100)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Side = Literal["pre", "post"]

# A name becomes part of paths and command lines: only characters that are safe there.
NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"
Name = Annotated[str, Field(pattern=NAME, max_length=100)]


class Group(BaseModel):
    """A group of parameters.

    An unknown key is an error. No value is converted: `"4"` is not read as 4, nor `true` as 1. Infinity is refused.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
