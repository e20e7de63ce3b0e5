"""From scenarios to what a batch of boards carries out: entries in order of time, first states."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.batch_visit import (
    AMBIENT,
    ARRIVAL,
    CAP,
    CLOCK_FAULT,
    DEPARTURE,
    RAIL_FAULT,
    TRIP_FAULT,
    ZONE_FAULT,
)
from edgetwin.kernel.state import DROPPED, HEALTHY, NEVER, STUCK, State
from edgetwin.scenario import Arrival, Change, Fault, Plan, Scenario
from edgetwin.simulator.jobs import DemandTable, work_of
from edgetwin.simulator.plan import initial_state, prepare
from hw_models.board import Board
from hw_models.jobs import Job
from hw_models.lowering import UNITS

# One entry of a plan, in half a cache line: many boards hold millions of them.
# value: units of work, the entry whose job departs, ambient in degC, cap in W, or how a fault
# leaves its target; first, rows: where the demand of an arrival lies; where: its unit (-1: the
# scheduler's choice), or the index of what a fault breaks; kind: what happens, and for a job that
# has come how it is with it (WAITING, RUNNING or ENDED).
PLAN_DTYPE = np.dtype(
    [
        ("t_ns", "i8"), ("value", "f8"), ("target", "f8"), ("first", "i4"), ("rows", "i2"),
        ("where", "i1"), ("kind", "i1"),
    ]
)  # fmt: skip
# What became of the job of an entry once that has ended.
LIFE_DTYPE = np.dtype([("done", "f8"), ("alive_s", "f8"), ("below_s", "f8")])
Sample = Callable[[Board, np.random.Generator], Board]
_MOST_PHASES = np.iinfo(PLAN_DTYPE["rows"]).max


@final
class BoardOf:
    """One board of a batch, or of a block of it: its tables and its first states."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.lowered = board.lower()
        self.table = DemandTable(board)
        self._first: dict[object, State] = {}

    def first_state(self, plan: Plan) -> State:
        """The state at t = 0 under a plan, but for the key of its random numbers."""
        start = plan.initial if isinstance(plan.initial, str) else tuple(plan.initial.items())
        key = (plan.ambient_c, plan.cap_w, plan.fan, plan.mode, start)
        if key not in self._first:
            rows = self.table.rows
            self._first[key] = initial_state(self.board, self.lowered, plan, 0, rows)
        return self._first[key]

    def order(self) -> NDArray[np.int64]:
        """Units that can run the job of every demand row, fastest first, (rows, UNITS), then -1."""
        found = np.full((len(self.table.rows), UNITS), -1)
        for first in self.table.known_rows():
            units = self.table.fastest_first(first)
            found[first, : len(units)] = units
        return found


def boards_of(board: Board, sample: Sample | None, blocks: int, seed: int) -> list[BoardOf]:
    """The board itself, or with sample one for every block, drawn from (seed, block)."""
    if sample is None:
        return [BoardOf(board)]
    draws = (np.random.default_rng([seed, block]) for block in range(blocks))
    return [BoardOf(sample(board, rng)) for rng in draws]


def entries_of(plan: Plan, boards: list[BoardOf]) -> NDArray[Any]:
    """The plan as entries (n,) of PLAN_DTYPE, in the order in which a simulator carries them out.

    Every board learns the jobs. ValueError for a job without a unit to run on, or with too many
    phases.
    """
    events: list[Arrival | Change] = [*plan.changes, *plan.arrivals]
    events.sort(key=lambda e: e.t_s)
    order = _in_order(events)
    found = np.zeros(len(order), PLAN_DTYPE)
    place = {turn: at for at, (_, turn, leaves) in enumerate(order) if not leaves}
    for at, (t_s, turn, leaves) in enumerate(order):
        found[at]["t_ns"] = round(t_s * 1e9)
        event = events[turn]
        if leaves:
            found[at]["kind"], found[at]["value"] = DEPARTURE, place[turn]
        elif isinstance(event, Arrival):
            _fill_arrival(found[at], event, plan, boards)
        else:
            found[at]["kind"], found[at]["where"], found[at]["value"] = _change(event, boards[0])
    return found


