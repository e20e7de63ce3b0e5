"""A fit finds the numbers that made the trace, and says how well."""

from dataclasses import replace

import numpy as np
import pytest
from known_truths import UNKNOWN, board, everything, inputs, run, truth

from hw_models.board import Board
from hw_models.fit import FitResult, coarser, fit_joint, fit_power, fit_thermal
from hw_models.fit.meter import Meter
from hw_models.openloop import driven
from hw_models.parameters import replaced, value_at

FREE = tuple(UNKNOWN)


def _worst(result: FitResult, values: dict[str, float]) -> float:
    """The largest error of an identified parameter in standard errors."""
    return max(
        abs(p.value - values[p.path]) / p.std
        for p in result.of_board
        if p.status in ("pinned", "traded off")
    )


def _pinned(result: FitResult) -> set[str]:
    return {p.path for p in result.of_board if p.status == "pinned"}


@pytest.fixture(scope="module")
def joint() -> tuple[dict[str, float], FitResult]:
    nominal, rng = board(), np.random.default_rng(3)
    values = truth(nominal, rng)
    runs = [
        run(nominal, values, rng, name="cold", ambient_c=18.0),
        run(nominal, values, rng, name="warm", ambient_c=29.0),
    ]
    return values, fit_joint(nominal, runs, free=FREE)


def test_a_joint_fit_finds_what_made_the_traces(joint: tuple[dict[str, float], FitResult]) -> None:
    values, result = joint
    assert len(_pinned(result)) >= len(UNKNOWN) - 1
    assert _worst(result, values) < 4.0
    for p in result.of_board:
        if p.status == "pinned":
            assert p.std < 0.5 * abs(p.start)


def test_the_air_of_each_run_is_found(joint: tuple[dict[str, float], FitResult]) -> None:
    _, result = joint
    for name, ambient_c in (("cold", 18.0), ("warm", 29.0)):
        air = result[f"runs.{name}.ambient_c"]
        assert abs(air.value - ambient_c) < 4.0 * air.std < 4.0


def test_residuals_are_the_noise_of_the_sensors(joint: tuple[dict[str, float], FitResult]) -> None:
    _, result = joint
    assert result.rms["temps_c.cpu"] == pytest.approx(0.1, rel=0.1)
    assert result.rms["temps_c.skin"] == pytest.approx(0.1, rel=0.1)


def test_covariance_is_that_of_the_parameters(joint: tuple[dict[str, float], FitResult]) -> None:
    _, result = joint
    std = np.sqrt(np.diag(result.covariance))
    assert std == pytest.approx([p.std for p in result.parameters])
    assert np.linalg.eigvalsh(result.covariance / np.outer(std, std)).min() > -1e-9
    paths = [p.path for p in result.parameters[:2]]
    assert result.covariance_of(paths) == pytest.approx(result.covariance[:2, :2])


def test_a_fitted_board_carries_values_and_errors(
    joint: tuple[dict[str, float], FitResult],
) -> None:
    _, result = joint
    fitted = result.board(board(), "made")
    for p in result.of_board:
        assert value_at(fitted, p.path) == pytest.approx(p.value)


def test_the_same_seed_gives_the_same_fit() -> None:
    nominal, rng = board(), np.random.default_rng(5)
    one = run(nominal, truth(nominal, rng), rng, rows=300)
    first, again = (fit_power(nominal, [one], free=FREE[:7], seed=4) for _ in range(2))
    assert np.array_equal(first.covariance, again.covariance)
    assert first.parameters == again.parameters


def test_power_alone_is_found_at_measured_temperatures() -> None:
    nominal, rng = board(), np.random.default_rng(8)
    values = truth(nominal, rng)
    result = fit_power(nominal, [run(nominal, values, rng)], free=FREE[:7])
    assert _worst(result, values) < 4.0
    assert {p.path for p in result.parameters} == set(FREE[:7])


def test_heat_alone_is_found_under_known_power() -> None:
    nominal, rng = board(), np.random.default_rng(9)
    thermal = FREE[7:]
    values = {p: v for p, v in truth(nominal, rng).items() if p in thermal}
    result = fit_thermal(nominal, [run(nominal, values, rng)], free=thermal)
    assert _worst(result, values) < 4.0


