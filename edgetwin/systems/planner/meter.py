"""Measuring a cell on a backend: warm, settled, repeated until sure, never above a temperature.

The peak of a cell is what the board's own power sensor will say at most while a run lasts: the
level and the scatter of its readings, one every sensor period, carried to as many readings as the
run has. A board that counts its peak itself (the twin) may be asked instead. Either way it counts
the next step of the fan where the settled board lies just below it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.backend import Backend
from edgetwin.systems.planner.settling import fan_step_w, still_to_go_k
from edgetwin.systems.planner.space import Space
from edgetwin.systems.planner.surface import Point
from hw_models.board import Board, Knobs
from hw_models.jobs import TrainingJob
from hw_models.trace import Reading

Array = NDArray[np.float64]

_SURE: Final = 0.99  # that no reading of a whole run passes the peak
_CLEAR: Final = 2.0  # standard errors between a peak and a cap
_STATED: Final = 100  # readings that the board file's word on its sensor's noise is worth
_NEAR: Final = 1.0  # standard deviations of a fan's trip by which a board may miss it
_START_S: Final = 600.0  # that a training script may take until its first step
_COOLING_S: Final = 10.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """How carefully a cell is measured.

    After settle_s at the new clocks, and until the hottest zone, looked at every window_s, has less
    than steady_k to go and no step of the fan before it (at most longest_s; a longest_s of 0
    measures at whatever temperature there is), readings are taken every sensor period until the
    standard error of the mean power is below `error`, and until it is clear on which side of each
    of caps_w the peak lies; at least `fewest` and at most `most`. horizon_s is how long a run
    lasts. peak: what the "sensor" will show, or what the board's "counter" says. A cell that passes
    abort_w is left at once; one hotter than safe_c is refused.
    """

    settle_s: float = 2.0
    steady_k: float = 0.5
    window_s: float = 60.0
    longest_s: float = 1200.0
    error: float = 0.001
    fewest: int = 40
    most: int = 2000
    caps_w: tuple[float, ...] = ()
    horizon_s: float = 3600.0
    peak: Literal["sensor", "counter"] = "sensor"
    safe_c: float | None = None
    abort_w: float | None = None


@final
class BoardMeter:
    """Measures cells with a training job on a backend; on the twin it costs simulated time only.

    rate() gives samples per second where the backend does not know the job (a script that trains);
    by default the reading's own is taken. spent_s is the time that profiling has cost, hottest_c
    and temps_c (by cell) what it was measured at.
    """

    def __init__(
        self,
        backend: Backend,
        space: Space,
        job: TrainingJob,
        care: Care | None = None,
        *,
        rate: Callable[[], float] | None = None,
    ) -> None:
        self.backend, self.space, self.job = backend, space, job
        self.care = Care() if care is None else care
        self.rail = input_rail(backend.board)
        self.period_s = sensor_period_s(backend.board)
        self.spent_s = 0.0
        self.hottest_c = -np.inf
        self.temps_c: dict[int, float] = {}
        self._rate = rate
        self._id: str | None = None
        self._squares, self._readings = 0.0, 0

    def measure(self, at: int) -> Point | None:
        """A cell's time per sample, mean and peak power; None where the board will not run it."""
        if self._id is None or self.care.peak == "counter":
            self.backend.reset()
            self._id = self.backend.submit(self.job)
        knobs = Knobs(
            freq_hz=self.space.label(at)["freq_hz"],
            batch={self._id: int(self.space.batch[at])},
        )
        if self.backend.apply(knobs).refused:
            return None
        reading = self._settled(int(self.space.batch[at]))
        if self._is_hot(reading):
            self._cool()
            return None
        return self._sampled(at)

    def _settled(self, batch: int) -> Reading:
        """The reading once the job works with its batch, and clocks, heat and fan stand still."""
        reading = self._at_work(batch)
        waited_s, fan, course_c = 0.0, reading.fan, [hottest_c(reading)]
        while waited_s < self.care.longest_s and not self._is_over(reading):
            reading = self._advance(self.care.window_s)
            waited_s += self.care.window_s
            if reading.fan != fan:
                # Another course begins: the board nears another temperature.
                fan, course_c = reading.fan, []
            course_c.append(hottest_c(reading))
            if self._is_hot(reading) or self._stands_still(reading, course_c):
                break
        return reading

    def _at_work(self, batch: int) -> Reading:
        """Wait for a process that starts, or starts anew at another batch; then for the clocks."""
        waited_s, reading = 0.0, self._advance(self.care.settle_s)
        while waited_s < _START_S and not self._works(reading, batch):
            reading = self._advance(self.care.settle_s)
            waited_s += self.care.settle_s
        return reading if waited_s == 0.0 else self._advance(self.care.settle_s)

    def _works(self, reading: Reading, batch: int) -> bool:
        if self._rate is not None:
            return self._rate() > 0.0
        job = reading.jobs.get(str(self._id))
        return job is not None and bool(job.rate) and job.batch in (None, batch)

    def _stands_still(self, reading: Reading, course_c: list[float]) -> bool:
        """Is there less than steady_k to go, and no step of the fan on the way?"""
        rest_k = still_to_go_k(course_c, self.care.steady_k)
        if rest_k >= self.care.steady_k:
            return False
        return fan_step_w(self.backend.board, reading, rest_k) == 0.0

    def _sampled(self, at: int) -> Point | None:
        powers_w: list[float] = []
        rates: list[float] = []
        fan_w = 0.0
        while len(powers_w) < self.care.most:
            reading = self._advance(self.period_s)
            power_w = self._power(reading)
            if power_w is None:
                return None
            powers_w.append(power_w)
            rates.append(self._samples_per_s(reading))
            self.temps_c[at] = hottest_c(reading)
            fan_w = fan_step_w(self.backend.board, reading, 0.0, doubts=_NEAR)
            if self._is_over(reading) or self._is_hot(reading):
                self._cool()
                break
            if len(powers_w) % self.care.fewest == 0 and self._is_clear(
                np.asarray(powers_w), fan_w
            ):
                break
        rate = float(np.mean(rates))
        if rate <= 0:
            raise ValueError(
                f"no training step was finished at {self.space.words(at)}; give the profile more "
                "time for each cell, or check that the job runs."
            )
        level = np.asarray(powers_w)
        peak_w, peak_share = self._peak(level)
        self._remember(level)
        return Point(
            time_s=1.0 / rate,
            mean_w=float(np.mean(powers_w)),
            peak_w=peak_w + fan_w,
            time_share=_error(rates),
            mean_share=_error(powers_w),
            peak_share=peak_share,
        )

    def _peak(self, powers_w: Array) -> tuple[float, float]:
        """The most that a whole run will show, or what the board counted, and its doubt."""
        if self.care.peak == "counter":
            counted = self.backend.kpis().get("peak_power_w")
            if counted is None:
                raise ValueError(f"{self.backend.board.name} counts no peak; measure its sensor's.")
            return float(counted), 0.0
        most = highest_of(round(self.care.horizon_s / self.period_s))
        share, known = self._scatter(powers_w)
        peak = 1.0 + most * share
        doubt = np.hypot(share / np.sqrt(len(powers_w)), most * share / np.sqrt(2.0 * known) / peak)
        return float(max(powers_w.max(), powers_w.mean() * peak)), float(doubt)

    def _is_clear(self, powers_w: Array, fan_w: float) -> bool:
        """Is the mean known well enough, and on which side of each cap the peak lies?"""
        if _error(powers_w) >= self.care.error:
            return False
        if self.care.peak == "counter":
            return True
        peak_w, doubt = self._peak(powers_w)
        away = np.log(np.asarray(self.care.caps_w) / (peak_w + fan_w))
        return bool((np.abs(away) > _CLEAR * doubt).all())

    def _scatter(self, powers_w: Array) -> tuple[float, float]:
        """Standard deviation of a reading as a share of its level, and the readings it rests on.

        All cells and the board file share one, unless a cell scatters more than chance allows:
        then its power itself goes up and down.
        """
        rail = self.backend.board.sensors.rails[self.rail]
        level, n = float(powers_w.mean()), len(powers_w)
        rounding = float(rail.resolution_w.value) / level
        stated = float(rail.noise.value) ** 2 + rounding**2 / 12.0
        own = float(powers_w.var(ddof=1)) / level**2 if n > 1 else stated
        known = _STATED + self._readings
        before = (_STATED * stated + self._squares) / known
        if own > before * (1.0 + 4.0 * np.sqrt(2.0 / n)):
            return float(np.sqrt(own)), n
        return float(np.sqrt((known * before + n * own) / (known + n))), known + n

    def _remember(self, powers_w: Array) -> None:
        """The scatter of this cell counts for the next ones."""
        if len(powers_w) > 1 and self._scatter(powers_w)[1] > len(powers_w):
            self._squares += float(powers_w.var(ddof=1) / powers_w.mean() ** 2) * len(powers_w)
            self._readings += len(powers_w)

    def _samples_per_s(self, reading: Reading) -> float:
        if self._rate is not None:
            return self._rate()
        job = reading.jobs.get(str(self._id))
        return 0.0 if job is None or job.rate is None else job.rate

    def _power(self, reading: Reading) -> float | None:
        return None if reading.power_w is None else reading.power_w.get(self.rail)

    def _is_over(self, reading: Reading) -> bool:
        power_w = self._power(reading)
        return self.care.abort_w is not None and power_w is not None and power_w > self.care.abort_w

    def _is_hot(self, reading: Reading) -> bool:
        return self.care.safe_c is not None and hottest_c(reading) > self.care.safe_c

    def _cool(self) -> None:
        """The lowest clock, until the board is well below the safety temperature."""
        clock = self.backend.board.domain(self.space.domain)
        self.backend.apply(Knobs(freq_hz={self.space.domain: clock.freqs_hz.value[0]}))
        for _ in range(60):
            reading = self._advance(_COOLING_S)
            if self.care.safe_c is None or hottest_c(reading) < self.care.safe_c - 5.0:
                return

    def _advance(self, dt_s: float) -> Reading:
        reading = self.backend.advance(dt_s).last
        self.spent_s += dt_s
        self.hottest_c = max(self.hottest_c, hottest_c(reading))
        return reading


def input_rail(board: Board) -> str:
    """The rail that measures the whole board; ValueError for a board without one."""
    rail = board.sensors.input_rail
    if rail is None:
        raise ValueError(
            f"{board.name} has no sensor of its input power, so no cap can be planned for; try "
            "jetson-tx2."
        )
    return str(rail)


def sensor_period_s(board: Board) -> float:
    """How often the input rail is read."""
    return float(board.sensors.rails[input_rail(board)].period_s.value)


def highest_of(n: int) -> float:
    """How many standard deviations the highest of n normal readings stays below, at 99 %."""
    from scipy.special import ndtri

    return float(ndtri(_SURE ** (1.0 / max(n, 1))))


def hottest_c(reading: Reading) -> float:
    """The hottest zone that tells; absolute zero where none does."""
    known = [c for c in reading.temps_c.values() if c is not None]
    return max(known, default=-273.15)


def _error(values: list[float] | Array) -> float:
    """The standard error of a mean, as a share of it; 0 for values that are all the same."""
    sample = np.asarray(values)
    mean = float(sample.mean())
    if len(sample) < 2 or mean <= 0:
        return 0.0
    return float(sample.std(ddof=1) / np.sqrt(len(sample)) / mean)
