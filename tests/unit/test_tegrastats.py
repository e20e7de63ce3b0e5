"""Every dialect of tegrastats says what the board did, and no token of a line is lost."""

import os
from pathlib import Path

import numpy as np
import pytest

from hw_models.tegrastats import (
    Sample,
    dialect_of,
    format_line,
    parse_line,
    read_log,
    read_tegrastats,
    read_tx2_csv,
)
from hw_models.trace import Trace

MB = 2.0**20
LINES = {
    "TX1 R28": "RAM 1002/3994MB (lfb 352x4MB) cpu [17%,off,2%,3%]@408 EMC 1%@408 APE 25 GR3D 3%@76",
    "Nano R32": (
        "RAM 331/3964MB (lfb 758x4MB) SWAP 0/1982MB (cached 0MB) IRAM 0/252kB(lfb 252kB) "
        "CPU [1%@102,2%@102,off,0%@102] EMC_FREQ 3%@204 GR3D_FREQ 0%@76 APE 25 PLL@20.5C CPU@23.5C "
        "PMIC@100C GPU@22.5C AO@27.5C thermal@23C POM_5V_IN 933/933 POM_5V_GPU 0/0 "
        "POM_5V_CPU 84/105"
    ),
    "Nano R32, not root": (
        "RAM 331/3964MB (lfb 758x4MB) SWAP 0/1982MB (cached 0MB) CPU [1%,2%,off,0%] EMC_FREQ 0% "
        "GR3D_FREQ 0% PLL@20.5C"
    ),
    "TX2 early R32": (
        "RAM 1101/7850MB (lfb 451x4MB) CPU [0%@345,off,off,0%@345,1%@345,0%@345] EMC_FREQ 1%@665 "
        "GR3D_FREQ 0%@140 APE 150 MTS fg 0% bg 3% BCPU@30C MCPU@30C GPU@28C PLL@30C Tboard@26C "
        "Tdiode@27C PMIC@100C thermal@29.2C VDD_IN 1383/1383 VDD_CPU 153/191 VDD_GPU 76/76 "
        "VDD_SOC 384/384 VDD_WIFI 364/335 VDD_DDR 192/201"
    ),
    "TX2 R32, Unix seconds": (
        "1739645853.5189943---RAM 1101/7850MB (lfb 451x4MB) SWAP 437/3925MB (cached 19MB) "
        "CPU [1%@2031,0%@2033,0%@2035,0%@2035,0%@2035,0%@2034] EMC_FREQ 0%@1062 GR3D_FREQ 0%@114 "
        "APE 150 MTS fg 0% bg 0% PLL@38.5C MCPU@38.5C PMIC@50C Tboard@35C GPU@38C BCPU@38.5C "
        "thermal@38.3C Tdiode@36.25C VDD_SYS_GPU 152/152 VDD_SYS_SOC 533/533 VDD_4V0_WIFI 0/0 "
        "VDD_IN 1945/1957 VDD_SYS_CPU 228/228 VDD_SYS_DDR 269/275"
    ),
    "oddities": (
        "RAM 4722/7844MB (lfb 1x512kB) CPU [55%@2035,14%@2034] SWAP 149/1024MB (cached 7MB) "
        "EMC_FREQ 2%@1866 GR3D_FREQ 21%@1300 APE 150 MTS fg 0% bg 0% BCPU@-45C GPU@-51.5C PLL@45C "
        "VDD_IN 14025/14416 VDD_WIFI 19/19 NVENC 716 NVDEC 716 VDD_DDR 2702/2702"
    ),
    "AGX Xavier R32": (
        "RAM 2000/15816MB (lfb 2x4MB) CPU [0%@1190,0%@1190] EMC_FREQ 0%@2133 GR3D_FREQ 0%@1377 "
        "APE 150 MTS fg 0% bg 0% AO@26.5C GPU@28C iwlwifi@30C Tdiode@31.25C PMIC@100C AUX@27C "
        "CPU@28C thermal@27.45C Tboard@27C GPU 1155/1155 CPU 385/385 SOC 2502/2502 CV 0/0 "
        "VDDRQ 192/192 SYS5V 2692/2692"
    ),
    "Xavier NX R32": (
        "RAM 2387/7774MB (lfb 961x4MB) CPU [14%@1190,9%@1344] EMC_FREQ 1%@1600 GR3D_FREQ 0%@114 "
        "VIC_FREQ 0%@115 APE 150 AO@31C VDD_IN 14703/14683 VDD_CPU_GPU_CV 410/426 VDD_SOC 1107/1115"
    ),
    "AGX Orin JP5": (
        "01-03-2023 16:07:54 RAM 2257/30536MB (lfb 5392x4MB) SWAP 0/15268MB (cached 0MB) "
        "CPU [0%@729,1%@729,off,off] EMC_FREQ 0%@204 GR3D_FREQ 0%@0 GR3D2_FREQ 4%@306 NVJPG1 729 "
        "VIC_FREQ 115 APE 233 CV0@-256C CPU@41.437C Tboard@29C SOC2@39.062C Tdiode@30.75C "
        "SOC0@39.031C CV1@-256C GPU@-256C tj@41.656C SOC1@38.937C CV2@-256C "
        "VDD_GPU_SOC 2390mW/2390mW VDD_CPU_CV 796mW/796mW VIN_SYS_5V0 3522mW/3522mW NC 0mW/0mW "
        "VDDQ_VDD2_1V8AO 301mW/301mW NC 0mW/0mW"
    ),
    "Orin Nano JP6, not root": (
        "06-14-2026 13:13:57 RAM 5323/7607MB (lfb 1x2MB) SWAP 409/3804MB (cached 0MB) "
        "CPU [0%@1510,3%@1510,12%@1510,0%@1510,100%@1510,7%@1510] GR3D_FREQ 99% cpu@60.156C "
        "soc2@59C soc0@56.75C gpu@61.687C tj@61.687C soc1@58.375C VDD_IN 13443mW/9881mW "
        "VDD_CPU_GPU_CV 5383mW/3755mW VDD_SOC 2759mW/2051mW"
    ),
    "Orin Nano JP6": (
        "06-14-2026 13:13:57 RAM 5323/7607MB (lfb 1x2MB) SWAP 409/3804MB (cached 0MB) "
        "CPU [0%@1728,3%@1728] EMC_FREQ 12%@3199 GR3D_FREQ 58%@[1013] NVDEC off NVJPG off "
        "NVJPG1 off VIC off OFA off APE 200 cpu@55.031C VDD_IN 10815mW/7879mW "
        "VDD_CPU_GPU_CV 5093mW/2900mW VDD_SOC 2852mW/2511mW"
    ),
    "AGX Orin JP7": (
        "07-25-2026 09:08:28 RAM 20642/62817MB (lfb 1x2MB) CPU [23%@2201,2%@2201] EMC_FREQ 3%@3199 "
        "GR3D_FREQ 12%@[1300,1299] NVENC0 off PVA0_FREQ off APE 174 cpu@52.968C/53.5C "
        "soc2@48.406C/48.406C VDD_GPU_SOC 5139mW/5100mW/6000mW VDD_CPU_CV 3268mW/3268mW/3268mW "
        "VIN_SYS_5V0 5500mW/5500mW/5500mW"
    ),
    "Thor": (
        "RAM 3429/125749MB (lfb 120x4MB) CPU [0%,5%,off]@2601 EMC_FREQ @4266 "
        "GR3D_FREQ @[1000,off,1000] gpu@43.5C/50C VIN 28906mW/14453mW/28906mW"
    ),
    "one value per rail": "RAM 1024/7772MB (lfb 256x4MB) CPU [off,3%@729] VDD_IN 3210mW",
    "unknown tokens": (
        "RAM 1/2MB (lfb 1x4MB) CPU [1%@2] FUTURE_TOKEN value=3 x@C (spare) APE ten VDD_IN 8234 5 "
        "GPU@20C GPU@21C"
    ),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_line_is_rebuilt_from_what_it_said(line: str) -> None:
    assert format_line(parse_line(line), dialect_of(line)) == line


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_the_second_line_of_a_shape_says_what_the_first_said(line: str) -> None:
    first = parse_line(line)
    assert [parse_line(line), parse_line(line)] == [first, first]
    assert parse_line(f"  {line}\r\n") == first
    assert parse_line(line.replace(" ", "  ")) == first


def test_the_oldest_dialect_has_one_clock_for_all_cores() -> None:
    sample = parse_line(LINES["TX1 R28"])
    assert sample.cpus == ((0.17, 408e6), (None, None), (0.02, 408e6), (0.03, 408e6))
    assert sample.emc == (0.01, (408e6,))
    assert sample.gpu == (0.03, (76e6,))
    assert sample.clocks["APE"] == (None, (25e6,))
    assert sample.time_s is None


def test_nano_says_memory_loads_clocks_heat_and_power() -> None:
    assert parse_line(LINES["Nano R32"]) == Sample(
        extras={
            "ram_used_bytes": 331 * MB,
            "ram_total_bytes": 3964 * MB,
            "ram_lfb_blocks": 758.0,
            "ram_lfb_block_bytes": 4 * MB,
            "swap_used_bytes": 0.0,
            "swap_total_bytes": 1982 * MB,
            "swap_cached_bytes": 0.0,
            "iram_used_bytes": 0.0,
            "iram_total_bytes": 252 * 1024.0,
            "iram_lfb_bytes": 252 * 1024.0,
        },
        cpus=((0.01, 102e6), (0.02, 102e6), (None, None), (0.0, 102e6)),
        clocks={"EMC_FREQ": (0.03, (204e6,)), "GR3D_FREQ": (0.0, (76e6,)), "APE": (None, (25e6,))},
        temps_c={
            "PLL": 20.5,
            "CPU": 23.5,
            "PMIC": 100.0,
            "GPU": 22.5,
            "AO": 27.5,
            "thermal": 23.0,
        },
        power_w={"POM_5V_IN": 0.933, "POM_5V_GPU": 0.0, "POM_5V_CPU": 0.084},
        power_avg_w={"POM_5V_IN": 0.933, "POM_5V_GPU": 0.0, "POM_5V_CPU": 0.105},
    )


def test_without_root_there_are_loads_but_no_clocks() -> None:
    sample = parse_line(LINES["Nano R32, not root"])
    assert sample.cpus == ((0.01, None), (0.02, None), (None, None), (0.0, None))
    assert sample.gpu == (0.0, ())
    assert sample.emc == (0.0, ())


def test_stamps_are_dates_or_unix_seconds() -> None:
    assert parse_line(LINES["TX2 R32, Unix seconds"]).time_s == 1739645853.5189943
    assert parse_line(LINES["AGX Orin JP5"]).time_s == 1672762074.0


def test_odd_places_and_signs_are_understood() -> None:
    sample = parse_line(LINES["oddities"])
    assert sample.temps_c == {"BCPU": -45.0, "GPU": -51.5, "PLL": 45.0}
    assert sample.extras["ram_lfb_block_bytes"] == 512 * 1024
    assert sample.extras["swap_cached_bytes"] == 7 * MB
    assert sample.clocks["NVENC"] == sample.clocks["NVDEC"] == (None, (716e6,))
    assert list(sample.power_w) == ["VDD_IN", "VDD_WIFI", "VDD_DDR"]
    assert sample.power_avg_w["VDD_IN"] == 14.416
    assert sample.extras["mts_bg"] == 0.0


def test_a_zone_and_a_rail_may_have_one_name() -> None:
    sample = parse_line(LINES["AGX Xavier R32"])
    assert (sample.temps_c["GPU"], sample.power_w["GPU"]) == (28.0, 1.155)
    assert (sample.temps_c["CPU"], sample.power_w["CPU"]) == (28.0, 0.385)
    assert list(sample.power_w) == ["GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"]


def test_an_offline_zone_gives_nothing_and_an_unconnected_rail_stays_raw() -> None:
    sample = parse_line(LINES["AGX Orin JP5"])
    assert [zone for zone, temp_c in sample.temps_c.items() if temp_c is None] == [
        "CV0",
        "CV1",
        "GPU",
        "CV2",
    ]
    assert sample.temps_c["CPU"] == 41.437
    assert sample.unknown == ("NC 0mW/0mW", "NC 0mW/0mW")
    assert sample.clocks["GR3D2_FREQ"] == (0.04, (306e6,))


def test_engines_are_off_or_clocked_and_a_gpu_has_clusters() -> None:
    orin = parse_line(LINES["Orin Nano JP6"])
    assert orin.gpu == (0.58, (1013e6,))
    assert orin.clocks["NVJPG1"] == orin.clocks["VIC"] == (None, ())
    assert orin.clocks["APE"] == (None, (200e6,))
    assert parse_line(LINES["AGX Orin JP7"]).gpu == (0.12, (1300e6, 1299e6))
    thor = parse_line(LINES["Thor"])
    assert thor.gpu == (None, (1e9, None, 1e9))
    assert thor.emc == (None, (4266e6,))


def test_the_newest_dialect_has_two_temperatures_and_three_powers() -> None:
    sample = parse_line(LINES["AGX Orin JP7"])
    assert sample.temps_c == {"cpu": 52.968, "soc2": 48.406}
    assert sample.temps_peak_c == {"cpu": 53.5, "soc2": 48.406}
    assert sample.power_w["VDD_GPU_SOC"] == 5.139
    assert sample.power_avg_w["VDD_GPU_SOC"] == 5.1
    assert sample.power_peak_w["VDD_GPU_SOC"] == 6.0
    assert parse_line(LINES["one value per rail"]).power_w == {"VDD_IN": 3.21}


def test_what_fits_no_form_is_kept_word_by_word() -> None:
    sample = parse_line(LINES["unknown tokens"])
    expected = "FUTURE_TOKEN value=3 x@C (spare) APE ten VDD_IN 8234 5 GPU@21C"
    assert sample.unknown == tuple(expected.split())
    assert sample.temps_c == {"GPU": 20.0}


def test_lines_that_differ_in_digits_alone_are_told_apart() -> None:
    start = "RAM 1/2MB (lfb 1x4MB) CPU [1%@102] "
    for _ in range(3):
        assert parse_line(start + "SOC1@20C SOC2@30C").temps_c == {"SOC1": 20.0, "SOC2": 30.0}
        assert parse_line(start + "SOC2@20C SOC1@30C").temps_c == {"SOC2": 20.0, "SOC1": 30.0}
        assert parse_line(start + "x@C").unknown == ("x@C",)
        assert parse_line(start + "x@5C").temps_c == {"x": 5.0}
        assert parse_line(start + "x@5.25C").temps_c == {"x": 5.25}
        assert parse_line(start + "RAM 1/2").unknown == ("RAM", "1/2")
        assert parse_line(start + "AP 5").unknown == ("AP", "5")
        assert parse_line(start + "A4P5 5").unknown == ("A4P5", "5")
        assert parse_line(start + "gpu@-256C").temps_c == {"gpu": None}
        assert parse_line(start + "gpu@-255C").temps_c == {"gpu": -255.0}


@pytest.mark.parametrize(
    ("garbled", "whole"),
    [("137.-7", "1377"), ("13-77", "1377"), ("1.3.77", "13.77")],
)
def test_a_garbled_line_does_not_decide_how_whole_ones_are_read(garbled: str, whole: str) -> None:
    line = "RAM 1/2MB (lfb 1x4MB) CPU [1%@102] zone{}@20C GR3D_FREQ 5%@{}"
    for _ in range(3):
        spoilt = parse_line(line.format(garbled, garbled))
        assert spoilt.unknown == (f"zone{garbled}@20C", "GR3D_FREQ", f"5%@{garbled}")[1:]
        assert parse_line(line.format(whole, whole)).gpu == (0.05, (float(whole) * 1e6,))


def test_a_core_that_comes_back_is_seen() -> None:
    line = "RAM 1/2MB (lfb 1x4MB) CPU [1%@102,{}]"
    for _ in range(3):
        assert parse_line(line.format("off")).cpus == ((0.01, 102e6), (None, None))
        assert parse_line(line.format("7%@204")).cpus == ((0.01, 102e6), (0.07, 204e6))


@pytest.mark.parametrize(
    "line",
    ["", "hello", "01-03-2023 16:07:54", "cpu@20C", "13-45-2023 01:02:03 RAM 1/2MB CPU [1%]"],
)
def test_a_line_of_something_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"no line of tegrastats|no date") as error:
        parse_line(line)
    assert "\n" not in str(error.value)


