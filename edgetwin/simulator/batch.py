"""Many simulated boards at once: the batch kernel behind arrays of NumPy."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.batch_loop import run_groups
from edgetwin.kernel.batch_read import ENERGY_J, HEAD, read_groups
from edgetwin.kernel.batch_state import is_float, layout_of, new_blocks
from edgetwin.kernel.state import NEVER
from edgetwin.scenario import Plan, Scenario
from edgetwin.simulator.batch_plan import (
    LIFE_DTYPE,
    PLAN_DTYPE,
    Sample,
    boards_of,
    first_event_ns,
    scenarios_of,
    seeds_of,
    starts_of,
)
from edgetwin.simulator.on_device import (
    MIRRORED,
    begin_on_device,
    column_of,
    hand_over,
    node_temps_of,
    run_on_device,
)
from edgetwin.simulator.threads import Threads
from hw_models.board import Board
from hw_models.lanes import LANES
from hw_models.lowering import BOARD_DTYPE, GOVERNORS, UNITS

if TYPE_CHECKING:
    from edgetwin.kernel_gpu import GpuBatch

Array = NDArray[np.float64]
BLOCK = 32


@final
class BatchSimulator:
    """n boards in software; board i is the Simulator with the same board, scenario and seed.

    seeds: one for every board, or a number: board i then has seeds + i. sample(board, rng) draws
    the board of every block of 32 from (seeds[0], block); without it all are `board`. dtype
    float32 takes half the memory traffic and lets a level flip at a threshold. threads share the
    boards between them. With coast=False quiet stretches are stepped period by period, and so they
    always are with a device of torch ("cuda", "cuda:1", "cpu"), which takes the place of the
    compiled kernel and of threads; `gpu` then has the state as tensors. With keep_lives=True
    `lives` has what became of every job that has ended; not with a device.
    """

    def __init__(
        self,
        board: Board,
        n_boards: int,
        *,
        scenario: Scenario | Sequence[Scenario] | None = None,
        seeds: int | Sequence[int] = 0,
        sample: Sample | None = None,
        dtype: type[np.float64] | type[np.float32] = np.float64,
        threads: int = 1,
        coast: bool = True,
        device: str | None = None,
        keep_lives: bool = False,
    ) -> None:
        if n_boards < 1 or threads < 1:
            raise ValueError(f"{n_boards} boards on {threads} threads; give 1 or more of each.")
        if dtype not in (np.float64, np.float32):
            raise ValueError(f"dtype is {dtype!r}; give np.float64 or np.float32.")
        if keep_lives and device is not None:
            raise ValueError(f"keep_lives needs the compiled kernel; leave out device {device!r}.")
        self.board = board
        self.n_boards = n_boards
        self.lowered = board.lower()
        self.layout = layout_of(self.lowered)
        rows = zip(self.layout.at.dtype.names or (), self.layout.at[0].item(), strict=True)
        self.at = {name: row for name, row in rows if row >= 0}
        groups = -(-n_boards // LANES)
        self.floats, self.whole = new_blocks(self.layout, groups, dtype)
        self.whole[:, self.at["t_ns"]] = NEVER
        self.plans = np.zeros((groups * LANES, 1), PLAN_DTYPE)
        self.lives = np.zeros((groups * LANES, 1 if keep_lives else 0), LIFE_DTYPE)
        low = self.lowered
        columns = HEAD + len(low.zones) + len(low.rails) + len(low.domains)
        self.readings = np.zeros((n_boards, columns))
        self._everyone = np.ones(n_boards, np.bool_)
        self.coast, self._threads = coast, Threads(threads)
        self._device, self._sample = device, sample
        self._scenarios = scenarios_of(scenario, n_boards)
        self._seeds = seeds_of(seeds, n_boards)
        self.draw_boards(int(self._seeds[0]))
        self.reset()

    # -- boards ----------------------------------------------------------------------------

    def draw_boards(self, seed: int) -> None:
        """Draw the board of every block from (seed, block); the same one for all without sample.

        Call `reset` afterwards: states belong to the boards they began on.
        """
        self.boards = boards_of(self.board, self._sample, -(-self.n_boards // BLOCK), seed)
        self.records = np.array([one.lowered.record[0] for one in self.boards], BOARD_DTYPE)
        self.groups_per_board = BLOCK // LANES if self._sample is not None else len(self.floats)
        self.gpu: GpuBatch | None = None
        self.gather_tables()

    def gather_tables(self) -> None:
        """Collect the demand rows of all boards, which may have grown."""
        self.tables = np.array([one.table.rows for one in self.boards])
        orders = [one.order() for one in self.boards]
        self.orders = np.array(orders).reshape(len(orders), -1, UNITS)
        self._known = len(self.boards[0].table.known_rows())
        if self.gpu is not None:
            self.gpu.set_table(self.tables, self.orders)

    def board_of(self, i: int) -> Board:
        """The board that board i of the batch is, for a Simulator that shall equal it."""
        return self.boards[self._block(i)].board

    def _block(self, i: int) -> int:
        return i // BLOCK if self._sample is not None else 0

    # -- life ------------------------------------------------------------------------------

    def reset(
        self,
        *,
        which: Sequence[int] | NDArray[Any] | None = None,
        seeds: int | Sequence[int] | None = None,
        scenario: Scenario | Sequence[Scenario] | None = None,
    ) -> None:
        """Start boards again at t = 0: all, or those of a mask (n,) or of indices.

        seeds and scenario, one for all or one per board of the batch, replace those before.
        """
        chosen = np.arange(self.n_boards) if which is None else np.asarray(which)
        if chosen.dtype == np.bool_:
            chosen = np.flatnonzero(chosen)
        if seeds is not None:
            self._seeds[chosen] = seeds_of(seeds, self.n_boards)[chosen]
        if scenario is not None:
            given = scenarios_of(scenario, self.n_boards)
            for i in chosen:
                self._scenarios[i] = given[i]
        given_to = ((self._scenarios[i], int(self._seeds[i])) for i in chosen)
        starts = starts_of(self.board, self.boards, given_to)
        for i, (plan, entries, key) in zip(chosen, starts, strict=True):
            self._begin(int(i), plan, entries, key)
        if len(self.boards[0].table.known_rows()) != self._known:
            self.gather_tables()
        self.gpu = begin_on_device(self, self._device, chosen)
        self.look(chosen)

    def _begin(self, i: int, plan: Plan, entries: NDArray[Any], key: Any) -> None:
        """Put board i at the start of its plan."""
        state = self.boards[self._block(i)].first_state(plan)
        group, lane = divmod(i, LANES)
        f, n, at = self.floats[group], self.whole[group], self.at
        f[:, lane] = state.view(np.float64)[self.layout.float_words]
        known = self.layout.whole_words >= 0
        n[:, lane] = 0
        n[known, lane] = state.view(np.int64)[self.layout.whole_words[known]]
        self._make_room(len(entries))
        self.plans[i] = 0
        self.plans[i, : len(entries)] = entries
        self.lives[i] = 0
        scenario = self._scenarios[i]
        for name, value in (
            ("key", key.view(np.int64)),
            ("may_coast", self.coast),
            ("event_end", len(entries)),
            ("event_ns", first_event_ns(entries)),
            ("to_come", len(plan.arrivals)),
            ("until_done", scenario is not None and scenario.until == "done"),
        ):
            n[at[name], lane] = value

    def _make_room(self, entries: int) -> None:
        if entries > self.plans.shape[1]:
            more = entries - self.plans.shape[1]
            self.plans = np.pad(self.plans, ((0, 0), (0, more)))
            if self.keeps_lives:
                self.lives = np.pad(self.lives, ((0, 0), (0, more)))

    @property
    def keeps_lives(self) -> bool:
        """Is what became of jobs noted in `lives` (places, entries), by the entries of plans?"""
        return self.lives.shape[1] > 0

    def advance(self, dt_s: float) -> Array:
        """Simulate dt_s seconds on every board; what the sensors say then: `readings`."""
        if not 0 <= dt_s < 1e9:
            raise ValueError(f"cannot advance by {dt_s} s; give a number from 0 to 1e9.")
        now_ns = self.rows("t_ns")  # NEVER in places without a board: those stay where they are
        self.rows("end_ns")[:] = np.where(now_ns < NEVER, now_ns + round(dt_s * 1e9), -1)
        self.run()
        return self.read()

    def look(self, which: Any = slice(None)) -> None:
        """Let boards see what happens at this instant, and read their sensors."""
        ends = self.whole[:, self.at["end_ns"]]
        ends[:] = -1
        flat = np.array(ends).reshape(-1)
        flat[which] = self.whole[:, self.at["t_ns"]].reshape(-1)[which]
        ends[:] = flat.reshape(ends.shape)
        self.run()
        self.read()

    def run(self) -> None:
        """Run every board until its own end_ns."""
        if self.gpu is not None:
            return run_on_device(self, self.gpu)
        self.share(self.run_groups)

    def share(self, work: Callable[[int, int], None]) -> None:
        """Let the threads do work(first, last) on shares of the groups, each first to last - 1."""
        self._threads.share(len(self.floats), work)

    def run_groups(self, first: int, last: int) -> None:
        """Run the boards of groups first to last - 1 until their own end_ns, in this thread."""
        run_groups(
            self.floats, self.whole, self.layout.at, self.records, self.tables, self.orders,
            self.plans, self.lives, (self.layout.float_words, self.layout.whole_words),
            self.layout.flowing, first, last, self.groups_per_board,
        )  # fmt: skip

    def read(self) -> Array:
        """Fill `readings` with what the sensors say now."""
        if self.gpu is not None:
            self.readings[:] = self.gpu.readings().cpu().numpy()
        else:
            read_groups(
                self.floats, self.whole, self.layout.at, self.records, self.groups_per_board,
                0, len(self.floats), self._everyone, self.readings,
            )  # fmt: skip
        return self.readings

    def close(self) -> None:
        """Let the threads go. Closing twice is fine."""
        self._threads.close()

    # -- what boards do and say --------------------------------------------------------------

    def rows(self, name: str, index: int = 0) -> NDArray[Any]:
        """A number of every board's state as a view (groups, LANES); ValueError on a device."""
        if self.gpu is not None and name not in MIRRORED:
            raise ValueError(f"{name} is on {self.gpu.device}; read it by get({name!r}).")
        kind = self.floats if is_float(name) else self.whole
        return kind[:, self.at[name] + index]

    def get(self, name: str, index: int = 0) -> NDArray[Any]:
        """A copy of a number of the state, (n_boards,)."""
        if self.gpu is not None and name in self.gpu.tensors:
            return column_of(self.gpu, name, index)
        return self.rows(name, index).reshape(-1)[: self.n_boards]

    def node_temps_c(self) -> Array:
        """True temperatures (n_boards, n_nodes): for oracles and reports, not for policies."""
        return node_temps_of(self)

    @property
    def temps_c(self) -> Array:
        """What the zones say, a view (n_boards, n_zones) of `readings`; NaN for nothing."""
        return self.readings[:, HEAD : HEAD + len(self.lowered.zones)]

    @property
    def power_w(self) -> Array:
        """What the rails say, a view (n_boards, n_rails) of `readings`; NaN for nothing."""
        at = HEAD + len(self.lowered.zones)
        return self.readings[:, at : at + len(self.lowered.rails)]

    @property
    def freq_hz(self) -> Array:
        """Clocks, a view (n_boards, n_domains) of `readings`."""
        return self.readings[:, -len(self.lowered.domains) :]

    @property
    def energy_j(self) -> Array:
        """Energy drawn since reset, a view (n_boards,) of `readings`."""
        return self.readings[:, ENERGY_J]

    def set_governor(self, domain: str, governor: str) -> None:
        """Give a clock domain of every board to a governor; see `Simulator.apply`."""
        d = self.lowered.domains.index(domain)
        if self.gpu is not None:
            return hand_over(self.gpu, d, GOVERNORS.index(governor))
        self.rows("governor", d)[:] = GOVERNORS.index(governor)
        self.rows("fixed", d)[:] = self.rows("target", d)
        self.rows("steady")[:] = 0
