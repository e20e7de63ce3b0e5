"""A manager at work on many boards at once: the closed loop on the batch simulator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.batch_read import ENERGY_J
from edgetwin.kernel.batch_state import is_float
from edgetwin.kernel.heat import zone_means_c
from edgetwin.kernel.state import QOS_SHARE, SLOTS
from edgetwin.scenario import Scenario
from edgetwin.simulator import BatchSimulator
from edgetwin.simulator.batch_plan import Sample
from edgetwin.systems.thermal.chip import Array, Chip, Whole, chip_of
from edgetwin.systems.thermal.compiled.boards import move_all, over_boards
from edgetwin.systems.thermal.lives import Lives, lives_of
from edgetwin.systems.thermal.overhead import refills_ns, with_inference
from edgetwin.systems.thermal.truth import truth_of_batch
from edgetwin.systems.thermal.view import Manager, Orders, View, view_of
from hw_models.board import Board

WINDOW_S: Final = 0.5
LIMIT_S: Final = 6000.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of n boards.

    mean_c: time mean of the true SoC zone over the board's own makespan_s; peak_c its highest
    true value; idle_c where the idle board rests; windows: 500 ms windows of jobs with a target,
    and how many of them fell below 98 % of it, (n, 2). lives: every job.
    """

    mean_c: Array
    peak_c: Array
    idle_c: Array
    makespan_s: Array
    energy_j: Array
    migrations: Whole
    throttled_s: Array
    windows: Whole
    lives: Lives


Watch = Callable[[View, NDArray[np.bool_]], None]


