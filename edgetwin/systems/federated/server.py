"""The server: opens rounds, judges uploads, replays what it accepts, and forgets nothing."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from edgetwin.storage import append_line, exact_json, json_lines
from edgetwin.systems.federated.client import Replica
from edgetwin.systems.federated.messages import ORDER_BYTES, Order, Record
from edgetwin.systems.federated.method import Method
from edgetwin.systems.federated.noise.bits import derived_seed
from edgetwin.systems.federated.packet import Packet
from edgetwin.systems.federated.rules import Judge, Rules

EVERYONE: Final = 2**32 - 1
"""Stands for the client in the seeds of methods whose clients share them."""


@final
class Server:
    """Rounds of one federation. Its weights are the start plus what the records say.

    sizes are the examples of every client, by which steps are weighted (FedAvg). With a folder
    every closed round is written down before it counts: a server that was killed is made anew with
    the same arguments and goes on where it stood. Same seed and participation, same weights.
    """

    def __init__(
        self,
        method: Method,
        sizes: Sequence[int],
        *,
        seed: int,
        steps: int = 1,
        rules: Rules | None = None,
        folder: Path | None = None,
        keep_every: int = 50,
    ) -> None:
        if steps < 1 or not sizes or min(sizes) < 1:
            raise ValueError("give one local step or more, and one example or more a client.")
        self.replica = Replica(method)
        self.sizes, self.seed, self.steps = tuple(sizes), seed, steps
        self.judge = Judge(method.form, rules or Rules())
        self.records: list[Record] = []
        self.known = [0] * len(sizes)  # the version that each client has shown to have
        self._folder, self._keep_every = folder, keep_every
        self._sums = [(0, 0)]  # bytes on the wire and packets of the records so far
        self._asked: dict[int, list[int]] = {}
        self._earlier: set[int] = set()
        self._uploads: dict[int, list[Packet]] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._resume(folder)

    @property
    def version(self) -> int:
        """Closed rounds."""
        return self.replica.version

    @property
    def counts(self) -> Mapping[str, int]:
        """How many uploads were accepted, clipped and refused, by reason."""
        return self.judge.counts

    def open(self, clients: Iterable[int], steps: int | None = None) -> dict[int, Order]:
        """Start a round, and what each client is to do in it; an open one is given up.

        IndexError for an unknown client.
        """
        number = self.steps if steps is None else steps
        orders = {client: self._order(client, number) for client in clients}
        self._asked = {client: order.seeds for client, order in orders.items()}
        self._uploads = {}
        return orders

    def _order(self, client: int, steps: int) -> Order:
        whose = EVERYONE if self.replica.method.shares_seeds else client
        return Order(
            version=self.version,
            base=derived_seed(self.seed, self.version, whose),
            steps=steps,
            records=tuple(self.records[self.known[client] :]),
        )

    def order_bytes(self, order: Order) -> int:
        """The bytes of an order of this round on the wire, without writing it out."""
        start = order.version - len(order.records)
        return ORDER_BYTES + self._sums[order.version][0] - self._sums[start][0]

    def packets_since(self, order: Order) -> int:
        """The packets that a client replays before it can start on an order of this round."""
        start = order.version - len(order.records)
        return self._sums[order.version][1] - self._sums[start][1]

    def change_method(self, method: Method) -> None:
        """Go on with another division of the same weights; between rounds of one process only.

        ValueError with a folder or an open round: clients elsewhere would not know of it.
        """
        if self._folder is not None or self._asked:
            raise ValueError("a method is changed between rounds, and of a server without folder.")
        self.replica.method = method
        counts = self.judge.counts
        self.judge = Judge(method.form, self.judge.rules)
        self.judge.counts.update(counts)

    def mark(self) -> tuple[Any, ...]:
        """Where the server stands, but for the weights, which are the method's to keep."""
        sizes, counts = list(self.judge.sizes), dict(self.judge.counts)
        return self.version, list(self.known), set(self._earlier), sizes, counts

    def return_to(self, mark: tuple[Any, ...]) -> None:
        """Go back to a mark of this server; rounds closed since then never were."""
        version, known, self._earlier, sizes, counts = mark
        self.replica.version, self.known = version, known
        del self.records[version:], self._sums[version + 1 :]
        self.judge.sizes.clear()
        self.judge.sizes.extend(sizes)
        self.judge.counts.clear()
        self.judge.counts.update(counts)

    def receive(self, client: int, data: bytes) -> str:
        """Take an upload; "accepted", or why not, which is counted. Never raises for its content.

        Whether accepted scalars are outliers is judged when the round is closed.
        """
        found = self._judged(client, data)
        if isinstance(found, str):
            self.judge.counts[found] += 1
            return found
        self._uploads[client] = found
        self.known[client] = self.version
        return "accepted"

    def _judged(self, client: int, data: bytes) -> str | list[Packet]:
        if not 0 <= client < len(self.sizes):
            return "unknown client"
        if client in self._uploads:
            return "duplicate"
        if client not in self._asked:
            return self._stranger(data)
        return self.judge.read(data, self._asked[client], self._earlier)

    def _stranger(self, data: bytes) -> str:
        """Why an upload of a client that was not asked came: from an earlier round, or not."""
        seed = int.from_bytes(data[4:12], "little")
        return "late" if seed in self._earlier else "not asked"

    def close(self) -> Record:
        """End the round: replay what counts, write it down, and let the next one begin."""
        kept = self.judge.settle(self._uploads)
        record = Record(round=self.version, entries=tuple(self._weighted(kept)))
        if self._folder is not None:
            self._write(record, len(kept))
        self._take(record)
        for seeds in self._asked.values():
            self._earlier.update(seeds)
        self._asked, self._uploads = {}, {}
        return record

    def _weighted(self, kept: dict[int, list[Packet]]) -> Iterable[tuple[float, Packet]]:
        """Packets with the share of their client's examples, as float32 like on the wire."""
        total = sum(self.sizes[client] for client in kept)
        weights = {client: float(np.float32(self.sizes[client] / total)) for client in kept}
        if not self.replica.method.shares_seeds:
            for client, packets in kept.items():
                yield from ((weights[client], packet) for packet in packets)
            return
        for together in zip(*kept.values(), strict=True):
            yield 1.0, _mean(together, list(weights.values()))

    def _take(self, record: Record) -> None:
        self.replica.catch_up([record])
        self._keep(record)
        if self._folder is not None and self.version % self._keep_every == 0:
            self.replica.save(self._folder / "replica.state")

    def _keep(self, record: Record) -> None:
        self.records.append(record)
        size, packets = self._sums[-1]
        self._sums.append((size + record.sent_bytes, packets + len(record.entries)))

    def _write(self, record: Record, kept: int) -> None:
        line = {
            "round": record.round,
            "record": base64.b64encode(record.to_bytes()).decode(),
            "sizes": list(self.judge.sizes),
            "counts": dict(self.judge.counts),
            "known": self.known,
            "asked": self._asked,
            "accepted": kept,
        }
        assert self._folder is not None
        append_line(self._folder / "rounds.jsonl", exact_json(line))

    def _resume(self, folder: Path) -> None:
        """Replay the written rounds, from the last replica that was kept."""
        if not (folder / "rounds.jsonl").is_file():
            return
        lines = [line for line in json_lines(folder / "rounds.jsonl") if "record" in line]
        for line in lines:
            self._keep(Record.from_bytes(base64.b64decode(line["record"])))
        if (folder / "replica.state").is_file():
            self.replica.load(folder / "replica.state")
        self.replica.catch_up(self.records)
        for line in lines:
            self._earlier.update(seed for seeds in line["asked"].values() for seed in seeds)
        if lines:
            self.judge.sizes.extend(lines[-1]["sizes"])
            self.judge.counts.update(lines[-1]["counts"])
            self.known = list(lines[-1]["known"])


def _mean(packets: Sequence[Packet], weights: Sequence[float]) -> Packet:
    """One packet in place of several of the same noise: weighted means, each rounded once."""
    columns = zip(*(packet.scalars.tolist() for packet in packets), strict=True)
    total = math.fsum(weights)
    scalars = [
        math.fsum(w * g for w, g in zip(weights, column, strict=True)) / total for column in columns
    ]
    return Packet(seed=packets[0].seed, scalars=np.array(scalars, "f4"), kind=packets[0].kind)
