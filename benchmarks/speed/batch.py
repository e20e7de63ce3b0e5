"""How fast many boards step: the vector environment, its thermal step, its threads, its draws."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np

from benchmarks.frame.side_by_side import Contest, median_ratio, side_by_side, timed_s
from benchmarks.speed.against_peers import beside_peers
from benchmarks.speed.boards import Crowd, nearby
from edgetwin.kernel.batch_heat import pass_time
from edgetwin.kernel.batch_work import WORK_ROWS
from edgetwin.simulator import BatchSimulator
from edgetwin.studies import Figure, absent, row
from hw_models import load_board
from hw_models.compiled import free
from hw_models.lane_arrays import lane_rows
from hw_models.lane_functions import floats, load
from hw_models.lanes import LANES

N_BOARDS = 1024
GEMM_N = 384
TWO_CORES = 1.7
CHAIN = 100_000_000
_CHAINS = ("chain_1", "chain_2")


def measure_50ms(quick: bool) -> dict[str, Any]:
    """Board steps of 50 ms per second, a random move per board every 500 ms, beside CartPole."""
    steps = 60 if quick else 200
    moving, still = Crowd(N_BOARDS, 0.05, steps), Crowd(N_BOARDS, 0.05, steps, moves=False)
    found, missing = beside_peers(
        {"moving": _per_step(moving), "still": _per_step(still)}, 5 if quick else 11
    )
    rates = {name: 1.0 / median(taken) for name, taken in found.items()}
    ratio = {name: median_ratio(found, name, "moving") for name in found}
    figures = {
        "steps_per_s": Figure(value=rates["moving"], bar=3e6, at_least=True),
        "times_cartpole": Figure(value=1.0 / ratio["cartpole_vector"], bar=3.0),
    }
    for name, bar in (("halfcheetah", 100.0), ("electric_motor", 300.0)):
        if name in ratio:
            figures[f"times_{name}"] = Figure(value=ratio[name], bar=bar, at_least=True)
    return row(
        figures,
        n={"boards": N_BOARDS, "steps": steps},
        rates_per_s=rates,
        best_per_s={name: 1.0 / min(taken) for name, taken in found.items()},
        times_faster_than=ratio,
        absent=missing,
        still_times_cartpole=median_ratio(found, "still", "cartpole_vector"),
        done=moving.checked(),
        done_still=still.checked(moves=False),
    )


def measure_500ms(quick: bool) -> dict[str, Any]:
    """Board steps of 500 ms per second, each board moved at every step."""
    steps = 8 if quick else 30
    moving, still = Crowd(N_BOARDS, 0.5, steps), Crowd(N_BOARDS, 0.5, steps, moves=False)
    contest = side_by_side(
        {"moving": _per_step(moving), "still": _per_step(still)}, 5 if quick else 9
    )
    rates = {name: 1.0 / median(taken) for name, taken in contest.items()}
    return row(
        {"steps_per_s": Figure(value=rates["moving"], bar=0.5e6, at_least=True)},
        n={"boards": N_BOARDS, "steps": steps},
        rates_per_s=rates,
        best_per_s={name: 1.0 / min(taken) for name, taken in contest.items()},
        done=moving.checked(),
        done_still=still.checked(moves=False),
    )


def _per_step(crowd: Crowd) -> Callable[[int], float]:
    """Seconds per board step of one run through its actions."""
    return lambda _: timed_s(crowd.run) / (len(crowd.actions) * crowd.n)


def measure_bound(quick: bool) -> dict[str, Any]:
    """Time of the thermal step alone over that of as many operations in a product of matrices."""
    batch = BatchSimulator(load_board("hikey970"), N_BOARDS)
    work = lane_rows((WORK_ROWS, LANES))
    steps = 400  # so many that it does not count that they begin with cold caches
    before_j = float(batch.floats[:, batch.at["energy_j"]].sum())

    def heat(_: int) -> float:
        arrays = batch.floats, batch.whole, batch.layout.at, batch.records, work
        return timed_s(lambda: heat_alone(*arrays, steps)) / (steps * N_BOARDS)

    a, b = np.random.default_rng(0).random((2, GEMM_N, GEMM_N))

    def gemm(_: int) -> float:
        return timed_s(lambda: [a @ b for _ in range(4)]) / (4 * 2 * GEMM_N**3)

    contest = side_by_side({"heat": heat, "gemm": gemm}, 5 if quick else 15)
    if not float(batch.floats[:, batch.at["energy_j"]].sum()) > before_j:
        raise RuntimeError("the thermal steps drew no energy.")
    flop = thermal_flop(len(batch.lowered.nodes), len(batch.lowered.parts))
    over = median(h / (flop * g) for h, g in zip(contest["heat"], contest["gemm"], strict=True))
    return row(
        {"times_bound": Figure(value=over, bar=1.5)},
        n={"boards": N_BOARDS, "steps": steps},
        flop=flop,
        step_s=median(contest["heat"]),
        best_step_s=min(contest["heat"]),
        gemm_flop_per_s=1.0 / median(contest["gemm"]),
    )


def thermal_flop(nodes: int, parts: int) -> float:
    """Operations of one step: two products, then 14 per node and 17 per part."""
    return 4.0 * nodes * parts + 14.0 * nodes + 17.0 * parts


@free
def heat_alone(f: Any, n: Any, at: Any, boards: Any, w: Any, steps: int) -> None:
    """Thermal steps of one control period on every group, and nothing else."""
    a = at[0]
    b = boards[0]
    for _ in range(steps):
        for g in range(len(f)):
            everyone = load(n[g], a.fan) >= 0
            pass_time(f[g], n[g], a, b, w, floats(b.period_ns * 1e-9, w), True, everyone)


def measure_two_cores(quick: bool) -> dict[str, Any]:
    """How much faster two threads are than one on 16 384 boards, in wall time.

    Beside it how much faster the machine lets two threads be at a chain of whole numbers, which
    needs neither memory nor caches: without two cores to itself the row cannot be measured.
    """
    n, steps = 16_384, 4 if quick else 20
    one, two = Crowd(n, 0.05, steps), Crowd(n, 0.05, steps, threads=2)
    cpu_s: dict[str, list[float]] = {"one": [], "two": []}

    def timed(name: str, crowd: Crowd) -> Callable[[int], float]:
        def run(_: int) -> float:
            start_s = time.process_time()
            taken_s = timed_s(crowd.run)
            cpu_s[name].append(time.process_time() - start_s)
            return taken_s

        return run

    contestants = {"one": timed("one", one), "two": timed("two", two)}
    contest = side_by_side(contestants | {f"chain_{k}": _chains(k) for k in (1, 2)}, 5)
    if not np.array_equal(one.env.batch.readings, two.env.batch.readings, equal_nan=True):
        raise RuntimeError("two threads led elsewhere than one.")
    faster, possible = (median_ratio(contest, *pair) for pair in (("one", "two"), _CHAINS))
    found = row(
        {"times_faster": Figure(value=faster, bar=TWO_CORES, at_least=True)},
        n={"boards": n, "steps": steps},
        chains_times_faster=possible,
        wall_s={name: median(taken) for name, taken in contest.items()},
        cpu_s={name: median(taken) for name, taken in cpu_s.items()},
        load=_load(),
    )
    if possible >= TWO_CORES or found["ok"]:
        return found
    reason = f"two threads are {possible:.2f} times as fast as one at plain arithmetic here"
    return found | absent(f"{reason}, and {faster:.2f} times at boards: no two cores are free.")


def _chains(threads: int) -> Callable[[int], float]:
    """Seconds that a long chain of whole numbers takes, shared among threads."""

    def run(_: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            shares = [CHAIN // threads] * threads
            return timed_s(lambda: list(pool.map(chain, shares)))

    return run


@free
def chain(n: int) -> int:
    """n steps of xorshift64 (Marsaglia 2003, doi:10.18637/jss.v008.i14), one after the other."""
    x = np.uint64(88172645463325252)
    for _ in range(n):
        x ^= x << np.uint64(13)
        x ^= x >> np.uint64(7)
        x ^= x << np.uint64(17)
    return int(x)


def _load() -> float:
    """The mean number of busy processes of the last minute."""
    import os

    return os.getloadavg()[0]


def measure_posterior(quick: bool) -> dict[str, Any]:
    """Time per step with a board drawn per block of 32 over that of identical boards."""
    steps = 40 if quick else 120
    alike = Crowd(N_BOARDS, 0.05, steps)
    drawn = Crowd(N_BOARDS, 0.05, steps, randomize=nearby)
    contest: Contest = side_by_side(
        {"drawn": _per_step(drawn), "alike": _per_step(alike)}, 5 if quick else 11
    )
    return row(
        {"times_longer": Figure(value=median_ratio(contest, "drawn", "alike"), bar=1.3)},
        n={"boards": N_BOARDS, "steps": steps, "draws": len(drawn.env.batch.boards)},
        rates_per_s={name: 1.0 / median(taken) for name, taken in contest.items()},
        done=drawn.checked(),
    )
