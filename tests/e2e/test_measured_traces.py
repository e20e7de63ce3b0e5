"""Logs of real boards go through replay from end to end; they are not part of the repository."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edgetwin.cli import main

TX2 = "tx2/tx2_trace2_vgg19_emc_governor.csv"
ORIN_NANO = ("orin_nano/msweep01.log", "orin_nano/msweep09.log", "orin_nano/t0a.log")


def result_of(name: str, board: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    data = os.environ.get("EDGETWIN_DATA")
    if not data:
        pytest.skip("EDGETWIN_DATA names no folder of measured logs")
    if not (Path(data) / name).is_file():
        pytest.skip(f"EDGETWIN_DATA has no {name}")
    with pytest.raises(SystemExit) as left:
        main(["replay", str(Path(data) / name), "--board", board, "--json"])
    assert not left.value.code
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_a_tx2_recording_is_replayed_rail_by_rail_and_zone_by_zone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = result_of(TX2, "jetson-tx2", capsys)
    signals = result["signals"]
    assert {figures["n"] for figures in signals.values()} == {6344}
    assert len([name for name in signals if name.startswith("power_w.")]) == 6
    assert {"temps_c.gpu", "temps_c.thermal"} < set(signals)
    # The board file was fitted to this trace, with the ambient apart; replay assumes the file's.
    assert signals["power_w.vdd_in"]["mape"] < 0.12
    assert abs(signals["power_w.vdd_in"]["nmbe"]) < 0.03
    assert result["blocks"]["signals"]["power_w.vdd_in"]["mape"] < 0.05
    assert all(f["mae"] < 3.0 for name, f in signals.items() if name.startswith("temps_c."))
    assert any("temps_c.pmic" in note for note in result["notes"])


@pytest.mark.parametrize("name", ORIN_NANO)
def test_orin_nano_logs_are_replayed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = result_of(name, "jetson-orin-nano", capsys)
    signals = result["signals"]
    assert {"power_w.vdd_in", "power_w.vdd_cpu_gpu_cv", "power_w.vdd_soc"} < set(signals)
    assert {"temps_c.cpu", "temps_c.gpu", "temps_c.tj"} < set(signals)
    assert signals["power_w.vdd_in"]["mape"] < 0.25
    assert all(f["mae"] < 5.0 for name, f in signals.items() if name.startswith("temps_c."))


def test_a_log_with_two_sessions_is_driven_twice(capsys: pytest.CaptureFixture[str]) -> None:
    result = result_of("orin_nano/msweep01.log", "jetson-orin-nano", capsys)
    assert result["sessions"] == 2
    assert result["signals"]["power_w.vdd_in"]["n"] == 1796
