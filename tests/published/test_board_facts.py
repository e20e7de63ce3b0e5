"""Published facts of the boards other than Jetsons, each with where it was published."""

from typing import Any

import numpy as np
import pytest

from hw_models.board import Board, load_board
from hw_models.board_schema import Trip
from hw_models.power import leakage_w, powers_w
from hw_models.thermal import Network, leakage_law


def freqs_mhz(board: Board, domain: str) -> list[float]:
    return list(np.round(board.domain(domain).freqs_hz.array / 1e6, 6))


def volts_mv(board: Board, domain: str) -> list[float]:
    return list(np.round(board.domain(domain).volts_v.array * 1e3, 6))


def table(board: Board, domain: str) -> list[tuple[float, float]]:
    return list(zip(freqs_mhz(board, domain), volts_mv(board, domain), strict=True))


def trips(board: Board, kind: str) -> list[Trip]:
    return [t for t in board.limits.trips if t.kind == kind]


# yuweieric/linux@22400906 arch/arm64/boot/dts/hisilicon/kirin970*.dtsi
KIRIN970: dict[str, list[tuple[float, float]]] = {
    "little": [(509, 680), (1018, 754), (1210, 850), (1402, 850), (1556, 950), (1690, 950),
               (1844, 1050)],
    "big": [(682, 680), (1018, 780), (1210, 780), (1364, 780), (1498, 900), (1652, 900),
            (1863, 900), (2093, 950), (2362, 1050)],
    "gpu": [(103.75, 550), (150.909, 650), (237.143, 650), (332, 650), (415, 750), (550, 750),
            (667, 850), (767, 950)],
}  # fmt: skip
# torvalds/linux@05909cd9 arch/arm64/boot/dts/hisilicon/hi3660.dtsi;
# GPU: yuweieric/linux@6ebc1c7a arch/arm64/boot/dts/hisilicon/hi3660-gpu.dtsi
KIRIN960: dict[str, list[tuple[float, float]]] = {
    "little": [(533, 700), (999, 800), (1402, 900), (1709, 1000), (1844, 1100)],
    "big": [(903, 700), (1421, 800), (1805, 900), (2112, 1000), (2362, 1100)],
    "gpu": [(178, 650), (400, 700), (533, 800), (807, 900), (960, 1000), (1037, 1100)],
}
# torvalds/linux@00ef63ec exynos5800.dtsi, @3a2fb1a9 exynos5420.dtsi, @b39955e3 odroid-core.dtsi
EXYNOS5422: dict[str, list[tuple[float, float]]] = {
    "little": [(200, 900), (300, 900), (400, 1000), (500, 1000), (600, 1000), (700, 1000),
               (800, 1100), (900, 1100), (1000, 1100), (1100, 1250), (1200, 1250), (1300, 1250),
               (1400, 1275)],
    "big": [(200, 900), (300, 900), (400, 900), (500, 900), (600, 900), (700, 900), (800, 900),
            (900, 1000), (1000, 1000), (1100, 1000), (1200, 1000), (1300, 1100), (1400, 1100),
            (1500, 1100), (1600, 1250), (1700, 1250), (1800, 1237.5), (1900, 1262.5),
            (2000, 1312.5)],
    "gpu": [(177, 812.5), (266, 862.5), (350, 912.5), (420, 962.5), (480, 1000), (543, 1037.5),
            (600, 1150)],
    "mem": [(165, 875), (206, 875), (275, 875), (413, 887.5), (543, 937.5), (633, 1012.5),
            (728, 1037.5), (825, 1050)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "tables"),
    [("hikey970", KIRIN970), ("hikey960", KIRIN960), ("odroid-xu3", EXYNOS5422)],
)
def test_operating_points_are_those_of_the_device_tree(name: str, tables: dict[str, Any]) -> None:
    board = load_board(name)
    for domain, published in tables.items():
        assert table(board, domain) == published


def test_big_cluster_of_kirin_970_needs_two_milliseconds_to_reach_1210_mhz() -> None:
    big = load_board("hikey970").domain("big")  # yuweieric/linux@22400906
    by_clock = dict(zip(big.freqs_hz.value, big.transition_s.value, strict=True))
    assert by_clock.pop(1210e6) == 2e-3
    assert set(by_clock.values()) == {300e-6}


def test_kirin_970_cores_agree_with_their_dynamic_power_coefficients() -> None:
    # yuweieric/linux@22400906: 88 and 342 uW/MHz/V^2. On a Kirin 960 the A53's was too low by 1.27
    # to 1.68 (AnandTech 11088/4: 1 and 4 cores 0.654 and 1.435 W, modelled 0.39 and 1.13).
    active_f = {k: p.active_capacitance_f for k, p in load_board("hikey970").power.units.items()}
    assert active_f["a73"].value == pytest.approx(342e-12, abs=active_f["a73"].std)
    assert 1.27 * 88e-12 < active_f["a53"].value < 1.68 * 88e-12


def test_kirin_970_busy_clusters_draw_what_the_scheduler_is_told() -> None:
    # yuweieric/linux@625c810c kirin970-sched-energy.dtsi, core and cluster busy cost read as mW:
    # 4 busy cores at the top clocks. AnandTech's phone says the same kind of table is no too low.
    cost_w = {("a53", "little"): 4 * 0.283 + 0.055, ("a73", "big"): 4 * 1.105 + 0.218}
    board = load_board("hikey970")
    for (group, domain), watts in cost_w.items():
        top = len(board.domain(domain).freqs_hz.value) - 1
        assert cluster_w(board, group, domain, top, 4) == pytest.approx(watts, rel=0.15)


