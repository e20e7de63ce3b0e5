"""A federation in one process: real packets, and a clock and batteries that are the twins'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from edgetwin.fleet import Fleet, Round, Task
from edgetwin.systems.federated.client import Batches, Client, Replica, learn_together
from edgetwin.systems.federated.messages import Order, Record
from edgetwin.systems.federated.packet import packed
from edgetwin.systems.federated.pricing import Prices
from edgetwin.systems.federated.server import Server

DAY_S = 86400.0
_TOGETHER = 32  # clients whose batches and packets are held at a time


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """A round: who was asked and whose answer came, what went over the air, what boards did.

    priced is None without a fleet; its rows are in the order of asked.
    """

    record: Record
    asked: tuple[int, ...]
    arrived: tuple[int, ...]
    download_bytes: int
    upload_bytes: int
    priced: Round | None

    @property
    def energy_j(self) -> float:
        """Energy of the clients' boards for this round's work, 0 without a fleet."""
        return 0.0 if self.priced is None else float(self.priced.energy_j.sum())


@final
class Federation:
    """Server and clients in one process; with a fleet its links and boards decide who is in time.

    Clients that are up to date are equal bit for bit, so all share the server's replica, and
    what catching up costs is priced but not repeated; `own_replicas` gives each client its own
    instead (as a deployment does), made by the function.
    """

    def __init__(
        self,
        server: Server,
        batches: Sequence[Batches],
        *,
        fleet: Fleet | None = None,
        prices: Prices | None = None,
        replicas: Sequence[Replica] | None = None,
    ) -> None:
        if len(batches) != len(server.sizes):
            raise ValueError(f"{len(batches)} shards for {len(server.sizes)} clients.")
        if fleet is not None and (prices is None or len(fleet.clients) != len(batches)):
            raise ValueError("a fleet needs prices, and one board for every client.")
        self.server, self.fleet, self.prices = server, fleet, prices
        shared = replicas or [server.replica] * len(batches)
        self.clients = [Client(r, b) for r, b in zip(shared, batches, strict=True)]

    def round(
        self,
        clients: Sequence[int],
        *,
        steps: int | None = None,
        dropped: Sequence[int] = (),
        freq_hz: Mapping[int, Mapping[str, float]] | None = None,
        deadline_s: float = DAY_S,
    ) -> RoundResult:
        """One round. The answers of clients in `dropped` never arrive.

        freq_hz are clocks to set, by client. Answers that are lost, late or of boards that
        switched off are not in the record; their energy was spent all the same.
        """
        orders = self.server.open(clients, steps)
        priced = self.priced(orders, freq_hz or {}, deadline_s)
        arrived = [
            client
            for i, client in enumerate(orders)
            if client not in dropped and (priced is None or priced.arrived[i])
        ]
        sizes = self._work(orders, arrived)
        down = sum(self.server.order_bytes(order) for order in orders.values())
        return RoundResult(
            record=self.server.close(),
            asked=tuple(orders),
            arrived=tuple(arrived),
            download_bytes=down,
            upload_bytes=sizes,
            priced=priced,
        )

    def _work(self, orders: Mapping[int, Order], arrived: Sequence[int]) -> int:
        """Uploads reach the server; their bytes.

        Some clients draw, then learn, then send: what is alike comes together, which keeps it in
        the processor's caches.
        """
        total = 0
        for first in range(0, len(arrived), _TOGETHER):
            some = arrived[first : first + _TOGETHER]
            own, asked = [self.clients[c] for c in some], [orders[c] for c in some]
            drawn = [one.draw(order) for one, order in zip(own, asked, strict=True)]
            found = learn_together(own, asked, drawn)
            for client, packets in zip(some, found, strict=True):
                data = packed(packets)
                self.server.receive(client, data)
                total += len(data)
        return total

    def priced(
        self,
        orders: Mapping[int, Order],
        freq_hz: Mapping[int, Mapping[str, float]],
        deadline_s: float,
    ) -> Round | None:
        """What the boards make of these orders, or None without a fleet; its clock goes on."""
        if self.fleet is None or self.prices is None:
            return None
        packet_bytes = self.server.judge.form.packet_bytes
        tasks = [
            Task(
                client=client,
                job=self.prices.job(order.steps, self.server.packets_since(order)),
                download_bytes=self.server.order_bytes(order),
                upload_bytes=order.steps * packet_bytes,
                freq_hz=freq_hz.get(client, {}),
            )
            for client, order in orders.items()
        ]
        found: Any = self.fleet.clock.run(until=self.fleet.round(tasks, deadline_s=deadline_s))
        return cast(Round, found)


def choose(clients: int, share: float, seed: int, version: int) -> list[int]:
    """Clients drawn for a round, without repetition; the draw depends on seed and round alone."""
    count = max(1, round(share * clients))
    rng = np.random.default_rng([seed, 30, version])
    return sorted(int(c) for c in rng.permutation(clients)[:count])
