"""The QoS rule on a real board: no kernel has it as a governor, so the host carries it out."""

from typing import Final, final

from edgetwin.kernel.control import lowest_at_least, one_step
from hw_models.board import Board
from hw_models.trace import Reading

_RESTS: Final = 0.0


@final
class QosLoop:
    """Each control period of the board, the lowest clocks at which every application is on target.

    The rule of the kernel's governor `qos-dvfs` (arXiv 2206.05459), from what a reading says.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.period_ns = round(board.limits.control_period_s.value * 1e9)
        self.domains: set[str] = set()
        self._names = list(board.clocks)
        self._record = board.lower().record
        self._units: dict[str, str | None] = {}

    def clear(self) -> None:
        """Rule over nothing."""
        self.domains.clear()
        self._units.clear()

    def take(self, domain: str) -> None:
        """Rule over a clock from now on."""
        self.domains.add(domain)

    def leave(self, domain: str) -> None:
        """Somebody else rules over a clock."""
        self.domains.discard(domain)

    def wanted_hz(self, reading: Reading) -> dict[str, float]:
        """New clocks, by domain; a domain whose application has just moved holds still."""
        need_hz, moved = self._demand(reading)
        found = {}
        for domain in self.domains - moved:
            if domain not in reading.freq_hz:
                continue
            d = self._names.index(domain)
            now = self.board.opp(domain, reading.freq_hz[domain])
            goal = lowest_at_least(self._record[0], d, need_hz.get(domain, _RESTS))
            level = one_step(now, goal)
            if level != now:
                found[domain] = self.board.clocks[domain].freqs_hz.value[level]
        return found

    def _demand(self, reading: Reading) -> tuple[dict[str, float], set[str]]:
        need_hz: dict[str, float] = {}
        moved = set()
        for ident, job in reading.jobs.items():
            if job.unit is None:
                continue
            domain = self.board.unit(job.unit).domain
            if self._units.get(ident, job.unit) != job.unit:
                moved.add(domain)
            if job.target and job.rate > 0.0 and domain in reading.freq_hz:
                hz = reading.freq_hz[domain] * job.target / job.rate
                need_hz[domain] = max(need_hz.get(domain, _RESTS), hz)
        self._units = {ident: job.unit for ident, job in reading.jobs.items()}
        return need_hz, moved
