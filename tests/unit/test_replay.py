"""A recorded trace behind the interface of a board."""

from pathlib import Path

import numpy as np
import pytest
from tiny_board import application, tiny_board, training

from edgetwin.backend import run
from edgetwin.factory import make_backend
from edgetwin.replay import Replay
from edgetwin.scenario import load_scenario
from edgetwin.simulator import Simulator
from hw_models.board import Knobs, load_board
from hw_models.trace import Trace


def trace(**columns: object) -> Trace:
    """Four readings, a second apart from 100 s on, of the tiny board."""
    base = {
        "t_s": [100.0, 101.0, 102.0, 103.0],
        "temps_c.cpu": [40.0, 50.0, 60.0, 70.0],
        "temps_c.skin": [30.0, 30.0, np.nan, 30.0],
        "power_w.vdd_in": [2.0, 4.0, 6.0, 8.0],
        "energy_j": [500.0, 503.0, 508.0, 515.0],
        "freq_hz.big": [1e9, 2e9, 2e9, 1e9],
        "busy.big0": [0.0, 0.5, 1.0, 0.0],
        "cap_w": [5.0, 5.0, 5.0, 5.0],
        "throttled": [False, True, False, False],
    }
    named = {name.replace("__", "."): values for name, values in columns.items()}
    return Trace({name: np.array(values) for name, values in (base | named).items()})


def test_readings_of_a_run_come_back_as_they_were() -> None:
    simulator = Simulator(load_board("hikey970"), scenario=load_scenario("mixed-20"), seed=5)
    first = run(simulator, lambda reading: Knobs(), duration_s=30.0).trace
    again = run(Replay(simulator.board, first), lambda reading: Knobs(), duration_s=30.0).trace
    assert len(first) == 61
    assert list(again) == list(first)


def test_time_and_energy_count_from_the_first_reading() -> None:
    replay = Replay(tiny_board(), trace())
    first, last = replay.reset(), replay.advance(3.0).last
    assert (first.t_s, first.energy_j) == (0.0, 0.0)
    assert (last.t_s, last.energy_j) == (3.0, 15.0)


def test_the_older_reading_holds_between_two() -> None:
    replay = Replay(tiny_board(), trace())
    replay.reset()
    seen = [replay.advance(0.4).last for _ in range(3)]
    assert [r.temps_c["cpu"] for r in seen] == [40.0, 40.0, 50.0]
    assert [r.t_s for r in seen] == pytest.approx([0.4, 0.8, 1.2])


def test_a_long_step_returns_every_reading_on_the_way() -> None:
    replay = Replay(tiny_board(), trace())
    replay.reset()
    readings = replay.advance(2.5)
    assert [r.t_s for r in readings] == [1.0, 2.0, 2.5]
    assert [r.temps_c["cpu"] for r in readings] == [50.0, 60.0, 60.0]


def test_a_dropped_reading_is_none() -> None:
    replay = Replay(tiny_board(), trace())
    replay.reset()
    assert replay.advance(2.0).last.temps_c["skin"] is None


def test_what_the_board_has_and_the_recording_lacks_is_none() -> None:
    reading = Replay(tiny_board(), trace()).reset()
    assert reading.power_w == {"vdd_in": 2.0, "vdd_cpu": None}
    assert reading.fan is None


def test_clocks_that_the_recording_lacks_are_assumed_and_listed() -> None:
    replay = Replay(tiny_board(), trace())
    assert replay.reset().freq_hz == {"little": 1.5e9, "big": 1e9, "gpu": 0.8e9, "mem": 1.6e9}
    assert any("little 1500000000 Hz" in note for note in replay.notes)


def test_the_end_of_the_record_is_the_end() -> None:
    replay = Replay(tiny_board(), trace())
    replay.reset()
    replay.advance(2.999)
    assert not replay.done
    replay.advance(0.001)
    assert replay.done
    assert replay.advance(5.0).last.temps_c["cpu"] == 70.0
    replay.reset()
    assert not replay.done


def test_many_short_steps_reach_the_same_reading_as_one_long_one() -> None:
    replay = Replay(tiny_board(), trace())
    replay.reset()
    for _ in range(30):
        last = replay.advance(0.1).last
    assert (last.t_s, last.temps_c["cpu"]) == (3.0, 70.0)


