"""A user's script trains for real while a board (or its twin) is driven by the plan.

On the twin every optimiser step costs what the board's model says, so the script learns at its own
pace and the clock that counts is simulated. On hardware the device is driven and its clock counts.
The plan's batch and clocks are set before the first step.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from edgetwin.backend import Backend
from edgetwin.storage import read_json
from edgetwin.systems.planner.convergence import RULES, Rule
from edgetwin.systems.planner.meter import hottest_c, input_rail
from edgetwin.systems.planner.on_board import ENDLESS
from edgetwin.systems.planner.script import Enough, run_script
from hw_models.board import Knobs
from hw_models.jobs import NetworkProfile, TrainingJob
from hw_models.trace import Reading

_LOOK_S: Final = 1.0  # how often a device is read while a script trains


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a plan.json asks for: batch, clocks and the figures it predicts."""

    batch: int
    freq_hz: Mapping[str, float]
    predicted: Mapping[str, Any]


def read_order(path: Path) -> Order:
    """The choice of a plan.json; ValueError for another file, or a plan for a power limit."""
    record = read_json(path)
    try:
        choice = record["choice"]
        batch = int(choice["batch"])
        clocks = choice.get("freq_hz")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{path} is no plan; expected the JSON of `edgetwin plan --out plan.json`."
        ) from None
    if not clocks:
        raise ValueError(f"{path} plans a power limit; training needs a plan made for a --board.")
    return Order(batch=batch, freq_hz={d: float(hz) for d, hz in clocks.items()}, predicted=choice)


@final
class BoardSession:
    """Listens to a script and drives a backend: knobs before the first step, time with every step.

    On the twin (`is_simulated`) a step advances the board by the time it takes there; a device
    lives in its own time and is read every second.
    """

    is_proxy = False

    def __init__(
        self,
        backend: Backend,
        order: Order,
        network: NetworkProfile,
        *,
        is_simulated: bool,
        rule: Rule = "sqrt",
        target: float | None = None,
        is_falling: bool = False,
        seed: int = 0,
    ) -> None:
        self.backend, self.order, self.seed = backend, order, seed
        self.batch: int | None = order.batch
        self.rule, self.target, self.is_falling = rule, target, is_falling
        self.is_simulated = is_simulated
        self.steps, self.samples = 0, 0.0
        self.metric: float | None = None
        self.has_reached = False
        self.refused: dict[str, str] = {}
        self.peak_power_w: float | None = None
        self._rail = input_rail(backend.board)
        self._job = TrainingJob(
            network=network, batch=order.batch, samples_to_target={order.batch: ENDLESS}
        )
        self._id: str | None = None
        self._reading: Reading = backend.reset(seed=seed)
        self._start_s = self._reading.t_s
        self._start_j = self._reading.energy_j or 0.0
        self._watts: list[float] = []
        self._looked_at, self._per_look = 0.0, 0.0

    def begin(self) -> None:
        """Set the plan's clocks; on the twin the training job starts to load the board."""
        if self.is_simulated:
            self._id = self.backend.submit(self._job)
        self.refused = dict(self.backend.apply(Knobs(freq_hz=dict(self.order.freq_hz))).refused)
        self._see(self.backend.advance(0.0).last)

    def rate_factor(self, batch: int, base: int) -> float:
        """The rule under which the batch sizes were compared."""
        return float((batch / base) ** RULES[self.rule])

    def stepped(self, batch: int, parameters: Iterable[Any] | None) -> None:
        """Time passes: on the twin what the step costs, on a device what it took."""
        self.steps += 1
        self.samples += batch
        if self._id is not None:
            rate = self._reading.jobs[self._id].rate
            self._see(self.backend.advance(batch / rate if rate else _LOOK_S).last)
            return
        if self.samples >= self._looked_at + self._per_look:
            self._look()

    def reported(self, metric: float) -> bool:
        """Ends the script at the target."""
        self.metric = metric
        if self.target is None:
            return False
        if metric <= self.target if self.is_falling else metric >= self.target:
            self.has_reached = True
            raise Enough
        return False

    def result(self) -> dict[str, Any]:
        """What training came to, and what the plan had predicted."""
        energy_j = self._reading.energy_j
        time_s = self._reading.t_s - self._start_s
        mean_w = sum(self._watts) / len(self._watts) if self._watts else None
        return {
            "batch": self.batch,
            "freq_hz": dict(self.order.freq_hz),
            "refused": self.refused,
            "steps": self.steps,
            "samples": self.samples,
            "metric": self.metric,
            "target": self.target,
            "reached": self.has_reached,
            "time_s": time_s,
            "energy_j": None if energy_j is None else energy_j - self._start_j,
            "mean_power_w": mean_w,
            "peak_power_w": self.peak_power_w,
            "hottest_c": hottest_c(self._reading),
            "planned": dict(self.order.predicted),
        }

    def _look(self) -> None:
        """Read the device, and see how many samples pass in a second."""
        before_s, before = self._reading.t_s, self._looked_at
        self._see(self.backend.advance(0.0).last)
        passed_s = self._reading.t_s - before_s
        if passed_s > 0:
            self._per_look = (self.samples - before) / passed_s * _LOOK_S
        self._looked_at = self.samples

    def _see(self, reading: Reading) -> None:
        self._reading = reading
        power_w = None if reading.power_w is None else reading.power_w.get(self._rail)
        if power_w is not None:
            self._watts.append(power_w)
            self.peak_power_w = max(self.peak_power_w or 0.0, power_w)


def train(path: Path, session: BoardSession, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run the script under the session; ValueError for one that never calls its hook.

    The backend is closed whatever happens, which leaves a device as it was found.
    """
    try:
        session.begin()
        run_script(path, session, arguments)
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
