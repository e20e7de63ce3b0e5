"""A board as lines of text: what its sensors say now, and sparklines of how it came to that."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, final

from hw_models.trace import Reading

BLOCKS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 32


def sparkline(values: Sequence[float | None], width: int = WIDTH) -> str:
    """The last values as blocks between their least and greatest; a gap is a space."""
    shown = list(values)[-width:]
    known = [value for value in shown if value is not None]
    if not known:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    top = len(BLOCKS) - 1
    return "".join(" " if v is None else BLOCKS[round((v - low) / span * top)] for v in shown)


Row = tuple[str, str, str, str]


@final
class History:
    """The last readings of a run, signal by signal, for those who watch it as text."""

    def __init__(self, length: int = WIDTH) -> None:
        self._length = length
        self._signals: dict[str, deque[float | None]] = {}
        self.last: Reading | None = None

    def clear(self) -> None:
        """A new run begins."""
        self._signals.clear()
        self.last = None

    def add(self, reading: Reading) -> None:
        """One more reading; a second one of the same instant counts for nothing."""
        if self.last is not None and reading.t_s <= self.last.t_s:
            return
        self.last = reading
        for name, value in _numbers(reading):
            self._signals.setdefault(name, deque(maxlen=self._length)).append(value)

    def rows(self) -> Iterator[Row]:
        """Signal, value with unit, what else there is to say, sparkline."""
        if self.last is None:
            return
        r = self.last
        for zone, temp_c in r.temps_c.items():
            yield zone, _shown(temp_c, "degC", 1), "", self.line(f"temp {zone}")
        for rail, power_w in (r.power_w or {}).items():
            cap = f"cap {r.cap_w:g} W" if r.cap_w is not None else ""
            yield rail, _shown(power_w, "W", 2), cap, self.line(f"power {rail}")
        for domain, hz in r.freq_hz.items():
            yield domain, _shown(hz / 1e9, "GHz", 3), "", self.line(f"clock {domain}")
        for name, job in r.jobs.items():
            share = f"{job.rate / job.target:.0%} of target" if job.target else ""
            done = "" if job.progress is None else f"{job.progress:.0%} done"
            where = ", ".join(filter(None, (job.unit or "waiting", share, done)))
            yield name, f"{job.rate:.3g}/s", where, self.line(f"job {name}")

    def line(self, name: str) -> str:
        """The sparkline of a signal."""
        return sparkline(self._signals.get(name, ()))

    def text(self, board: str) -> str:
        """All rows, one a line, under the board's name and the time."""
        if self.last is None:
            return board
        heat = " THROTTLED" if self.last.throttled else ""
        head = f"{board} at {self.last.t_s:.2f} s{heat}"
        lines = (f"  {name:<24} {value:>12}  {line}  {more}" for name, value, more, line in
                 self.rows())  # fmt: skip
        return "\n".join((head, *(line.rstrip() for line in lines)))


def _numbers(r: Reading) -> Iterator[tuple[str, float | None]]:
    yield from ((f"temp {zone}", temp_c) for zone, temp_c in r.temps_c.items())
    yield from ((f"power {rail}", power_w) for rail, power_w in (r.power_w or {}).items())
    yield from ((f"clock {domain}", hz) for domain, hz in r.freq_hz.items())
    yield from ((f"job {name}", job.rate) for name, job in r.jobs.items())


def _shown(value: float | None, unit: str, digits: int) -> str:
    return f"-- {unit}" if value is None else f"{value:.{digits}f} {unit}"
