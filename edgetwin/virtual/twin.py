"""The twin behind a tree of files: its clock is the wall's, its knobs are what is written."""

import threading
import time
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from edgetwin.kernel import set_ambient, set_fan_level, unsettle
from edgetwin.kernel.state import set_temps
from edgetwin.simulator import Simulator
from edgetwin.simulator.view import memory_busy
from hw_models.board import Board, Knobs
from hw_models.board_schema import Governor
from hw_models.jobs import Job
from hw_models.limits import fan_by_trips
from hw_models.workloads import application_names, load_application

# Sensors sample ten times a second at most: the twin need not follow every access exactly.
_STEP_S: Final = 5e-3
# What devfreq calls the governors of a Jetson's GPU, for those of the twin.
DEVFREQ_GOVERNORS: Final[dict[Governor, str]] = {
    "schedutil": "nvhost_podgov",
    "ondemand": "simple_ondemand",
    "performance": "performance",
    "powersave": "powersave",
    "userspace": "userspace",
}


@final
@dataclass(slots=True, kw_only=True)
class Held:
    """What is written of one clock: its range in operating points and its governor."""

    low: int
    high: int
    governor: Governor
    locked: bool = False
    speed: int = 0


@final
class Twin:
    """A simulator that runs with the wall clock, `speed` times as fast, and is driven by files.

    Every method holds the lock; times are board seconds since the start.
    """

    def __init__(self, board: Board, *, speed: float = 1.0, seed: int = 0) -> None:
        if not 1e-3 <= speed <= 1e4:
            raise ValueError(f"speed is {speed}; give 0.001 to 10000.")
        self.board = board
        self.speed = speed
        self.lock = threading.RLock()
        self.sim = Simulator(board, seed=seed)
        state = self.sim.state  # looked at where it lies: it never moves
        self._level, self._busy, self._busy_s = (state[n][0] for n in ("level", "busy", "busy_s"))
        self._zone_c, self._rail_w = (state[n][0] for n in ("zone_c", "rail_w"))
        self.held = {
            name: Held(low=0, high=len(clock.freqs_hz.value) - 1, governor=clock.governor)
            for name, clock in board.clocks.items()
        }
        self._fan_override: int | None = None
        self._fan_wanted = 0
        self._jump_s = 0.0
        load_application(application_names()[0])  # tables are read before anybody waits for them
        self._zero_s = time.monotonic()

    # -- time -------------------------------------------------------------------------------

    def follow(self) -> None:
        """Bring the twin to the present."""
        now_s = (time.monotonic() - self._zero_s) * self.speed + self._jump_s
        now_ns = round(now_s * 1e9)
        if now_ns - self.sim.now_ns >= _STEP_S * 1e9:
            self.sim.run_until(now_ns)
            if self._fan_override is not None:
                self._follow_fan()

    def jump(self, seconds: float) -> None:
        """The board's clock jumps ahead, and all its sensors with it."""
        self._jump_s += max(seconds, 0.0)

    # -- clocks -----------------------------------------------------------------------------

    def level(self, domain: str) -> int:
        """The operating point that runs."""
        return int(self._level[self.sim.lowered.domains.index(domain)])

    def hz(self, domain: str) -> float:
        """The clock that runs."""
        return self.board.clocks[domain].freqs_hz.value[self.level(domain)]

    def hold(self, domain: str) -> None:
        """Make the simulator obey what is written of a clock."""
        held, table = self.held[domain], self.board.clocks[domain].freqs_hz.value
        s, d = self.sim.state[0], self.sim.lowered.domains.index(domain)
        s["ceiling"][d] = held.high
        if held.low == held.high or held.governor == "userspace":
            level = min(max(held.speed, held.low), held.high)
            self.sim.apply(Knobs(freq_hz={domain: table[level]}))
        else:
            self.sim.apply(Knobs(governor={domain: held.governor}))
            if s["level"][d] > held.high:
                s["fixed"][d] = held.high
        unsettle(self.sim.state, self.sim.lowered.record)

    # -- heat -------------------------------------------------------------------------------

    def zone_c(self, zone: str) -> float | None:
        """What a zone's sensor says; None where it says nothing."""
        value = float(self._zone_c[self.sim.lowered.zones.index(zone)])
        return None if np.isnan(value) else value

    def set_ambient_c(self, ambient_c: float) -> None:
        """The air around the board has another temperature."""
        set_ambient(self.sim.state, self.sim.lowered.record, ambient_c)

    def set_heat_c(self, temp_c: float) -> None:
        """Every part of the board has this temperature at once."""
        low = self.sim.lowered
        set_temps(self.sim.state, low, np.full(len(low.nodes), temp_c))
        unsettle(self.sim.state, low.record)

    def fan_pwm(self) -> int:
        """The pulse width of the level at which the fan runs."""
        fan = self.board.limits.fan
        return fan.pwm[self.fan_level()] if fan else 0

    def fan_level(self) -> int:
        """The level at which the fan runs."""
        return int(self.sim.state[0]["fan"])

    @property
    def fan_is_automatic(self) -> bool:
        """False while a level written by hand holds."""
        return self._fan_override is None

    def write_fan(self, level: int) -> None:
        """A level written by hand holds until the thermal control wants another one than now."""
        self._fan_wanted = self._automatic()
        if level == self._fan_wanted:
            self._fan_override = None
        else:
            self._fan_override = level
        self.sim.state[0]["fan_manual"] = -1 if self._fan_override is None else level
        set_fan_level(self.sim.state, self.sim.lowered.record, level)
        unsettle(self.sim.state, self.sim.lowered.record)

    def _automatic(self) -> int:
        s = self.sim.state[0]
        level = self.fan_level() if self._fan_override is None else self._fan_wanted
        return int(fan_by_trips(self.sim.lowered.record[0], s["zone_c"], level))

    def _follow_fan(self) -> None:
        if self._automatic() != self._fan_wanted:
            self._fan_override = None
            self.sim.state[0]["fan_manual"] = -1

    # -- power and load ---------------------------------------------------------------------

    def rail_w(self, rail: str) -> float | None:
        """What a rail's sensor says; None where it says nothing."""
        value = float(self._rail_w[self.sim.lowered.rails.index(rail)])
        return None if np.isnan(value) else value

    def busy(self, unit: str) -> float:
        """How busy a unit is at this instant."""
        return min(1.0, float(self._busy[self.sim.unit_index[unit]]))

    def busy_s(self, unit: str) -> float:
        """How long a unit has been busy so far."""
        return float(self._busy_s[self.sim.unit_index[unit]])

    def memory_busy(self) -> float:
        """Share of the memory's bandwidth in use."""
        return memory_busy(self.sim) or 0.0

    # -- jobs -------------------------------------------------------------------------------

    def start(self, job: Job, unit: str) -> str:
        """A process has begun to work."""
        return self.sim.submit(job, unit)

    def progress(self, ident: str) -> dict[str, Any]:
        """What a process could tell about its work so far."""
        now_s = self.sim.now_s
        for slot, entry in self.sim.running.items():
            if entry.id == ident:
                s = self.sim.state[0]
                total = float(s["job_total"][slot])
                share = None if np.isinf(total) else 1.0 - float(s["job_left"][slot]) / total
                return {
                    "work": float(s["job_done"][slot]), "at_s": now_s, "progress": share,
                    "l2d_per_s": float(s["job_l2d_rate"][slot]), "done": False,
                    "batch": getattr(entry.job, "batch", None),
                }  # fmt: skip
        for result in self.sim.finished:
            if result.id == ident:
                end_s = now_s if result.end_s is None else result.end_s
                return {"work": result.work, "at_s": end_s, "progress": 1.0, "done": True}
        return {"work": 0.0, "at_s": now_s, "progress": 0.0, "done": False}

    def turn(self, ident: str, unit: str | None, batch: int | None) -> None:
        """A process is moved, or told another batch size."""
        place = {} if unit is None else {ident: unit}
        size = {} if batch is None else {ident: batch}
        self.sim.apply(Knobs(placement=place, batch=size))

    def end(self, ident: str) -> None:
        """A process is gone."""
        self.sim.withdraw(ident)
