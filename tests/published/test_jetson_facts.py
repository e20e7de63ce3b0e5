"""Published facts of the Jetson boards, each with where it was published."""

import numpy as np
import pytest

from hw_models.board import Board, load_board
from hw_models.board_schema import Trip


def freqs_mhz(board: Board, domain: str) -> list[float]:
    return list(np.round(board.domain(domain).freqs_hz.array / 1e6, 6))


def trips(board: Board, kind: str) -> list[Trip]:
    return [t for t in board.limits.trips if t.kind == kind]


def ceilings_mhz(board: Board, mode: str) -> dict[str, float]:
    return {d: hz / 1e6 for d, hz in board.mode(mode).max_freq_hz.items()}


def test_tx2_gpu_has_thirteen_clocks() -> None:
    published = [114.75, 216.75, 318.75, 420.75, 522.75, 624.75, 726.75, 854.25, 930.75, 1032.75,
                 1122, 1236.75, 1300.5]  # fmt: skip
    for name in ("jetson-tx2", "jetson-tx2-nx"):  # thynics/jetson_dvfs@7ac3f7cb
        assert freqs_mhz(load_board(name), "gpu") == published


def test_tx2_memory_runs_at_the_four_clocks_of_the_published_campaign() -> None:
    published = {1062.4, 1331.2, 1600.0, 1866.0}  # thynics/jetson_dvfs@7ac3f7cb
    assert published <= set(freqs_mhz(load_board("jetson-tx2"), "emc"))


def test_tx2_cores_0_3_4_5_are_a57_and_1_2_are_denver() -> None:
    for name in ("jetson-tx2", "jetson-tx2-nx"):  # LineageOS quill nvpmodel configuration
        board = load_board(name)
        assert board.units["a57"].members == ("cpu0", "cpu3", "cpu4", "cpu5")
        assert board.units["denver"].members == ("cpu1", "cpu2")


def test_tx2_rails_are_those_of_tegrastats() -> None:
    board = load_board("jetson-tx2")  # tegrastats line of a TX2 under r32
    line = "VDD_SYS_GPU VDD_SYS_SOC VDD_4V0_WIFI VDD_IN VDD_SYS_CPU VDD_SYS_DDR"
    assert set(board.sensors.rails) == set(line.lower().split())
    assert board.sensors.input_rail == "vdd_in"


def test_input_rail_covers_what_every_other_rail_covers() -> None:
    for name in ("jetson-tx2", "jetson-tx2-nx", "jetson-nano", "jetson-orin-nano"):
        sensors = load_board(name).sensors
        total = set(sensors.rails[str(sensors.input_rail)].covers)
        for rail in sensors.rails.values():
            assert total == {"everything"} or set(rail.covers) <= total


def test_tx2_goes_off_at_101_degrees() -> None:
    for name in ("jetson-tx2", "jetson-tx2-nx"):  # torvalds/linux@023265ed tegra186.dtsi
        off = trips(load_board(name), "shutdown")
        assert {t.zone for t in off} >= {"gpu", "bcpu", "mcpu", "pll"}
        assert {t.temp_c.value for t in off} == {101.0}


def test_tx2_modes_are_those_of_nvpmodel() -> None:
    board = load_board("jetson-tx2")  # LineageOS quill nvpmodel configuration
    ids = {n: m.id for n, m in board.modes.items()}
    assert ids == {
        "MAXN": 0, "MAXQ": 1, "MAXP_CORE_ALL": 2, "MAXP_CORE_ARM": 3, "MAXP_CORE_DENVER": 4,
    }  # fmt: skip
    assert board.mode("MAXN").max_freq_hz == {}
    assert board.mode("MAXP_CORE_ARM").default
    assert ceilings_mhz(board, "MAXQ")["gpu"] == 854.25
    assert ceilings_mhz(board, "MAXQ")["emc"] == 1331.2
    assert ceilings_mhz(board, "MAXP_CORE_ALL")["gpu"] == 1122.0


def test_tx2_nx_has_no_denver_mode_and_keeps_its_memory_fast() -> None:
    board = load_board("jetson-tx2-nx")  # LineageOS quill nvpmodel_t186_p3636.conf@aeeb4b81
    assert "MAXP_CORE_DENVER" not in board.modes
    assert ceilings_mhz(board, "MAXQ")["emc"] == 1600.0
    assert board.mode("MAXP_CORE_ARM").default


def test_nano_gpu_has_twelve_steps_of_76_8_mhz() -> None:
    published = [round(76.8 * i, 1) for i in range(1, 13)]  # JNano-CPU-CoarseGrain@2316cf47
    assert freqs_mhz(load_board("jetson-nano"), "gpu") == published


def test_nano_cpu_runs_from_102_to_1479_mhz() -> None:
    clocks = freqs_mhz(load_board("jetson-nano"), "cpu")  # tegrastats line; nvpmodel
    assert (clocks[0], clocks[-1], len(clocks)) == (102.0, 1479.0, 15)


def test_nano_gpu_voltage_follows_the_tables_of_the_vendor_kernel() -> None:
    # OE4T/linux-tegra-4.9@03bae162 tegra210-dvfs.c, formula of cvb.c@242eec0f; bin 2: 818-1150 mV
    speedo, temp = 2000 / 100, 50 / 10
    c0 = 814294 + 41891.5 * np.arange(12)
    at_speedo = c0 + 8144 * speedo - 940 * speedo**2
    with_heat = at_speedo + temp * (808 * speedo - 21583 + 226 * temp)
    published = np.clip(with_heat / 1e6, 0.818, 1.150)
    loaded = load_board("jetson-nano").domain("gpu").volts_v.array
    np.testing.assert_allclose(loaded, published, atol=1e-3)


