"""Energy is neither made nor lost: counters, watts, stored heat and heat to the ambient agree."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from by_hand import heat_of, leakage_of, load_of, network, node_of, warmed
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from tiny_board import application, program, tiny_board, trip

from edgetwin.kernel import set_ambient
from edgetwin.kernel.heat import zone_means_c
from edgetwin.kernel.state import set_temps
from edgetwin.simulator import Simulator
from hw_models.board import Board, Knobs, load_board
from hw_models.jobs import ApplicationProfile
from hw_models.workloads import load_application

Array = NDArray[np.float64]
CORES = ("little0", "little1", "big0", "big1")
LEVELS = {"little": 3, "big": 4, "gpu": 3, "mem": 2}
LOSSY = {"node": "base", "share": {"value": 0.1, "std": 0.0, "source": "made"}}
seeds = st.integers(0, 2**32 - 1)


def draw_program(rng: np.random.Generator) -> ApplicationProfile:
    """A program of one phase, more or less bound by memory."""
    return program(
        cycles=float(rng.uniform(0.5, 3.0)),
        stall_s=float(rng.uniform(0.0, 1e-9)),
        dram_bytes=float(rng.uniform(0.0, 0.5)),
        activity=float(rng.uniform(0.5, 1.2)),
    )


def draw_levels(rng: np.random.Generator) -> dict[str, int]:
    """An operating point for every clock domain."""
    return {domain: int(rng.integers(n)) for domain, n in LEVELS.items()}


def clocks(board: Board, level: Mapping[str, int]) -> Knobs:
    """Knobs that fix every clock."""
    return Knobs(freq_hz={d: board.clocks[d].freqs_hz.value[i] for d, i in level.items()})


def stored_j(sim: Simulator, since_c: Array) -> float:
    """Heat stored since the nodes had these temperatures."""
    now_c = np.array(list(sim.node_temps_c().values()))
    return float(np.sum(np.array(sim.board.thermal.capacity_j_per_k.value) * (now_c - since_c)))


def heat_out_j(sim: Simulator) -> float:
    """Heat that has left for the ambient; the open integral is closed by an ambient like before."""
    set_ambient(sim.state, sim.lowered.record, float(sim.state["ambient_c"][0]))
    return float(sim.state["heat_out_j"][0])


@settings(max_examples=40)
@given(seeds)
def test_without_leakage_energy_is_watts_times_seconds(seed: int) -> None:
    """Random programs on random cores at random clocks that change at random times."""
    board, rng = INSTANT, np.random.default_rng(seed)
    sim, expected_j, energies_j = Simulator(board), 0.0, []
    placed = [(draw_program(rng), str(rng.choice(CORES))) for _ in range(rng.integers(1, 9))]
    for profile, unit in placed:
        sim.submit(application(profile), unit)
    for _ in range(8):
        level, dt_s = draw_levels(rng), float(rng.integers(1, 3_000_000_000)) * 1e-9
        sim.apply(clocks(board, level))
        reading = sim.advance(dt_s).last
        load = load_of(board, placed, level)
        expected_j += load.total_w * dt_s
        assert [job.rate for job in reading.jobs.values()] == pytest.approx(load.rates, rel=1e-12)
        assert reading.energy_j == pytest.approx(expected_j, rel=1e-9)
        energies_j.append(expected_j)
    assert all(a < b for a, b in pairwise(energies_j))


INSTANT = tiny_board(
    {f"clocks.{d}.transition_s": [0.0] * n for d, n in LEVELS.items()}, leakage=False
)


@settings(max_examples=25)
@given(seeds)
def test_jobs_that_end_are_charged_to_the_nanosecond(seed: int) -> None:
    """Finite programs: power falls at each end, which the sum over pieces finds by hand."""
    rng = np.random.default_rng(seed)
    level = draw_levels(rng)
    sim = Simulator(INSTANT)
    sim.apply(clocks(INSTANT, level))
    left: dict[str, tuple[ApplicationProfile, str, float]] = {}
    for _ in range(int(rng.integers(1, 7))):
        profile, unit, insns = draw_program(rng), str(rng.choice(CORES)), rng.uniform(1e7, 3e9)
        name = sim.submit(application(profile, instructions=float(insns)), unit)
        left[name] = (profile, unit, float(insns))
    expected_j, now_s, ends_s = 0.0, 0.0, {}
    while left:
        load = load_of(INSTANT, [(p, u) for p, u, _ in left.values()], level)
        rates = dict(zip(left, load.rates, strict=True))
        first = min(left, key=lambda name: left[name][2] / rates[name])
        dt_s = left[first][2] / rates[first]
        expected_j, now_s = expected_j + load.total_w * dt_s, now_s + dt_s
        left = {n: (p, u, w - rates[n] * dt_s) for n, (p, u, w) in left.items() if n != first}
        ends_s[first] = now_s
    reading = sim.advance(now_s + 1e-6).last
    assert {j.id: j.end_s for j in sim.results()} == pytest.approx(ends_s, abs=1e-8)
    idle_w = load_of(INSTANT, [], level).total_w
    expected_j += idle_w * (reading.t_s - now_s)
    assert reading.energy_j == pytest.approx(expected_j, rel=1e-7, abs=1e-7)


@settings(max_examples=40)
@given(seeds, st.booleans())
def test_energy_is_conserved_with_leakage(seed: int, coast: bool) -> None:
    """Electrical energy in = heat stored + heat to the ambient, through fans and seasons."""
    rng = np.random.default_rng(seed)
    trips = [trip("fan", 45.0, fan_level=1), trip("throttle", 60.0, domains=("big", "little"))]
    changes: dict[str, Any] = {"limits.trips": trips}
    if rng.random() < 0.5:
        changes["power.conversion"] = LOSSY
    sim = Simulator(tiny_board(changes), coast=coast)
    start_c = np.array(list(sim.node_temps_c().values()))
    for _ in range(6):
        job = application(draw_program(rng), instructions=float(rng.uniform(1e8, 2e10)))
        sim.submit(job, str(rng.choice(CORES)))
        sim.apply(clocks(sim.board, draw_levels(rng)))
        if rng.random() < 0.5:
            sim.apply(Knobs(fan=int(rng.integers(-1, 3))))
        if rng.random() < 0.5:
            set_ambient(sim.state, sim.lowered.record, float(rng.uniform(-10.0, 45.0)))
        reading = sim.advance(float(rng.uniform(1e-4, 20.0))).last
        balance_j = stored_j(sim, start_c) + heat_out_j(sim)
        assert reading.energy_j == pytest.approx(balance_j, rel=1e-9)
    assert np.sum(sim.state["leak_w"]) > 0.05


def test_regulators_lose_their_share_as_heat_at_their_node() -> None:
    """The input draws a tenth more than the parts do, and the difference warms the base."""
    exact = {"sensors.rails.vdd_in.noise": 0.0, "sensors.rails.vdd_in.resolution_w": 0.0}
    board = tiny_board(exact | {"power.conversion": LOSSY}, leakage=False)
    sim, profile = Simulator(board), program()
    start_c = np.array(list(sim.node_temps_c().values()))
    sim.submit(application(profile), "big0")
    load = load_of(board, [(profile, "big0")], {d: n - 1 for d, n in LEVELS.items()})
    reading = sim.advance(30.0).last
    heat = heat_of(board, load.watts)
    heat[list(board.thermal.nodes).index("base")] += 0.1 * load.total_w
    expected_c = warmed(board, start_c, heat, 30.0, ambient_c=25.0)
    assert list(sim.node_temps_c().values()) == pytest.approx(list(expected_c), abs=1e-8)
    assert reading.power_w is not None
    assert reading.power_w["vdd_in"] == pytest.approx(1.1 * load.total_w, rel=1e-9)
    assert reading.energy_j == pytest.approx(33.0 * load.total_w, rel=1e-9)
    assert sim.kpis()["peak_power_w"] == pytest.approx(1.1 * load.total_w, rel=1e-9)


def test_energy_is_conserved_on_a_shipped_board() -> None:
    sim = Simulator(load_board("jetson-tx2"))
    start_c = np.array(list(sim.node_temps_c().values()))
    for name in ("adi", "gemm", "jacobi-2d", "lu"):
        sim.submit(application(load_application(name), instructions=2e10, target_ips=1e8))
    for fan in (0, 4, 2, -1):
        sim.apply(Knobs(fan=fan))
        reading = sim.advance(33.3).last
        balance_j = stored_j(sim, start_c) + heat_out_j(sim)
        assert reading.energy_j == pytest.approx(balance_j, rel=1e-9)


@pytest.mark.parametrize("coast", [True, False])
def test_the_counter_agrees_with_solve_ivp_with_energy_as_a_state(coast: bool) -> None:
    """Two programs heat a leaking board for a minute; heat and energy are solved together."""
    board, profile = tiny_board(), program(cycles=1.0, stall_s=2e-10, dram_bytes=0.2)
    top = {d: n - 1 for d, n in LEVELS.items()}
    sim = Simulator(board, coast=coast)
    start_c = np.array(list(sim.node_temps_c().values()))
    for unit in ("big0", "big1"):
        sim.submit(application(profile), unit)
    watts = load_of(board, [(profile, "big0"), (profile, "big1")], top).watts
    volts_v = {u.name: board.clocks[u.domain].volts_v.value[top[u.domain]] for u in board.unit_list}
    volts_v |= {"big-shared": 1.0, "memory": 1.1}
    g, capacity, out = network(board)

    def slope(_: float, y: Array) -> Array:
        heat, total_w = out * 25.0 - g @ y[:-1], 0.0
        for part, switching_w in watts.items():
            at = node_of(board, part)
            part_w = switching_w + leakage_of(board, part, volts_v.get(part, 0.0), y[at])
            heat[at] += part_w
            total_w += part_w
        return np.append(heat / capacity, total_w)

    solved: Any = solve_ivp(
        slope, (0.0, 60.0), np.append(start_c, 0.0), "LSODA", [60.0], rtol=1e-9, atol=1e-9
    )
    reading = sim.advance(60.0).last
    assert reading.energy_j == pytest.approx(solved.y[-1, -1], rel=1e-5)
    found_c = list(sim.node_temps_c().values())
    assert found_c == pytest.approx(list(solved.y[:-1, -1]), abs=1e-3)


def test_rails_add_up_to_the_energy_of_what_they_cover() -> None:
    """A rail that is read every 0.7 s reports the mean over just that time."""
    quiet = {"sensors.rails.vdd_cpu.noise": 0.0, "sensors.rails.vdd_cpu.resolution_w": 0.0}
    board = tiny_board(quiet, leakage=False)
    sim, profile = Simulator(board), program()
    level = {d: n - 1 for d, n in LEVELS.items()}
    sim.submit(application(profile, instructions=0.35 * 2e9), "big0")
    covered = board.sensors.rails["vdd_cpu"].covers
    busy_w = sum(load_of(board, [(profile, "big0")], level).watts[part] for part in covered)
    idle_w = sum(load_of(board, [], level).watts[part] for part in covered)
    readings = [sim.advance(0.7).last for _ in range(3)]
    means_w = [reading.power_w["vdd_cpu"] for reading in readings if reading.power_w]
    assert means_w == pytest.approx([(busy_w + idle_w) / 2, idle_w, idle_w], rel=1e-8)


def test_mean_temperatures_are_those_of_the_course() -> None:
    """Against the trapezoidal rule, through another fan, another air and heat from elsewhere."""
    sim = Simulator(tiny_board(), coast=False)
    sim.submit(application(program(cycles=1.0)), "big0")
    record, nodes = sim.lowered.record, len(sim.lowered.nodes)
    seen_c: list[Array] = []
    for k in range(4000):
        if k == 1000:
            sim.apply(Knobs(fan=1))
        if k == 2000:
            set_ambient(sim.state, record, 40.0)
        if k == 3000:
            set_temps(sim.state, sim.lowered, np.linspace(50.0, 70.0, nodes))
        seen_c.append(true_zones_c(sim))
        sim.advance(0.001)
        seen_c.append(true_zones_c(sim))
    assert sim.state["fan"][0] == 1
    assert zone_means_c(sim.state, sim.lowered) == pytest.approx(np.mean(seen_c, axis=0), abs=1e-4)


def true_zones_c(sim: Simulator) -> Array:
    """What an ideal sensor would say now, (zones,)."""
    see = sim.lowered.record[0]["see_zone"][sim.state["fan"][0]]
    return np.asarray(see @ sim.state["modes"][0])[: len(sim.lowered.zones)]
