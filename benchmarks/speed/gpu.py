"""The batched kernel in torch against the compiled kernel on one core: board-steps per second.

Every board runs eight programs under the 50 ms QoS rule. A board-step is one control period.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetwin import kernel
from edgetwin.kernel.state import State
from edgetwin.simulator.jobs import DemandTable
from edgetwin.simulator.plan import initial_state, prepare
from edgetwin.studies import Figure, absent, row
from hw_models.board import load_board
from hw_models.jobs import Application
from hw_models.lowering import GOVERNORS, Record
from hw_models.workloads import load_application

PROGRAMS = ("adi", "gemm", "jacobi-2d", "lu", "atax", "bicg", "mvt", "syrk")
STEPS = 10
SIZES = (1024, 16_384, 65_536)


def measure(quick: bool) -> dict[str, Any]:
    """The row on the GPU of this machine, absent without one."""
    import torch

    if not torch.cuda.is_available():
        return absent("torch sees no GPU on this machine.")
    return measured("cuda", SIZES[:1] if quick else SIZES, 2 if quick else 5)


def measured(device: str, sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Board-steps per second on a device for every size and way, against the scalar kernel."""
    record, states, table = busy_boards(64)
    core, energies_j = on_one_core(record, states.copy(), table)
    ways = [("float64", False), ("float32", False)]
    if device != "cpu":
        ways += [("float64", True), ("float32", True)]
    found = {}
    for n in sizes:
        many = np.resize(states, n)
        for dtype, compiled in ways:
            name = f"{n}_{dtype}{'_fused' if compiled else ''}"
            how = {"device": device, "dtype": dtype, "compiled": compiled}
            found[name] = on_device(record, many, table, energies_j, rounds, how)
    best = max(found.values())
    return row(
        {"times_one_core": Figure(value=best / core, bar=1.0, at_least=True)},
        board_steps_per_s=found,
        one_core_board_steps_per_s=core,
        device=device_name(device),
    )


def busy_boards(n: int) -> tuple[Record, State, NDArray[np.float64]]:
    """Record (1,), states (n,) and demand rows (rows, columns) of boards with eight programs."""
    board = load_board("hikey970")
    lowered, jobs = board.lower(), DemandTable(board)
    places = [
        jobs.find(Application(profile=load_application(p), instructions=np.inf, pass_insns=1e10))
        for p in PROGRAMS
    ]
    rng = np.random.default_rng(1)
    states = [
        initial_state(board, lowered, prepare(board, None, i), i, jobs.rows) for i in range(n)
    ]
    for state in states:
        state["may_coast"] = 0
        state["governor"][0, :2] = GOVERNORS.index("qos-dvfs")
        for slot, (first, rows) in enumerate(places):
            unit, target_ips = int(rng.integers(8)), float(rng.uniform(1e8, 1e9))
            phase = float(jobs.rows[first, 0])
            kernel.start_job(
                state, slot, slot + 1, unit, first, rows, np.inf, target_ips, phase, 0.0
            )
    return lowered.record, np.concatenate(states), jobs.rows


def on_one_core(
    record: Record, states: State, table: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Board-steps per second of the scalar kernel, and what every board has drawn, (n,)."""
    best_s = np.inf
    for turn in range(1, 4):
        start_s = time.perf_counter()
        for i in range(len(states)):
            code = kernel.advance(states[i : i + 1], record, table, end_of(record, turn))
            assert code == kernel.REACHED
        best_s = min(best_s, time.perf_counter() - start_s)
    return len(states) * STEPS / best_s, states["energy_j"].sum(axis=1)


def on_device(
    record: Record,
    states: State,
    table: NDArray[np.float64],
    energies_j: NDArray[np.float64],
    rounds: int,
    how: dict[str, Any],
) -> float:
    """Board-steps per second in torch, the best of some rounds; the joules must be the same."""
    from edgetwin.kernel_gpu import GpuBatch

    batch = GpuBatch(record, states, table[None], slots=len(PROGRAMS), **how)
    best_s = np.inf
    for turn in range(1, max(3, rounds) + 1):
        start_s = time.perf_counter()
        batch.advance(end_of(record, turn))
        drawn_j = batch.tensors["energy_j"].sum(1).cpu().numpy()
        best_s = min(best_s, time.perf_counter() - start_s)
        if turn == 3:
            far = 1e-9 if how["dtype"] == "float64" else 1e-2
            assert np.allclose(drawn_j, np.resize(energies_j, len(states)), rtol=far)
    return len(states) * STEPS / best_s


def end_of(record: Record, turn: int) -> int:
    """Where a turn of STEPS control periods ends, on the kernel's clock."""
    return turn * STEPS * int(record["period_ns"][0])


def device_name(device: str) -> str:
    """The card, or the processor's name for it."""
    import torch

    return torch.cuda.get_device_name(device) if device != "cpu" else "cpu"
