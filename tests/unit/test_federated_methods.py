"""Each baseline does what its paper says, on a quadratic whose every number is known."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn`")

from edgetwin.systems.federated.batch import Batch  # noqa: E402
from edgetwin.systems.federated.grid import UNIT  # noqa: E402
from edgetwin.systems.federated.methods import METHODS, make_method  # noqa: E402
from edgetwin.systems.federated.noise.bits import derived_seed, noise  # noqa: E402
from edgetwin.systems.federated.packet import DENSE, Packet  # noqa: E402

EPS, LR, N = 2.0**-10, 0.05, 6
START = np.array([0.5, -1.0, 0.25, 2.0, -0.75, 1.5])
CURVATURE = np.array([1.0, 2.0, 0.5, 1.5, 1.0, 0.25])
BATCH = Batch(inputs={}, labels=torch.zeros(1))


class Weights(torch.nn.Module):
    """A model that is nothing but its weights."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.register_parameter(name, torch.nn.Parameter(torch.tensor(START, dtype=torch.float32)))

    def forward(self, given: Any) -> Any:
        return next(self.parameters()).clone()


class Model:
    def __init__(self, name: str = "w") -> None:
        self.blocks = [Weights(name)]

    def flops(self, batch: Batch) -> list[float]:
        return [10.0]


def quadratic(output: Any, batch: Batch) -> Any:
    return (torch.tensor(CURVATURE) * output.double() ** 2).sum() / 2


def loss(w: np.ndarray) -> float:
    return float((CURVATURE * w**2).sum() / 2)


def made(name: str, **settings: Any) -> Any:
    parameter = "lora_w" if name == "fedavg-lora" else "w"
    return make_method(name, Model(parameter), lr=LR, loss=quadratic, **settings)


def weights(method: Any) -> np.ndarray:
    return np.frombuffer(method.snapshot()["weights"], "<i4") * UNIT


def z(seed: int, j: int = 0, *, wide: bool = False) -> np.ndarray:
    return noise(seed, 0, j, N, wide) / (4 if wide else 1)


def central(w: np.ndarray, v: np.ndarray) -> float:
    return (loss(w + EPS * v) - loss(w - EPS * v)) / (2 * EPS)


def forward(w: np.ndarray, v: np.ndarray) -> float:
    return (loss(w + EPS * v) - loss(w)) / EPS


def taken(method: Any, seed: int) -> np.ndarray:
    method.apply(method.estimate(BATCH, seed), 1.0)
    return weights(method)


def near(found: np.ndarray, expected: np.ndarray, steps: int = 1) -> bool:
    """Equal to the rounding of a step to whole units and of scalars to float32."""
    return bool(np.abs(found - expected).max() < steps * 20 * UNIT)


def test_fedzo_takes_mezos_step() -> None:
    w = START.copy()
    method = made("fedzo")
    for seed in range(5):
        v = z(seed)
        w = w - LR * central(w, v) * v
        assert near(taken(method, seed), w, seed + 1)


def test_fedzo_with_several_perturbations_takes_their_mean() -> None:
    v = [z(3, j) for j in range(4)]
    expected = START - LR * np.mean([central(START, x) * x for x in v], axis=0)
    assert near(taken(made("fedzo", perturbations=4), 3), expected)


def test_decomfl_takes_the_mean_of_forward_differences() -> None:
    v = [z(3, j) for j in range(5)]
    expected = START - LR * np.mean([forward(START, x) * x for x in v], axis=0)
    method = made("decomfl")
    assert method.shares_seeds
    assert near(taken(method, 3), expected)
    assert method.flops(BATCH) == 6 * 10.0


def test_decomfl_averages_the_scalars_of_clients_with_the_same_noise() -> None:
    from edgetwin.systems.federated.server import Server

    server = Server(made("decomfl"), [10, 30], seed=1)
    orders = server.open([0, 1])
    assert orders[0].seeds == orders[1].seeds
    seed = orders[0].seeds[0]
    for client, scale in ((0, 1.0), (1, 3.0)):
        scalars = scale * np.arange(1, 6, dtype=np.float32)
        server.receive(client, Packet(seed=seed, scalars=scalars).to_bytes())
    record = server.close()
    assert len(record.entries) == 1
    mean = (0.25 * 1 + 0.75 * 3) * np.arange(1, 6)
    assert record.entries[0][1].scalars.tolist() == mean.tolist()
    step = np.mean([g * z(seed, j) for j, g in enumerate(mean)], axis=0)
    assert near(weights(server.replica.method), START - LR * step)


def test_fedkseed_draws_from_a_pool_and_its_weights_are_one_sum_per_candidate() -> None:
    method = made("fedkseed", pool=4)
    steps, totals = 40, np.zeros(4)
    w = START.copy()
    for seed in range(steps):
        candidate = method.candidate(seed)
        v = z(derived_seed(0, candidate))
        g = central(w, v)
        totals[candidate] += g
        w = w - LR * g * v
        assert near(taken(method, seed), w, seed + 2)
    rebuilt = START - LR * sum(totals[k] * z(derived_seed(0, k)) for k in range(4))
    assert near(weights(method), rebuilt, steps)
    assert {method.candidate(seed) for seed in range(200)} == {0, 1, 2, 3}


def test_baffle_follows_steins_identity_with_nearly_gaussian_noise() -> None:
    v = [z(3, j, wide=True) for j in range(20)]
    expected = START - LR * np.mean([forward(START, x) * x for x in v], axis=0)
    assert near(taken(made("baffle"), 3), expected)
    assert len(np.unique(np.abs(v))) > 4  # no signs


@pytest.mark.parametrize("name", ["fedavg", "fedavg-lora"])
def test_fedavg_takes_gradient_steps_and_averages_weights(name: str) -> None:
    method = made(name)
    once = START - LR * CURVATURE * START
    twice = once - LR * CURVATURE * once
    packets = []
    for seed in range(2):
        packets.append(method.estimate(BATCH, seed))
        method.apply(packets[-1], 1.0)
    assert near(weights(method), twice, 2)
    for packet in reversed(packets):
        method.apply(packet, -1.0)
    assert near(weights(method), START) and packets[0].kind == DENSE
    for packet in packets:  # a client of two steps and a share of a quarter
        method.apply(packet, 0.25)
    assert near(weights(method), START + 0.25 * (twice - START), 2)


def test_fedavg_lora_refuses_a_model_that_trains_more_than_adapters() -> None:
    with pytest.raises(ValueError, match="adapters alone"):
        make_method("fedavg-lora", Model("w"))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_goes_down_and_can_go_back(name: str) -> None:
    if name == "fedspzo":
        pytest.skip("needs two blocks: see test_federated_optimizer")
    method = made(name)
    before, packets = method.snapshot(), []
    for seed in range(60):
        packets.append(method.estimate(BATCH, seed))
        method.apply(packets[-1], 1.0)
    assert loss(weights(method)) < 0.5 * loss(START)
    for packet in packets:  # in any order
        method.apply(packet, -1.0)
    assert method.snapshot() == before


def test_an_unknown_method_is_named_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="Did you mean 'fedspzo'"):
        make_method("fedspz", Model())
