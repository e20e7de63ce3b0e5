"""A program's windows of 1 M or 10 M instructions become a few phases with the same mean cost."""

import csv
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CLOCKS_HZ = {"a73": (2.362e9, 0.682e9), "a53": (1.844e9, 0.509e9)}
"""Highest and lowest simulated clock of each kind of core, as in the names of the columns."""

QUANTITIES = ("cpi_cycles", "stall_s", "l2d_per_insn", "dram_bytes_per_insn")
"""Columns per kind of core, in this order; a table row is the A73's four, then the A53's four."""

MAX_PHASES = 16
MAX_LOSS = 1e-4
"""Merging stops at 16 phases only if the next merge would cost more than (1 % rms of CPI)^2."""


def read_windows(path: Path, roi_insns: int) -> tuple[Array, Array]:
    """Instructions (n,) and costs (n, 8) of the windows that lie in the region of interest.

    The `roi` flag is the state at the end of a window. The windows in which the region begins and
    ends also hold other code, so they take the costs of their neighbour inside the region, and
    share the instructions that the inner windows leave over in proportion to their length.
    """
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ends = [int(r["insns_end"]) for r in rows]
    sizes = [b - a for a, b in zip([0, *ends], ends, strict=False)]
    inside = [i for i, r in enumerate(rows) if r["roi"] == "1"]
    first, last = inside[0], inside[-1]
    edge = [first, last + 1] if last + 1 < len(rows) else [first]
    inner = list(range(first + 1, last + 1))
    if not inner:
        return np.array([float(roi_insns)]), np.ones((1, 2 * len(QUANTITIES)))
    insns = _with_edges([sizes[i] for i in inner], [sizes[i] for i in edge], roi_insns)
    costs = np.array([_costs(rows[i]) for i in inner])
    tail = [costs[-1:]] if len(edge) > 1 else []
    return insns, np.concatenate([costs[:1], costs, *tail])


def _with_edges(inner: list[int], edge: list[int], total: int) -> Array:
    left = total - sum(inner)
    if not 0 < left <= sum(edge):
        raise ValueError(f"windows hold {sum(inner)} instructions, the region of interest {total}.")
    head = round(left * edge[0] / sum(edge))
    tail = [left - head] if len(edge) > 1 else []
    return np.array([head, *inner, *tail], dtype=np.float64)


def _costs(row: dict[str, str]) -> list[float]:
    out: list[float] = []
    for core, (top_hz, low_hz) in CLOCKS_HZ.items():
        top = float(row[f"cpi_{core}_{top_hz / 1e6:.0f}"])
        low = float(row[f"cpi_{core}_{low_hz / 1e6:.0f}"])
        stall_s = (top - low) / (top_hz - low_hz)
        l2d = float(row[f"{core}_l2acc_pki"]) / 1e3
        dram = float(row[f"{core}_l2_mpki"]) / 1e3 * 64
        out += [low - stall_s * low_hz, stall_s, l2d, dram]
    if not np.all(np.isfinite(out)):
        raise ValueError(f"window ending at {row['insns_end']} has a cost that was not sampled.")
    return out


def anchored(insns: Array, costs: Array, mean: Array) -> Array:
    """The costs (n, 8) scaled column by column to the means (8,) measured over the whole region.

    The windows give the shape in time, the whole-region measurement gives the level.
    """
    level = insns @ costs / insns.sum()
    scale = np.divide(mean, level, out=np.zeros_like(mean), where=level > 0)
    flat = np.broadcast_to(mean, costs.shape)
    return np.where(level > 0, costs * scale, flat)


def merged(insns: Array, costs: Array) -> tuple[Array, Array]:
    """Neighbouring windows whose CPI is alike joined into phases; every mean is kept.

    Greedy: the pair whose union loses least variance of relative CPI (both kinds of core, both
    clocks, weighted by instructions) is joined first.
    """
    insns, costs = insns.copy(), costs.copy()
    total, reference = insns.sum(), _cpi(insns @ costs / insns.sum())
    while len(insns) > 1:
        loss = _losses(insns, _cpi(costs) / reference) / total
        i = int(np.argmin(loss))
        if len(insns) <= MAX_PHASES and loss[i] > MAX_LOSS:
            break
        both = insns[i : i + 2]
        costs[i] = both @ costs[i : i + 2] / both.sum()
        insns[i] = both.sum()
        insns, costs = np.delete(insns, i + 1), np.delete(costs, i + 1, axis=0)
    return insns, costs


def _losses(insns: Array, x: Array) -> Array:
    n, m = insns[:-1], insns[1:]
    gap = cast(Array, np.square(np.diff(x, axis=0)).mean(axis=-1))
    return n * m / (n + m) * gap


def _cpi(costs: Array) -> Array:
    """CPI at the highest and lowest clock of both kinds of core: (..., 8) to (..., 4)."""
    n = len(QUANTITIES)
    columns = [
        costs[..., n * k] + costs[..., n * k + 1] * hz
        for k, clocks_hz in enumerate(CLOCKS_HZ.values())
        for hz in clocks_hz
    ]
    return np.stack(columns, axis=-1)
