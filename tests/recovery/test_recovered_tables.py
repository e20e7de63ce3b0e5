"""Fits of tables find the numbers that made the table, within 4 standard errors."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hw_models.board import Board, load_board
from hw_models.fit import (
    FitResult,
    fit_cluster_power,
    fit_grid,
    fit_latency,
    fit_steps,
    predict_steps,
    space_filling,
    step_form,
)
from hw_models.fit.grid_model import NAMES, ln_grid
from hw_models.jobs import TrainingJob
from hw_models.parameters import value_at
from hw_models.performance import COMPUTE, IDLE, KIND_COLUMNS, LAUNCH, MEMORY, demand, roof_s
from hw_models.power import powers_w
from hw_models.tables import ClusterPowerTable, Grid, LatencyTable, StepTable
from hw_models.thermal import Network, leakage_law, part_heat_w
from hw_models.workloads import load_network

Array = NDArray[np.float64]


def off_by(result: FitResult, path: str, truth: float) -> float:
    """Standard errors between an estimate and the truth."""
    found = result[path]
    return abs(found.value - truth) / found.std


@pytest.mark.parametrize("seed", range(6))
def test_latency_parameters_are_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cycles, memory_cycles = 4e7 * np.exp(rng.normal(size=2) * 0.5)
    q, overhead_s = rng.uniform(1.5, 5.0), rng.uniform(5e-4, 3e-3)
    gpu, emc = (a.ravel() for a in np.meshgrid(np.linspace(1e8, 1.3e9, 7), [1.06e9, 1.6e9, 1.9e9]))
    s = ((cycles / gpu) ** q + (memory_cycles / emc) ** q) ** (1 / q) + overhead_s
    s *= np.exp(0.004 * rng.standard_normal(len(s)))
    table = LatencyTable(networks=("n",) * len(s), gpu_hz=gpu, emc_hz=emc, latency_s=s)
    result = fit_latency(table, seed=seed)
    truth = {
        "compute_cycles": cycles, "memory_cycles": memory_cycles, "pnorm": q,
        "overhead_s": overhead_s,
    }  # fmt: skip
    for last, value in truth.items():
        assert off_by(result, f"runs.n.{last}", value) < 4, last


def step_rows(board: Board, names: tuple[str, ...], rng: np.random.Generator) -> StepTable:
    """Steps as the simulator's demand table prices them, and the power of its equations."""
    kind, group = board.performance.accelerators["gp10b"], board.power.units["gpu"]
    memory, clock = board.power.memory, board.clocks["gpu"]
    assert memory is not None
    rows = []
    for name in names:
        for batch in (1, 4, 16, 64):
            job = TrainingJob(network=load_network(name), batch=batch, samples_to_target={batch: 1})
            row = demand(board, job)[0, 1 + KIND_COLUMNS * len(board.performance.cores) :]
            for hz, volt_v in list(zip(clock.freqs_hz.value, clock.volts_v.value, strict=True))[
                ::3
            ]:
                for emc_hz in board.clocks["emc"].freqs_hz.value[1::2]:
                    compute_s, memory_s = row[COMPUTE] / hz, row[MEMORY] / emc_hz
                    busy_s = batch * roof_s(compute_s, memory_s, kind.pnorm.value)
                    step_s = busy_s + batch * (row[LAUNCH] / 2.0352e9 + row[IDLE])
                    active = batch * compute_s / busy_s
                    active += kind.stall_activity.value * (1 - active)
                    swing_w = group.active_capacitance_f.value * volt_v**2 * hz * active
                    moved = row[6] * batch / step_s * memory.energy_j_per_byte.value
                    rest_w = 2.5 + memory.idle_capacitance_f.value * 1.1**2 * emc_hz + moved
                    rows.append((
                        batch, hz, emc_hz, step_s, rest_w + swing_w * busy_s / step_s,
                        rest_w + swing_w,
                    ))  # fmt: skip
    columns = np.array(rows, dtype=float).T
    columns[3:] *= np.exp(0.01 * rng.standard_normal(columns[3:].shape))
    each = len(rows) // len(names)
    return StepTable(
        networks=tuple(name for name in names for _ in range(each)),
        batch=columns[0], gpu_hz=columns[1], emc_hz=columns[2], step_s=columns[3],
        mean_w=columns[4], peak_w=columns[5],
    )  # fmt: skip


def test_the_accelerator_section_is_recovered_from_training_steps() -> None:
    board = load_board("jetson-tx2")
    names = ("resnet-18", "mobilenet-v2", "char-transformer")
    table = step_rows(board, names, np.random.default_rng(1))
    result = fit_steps(step_form(board), table)
    for parameter in result.of_board:
        truth = value_at(board, parameter.path)
        assert off_by(result, parameter.path, truth) < 4, parameter.path
        assert parameter.status == "pinned"
    assert off_by(result, "runs.table.rest_w", 2.5) < 4
    again = result.board(board, next(iter(board.sources)))
    at = "power.units.gpu.active_capacitance_f"
    assert value_at(again, at) == pytest.approx(value_at(board, at), rel=0.02)


