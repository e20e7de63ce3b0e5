"""A client: it catches up by replay, takes local steps, and sends packets."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch

from edgetwin.storage import write_atomically
from edgetwin.systems.federated.batch import Batch
from edgetwin.systems.federated.messages import Order, Record
from edgetwin.systems.federated.method import Method
from edgetwin.systems.federated.noise.bits import drawn
from edgetwin.systems.federated.packet import Packet, packed

Batches = Callable[[int, int], Batch]
"""The batch of a round and local step."""


@final
class Replica:
    """A model's weights at a version: that many rounds have been replayed.

    Replicas at the same version are equal bit for bit, so clients that are simulated in one
    process may share one.
    """

    def __init__(self, method: Method, version: int = 0) -> None:
        self.method, self.version = method, version

    def catch_up(self, records: Sequence[Record]) -> None:
        """Replay rounds in order; those already known are passed over.

        ValueError where a round is missing.
        """
        if records and records[-1].round < self.version:
            return
        for record in records:
            if record.round > self.version:
                raise ValueError(
                    f"round {record.round} cannot follow version {self.version}; ask for those "
                    "in between."
                )
            if record.round == self.version:
                self.method.replay(record.entries)
                self.method.end_round([packet for _, packet in record.entries])
                self.version += 1

    def prepare(self, order: Order) -> None:
        """Catch up to an order's version; ValueError where records in between are missing."""
        self.catch_up(order.records)
        if self.version != order.version:
            raise ValueError(
                f"an order for version {order.version} and a replica at {self.version}; the "
                "records in between are missing."
            )

    def save(self, path: Path) -> None:
        """Keep the replica in a file, whole or not at all."""
        parts = [struct.pack("<I", self.version)]
        for name, data in sorted(self.method.snapshot().items()):
            parts += [struct.pack("<16sQ", name.encode(), len(data)), data]
        write_atomically(path, b"".join(parts))

    def load(self, path: Path) -> None:
        """Go back to what a file holds; ValueError for another model's or a damaged file."""
        data = path.read_bytes()
        at, parts = 4, {}
        while at + 24 <= len(data):
            name, size = struct.unpack_from("<16sQ", data, at)
            parts[name.rstrip(b"\0").decode()] = data[at + 24 : at + 24 + size]
            at += 24 + size
        if at != len(data) or "weights" not in parts:
            raise ValueError(f"{path} is damaged; remove it, and the client catches up by replay.")
        self.method.restore(parts)
        (self.version,) = struct.unpack_from("<I", data)


@final
class Shard:
    """A client's own examples, from which every batch is drawn at random.

    `everything` holds the examples of all clients, rows those of this one; the batch of a round
    and step depends on the seed and on these two alone.
    """

    def __init__(
        self, everything: Batch, rows: Sequence[int], batch_size: int, seed: Sequence[int]
    ) -> None:
        if not len(rows):
            raise ValueError("a shard without examples; give every client one or more.")
        self._all, self._rows = everything, np.asarray(rows, np.int64)
        self._size = min(batch_size, len(rows))
        self._seed = int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0])

    def __len__(self) -> int:
        return len(self._rows)

    def __call__(self, version: int, step: int) -> Batch:
        """Examples without repetition."""
        places = drawn(self._seed, version, step, len(self._rows), self._size)
        rows = torch.from_numpy(self._rows[places])
        inputs = {name: value.index_select(0, rows) for name, value in self._all.inputs.items()}
        return Batch(inputs=inputs, labels=self._all.labels.index_select(0, rows))


@final
class Client:
    """One participant: its replica and its data, which never leave it."""

    def __init__(self, replica: Replica, batches: Batches) -> None:
        self.replica, self.batches = replica, batches

    def work(self, order: Order) -> bytes:
        """Do what an order says; the upload, while the replica stays at the order's version."""
        return packed(self.learn(order, self.draw(order)))

    def draw(self, order: Order) -> list[tuple[int, Batch]]:
        """Seeds and batches of an order's steps."""
        return [(s, self.batches(order.version, step)) for step, s in enumerate(order.seeds)]

    def learn(self, order: Order, drawn: Sequence[tuple[int, Batch]]) -> list[Packet]:
        """The packets of an order's steps on what was drawn for them.

        Local steps build on one another and are undone at the end, exactly. A step whose loss is
        not finite is not taken, but reported: the server refuses it.
        """
        replica, taken, sent = self.replica, [], []
        replica.prepare(order)
        for step, (seed, batch) in enumerate(drawn):
            packet = replica.method.estimate(batch, seed)
            sent.append(packet)
            if step + 1 < order.steps and np.isfinite(packet.scalars).all():
                replica.method.apply(packet, 1.0)
                taken.append(packet)
        for packet in reversed(taken):
            replica.method.apply(packet, -1.0)
        return sent


def learn_together(
    clients: Sequence[Client], orders: Sequence[Order], drawn: Sequence[Sequence[tuple[int, Batch]]]
) -> list[list[Packet]]:
    """`learn` of several clients; single steps of those that share a replica in one series."""
    replica = clients[0].replica
    if any(c.replica is not replica for c in clients) or any(order.steps != 1 for order in orders):
        each = zip(clients, orders, drawn, strict=True)
        return [client.learn(order, steps) for client, order, steps in each]
    for order in orders:
        replica.prepare(order)
    return [[packet] for packet in replica.method.estimates([one for (one,) in drawn])]