def test_nano_cpu_voltage_follows_the_tables_of_the_vendor_kernel() -> None:
    # the same files: coefficients at 1224, 1326, 1479 MHz; bin 9: 900-1162 mV
    speedo = 2000 / 100
    rows = {1224: (1076868, 8356, -727), 1326: (2208191, -84659, 1240),
            1479: (2519460, -105063, 1611)}  # fmt: skip
    board = load_board("jetson-nano")
    volts_mv = board.domain("cpu").volts_v.array * 1e3
    loaded = dict(zip(freqs_mhz(board, "cpu"), volts_mv, strict=True))
    for mhz, (c0, c1, c2) in rows.items():
        published_mv = (c0 + c1 * speedo + c2 * speedo**2) / 1e3
        assert loaded[mhz] == pytest.approx(published_mv, abs=1.0)
    assert min(loaded.values()) == 900.0


def test_nano_five_watt_mode_runs_where_a_board_was_seen_to_run() -> None:
    board = load_board("jetson-nano")  # nvpmodel asks 918 and 640 MHz; Seeed article: 921.6, 614.4
    assert ceilings_mhz(board, "5W") == {"cpu": 921.6, "gpu": 614.4, "emc": 1600.0}
    assert board.mode("5W").online == ("cpu0", "cpu1", "gpu")
    assert board.mode("MAXN").default


def test_nano_rails_sit_on_6_0040_in_this_order() -> None:
    board = load_board("jetson-nano")  # geardvfs/GearDVFS@3c509907 nano.ini
    assert list(board.sensors.rails) == ["pom_5v_in", "pom_5v_gpu", "pom_5v_cpu"]
    for i, rail in enumerate(board.sensors.rails):
        file = board.paths[f"{rail}.power.jetpack4"].pattern
        assert "/6-0040/" in file and file.endswith(f"in_power{i}_input")


def test_nano_leaves_out_the_dummy_zone() -> None:
    zones = set(load_board("jetson-nano").sensors.zones)  # tegrastats line under r32
    assert zones == {"ao", "cpu", "gpu", "pll", "thermal"}


def test_orin_nano_trips_and_fan_are_those_of_the_device_tree() -> None:
    board = load_board("jetson-orin-nano")  # torvalds/linux@0604aa87 tegra234-p3767.dtsi
    assert board.limits.fan is not None and board.limits.fan.pwm == (0, 88, 187, 255)
    fan = {t.temp_c.value: (t.fan_level, t.hysteresis_k.value) for t in trips(board, "fan")}
    assert fan == {50.0: (1, 4.0), 65.0: (2, 4.0), 80.0: (3, 4.0)}
    (passive,), (critical,) = trips(board, "throttle"), trips(board, "shutdown")
    assert (passive.temp_c.value, passive.hysteresis_k.value) == (95.0, 2.0)
    assert critical.temp_c.value == 104.5


def test_orin_nano_modes_are_those_of_jetpack_6() -> None:
    board = load_board("jetson-orin-nano")  # zainmk/jetson-nano-benchmarks-lab@0ff0be83
    ids = {n: m.id for n, m in board.modes.items()}
    assert ids == {"15W": 0, "25W": 1, "MAXN_SUPER": 2, "7W": 3}
    assert board.mode("25W").default
    assert ceilings_mhz(board, "15W")["gpu"] == 612.0
    assert ceilings_mhz(board, "25W") == {
        "cluster0": 1344.0, "cluster1": 1344.0, "gpu": 918.0, "emc": 3199.0,
    }  # fmt: skip
    assert board.mode("7W").reboot
    assert sum(u.startswith("cpu") for u in board.mode("7W").online or ()) == 4


def test_orin_nano_rails_are_read_in_volts_and_amperes_only() -> None:
    board = load_board("jetson-orin-nano")  # ark_jetson_kernel@451d1c0b docs/power.md
    assert list(board.sensors.rails) == ["vdd_in", "vdd_cpu_gpu_cv", "vdd_soc"]
    for i, rail in enumerate(board.sensors.rails, 1):
        assert board.paths[f"{rail}.voltage.jetpack5"].pattern.endswith(f"in{i}_input")
        assert f"{rail}.power.jetpack5" not in board.paths


def test_bus_width_and_clock_give_the_advertised_bandwidth() -> None:
    # NVIDIA data sheets: Nano 25.6 GB/s at 1600 MHz, Orin Nano 68 at 2133 and 102 at 3199 MHz
    published = {("jetson-nano", 1600e6): 25.6e9, ("jetson-orin-nano", 2133e6): 68e9,
                 ("jetson-orin-nano", 3199e6): 102e9}  # fmt: skip
    for (name, hz), bytes_per_second in published.items():
        per_cycle = load_board(name).performance.bandwidth_bytes_per_cycle.value
        assert hz * per_cycle == pytest.approx(bytes_per_second, rel=0.01)


def test_every_power_mode_stops_at_an_operating_point() -> None:
    for name in ("jetson-tx2", "jetson-tx2-nx", "jetson-nano", "jetson-orin-nano"):
        board = load_board(name)
        for mode in board.modes.values():
            for domain, hz in mode.max_freq_hz.items():
                assert hz in board.domain(domain).freqs_hz.value
