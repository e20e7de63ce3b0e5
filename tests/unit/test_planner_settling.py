"""When a warming board counts as settled: slow heat, sensors with steps, fans that start."""

from dataclasses import replace

import numpy as np
import pytest

from edgetwin.factory import make_backend
from edgetwin.systems.planner.efficiency import table_efficiency
from edgetwin.systems.planner.meter import Care
from edgetwin.systems.planner.on_board import Task, board_task
from edgetwin.systems.planner.settling import fan_step_w, still_to_go_k
from hw_models.board import Knobs, load_board
from hw_models.trace import Reading
from hw_models.workloads import load_network

TX2 = load_board("jetson-tx2")
FIRST_TRIP_C = 51.0


def warming_c(n: int, tau_s: float, rise_k: float = 20.0, step_k: float = 0.0) -> list[float]:
    """A zone that nears 50 degC, read every minute, to steps of step_k."""
    temps_c = 50.0 - rise_k * np.exp(-60.0 * np.arange(n) / tau_s)
    return list(np.round(temps_c / step_k) * step_k if step_k else temps_c)


@pytest.mark.parametrize("tau_s", [60.0, 300.0, 1200.0])
def test_the_rest_of_an_exponential_is_known_before_it_is_over(tau_s: float) -> None:
    temps_c = warming_c(10, tau_s)
    assert still_to_go_k(temps_c, 0.01) == pytest.approx(50.0 - temps_c[-1], rel=0.01, abs=0.02)


def test_a_slow_board_is_not_settled_where_one_minute_moves_it_little() -> None:
    temps_c = warming_c(16, 600.0, rise_k=10.0)
    assert temps_c[-1] - temps_c[-2] < 0.5
    assert still_to_go_k(temps_c, 0.5) > 2.0


@pytest.mark.parametrize("rise_k", [20.0, -20.0])
def test_a_sensor_with_steps_of_half_a_kelvin_sees_the_end(rise_k: float) -> None:
    rests_k = [still_to_go_k(warming_c(n, 300.0, rise_k, step_k=0.5), 0.5) for n in range(1, 60)]
    settled = next(i for i, rest_k in enumerate(rests_k) if rest_k < 0.5)
    assert abs(rise_k) * np.exp(-60.0 * settled / 300.0) < 1.0
    assert rests_k[-1] == 0.0


def test_nothing_is_said_of_a_course_that_is_short_or_does_not_slow_down() -> None:
    assert still_to_go_k([40.0, 41.0, 41.5], 0.5) == np.inf
    assert still_to_go_k([40.0, 41.0, 42.0, 43.0, 44.0, 45.0, 46.0], 0.5) == np.inf


def reading(thermal_c: float, fan: int | None) -> Reading:
    seen = make_backend("sim", board=TX2).reset()
    return replace(seen, temps_c={**seen.temps_c, "thermal": thermal_c}, fan=fan)


def test_the_fan_s_next_step_counts_where_the_heat_reaches_it() -> None:
    assert TX2.limits.fan is not None
    power_w = TX2.limits.fan.power_w.value
    assert fan_step_w(TX2, reading(FIRST_TRIP_C - 3.0, 0), 2.0) == 0.0
    assert fan_step_w(TX2, reading(FIRST_TRIP_C - 3.0, 0), 3.0) == pytest.approx(power_w[1])
    assert fan_step_w(TX2, reading(FIRST_TRIP_C - 1.0, 0), 0.0, doubts=1.0) > 0.0
    assert fan_step_w(TX2, reading(FIRST_TRIP_C, 1), 0.0) == 0.0
    assert fan_step_w(TX2, reading(FIRST_TRIP_C, None), 0.0) == 0.0


def task() -> Task:
    needed = table_efficiency({32: 124_500.0, 64: 138_000.0})
    return board_task(TX2, load_network("resnet-18-cifar"), needed, pins_host=False)


def test_the_peak_of_a_cell_whose_fan_starts_late_has_the_fan_in_it() -> None:
    # Batch 32 at 930.75 MHz warms the fan's zone to its trip after thirteen minutes only.
    made = task()
    meter = made.meter(make_backend("sim", board=TX2), Care(peak="counter"))
    point = meter.measure(made.space.find(32, 930.75e6))
    backend = make_backend("sim", board=TX2)
    backend.reset()
    name = backend.submit(made.endless_job())
    backend.apply(Knobs(freq_hz={"gpu": 930.75e6}, batch={name: 32}))
    backend.advance(7200.0)
    assert point is not None
    assert point.peak_w == pytest.approx(backend.kpis()["peak_power_w"], rel=1e-3)
