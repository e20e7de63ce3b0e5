"""Helpers of the recipes: data by hash, blocks, voltage ramps, logs of unlike form, reports."""

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration import data, report
from calibration.blocks import part, splits, with_settled_fan
from calibration.build import BOARDS, CALIBRATION, digits, recipes, start_board, write
from calibration.odroid_xu3 import logs
from calibration.ramp import ramp
from hw_models.board import load_board
from hw_models.fit import Run, check_run
from hw_models.fit.seen_loads import with_seen_loads
from hw_models.log_work import LOOPS, WORK
from hw_models.openloop import rails_at_temperatures
from hw_models.parameters import with_values
from hw_models.trace import Trace

FITTED = ("hikey960", "hikey970", "jetson_orin_nano", "jetson_tx2", "odroid_xu3")


def orin_run(n: int = 120) -> Run:
    """An Orin Nano at rest for half the time, then with its GPU busy."""
    working = (np.arange(n) >= n // 2).astype(float)
    columns = {
        "t_s": np.arange(float(n)),
        "busy.gpu": working,
        "busy.cpu": np.full(n, 0.1),
        "temps_c.gpu": np.full(n, 50.0),
        "power_w.vdd_in": 5.0 + 8.0 * working,
        "power_w.vdd_cpu_gpu_cv": 1.0 + 4.0 * working,
        "power_w.vdd_soc": 1.4 + 1.3 * working,
    }
    (run,) = check_run(start_board("jetson_orin_nano"), Trace(columns), name="made")
    return run


def test_a_file_is_found_by_its_bytes_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"t_s\n0\n"
    entry = data.DataFile(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    made = data.data_set("hikey960").model_copy(update={"files": {"a/b.csv": entry}})
    monkeypatch.setattr(data, "data_sets", lambda: {"made": made})
    elsewhere = tmp_path / "other" / "name.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(content)
    assert data.found("made", tmp_path) == {"a/b.csv": elsewhere}
    elsewhere.write_bytes(b"t_s\n1\n")
    with pytest.raises(FileNotFoundError, match=r"a/b\.csv is not there .* get it from ARM-softw"):
        data.found("made", tmp_path)


def test_without_a_folder_the_data_are_named_with_their_origin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EDGETWIN_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"EDGETWIN_DATA is not set.*thynics/jetson_dvfs@"):
        data.found("tx2-trace")
    with pytest.raises(KeyError, match=r"no data set named 'tx3-trace'\. Did you mean"):
        data.found("tx3-trace")


def test_every_data_set_names_commit_licence_and_split() -> None:
    for found in data.data_sets().values():
        assert "@" in found.where
        assert found.licence and found.runs and found.form


@pytest.mark.parametrize("recipe", FITTED)
def test_a_start_file_holds_nothing_fitted(recipe: str) -> None:
    kinds = {source.kind for source in start_board(recipe).sources.values()}
    assert "fit" not in kinds


@pytest.mark.parametrize("recipe", FITTED)
def test_a_recipe_keeps_what_documents_say(recipe: str) -> None:
    start, shipped = start_board(recipe), load_board(recipe.replace("_", "-"))
    assert start.clocks.keys() == shipped.clocks.keys()
    for name, clock in start.clocks.items():
        assert shipped.clocks[name].freqs_hz == clock.freqs_hz
    assert (start.limits.trips, start.modes, start.paths) == (
        shipped.limits.trips, shipped.modes, shipped.paths,
    )  # fmt: skip


def test_every_start_file_has_a_recipe() -> None:
    assert set(recipes()) == set(FITTED)


def test_numbers_are_kept_to_so_many_digits() -> None:
    assert digits(1.23456789e-10, 6) == 1.23457e-10
    assert digits(-0.0012345, 3) == -0.00123
    assert digits(0.0, 3) == 0.0


def test_a_ramp_is_found_from_its_voltages() -> None:
    freqs_hz = np.linspace(0.7e9, 1.3e9, 7)
    volts_v = 0.8 + 0.5e-9 * np.maximum(freqs_hz - 0.85e9, 0.0)
    knee_hz, slope = ramp(freqs_hz, volts_v, np.full(7, 0.01), 0.8)
    assert knee_hz == pytest.approx(0.85e9, rel=0.01)
    assert slope == pytest.approx(0.5e-9, rel=0.02)


def test_a_voltage_that_nobody_saw_does_not_bend_the_ramp() -> None:
    freqs_hz = np.linspace(0.7e9, 1.3e9, 7)
    volts_v = 0.8 + 0.5e-9 * np.maximum(freqs_hz - 0.85e9, 0.0)
    std_v = np.full(7, 0.002)
    volts_v[4], std_v[4] = 1.2, 0.2
    assert ramp(freqs_hz, volts_v, std_v, 0.8)[1] == pytest.approx(0.5e-9, rel=0.03)


def test_blocks_are_held_out_with_gaps_and_every_reading_once() -> None:
    run = with_settled_fan(start_board("jetson_orin_nano"), orin_run(2000))
    cases = splits(run, block_s=640.0, gap_s=120.0)
    held = np.concatenate([case.held_out.recorded.t_s for case in cases])
    assert len(cases) == 3
    assert np.array_equal(held, run.recorded.t_s[run.recorded.t_s < 1920.0])
    for case in cases:
        test_s = case.held_out.recorded.t_s
        for kept in case.fitted:
            apart_s = np.abs(kept.recorded.t_s[:, None] - test_s[None, :]).min()
            assert apart_s > 119.0


def test_a_part_of_a_run_keeps_its_readings() -> None:
    run = with_settled_fan(start_board("jetson_orin_nano"), orin_run())
    rows = run.recorded.t_s >= 60.0
    cut = part(run, rows, "end")
    assert cut.name == "made-end"
    assert len(cut.recorded.t_s) == 60
    assert np.array_equal(cut.recorded.zones_c["gpu"], run.recorded.zones_c["gpu"][rows])


def test_rails_show_the_loads_that_drew_them() -> None:
    board, run = load_board("jetson-orin-nano"), orin_run()
    at = [unit.name for unit in board.unit_list].index("gpu")
    truth = replace(run.recorded, traffic=np.where(run.recorded.busy[:, at] > 0, 3e10, 0.0))
    truth.busy[:, at] *= 0.7
    nodes_c = np.full((120, len(board.thermal.nodes)), 50.0)
    rails_w = rails_at_temperatures(board.lower(), truth, nodes_c)
    rails = {name: rails_w[:, r] for r, name in enumerate(board.sensors.rails)}
    logged = truth.busy.copy()
    logged[60:, at] = 0.98
    seen = replace(truth, busy=logged, traffic=np.zeros(120), rails_w=rails)
    found = with_seen_loads(board, replace(run, recorded=seen)).recorded
    np.testing.assert_allclose(found.busy[60:, at], 0.7, atol=0.02)
    np.testing.assert_allclose(found.traffic[60:], 3e10, rtol=0.05)


def test_loads_of_a_unit_that_stalls_are_not_guessed() -> None:
    board = load_board("jetson-tx2")
    with pytest.raises(ValueError, match="gpu of jetson-tx2 draws by load times traffic"):
        with_seen_loads(board, replace(orin_run(), recorded=_as_tx2()))


def _as_tx2() -> object:
    columns = {
        "t_s": np.arange(30.0),
        "busy.gpu": np.ones(30),
        "memory_busy": np.full(30, 0.3),
        "power_w.vdd_in": np.full(30, 9.0),
        "freq_hz.emc": np.full(30, 1600e6),
    }
    (run,) = check_run(load_board("jetson-tx2"), Trace(columns, {WORK: LOOPS}))
    return run.recorded


def test_a_busy_gpu_that_moves_less_draws_less() -> None:
    board = load_board("jetson-tx2")
    at = list(board.sensors.rails).index("vdd_sys_gpu")
    seen = _as_tx2()
    nodes_c = np.full((30, len(board.thermal.nodes)), 45.0)
    rich = rails_at_temperatures(board.lower(), seen, nodes_c)[0, at]  # type: ignore[arg-type]
    poor = rails_at_temperatures(
        board.lower(),
        replace(seen, traffic=np.zeros(30)),
        nodes_c,  # type: ignore[type-var]
    )[0, at]
    path = "power.units.gpu.byte_capacitance_f"
    other = with_values(board, {path: board.power.units["gpu"].byte_capacitance_f.value / 2})  # type: ignore[union-attr]
    less = rails_at_temperatures(other.lower(), seen, nodes_c)[0, at]  # type: ignore[arg-type]
    assert poor < less < rich
    assert less - poor == pytest.approx((rich - poor) / 2)


def test_readings_of_one_second_share_it() -> None:
    assert logs.spread(np.array([5.0, 5.0, 5.0, 5.0, 6.0, 6.0, 8.0])).tolist() == [
        0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 3.0,
    ]  # fmt: skip


def test_a_header_with_tabs_and_a_stray_comma_is_read(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("time\tw_big\tfreq_mem,\tvolts\n1.0\t0.5\t8e8\t1.1\n1.2\t0.6\t8e8\t\n")
    columns = logs.read(file)
    assert list(columns) == ["time", "w_big", "freq_mem", "volts"]
    assert columns["w_big"].tolist() == [0.5, 0.6]
    assert np.isnan(columns["volts"][1])


def test_a_table_shows_four_digits_and_a_dash_for_nothing() -> None:
    assert report.table(["a", "b"], [[1.23456, None]]) == "| a | b |\n| --- | --- |\n| 1.235 | - |"


@pytest.mark.parametrize(
    "recipe",
    [*FITTED[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in FITTED[2:])],
)
def test_a_recipe_reproduces_its_files(recipe: str, tmp_path: Path) -> None:
    if not os.environ.get("EDGETWIN_DATA"):
        pytest.skip("EDGETWIN_DATA names no folder of measured data")
    try:
        result = recipes()[recipe](None)
    except FileNotFoundError as absent:
        pytest.skip(str(absent))
    shipped = BOARDS / recipe, BOARDS / recipe, CALIBRATION / recipe
    for path, folder in zip(write(recipe, result, tmp_path), shipped, strict=True):
        ours, theirs = (read(one) for one in (path, folder / path.name))
        assert ours[0] == theirs[0]
        assert ours[1] == pytest.approx(theirs[1], rel=1e-9)


def read(path: Path) -> tuple[str, list[float]]:
    """The text of a file, and apart from it the errors of a certificate, found in all digits.

    The last of them are a processor's order of additions, and the certificate's id is a hash of
    them: it is left out.
    """
    text = path.read_text("utf-8")
    if path.name != "certificate.json":
        return text, []
    number = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
    text = re.sub(r'("id": "[\w-]+)-[0-9a-f]{12}"', r"\1", text)
    before, errors, after = re.split(r'(?="errors")|(?="blocks")', text)
    found = [float(one) for one in number.findall(errors)]
    return before + number.sub("", errors) + after, found
