"""Drawn boards are boards: within bounds, as uncertain and as correlated as what is known."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

import edgetwin  # noqa: F401  registers the environments
from hw_models.board import Board, board_names, load_board
from hw_models.board_checks import quantities
from hw_models.certificate import Certificate
from hw_models.parameters import std_at, value_at
from hw_models.sampling import Posterior, posterior

Array = NDArray[np.float64]
C_GPU = "power.units.gpu.active_capacitance_f"
SINK = "thermal.cooling[0].conductance_w_per_k[0]"
BOARD = "thermal.cooling[1].conductance_w_per_k[0]"


@dataclass(frozen=True)
class Law:
    """A made-up posterior of three numbers of a Jetson Nano."""

    std_share: tuple[float, float, float]
    correlation: float
    low: float | None = 0.0

    def posterior(self, board: Board) -> Posterior:
        paths = (C_GPU, SINK, BOARD)
        center = np.array([value_at(board, path) for path in paths])
        std = center * np.array(self.std_share)
        covariance = np.diag(std**2)
        covariance[1, 2] = covariance[2, 1] = self.correlation * std[1] * std[2]
        made = Certificate.model_validate(
            {
                "board": board.name,
                "grade": "B",
                "reason": "made up",
                "data": [{"file": "none", "sha256": "0" * 64}],
                "parameters": [
                    {"path": p, "value": v, "std": s, "low": self.low, "status": "pinned"}
                    for p, v, s in zip(paths, center.tolist(), std.tolist(), strict=True)
                ],
                "covariance": covariance.tolist(),
            }
        )
        return posterior(board, made)


def drawn(law: Posterior, n: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.array([list(law.draw(rng).values()) for _ in range(n)])


@pytest.mark.parametrize("name", board_names())
def test_every_draw_of_a_shipped_board_is_a_valid_board(name: str) -> None:
    board, rng = load_board(name), np.random.default_rng(3)
    for _ in range(10):
        sample = board.sample(rng)
        assert Board.model_validate(sample.model_dump(by_alias=True)) == sample
        assert sample != board and sample.certificate is None
        assert len(sample.lower().record) == 1


def test_the_same_seed_draws_the_same_board() -> None:
    board = load_board("hikey970")
    one, two = (board.sample(np.random.default_rng(7)) for _ in range(2))
    assert one == two != board.sample(np.random.default_rng(8))


def test_drawing_changes_neither_the_board_nor_what_is_exact() -> None:
    board = load_board("jetson-nano")
    before = board.model_dump_json()
    sample = board.sample(np.random.default_rng(0))
    assert board.model_dump_json() == before
    same = dict(quantities(sample))
    for at, q in quantities(board):
        if not np.any(np.asarray(q.std)) or at.startswith(("limits", "sensors.rails")):
            assert same[at] == q, at


def test_a_fitted_covariance_is_that_of_the_draws() -> None:
    board = load_board("jetson-nano")
    law = Law((0.05, 0.1, 0.1), correlation=-0.8).posterior(board)
    values = drawn(law, 4000)
    relative = values / law.center
    assert np.allclose(relative.mean(axis=0), 1.0, atol=4 * 0.1 / np.sqrt(4000))
    assert np.allclose(relative.std(axis=0), [0.05, 0.1, 0.1], rtol=0.06)
    # standard error of a correlation of -0.8 from 4000 pairs: (1 - 0.64) / sqrt(4000)
    assert np.corrcoef(relative.T)[1, 2] == pytest.approx(-0.8, abs=4 * 0.36 / 63)
    assert abs(np.corrcoef(relative.T)[0, 1]) < 4 / 63


@pytest.mark.parametrize("correlation", [-0.999999, 0.0, 0.999999])
def test_draws_keep_to_bounds_where_the_data_pin_nothing(correlation: float) -> None:
    board = load_board("jetson-nano")
    law = Law((3.0, 5.0, 20.0), correlation).posterior(board)
    values = drawn(law, 300)
    assert np.all(values >= law.low) and np.all(values <= law.high)
    assert np.all(values.std(axis=0) > 0.2 * law.center)


def test_a_traded_off_pair_keeps_the_sum_that_is_known() -> None:
    """Two conductances of which only the sum is known: drawn apart, their sum stays."""
    board = load_board("jetson-nano")
    sink, edge = value_at(board, SINK), value_at(board, BOARD)
    law = Law((0.05, 0.8, 0.8 * sink / edge), correlation=-0.9999).posterior(board)
    values = drawn(law, 300)
    assert np.std(values[:, 1]) > 0.2 * sink
    assert np.std(values[:, 1] + values[:, 2]) < 0.02 * (sink + edge)


def test_bounds_on_both_sides_hold_under_the_sweeps_too() -> None:
    """Sixty-four numbers one std from zero: hardly a whole draw fits, every coordinate must."""
    n = 64
    law = Posterior(
        how="covariance",
        paths=tuple(map(str, range(n))),
        center=np.ones(n),
        factor=np.eye(n),
        low=np.zeros(n),
        high=np.full(n, 1.5),
        rows=tuple(np.array([k]) for k in range(n)),
        ascending=(),
    )
    values = drawn(law, 200)
    assert values.min() >= 0.0 and values.max() <= 1.5
    # mean of a normal(1, 1) truncated to [0, 1.5]: 0.7934 (by numerical integration)
    assert values.mean() == pytest.approx(0.7934, abs=4 * 0.42 / np.sqrt(n * 200))


def test_without_a_certificate_each_number_has_the_std_of_the_file() -> None:
    board = load_board("jetson-nano")
    assert board.sampled_how == "independent"
    path = "clocks.gpu.volts_v[5]"
    rng = np.random.default_rng(2)
    values = np.array([value_at(board.sample(rng), path) for _ in range(500)])
    assert values.std() == pytest.approx(std_at(board, path), rel=4 / np.sqrt(2 * 500))


def test_voltages_and_fan_levels_still_ascend() -> None:
    board, rng = load_board("jetson-nano"), np.random.default_rng(5)
    for _ in range(100):
        sample = board.sample(rng)
        assert np.all(np.diff(sample.clocks["gpu"].volts_v.array) >= 0)
        assert np.all(np.diff(sample.thermal.cooling[0].conductance_w_per_k.array) >= 0)


def episode(name: str, seed: int, **options: Any) -> tuple[Any, ...]:
    env = gym.make(f"edgetwin/{name}-v0", **options)
    seen, info = env.reset(seed=seed)
    env.action_space.seed(0)
    for _ in range(20):
        seen, *_, info = env.step(env.action_space.sample())
    return seen.tobytes(), dict(info)


def test_beside_numbers_from_documents_all_others_vary_too() -> None:
    board = load_board("hikey970")
    assert board.certificate is not None and board.certificate.grade == "C"
    certified = {p.path for p in board.certificate.parameters}
    sample = board.sample(np.random.default_rng(5))
    before, after = dict(quantities(board)), dict(quantities(sample))
    changed = {at for at in before if before[at] != after[at]}
    assert certified < changed
    assert {"thermal.cooling[0].conductance_w_per_k", "power.units.gpu.leakage_w"} < changed


@pytest.mark.parametrize("name", ["Thermal", "Training"])
def test_an_environment_draws_its_board_by_its_own_seed(name: str) -> None:
    one, two, other = (episode(name, seed, randomize="posterior") for seed in (1, 1, 2))
    assert one == two != other
    assert one[1]["calibration"]["sampled"] == "covariance"
    assert episode(name, 1)[1]["calibration"]["sampled"] is None
    assert episode(name, 1) != one
