"""The batched kernel in torch does to every board what the scalar kernel does to one."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from batch_pair import Pair  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from tiny_board import application, number, program, tiny_board, training, trip  # noqa: E402

from edgetwin.kernel.state import STATE_DTYPE  # noqa: E402
from edgetwin.kernel_gpu.boards import ALIKE, HEAT, NOT_HELD, OWN  # noqa: E402
from edgetwin.kernel_gpu.fields import COUNTERS, FIELDS, LEFT_OUT  # noqa: E402
from hw_models.board import Board, load_board  # noqa: E402
from hw_models.jobs import Job  # noqa: E402
from hw_models.lowering import BOARD_DTYPE, GOVERNORS  # noqa: E402
from hw_models.workloads import load_application  # noqa: E402

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
HOT = {
    "limits.poll_s": 0.1,
    "limits.trips": [
        trip("fan", 45.0, fan_level=1, hysteresis_k=4.0),
        trip("fan", 52.0, fan_level=2, hysteresis_k=3.0),
        trip("throttle", 58.0, domains=("big", "little"), hysteresis_k=2.0),
        trip("throttle", 66.0, zone="skin", domains=("gpu",), hysteresis_k=2.0),
        trip("shutdown", 78.0),
    ],
    "sensors.zones.cpu.noise_k": 0.2,
}


def made_up() -> list[Job]:
    """Short and long programs of one and many phases, with and without a target, and training."""
    phased = program(2e8, 5e8, 3e7, cycles=[1.0, 2.5, 0.7], stall_s=[0.0, 3e-10, 1e-9], l2d=0.02)
    moving = program(cycles=1.2, stall_s=8e-10, dram_bytes=0.4, activity=0.7)
    return [
        application(program(cycles=0.8), instructions=3e6, target_ips=5e8),
        application(phased, instructions=4e9, target_ips=7e8),
        application(moving, instructions=9e8),
        application(moving, target_ips=9e8),
        application(phased, instructions=2e10, target_ips=4e8),
        training(samples=400.0),
    ]


def shipped() -> list[Job]:
    """Measured programs of several lengths and targets."""
    return [
        application(load_application(name), instructions=work, target_ips=target)
        for name, work, target in (
            ("adi", 4e8, 3e8), ("gemm", 5e9, 1e9), ("jacobi-2d", 3e7, None), ("lu", 4e10, 6e8),
        )
    ]  # fmt: skip


class Chance:
    """Random orders to a pair, drawn from one generator."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair, self.rng, self.n = pair, np.random.default_rng(seed), len(pair.states)
        self.now_ns = np.zeros(self.n, int)
        low = pair.low[0]
        self.record: Any = low.record[0]
        self.domains, self.zones, self.rails = len(low.domains), len(low.zones), len(low.rails)

    def some(self, share: float) -> NDArray[np.bool_]:
        """A mask of about this share of the boards."""
        return self.rng.random(self.n) < share

    def whole(self, most: int) -> NDArray[np.int64]:
        """A whole number below `most` for every board."""
        return self.rng.integers(0, most, self.n)

    def orders(self) -> None:
        """Jobs, migrations and knobs on some of the boards."""
        pair, rng = self.pair, self.rng
        for _ in range(2):
            jobs = self.whole(len(pair.jobs))
            pair.start(self.some(0.5), jobs, np.array([rng.choice(pair.able(j)) for j in jobs]))
        units = np.array(pair.able(0))[self.whole(len(pair.able(0)))]
        on_cores = [s["job_first"][0] != pair.found[-1][0] for s in pair.states]
        slot = self.whole(pair.slots)
        movable = np.array([cores[j] for cores, j in zip(on_cores, slot, strict=True)])
        pair.migrate(self.some(0.5) & movable, slot, units)
        d = int(rng.integers(self.domains))
        pair.field(self.some(0.4), "governor", self.whole(len(GOVERNORS)), d)
        d = int(rng.integers(self.domains))
        pair.level(self.some(0.3), d, self.whole(int(self.record["levels"][d])))

    def weather(self) -> None:
        """Ambient, cap, fan and faults."""
        pair, rng = self.pair, self.rng
        pair.ambient(self.some(0.3), rng.uniform(0.0, 75.0, self.n))
        pair.field(self.some(0.2), "cap_w", rng.uniform(1.0, 8.0, self.n))
        if self.record["fans"] > 1:
            pair.fan(self.some(0.3), self.whole(int(self.record["fans"]) + 1) - 1)
        pair.field(self.some(0.1), "refused", self.whole(2), int(rng.integers(self.domains)))
        pair.field(self.some(0.1), "trip_forced", self.whole(2))
        pair.field(self.some(0.2), "zone_fault", self.whole(3), int(rng.integers(self.zones)))
        if self.rails:
            pair.field(self.some(0.2), "rail_fault", self.whole(3), int(rng.integers(self.rails)))

    def go(self) -> None:
        """Each board for a time of its own, whole control periods or not."""
        odd_s = 10 ** self.rng.uniform(-5, 0.2, self.n)
        wait_s = np.where(self.some(0.3), 0.05 * self.whole(12), odd_s)
        self.now_ns = self.now_ns + np.rint(wait_s * 1e9).astype(int)
        self.pair.advance(self.now_ns)


