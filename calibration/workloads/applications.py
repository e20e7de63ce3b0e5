"""The profiles of 36 CPU programs, made from the instruction-level measurements in cpu_apps."""

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from calibration.workloads.windows import (
    CLOCKS_HZ,
    QUANTITIES,
    Array,
    anchored,
    merged,
    read_windows,
)

FRONT_END_CYCLES = {"a73": 0.05, "a53": 0.0}
"""Cycles per instruction that the scoreboard's ideal front end does not see (d_fe)."""

DAMPED_ABOVE, DAMPING = 4.0, 0.7
"""A speed-up of the A73 above 4 rests on assumed memory parallelism: 1 + 0.7 (ratio - 1)."""

VECTOR_WEIGHT = 1.3
"""Assumed dynamic power of FP or SIMD instructions, relative to integer ones."""

SUITES = {"polybench-4.2.1": "polybench", "parsec": "parsec"}
PROGRAM_COLUMNS = ("name", "suite", "dataset", "default", "whole", "footprint_bytes", "a73_scale")
SHIPPED = (*QUANTITIES, "activity")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program on one data set. insns (n,), costs (n, 8) as in windows.py, undamped."""

    row: dict[str, str]
    insns: Array
    costs: Array

    @property
    def key(self) -> tuple[str, str]:
        return self.row["app"], self.row["dataset"]

    def mean(self, core: str, quantity: str) -> float:
        """Mean over instructions of one cost on one kind of core."""
        return float(self.insns @ self.costs[:, _column(core, quantity)] / self.insns.sum())

    def a73_scale(self) -> float:
        """Factor on the cost of an instruction on the A73 that damps a speed-up above 4."""
        a73, a53 = (1 / self._seconds_per_insn(core) for core in ("a73", "a53"))
        ratio = a73 / a53
        return ratio / (1 + DAMPING * (ratio - 1)) if ratio > DAMPED_ABOVE else 1.0

    def _seconds_per_insn(self, core: str) -> float:
        top_hz = CLOCKS_HZ[core][0]
        return self.mean(core, "cpi_cycles") / top_hz + self.mean(core, "stall_s")

    def mix_weight(self) -> float:
        """Dynamic power per busy cycle by instruction mix; integer code draws 1."""
        vector = float(self.row["f_fp"]) + float(self.row["f_simd_int"])
        return 1 + (VECTOR_WEIGHT - 1) * vector


def _column(core: str, quantity: str) -> int:
    return list(CLOCKS_HZ).index(core) * len(QUANTITIES) + QUANTITIES.index(quantity)


def read_programs(folder: Path) -> list[Program]:
    """Every program and data set of the two suites, in the order of app_profiles.csv."""
    text = (folder / "app_profiles.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return [_program(row, folder / "phases") for row in rows if row["suite"] in SUITES]


def _program(row: dict[str, str], folder: Path) -> Program:
    mean = np.array([x for core in CLOCKS_HZ for x in _mean_costs(row, core)])
    insns, costs = np.array([float(row["insns_roi"])]), mean[None, :].copy()
    path = folder / f"{row['app']}.{row['dataset']}.csv"
    if path.is_file():
        insns, windows = read_windows(path, int(row["insns_roi"]))
        insns, costs = merged(insns, anchored(insns, windows, mean))
    for core, cycles in FRONT_END_CYCLES.items():
        costs[:, _column(core, "cpi_cycles")] += cycles
    return Program(row=row, insns=insns, costs=costs)


def _mean_costs(row: dict[str, str], core: str) -> list[float]:
    value = {k: float(row[f"{core}_{k}"]) for k in ("cpi_cyc", "stall_ns")}
    l2d = float(row[f"{core}_l2_access_pki"]) / 1e3
    dram = float(row[f"{core}_dram_bytes_per_insn"])
    return [value["cpi_cyc"], value["stall_ns"] * 1e-9, l2d, dram]


def defaults(programs: list[Program]) -> set[tuple[str, str]]:
    """The data set each program runs unless another is named: the longest that ran to its end.

    Variants of a data set with other compiler flags (`_O2`) are never the default.
    """
    best: dict[str, Program] = {}
    for p in programs:
        whole = p.row["complete"] == "1" and not p.row["dataset"].endswith("_O2")
        name = p.row["app"]
        if whole and (name not in best or p.insns.sum() > best[name].insns.sum()):
            best[name] = p
    return {p.key for p in best.values()}


def write_applications(data: Path, out: Path) -> None:
    """Write programs.csv and phases.csv from the folder cpu_apps in `data`."""
    folder = data / "cpu_apps"
    programs = read_programs(folder)
    chosen = defaults(programs)
    nominal = float(np.median([p.mix_weight() for p in programs if p.key in chosen]))
    origin = f"# made by calibration/workloads/recipe.py from cpu_apps, sha256 {_digest(folder)}\n"
    columns = ["name", "dataset", "phase_insns"]
    columns += [f"cortex_{core}_{q}" for core in CLOCKS_HZ for q in SHIPPED]
    programs_csv = _table(PROGRAM_COLUMNS, [_program_row(p, chosen) for p in programs])
    phases_csv = _table(columns, [r for p in programs for r in _phase_rows(p, nominal)])
    (out / "programs.csv").write_text(origin + programs_csv, encoding="utf-8")
    (out / "phases.csv").write_text(origin + phases_csv, encoding="utf-8")


def _program_row(p: Program, chosen: set[tuple[str, str]]) -> list[str]:
    name, dataset = p.key
    flags = [str(int(p.key in chosen)), p.row["complete"]]
    scale = _number(p.a73_scale())
    return [name, SUITES[p.row["suite"]], dataset, *flags, p.row["footprint_roi_bytes"], scale]


def _phase_rows(p: Program, nominal: float) -> list[list[str]]:
    scale = {"a73": p.a73_scale(), "a53": 1.0}
    activity = np.full_like(p.insns, round(p.mix_weight() / nominal, 3))
    columns: list[Array] = [p.insns]
    for core in CLOCKS_HZ:
        cost = {q: p.costs[:, _column(core, q)] for q in QUANTITIES}
        columns += [cost["cpi_cycles"] * scale[core], cost["stall_s"] * scale[core]]
        columns += [cost["l2d_per_insn"], cost["dram_bytes_per_insn"], activity]
    table = np.stack(columns, axis=1)
    return [[*p.key, *(_number(x) for x in row)] for row in table.tolist()]


def _number(x: float) -> str:
    return f"{x:.12g}"


def _table(columns: list[str] | tuple[str, ...], rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    return file.getvalue()


def _digest(folder: Path) -> str:
    """One sha256 over the profile table and the window files, in the order of their names."""
    digest = hashlib.sha256()
    for path in [folder / "app_profiles.csv", *sorted((folder / "phases").glob("*.csv"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()
