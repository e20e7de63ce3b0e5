"""A fit says what the data cannot tell, on cases built so that we know it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from known_truths import board, inputs, run

from hw_models.board import Board
from hw_models.fit import FitResult, Run, check_run, fit_joint, fit_power, fit_thermal
from hw_models.parameters import with_values
from hw_models.recorded import Recorded
from hw_models.trace import Trace

ROWS = 400


def _steady(nominal: Board, rng: np.random.Generator, changes: Mapping[str, object]) -> Run:
    seen = replace(inputs(nominal, ROWS, rng), **changes)  # type: ignore[arg-type]
    return run(nominal, {}, rng, rows=ROWS, seen=seen)


def _kinds(result: FitResult, path: str) -> set[str]:
    return {f.kind for f in result.findings if path in f.paths}


def test_a_unit_that_never_worked_is_dead_and_the_cure_says_so() -> None:
    nominal, rng = board(), np.random.default_rng(1)
    busy = inputs(nominal, ROWS, rng).busy
    busy[:, -1] = 0.0
    one = _steady(nominal, rng, {"busy": busy})
    path = "power.units.gpu.active_capacitance_f"
    result = fit_power(nominal, [one], free=(path, "power.units.fast.active_capacitance_f"))
    assert result[path].status == "dead"
    assert result[path].value == result[path].start
    (finding,) = [f for f in result.findings if f.paths == (path,)]
    assert finding.kind == "dead"
    assert "run that unit alone" in finding.cure


def test_a_fan_level_that_was_never_on_is_dead() -> None:
    nominal, rng = (
        board({"thermal.cooling[1].conductance_w_per_k[2]": 0.3}),
        np.random.default_rng(2),
    )
    one = run(nominal, {}, rng, rows=ROWS)
    result = fit_thermal(nominal, [one], free=("thermal.cooling[1].conductance_w_per_k[2]",))
    assert result["thermal.cooling[1].conductance_w_per_k[2]"].status == "dead"


def test_two_constants_on_one_rail_are_flat_together() -> None:
    nominal, rng = board({"power.domains.big.idle_capacitance_f": 0.5}), np.random.default_rng(3)
    level = inputs(nominal, ROWS, rng).level
    level[:] = 1
    one = _steady(nominal, rng, {"level": level})
    both = ("power.domains.big.idle_capacitance_f", "power.units.fast.idle_capacitance_f")
    nominal = with_values(nominal, {}, std={both[1]: 1e-11})
    result = fit_power(nominal, [one], free=both)
    assert [result[path].status for path in both] == ["flat", "flat"]
    (finding,) = [f for f in result.findings if f.kind == "flat"]
    assert set(finding.paths) == set(both)
    assert "only a combination is known" in finding.message
    assert "highest clock" in finding.cure


def test_what_the_data_hardly_tell_is_not_called_pinned() -> None:
    nominal, rng = board({"power.units.slow.leakage_w": 0.02}), np.random.default_rng(4)
    path = "power.units.slow.leakage_w"
    result = fit_power(nominal, [run(nominal, {}, rng, rows=60)], free=(path,))
    assert result[path].status in ("not pinned", "dead")
    assert _kinds(result, path) <= {"not pinned", "dead"}
    assert _kinds(result, path)


def test_a_number_the_data_push_to_its_bound_is_named() -> None:
    nominal, rng = board(), np.random.default_rng(5)
    one = run(nominal, {"power.units.gpu.idle_capacitance_f": 0.0}, rng, rows=ROWS)
    less = {rail: values * 0.97 for rail, values in one.recorded.rails_w.items()}
    dirty = replace(one, recorded=replace(one.recorded, rails_w=less))
    path = "power.units.gpu.idle_capacitance_f"
    result = fit_power(nominal, [dirty], free=(path,))
    assert result[path].status == "at bound"
    assert "lowest value allowed" in next(f.message for f in result.findings if path in f.paths)


def test_offsets_and_air_are_known_only_together() -> None:
    nominal, rng = board(), np.random.default_rng(6)
    zones = ("sensors.zones.cpu.offset_k", "sensors.zones.skin.offset_k")
    parts = ("units.slow", "units.fast", "units.gpu", "domains.big", "memory")
    no_leakage = {f"power.{part}.leakage_w": 0.0 for part in parts}
    nominal = with_values(nominal, no_leakage, std=dict.fromkeys(zones, 1.0))
    result = fit_thermal(nominal, [run(nominal, {}, rng, rows=ROWS)], free=zones)
    assert any("only differences to the room" in f.message for f in result.findings)


def _log(nominal: Board, seen: Recorded, zones_c: Mapping[str, np.ndarray]) -> Trace:  # type: ignore[type-arg]
    columns = {"t_s": seen.t_s} | {f"temps_c.{zone}": v for zone, v in zones_c.items()}
    for d, (name, clock) in enumerate(nominal.clocks.items()):
        columns[f"freq_hz.{name}"] = clock.freqs_hz.array[seen.level[:, d]]
    columns |= {f"busy.{u.name}": seen.busy[:, i] for i, u in enumerate(nominal.unit_list)}
    return Trace(columns)


def test_a_fan_that_starts_unlogged_is_found_and_both_regimes_are_fitted() -> None:
    nominal, rng = board(), np.random.default_rng(7)
    seen = inputs(nominal, 2400, rng)
    fan = np.where(seen.t_s < 1300, 0, 2)
    seen = replace(seen, fan=fan, traffic=np.zeros(2400))
    one = run(nominal, {}, rng, rows=2400, seen=seen)
    logged = Trace(
        dict(_log(nominal, seen, one.recorded.zones_c).columns)
        | {"memory_busy": np.zeros(2400), "power_w.vdd_in": one.recorded.rails_w["vdd_in"]}
    )
    (unlogged,) = check_run(nominal, logged)
    ways = "thermal.cooling[1].conductance_w_per_k"
    nominal = with_values(nominal, {}, std={f"{ways}[{k}]": 0.05 for k in range(3)})
    result = fit_joint(nominal, [unlogged], free=(f"{ways}[0]", f"{ways}[1]", f"{ways}[2]"))
    assert [f.kind for f in result.findings].count("regime") == 1
    assert [regime.fan for regime in result.regimes] == [0, 2]
    assert result.regimes[1].start_s == pytest.approx(1300.0, abs=60.0)
    for path, true in ((f"{ways}[0]", 0.1), (f"{ways}[2]", 0.6)):
        assert result[path].status in ("pinned", "traded off")
        assert abs(result[path].value - true) < 4.0 * result[path].std < 0.8 * true


def test_a_load_that_flickers_is_averaged_and_said() -> None:
    nominal, rng = board(), np.random.default_rng(8)
    seen = inputs(nominal, 600, rng)
    share = np.repeat(rng.uniform(0.2, 0.8, 6), 100)
    mean = seen.busy.copy()
    mean[:, -1] = share
    true = replace(seen, busy=mean)
    one = run(nominal, {}, rng, rows=600, seen=true)
    flicker = seen.busy.copy()
    flicker[:, -1] = rng.random(600) < share
    sampled = replace(one, recorded=replace(one.recorded, busy=flicker))
    path = "power.units.gpu.active_capacitance_f"
    result = fit_power(nominal, [sampled], free=(path,))
    said = [f.message for f in result.findings if f.kind == "unmeasured input"]
    assert any("gpu0 is an instantaneous sample" in words and "20 s" in words for words in said)
    assert result[path].value == pytest.approx(3e-9, rel=0.15)
