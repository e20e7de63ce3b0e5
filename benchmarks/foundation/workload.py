"""Eight applications on a HiKey 970: they come, are moved about and end; the twin runs them."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import simpy
from numpy.typing import NDArray

from edgetwin.simulator import Simulator
from hw_models import Application, Board, Knobs, application_names, load_application, load_board
from hw_models.workloads.applications import peak_ips

Array = NDArray[np.float64]
BOARD = "hikey970"
CLUSTERS = ("little", "big")
CORES = tuple(f"cpu{i}" for i in range(8))
SLOTS = 8
ARRIVAL_S, MOVE_S = 9.0, 0.5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """An application that comes at at_s to a core; it is turned away when SLOTS are running."""

    at_s: float
    job: Application
    core: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Applications in order of arrival, and what is moved every MOVE_S: (slot, core), if any."""

    board: Board
    duration_s: float
    arrivals: tuple[Arriving, ...]
    moves: tuple[tuple[int, int], ...]


# One pass through a program's phases counts as many instructions as in the shipped scenarios.
PASS_INSNS = 1e10


def eight_applications(
    seed: int, duration_s: float, *, moved: bool = True, stretched: bool = True
) -> Workload:
    """Eight applications at once, then one every 9 s on average, each for a minute or so.

    stretched=False leaves phases as short as measured: in 4 of 36 programs 10 to 100 ms.
    """
    rng = np.random.default_rng(seed)
    board = load_board(BOARD)
    names = list(application_names())
    times_s = [0.0] * SLOTS
    while times_s[-1] < duration_s:
        times_s.append(times_s[-1] + rng.exponential(ARRIVAL_S))
    insns = PASS_INSNS if stretched else None
    arrivals = tuple(_arriving(rng, board, names, at_s, insns) for at_s in times_s[:-1])
    moves = rng.integers(0, (SLOTS, len(CORES)), (int(duration_s / MOVE_S), 2)).tolist()
    return Workload(
        board=board,
        duration_s=duration_s,
        arrivals=arrivals,
        moves=tuple((slot, core) for slot, core in moves) if moved else (),
    )


def _arriving(
    rng: np.random.Generator, board: Board, names: list[str], at_s: float, pass_insns: float | None
) -> Arriving:
    """A program that asks for 0.2 to 0.6 of its peak rate and lasts 40 to 90 s at that."""
    profile = load_application(str(rng.choice(names)))
    top_hz = max(board.clocks["big"].freqs_hz.value)
    target_ips = rng.uniform(0.2, 0.6) * peak_ips(profile, "cortex-a73", top_hz)
    job = Application(
        profile=profile,
        instructions=target_ips * rng.uniform(40.0, 90.0),
        target_ips=target_ips,
        pass_insns=pass_insns,
    )
    return Arriving(at_s=at_s, job=job, core=int(rng.integers(len(CORES))))


def simulator(workload: Workload, *, coast: bool = True) -> Simulator:
    """A new twin at the start of a workload."""
    return begin(Simulator(workload.board, coast=coast), workload)


def begin(sim: Simulator, workload: Workload) -> Simulator:
    """The twin at t = 0 with the workload's processes on its simpy clock and qos-dvfs."""
    sim.reset()
    sim.apply(Knobs(governor=dict.fromkeys(CLUSTERS, "qos-dvfs")))
    sim.process(arrivals, {"next": 0, "workload": workload})
    if workload.moves:
        sim.process(moves, {"next": 0, "workload": workload})
    return sim


def arrivals(sim: Simulator, state: dict[str, Any]) -> Generator[simpy.Event, None, None]:
    """Applications come; state["next"] is the next of them."""
    plan, clock = state["workload"], sim.clock
    while state["next"] < len(plan.arrivals):
        coming = plan.arrivals[state["next"]]
        yield clock.timeout(max(0.0, coming.at_s - clock.now))
        state["next"] += 1
        if len(sim.running) < SLOTS:
            sim.submit(coming.job, CORES[coming.core])


def moves(sim: Simulator, state: dict[str, Any]) -> Generator[simpy.Event, None, None]:
    """Every half second the application in some slot, if there is one, goes to some core."""
    plan, clock = state["workload"], sim.clock
    while state["next"] < len(plan.moves):
        yield clock.timeout(MOVE_S)
        slot, core = plan.moves[state["next"]]
        state["next"] += 1
        if slot in sim.running:
            sim.apply(Knobs(placement={sim.running[slot].id: CORES[core]}))


def temps_of(sim: Simulator) -> Array:
    """True node temperatures, (n_nodes,)."""
    return np.array(list(sim.node_temps_c().values()))


def drawn_j(sim: Simulator) -> float:
    """The energy counter in joules."""
    return float(sim.kpis()["energy_j"] or 0.0)
