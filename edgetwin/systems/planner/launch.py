"""A user's script trains for real while a board (or its twin) is driven by the plan.

On the twin every optimiser step costs what the board's model says, so the script learns at its own
pace and the clock that counts is simulated. On hardware the device is driven and its clock counts.
The plan's batch and clocks are set before the first step. Under a cap that changes the plan is made
again at every change, and corrected by what the board draws.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from edgetwin.backend import Backend
from edgetwin.systems.planner.convergence import RULES, Rule
from edgetwin.systems.planner.drawn import Drawn
from edgetwin.systems.planner.meter import hottest_c, input_rail
from edgetwin.systems.planner.on_board import ENDLESS
from edgetwin.systems.planner.online import NO_CAP_W, Online, Seen
from edgetwin.systems.planner.saved import Order
from edgetwin.systems.planner.script import Enough, run_script
from hw_models.board import Knobs
from hw_models.jobs import NetworkProfile, TrainingJob
from hw_models.trace import Reading

_LOOK_S: Final = 1.0  # how often a device is read while a script trains


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """How a script is to train: its target, if any, and how its learning rate follows the batch."""

    target: float | None = None
    is_falling: bool = False
    rule: Rule = "sqrt"
    seed: int = 0


@final
class BoardSession:
    """Listens to a script and drives a backend: knobs before the first step, time with every step.

    elapsed_s tells the time of a device since its reset, which is read every second. None is for
    the twin: a step advances it by the time that the step takes there. With `online` the plan
    follows the backend's cap; a script that does not take over the new batch size at once runs at
    the best clock of the one it has.
    """

    is_proxy = False

    def __init__(
        self,
        backend: Backend,
        order: Order,
        network: NetworkProfile,
        aim: Aim | None = None,
        *,
        elapsed_s: Callable[[], float] | None = None,
        online: Online | None = None,
    ) -> None:
        self.backend, self.order, self.online = backend, order, online
        self.aim = Aim() if aim is None else aim
        self.batch: int | None = order.batch
        self.seed = self.aim.seed
        self.steps, self.samples = 0, 0.0
        self.metric: float | None = None
        self.has_reached = False
        self.refused: dict[str, str] = {}
        self._elapsed_s = elapsed_s
        self._rail = input_rail(backend.board)
        batches = (order.batch,) if online is None else online.planner.space.batches
        self._job = TrainingJob(
            network=network, batch=order.batch, samples_to_target=dict.fromkeys(batches, ENDLESS)
        )
        self._id: str | None = None
        self._told = order.batch
        self._freq_hz: dict[str, float] = {}
        self._reading: Reading = backend.reset(seed=self.seed)
        self._drawn = Drawn(self._reading, self._rail)
        self._next_look = 0.0
        self.changes: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Set the plan's clocks; on the twin the training job starts to load the board."""
        if self._elapsed_s is None:
            self._id = self.backend.submit(self._job)
        self._turn(self.order.freq_hz)
        self._see(0.0)
        if self.online is not None:
            # Nothing has trained yet: the first cell is taken over whole.
            cell = self.online.decide(self._seen(None))
            self.batch = self._told = int(cell.label["batch"])
            self._load_with(self._told)
            self._turn(cell.label["freq_hz"])

    def rate_factor(self, batch: int, base: int) -> float:
        """The rule under which the batch sizes were compared."""
        return float((batch / base) ** RULES[self.aim.rule])

    def stepped(self, batch: int, parameters: Iterable[Any] | None) -> None:
        """Time passes: on the twin what the step costs, on a device what it took."""
        self.steps += 1
        self.samples += batch
        if batch != self._told:
            self._told = batch
            self._load_with(batch)
            self._decide()
        if self._elapsed_s is None:
            self._work(float(batch))
        elif self.samples >= self._next_look:
            self.look()

    def reported(self, metric: float) -> bool:
        """Ends the script at the target."""
        self.metric = metric
        target = self.aim.target
        if target is None:
            return False
        if metric <= target if self.aim.is_falling else metric >= target:
            self.has_reached = True
            raise Enough
        return False

    def look(self) -> None:
        """Let a device come to its own present and read it; nothing to do on the twin."""
        if self._elapsed_s is None:
            return
        before_s = self._reading.t_s
        self._see(max(self._elapsed_s() - before_s, 0.0))
        self._decide()
        now_s = self._reading.t_s
        if now_s > 0:
            self._next_look = self.samples + self.samples / now_s * _LOOK_S

    def result(self) -> dict[str, Any]:
        """What training came to, and what the plan had predicted."""
        return {
            "batch": self._told,
            "freq_hz": dict(self._freq_hz),
            "refused": self.refused,
            "steps": self.steps,
            "samples": self.samples,
            "metric": self.metric,
            "target": self.aim.target,
            "reached": self.has_reached,
            **self._drawn.as_json(),
            "hottest_c": hottest_c(self._reading),
            "changes": self.changes,
            "planned": dict(self.order.predicted),
        }

    def _work(self, samples: float) -> None:
        """The twin does one step, by the second at most: the cap may change on the way."""
        assert self._id is not None
        while True:
            rate = self._reading.jobs[self._id].rate
            left_s = samples / rate if rate else _LOOK_S
            self._see(min(left_s, _LOOK_S))
            self._decide()
            if not rate or left_s <= _LOOK_S:
                return
            samples -= rate * _LOOK_S

    def _decide(self) -> None:
        """What runs from now on, where the plan is to be kept right."""
        if self.online is None:
            return
        cell = self.online.decide(self._seen(self._told))
        self.batch = int(cell.label["batch"])
        if self.batch != self._told:
            cell = self.online.keeping(self._told)
        self._turn(cell.label["freq_hz"])

    def _seen(self, batch: int | None) -> Seen:
        cap_w = self._reading.cap_w
        power_w = None if self._reading.power_w is None else self._reading.power_w.get(self._rail)
        return Seen(cap_w=NO_CAP_W if cap_w is None else cap_w, power_w=power_w, batch=batch)

    def _load_with(self, batch: int) -> None:
        """The twin's job trains with the script's batch; on a device the script itself does."""
        if self._id is not None and self._reading.jobs[self._id].batch != batch:
            self.backend.apply(Knobs(batch={self._id: batch}))
            self._see(0.0)

    def _turn(self, freq_hz: Mapping[str, float]) -> None:
        """Clocks that do not stand there yet, noted with the batch that runs."""
        if self._freq_hz == dict(freq_hz):
            return
        self._freq_hz = dict(freq_hz)
        self.refused |= dict(self.backend.apply(Knobs(freq_hz=self._freq_hz)).refused)
        self.changes.append(
            {"t_s": self._reading.t_s, "cap_w": self._reading.cap_w, "batch": self._told,
             "freq_hz": self._freq_hz}
        )  # fmt: skip
        self._see(0.0)

    def _see(self, dt_s: float) -> None:
        self._reading = self.backend.advance(dt_s).last
        self._drawn.add(self._reading)


