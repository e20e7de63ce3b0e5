"""A client beside a board: packets are real, and the board does the work that they stand for.

The board is any backend: its twin, a virtual board, or one on the desk.
"""

from dataclasses import dataclass
from typing import Final, final

from edgetwin.backend import Backend
from edgetwin.systems.federated.client import Client
from edgetwin.systems.federated.messages import Order
from edgetwin.systems.federated.pricing import Prices
from hw_models.jobs import Job

LOOK_S: Final = 0.05
LONGEST_S: Final = 600.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What an order took: seconds, known to a look; joules of the board, None if not measured."""

    time_s: float
    energy_j: float | None


@final
class BoardClient:
    """A `Client` whose local steps are also a job on a backend, which has been reset.

    look_s is how often the board is looked at while it works.
    """

    def __init__(
        self, client: Client, backend: Backend, prices: Prices, *, look_s: float = LOOK_S
    ) -> None:
        self.client, self.backend, self.prices, self.look_s = client, backend, prices, look_s
        self.spent: list[Spent] = []

    def work(self, order: Order) -> bytes:
        """As `Client.work`; what the board took is appended to `spent`."""
        replayed = sum(len(record.entries) for record in order.records)
        data = self.client.work(order)
        self.spent.append(
            run_job(self.backend, self.prices.job(order.steps, replayed), self.look_s)
        )
        return data


def run_job(backend: Backend, job: Job, look_s: float = LOOK_S) -> Spent:
    """Let a job run alone to its end. TimeoutError where it has not ended after 600 s."""
    before_j = backend.kpis().get("energy_j") or 0.0
    ident, waited_s = backend.submit(job), 0.0
    while waited_s < LONGEST_S:
        backend.advance(look_s)
        waited_s += look_s
        result = next(one for one in backend.results() if one.id == ident)
        if result.end_s is not None:
            after_j = backend.kpis().get("energy_j")
            energy_j = None if after_j is None else after_j - before_j
            return Spent(time_s=result.end_s - result.start_s, energy_j=energy_j)
    raise TimeoutError(f"{ident} on {backend.board.name} has not ended after {LONGEST_S:g} s.")