def test_a_long_line_of_something_else_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"no line of tegrastats"):
        parse_line("word 5@6C " * 200_000)


def _line(stamp: str, *, temp_c: float = 40.5, extra: str = "") -> str:
    return (
        f"{stamp} RAM 5/10MB (lfb 1x2MB) CPU [10%@1510,off] EMC_FREQ 12%@3199 "
        f"GR3D_FREQ 58%@[1013,1012] VIC off APE 200 gpu@{temp_c}C CV0@-256C "
        f"VDD_IN 5237mW/5000mW{extra}\n"
    )


def _log(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "run.log"
    path.write_text("".join(lines))
    return path


def test_a_log_becomes_columns_under_lower_case_names(tmp_path: Path) -> None:
    path = _log(tmp_path, _line("06-14-2026 13:00:00"), _line("06-14-2026 13:00:01", temp_c=41))
    (trace,) = read_tegrastats(path, board="jetson-orin-nano")
    assert {name: values.tolist()[0] for name, values in trace.columns.items()} == {
        "t_s": 0.0,
        "temps_c.gpu": 40.5,
        "temps_c.cv0": pytest.approx(np.nan, nan_ok=True),
        "power_w.vdd_in": 5.237,
        "freq_hz.cpu0": 1510e6,
        "freq_hz.cpu1": 0.0,
        "freq_hz.emc": 3199e6,
        "freq_hz.gpu": 1013e6,
        "freq_hz.gpu2": 1012e6,
        "busy.cpu0": 0.1,
        "busy.cpu1": 0.0,
        "busy.gpu": 0.58,
        "memory_busy": 0.12,
        "extra.vic_busy": 0.0,
        "extra.vic_hz": 0.0,
        "extra.ape_hz": 200e6,
        "extra.ram_used_bytes": 5 * MB,
        "extra.ram_total_bytes": 10 * MB,
        "extra.ram_lfb_blocks": 1.0,
        "extra.ram_lfb_block_bytes": 2 * MB,
        "extra.power_avg_w.vdd_in": 5.0,
    }
    assert trace[1].temps_c == {"gpu": 41.0, "cv0": None}
    assert trace.meta == {
        "source": "run.log",
        "board": "jetson-orin-nano",
        "skipped_lines": "0",
        "start_unix_s": "1781442000.0",
    }


def test_a_gap_or_a_clock_that_jumps_back_ends_a_session(tmp_path: Path) -> None:
    seconds = ("00", "01", "11", "22", "23", "20", "21")
    path = _log(tmp_path, *(_line(f"06-14-2026 13:00:{second}") for second in seconds))
    times_s = [trace.columns["t_s"].tolist() for trace in read_tegrastats(path)]
    assert times_s == [[0.0, 1.0, 11.0], [0.0, 1.0], [0.0, 1.0]]


def test_slow_logs_are_one_session_when_their_period_is_given(tmp_path: Path) -> None:
    path = _log(tmp_path, _line("06-14-2026 13:00:00"), _line("06-14-2026 13:01:00"))
    assert len(read_tegrastats(path)) == 2
    assert [trace.duration_s for trace in read_tegrastats(path, period_s=60.0)] == [60.0]


def test_lines_with_one_stamp_share_its_second(tmp_path: Path) -> None:
    seconds = ("00", "00", "01", "03", "03", "03", "03")
    path = _log(tmp_path, *(_line(f"06-14-2026 13:00:{second}") for second in seconds))
    (trace,) = read_tegrastats(path)
    assert trace.columns["t_s"].tolist() == [0.0, 0.5, 1.0, 3.0, 3.25, 3.5, 3.75]


def test_lines_without_stamps_are_one_period_apart(tmp_path: Path) -> None:
    path = _log(tmp_path, _line(""), _line(""), _line(""))
    (trace,) = read_tegrastats(path, period_s=0.5)
    assert trace.columns["t_s"].tolist() == [0.0, 0.5, 1.0]
    assert "start_unix_s" not in trace.meta
    with pytest.raises(ValueError, match=r"period_s is 0\.0; expected"):
        read_tegrastats(path, period_s=0.0)


def test_other_lines_are_counted_and_unknown_tokens_are_a_column(tmp_path: Path) -> None:
    stamps = ("06-14-2026 13:00:00", "06-14-2026 13:00:01")
    path = _log(
        tmp_path,
        "tegrastats started\n\n",
        _line(stamps[0], extra=" NC 0mW/0mW NEW x"),
        "Killed\n",
        _line(stamps[1]),
    )
    (trace,) = read_tegrastats(path)
    assert trace.meta["skipped_lines"] == "2"
    assert trace.columns["extra.unknown"].tolist() == ["NC 0mW/0mW NEW x", None]


def test_zones_that_differ_in_case_only_are_one(tmp_path: Path) -> None:
    start = "RAM 1/2MB (lfb 1x4MB) CPU [1%@102] "
    path = _log(tmp_path, start + "CPU@20C\n", start + "cpu@21C\n")
    (trace,) = read_tegrastats(path)
    assert trace.columns["temps_c.cpu"].tolist() == [20.0, 21.0]


@pytest.mark.parametrize("content", ["", "\n\n", "hello\nworld\n"])
def test_a_log_without_a_line_of_tegrastats_is_refused(tmp_path: Path, content: str) -> None:
    for read in (read_tegrastats, read_log):
        with pytest.raises(ValueError, match=r"run\.log: .*tegrastats") as error:
            read(_log(tmp_path, content))
        assert "\n" not in str(error.value)


TX2_CSV = (
    "t_s,t,ram_mb,cpu_util,cpu_on,cpu_mhz,emc_util,emc_mhz,gr3d_util,gr3d_mhz,T_GPU,T_Tdiode,"
    "P_VDD_SYS_GPU,P_VDD_IN\n"
    "0.0,1739645853.5,1101,25,6,2035,3,1062,99,114,38.0,36.25,152,1983\n"
    "1.008,1739645854.5,1101,50,6,2035,3,1866,0,1300,38.5,36.25,152,1945\n"
)


def test_the_tx2_table_is_in_si_units_under_the_names_of_tegrastats(tmp_path: Path) -> None:
    path = tmp_path / "tx2.csv"
    path.write_text(TX2_CSV)
    trace = read_tx2_csv(path, board="jetson-tx2")
    assert {name: values[0] for name, values in trace.columns.items()} == {
        "t_s": 0.0,
        "extra.unix_s": 1739645853.5,
        "extra.ram_used_bytes": 1101 * MB,
        "busy.cpu": 0.25,
        "extra.cpu_on": 6.0,
        "freq_hz.cpu": 2035e6,
        "memory_busy": 0.03,
        "freq_hz.emc": 1062e6,
        "busy.gpu": 0.99,
        "freq_hz.gpu": 114e6,
        "temps_c.gpu": 38.0,
        "temps_c.tdiode": 36.25,
        "power_w.vdd_sys_gpu": 0.152,
        "power_w.vdd_in": 1.983,
    }
    assert trace.meta == {"source": "tx2.csv", "board": "jetson-tx2"}
    path.write_text(TX2_CSV.replace("1945", "much"))
    with pytest.raises(ValueError, match=r"tx2\.csv: column P_VDD_IN, row 1: 'much' is no float"):
        read_tx2_csv(path)


def test_a_recording_is_known_by_its_content(tmp_path: Path) -> None:
    trace = Trace({"t_s": [0.0, 1.0], "busy.gpu": [0.25, 0.5]}, {"board": "x"})
    log = tmp_path / "recording.dat"
    for write in (trace.to_parquet, trace.to_csv):
        write(log)
        assert read_log(log) == [trace]
    log.write_text("t_s,busy.gpu\n0,0.25\n1,0.5\n")
    assert read_log(log) == [Trace(trace.columns)]
    log.write_text(TX2_CSV)
    assert read_log(log) == [read_tx2_csv(log)]
    log.write_text(_line("06-14-2026 13:00:00"))
    assert read_log(log) == read_tegrastats(log)
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "nothing")


@pytest.fixture
def data() -> Path:
    if "EDGETWIN_DATA" not in os.environ:
        pytest.skip("EDGETWIN_DATA does not say where the measured data are")
    return Path(os.environ["EDGETWIN_DATA"])


@pytest.mark.parametrize(("name", "lines"), [("msweep09", [376]), ("msweep01", [243, 1553])])
def test_every_token_of_a_real_log_is_kept(data: Path, name: str, lines: list[int]) -> None:
    path = data / "orin_nano" / f"{name}.log"
    traces = read_log(path)
    assert [len(trace) for trace in traces] == lines
    assert all(trace.meta["skipped_lines"] == "0" for trace in traces)
    for line in path.read_text().splitlines():
        assert format_line(parse_line(line), dialect_of(line)) == line


def test_the_recorded_tx2_run_is_read_whole(data: Path) -> None:
    (trace,) = read_log(data / "tx2" / "tx2_trace2_vgg19_emc_governor.csv")
    assert len(trace) == 6344
    assert trace[0].power_w is not None
    assert trace[0].power_w["vdd_in"] == 1.983
    assert sorted(trace[0].temps_c) == sorted(
        ["gpu", "mcpu", "bcpu", "pll", "tboard", "tdiode", "pmic", "thermal"]
    )
