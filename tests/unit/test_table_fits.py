"""Fits of tables: designs, determinism, error bars that know where points are, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hw_models.board import load_board
from hw_models.fit import (
    board_performance,
    fit_cluster_power,
    fit_grid,
    fit_latency,
    fit_steps,
    predict_latency,
    predict_steps,
    space_filling,
    step_form,
)
from hw_models.fit.grid_model import ln_grid
from hw_models.tables import ClusterPowerTable, Grid, LatencyTable, StepTable
from hw_models.workloads import load_network

Array = NDArray[np.float64]

BATCHES = np.array([8.0, 16, 32, 64, 128, 256, 512])
LIMITS = np.array([100.0, 125, 150, 175, 200, 225, 250])
TRUTH = np.log([10.0, 8.0, 16.0, 2.5, 0.1, 0.1, 0.1, 40.0, 220.0, 20.0, 1.7, 0.25, 1.0, 0.15, 5.0])


def made_grid(noise: float, seed: int = 0) -> Grid:
    """All cells of a workload that follows the form, each off by some share."""
    batch, limit = (a.ravel() for a in np.meshgrid(BATCHES, LIMITS, indexing="ij"))
    off = noise * np.random.default_rng(seed).standard_normal((2, len(batch)))
    time, power = np.exp(ln_grid(TRUTH, batch, limit, True, np.array([512.0, 250.0])) + off)
    return Grid(
        workload="w", knob="limit_w", batch=batch, setting=limit, time_s=time, power_w=power
    )


def made_latency(noise: float, seed: int = 0) -> LatencyTable:
    gpu, emc = (a.ravel() for a in np.meshgrid([2e8, 6e8, 1.3e9], [1e9, 1.3e9, 1.9e9]))
    s = ((4e7 / gpu) ** 3 + (3e7 / emc) ** 3) ** (1 / 3) + 1e-3
    off = np.exp(noise * np.random.default_rng(seed).standard_normal(len(s)))
    return LatencyTable(networks=("net",) * len(s), gpu_hz=gpu, emc_hz=emc, latency_s=s * off)


def test_a_design_draws_every_level_about_equally_often() -> None:
    grid = made_grid(0.0)
    at = space_filling((grid.batch, grid.setting), 14, np.random.default_rng(3))
    assert len(set(at.tolist())) == 14
    for axis in (grid.batch, grid.setting):
        assert np.unique(axis[at], return_counts=True)[1].tolist() == [2] * 7


def test_a_design_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    grid = made_grid(0.0)
    first, again, other = (
        space_filling((grid.batch, grid.setting), 10, np.random.default_rng(s)) for s in (1, 1, 2)
    )
    assert first.tolist() == again.tolist() != other.tolist()


@pytest.mark.parametrize("n", [0, 50])
def test_a_design_of_more_points_than_there_are_is_refused(n: int) -> None:
    grid = made_grid(0.0)
    with pytest.raises(ValueError, match="cannot be chosen"):
        space_filling((grid.batch, grid.setting), n, np.random.default_rng(0))


def test_a_grid_fit_is_the_same_for_the_same_seed() -> None:
    grid = made_grid(0.02)
    some = grid.take(space_filling((grid.batch, grid.setting), 12, np.random.default_rng(0)))
    a, b = (fit_grid(some, seed=4).predict(grid.batch, grid.setting) for _ in range(2))
    assert np.array_equal(a.time_s, b.time_s)
    assert np.array_equal(a.power_share, b.power_share)


def test_a_grid_fit_knows_less_where_nothing_was_measured() -> None:
    grid = made_grid(0.01)
    small = np.flatnonzero(grid.batch <= 64)
    fit = fit_grid(grid.take(small), batches=(8.0, 512.0))
    said = fit.predict(np.array([32.0, 512.0]), np.array([150.0, 150.0]))
    assert said.time_share[1] > 3 * said.time_share[0]


def test_a_fit_that_goes_on_from_fewer_cells_finds_the_same() -> None:
    grid = made_grid(0.01)
    at = space_filling((grid.batch, grid.setting), 20, np.random.default_rng(0))
    fewer = fit_grid(grid.take(at[:19]), batches=(8.0, 512.0), settings=(100.0, 250.0))
    fresh = fit_grid(grid.take(at), batches=(8.0, 512.0), settings=(100.0, 250.0))
    warm = fit_grid(grid.take(at), batches=(8.0, 512.0), settings=(100.0, 250.0), start=fewer)
    a, b = (f.predict(grid.batch, grid.setting).time_s for f in (fresh, warm))
    assert np.abs(a / b - 1).max() < 0.01


def test_a_grid_over_clocks_is_fitted_like_one_over_limits() -> None:
    batch, hz = (a.ravel() for a in np.meshgrid(BATCHES, np.linspace(2e8, 1.3e9, 8)))
    scale = np.array([512.0, 1.3e9])
    time, power = np.exp(ln_grid(TRUTH, batch, hz, False, scale))
    grid = Grid(workload="w", knob="gpu_hz", batch=batch, setting=hz, time_s=time, power_w=power)
    at = space_filling((batch, hz), 15, np.random.default_rng(0))
    said = fit_grid(grid.take(at), batches=(8, 512), settings=(2e8, 1.3e9)).predict(batch, hz)
    assert np.mean(np.abs(said.time_s / time - 1)) < 0.02
    assert np.mean(np.abs(said.power_w / power - 1)) < 0.02


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_cells_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="a grid needs 3"):
        fit_grid(made_grid(0.0).take(np.arange(n)))


def test_a_latency_of_one_point_is_refused() -> None:
    with pytest.raises(ValueError, match="a latency fit needs two"):
        fit_latency(made_latency(0.0).take(np.array([0])))


def test_a_latency_fit_without_low_memory_clocks_says_what_it_does_not_know() -> None:
    table = made_latency(0.005)
    slow = table.take(np.flatnonzero(table.gpu_hz < 1e9))
    result = fit_latency(slow.take(np.flatnonzero(slow.emc_hz > 1.8e9)))
    assert result["runs.net.memory_cycles"].status != "pinned"
    assert any("memory_cycles" in finding.paths[0] for finding in result.findings)
    assert all(finding.cure for finding in result.findings)


def test_latency_predictions_name_an_unknown_network() -> None:
    with pytest.raises(KeyError, match=r"runs\.nut"):
        predict_latency(fit_latency(made_latency(0.0)), "nut", np.array([1e9]), np.array([1e9]))


def test_networks_that_agree_pin_the_exponent_of_the_board() -> None:
    parts = [made_latency(0.002, seed) for seed in range(4)]
    table = LatencyTable(
        networks=tuple(f"n{i}" for i, part in enumerate(parts) for _ in part.networks),
        gpu_hz=np.concatenate([part.gpu_hz for part in parts]),
        emc_hz=np.concatenate([part.emc_hz for part in parts]),
        latency_s=np.concatenate([part.latency_s for part in parts]),
    )
    result = fit_latency(table)
    found = {p.path: p for p in board_performance(result, load_board("jetson-tx2"), "gp10b")}
    exponent = found["performance.accelerators.gp10b.pnorm"]
    assert abs(exponent.value - 3.0) < 4 * exponent.std < 1.0


def test_counts_turn_cycles_into_rates() -> None:
    board, network = load_board("jetson-tx2"), load_network("resnet-18")
    result = fit_latency(made_latency(0.0))
    found = {
        p.path.rsplit(".", 1)[1]: p.value
        for p in board_performance(result, board, "gp10b", {"net": network})
    }
    assert found["efficiency"] == pytest.approx(network.forward_flops / 512.0 / 4e7, rel=0.02)
    moved = network.forward_bytes + network.parameter_bytes
    assert found["bytes_per_cycle"] == pytest.approx(moved / 3e7, rel=0.05)


def test_a_cluster_table_with_more_cores_than_the_cluster_has_is_refused() -> None:
    table = ClusterPowerTable(
        cores=("A73", "A73"), freq_hz=np.array([1e9, 2e9]), opp_v=np.array([0.8, 1.0]),
        n_cpus=np.array([1.0, 5.0]), power_w=np.array([1.0, 6.0]),
    )  # fmt: skip
    with pytest.raises(ValueError, match="a73 has 1 to 4"):
        fit_cluster_power(load_board("hikey960"), table, {"A73": "a73"})
    with pytest.raises(KeyError, match="unit group"):
        fit_cluster_power(load_board("hikey960"), table, {"A73": "a37"})


def made_steps(n: int) -> StepTable:
    batch = np.arange(1.0, n + 1)
    return StepTable(
        networks=("net",) * n, batch=batch, gpu_hz=np.full(n, 1e9), emc_hz=np.full(n, 1.6e9),
        step_s=0.01 + 0.002 * batch, mean_w=np.full(n, 6.0), peak_w=np.full(n, 7.0),
    )  # fmt: skip


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="a step table needs four"):
        fit_steps(step_form(load_board("jetson-tx2")), made_steps(3))


def test_steps_need_an_accelerator_that_the_board_has() -> None:
    board = load_board("jetson-tx2")
    with pytest.raises(KeyError, match="Did you mean 'gp10b'"):
        step_form(board, kind="gp10")
    without = board.model_copy(
        update={"performance": board.performance.model_copy(update={"accelerators": {}})}
    )
    with pytest.raises(ValueError, match="no accelerator"):
        step_form(without)


def test_a_network_without_points_or_counts_cannot_be_predicted() -> None:
    form = step_form(load_board("jetson-tx2"))
    result = fit_steps(form, made_steps(6))
    one = np.array([1.0])
    assert predict_steps(form, result, "net", batch=one, gpu_hz=1e9 * one, emc_hz=1.6e9 * one)
    with pytest.raises(KeyError, match="nut"):
        predict_steps(form, result, "nut", batch=one, gpu_hz=1e9 * one, emc_hz=1.6e9 * one)


def test_points_that_are_far_off_do_not_move_a_fit() -> None:
    clean = made_latency(0.003)
    bad = clean.latency_s.copy()
    bad[4] *= 1.5
    fit = fit_latency(replace(clean, latency_s=bad))
    assert fit["runs.net.compute_cycles"].value == pytest.approx(4e7, rel=0.05)
    found = fit["runs.net.compute_cycles"]
    assert abs(found.value - 4e7) < 4 * found.std


@pytest.mark.parametrize("axis", ["batch", "setting"])
def test_a_grid_measured_along_one_axis_only_still_predicts(axis: str) -> None:
    grid = made_grid(0.01)
    values = getattr(grid, axis)
    fit = fit_grid(grid.take(np.flatnonzero(values == values[0])))
    said = fit.predict(grid.batch, grid.setting)
    for found in (said.time_s, said.time_share, said.power_w, said.power_share):
        assert np.all(np.isfinite(found))
