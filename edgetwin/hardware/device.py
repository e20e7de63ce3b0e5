"""Device: a board on the desk as a backend, driven through the agent over one link."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, final

from edgetwin.backend import Applied, JobId, JobResult, asked_knobs
from edgetwin.hardware.crew import Crew, Member, kpis_of_run
from edgetwin.hardware.errors import HardwareError
from edgetwin.hardware.events import IDLE, Event, Stop, events_of, kept_until
from edgetwin.hardware.link import PROTOCOLS, Link, RefusedError
from edgetwin.hardware.pace import OVERRUNS, Overrun, Pace
from edgetwin.hardware.qos import QosLoop
from edgetwin.hardware.safety import Limits, description
from edgetwin.hardware.seen import reading_of, recorded
from edgetwin.hardware.wishes import kept, place_of, wishes
from edgetwin.hardware.words import words_of
from edgetwin.scenario import Arrival, Scenario
from hw_models.board import Board, Knobs
from hw_models.jobs import Job, JobKind, job_kind
from hw_models.naming import unknown
from hw_models.trace import Reading, Trace

# Clocks of the run are whole nanoseconds, as in the simulator.
_NS: Final = 1e-9


@final
class Device:
    """A real or virtual board; what a policy does on it is what it does in simulation.

    target is `local` or `ssh://user@host`, root moves every path of the board below a folder.
    Time is the wall's: `advance` waits, readings carry the scheduled time, `timing` says how well
    it was met (see `Pace`). commands gives the words that start real work by kind of job (their
    process prints a line a step); without them a program keeps a core busy, and a virtual board
    simulates any job. With dry_run nothing is written and no job started; watch is called with the
    path and text of every write of a knob, real or not. The board is given back by `close`, or by
    the agent itself when anything fails. HardwareError without an agent, or when it ends.
    """

    def __init__(
        self,
        board: Board,
        *,
        target: str = "local",
        root: str = "/",
        scenario: Scenario | None = None,
        seed: int = 0,
        limits: Limits | None = None,
        overrun: Overrun = "catch-up",
        record_s: float | None = None,
        commands: Mapping[JobKind, Sequence[str]] | None = None,
        state: str | None = None,
        dry_run: bool = False,
        watch: Callable[[str, str], None] | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        if overrun not in OVERRUNS:
            raise ValueError(unknown("way to overrun", overrun, list(OVERRUNS)))
        self.board = board
        self.target = target
        self._watch = watch
        self.said: dict[str, Any] = {}
        self._scenario, self._seed = scenario, seed
        self._commands = dict(commands or {})
        self._record_s = record_s
        limits = limits or Limits()
        self._crew = Crew(board=board)
        self._link = Link(target, root, state=state, timeout_s=timeout_s,
                          beat_s=limits.deadman_s / 4.0)  # fmt: skip
        try:
            spec = description(board, limits, dry_run=dry_run)
            self.found = self._ask("describe", within_s=30.0, spec=spec, protocols=PROTOCOLS)
        except BaseException:
            self._link.close()
            raise
        if not self.found["found"]:
            self._link.close()
            raise HardwareError(f"nothing of {board.name} is below {root} on {target}.")
        self._pace = Pace(float(self.found["time_scale"]), overrun)
        self._qos = QosLoop(board)

    # -- the Backend protocol -------------------------------------------------------------

    def reset(self, *, seed: int | None = None, scenario: Scenario | None = None) -> Reading:
        """Give the board back, then begin anew: the scenario's jobs come at their times.

        ambient, faults, power mode and first temperatures of a scenario are as they are on a
        desk. ValueError for what this board cannot do.
        """
        self._seed = self._seed if seed is None else seed
        self._scenario = scenario or self._scenario
        plan = IDLE
        if self._scenario is not None:
            plan = self._scenario.realise(self.board, seed=self._seed)
        self._crew.clear()
        self._qos.clear()
        self._ask("restore", within_s=10.0, zero=True)
        if self._record_s is not None:
            self._ask("record", period_s=self._record_s)
        self._now_ns = 0
        self._cap_w = plan.cap_w
        self._readings: list[Reading] = []
        self._todo: list[Event] = events_of(plan)
        self._all_came = not plan.arrivals
        self._zero_j: float | None = None
        self._act_until(0)
        if plan.fan is not None:
            self.apply(Knobs(fan=plan.fan))
        self._pace.start()
        return self._look()

    def submit(self, job: Job, unit: str | None = None, *, name: str | None = None) -> JobId:
        """Start a process on a unit; without one the least loaded that runs the job fastest.

        KeyError for an unknown unit, ValueError for a unit that cannot run it, for a name that
        works already, and for a kind of work that needs a command on a real board.
        """
        place, ident = self._crew.place(job, unit), self._crew.name(job, name)
        kind = job_kind(job)
        request: dict[str, Any] = {"job": ident, "unit": place, "kind": kind}
        command = self._commands.get(kind)
        request |= {"words": words_of(job, place)} if command is None else {"command": [*command]}
        self._ask("start", **request)
        t_s = self._now_ns * _NS
        member = Member(id=ident, job=job, unit=place, start_s=t_s, seen_s=t_s)
        self._crew.working[ident] = member
        return ident

    def apply(self, knobs: Knobs) -> Applied:
        """Turn knobs now; what the device, its trip or the allow-list refuses is reported."""
        asked_knobs(self.board, knobs, self._crew.working)
        for ident, batch in knobs.batch.items():
            self._crew.checked_batch(ident, batch)
        places = {ident: self._crew.place(self._crew.member(ident).job, unit)
                  for ident, unit in knobs.placement.items()}  # fmt: skip
        refused = self._turn(knobs)
        for ident, unit in places.items():
            self._migrate(ident, refused, f"placement.{ident}", unit=unit)
        for ident, batch in knobs.batch.items():
            self._migrate(ident, refused, f"batch.{ident}", batch=batch)
        return Applied(accepted=kept(knobs, refused), refused=refused)

    def advance(self, dt_s: float) -> Trace:
        """Wait dt_s; the trace ends with the reading at its end, recorded ones before it."""
        if not 0 <= dt_s < 1e9:
            raise ValueError(f"cannot advance by {dt_s} s; give a number from 0 to 1e9.")
        start_ns = self._now_ns
        end_ns = start_ns + round(dt_s / _NS)
        self._act_until(end_ns)
        self._wait(end_ns, self._pace.lead_s(dt_s))
        last = self._look()
        self._pace.wait_until(end_ns * _NS)
        if dt_s > 0:
            self._pace.period_ended(end_ns * _NS, dt_s)
        between = recorded(self.board, self.said, start_ns * _NS, end_ns * _NS, self._cap_w)
        return Trace.from_readings([*between, last])

    def results(self) -> tuple[JobResult, ...]:
        """Finished jobs in order of completion, then those that run."""
        return (*self._crew.finished, *(m.result() for m in self._crew.working.values()))

    def kpis(self) -> dict[str, float | None]:
        """Key figures since reset, from the readings; None for what was not measured."""
        if not self._readings:
            return {}
        return kpis_of_run(self.board, self._readings, self.results(), self._now_ns * _NS)

    @property
    def done(self) -> bool:
        """Tripped; or, where the scenario ends with its jobs, when the last of them has ended."""
        if self.tripped:
            return True
        if self._scenario is None or self._scenario.until != "done":
            return False
        return self._all_came and not self._crew.working

    def close(self) -> None:
        """Give the board back; twice is fine."""
        self._link.close()

    # -- beyond the protocol --------------------------------------------------------------

    @property
    def tripped(self) -> str:
        """Why the clocks were put to their lowest during this run; empty when they were not."""
        return str(self.said.get("tripped") or ("tripped" if self.said.get("trips") else ""))

    @property
    def agent_pid(self) -> int:
        """The agent's process on the board."""
        return int(self.found["agent"])

    def info(self) -> dict[str, Any]:
        """Timing of the run, and what is wrong with which sensor, beside the last reading."""
        return {
            "wall_s": self._pace.now_s() / self._pace.scale,
            **asdict(self._pace.timing),
            "oldest_s": self.said.get("oldest_s"),
            "faults": dict(self.said.get("faults", {})),
            "suspect": list(self.said.get("suspect", ())),
            "tripped": self.tripped,
        }

    def withdraw(self, ident: JobId) -> None:
        """Stop a job before its work is done; nothing happens if it has ended already."""
        if ident in self._crew.working:
            said = self._ask("stop", job=ident)
            self._crew.see({ident: said}, self._now_ns * _NS)
            self._crew.retire(ident, self._now_ns * _NS)

    # -- inside ---------------------------------------------------------------------------

    def _ask(self, verb: str, **more: Any) -> dict[str, Any]:
        """The agent's answer; a refusal is the error that a backend raises for it."""
        try:
            return self._link.ask(verb, **more)
        except RefusedError as error:
            if error.kind == "value":
                raise ValueError(f"{self.board.name}: {error}.") from None
            raise HardwareError(f"{self.board.name} on {self.target}: {error}.") from None

    def _turn(self, knobs: Knobs) -> dict[str, str]:
        """Clocks and fan in one request; what was refused, by its place in Knobs."""
        clocks = wishes(knobs, self._qos)
        if not clocks and knobs.fan is None:
            return {}
        said = self._ask("apply", clocks=clocks, fan=knobs.fan)
        if self._watch is not None:
            for path, text in said["wrote"]:
                self._watch(path, text)
        return {place_of(knobs, name): why for name, why in said["refused"].items()}

    def _migrate(self, ident: JobId, refused: dict[str, str], place: str, **what: Any) -> None:
        try:
            self._ask("migrate", job=ident, **what)
        except (ValueError, HardwareError) as error:
            if isinstance(error, HardwareError) and "has ended" in str(error):
                raise
            refused[place] = str(error)
            return
        if "unit" in what:
            self._crew.working[ident].unit = what["unit"]
        else:
            self._crew.rebatch(ident, what["batch"])

    def _look(self) -> Reading:
        """A reading at the present time of the run."""
        self.said = self._ask("read")
        self._pace.answered(self._link.took_s)
        drawn_j = self.said["energy_j"]
        if drawn_j is not None:  # counted from the first reading on
            self._zero_j = drawn_j if self._zero_j is None else self._zero_j
            self.said["energy_j"] = drawn_j - self._zero_j
        t_s = self._now_ns * _NS
        jobs = self._crew.see(self.said["jobs"], t_s)
        for ident in [i for i, member in self._crew.working.items() if member.done]:
            self._link.ask("stop", job=ident)
            self._crew.retire(ident, t_s)
            jobs.pop(ident, None)
        reading = reading_of(self.board, self.said, t_s, self._cap_w, jobs)
        if self._readings and self._readings[-1].t_s >= t_s:
            self._readings.pop()
        self._readings.append(reading)
        return reading

    def _wait(self, end_ns: int, lead_s: float = 0.0) -> None:
        """Wait until lead_s before end_ns; the QoS rule decides every control period on the way."""
        while self._qos.domains and self._now_ns < end_ns:
            self._now_ns = min(self._now_ns + self._qos.period_ns, end_ns)
            self._pace.wait_until(self._now_ns * _NS)
            if self._now_ns < end_ns and self._pace.now_s() < end_ns * _NS:
                wanted_hz = self._qos.wanted_hz(self._look())
                if wanted_hz:
                    self._ask("apply", clocks={d: {"hz": hz} for d, hz in wanted_hz.items()})
        self._now_ns = end_ns
        self._pace.wait_until(end_ns * _NS - lead_s)

    def _act_until(self, end_ns: int) -> None:
        """Carry out what the scenario has for this stretch, each at its time."""
        while self._todo and self._todo[0].t_s <= end_ns * _NS + 0.5 * _NS:
            event = self._todo.pop(0)
            self._wait(max(round(event.t_s / _NS), self._now_ns))
            if isinstance(event, Stop):
                self.withdraw(event.ident)
            elif isinstance(event, Arrival):
                self._arrive(event)
            elif event.knobs is not None:
                self.apply(event.knobs)
            else:
                self._cap_w = event.value
        self._all_came = not any(isinstance(event, Arrival) for event in self._todo)

    def _arrive(self, arrival: Arrival) -> None:
        self.submit(arrival.job, arrival.unit, name=arrival.id)
        if (end := kept_until(arrival)) is not None:
            self._todo.append(end)
            self._todo.sort(key=lambda event: event.t_s)