def test_kirin_970_cores_leak_no_more_than_idle_states_of_a_hikey_960_save() -> None:
    # ARM-software/lisa@bb5ff50d: 4 waiting A73 cost 3.3601 W, switched off 3.2360 W, at 0.7 V
    leak_w = load_board("hikey970").power.units["a73"].leakage_w.value
    assert leak_w * 0.7**3 < (3.3601 - 3.2360) / 4


def test_kirin_970_cluster_power_follows_the_scheduler_costs() -> None:
    # yuweieric/linux kirin970-sched-energy.dtsi, busy cost of the clusters read as mW
    published = {
        "little": [23, 30, 36, 39, 50, 53, 55],
        "big": [69, 81, 85, 89, 105, 111, 118, 159, 218],
    }
    board = load_board("hikey970")
    for domain, cost_mw in published.items():
        part, clock = board.power.domains[domain], board.domain(domain)
        switching_w = part.active_capacitance_f.value * clock.volts_v.array**2
        total_w = (
            switching_w * clock.freqs_hz.array
            + board.power.baseline[f"{domain}-cluster"].power_w.value
        )
        np.testing.assert_allclose(total_w, np.array(cost_mw) / 1e3, rtol=0.15)


def test_hikey_970_measures_one_temperature_in_steps_of_216_millikelvin_and_no_power() -> None:
    sensors = load_board("hikey970").sensors  # OpenBSD hitemp driver; ma-rapp/hikey970@7bb64148
    assert [z.resolution_k.value for z in sensors.zones.values()] == [0.216]
    assert sensors.rails == {} and sensors.input_rail is None


def test_hikey_970_leaves_out_the_trips_commented_out_in_its_device_tree() -> None:
    temps_c = {t.temp_c.value for t in load_board("hikey970").limits.trips}
    assert not temps_c & {65.0, 75.0}  # yuweieric/linux@22400906 zone cls0


def test_hikey_960_power_agrees_with_the_measured_busy_clusters() -> None:
    # ARM-software/lisa@bb5ff50d, EnergyModel_SystemEnergy: watts above idle, 1 and 4 busy cores
    published = {
        ("a53", "little"): {1: (0.0929, 0.6385), 4: (0.2609, 2.1937)},
        ("a73", "big"): {1: (0.4907, 3.3503), 4: (1.7150, 12.7221)},
    }
    board = load_board("hikey960")
    for (group, domain), rows in published.items():
        top = len(board.domain(domain).freqs_hz.value) - 1
        for busy, watts in rows.items():
            said_w = [cluster_w(board, group, domain, level, busy) for level in (0, top)]
            np.testing.assert_allclose(said_w, watts, rtol=0.17)


def cluster_w(board: Board, group: str, domain: str, level: int, busy: int) -> float:
    """Watts of a cluster with so many busy cores once its heat has settled.

    The others sleep and draw nothing, as on the board; it is off when idle.
    """
    members = board.units[group].members[:busy]
    power_w, gain_w = powers_w(
        board,
        level=np.array([level if name == domain else 0 for name in board.clocks]),
        busy=np.array([float(unit.name in members) for unit in board.unit_list]),
    )
    network, law = Network.of(board), leakage_law(board)
    temps_c = network.steady(power_w, board.thermal.ambient_c.value, gain_w, law)
    at = [board.parts.index(part) for part in (*members, f"{domain}-shared")]
    volt_v = board.domain(domain).volts_v.value[level]
    return float(power_w[at].sum()) + sum(
        leakage_w(board, board.parts[p], volt_v, float(temps_c[network.part_node[p]])) for p in at
    )


def test_hikey_960_throttles_both_clusters_at_75_degrees() -> None:
    (trip,) = trips(load_board("hikey960"), "throttle")  # torvalds/linux@05909cd9 hi3660.dtsi
    assert (trip.temp_c.value, trip.hysteresis_k.value) == (75.0, 1.0)
    assert trip.domains == ("little", "big")


def test_xu3_fan_and_trips_are_those_of_the_device_tree() -> None:
    board = load_board("odroid-xu3")  # torvalds/linux@834af22e exynos5422-odroidxu3-common.dtsi
    assert board.limits.fan is not None and board.limits.fan.pwm == (0, 130, 170, 230)
    fan = {(t.temp_c.value, t.fan_level, t.hysteresis_k.value) for t in trips(board, "fan")}
    assert fan == {(50.0, 1, 5.0), (60.0, 2, 5.0), (70.0, 3, 5.0)}
    assert {t.temp_c.value for t in trips(board, "throttle")} == {85.0}
    assert {t.temp_c.value for t in trips(board, "shutdown")} == {120.0}


def test_xu3_power_sensors_sit_where_the_device_tree_puts_them() -> None:
    board = load_board("odroid-xu3")  # torvalds/linux@c05b27c8 exynos5422-odroidxu3.dts
    published = {"vdd_arm": "40", "vdd_mem": "41", "vdd_g3d": "44", "vdd_kfc": "45"}
    for rail, address in published.items():
        assert f"-00{address}/" in board.paths[f"{rail}.power"].pattern
