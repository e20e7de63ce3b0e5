"""What a report may hold: text, tables, figures and charts, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from edgetwin.report.series import Floats

Cell = str | int | float | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Paragraphs under a heading."""

    title: str
    paragraphs: Sequence[str]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """Facts by name."""

    title: str
    items: Mapping[str, Cell]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table; `unit` is shown in its heading."""

    name: str
    unit: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under named columns; the first cell of a row names it. None is shown as a dash."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} of table {self.title!r} has {len(row)} cells for "
                    f"{len(self.columns)} columns; give one cell a column."
                )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One signal over time: `t_s` and `values` are (n,), in time order, NaN where unknown.

    With `step` the value holds until the next sample (clocks, caps), else it runs straight.
    """

    name: str
    t_s: npt.ArrayLike
    values: npt.ArrayLike
    step: bool = False

    def __post_init__(self) -> None:
        t_s, values = self.arrays
        if t_s.ndim != 1 or t_s.shape != values.shape:
            raise ValueError(
                f"series {self.name!r} has t_s of shape {t_s.shape} and values of shape "
                f"{values.shape}; give one value per time."
            )
        if not np.isfinite(t_s).all() or np.any(np.diff(t_s) < 0):
            raise ValueError(f"t_s of series {self.name!r} is not in order; sort it by time.")

    @property
    def arrays(self) -> tuple[Floats, Floats]:
        """Times and values as arrays of floats, both (n,)."""
        return np.asarray(self.t_s, float), np.asarray(self.values, float)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A horizontal line across a chart: a trip, a cap, a target."""

    name: str
    value: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChart:
    """Signals of one unit over time, with the levels that matter to them."""

    title: str
    unit: str
    series: Sequence[Series]
    levels: Sequence[Level] = ()
    caption: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One figure with its interval where known; bars of one `group` share a colour."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    group: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Figures of one unit side by side."""

    title: str
    unit: str
    bars: Sequence[Bar]
    caption: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch of time in which `label` held on `row`: an application on a cluster."""

    row: str
    label: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not -np.inf < self.start_s <= self.end_s < np.inf:
            raise ValueError(
                f"interval {self.label!r} of row {self.row!r} runs from {self.start_s} s to "
                f"{self.end_s} s; give a start before the end, both finite."
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    """What held when, one row each: the placement of applications over time.

    labels in this order get the colours of the palette; those it lacks come after them.
    """

    title: str
    intervals: Sequence[Interval]
    labels: Sequence[str] = ()
    row_name: str = "row"
    label_name: str = "label"
    caption: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A named point of a plane."""

    name: str
    x: str
    y: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A figure over two axes of named steps, what of it is allowed, and points on it.

    values[row][column] belongs to y[row] and x[column], None where there is nothing; allowed has
    the same shape, and its border is drawn.
    """

    title: str
    unit: str
    x_name: str
    y_name: str
    x: Sequence[str]
    y: Sequence[str]
    values: Sequence[Sequence[float | None]]
    allowed: Sequence[Sequence[bool]]
    marks: Sequence[Mark] = ()
    caption: str = ""

    def __post_init__(self) -> None:
        for grid in (self.values, self.allowed):
            if len(grid) != len(self.y) or any(len(row) != len(self.x) for row in grid):
                raise ValueError(
                    f"plane {self.title!r} has {len(self.y)} x {len(self.x)} steps; give values "
                    "and allowed of that shape."
                )


Chart = SeriesChart | Bars | Gantt | Plane
Section = Text | KeyValue | Table | Chart
