"""From a scenario's plan to a simulator's first state, and the process that carries it out."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy
from numpy.typing import NDArray

from edgetwin.kernel import advance, new_state, set_ambient, unsettle
from edgetwin.kernel.state import DROPPED, HEALTHY, STUCK, State, copied, set_temps
from edgetwin.scenario import Arrival, Change, Fault, Plan, Scenario
from hw_models.board import Board
from hw_models.lowering import GOVERNORS, Lowered
from hw_models.thermal import leakage_law

if TYPE_CHECKING:
    from edgetwin.simulator.core import Simulator


def prepare(board: Board, scenario: Scenario | None, seed: int) -> Plan:
    """The plan of one run; without a scenario an idle board at its own ambient."""
    if scenario is not None:
        return scenario.realise(board, seed=seed)
    return Plan(
        arrivals=(),
        changes=(),
        ambient_c=board.thermal.ambient_c.value,
        cap_w=None,
        fan=None,
        mode=None,
        initial="steady",
    )


# States of a board at rest that are kept with it, by ambient, fan, mode and heat.
_KEPT = 64


def initial_state(
    board: Board, lowered: Lowered, plan: Plan, seed: int, table: NDArray[np.float64]
) -> State:
    """The state at t = 0: clocks, mode, cooling and temperatures as the plan says."""
    kept = board.derived.setdefault("first_states", {})
    heat = plan.initial if isinstance(plan.initial, str) else tuple(sorted(plan.initial.items()))
    alike = (plan.ambient_c, plan.fan, plan.mode, heat)
    if alike not in kept:
        if len(kept) >= _KEPT:
            kept.clear()
        kept[alike] = _first_state(board, lowered, plan, table)
    state: State = copied(kept[alike])
    state["key"] = noise_key(seed)
    state["cap_w"] = np.inf if plan.cap_w is None else plan.cap_w
    return state


def _first_state(board: Board, lowered: Lowered, plan: Plan, table: NDArray[np.float64]) -> State:
    state = _at_ambient(board, lowered, plan)
    if plan.initial == "steady":
        idle = copied(state)
        advance(idle, lowered.record, table, 0)
        set_temps(state, lowered, steady_temps_c(board, lowered, idle))
    elif plan.initial != "ambient":
        temps_c = [plan.initial.get(n, plan.ambient_c) for n in lowered.nodes]
        set_temps(state, lowered, np.array(temps_c))
    return state


def steady_temps_c(board: Board, lowered: Lowered, state: State) -> NDArray[np.float64]:
    """Node temperatures (n_nodes,) that the present inputs lead to, leakage included."""
    s, m = state[0], len(lowered.parts)
    network = lowered.networks[int(s["fan"])]
    power_w, gain_w = s["power_w"][:m].copy(), s["gain_w"][:m].copy()
    return network.steady(power_w, float(s["ambient_c"]), gain_w, leakage_law(board))


def noise_key(seed: int) -> int:
    """What the noise of a board's sensors is drawn from, 64 bits."""
    return int(np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0])


def _at_ambient(board: Board, lowered: Lowered, plan: Plan) -> State:
    state = new_state(lowered, ambient_c=plan.ambient_c, key=0, fan=plan.fan or 0)
    s = state[0]
    if plan.fan is not None:
        s["fan_manual"] = plan.fan
    _apply_mode(board, lowered, s, plan.mode)
    for d, clock in enumerate(board.clocks.values()):
        s["governor"][d] = GOVERNORS.index(clock.governor)
        if clock.governor == "performance":
            s["level"][d] = s["target"][d] = s["ceiling"][d]
    return state


def _apply_mode(board: Board, lowered: Lowered, s: Any, name: str | None) -> None:
    if name is None:
        return
    mode = board.mode(name)
    for domain, hz in mode.max_freq_hz.items():
        freqs_hz = board.clocks[domain].freqs_hz.array
        top = np.searchsorted(freqs_hz, hz + 0.5) - 1
        s["ceiling"][lowered.domains.index(domain)] = max(top, 0)
    if mode.online is not None:
        for u, unit in enumerate(lowered.units):
            s["online"][u] = unit in mode.online


def scenario_process(sim: "Simulator", state: dict[str, int]) -> Generator[simpy.Event, None, None]:
    """Arrivals, departures and changes of the plan, in order of time; resumes at state["next"]."""
    events: list[Arrival | Change] = [*sim.plan.changes, *sim.plan.arrivals]
    events.sort(key=lambda e: e.t_s)
    while state["next"] < len(events):
        event, clock = events[state["next"]], sim.clock
        yield clock.timeout(max(0.0, event.t_s - clock.now))
        state["next"] += 1
        if isinstance(event, Change):
            change(sim, event)
        else:
            _arrive(sim, event)


def _arrive(sim: "Simulator", arrival: Arrival) -> None:
    sim.arrived += 1
    sim.submit(arrival.job, arrival.unit, name=arrival.id)
    if arrival.lifetime_s is not None:
        sim.process(departure, {"id": arrival.id, "at_s": arrival.t_s + arrival.lifetime_s})


def departure(sim: "Simulator", state: dict[str, Any]) -> Generator[simpy.Event, None, None]:
    """A job is stopped at state["at_s"] unless it has ended by itself."""
    yield sim.clock.timeout(max(0.0, state["at_s"] - sim.clock.now))
    sim.withdraw(state["id"])


def change(sim: "Simulator", event: Change) -> None:
    """The surroundings change: ambient, cap, a fault or its end; or knobs are turned."""
    s = sim.state[0]
    if event.knobs is not None:
        sim.apply(event.knobs)
    elif event.what == "ambient":
        set_ambient(sim.state, sim.lowered.record, float(event.value or 0.0))
    elif event.what == "cap":
        s["cap_w"] = np.inf if event.value is None else event.value
    elif event.fault is not None:
        _break(sim, event.fault, broken=event.what == "fault")


def _break(sim: "Simulator", fault: Fault, *, broken: bool) -> None:
    s, low = sim.state[0], sim.lowered
    if fault.kind == "clock-refused":
        s["refused"][low.domains.index(fault.target)] = broken
    elif fault.kind == "trip":
        bit = 1 << low.zones.index(fault.target)
        s["trip_forced"] = s["trip_forced"] | bit if broken else s["trip_forced"] & ~bit
    else:
        how = STUCK if fault.kind == "sensor-stuck" else DROPPED
        names, key = (
            (low.zones, "zone_fault") if fault.target in low.zones else (low.rails, "rail_fault")
        )
        s[key][names.index(fault.target)] = how if broken else HEALTHY
    unsettle(sim.state, low.record)
