"""What every backend promises about time and about what its sensors say."""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from edgetwin.backend import Backend
from edgetwin.checks.promise import names, refused, require
from hw_models.board import Board
from hw_models.trace import Reading

STEPS_S = (0.05, 0.5, 0.1, 1.0, 0.35)
_NS = 1e-9


def starts_at_zero(backend: Backend) -> None:
    """A reset gives the reading at 0 s, and so does the next one."""
    for _ in range(2):
        reading = backend.reset(seed=1)
        require(reading.t_s == 0.0, f"t_s is {reading.t_s}")
        backend.advance(0.5)


def repeats_with_its_seed(backend: Backend) -> None:
    """The same seed gives the same readings; on a device, where none can, the same names."""
    if is_device(backend):
        jobs, again = ([[*r.jobs] for r in _course(backend)] for _ in range(2))
        require(jobs == again, f"jobs are {jobs}, then {again}")
        return
    first, second = ([repr(r) for r in _course(backend)] for _ in range(2))
    at = next((i for i, pair in enumerate(zip(first, second, strict=False)) if len({*pair}) > 1), 0)
    require(first == second, f"reading {at} is {first[at]}, then {second[at]}")


def moves_the_clock_exactly(backend: Backend) -> None:
    """advance(dt_s) ends with the reading dt_s later."""
    now_s = backend.reset(seed=1).t_s
    for dt_s in STEPS_S:
        now_s += dt_s
        last_s = backend.advance(dt_s).last.t_s
        require(abs(last_s - now_s) < _NS, f"at {last_s} s after {dt_s} s, expected {now_s}")


def stands_still_at_zero(backend: Backend) -> None:
    """advance(0) takes a reading and no time."""
    backend.reset(seed=1)
    before_s = backend.advance(0.5).last.t_s
    require(backend.advance(0.0).last.t_s == before_s, "time has passed")


def refuses_bad_times(backend: Backend) -> None:
    """A time that is negative or no number is a ValueError."""
    backend.reset(seed=1)
    for dt_s in (-1.0, math.nan, math.inf):
        with refused(ValueError, f"advance({dt_s})"):
            backend.advance(dt_s)


def times_increase(backend: Backend) -> None:
    """Readings follow one another in time, each later than the one before."""
    times_s = [reading.t_s for reading in _course(backend)]
    late = [b for a, b in pairwise(times_s) if not b > a]
    require(not late, f"a reading at {late[:1]} s follows one that is not earlier")


def uses_the_names_of_the_board(backend: Backend) -> None:
    """A reading has every zone, rail, domain and unit of the board, in its order.

    Clocks and loads that a device does not tell are left out.
    """
    for reading in _course(backend):
        for what, given, known in _named(backend.board, reading):
            can_lack = what in ("freq_hz", "busy") and is_device(backend)
            expected = [name for name in known if name in given] if can_lack else list(known)
            same = list(given) == expected
            require(same, f"{what} has {names(given)}; the board has {names(known)}")


def has_no_power_without_a_sensor(backend: Backend) -> None:
    """power_w is None on a board without a rail, and only there."""
    for reading in _course(backend):
        has_rails = bool(backend.board.sensors.rails)
        require((reading.power_w is None) != has_rails, f"power_w is {reading.power_w}")


def says_numbers_or_none(backend: Backend) -> None:
    """Every value is a finite number, or None where a sensor gives nothing."""
    for reading in _course(backend):
        for place, value in _values(reading):
            fits = value is None or math.isfinite(value)
            require(fits, f"{place} is {value} at {reading.t_s} s")


def runs_on_its_table(backend: Backend) -> None:
    """Every clock is one of the domain's operating points."""
    for reading in _course(backend):
        for domain, hz in reading.freq_hz.items():
            offered = backend.board.domain(domain).freqs_hz.value
            require(hz in offered, f"{domain} runs at {hz} Hz")


def is_busy_by_shares(backend: Backend) -> None:
    """Utilisation is a share from 0 to 1, and a fan level one that the board has."""
    fan = backend.board.limits.fan
    for reading in _course(backend):
        for unit, busy in reading.busy.items():
            require(0.0 <= busy <= 1.0 + _NS, f"{unit} is busy by {busy}")
        fits = reading.fan is None or (fan is not None and 0 <= reading.fan < len(fan.pwm))
        require(fits, f"fan is {reading.fan}")


def never_loses_energy(backend: Backend) -> None:
    """energy_j counts up from 0, or is None throughout."""
    used_j = [reading.energy_j for reading in _course(backend)]
    known = [e for e in used_j if e is not None]
    require(len(known) in (0, len(used_j)), "energy_j is None in some readings only")
    require(not known or known[0] == 0.0, f"energy_j starts at {known[:1]}")
    falls = [b for a, b in pairwise(known) if b < a]
    require(not falls, f"energy_j falls to {falls[:1]}")


def keeps_old_readings(backend: Backend) -> None:
    """A reading stays as it was taken, and writing into it changes nothing on the board."""
    reading = backend.reset(seed=1)
    kept = repr(reading)
    backend.advance(1.0)
    require(repr(reading) == kept, "the first reading has changed since")
    reading = backend.advance(0.0).last
    for mapping in (reading.temps_c, reading.freq_hz, reading.busy, reading.jobs):
        _scribble(mapping)
    again = backend.advance(0.0).last
    found = [m for m in (again.temps_c, again.freq_hz, again.busy, again.jobs) if "scribble" in m]
    require(not found, f"what was written into one reading is in the next: {found[:1]}")


def is_device(backend: Backend) -> bool:
    """True for a board on the desk: it tells what it can, and no run of it repeats."""
    return hasattr(backend, "target")


def _scribble(mapping: Mapping[str, object]) -> None:
    """Write into a mapping where it lets us."""
    try:
        mapping["scribble"] = 0.0  # type: ignore[index]
    except TypeError:
        return


def _course(backend: Backend) -> list[Reading]:
    """The first seconds of a run, reading by reading."""
    readings = [backend.reset(seed=1)]
    for dt_s in STEPS_S:
        readings.extend(backend.advance(dt_s))
    return readings


def _named(board: Board, reading: Reading) -> Iterator[tuple[str, Iterable[str], Iterable[str]]]:
    yield "temps_c", reading.temps_c, board.sensors.zones
    if reading.power_w is not None:
        yield "power_w", reading.power_w, board.sensors.rails
    yield "freq_hz", reading.freq_hz, board.clocks
    yield "busy", reading.busy, [unit.name for unit in board.unit_list]


def _values(reading: Reading) -> Iterator[tuple[str, float | None]]:
    for group in ("temps_c", "power_w", "freq_hz", "busy"):
        for name, value in (getattr(reading, group) or {}).items():
            yield f"{group}.{name}", value
    yield "energy_j", reading.energy_j
    yield "cap_w", reading.cap_w