def test_steps_of_networks_without_counts_are_predicted() -> None:
    board = load_board("jetson-tx2")
    rng = np.random.default_rng(2)
    table = step_rows(board, ("resnet-18", "char-transformer"), rng)
    form = step_form(board, counts={})
    some = np.sort(rng.permutation(len(table.step_s))[:30])
    result = fit_steps(form, table.take(some))
    for name in ("resnet-18", "char-transformer"):
        rest = table.take(np.setdiff1d(np.arange(len(table.step_s)), some)).of(name)
        said = predict_steps(
            form, result, name, batch=rest.batch, gpu_hz=rest.gpu_hz, emc_hz=rest.emc_hz
        )
        assert np.mean(np.abs(said.step_s.mean / rest.step_s - 1)) < 0.03
        assert np.mean(np.abs(said.peak_w.mean / rest.peak_w - 1)) < 0.02


def cluster_rows(board: Board, group: str, rng: np.random.Generator) -> ClusterPowerTable:
    """What a cluster draws above rest in the steady state of the whole board, leakage included."""
    domain = board.units[group].domain
    at, clock = list(board.clocks).index(domain), board.clocks[domain]
    units = [i for i, u in enumerate(board.unit_list) if u.group == group]
    shared = board.parts.index(f"{domain}-shared")
    law, rows = leakage_law(board), []
    for level, (hz, volt_v) in enumerate(
        zip(clock.freqs_hz.value, clock.volts_v.value, strict=True)
    ):
        for n in (1, 2, 3, 4):
            levels = np.zeros(len(board.clocks), dtype=np.int64)
            levels[at] = level
            busy = np.zeros(len(board.unit_list))
            busy[units[:n]] = 1.0
            power_w, gain_w = powers_w(board, level=levels, busy=busy)
            network = Network.of(board)
            temps_c = network.steady(power_w, 25.0, gain_w, law)
            parts_w = part_heat_w(temps_c, network.part_node, power_w, gain_w, law)
            drawn_w = float(parts_w[[*units[:n], shared]].sum())
            rows.append((hz, volt_v, n, drawn_w))
    freq_hz, opp_v, n_cpus, watts = np.array(rows).T
    return ClusterPowerTable(
        cores=("core",) * len(rows), freq_hz=freq_hz, opp_v=opp_v, n_cpus=n_cpus,
        power_w=watts * np.exp(0.01 * rng.standard_normal(len(rows))),
    )  # fmt: skip


@pytest.mark.parametrize("group", ["a53", "a73"])
def test_cluster_power_is_recovered_from_the_steady_board(group: str) -> None:
    board = load_board("hikey960")
    table = cluster_rows(board, group, np.random.default_rng(5))
    result = fit_cluster_power(board, table, {"core": group})
    domain = board.units[group].domain
    core, shared = board.power.units[group], board.power.domains[domain]
    truth = core.active_capacitance_f.value + core.idle_capacitance_f.value
    assert off_by(result, f"power.units.{group}.active_capacitance_f", truth) < 4
    truth = shared.active_capacitance_f.value + shared.idle_capacitance_f.value
    assert off_by(result, f"power.domains.{domain}.active_capacitance_f", truth) < 4
    assert off_by(result, f"power.units.{group}.leakage_w", core.leakage_w.value) < 4


TYPICAL = np.log(
    [10.0, 8.0, 16.0, 2.5, 0.1, 0.1, 0.1, 40.0, 220.0, 20.0, 1.7, 0.25, 1.0, 0.15, 5.0]
)
SCATTER = 0.3 * np.array([1.0] * 7 + [0.3, 0.3, 1.0, 0.3, 0.5, 0.05, 1.0, 0.5])


def random_grid(rng: np.random.Generator) -> tuple[Array, Grid]:
    """The parameters of a workload, and its cells with a noise of 2 %."""
    truth = TYPICAL + SCATTER * rng.standard_normal(len(NAMES))
    batch, limit = (
        a.ravel() for a in np.meshgrid(2.0 ** np.arange(3, 10), np.linspace(100.0, 250.0, 7))
    )
    noise = 0.02 * rng.standard_normal((2, len(batch)))
    time, power = np.exp(ln_grid(truth, batch, limit, True, np.array([512.0, 250.0])) + noise)
    return np.exp(truth), Grid(
        workload="w", knob="limit_w", batch=batch, setting=limit, time_s=time, power_w=power
    )


def test_grids_are_predicted_as_well_as_their_intervals_say() -> None:
    inside = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        truth, grid = random_grid(rng)
        at = space_filling((grid.batch, grid.setting), 15, rng)
        fit = fit_grid(grid.take(at), batches=(8, 512), settings=(100, 250), seed=seed)
        for name, value in zip(NAMES, truth, strict=True):
            if fit.result[f"runs.w.{name}"].status == "pinned":
                assert off_by(fit.result, f"runs.w.{name}", value) < 4, name
        rest = grid.take(np.setdiff1d(np.arange(len(grid.batch)), at))
        said = fit.predict(rest.batch, rest.setting)
        assert np.mean(np.abs(said.time_s / rest.time_s - 1)) < 0.04
        inside.append(np.abs(np.log(said.time_s / rest.time_s)) < 1.645 * said.time_share)
        inside.append(np.abs(np.log(said.power_w / rest.power_w)) < 1.645 * said.power_share)
    assert 0.8 < np.mean(inside) < 0.97
