"""The twin: simpy owns what is discrete, the kernel settles the physics between events."""

import copy
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, final

import simpy

from edgetwin.backend import Applied, JobId, JobResult
from edgetwin.kernel import REACHED, SLOTS, held
from edgetwin.kernel.handle import handle
from edgetwin.kernel.state import NEVER, State, copied, node_temps_c, put_into
from edgetwin.scenario import Plan, Scenario
from edgetwin.simulator import jobs
from edgetwin.simulator.clock import Clock
from edgetwin.simulator.jobs import JOB_FIELDS, Running, check_runs, choose, name_of, start
from edgetwin.simulator.knobs import apply_knobs
from edgetwin.simulator.plan import initial_state, prepare, scenario_process
from edgetwin.simulator.view import kpis_of, reading_of, result_of, waited
from hw_models.board import Board, Knobs
from hw_models.jobs import Job
from hw_models.naming import unknown
from hw_models.trace import Reading, Trace

Process = Callable[["Simulator", Any], Generator[simpy.Event, Any, None]]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A simulator at one instant, as plain data."""

    state: State
    running: dict[int, Running]
    waiting: tuple[tuple[Running, str | None], ...]
    finished: tuple[JobResult, ...]
    serial: int
    arrived: int
    scenario: Scenario | None
    plan: Plan
    processes: tuple[tuple[Process, Any], ...]


@final
class Simulator:
    """A board in software: same seed, same trace, bit for bit.

    Events of the outside world (arrivals, faults, ambient and cap changes, processes of the user)
    live on a simpy clock in seconds; between them the compiled kernel advances exactly. With
    coast=False quiet stretches are stepped period by period too.
    """

    def __init__(
        self,
        board: Board,
        *,
        scenario: Scenario | None = None,
        seed: int = 0,
        coast: bool = True,
    ) -> None:
        self.board = board
        self.lowered = board.lower()
        self.coast = coast
        self.table = jobs.table_of(board)
        self.unit_index = {name: i for i, name in enumerate(self.lowered.units)}
        self._scenario = scenario
        self._seed = seed
        self.reset()

    # -- the Backend protocol -------------------------------------------------------------

    def reset(self, *, seed: int | None = None, scenario: Scenario | None = None) -> Reading:
        """Start again at t = 0; None keeps the seed and scenario given before."""
        self.restart(seed=seed, scenario=scenario)
        return reading_of(self)

    def restart(self, *, seed: int | None = None, scenario: Scenario | None = None) -> None:
        """`reset` for those who look at the state themselves."""
        self._seed = self._seed if seed is None else seed
        self._scenario = scenario or self._scenario
        self.running: dict[int, Running] = {}
        self.waiting: deque[tuple[Running, str | None]] = deque()
        self.finished: list[JobResult] = []
        self.names: set[JobId] = set()
        self._serial = 0
        self.arrived = 0
        self._processes: list[tuple[Process, Any, simpy.Process]] = []
        self._clock = Clock(0.0)
        self.plan = prepare(self.board, self._scenario, self._seed)
        self.state = initial_state(self.board, self.lowered, self.plan, self._seed, self.table.rows)
        self.state[0]["may_coast"] = self.coast
        self._t_ns = self.state["t_ns"]
        self._hold()
        self.jobs_at = {name: self.state[name][0] for name in JOB_FIELDS}
        self.online = self.state["online"][0]
        if self.plan.arrivals or self.plan.changes:
            self.process(scenario_process, {"next": 0})
        self.run_until(0)

    def submit(self, job: Job, unit: str | None = None, *, name: str | None = None) -> JobId:
        """Start a job on a unit; without one the least loaded unit that runs it fastest.

        It waits its turn when the board is full. KeyError for an unknown unit, ValueError for a
        unit that cannot run it, or a name that another job on the board has.
        """
        first, rows = self.find(job)
        index = None if unit is None else check_runs(self, first, unit)
        self._serial += 1
        ident = name_of(self, job, name, self._serial)
        entry = Running(id=ident, job=job, first=first, rows=rows, start_s=self.now_s)
        self.names.add(ident)
        if len(self.running) == SLOTS:
            choose(self, entry)  # a job that nothing can run must not wait
            self.waiting.append((entry, unit))
        else:
            start(self, entry, index, self._serial)
        return ident

    def apply(self, knobs: Knobs) -> Applied:
        """Turn knobs now; what a fault or the hardware refuses is reported, not raised."""
        return apply_knobs(self, knobs)

    def advance(self, dt_s: float) -> Trace:
        """Simulate dt_s seconds; the trace holds the reading at the end."""
        if not 0 <= dt_s < 1e9:
            raise ValueError(f"cannot advance by {dt_s} s; give a number from 0 to 1e9.")
        self.run_until(self.now_ns + round(dt_s * 1e9))
        return Trace.from_readings([reading_of(self)])

    def results(self) -> tuple[JobResult, ...]:
        """Finished jobs in order of completion, then those that run, then those that wait."""
        live = [result_of(self, slot, entry) for slot, entry in self.running.items()]
        return (*self.finished, *live, *(waited(self, entry) for entry, _ in self.waiting))

    def kpis(self) -> dict[str, float | None]:
        """Key figures since reset, from counters of the kernel, not from samples."""
        return kpis_of(self)

    @property
    def done(self) -> bool:
        """Off; or, where the scenario ends with its jobs, when the last of them has ended."""
        if self.state[0]["off"]:
            return True
        if self._scenario is None or self._scenario.until != "done":
            return False
        all_came = self.arrived == len(self.plan.arrivals)
        return all_came and not self.running and not self.waiting

    def close(self) -> None:
        """Nothing to give back: a simulated board needs no restoring."""

    # -- time -----------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Simulated time in whole nanoseconds."""
        return int(self._t_ns.item())

    @property
    def now_s(self) -> float:
        """Simulated time in seconds."""
        return float(self._t_ns.item()) * 1e-9

    @property
    def clock(self) -> simpy.Environment:
        """The simpy clock in seconds, brought to the present."""
        now_s = self.now_s
        if self._clock.now < now_s:
            self._clock.forward(now_s)
        return self._clock

    @property
    def next_event_ns(self) -> int:
        """When simpy has something to do next."""
        waiting = self._clock._queue
        return round(waiting[0][0] * 1e9) if waiting else NEVER

    def run_until(self, end_ns: int) -> None:
        """Advance to end_ns through every event on the way."""
        step, event_ns = self._clock.step, self.next_event_ns
        while True:
            stop_ns = end_ns if end_ns < event_ns else event_ns
            code = held.advance(self.held, stop_ns)
            if code >= 0:
                self.complete(code)
            elif code == REACHED:
                if event_ns > end_ns:
                    return
                while event_ns <= stop_ns:
                    step()
                    event_ns = self.next_event_ns

    def _hold(self) -> None:
        """Keep the addresses of what the kernel works on, for as long as they stay."""
        self._rows = self.table.rows
        self.held = handle(self.state, self.lowered.record, self._rows)

    def find(self, job: Job) -> tuple[int, int]:
        """Where the job's demand lies: (first row, number of rows) of the table held."""
        found = self.table.find(job)
        self._catch_up()
        return found

    def _catch_up(self) -> None:
        """Hold the table as it is now: any simulator of the board may have made it longer."""
        if self.table.rows is not self._rows:
            self._hold()

    # -- jobs -----------------------------------------------------------------------------

    def slot_of(self, ident: JobId) -> int:
        """The slot of a running job; KeyError for one that does not run."""
        for slot, entry in self.running.items():
            if entry.id == ident:
                return slot
        raise KeyError(unknown("running job", ident, [e.id for e in self.running.values()]))

    def withdraw(self, ident: JobId) -> None:
        """End a job before its work is done; its result counts as it stands.

        Nothing happens if it has ended already.
        """
        for entry, _ in self.waiting:
            if entry.id == ident:
                self.finished.append(waited(self, entry)._replace(end_s=self.now_s))
                self.names.discard(ident)
        self.waiting = deque(w for w in self.waiting if w[0].id != ident)
        if ident in self.names:
            self.complete(self.slot_of(ident))

    def complete(self, slot: int) -> None:
        """Record a job that has ended, free its slot and start the next that waits."""
        entry = self.running.pop(slot)
        self.names.discard(entry.id)
        self.finished.append(result_of(self, slot, entry, self.now_s))
        held.free_job(self.held, slot)
        if self.waiting:
            waiting, unit = self.waiting.popleft()
            self._serial += 1
            index = None if unit is None else check_runs(self, waiting.first, unit)
            start(self, waiting, index, self._serial)

    # -- processes, branching ---------------------------------------------------------------

    def process(self, factory: Process, state: Any) -> simpy.Process:
        """Run factory(sim, state) on the simpy clock.

        state is plain data that the process keeps up to date, so that factory(sim, state) goes
        on where a snapshot was taken.
        """
        process = self.clock.process(factory(self, state))
        self._processes.append((factory, state, process))
        return process

    def snapshot(self) -> Snapshot:
        """Everything needed to go on from here; RuntimeError if a process is not registered."""
        self._clock.refuse_strangers(process for _, _, process in self._processes)
        turn = {id(event): number for _, _, number, event in self._clock._queue}
        alive = [p for p in self._processes if p[2].is_alive]
        # In the order in which they wait, so that ties at one instant end alike after restore.
        self._processes = sorted(alive, key=lambda p: turn.get(id(p[2].target), -1))
        return Snapshot(
            state=copied(self.state),
            running=dict(self.running),
            waiting=tuple(self.waiting),
            finished=tuple(self.finished),
            serial=self._serial,
            arrived=self.arrived,
            scenario=self._scenario,
            plan=self.plan,
            processes=tuple((f, copy.deepcopy(s)) for f, s, _ in self._processes),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Go back (or over) to a snapshot of this simulator."""
        put_into(self.state, snapshot.state)
        self.running = dict(snapshot.running)
        self.waiting = deque(snapshot.waiting)
        self.finished = list(snapshot.finished)
        self.names = {entry.id for entry in self.running.values()}
        self.names.update(entry.id for entry, _ in self.waiting)
        self._serial = snapshot.serial
        self.arrived = snapshot.arrived
        self._scenario = snapshot.scenario
        self.plan = snapshot.plan
        self._clock = Clock(self.now_s)
        self._processes = []
        self._catch_up()
        for factory, state in snapshot.processes:
            self.process(factory, copy.deepcopy(state))

    def node_temps_c(self) -> dict[str, float]:
        """True temperature of every thermal node: for oracles and reports, not for policies."""
        temps_c = node_temps_c(self.state, self.lowered)
        return dict(zip(self.lowered.nodes, map(float, temps_c), strict=True))
