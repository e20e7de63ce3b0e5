"""Governors of the user's own: a rule that sets the clock of one domain, period by period."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from hw_models.board import Board, Knobs
from hw_models.plugins import Registry
from hw_models.trace import Reading

if TYPE_CHECKING:
    from edgetwin.simulator import Simulator


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DomainLoad:
    """What a governor sees of its clock domain.

    freqs_hz are the operating points in ascending order, freq_hz is the clock that runs, busy the
    largest utilisation of the domain's units in [0, 1], temp_c the hottest zone of the board (None
    where no sensor says so).
    """

    domain: str
    freqs_hz: tuple[float, ...]
    freq_hz: float
    busy: float
    temp_c: float | None

    def at_least(self, freq_hz: float) -> float:
        """The lowest operating point that is not below freq_hz, or the highest there is."""
        return next((hz for hz in self.freqs_hz if hz >= freq_hz), self.freqs_hz[-1])


Rule = Callable[[DomainLoad], float]
"""From the load of a domain to one of its operating points, in Hz."""

GOVERNORS: Registry[Rule] = Registry("edgetwin.governors", "governor")
"""Governors of third parties, by name; each is a policy as well."""


def register_governor(name: str, rule: Rule) -> None:
    """Add a governor, which is then a policy of that name; ValueError where the name is taken."""
    GOVERNORS.add(name, rule)


@final
class RulePolicy:
    """A governor as a policy: its rule for every domain with units, each control period."""

    def __init__(self, rule: Rule, period_s: float = 0.05) -> None:
        self.rule = rule
        self.period_s = period_s

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """Take the board's control period and domains."""
        self.period_s = board.limits.control_period_s.value
        self._points = {
            domain: tuple(board.clocks[domain].freqs_hz.value)
            for domain in dict.fromkeys(unit.domain for unit in board.unit_list)
        }
        self._units = {
            domain: [unit.name for unit in board.unit_list if unit.domain == domain]
            for domain in self._points
        }

    def __call__(self, reading: Reading) -> Knobs:
        """The clocks that the rule asks for, where they differ from those that run."""
        known_c = [temp_c for temp_c in reading.temps_c.values() if temp_c is not None]
        hottest_c = max(known_c, default=None)
        wanted = {}
        for domain, freqs_hz in self._points.items():
            load = DomainLoad(
                domain=domain,
                freqs_hz=freqs_hz,
                freq_hz=reading.freq_hz[domain],
                busy=max(reading.busy.get(unit, 0.0) for unit in self._units[domain]),
                temp_c=hottest_c,
            )
            asked_hz = self.rule(load)
            if asked_hz != load.freq_hz:
                wanted[domain] = asked_hz
        return Knobs(freq_hz=wanted)
