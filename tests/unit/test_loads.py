"""Synthetic loads keep their share, knobs turn at their time, a plan becomes what it says."""

from pathlib import Path

import numpy as np
import pytest
from tiny_board import tiny_board

from edgetwin.excitation import AFTER_S, scenario_of, write_scenario
from edgetwin.scenario import load_scenario, parse_scenario
from edgetwin.scenario_loads import PULSE_S
from edgetwin.simulator import Simulator
from hw_models.board import Board
from hw_models.fit import ExcitationPlan, Segment
from hw_models.jobs import LoadJob

HEAD = 'name = "loads"\ntitle = "loads"\nduration_s = 100\n'
ONE = HEAD + '[[jobs]]\nkind = "load"\nat_s = 1\nlifetime_s = 74\n'
SLOW = 'unit = "little0"\n'


def simulated(text: str, board: Board | None = None) -> Simulator:
    return Simulator(board or tiny_board(), scenario=parse_scenario(text, "loads"))


def test_a_core_is_busy_for_its_share() -> None:
    sim = simulated(ONE + SLOW + "busy = 0.3\n")
    assert sim.advance(2.0).last.busy["little0"] == pytest.approx(0.3)
    assert sim.advance(73.5).last.busy["little0"] == 0.0


def test_the_share_holds_at_the_clock_it_is_given_for() -> None:
    """At half that clock the same work takes twice the time: of 0.3 s busy and 0.7 s rest, 0.6."""
    sim = simulated(ONE + SLOW + "busy = 0.3\nfreq_hz = 1.0e9\n" + knobs("little", 0.5e9))
    assert sim.advance(2.0).last.busy["little0"] == pytest.approx(0.6 / 1.3)


def knobs(domain: str, hz: float, at_s: float = 0.5) -> str:
    return f"[[knobs]]\nt_s = {at_s}\nfreq_hz = {{ {domain} = {hz} }}\n"


def test_a_load_draws_the_power_of_its_share() -> None:
    """Switching power of a core is C * share * V^2 * f above its idle power."""
    board = tiny_board(leakage=False)
    rest = simulated(HEAD, board).advance(5.0).last.power_w or {}
    busy = simulated(ONE + SLOW + "busy = 0.5\n", board).advance(5.0).last.power_w or {}
    more_w = (busy["vdd_in"] or 0.0) - (rest["vdd_in"] or 0.0)
    assert more_w == pytest.approx(1e-10 * 0.5 * 0.9**2 * 1.5e9, rel=1e-9)


def test_an_accelerator_works_in_pulses_of_its_share() -> None:
    sim = simulated(ONE + 'unit = "gpu0"\nbusy = 0.4\n')
    busy = [sim.advance(0.1).last.busy["gpu0"] for _ in range(10 + round(20 * PULSE_S / 0.1))]
    assert set(np.round(busy[10:], 6)) == {0.0, 1.0}
    assert np.mean(busy[10:]) == pytest.approx(0.4, abs=0.03)
    assert not any(sim.advance(0.0).last.busy[unit] for unit in ("little0", "big0"))


def test_an_accelerator_cannot_rest_within_a_load() -> None:
    sim = Simulator(tiny_board())
    with pytest.raises(ValueError, match="gpu0 cannot run this job"):
        sim.submit(LoadJob(busy=0.5, freq_hz=8e8), "gpu0")


def test_a_load_moves_its_traffic_and_is_no_job_of_a_policy() -> None:
    sim = simulated(ONE + SLOW + "busy = 0.5\nmemory_bytes_per_s = 1e9\n")
    reading = sim.advance(5.0).last
    assert float(sim.state[0]["traffic"]) == pytest.approx(1e9)
    assert reading.jobs == {}
    assert [job.kind for job in sim.results()] == ["load"]


def test_knobs_turn_at_their_time() -> None:
    sim = simulated(HEAD + knobs("big", 1.0e9, at_s=3.0) + "fan = 2\n")
    before, after = sim.advance(2.9).last, sim.advance(0.2).last
    assert (before.freq_hz["big"], before.fan) == (2.0e9, 0)
    assert (after.freq_hz["big"], after.fan) == (1.0e9, 2)


def test_a_snapshot_goes_on_with_knobs_and_loads() -> None:
    sim = simulated(ONE + SLOW + "busy = 0.5\n" + knobs("big", 1.0e9, at_s=30.0))
    sim.advance(20.0)
    kept = sim.snapshot()
    first = sim.advance(60.0).last
    sim.restore(kept)
    assert sim.advance(60.0).last == first


# -- plans ------------------------------------------------------------------------------------


def plan(board: Board) -> ExcitationPlan:
    clocks = {name: clock.freqs_hz.value[0] for name, clock in board.clocks.items()}
    fast = {name: clock.freqs_hz.value[-1] for name, clock in board.clocks.items()}
    segments = (
        Segment(duration_s=60.0, freq_hz=clocks, busy={}, memory_busy=0.0, fan=0, why="rest"),
        Segment(duration_s=60.0, freq_hz=fast, busy={"big0": 0.5, "gpu0": 1.0}, memory_busy=0.25,
                fan=1, why="load"),
        Segment(duration_s=60.0, freq_hz=fast, busy={}, memory_busy=0.5, fan=1, why="traffic"),
    )  # fmt: skip
    return ExcitationPlan(
        board=board.name, segments=segments, period_s=1.0, safe_c=80.0, ambient_c=22.0,
        hottest_c=50.0, expected_std={}, findings=(),
    )  # fmt: skip


def test_a_plan_becomes_a_scenario_that_is_read_back_equal(tmp_path: Path) -> None:
    board = tiny_board()
    scenario = scenario_of(plan(board), board)
    write_scenario(scenario, tmp_path / "plan.toml")
    assert load_scenario(tmp_path / "plan.toml") == scenario
    assert scenario.duration_s == 180.0


def test_a_segment_is_what_the_board_then_does() -> None:
    board = tiny_board()
    sim = Simulator(board, scenario=scenario_of(plan(board), board))
    rest, load, traffic = (sim.advance(60.0).last for _ in range(3))
    assert max(rest.busy.values()) == 0.0 and rest.freq_hz["big"] == 0.5e9
    assert load.busy["big0"] == pytest.approx(0.5) and load.busy["gpu0"] == 1.0
    assert (load.fan, load.freq_hz["big"]) == (1, 2.0e9)
    assert max(traffic.busy.values()) == pytest.approx(0.01)
    top = 4.0 * 1.6e9
    assert float(sim.state[0]["traffic"]) == pytest.approx(0.5 * top, rel=0.02)


def test_a_change_comes_just_after_a_reading() -> None:
    board = tiny_board()
    sim = Simulator(board, scenario=scenario_of(plan(board), board))
    assert sim.advance(60.0).last.freq_hz["big"] == 0.5e9
    assert sim.advance(2 * AFTER_S).last.freq_hz["big"] == 2.0e9


def test_a_plan_of_another_board_is_refused() -> None:
    board = tiny_board()
    with pytest.raises(ValueError, match="the plan is for tiny"):
        scenario_of(plan(board), board.model_copy(update={"name": "other"}))