def live(
    boards: list[Board], jobs: list[Job], seed: int, device: str, pieces: int, n: int = 8
) -> Pair:
    """A life of random orders on n boards, compared after every piece."""
    pair = Pair(boards, n, jobs, device=device)
    chance = Chance(pair, seed)
    for _ in range(pieces):
        chance.orders()
        chance.weather()
        chance.go()
        pair.assert_alike()
    return pair


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(5))
def test_batch_equals_scalar_kernel_under_random_orders(seed: int, device: str) -> None:
    pair = live([tiny_board(HOT)], made_up(), seed, device, pieces=25)
    states = np.concatenate(pair.states)
    assert len(pair.ended[0]) > 5
    for name in ("migrations", "transitions", "throttled_s", "over_cap_s", "heat_out_j", "off"):
        assert np.count_nonzero(states[name]), f"nothing of {name} has happened"
    assert len(np.unique(states["fan"])) > 1


@pytest.mark.parametrize("device", DEVICES)
def test_the_few_that_are_not_there_yet_go_on_alone(device: str) -> None:
    """Enough boards that those which have arrived are left out of further passes."""
    pair = live([tiny_board(HOT)], made_up(), 11, device, pieces=4, n=150)
    assert len(pair.ended[0]) > 50


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["hikey970", "odroid-xu3", "jetson-tx2"])
def test_batch_equals_scalar_kernel_on_shipped_boards(name: str, device: str) -> None:
    pair = live([load_board(name)], shipped(), 7, device, pieces=10)
    assert pair.ended[0]


@pytest.mark.parametrize("device", DEVICES)
def test_every_board_may_have_parameters_of_its_own(device: str) -> None:
    """Power, heat, speed, limits and regulators as different samples of one board give them."""
    samples = [
        tiny_board(
            HOT
            | {
                "power.units.fast.active_capacitance_f": 4e-10 * factor,
                "power.units.slow.leakage_w": 0.02 / factor,
                "thermal.capacity_j_per_k": [0.05, 0.1 * factor, 0.2, 2.0, 20.0],
                "performance.bandwidth_bytes_per_cycle": 4.0 * factor,
                "performance.cores.fast-core.stall_scale": factor,
                "performance.migration_s": 0.005 * factor,
                "power.conversion": {"share": number(0.05 * factor), "node": "base"},
            }
        )
        for factor in (0.8, 1.0, 1.3)
    ]
    pair = live(samples, made_up(), 21, device, pieces=12, n=9)
    energies_j = pair.batch.energy_j().cpu().numpy()
    assert len(np.unique(np.round(energies_j, 3))) == 9