def train(path: Path, session: BoardSession, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run the script under the session; ValueError for one that never calls its hook.

    The backend is closed whatever happens, which leaves a device as it was found.
    """
    try:
        session.begin()
        run_script(path, session, arguments)
        session.look()
    finally:
        session.backend.close()
    if not session.steps:
        clocks = ", ".join(f"{d} at {hz / 1e6:g} MHz" for d, hz in session.order.freq_hz.items())
        raise ValueError(
            f"{path.name} ended without calling hook.step(): edgetwin saw no training step. Make "
            "hook = training_hook(batch=...), use hook.batch, and call hook.step() after every "
            f"optimizer.step(); the plan stands: batch {session.order.batch}, {clocks}."
        )
    return session.result()


def elapsed_of(backend: Backend) -> Callable[[], float] | None:
    """The clock of a device; None for a backend whose time passes only when it is advanced."""
    from edgetwin.hardware import Device

    if not isinstance(backend, Device):
        return None
    scale = float(backend.found["time_scale"])
    return lambda: scale * float(backend.info()["wall_s"])


def online_of(order: Order, plan: str) -> Online:
    """A plan that follows the cap; ValueError for a file that does not say what it rests on."""
    if order.planner is None:
        raise ValueError(
            f"{plan} holds a choice and not its cells, so it cannot follow caps that change; "
            "make it again with `edgetwin plan --out`."
        )
    return Online(order.planner)
