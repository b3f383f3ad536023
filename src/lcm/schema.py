"""What parameter files are made of: a strict group of keys, and the kinds of numbers and names that occur in them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 10**9  # above it lie typing errors and overflows

Count = Annotated[int, Field(ge=1, le=LARGEST)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Epochs = Annotated[int, Field(ge=0, le=10**6)]
Fraction = Annotated[float, Field(ge=0, le=1)]  # a share that may be all or nothing
Percent = Annotated[int, Field(ge=0, lt=100)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Side = Literal["pre", "post"]

# A name becomes part of paths and of command lines, so it holds nothing that a file system or a shell could take for
# more.
NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"
Name = Annotated[str, Field(pattern=NAME, max_length=100)]


class Group(BaseModel):
    """A group of parameters: unknown keys are refused, `"4"` is not a number, `true` is not 1, and infinity is none."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