def test_a_sensor_mounted_anew_has_an_offset_of_its_own() -> None:
    nominal, rng = board(), np.random.default_rng(11)
    first, second = (run(nominal, {}, rng, rows=500, name=name) for name in ("first", "second"))
    shifted = {
        zone: values + 1.5 * (zone == "skin") for zone, values in second.recorded.zones_c.items()
    }
    moved = replace(second, recorded=replace(second.recorded, zones_c=shifted))
    result = fit_thermal(nominal, [first, moved], free=FREE[7:9], own_offsets=True)
    skin, cpu = (result[f"runs.second.offset_k.{zone}"] for zone in ("skin", "cpu"))
    assert skin.value - cpu.value == pytest.approx(1.5, abs=0.2)
    assert (
        abs(result["runs.first.offset_k.skin"].value) < 4.0 * result["runs.first.offset_k.skin"].std
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "no run to fit"),
        (("a", "a"), "a name of its own"),
        (("a.b",), "names without a dot"),
    ],
)
def test_runs_that_cannot_be_told_apart_are_refused(names: tuple[str, ...], words: str) -> None:
    nominal, rng = board(), np.random.default_rng(15)
    runs = [run(nominal, {}, rng, rows=30, name=name) for name in names]
    with pytest.raises(ValueError, match=words):
        fit_joint(nominal, runs, free=FREE)


def test_an_unknown_number_is_answered_with_the_nearest() -> None:
    nominal, rng = board(), np.random.default_rng(16)
    with pytest.raises(KeyError, match=r"Did you mean 'power.units.gpu.leakage_w'"):
        fit_power(nominal, [run(nominal, {}, rng, rows=30)], free=["power.units.gpu.leakage"])


def test_gross_errors_do_not_move_a_fit() -> None:
    nominal, rng = board(), np.random.default_rng(10)
    values = truth(nominal, rng)
    clean = run(nominal, values, rng)
    spoilt = {
        n: np.where(rng.random(900) < 0.02, 9.0, v) for n, v in clean.recorded.rails_w.items()
    }
    dirty = replace(clean, recorded=replace(clean.recorded, rails_w=spoilt))
    result = fit_power(nominal, [dirty], free=FREE[:7])
    assert _worst(result, values) < 4.0


def _without_rails(nominal: Board) -> Board:
    data = nominal.model_dump(by_alias=True)
    data["sensors"] |= {"rails": {}, "input_rail": None}
    return Board.model_validate(data)


def test_without_power_sensor_only_ratios_are_known_until_a_meter_says() -> None:
    nominal, rng = _without_rails(board(everything(board()))), np.random.default_rng(12)
    values = truth(nominal, rng)
    seen = inputs(nominal, 900, rng)
    one = run(nominal, values, rng, seen=seen)
    blind = fit_joint(nominal, [one])
    assert any(f.kind == "flat" and "scale in watts" in f.message for f in blind.findings)
    assert blind["power.units.gpu.active_capacitance_f"].status == "flat"
    start_c = np.full(len(nominal.thermal.nodes), 26.0)
    _, _, energy_j = driven(replaced(nominal, values).lower(), seen, 24.0, start_c)
    meter = Meter(
        name="wall",
        t_s=seen.t_s - 7.3,
        power_w=np.diff(energy_j, prepend=0.0) * (1.0 + rng.normal(0.0, 0.005, 900)),
        resolution_w=0.001,
    )
    metered = fit_joint(nominal, [one], meter=meter)
    assert not any("scale in watts" in f.message for f in metered.findings)
    scale = metered["power.units.gpu.active_capacitance_f"]
    assert scale.status in ("pinned", "traded off")
    assert abs(scale.value - values[scale.path]) < 4.0 * scale.std
    assert scale.std < 0.3 * blind[scale.path].std


def test_a_coarser_network_is_chosen_where_nodes_cannot_be_told_apart() -> None:
    nominal, rng = board(), np.random.default_rng(13)
    one = run(nominal, {}, rng, rows=600)
    networks = coarser(nominal)
    result = fit_thermal(
        nominal, [one], free=("thermal.cooling[0].conductance_w_per_k[0]",), networks=networks[:4]
    )
    assert len(result.candidates) == 4
    chosen = next(c for c in result.candidates if c.chosen)
    assert chosen.criterion == min(c.criterion for c in result.candidates)
    assert result.board(nominal, "made").thermal.nodes == chosen.nodes
