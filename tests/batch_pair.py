"""The same boards twice, in the scalar kernel one by one and in the batch together, to compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from edgetwin import kernel
from edgetwin.kernel.control import request
from edgetwin.kernel.state import STATE_DTYPE, node_temps_c, set_temps
from edgetwin.kernel_gpu import GpuBatch
from edgetwin.kernel_gpu.fields import LEFT_OUT
from edgetwin.simulator.jobs import DemandTable, work_of
from edgetwin.simulator.plan import initial_state, prepare
from hw_models.board import Board
from hw_models.jobs import Job
from hw_models.lowering import GOVERNORS

# Where the two may differ: sums are taken in another order, which moves a rate by 1e-16 and with
# it the end of a job or phase, a whole number of nanoseconds, by one. What is not done in a
# nanosecond at a fast clock takes up to 20 at a slow one with others on the core.
TEMP_K, POWER_W, TIME_S, WORK_SHARE = 1e-6, 1e-6, 2e-8, 1e-8
MOVED_NS = 20
# Whole numbers that name an instant which follows from a job's rate.
INSTANTS = ("job_event_ns", "job_hold_ns")
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A job that has ended on some board."""

    board: int
    slot: int
    serial: int
    t_ns: int


@final
class Pair:
    """n boards, the k-th one of boards[k % len(boards)], under the same orders in both kernels.

    They start at temperatures from 25 to 79 degC.
    """

    def __init__(
        self, boards: Sequence[Board], n: int, jobs: Sequence[Job], *, slots: int = 6, **how: Any
    ) -> None:
        self.boards = boards
        self.low = [board.lower() for board in boards]
        self.which = np.arange(n) % len(boards)
        self.tables = [DemandTable(board) for board in boards]
        found = [[table.find(job) for job in jobs] for table in self.tables]
        self.found = found[0]
        self.jobs, self.slots, self.serial = jobs, slots, 0
        self.states = [self._initial(k, n) for k in range(n)]
        self.ended: tuple[list[Completion], list[Completion]] = ([], [])
        self.batch = GpuBatch(
            np.concatenate([low.record for low in self.low]),
            np.concatenate(self.states),
            np.stack([table.rows for table in self.tables]),
            which=self.which,
            slots=slots,
            **how,
        )

    def _initial(self, k: int, n: int) -> Any:
        board, low = self.boards[self.which[k]], self.low[self.which[k]]
        state = initial_state(board, low, prepare(board, None, k), k, self.tables[0].rows)
        state["may_coast"] = 0
        set_temps(state, low, np.full(len(low.nodes), 25.0 + 54.0 * k / max(1, n - 1)))
        return state

    def record(self, k: int) -> Any:
        """The record (1,) of board k."""
        return self.low[self.which[k]].record

    def able(self, job: int) -> list[int]:
        """Units that can run a job."""
        return sorted(self.tables[0].fastest_first(self.found[job][0]))

    # -- orders, to the boards of a mask (n,), with values (n,) ---------------------------------

    def start(self, mask: Mask, job: NDArray[np.int64], unit: NDArray[np.int64]) -> None:
        """Fill the first free slot; boards that are full are left alone."""
        n, self.serial = len(mask), self.serial + 1
        slot, given = np.zeros(n, int), np.zeros((4, n))
        mask = mask & [bool(np.any(s["job_serial"][0, : self.slots] == 0)) for s in self.states]
        for k in np.flatnonzero(mask):
            slot[k] = int(np.argmin(self.states[k]["job_serial"][0] > 0))
            first, rows = self.found[job[k]]
            given[:, k] = (first, rows, *work_of(self.jobs[job[k]]))
            phase = float(self.tables[self.which[k]].rows[first, 0])
            kernel.start_job(
                self.states[k], int(slot[k]), self.serial, int(unit[k]), first, rows,
                given[2, k], given[3, k], phase, 0.25,
            )  # fmt: skip
        first, rows, total, target = given
        self.batch.start_job(
            slot, serial=self.serial, unit=unit, first=first, rows=rows, total=total,
            target=target, waited_s=0.25, boards=torch.from_numpy(mask),
        )  # fmt: skip

    def migrate(self, mask: Mask, slot: NDArray[np.int64], unit: NDArray[np.int64]) -> None:
        """Move the job in a slot, where there is one."""
        for k in np.flatnonzero(mask):
            if self.states[k]["job_unit"][0, slot[k]] >= 0:
                kernel.migrate(self.states[k], self.record(k), int(slot[k]), int(unit[k]))
        self.batch.migrate(slot, unit, boards=torch.from_numpy(mask))

    def field(self, mask: Mask, name: str, values: Any, at: int | None = None) -> None:
        """Write a field that others set."""
        values = np.broadcast_to(values, len(mask))
        for k in np.flatnonzero(mask):
            place = (0,) if at is None else (0, at)
            self.states[k][name][place] = values[k]
        self.batch.set_field(name, values.copy(), at=at, boards=torch.from_numpy(mask))

    def level(self, mask: Mask, domain: int, level: NDArray[np.int64]) -> None:
        """Take a clock in hand and ask for a level."""
        self.field(mask, "governor", GOVERNORS.index("userspace"), domain)
        self.field(mask, "fixed", level, domain)
        for k in np.flatnonzero(mask):
            request(self.states[k][0], self.record(k)[0], domain, int(level[k]))
        self.batch.request_level(domain, level, boards=torch.from_numpy(mask))

    def fan(self, mask: Mask, level: NDArray[np.int64]) -> None:
        """Turn the fan by hand; -1 gives it back to the board."""
        self.field(mask, "fan_manual", level)
        turned = mask & (level >= 0)
        for k in np.flatnonzero(turned):
            kernel.set_fan_level(self.states[k], self.record(k), int(level[k]))
        self.batch.set_fan_level(np.maximum(level, 0), boards=torch.from_numpy(turned))

    def ambient(self, mask: Mask, ambient_c: NDArray[np.float64]) -> None:
        """Change the air."""
        for k in np.flatnonzero(mask):
            kernel.set_ambient(self.states[k], self.record(k), float(ambient_c[k]))
        self.batch.set_ambient(ambient_c, boards=torch.from_numpy(mask))

    # -- time and comparison --------------------------------------------------------------------

    def advance(self, end_ns: NDArray[np.int64]) -> None:
        """Run both until end_ns (n,); completed jobs leave their slots."""
        for k, state in enumerate(self.states):
            while True:
                table = self.tables[self.which[k]].rows
                code = kernel.advance(state, self.record(k), table, int(end_ns[k]))
                if code == kernel.REACHED:
                    break
                if code >= 0:
                    serial, t_ns = int(state["job_serial"][0, code]), int(state["t_ns"][0])
                    self.ended[0].append(Completion(board=k, slot=code, serial=serial, t_ns=t_ns))
                    kernel.free_job(state, code)
        found = self.batch.run(end_ns)
        rows = zip(found.board, found.slot, found.serial, found.t_ns, strict=True)
        for b, j, serial, t_ns in rows:
            one = Completion(board=int(b), slot=int(j), serial=int(serial), t_ns=int(t_ns))
            self.ended[1].append(one)

    def assert_alike(self) -> None:
        """Every field of every board, and every completion so far."""
        told = [sorted(e, key=lambda c: (c.board, c.serial)) for e in self.ended]
        for a, b in zip(*told, strict=True):
            assert (a.board, a.slot, a.serial) == (b.board, b.slot, b.serial)
            assert abs(a.t_ns - b.t_ns) <= MOVED_NS
        batch = self.batch.states()
        nodes_c = self.batch.nodes_c().cpu().numpy()
        for k, state in enumerate(self.states):
            low = self.low[self.which[k]]
            assert np.max(np.abs(node_temps_c(state, low) - nodes_c[k])) <= TEMP_K
            for name in STATE_DTYPE.names or ():
                if name not in LEFT_OUT:
                    assert_field(name, state[name][0], batch[name][k], f"board {k}, {name}")


def assert_field(name: str, a: Any, b: Any, where: str) -> None:
    """Equal whole numbers; floats as near as their unit allows."""
    if name in INSTANTS:
        assert np.all(np.abs(a - b) <= MOVED_NS), f"{where}: {a} and {b}"
    elif np.issubdtype(STATE_DTYPE[name].base, np.integer):
        assert np.array_equal(a, b), f"{where}: {a} and {b}"
    else:
        far, near = allowed(name)
        assert np.allclose(a, b, far, near, equal_nan=True), f"{where}: {a} and {b}"


def allowed(name: str) -> tuple[float, float]:
    """Relative and absolute difference that a field may show."""
    if name in ("modes", "zone_c", "peak_c", "modes_mark", "zone_integral", "heat_out_j"):
        return (1e-8, TEMP_K)
    if name in ("peak_w", "overshoot"):  # the scalar kernel divides a small difference of sums
        return (1e-8, 10.0 * POWER_W)
    if name.endswith("_w"):
        return (1e-8, POWER_W)
    return (WORK_SHARE, 50.0 if name.startswith("job_") else TIME_S)
