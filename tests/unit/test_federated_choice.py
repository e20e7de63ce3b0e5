"""The automatic choice reads curvature and noise as they are, and splits accordingly."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn`")

import federated_case as case  # noqa: E402

from edgetwin.systems.federated.batch import Batch  # noqa: E402
from edgetwin.systems.federated.choice import Moments, automatic, choose, measure  # noqa: E402


class Slab(torch.nn.Module):
    """Passes on what came and appends its own weights."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(n))

    def forward(self, given: Any) -> Any:
        return [self.w.clone()] if isinstance(given, dict) else [*given, self.w.clone()]


class Slabs:
    blocks = [Slab(40), Slab(10)]

    def flops(self, batch: Batch) -> list[float]:
        return [40.0, 10.0]


def bowl(output: Any, batch: Batch) -> Any:
    """Curvature 1 in the first block and 3 in the second."""
    return (output[0] ** 2).sum() / 2 + 3 * (output[1] ** 2).sum() / 2


def test_moments_of_a_quadratic_are_its_squared_gradients() -> None:
    batches = [Batch(inputs={}, labels=torch.zeros(1))] * 400
    found = measure(Slabs(), batches, loss=bowl)
    assert found.weights == (40, 10)
    assert found.square[0] == pytest.approx(40.0, rel=4 * (2 / 400) ** 0.5)
    assert found.square[1] == pytest.approx(90.0, rel=4 * (2 / 400) ** 0.5)


def test_rates_are_in_proportion_to_perturbations_over_weights() -> None:
    moments = Moments(flops=(5.0, 1.0), square=(50.0, 10.0), weights=(500, 100))
    choice = choose(moments, p2=(4,))
    assert choice.lr_ratio == pytest.approx(4 * 500 / 100)
    # gain: 5 equal parts at the cost of 2 * 5 + 8 * 1, against 1 part at 2 * 6
    assert choice.predicted_gain == pytest.approx(5 / 18 * 12)


def test_a_block_that_would_bring_almost_everything_gets_fewer_perturbations() -> None:
    even = Moments(flops=(5.0, 1.0), square=(50.0, 10.0), weights=(500, 100))
    steep = Moments(flops=(5.0, 1.0), square=(50.0, 40.0), weights=(500, 100))
    assert choose(even, p2=(2, 4, 8)).p2 == 8
    assert choose(steep, p2=(2, 4, 8)).p2 == 2
    with pytest.raises(ValueError, match="split it finer"):
        choose(Moments(flops=(1.0,), square=(1.0,), weights=(10,)))


def test_the_measured_method_learns() -> None:
    batches = [shard(0, step) for shard in case.shards() for step in range(3)]
    model = case.model()
    method, choice = automatic(model, batches, lr=1e-3)
    assert 1 <= choice.at < 4 and choice.p2 in (2, 4, 8) and choice.lr_ratio > 0
    whole = case.examples()

    def loss() -> float:
        with torch.inference_mode():
            return float(torch.nn.functional.cross_entropy(model(whole), whole.labels))

    before = loss()
    for seed in range(150):
        method.apply(method.estimate(whole, seed), 1.0)
    assert loss() < before - 0.05
    assert np.isfinite(loss())
