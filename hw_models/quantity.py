"""A board's number is a value with an uncertainty and a source; nothing else counts as a number."""

from typing import Any, Generic, Literal, TypeVar, final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

T = TypeVar("T", float, list[float])
Grade = Literal["A+", "A", "B", "C", "D"]
GRADES: tuple[Grade, ...] = ("A+", "A", "B", "C", "D")


class Frozen(BaseModel):
    """Board and scenario data never change after loading, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Quantity(Frozen, Generic[T]):
    """A number (or list of numbers) in the SI unit its key ends with.

    `std` is one standard deviation in the same unit, a scalar or one per entry; 0 for an exact
    table entry. `source` names an entry of the file's [sources].
    """

    value: T
    std: T | float
    source: str

    @field_validator("std")
    @classmethod
    def _std_not_negative(cls, std: Any) -> Any:
        if np.any(np.asarray(std) < 0):
            raise ValueError(f"std is {std}; a standard deviation is zero or more")
        return std

    @model_validator(mode="after")
    def _shapes_agree(self) -> "Quantity[T]":
        if np.ndim(self.std) and np.shape(self.std) != np.shape(self.value):
            raise ValueError(
                f"std has shape {np.shape(self.std)} but value has {np.shape(self.value)}"
            )
        return self

    @property
    def array(self) -> NDArray[np.float64]:
        """The value as float64, shape () or (n,)."""
        return np.asarray(self.value, dtype=np.float64)


Scalar = Quantity[float]
Vector = Quantity[list[float]]


@final
class Source(Frozen):
    """Where numbers come from: a document, a measurement, a fit, or an assumption with its reason.

    A fit names its recipe, the sha256 of its data and what the held-out runs showed.
    """

    kind: Literal["document", "measurement", "fit", "assumed"]
    title: str = Field(min_length=3)
    where: str = ""
    licence: str = ""
    note: str = ""
    recipe: str = ""
    data_sha256: str = ""
    holdout: dict[str, float | str] = {}

    @model_validator(mode="after")
    def _complete(self) -> "Source":
        if self.kind == "assumed" and not self.note:
            raise ValueError("an assumed source needs a note that says why this value")
        if self.kind in ("document", "measurement") and not self.where:
            raise ValueError(f"a {self.kind} source needs where it can be found")
        if self.kind == "fit" and not (self.recipe and self.data_sha256):
            raise ValueError("a fit source needs its recipe and data_sha256")
        return self
