"""The four traps of test_traps.py, shut out on boards that advance together in torch as well.

Each board of a batch meets its event at another time, so that none is right by its neighbour.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from batch_pair import Pair  # noqa: E402
from by_hand import heat_of, load_of, warmed  # noqa: E402
from tiny_board import BIG, application, program, tiny_board, trip  # noqa: E402

from edgetwin.kernel_gpu import GpuBatch  # noqa: E402
from hw_models.board import Board  # noqa: E402
from hw_models.jobs import Application  # noqa: E402
from hw_models.lowering import GOVERNORS  # noqa: E402

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
TOP = {"little": 2, "big": 3, "gpu": 2, "mem": 1}
BIG0, N = 2, 4
NS = 1_000_000_000


def batch_of(board: Board, job: Application, device: str) -> GpuBatch:
    """N boards, idle, that know a job; it is started by `start`."""
    return Pair([board], N, [job], device=device).batch


def start(batch: GpuBatch, work: float) -> None:
    """Put the job on big0 of every board."""
    batch.start_job(0, serial=1, unit=BIG0, first=0, rows=1, total=work)


def take_clock(batch: GpuBatch, level: int) -> None:
    """The big clock in hand, at a level, at once."""
    batch.set_field("governor", GOVERNORS.index("userspace"), at=BIG)
    batch.set_field("fixed", level, at=BIG)
    batch.request_level(BIG, level)


def at_s(*times_s: float) -> np.ndarray:
    return np.rint(np.array(times_s) * NS).astype(np.int64)


@pytest.mark.parametrize("device", DEVICES)
def test_heat_and_energy_settle_before_inputs_change(device: str) -> None:
    """What was before a change of clock, air or fan is booked under the old inputs."""
    board, job = tiny_board(leakage=False), program()
    batch = batch_of(board, application(job), device)
    start(batch, np.inf)
    temps_c, energy_j = batch.nodes_c().cpu().numpy(), np.zeros(N)
    now_s = np.zeros(N)

    def expect(level: int, until_s: np.ndarray, ambient_c: float, fan: int) -> None:
        nonlocal temps_c, now_s
        load = load_of(board, [(job, "big0")], TOP | {"big": level}, fan)
        heat = heat_of(board, load.watts)
        for i, dt_s in enumerate(until_s - now_s):
            temps_c[i] = warmed(board, temps_c[i], heat, dt_s, ambient_c=ambient_c, fan=fan)
            energy_j[i] += load.total_w * dt_s
        now_s = until_s
        batch.run(at_s(*until_s))

    expect(3, np.array([0.0137, 0.513, 0.6, 1.00001]), 25.0, fan=0)
    take_clock(batch, 0)
    expect(0, np.array([0.7, 0.7321, 1.2, 1.3]), 25.0, fan=0)
    batch.set_ambient(40.0)
    expect(0, np.array([1.7, 1.4, 1.25, 1.301]), 40.0, fan=0)
    batch.set_field("fan_manual", 2)
    batch.set_fan_level(2)
    expect(0, np.array([2.0, 2.1, 2.2, 2.345]), 40.0, fan=2)
    assert batch.nodes_c().cpu().numpy() == pytest.approx(temps_c, abs=1e-9)
    assert batch.energy_j().cpu().numpy() == pytest.approx(energy_j, rel=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("first", "then"), [(3, 1), (1, 3)])
def test_clock_change_retimes_running_jobs(first: int, then: int, device: str) -> None:
    """Half the work at half the clock takes 1.5 times as long, whichever half comes first."""
    hz = tiny_board().clocks["big"].freqs_hz.value
    batch = batch_of(tiny_board(), application(program(cycles=1.0), instructions=2e9), device)
    start(batch, 2.0e9)
    take_clock(batch, first)
    assert len(batch.run(at_s(*[1.0e9 / hz[first]] * N)).board) == 0
    take_clock(batch, then)
    ended = batch.run(5 * NS)
    assert ended.board.tolist() == list(range(N))
    assert ended.t_ns == pytest.approx(1.5e9, abs=1.5)


@pytest.mark.parametrize("device", DEVICES)
def test_a_throttled_clock_retimes_running_jobs(device: str) -> None:
    """Boards that start warmer are slowed down sooner; each ends when its own clocks say."""
    hot = tiny_board({"limits.trips": [trip("throttle", 50.0, domains=("big",))]})
    batch = batch_of(hot, application(program(cycles=1.0), instructions=2e9), device)
    start(batch, 2.0e9)
    done, ends_ns = np.zeros(N), np.zeros(N)
    for period in range(1, 200):
        found = batch.run(period * 50_000_000)
        ends_ns[found.board] = found.t_ns
        # The clock that a control period begins with is the one its end reports.
        hz = batch.freq_hz()[:, BIG].cpu().numpy()
        last_ns = (period - 1) * 5e7 + (2.0e9 - done) / hz * 1e9
        assert ends_ns[found.board] == pytest.approx(last_ns[found.board], abs=20.0)
        done += 0.05 * hz
    assert np.all(ends_ns >= 1e9 - 1)
    assert len(np.unique(np.round(ends_ns, -3))) > 1


@pytest.mark.parametrize("device", DEVICES)
def test_energy_is_a_counter_not_an_integral_of_samples(device: str) -> None:
    """Work that starts and ends between two samples costs its energy all the same."""
    board = tiny_board(leakage=False)
    idle_w = load_of(board, [], TOP).total_w
    busy_w = load_of(board, [(program(), "big0")], TOP).total_w
    batch = batch_of(board, application(instructions=0.4e9), device)
    for turn in range(10):
        start(batch, 0.4e9)  # 0.2 s of every 0.5 s
        assert len(batch.run((turn + 1) * NS // 2).board) == N
    counted_j = 10 * (0.2 * busy_w + 0.3 * idle_w)
    assert batch.energy_j().cpu().numpy() == pytest.approx(counted_j, rel=1e-8)


@pytest.mark.parametrize("device", DEVICES)
def test_time_is_integer_and_never_waits_for_a_remainder(device: str) -> None:
    """After 1e8 s a float cannot hold a nanosecond, the clocks still can, and nothing hangs."""
    slow = tiny_board({"limits.control_period_s": 1e6, "limits.poll_s": 1e6})
    batch = batch_of(slow, application(program(7.0), instructions=40.0), device)
    late = np.full(N, 10**17)
    batch.run(late)
    for _ in range(30):
        late = late + np.arange(1, N + 1)  # nanoseconds
        batch.run(late)
        assert batch.tensors["t_ns"].tolist() == late.tolist()
    batch.start_job(0, serial=1, unit=BIG0, first=0, rows=1, total=40.0)  # 20 ns at 2 GHz
    assert len(batch.run(late + 19).board) == 0
    assert np.all(np.abs(batch.run(late + 50).t_ns - (late + 20)) <= 1)