@final
class Rollout:
    """n boards under one manager, advanced window by window.

    sample draws another board for every 32 (see BatchSimulator). Boards whose jobs are all done
    stand still.
    """

    def __init__(
        self,
        board: Board,
        manager: Manager,
        scenarios: Sequence[Scenario],
        seeds: Sequence[int],
        *,
        sample: Sample | None = None,
        seed: int = 0,
    ) -> None:
        self.manager = manager
        self.chip: Chip = chip_of(board)
        given = with_inference(board, manager.period_s) if manager.on_npu else board
        self.batch = BatchSimulator(
            given, len(scenarios), scenario=scenarios, seeds=seeds, sample=sample, keep_lives=True
        )
        for domain in self.chip.domains:
            self.batch.set_governor(domain, manager.governor)
        n = len(scenarios)
        self.rest_s = np.full((n, SLOTS), np.inf)
        self.windows = np.zeros((n, 2), np.int64)
        self._refill_ns = refills_ns(self.batch.boards[0].table, self.chip)
        self._counts = {"level": self.chip.clusters, "busy": len(self.chip.cores)}
        self._latency_ns = 0
        if manager.on_npu and given.performance.inference is not None:
            self._latency_ns = round(given.performance.inference.latency_s.value * 1e9)
        self.serial = self._serial()
        self._window, self._since_s = (self.serial, self._fields("job_done")), 0.0
        self._truth = truth_of_batch(self.batch)
        self.idle_c = self._zone_c()
        manager.begin(self.chip, n, seed)

    def run(self, limit_s: float = LIMIT_S, watch: Watch | None = None) -> Outcome:
        """Until every board is done or limit_s has passed. watch sees what the manager sees."""
        for _ in range(round(limit_s / self.manager.period_s)):
            live = self.live()
            if not live.any():
                break
            view = self.view()
            if watch is not None:
                watch(view, live)
            self.step(self.manager.decide(view), live)
        return self._outcome()

    def step(self, orders: Orders, live: NDArray[np.bool_]) -> None:
        """Carry out orders and let a period of the manager pass on the boards that are live (n,).

        Windows of 500 ms are counted on the way.
        """
        self.carry_out(orders.moves, live)
        if orders.levels is not None:
            self._ask(orders.levels)
        period_s, ends = self.manager.period_s, self.batch.rows("end_ns")
        flat = np.full(ends.size, -1)
        flat[: len(live)] = np.where(live, self.batch.get("t_ns") + round(period_s * 1e9), -1)
        ends[:] = flat.reshape(ends.shape)
        self.batch.run()
        serial = self._serial()
        same = serial == self.serial
        self.rest_s = np.where(same, self.rest_s + period_s, np.inf)
        self.serial = serial
        self._since_s += period_s
        if self._since_s > WINDOW_S - 1e-9:
            self._count_windows()

    # -- what the manager sees and wants -------------------------------------------------------

    def _fields(self, name: str) -> NDArray[Any]:
        """The numbers of a field of the state that managers look at, (n, count)."""
        kind = self.batch.floats if is_float(name) else self.batch.whole
        first, n = self.batch.at[name], self.batch.n_boards
        count = SLOTS if name.startswith("job_") else self._counts.get(name, 1)
        rows = kind[:, first : first + count]
        return np.ascontiguousarray(rows.transpose(0, 2, 1)).reshape(-1, count)[:n]

    def view(self) -> View:
        """What the manager sees now."""
        return view_of(self._fields, self.chip, self.rest_s, self._truth)

    def live(self) -> NDArray[np.bool_]:
        """Boards on which something is still to be done, (n,)."""
        over = np.zeros(self.batch.n_boards, np.bool_)
        over_boards(self.batch.whole, self.batch.layout.at, over)
        return ~over

    def _serial(self) -> Whole:
        unit, serial = self._fields("job_unit"), self._fields("job_serial")
        return np.where(unit >= 0, serial, 0)

    def carry_out(self, moves: Whole, live: NDArray[np.bool_]) -> None:
        """Move programs on live boards (n,); moves (n, m, 2) as in `Orders`."""
        moves = np.where(live[:, None, None], moves, -1)
        if not (moves[:, :, 0] >= 0).any():
            return
        batch = self.batch
        move_all(
            batch.whole, batch.layout.at, batch.records, batch.groups_per_board,
            batch.plans, np.ascontiguousarray(moves), self._refill_ns, self._latency_ns,
        )  # fmt: skip
        boards, which = np.nonzero(moves[:, :, 0] >= 0)
        self.rest_s[boards, moves[boards, which, 0]] = 0.0

    def _ask(self, levels: Whole) -> None:
        n, batch = self.batch.n_boards, self.batch
        changed = np.zeros(n, np.bool_)
        for d in range(self.chip.clusters):
            rows = batch.rows("fixed", d)
            flat = rows.reshape(-1).copy()
            changed |= flat[:n] != levels[:, d]
            flat[:n] = levels[:, d]
            rows[:] = flat.reshape(rows.shape)
        steady = batch.rows("steady")
        flat = steady.reshape(-1).copy()
        flat[:n] = np.where(changed, 0, flat[:n])
        steady[:] = flat.reshape(steady.shape)

    # -- figures ---------------------------------------------------------------------------------

    def _count_windows(self) -> None:
        """Windows in which the same job ran throughout, and those in which it was too slow."""
        serial, done = self._window
        now, target, more = self._serial(), self._fields("job_target"), self._fields("job_done")
        whole = (now == serial) & (now > 0) & (target > 0.0)
        slow = (more - done) / self._since_s < QOS_SHARE * target
        self.windows[:, 0] += whole.sum(axis=1)
        self.windows[:, 1] += (whole & slow).sum(axis=1)
        self._window, self._since_s = (now, more), 0.0

    def _zone_c(self) -> Array:
        """True temperature of the first zone, (n,)."""
        zone = next(iter(self.batch.board.sensors.zones.values()))
        return np.asarray(self.batch.node_temps_c()[:, self.batch.lowered.nodes.index(zone.node)])

    def _outcome(self) -> Outcome:
        batch = self.batch
        everyone = np.arange(batch.n_boards)
        states = self._truth.states(everyone)
        lowered = [batch.boards[k].lowered for k in self._truth.of_board]
        return Outcome(
            mean_c=np.array([zone_means_c(states[i : i + 1], lowered[i])[0] for i in everyone]),
            peak_c=states["peak_c"][:, 0],
            idle_c=self.idle_c,
            makespan_s=states["t_ns"] * 1e-9,
            energy_j=batch.read()[:, ENERGY_J].copy(),
            migrations=states["migrations"],
            throttled_s=states["throttled_s"],
            windows=self.windows,
            lives=lives_of(batch),
        )
