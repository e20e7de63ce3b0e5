"""What a busy accelerator does, told from the course of its load."""

from dataclasses import replace

import numpy as np
import pytest

from edgetwin.backend import run
from edgetwin.factory import make_backend
from hw_models.board import Board, Knobs, load_board
from hw_models.fit import check_run, fit_power
from hw_models.log_work import LOOPS, WORK
from hw_models.power import powers_w
from hw_models.recorded import Recorded, recorded
from hw_models.trace import Trace

GPU_HZ, MEMORY_HZ = 1032.75e6, 1331.2e6


def board() -> Board:
    return load_board("jetson-tx2")


def seen(busy: np.ndarray, meta: dict[str, str] | None = None, **columns: float) -> Recorded:
    """A TX2 whose GPU is busy as given, a reading a second."""
    rows = len(busy)
    base = {"power_w.vdd_in": 9.0, "freq_hz.gpu": GPU_HZ, "freq_hz.emc": MEMORY_HZ}
    named = {name.replace("__", "."): value for name, value in columns.items()}
    filled = {name: np.full(rows, value) for name, value in (base | named).items()}
    return recorded(
        board(), Trace({"t_s": np.arange(float(rows)), "busy.gpu": busy, **filled}, meta)
    )


def of_gpu(log: Recorded) -> list[float]:
    return log.loop[:, [u.name for u in board().unit_list].index("gpu")].tolist()


def test_a_load_that_stays_full_is_a_loop_and_one_that_breaks_is_not() -> None:
    busy = np.full(120, 0.99)
    busy[[10, 30]] = 0.6
    assert of_gpu(seen(busy, memory_busy=0.3)) == [0.0] * 31 + [1.0] * 89


def test_a_guess_about_the_work_is_said() -> None:
    broken, full = np.tile([0.0, 0.99], 30), np.full(60, 0.99)
    assert any("what gpu does is not in the log" in n for n in seen(broken, memory_busy=0.3).notes)
    assert not any("what gpu does" in note for note in seen(full, memory_busy=0.3).notes)


def test_without_the_memory_load_nothing_is_guessed() -> None:
    assert of_gpu(seen(np.tile([0.0, 0.99], 30))) == [1.0] * 60


def test_whoever_ran_the_jobs_knows_that_they_were_loops() -> None:
    broken = np.tile([0.0, 0.99], 30)
    assert of_gpu(seen(broken, {WORK: LOOPS}, memory_busy=0.3)) == [1.0] * 60


def test_a_run_of_jobs_says_that_they_were_loops() -> None:
    backend = make_backend("sim", board="jetson-tx2", scenario="single-app")
    result = run(backend, lambda _: Knobs(), duration_s=2.0)
    assert result.trace.meta[WORK] == LOOPS


@pytest.mark.parametrize(("share", "stalled"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (1.6, 1.0)])
def test_kernels_draw_between_waiting_for_arithmetic_and_for_memory(
    share: float, stalled: float
) -> None:
    twin = board()
    part = twin.power.units["gpu"]
    kernel, waiting = part.kernel_capacitance_f, part.stalled_capacitance_f
    assert kernel is not None and waiting is not None
    usable = twin.performance.accelerators["gp10b"].bytes_per_cycle.value * MEMORY_HZ
    level = np.array([
        twin.opp("gpu", GPU_HZ) if name == "gpu" else twin.opp("emc", MEMORY_HZ)
        if name == "emc" else 0 for name in twin.clocks
    ])  # fmt: skip
    units = [u.name for u in twin.unit_list]
    at = units.index("gpu")
    loop, busy = np.ones(len(units)), np.zeros(len(units))
    loop[at], busy[at] = 0.0, 0.8
    power_w, _ = powers_w(twin, level=level, busy=busy, loop=loop, traffic=share * usable)
    volt_v = twin.clocks["gpu"].volts_v.value[level[list(twin.clocks).index("gpu")]]
    active_f = kernel.value + stalled * (waiting.value - kernel.value)
    expected_w = (0.8 * active_f + part.idle_capacitance_f.value) * volt_v**2 * GPU_HZ
    assert power_w[at] == pytest.approx(expected_w)


def test_a_constant_rail_is_known_to_its_step_and_no_better() -> None:
    rows, step_w = 300, 0.019
    columns = {
        "t_s": np.arange(float(rows)),
        "busy.gpu": np.zeros(rows),
        "power_w.vdd_4v0_wifi": np.full(rows, step_w),
    }
    (one,) = check_run(board(), Trace(columns))
    quiet = replace(one, findings=())
    path = "power.baseline.wifi.power_w"
    found = fit_power(board(), [quiet], free=(path,))[path]
    assert found.value == pytest.approx(step_w, abs=step_w / 2)
    assert found.std == pytest.approx(step_w / np.sqrt(12.0), rel=0.2)