def test_every_knob_is_refused_as_recorded() -> None:
    board = tiny_board()
    replay = Replay(board, trace(jobs__net__rate=[1.0] * 4, jobs__net__batch=[8] * 4))
    replay.reset()
    applied = replay.apply(
        Knobs(
            freq_hz={"big": 2e9},
            governor={"gpu": "powersave"},
            placement={"net": "big1"},
            fan=1,
            batch={"net": 64},
        )
    )
    assert applied.accepted == Knobs()
    assert applied.refused == dict.fromkeys(
        ["freq_hz.big", "governor.gpu", "placement.net", "batch.net", "fan"], "recorded"
    )


@pytest.mark.parametrize(
    ("knobs", "error"),
    [
        (Knobs(freq_hz={"bgi": 2e9}), KeyError),
        (Knobs(freq_hz={"big": 2.1e9}), ValueError),
        (Knobs(governor={"big": "ondmand"}), ValueError),  # type: ignore[dict-item]
        (Knobs(placement={"net": "big1"}), KeyError),
        (Knobs(batch={"net": 8}), KeyError),
        (Knobs(fan=3), ValueError),
    ],
)
def test_a_knob_that_the_board_does_not_have_is_an_error(
    knobs: Knobs, error: type[Exception]
) -> None:
    replay = Replay(tiny_board(), trace())
    replay.reset()
    with pytest.raises(error):
        replay.apply(knobs)


def test_a_recording_takes_neither_jobs_nor_scenarios() -> None:
    replay = Replay(tiny_board(), trace())
    for job in (application(), training()):
        with pytest.raises(ValueError, match="takes no jobs"):
            replay.submit(job)
    with pytest.raises(ValueError, match="cannot play scenario single-app"):
        replay.reset(scenario=load_scenario("single-app"))


def test_results_are_summed_over_readings() -> None:
    nan = np.nan
    replay = Replay(
        tiny_board(),
        trace(
            jobs__a__rate=[10.0, 20.0, nan, nan],
            jobs__a__target=[15.0, 15.0, nan, nan],
            jobs__a__unit=["big0", "big1", None, None],
            jobs__net__rate=[nan, 1.0, 2.0, 3.0],
            jobs__net__batch=[nan, 8.0, 8.0, 8.0],
        ),
    )
    replay.reset()
    replay.advance(3.5)
    done, live = replay.results()
    assert (done.id, done.kind, done.start_s, done.end_s) == ("a", "application", 0.0, 2.0)
    assert (done.work, done.alive_s, done.below_s, done.target) == (30.0, 2.0, 1.0, 15.0)
    assert (live.id, live.kind, live.start_s, live.end_s) == ("net", "training", 1.0, None)
    assert (live.work, live.alive_s) == (4.5, 2.5)
    kpis = replay.kpis()
    assert (kpis["completed"], kpis["migrations"]) == (1.0, 1.0)
    assert (kpis["instructions_done"], kpis["samples_done"]) == (30.0, 4.5)
    assert kpis["violation_time_share"] == 0.5
    assert kpis["time_to_target_s"] is None


def test_key_figures_are_means_over_the_time_that_has_passed() -> None:
    replay = Replay(tiny_board(), trace())
    replay.reset()
    replay.advance(4.0)
    kpis = replay.kpis()
    assert kpis["mean_temp_c"] == 55.0
    assert kpis["peak_temp_c"] == 70.0
    assert kpis["energy_j"] == 15.0
    assert kpis["peak_power_w"] == 8.0
    assert kpis["throttled_time_share"] == 0.25
    assert kpis["cap_violation_time_share"] == 0.5
    assert kpis["max_overshoot_share"] == pytest.approx(0.6)


def test_key_figures_have_the_names_of_a_simulation() -> None:
    replay = Replay(tiny_board(), trace())
    replay.reset()
    assert set(replay.kpis()) == set(Simulator(tiny_board()).kpis())


def test_energy_without_a_counter_is_the_mean_of_the_input_rail() -> None:
    replay = Replay(tiny_board(), trace(energy_j=[np.nan] * 4))
    replay.reset()
    replay.advance(4.0)
    assert replay.kpis()["energy_j"] == pytest.approx(20.0)


def test_the_factory_makes_a_replay_from_a_file(tmp_path: Path) -> None:
    trace().to_parquet(tmp_path / "trace.parquet")
    backend = make_backend("replay", board=tiny_board(), trace=tmp_path / "trace.parquet")
    assert backend.reset().temps_c["cpu"] == 40.0
    with pytest.raises(ValueError, match="needs a trace"):
        make_backend("replay", board=tiny_board())


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="no reading"):
        Replay(tiny_board(), trace().select(slice(0, 0)))