@pytest.mark.parametrize("device", DEVICES)
def test_a_board_does_not_depend_on_its_neighbours(device: str) -> None:
    """Alone or among others: the same to rounding."""
    many = live([tiny_board(HOT)], made_up(), 3, device, pieces=6).batch
    alone = Pair([tiny_board(HOT)], 1, made_up(), device=device).batch
    states = many.states()
    alone.load(states[:1])
    end_ns = int(states["t_ns"].max()) + 2_000_000_000
    for batch in (alone, many):
        batch.run(end_ns)
    assert torch.max(torch.abs(alone.nodes_c()[0] - many.nodes_c()[0])) <= 1e-9


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_run_twice_is_the_same_bit_for_bit(device: str) -> None:
    once, again = (live([tiny_board(HOT)], made_up(), 5, device, pieces=5) for _ in range(2))
    assert once.batch.states().tobytes() == again.batch.states().tobytes()


@pytest.mark.parametrize("device", DEVICES)
def test_single_precision_keeps_time_counters_and_temperatures(device: str) -> None:
    """Half a minute of one program: energy within 1e-5, temperatures within 0.01 K."""
    batches = []
    for dtype in ("float64", "float32"):
        pair = Pair([tiny_board()], 4, made_up(), device=device, dtype=dtype)
        pair.start(np.ones(4, bool), np.full(4, 3), np.arange(4))
        pair.batch.run(30_000_000_000)
        batches.append(pair.batch)
    double, single = batches
    assert single.tensors["modes"].dtype == torch.float32
    assert all(single.tensors[name].dtype == torch.float64 for name in COUNTERS)
    assert torch.max(torch.abs(double.nodes_c() - single.nodes_c())) <= 0.01
    assert torch.allclose(double.energy_j(), single.energy_j(), rtol=1e-5)
    assert torch.equal(double.tensors["t_ns"], single.tensors["t_ns"])


def test_strides_are_those_of_torch_also_where_a_board_has_none() -> None:
    """Fused phases are compiled anew for every other stride: a HiKey 970 has no rails."""
    batch = Pair([load_board("hikey970")], 2, shipped(), device="cpu").batch
    assert batch.tensors["rail_w"].shape == (2, 0)
    for name, held in batch.tensors.items():
        assert held.stride() == torch.empty(held.shape).stride(), name


def test_every_field_of_the_records_has_its_place() -> None:
    """A field that the kernel gains must be carried here too, or be left out on purpose."""
    held = [name for names in FIELDS.values() for name in names]
    assert sorted([*held, *LEFT_OUT]) == sorted(STATE_DTYPE.names or ())
    assert sorted([*OWN, *HEAT, *ALIKE, *NOT_HELD]) == sorted(BOARD_DTYPE.names or ())


def test_records_go_in_and_come_out_as_they_were() -> None:
    pair = Pair([tiny_board(HOT)], 3, made_up(), device="cpu")
    pair.assert_alike()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        pytest.param(
            {"device": "cuda"}, "sees no GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
        ({"device": "cpu", "slots": 0}, "slots is 0; give at least 1"),
        ({"device": "cpu", "dtype": "float16"}, "dtype is 'float16'; give one of float64"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pair([tiny_board()], 2, made_up(), **how)


def test_boards_of_another_kind_are_refused() -> None:
    slow = tiny_board({"limits.poll_s": 1.0})
    with pytest.raises(ValueError, match="the boards of a batch differ in poll_ticks"):
        Pair([tiny_board(), slow], 2, made_up(), device="cpu")


def test_a_job_in_a_slot_that_the_batch_lacks_is_refused() -> None:
    pair = Pair([tiny_board()], 2, made_up(), device="cpu")
    for _ in range(3):
        pair.start(np.ones(2, bool), np.zeros(2, int), np.zeros(2, int))
    small = Pair([tiny_board()], 2, made_up(), slots=2, device="cpu")
    with pytest.raises(ValueError, match="has a job in slot 2; this batch has 2 slots"):
        small.batch.load(pair.batch.states())


def test_a_field_that_others_do_not_set_is_refused() -> None:
    pair = Pair([tiny_board()], 2, made_up(), device="cpu")
    with pytest.raises(ValueError, match="'modes' is not to be set"):
        pair.batch.set_field("modes", 0.0)
