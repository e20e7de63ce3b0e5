"""A run in this process: all clients share one replica, which each leaves as it was."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from edgetwin.systems.federated.server import Server
from edgetwin.systems.federated.setup import Workshop


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A closed round: who answered with how many bytes, and the FLOPs of all their steps."""

    round: int
    upload_bytes: Mapping[int, int]
    order_bytes: Mapping[int, int]
    flops: float


def rounds(
    shop: Workshop, server: Server, answered: Sequence[Sequence[int]] | None = None
) -> Iterator[Done]:
    """The rounds that are left, one by one; `answered`, if given, says who answers in each.

    With the participation of another runtime the weights become those of that runtime.
    """
    while server.version < shop.setup.rounds:
        number = server.version
        wanted = shop.participants(number) if answered is None else answered[number]
        orders = server.open(wanted)
        uploads, flops = {}, 0.0
        for number_of, order in orders.items():
            client = shop.client(number_of, server.replica)
            upload = client.work(order)
            server.receive(number_of, upload)
            uploads[number_of] = len(upload)
            flops += sum(
                shop.method.flops(client.batches(order.version, step))
                for step in range(order.steps)
            )
        sent = {client: len(order.to_bytes()) for client, order in orders.items()}
        server.close()
        yield Done(round=number, upload_bytes=uploads, order_bytes=sent, flops=flops)
