"""What a fit found: every parameter with its error bar, and what the data cannot tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.networks import Groups, lumped
from hw_models.naming import unknown
from hw_models.parameters import with_values

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]
Status = Literal["pinned", "not pinned", "dead", "flat", "traded off", "at bound"]
Kind = Literal[
    "not pinned", "dead", "flat", "traded off", "at bound", "unmeasured input", "regime", "data"
]

# Paths of what belongs to a run and not to the board: runs.<run>.ambient_c and the like.
NUISANCE: Final = "runs."


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One estimate: a place in the board file, or a nuisance of one run (`runs.<run>. ...`).

    std is one standard error in the unit the path ends with; low and high are the bounds the fit
    kept to, start where it began. prior_std is that of the weak prior that entered around the
    board file's value, infinite where none did. interval is the likelihood interval (low, high)
    at 90 % where the quadratic picture fails, None where value +- 1.645 std is one.
    """

    path: str
    value: float
    std: float
    low: float
    high: float
    start: float
    status: Status
    prior_std: float = np.inf
    interval: tuple[float, float] | None = None

    @property
    def is_nuisance(self) -> bool:
        """True for what belongs to a run and not to the board."""
        return self.path.startswith(NUISANCE)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a user must know about a fit or its data, and what would cure it."""

    kind: Kind
    paths: tuple[str, ...]
    message: str
    cure: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A stretch of a run in which something unlogged held still: here, the fan.

    start_s and end_s on the run's own clock; fan is the level of the board file taken for it.
    """

    run: str
    start_s: float
    end_s: float
    fan: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A thermal network that was tried: its nodes, what they merge, and what it costs.

    criterion is Schwarz's information criterion with the effective number of readings; the lowest
    wins.
    """

    groups: Groups
    n_parameters: int
    criterion: float
    chosen: bool

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of its nodes."""
        return tuple(self.groups)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """Parameters, their covariance (n, n) in the order of parameters, and findings.

    rms is the root mean square residual by signal in its unit, n the number of residuals.
    """

    parameters: tuple[Parameter, ...]
    covariance: Array
    findings: tuple[Finding, ...]
    rms: Mapping[str, float]
    n: int
    seed: int
    candidates: tuple[Candidate, ...] = ()
    regimes: tuple[Regime, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, path: str) -> Parameter:
        """The parameter of that path; KeyError with the nearest one otherwise."""
        for parameter in self.parameters:
            if parameter.path == path:
                return parameter
        raise KeyError(unknown("parameter", path, [p.path for p in self.parameters]))

    @property
    def of_board(self) -> tuple[Parameter, ...]:
        """The parameters that are places in the board file."""
        return tuple(p for p in self.parameters if not p.is_nuisance)

    def covariance_of(self, paths: Sequence[str]) -> Array:
        """Covariance (len(paths), len(paths)) of some parameters; KeyError for an unknown one."""
        order = [p.path for p in self.parameters]
        at = [order.index(self[path].path) for path in paths]
        return self.covariance[np.ix_(at, at)]

    def board(self, board: "Board", source: str) -> "Board":
        """The board with the fitted values and standard errors written in, under a source.

        source names an entry of the board's [sources]. Where a coarser network was chosen, the
        board's nodes are merged accordingly. ValueError where that makes no valid board.
        """
        chosen = [c for c in self.candidates if c.chosen]
        base = lumped(board, chosen[0].groups) if chosen else board
        values = {p.path: p.value for p in self.of_board}
        std = {p.path: p.std for p in self.of_board}
        return with_values(base, values, std=std, source=source)
