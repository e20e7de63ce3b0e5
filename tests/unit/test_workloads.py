"""Profiles of programs and networks: what ships, and that it is what was measured."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration.workloads.windows import MAX_PHASES, anchored, merged, read_windows
from hw_models.jobs import ApplicationProfile, CorePhases
from hw_models.workloads import (
    application_names,
    datasets,
    load_application,
    load_network,
    network_names,
    parsec_names,
    peak_ips,
    polybench_names,
)

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "hw_models" / "workloads"
CLOCKS_HZ = {"a73": (0.682e9, 1.498e9, 2.362e9), "a53": (0.509e9, 1.210e9, 1.844e9)}
TEXTS = ("name", "suite", "dataset")
RUNS = [(name, dataset) for name in application_names() for dataset in datasets(name)]


@pytest.fixture(scope="module")
def measured() -> Path:
    folder = Path(os.environ.get("EDGETWIN_DATA", ""), "cpu_apps")
    if not (folder / "app_profiles.csv").is_file():
        pytest.skip("EDGETWIN_DATA does not name the folder that holds cpu_apps")
    return folder


def _rows(path: Path) -> list[dict[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _scales() -> dict[tuple[str, str], float]:
    rows = _rows(SHIPPED / "programs.csv")
    return {(r["name"], r["dataset"]): float(r["a73_scale"]) for r in rows}


def _flat(cycles: float, stall_s: float, insns: list[float]) -> ApplicationProfile:
    n = len(insns)
    phases = CorePhases(
        cpi_cycles=np.full(n, cycles),
        stall_s=np.full(n, stall_s),
        l2d_per_insn=np.zeros(n),
        dram_bytes_per_insn=np.zeros(n),
        activity=np.ones(n),
    )
    return ApplicationProfile(
        name="made-up",
        suite="polybench",
        dataset="SMALL",
        source="made up",
        phase_insns=np.array(insns),
        by_kind={"cortex-a53": phases},
        footprint_bytes=0.0,
    )


def test_thirty_kernels_train_and_six_programs_test() -> None:
    assert len(polybench_names()) == 30
    assert set(parsec_names()) == {
        "blackscholes", "canneal", "fluidanimate", "freqmine", "streamcluster", "swaptions"
    }  # fmt: skip
    assert set(application_names()) == {*polybench_names(), *parsec_names()}
    assert len(application_names()) == 36


@pytest.mark.parametrize(("name", "dataset"), RUNS)
def test_every_run_has_usable_numbers_on_both_cores(name: str, dataset: str) -> None:
    profile = load_application(name, dataset)
    n = len(profile.phase_insns)
    assert 1 <= n <= 16
    assert (profile.phase_insns >= 1).all()
    assert set(profile.by_kind) == {"cortex-a73", "cortex-a53"}
    for kind, core in profile.by_kind.items():
        costs = [core.cpi_cycles, core.stall_s, core.l2d_per_insn, core.dram_bytes_per_insn]
        assert all(len(x) == n and np.isfinite(x).all() and (x >= 0).all() for x in costs)
        low_hz = CLOCKS_HZ[kind.removeprefix("cortex-")][0]
        assert (core.cpi_cycles + core.stall_s * low_hz >= 0.4).all()  # at most 2 and a bit wide
        assert ((core.activity >= 0.8) & (core.activity <= 1.2)).all()


def test_the_default_data_set_is_the_longest_that_reached_its_end() -> None:
    chosen = {name: load_application(name).dataset for name in application_names()}
    assert chosen["deriche"] == "LARGE"
    assert chosen["correlation"] == "MEDIUM"  # LARGE was cut, MEDIUM_O2 is a variant
    assert chosen["gemm"] == "MEDIUM"  # MEDIUM_O2 has more instructions
    assert chosen["streamcluster"] == "P1024_D32"  # SIMSMALL was cut
    assert all("the whole" in load_application(name).source for name in chosen)


def test_a_cut_run_says_so() -> None:
    assert "only the first part" in load_application("correlation", "LARGE").source


def test_phases_exist_where_windows_were_recorded() -> None:
    assert len(load_application("deriche").phase_insns) > 4
    assert len(load_application("fluidanimate").phase_insns) > 4
    assert len(load_application("adi").phase_insns) == 1


def test_peak_speed_is_instructions_over_time_across_phases() -> None:
    profile = _flat(2.0, 1e-9, [3e6, 1e6])
    profile.by_kind["cortex-a53"].cpi_cycles[1] = 6.0
    seconds = 3e6 * (2.0 / 1e9 + 1e-9) + 1e6 * (6.0 / 1e9 + 1e-9)
    assert peak_ips(profile, "cortex-a53", 1e9) == pytest.approx(4e6 / seconds, rel=1e-12)


def test_a_stalled_program_gains_less_than_the_clock() -> None:
    assert peak_ips(_flat(1.0, 0.0, [1.0]), "cortex-a53", 2e9) == pytest.approx(2e9)
    assert peak_ips(_flat(1.0, 1e-9, [1.0]), "cortex-a53", 2e9) == pytest.approx(1e9 / 1.5)


def test_seidel_gains_least_from_a_big_core_and_adi_much() -> None:
    def gain(name: str) -> float:
        big, little = (
            peak_ips(load_application(name), f"cortex-{core}", hz[-1])
            for core, hz in CLOCKS_HZ.items()
        )
        return big / little

    assert gain("seidel-2d") == pytest.approx(1.8, abs=0.05)
    assert 3.4 < gain("adi") < 3.75
    assert min(polybench_names(), key=gain) == "seidel-2d"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: load_application("cholesk"), "Did you mean 'cholesky'"),
        (lambda: load_application("lu", "MEDIM"), "Did you mean 'MEDIUM'"),
        (lambda: datasets("sedel-2d"), "Did you mean 'seidel-2d'"),
        (lambda: load_network("resnet18"), "Did you mean 'resnet-18'"),
        (lambda: peak_ips(load_application("lu"), "cortex-a72", 1e9), "cortex-a73"),
    ],
)
def test_an_unknown_name_brings_the_nearest(call: object, words: str) -> None:
    with pytest.raises(KeyError, match=words):
        call()  # type: ignore[operator]


def test_a_clock_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0 Hz"):
        peak_ips(load_application("lu"), "cortex-a73", float("nan"))


def test_a_shared_profile_cannot_be_written() -> None:
    profile = load_application("lu")
    assert load_application("lu") is profile
    with pytest.raises(ValueError, match="read-only"):
        profile.phase_insns[0] = 1.0


def test_loading_profiles_needs_no_heavy_package() -> None:
    code = (
        "import sys; from hw_models.workloads import load_application, load_network;"
        "load_application('lu'); load_network('opt-1.3b');"
        "print([m for m in ('torch', 'pyarrow', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", network_names())
def test_every_network_has_a_source_and_ordered_counts(name: str) -> None:
    net = load_network(name)
    assert "counted by hw_models.workloads.count with torch" in net.source
    assert net.parameter_bytes == 4 * net.parameter_count
    assert 2 * net.forward_flops < net.train_flops <= 3 * net.forward_flops
    assert net.train_bytes > 2 * net.forward_bytes
    assert net.train_kernels > 2 * net.forward_kernels
    # weights read twice, gradients written and read, weights written, and optimiser state
    assert 7 * net.parameter_bytes < net.step_bytes < 30 * net.parameter_bytes
    assert 0 < net.saved_bytes < net.train_bytes


def test_joining_windows_keeps_totals_and_means() -> None:
    rng = np.random.default_rng(3)
    insns, costs = rng.uniform(1e6, 1e7, 60), rng.uniform(0.1, 3.0, (60, 8))
    joined_insns, joined = merged(insns, costs)
    assert len(joined_insns) == MAX_PHASES
    assert joined_insns.sum() == pytest.approx(insns.sum(), rel=1e-12)
    np.testing.assert_allclose(joined_insns @ joined, insns @ costs, rtol=1e-12)


def test_alike_windows_become_one_phase_and_a_step_stays() -> None:
    flat = np.ones((20, 8))
    flat[:, [1, 5]] = 1e-10
    assert len(merged(np.ones(20), flat)[0]) == 1
    step = flat.copy()
    step[12:, 0] = 2.0
    insns, costs = merged(np.ones(20), step)
    assert insns.tolist() == [12.0, 8.0]
    assert costs[:, 0].tolist() == pytest.approx([1.0, 2.0])


def test_anchored_costs_have_the_measured_mean_even_where_windows_saw_nothing() -> None:
    insns, costs = np.array([1.0, 3.0]), np.ones((2, 8))
    costs[:, 1] = 0.0
    costs[1, 0] = 3.0
    mean = np.full(8, 5.0)
    np.testing.assert_allclose(insns @ anchored(insns, costs, mean) / 4.0, mean, rtol=1e-12)


def test_windows_at_the_edge_of_the_region_take_their_neighbours_cost(tmp_path: Path) -> None:
    cpi = ["cpi_a73_2362", "cpi_a73_682", "cpi_a53_1844", "cpi_a53_509"]
    rates = ["a73_l2acc_pki", "a73_l2_mpki", "a53_l2acc_pki", "a53_l2_mpki"]
    columns = ["insns_end", "roi", *cpi, *rates, "cpi_a73_ideal", "cpi_a53_ideal"]
    ends, flags, levels = (100, 200, 300, 400), (1, 1, 1, 0), (9, 2, 3, 9)
    lines = [",".join(columns)]
    for end, flag, level in zip(ends, flags, levels, strict=True):
        lines.append(",".join(map(str, [end, flag, *[level] * 4, *[0] * 4, 1, 1])))
    (tmp_path / "w.csv").write_text("\n".join(lines), encoding="utf-8")
    insns, costs = read_windows(tmp_path / "w.csv", 300)
    assert insns.tolist() == [50.0, 100.0, 100.0, 50.0]
    assert costs[:, 0].tolist() == pytest.approx([2.0, 2.0, 3.0, 3.0])


def test_undamped_speeds_are_those_predicted_from_the_measurement(measured: Path) -> None:
    rows, scales = _rows(measured / "predicted_ips.csv"), _scales()
    compared = 0
    for row in rows:
        key = (row["app"], row["dataset"])
        if key not in scales:
            continue  # coremark, which served to check the simulator
        for core, clocks_hz in CLOCKS_HZ.items():
            scale = scales[key] if core == "a73" else 1.0
            for label, hz in zip(("min", "mid", "max"), clocks_hz, strict=True):
                ips = peak_ips(load_application(*key), f"cortex-{core}", hz) * scale
                assert ips == pytest.approx(float(row[f"{core}_mips_{label}"]) * 1e6, abs=0.51e6)
                compared += 1
    assert compared == 6 * len(scales) == 6 * 103


def test_speed_ups_above_four_are_damped_and_no_others(measured: Path) -> None:
    scales = _scales()
    for row in _rows(measured / "predicted_ips.csv"):
        key, ratio = (row["app"], row["dataset"]), float(row["ratio_max"])
        if key in scales and abs(ratio - 4.0) > 0.01:
            damped = 1 + 0.7 * (ratio - 1) if ratio > 4 else ratio
            assert ratio / scales[key] == pytest.approx(damped, rel=3e-3)


def test_instructions_are_those_of_the_measured_region(measured: Path) -> None:
    rows = {(r["app"], r["dataset"]): r for r in _rows(measured / "app_profiles.csv")}
    for key in RUNS:
        assert load_application(*key).phase_insns.sum() == float(rows[key]["insns_roi"])


def test_the_recipe_reproduces_the_shipped_tables(measured: Path, tmp_path: Path) -> None:
    options = ["--only", "applications", "--data", str(measured.parent), "--out", str(tmp_path)]
    command = [sys.executable, "-m", "calibration.workloads.recipe", *options]
    subprocess.run(command, cwd=ROOT, check=True)
    for name in ("programs.csv", "phases.csv"):
        made, shipped = (_rows(folder / name) for folder in (tmp_path, SHIPPED))
        assert _texts(made) == _texts(shipped)
        np.testing.assert_allclose(_numbers(made), _numbers(shipped), rtol=1e-9)


def _texts(rows: list[dict[str, str]]) -> list[list[str]]:
    return [[*row, *(row[key] for key in row if key in TEXTS)] for row in rows]


def _numbers(rows: list[dict[str, str]]) -> list[list[float]]:
    return [[float(row[key]) for key in row if key not in TEXTS] for row in rows]
