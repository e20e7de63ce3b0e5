"""What a manager sees of many boards at once, and what it orders.

One board's Reading and a batch of a thousand give the same View, so that a manager is written once.
Columns are the places of jobs; a place without a running job has unit -1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.thermal.chip import Array, Chip, Whole
from hw_models.board_schema import Governor
from hw_models.trace import JobReading, Reading

if TYPE_CHECKING:
    from edgetwin.systems.thermal.truth import Truth

NOBODY = -1
NO_TWIN = "an oracle needs the twin: give run(..., twin=simulator)."


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """n boards with up to k jobs each, as their counters, clocks and sensors tell.

    t_s, temp_c (n,); level, hz (n, clusters); busy (n, cores); serial (n, k) tells jobs apart;
    unit, rate, target (0: none), l2d_per_s, rest_s (n, k), the last being the time since the job
    came or was last moved. truth is for oracles alone.
    """

    t_s: Array
    temp_c: Array
    level: Whole
    hz: Array
    busy: Array
    serial: Whole
    unit: Whole
    rate: Array
    target: Array
    l2d_per_s: Array
    rest_s: Array
    truth: "Truth | None" = None

    @property
    def runs(self) -> NDArray[np.bool_]:
        """Where a job runs, (n, k)."""
        return self.unit >= 0

    def on_core(self, cores: int) -> Whole:
        """How many jobs each core has, (n, cores)."""
        return np.asarray((self.unit[:, :, None] == np.arange(cores)).sum(axis=1))

    def cluster(self, chip: Chip) -> Whole:
        """The cluster of each job, (n, k), -1 without."""
        return np.where(self.runs, chip.cluster[np.maximum(self.unit, 0)], NOBODY)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a manager wants: moves (n, m, 2), each a job's place and a core (place -1: no move).

    levels (n, clusters) asks for operating points of a manager that sets clocks itself.
    """

    moves: Whole
    levels: Whole | None = None


class Manager(Protocol):
    """Decides for n boards at once, every period_s seconds.

    governor is what the board's own 50 ms loop runs ("userspace": the manager's levels).
    on_npu: its decisions are inferences, which cost time and heat.
    """

    period_s: float
    governor: Governor
    on_npu: bool

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Forget the last run."""

    def decide(self, view: View) -> Orders:
        """The orders for now."""


def no_moves(n: int) -> Whole:
    """Moves (n, 1, 2) of boards on which nothing is moved."""
    return np.full((n, 1, 2), NOBODY)


Fields = Callable[[str], NDArray[Any]]


def view_of(fields: Fields, chip: Chip, rest_s: Array, truth: "Truth | None" = None) -> View:
    """The view of boards whose state gives whole fields, each (n, ...)."""
    level = fields("level")[:, : chip.clusters]
    unit = fields("job_unit")
    runs = (unit >= 0) & (fields("job_serial") > 0)
    return View(
        t_s=fields("t_ns").reshape(-1) * 1e-9,
        temp_c=fields("zone_c")[:, 0],
        level=level,
        hz=chip.hz(level),
        busy=np.minimum(fields("busy")[:, : len(chip.cores)], 1.0),
        serial=np.where(runs, fields("job_serial"), 0),
        unit=np.where(runs, unit, NOBODY),
        rate=np.where(runs, fields("job_rate"), 0.0),
        target=np.where(runs, fields("job_target"), 0.0),
        l2d_per_s=np.where(runs, fields("job_l2d_rate"), 0.0),
        rest_s=rest_s,
        truth=truth,
    )


def view_of_reading(
    reading: Reading,
    chip: Chip,
    places: Sequence[str | None],
    came: Mapping[str, int],
    rest_s: Array,
) -> View:
    """The view (one board) of a reading.

    places: the job in each place; came: a number that tells jobs apart; rest_s (places,).
    """
    jobs = [None if name is None else reading.jobs[name] for name in places]
    core = {name: i for i, name in enumerate(chip.cores)}
    hz = np.array([[reading.freq_hz[d] for d in chip.domains]])
    temps_c = [c for c in reading.temps_c.values() if c is not None]

    def column(number: Callable[[JobReading], float | None]) -> Array:
        return np.array([[0.0 if job is None else number(job) or 0.0 for job in jobs]])

    return View(
        t_s=np.array([reading.t_s]),
        temp_c=np.array([max(temps_c, default=np.nan)]),
        level=np.stack([chip.level_for(d, hz[:, d]) for d in range(chip.clusters)], axis=1),
        hz=hz,
        busy=np.array([[min(1.0, reading.busy[name]) for name in chip.cores]]),
        serial=np.array([[came.get(name or "", 0) for name in places]], dtype=np.int64),
        unit=np.array(
            [[NOBODY if job is None else core.get(job.unit or "", NOBODY) for job in jobs]],
            dtype=np.int64,
        ),
        rate=column(lambda job: job.rate),
        target=column(lambda job: job.target),
        l2d_per_s=column(lambda job: job.l2d_per_s),
        rest_s=rest_s[None, :],
    )
