"""A small board whose true numbers are known, and runs that a twin of it recorded."""

from functools import cache

import numpy as np
from tiny_board import tiny_board

from edgetwin.backend import FunctionPolicy, run
from edgetwin.scenario import parse_scenario
from edgetwin.simulator import Simulator
from hw_models.board import Board, Knobs
from hw_models.fit import Run
from hw_models.parameters import value_at, with_values
from hw_models.recorded import recorded
from hw_models.trace import Trace

# What the file gets wrong, by the share the truth lies above it, and how uncertain it says it is.
HIDDEN = {
    "power.units.slow.active_capacitance_f": 0.2,
    "power.units.fast.active_capacitance_f": -0.15,
    "power.baseline.rest.power_w": 0.25,
    "thermal.capacity_j_per_k[4]": 0.2,
    "thermal.cooling[1].conductance_w_per_k[0]": -0.2,
}
NOISE = {
    "sensors.zones.cpu.noise_k": 0.1,
    "sensors.zones.cpu.resolution_k": 0.1,
    "sensors.zones.skin.noise_k": 0.1,
    "sensors.zones.skin.resolution_k": 0.1,
    "sensors.zones.skin.period_s": 0.5,
    "sensors.rails.vdd_in.noise": 0.01,
    "sensors.rails.vdd_in.resolution_w": 0.01,
    "sensors.rails.vdd_cpu.period_s": 0.5,
}


def file_board() -> Board:
    """The board as its file has it: wrong in five numbers, and saying so by their std."""
    board = with_values(tiny_board(leakage=False), NOISE)
    return with_values(board, {}, std={p: 0.3 * value_at(board, p) for p in HIDDEN})


def true_board() -> Board:
    """The board as it is."""
    board = file_board()
    return with_values(board, {p: value_at(board, p) * (1 + s) for p, s in HIDDEN.items()})


def excitation(seed: int, segments: int = 8, each_s: float = 150.0) -> str:
    """A scenario that steps clocks and loads, half of the time at rest."""
    rng = np.random.default_rng(seed)
    lines = [
        f'name = "steps-{seed}"\ntitle = "clock and load steps"\n'
        f"duration_s = {segments * each_s}\nambient = 24.0\n"
    ]
    for i in range(segments):
        at_s = i * each_s + (0.01 if i else 0.0)  # just after a reading
        little, big = rng.choice([0.5e9, 1.0e9, 1.5e9]), rng.choice([0.5e9, 1.0e9, 2.0e9])
        lines.append(
            f"[[knobs]]\nt_s = {at_s}\nfreq_hz = {{ little = {little}, big = {big} }}\nfan = 0\n"
        )
        for unit in ("little0", "little1", "big0", "big1") if i % 2 else ():
            busy = rng.choice([0.5, 1.0])
            lines.append(
                f'[[jobs]]\nkind = "load"\nunit = "{unit}"\nbusy = {busy}\nat_s = {at_s}\n'
                f"lifetime_s = {each_s}\n"
            )
    return "".join(lines)


@cache
def trace(seed: int, *, altered: bool = False) -> Trace:
    """What the true board (altered: quite another one) says in the excitation of a seed."""
    board = true_board()
    if altered:
        name = "power.units.fast.active_capacitance_f"
        board = with_values(board, {name: 1.6 * value_at(board, name)})
    sim = Simulator(board, scenario=parse_scenario(excitation(seed), f"excitation {seed}"))
    still = FunctionPolicy(lambda reading: Knobs(), 1.0)
    readings = run(sim, still, duration_s=1200.0, seed=seed).trace
    return Trace(readings.columns, {"board": "tiny"})


def session(seed: int, *, altered: bool = False) -> Run:
    """The same as a run that may be fitted."""
    seen = recorded(file_board(), trace(seed, altered=altered))
    return Run(name=f"run{seed}", recorded=seen, sha256=f"{seed:064x}", start_s=0.0, findings=())
