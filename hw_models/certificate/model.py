"""The form of certificate.json, the file that says how far to trust the board file beside it."""

import hashlib
from collections.abc import Mapping
from typing import Final, Literal, Protocol, final

import numpy as np
from pydantic import Field, model_validator

from hw_models.quantity import Frozen, Grade

Split = Literal["fitted", "held-out"]
Span = tuple[float, float]
_HASH: Final = r"^[0-9a-f]{64}$"


@final
class DataFile(Frozen):
    """A file that was used: its name, the SHA-256 of its bytes."""

    file: str
    sha256: str = Field(pattern=_HASH)


@final
class CertifiedRun(Frozen):
    """One run, or block of a run, of a split: readings, time from start to end on its clock.

    dropped counts readings that its period promised and the log lacks; ambient_c was estimated
    from the run where the log does not tell.
    """

    name: str
    split: Split
    sha256: str
    day: str | None = None
    n: int = Field(ge=1)
    start_s: float
    end_s: float
    period_s: float
    dropped: int = Field(ge=0)
    ambient_c: float | None = None
    findings: tuple[str, ...] = ()


@final
class CertifiedParameter(Frozen):
    """A number of the board file (or of a run, `runs.<run>. ...`) as the fit left it.

    std is one standard error; low and high its bounds, None where there is none; interval the 90 %
    likelihood interval where value +- 1.645 std is none.
    """

    path: str
    value: float
    std: float = Field(ge=0)
    low: float | None = None
    high: float | None = None
    status: str
    interval: Span | None = None


@final
class Errors(Frozen):
    """Errors of one signal in one regime, predicted less measured, in the signal's unit.

    Divisors of the shares: mape |measured| of each reading; nmbe, cvrmse the mean of the measured.
    mse_error is one standard error of the mean square, from how it varies over stretches of two
    minutes: errors follow one another, and no two stretches are alike.
    """

    n: int
    mse_error: float
    bias: float
    mae: float
    rmse: float
    p95: float
    max: float
    mape: float | None = None
    nmbe: float | None = None
    cvrmse: float | None = None


@final
class Coverage(Frozen):
    """How often a held-out reading lay inside its interval, counted.

    half_50 and half_90 are the half-widths that the scatter of the fitted runs asks for, in
    multiples of the sensor's own noise at the predicted value; the uncertainty of the parameters
    widens them reading by reading. error_90 is one standard error of share_90.
    """

    n: int
    half_50: float = Field(ge=0)
    half_90: float = Field(ge=0)
    share_50: float | None = Field(default=None, ge=0, le=1)
    share_90: float | None = Field(default=None, ge=0, le=1)
    error_90: float | None = None


@final
class Skill(Frozen):
    """The twin against a table of means per operating point: 1 - rmse / table_rmse."""

    n: int
    rmse: float
    table_rmse: float
    skill: float | None


@final
class Envelope(Frozen):
    """What was seen while the claims were tested: lowest and highest of each signal."""

    freq_hz: dict[str, Span] = {}
    busy: dict[str, Span] = {}
    temps_c: dict[str, Span] = {}
    power_w: dict[str, Span] = {}
    fan: tuple[int, ...] = ()

    @property
    def speaks(self) -> bool:
        """Whether it bounds any signal that a reading has."""
        return bool(self.freq_hz or self.temps_c or self.power_w)


@final
class CertifiedFinding(Frozen):
    """What the data cannot tell, or what was wrong with them, and what would cure it."""

    kind: str
    paths: tuple[str, ...] = ()
    message: str
    cure: str = ""


@final
class SensorNote(Frozen):
    """A sensor as the board file describes it; resolution in the signal's unit."""

    resolution: float
    period_s: float


class Seen(Protocol):
    """What `Certificate.inside` looks at: a Reading, or anything with these."""

    @property
    def temps_c(self) -> Mapping[str, float | None]: ...
    @property
    def power_w(self) -> Mapping[str, float | None] | None: ...
    @property
    def freq_hz(self) -> Mapping[str, float]: ...


@final
class Certificate(Frozen):
    """Everything that a fit and its held-out runs say about one board file.

    covariance is (n, n) in the order of parameters; nuisances belong to runs, not to the board.
    errors: by split, signal ("power_w.vdd_in") and regime ("all", "idle", "heat", "cool",
    "steady", "throttle"; regimes that did not occur are absent); blocks: power in means over 20 s.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    id: str = ""
    board: str
    grade: Grade
    reason: str
    seed: int = 0
    data: tuple[DataFile, ...] = Field(min_length=1)
    sensors: dict[str, SensorNote] = {}
    runs: tuple[CertifiedRun, ...] = ()
    parameters: tuple[CertifiedParameter, ...] = Field(min_length=1)
    covariance: tuple[tuple[float, ...], ...]
    nuisances: tuple[CertifiedParameter, ...] = ()
    errors: dict[Split, dict[str, dict[str, Errors]]] = {}
    blocks: dict[Split, dict[str, Errors]] = {}
    coverage: dict[str, Coverage] = {}
    skill: dict[str, Skill] = {}
    envelope: Envelope = Envelope()
    findings: tuple[CertifiedFinding, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Certificate":
        n = len(self.parameters)
        if len(self.covariance) != n or any(len(row) != n for row in self.covariance):
            raise ValueError(f"covariance needs {n} rows of {n} numbers, one per parameter")
        matrix = np.array(self.covariance)
        if not np.allclose(matrix, matrix.T, rtol=1e-6, atol=0.0) or np.any(np.diag(matrix) < 0):
            raise ValueError("covariance is not symmetric with a diagonal of zero or more")
        return self

    @property
    def digest(self) -> str:
        """The first 12 digits of the SHA-256 of all that is stated, the id apart."""
        content = self.model_dump_json(by_alias=True, exclude={"id"}, exclude_defaults=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def named(self) -> "Certificate":
        """The certificate with its id: the board and the digest of all that is stated."""
        return self.model_copy(update={"id": f"{self.board}-{self.digest}"})

    def inside(self, reading: Seen) -> bool | None:
        """Whether clocks, temperatures and power lie within what was seen; None is passed over.

        None where nothing was seen: a certificate from documents validates no state.
        """
        if not self.envelope.speaks:
            return None
        groups: tuple[tuple[Mapping[str, float | None], dict[str, Span]], ...] = (
            (reading.freq_hz, self.envelope.freq_hz),
            (reading.temps_c, self.envelope.temps_c),
            (reading.power_w or {}, self.envelope.power_w),
        )
        return all(_within(said, spans) for said, spans in groups)


def _within(said: Mapping[str, float | None], spans: dict[str, Span]) -> bool:
    for name, (low, high) in spans.items():
        value = said.get(name)
        if value is not None and not low <= value <= high:
            return False
    return True