def _in_order(events: list[Arrival | Change]) -> list[tuple[float, int, bool]]:
    """(time, number of the event, does its job leave?) in the order of a simpy clock.

    At one instant a job that came before the last event before it leaves first.
    """
    found: list[tuple[float, float, int, bool]] = []
    for turn, event in enumerate(events):
        found.append((event.t_s, turn - 0.5, turn, False))
        if isinstance(event, Arrival) and event.lifetime_s is not None:
            found.append((event.t_s + event.lifetime_s, turn + 0.75, turn, True))
    found.sort(key=lambda e: e[:2])
    return [(t_s, turn, leaves) for t_s, _, turn, leaves in found]


def _fill_arrival(entry: Any, arrival: Arrival, plan: Plan, boards: list[BoardOf]) -> None:
    first, rows = places(arrival.job, boards)
    if rows > _MOST_PHASES:
        raise ValueError(f"{arrival.id} has {rows} phases; a batch takes {_MOST_PHASES} at most.")
    total, target = work_of(arrival.job)
    entry["kind"], entry["first"], entry["rows"] = ARRIVAL, first, rows
    entry["value"], entry["target"], entry["where"] = total, target, -1
    low = boards[0].lowered
    mode = boards[0].board.mode(plan.mode) if plan.mode is not None else None
    online = low.units if mode is None or mode.online is None else mode.online
    able = [low.units[u] for u in boards[0].table.fastest_first(first) if low.units[u] in online]
    if not able:
        raise ValueError(f"no unit that is switched on can run {arrival.id}.")
    if arrival.unit is not None:
        if arrival.unit not in able:
            raise ValueError(f"{arrival.unit} cannot run {arrival.id}; able: {', '.join(able)}.")
        entry["where"] = low.units.index(arrival.unit)


def places(job: Job, boards: list[BoardOf]) -> tuple[int, int]:
    """Where the job's demand lies, (first row, rows), the same on every board."""
    found = {board.table.find(job) for board in boards}
    assert len(found) == 1
    return found.pop()


def _change(change: Change, of: BoardOf) -> tuple[int, int, float]:
    """(kind, where, value) of an entry."""
    if change.what == "ambient":
        return AMBIENT, 0, float(change.value or 0.0)
    if change.what == "cap":
        return CAP, 0, inf if change.value is None else change.value
    assert change.fault is not None
    return _fault(change.fault, of, broken=change.what == "fault")


def _fault(fault: Fault, of: BoardOf, *, broken: bool) -> tuple[int, int, float]:
    low = of.lowered
    if fault.kind == "clock-refused":
        return CLOCK_FAULT, low.domains.index(fault.target), float(broken)
    if fault.kind == "trip":
        return TRIP_FAULT, low.zones.index(fault.target), float(broken)
    how = STUCK if fault.kind == "sensor-stuck" else DROPPED
    value = float(how if broken else HEALTHY)
    if fault.target in low.zones:
        return ZONE_FAULT, low.zones.index(fault.target), value
    return RAIL_FAULT, low.rails.index(fault.target), value


def starts_of(
    board: Board, boards: list[BoardOf], given_to: Iterable[tuple[Scenario | None, int]]
) -> Iterator[tuple[Plan, NDArray[Any], np.uint64]]:
    """For each scenario and seed the plan, its entries, and the key of the sensors' noise.

    One after the other: a plan as objects takes more room than a board.
    """
    for scenario, seed in given_to:
        plan = prepare(board, scenario, seed)
        key = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0]
        yield plan, entries_of(plan, boards), key


def first_event_ns(entries: NDArray[Any]) -> int:
    """When the first entry is due, NEVER if there is none."""
    return int(entries["t_ns"][0]) if len(entries) else NEVER


def seeds_of(seeds: int | Sequence[int], n: int) -> NDArray[np.int64]:
    """The seed of every board, (n,); a number is that of the first, the next has one more."""
    if isinstance(seeds, int):
        return np.arange(seeds, seeds + n)
    if len(seeds) != n:
        raise ValueError(f"{len(seeds)} seeds for {n} boards; give one for each.")
    return np.array(seeds, np.int64)


def scenarios_of(given: Scenario | Sequence[Scenario] | None, n: int) -> list[Scenario | None]:
    """The scenario of every board, from one for all or one for each."""
    if given is None or isinstance(given, Scenario):
        return [given] * n
    if len(given) != n:
        raise ValueError(f"{len(given)} scenarios for {n} boards; give one for each.")
    return list(given)
