"""BatchSimulator with device=: boards whose physics runs in torch do what Simulators do."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tiny_board import tiny_board, trip  # noqa: E402

from edgetwin.kernel.batch_read import ENERGY_J, FAN, HEAD, T_S, THROTTLED  # noqa: E402
from edgetwin.scenario import Scenario  # noqa: E402
from edgetwin.simulator import Simulator  # noqa: E402
from edgetwin.simulator.batch import BatchSimulator  # noqa: E402
from hw_models.board import Board, Knobs, load_board  # noqa: E402

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]


def busy(rate_hz: float = 1.5, **more: Any) -> Scenario:
    """Programs come and go, some before they are done; air, cap and faults change."""
    given = {
        "name": "busy", "title": "many come and go", "duration_s": 20,
        "ambient": [[0, 25], [3.03, 40]],
        "arrivals": {
            "process": "poisson", "rate_hz": rate_hz, "duration_s": 15,
            "instructions": [1e8, 2e10], "lifetime_s": [1, 10], "target_share": [0.2, 0.8],
            "programs": ["adi", "gemm", "jacobi-2d"],
        },
    }  # fmt: skip
    return Scenario.model_validate(given | more)


def faulty(board: Board) -> Scenario:
    """A zone that tells nothing, a trip that is forced, a clock that refuses."""
    zone, clock = next(iter(board.sensors.zones)), next(iter(board.clocks))
    faults = [
        {"kind": kind, "target": target, "at_s": at_s, "duration_s": 2.2}
        for kind, target, at_s in (
            ("sensor-dropped", zone, 1.01), ("trip", zone, 4.5), ("clock-refused", clock, 7.03),
        )
    ]  # fmt: skip
    return busy(faults=faults)


def assert_equal_to_simulators(batch: BatchSimulator, scenarios: list[Scenario]) -> None:
    """Every board of a batch that has come to 12 s against a Simulator of its own."""
    temps_c, end_ns = batch.node_temps_c(), 12_000_000_000
    for i, scenario in enumerate(scenarios):
        sim = Simulator(batch.board_of(i), scenario=scenario, seed=i, coast=False)
        sim.run_until(end_ns)
        assert np.max(np.abs(list(sim.node_temps_c().values()) - temps_c[i])) <= 1e-6
        for name in ("t_ns", "tick", "migrations", "transitions", "fan", "throttled", "off"):
            assert batch.get(name)[i] == sim.state[0][name], f"{name} of board {i}"
        assert batch.get("finished")[i] == len(sim.finished)
        assert batch.get("waiting")[i] == len(sim.waiting)
        assert batch.get("to_come")[i] == len(sim.plan.arrivals) - sim.arrived


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["hikey970", "odroid-xu3"])
def test_boards_on_a_device_equal_simulators(name: str, device: str) -> None:
    board = load_board(name)
    scenarios = [busy(), faulty(board), busy(6.0), busy(0.3), faulty(board)]
    batch = BatchSimulator(board, len(scenarios), scenario=scenarios, device=device)
    for _ in range(24):
        batch.advance(0.5)
    assert_equal_to_simulators(batch, scenarios)
    assert batch.get("finished").sum() > 20


@pytest.mark.parametrize("device", DEVICES)
def test_jobs_that_find_no_slot_wait_for_one(device: str) -> None:
    """More come than a board has slots for; the next one starts when one is done or leaves."""
    board = load_board("hikey970")
    scenarios = [busy(30.0), busy(40.0)]
    batch = BatchSimulator(board, 2, scenario=scenarios, device=device)
    batch.advance(12.0)
    assert batch.get("waiting").min() > 0
    assert_equal_to_simulators(batch, scenarios)


@pytest.mark.parametrize("device", DEVICES)
def test_readings_are_those_of_simulators(device: str) -> None:
    board, scenarios = load_board("jetson-tx2"), [busy(), busy(3.0)]
    batch = BatchSimulator(board, 2, scenario=scenarios, device=device)
    sims = [Simulator(board, scenario=s, seed=i, coast=False) for i, s in enumerate(scenarios)]
    for _ in range(4):
        rows = batch.advance(1.7)
        for row, sim in zip(rows, sims, strict=True):
            told = sim.advance(1.7).last
            assert told.power_w is not None
            sensors = [*told.temps_c.values(), *told.power_w.values(), *told.freq_hz.values()]
            assert row[HEAD:] == pytest.approx(sensors, rel=1e-8, abs=1e-6)
            head = (told.t_s, told.energy_j, told.fan, float(told.throttled))
            assert row[[T_S, ENERGY_J, FAN, THROTTLED]] == pytest.approx(head, rel=1e-8)


@pytest.mark.parametrize("device", DEVICES)
def test_some_boards_start_again_while_others_go_on(device: str) -> None:
    board = tiny_board({"limits.trips": [trip("throttle", 45.0, domains=("big",))]})
    batch = BatchSimulator(board, 4, device=device)
    batch.set_governor("big", "powersave")
    batch.advance(2.3)
    batch.reset(which=[1, 3], seeds=17)
    batch.advance(0.9)
    for i, again in enumerate([False, True, False, True]):
        sim = Simulator(board, seed=17 + i if again else i, coast=False)
        if not again:
            sim.apply(Knobs(governor={"big": "powersave"}))
        reading = sim.advance(0.9 if again else 3.2).last
        assert batch.get("t_ns")[i] == sim.now_ns
        assert batch.get("level", 1)[i] == sim.state[0]["level"][1]
        assert batch.get("zone_c", 1)[i] == pytest.approx(reading.temps_c["skin"], abs=1e-6)
        found_c = batch.node_temps_c()[i]
        assert np.max(np.abs(found_c - list(sim.node_temps_c().values()))) <= 1e-6


@pytest.mark.parametrize("device", DEVICES)
def test_a_sample_per_block_runs_on_a_device(device: str) -> None:
    def warmer(board: Board, rng: np.random.Generator) -> Board:
        return tiny_board({"power.baseline.rest.power_w": 0.5 + float(rng.random())})

    batch = BatchSimulator(tiny_board(), 40, sample=warmer, device=device)
    batch.advance(5.0)
    temps_c = batch.node_temps_c()[:, -1]
    assert len(np.unique(np.round(temps_c, 9))) == 2
    for i in (0, 39):
        sim = Simulator(batch.board_of(i), seed=i, coast=False)
        sim.advance(5.0)
        assert abs(sim.node_temps_c()["base"] - temps_c[i]) <= 1e-6


def test_state_on_a_device_is_not_handed_out_as_a_view_of_the_host() -> None:
    batch = BatchSimulator(tiny_board(), 2, device="cpu")
    with pytest.raises(ValueError, match="level is on cpu; read it by get"):
        batch.rows("level")


def test_tensors_go_to_others_without_a_copy() -> None:
    batch = BatchSimulator(tiny_board(), 2, device="cpu")
    assert batch.gpu is not None
    modes = batch.gpu.tensors["modes"]
    assert torch.from_dlpack(modes).data_ptr() == modes.data_ptr()
    assert np.from_dlpack(modes).ctypes.data == modes.data_ptr()
