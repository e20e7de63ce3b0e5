"""What a board step asks of the machine, beside what the machine sustains."""

from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np

import edgetwin
from benchmarks.frame.side_by_side import side_by_side, timed_s
from benchmarks.speed.scaling import steps_per_s
from edgetwin.studies import Figure, row
from hw_models import load_board
from hw_models.compiled import jit

N_BOARDS = 1024
GEMM_N, GEMM_REPEATS = 384, 4
TRIAD_N = 8_000_000
BYTES = 8


def measure(quick: bool) -> dict[str, Any]:
    """FLOP and bytes per board step of 50 ms against measured dgemm and triad, one core."""
    edgetwin.register_envs()
    rounds = 3 if quick else 7
    gemm_flops, triad_bytes_per_s = sustained(rounds)
    step_s = 1.0 / steps_per_s(N_BOARDS, rounds)
    flop, moved = thermal_flop(), state_bytes()
    bound_s = max(flop / gemm_flops, moved / triad_bytes_per_s)
    return row(
        {"step_over_bound": Figure(value=step_s / bound_s, bar=30.0)},
        n={"rounds": rounds, "boards": N_BOARDS},
        dgemm_flops=gemm_flops,
        triad_bytes_per_s=triad_bytes_per_s,
        step_s=step_s,
        thermal_flop_per_step=flop,
        state_bytes_per_step=moved,
        flop_bound_s=flop / gemm_flops,
        memory_bound_s=moved / triad_bytes_per_s,
        bound_by="FLOP" if flop / gemm_flops > moved / triad_bytes_per_s else "memory",
        method=(
            "FLOP of the thermal step alone, bytes of a board's whole state read and written once; "
            "control, sensors, observations and actions come on top of both"
        ),
    )


def sustained(rounds: int) -> tuple[float, float]:
    """FLOP/s of dgemm and bytes/s of a triad larger than any cache, one thread."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, GEMM_N, GEMM_N))
    product = np.empty_like(a)
    x, y, z = np.ones((3, TRIAD_N))

    def gemm(_: int) -> float:
        return timed_s(lambda: [np.dot(a, b, out=product) for _ in range(GEMM_REPEATS)])

    def triad(_: int) -> float:
        return timed_s(lambda: _triad(x, y, z))

    found = side_by_side({"gemm": gemm, "triad": triad}, rounds)
    if not np.allclose(product[0, 0], a[0] @ b[:, 0]) or x[-1] != 4.0:
        raise RuntimeError("dgemm or triad did not do its work.")
    flops = 2.0 * GEMM_N**3 * GEMM_REPEATS / median(found["gemm"])
    return flops, 3.0 * BYTES * TRIAD_N / median(found["triad"])


@jit
def _triad(x: Any, y: Any, z: Any) -> None:
    for i in range(x.shape[0]):
        x[i] = y[i] + 3.0 * z[i]


def thermal_flop() -> float:
    """Floating-point operations of one ETD2RK step with new inputs on the HiKey 970.

    Four products of n nodes and m parts; per node 14 operations, per part two cubics and 12 more.
    """
    low = load_board("hikey970").lower()
    n, m = len(low.nodes), len(low.parts)
    return 4 * 2 * n * m + 14.0 * n + (2 * 8 + 12) * m


def state_bytes() -> float:
    """Bytes of one board's state, read and written once."""
    env: Any = gym.make_vec(
        "edgetwin/Thermal-v0", num_envs=8, vectorization_mode="vector_entry_point"
    )
    rows = env.batch.floats.shape[1] + env.batch.whole.shape[1]
    env.close()
    return float(2 * BYTES * rows)
