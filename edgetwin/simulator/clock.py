"""The simpy clock of a simulator, which remembers its processes: a snapshot must know them all."""

from collections.abc import Generator, Iterable
from typing import Any, final

import simpy


@final
class Clock(simpy.Environment):
    """A simpy environment that knows the processes started on it."""

    def __init__(self, now_s: float) -> None:
        super().__init__(initial_time=now_s)
        self.started: list[simpy.Process] = []
        self.process = self._start  # type: ignore[method-assign]

    def forward(self, now_s: float) -> None:
        """Come to now_s through whatever is due before."""
        if self.peek() < now_s:
            self.run(until=now_s)
        else:
            self._now = now_s

    def _start(self, generator: Generator[simpy.Event, Any, Any]) -> simpy.Process:
        self.started = [p for p in self.started if p.is_alive]
        self.started.append(simpy.Process(self, generator))
        return self.started[-1]

    def refuse_strangers(self, registered: Iterable[simpy.Process]) -> None:
        """RuntimeError if a process lives that is not among the registered."""
        known = {id(process) for process in registered}
        for process in self.started:
            if process.is_alive and id(process) not in known:
                raise RuntimeError(
                    f"cannot snapshot: process {process.name!r} is not registered. Start it "
                    "with sim.process(factory, state), where state is plain data."
                )
