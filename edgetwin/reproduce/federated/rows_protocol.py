"""Rows of the study about the protocol: overhead, drops and kills, hostile updates."""

import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgetwin.studies import Figure, row

if TYPE_CHECKING:
    from edgetwin.systems.federated.server import Server

CLIENTS, EACH = 10, 24


def sample_server(
    clients: int, each: int, shape: Mapping[str, int], folder: Path | None = None, steps: int = 2
) -> "Server":
    """A server of a perceptron, for clients with `each` examples."""
    from edgetwin.systems.federated.methods import make_method
    from edgetwin.systems.federated.mlp import ResidualMLP
    from edgetwin.systems.federated.server import Server

    method = make_method("fedspzo", ResidualMLP(seed=1, **shape), lr=(1e-3, 4e-3))
    return Server(method, [each] * clients, seed=3, steps=steps, folder=folder, keep_every=4)


def sample_shards(clients: int, each: int, batch_size: int, inputs: int, classes: int) -> list[Any]:
    """Every client's random examples."""
    import torch

    from edgetwin.systems.federated.batch import Batch
    from edgetwin.systems.federated.client import Shard

    generator = torch.Generator().manual_seed(7)
    n = clients * each
    everything = Batch(
        inputs={"x": torch.randn(n, inputs, generator=generator)},
        labels=torch.randint(0, classes, (n,), generator=generator),
    )
    return [
        Shard(everything, range(each * i, each * (i + 1)), batch_size, [5, i])
        for i in range(clients)
    ]


def thousand(quick: bool) -> dict[str, Any]:
    """Time of rounds besides forward passes, over theirs; time to price a round on the fleet.

    Rounds take turns: of one the whole time is taken, of the next that of its forward calls. So
    what timing every call takes is in neither; the figure is the median of the ratios of
    neighbours. torch has one thread: what a second one did of the forward passes would be in no
    time of this one.
    """
    with _one_thread():
        return _timed_rounds(quick)


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch with one thread, as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _timed_rounds(quick: bool) -> dict[str, Any]:
    from edgetwin.fleet import Fleet
    from edgetwin.systems.federated.boards import mixed_clients
    from edgetwin.systems.federated.mlp import ResidualMLP
    from edgetwin.systems.federated.pricing import Prices
    from edgetwin.systems.federated.runtime import Federation, choose

    shape = {"inputs": 64, "width": 128, "depth": 6, "classes": 10}
    server, shards = sample_server(1000, 64, shape, steps=1), sample_shards(1000, 64, 64, 64, 10)
    method = server.replica.method
    prices = Prices(method, ResidualMLP(**shape), shards[0](0, 0), "mlp-200k")
    fleet = Fleet(mixed_clients(1000, seed=1), seed=1)
    federation = Federation(server, shards, fleet=fleet, prices=prices)
    federation.round(choose(1000, 0.1, 1, 0))  # compiles
    pricing: list[float] = []
    _timed_pricing(federation, pricing)
    rounds, read_s = 5 if quick else 20, _read_s()  # one read is in the time of every call
    whole, forward = [], []
    for version in range(1, 2 * rounds, 2):
        start_s = time.thread_time()
        federation.round(choose(1000, 0.1, 1, version))
        whole.append(time.thread_time() - start_s)
        with _timed_calls(method.optimizer) as spent:  # type: ignore[attr-defined]
            federation.round(choose(1000, 0.1, 1, version + 1))
        forward.append(sum(spent) - len(spent) * read_s)
    ratios = np.divide(whole, forward)
    return row(
        {
            "overhead_over_forward": Figure(value=float(np.median(ratios)) - 1, bar=0.2),
            "pricing_of_100_clients_s": Figure(value=float(np.median(pricing)), bar=0.05),
        },
        rounds=2 * rounds, forward_s_a_round=float(np.median(forward)),
        total_s_a_round=float(np.median(whole)), clock_read_s=read_s,
    )  # fmt: skip


def _read_s() -> float:
    """What reading the thread's clock takes, a system call in some places: the mean of many."""
    n, start_s = 1000, time.thread_time()
    for _ in range(n):
        end_s = time.thread_time()
    return (end_s - start_s) / n


@contextmanager
def _timed_calls(optimizer: Any) -> Iterator[list[float]]:
    """Notes the seconds of every forward call and loss."""
    spent: list[float] = []

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            start_s = time.thread_time()
            found = call(*given)
            spent.append(time.thread_time() - start_s)
            return found

        return run

    blocks, loss = optimizer.blocks, optimizer.loss
    optimizer.blocks, optimizer.loss = tuple(map(timed, blocks)), timed(loss)
    yield spent
    optimizer.blocks, optimizer.loss = blocks, loss


def _timed_pricing(federation: Any, spent: list[float]) -> None:
    """Notes the processor seconds of every pricing from now on."""
    price = federation.priced

    def run(*given: Any) -> Any:
        start_s = time.thread_time()
        found = price(*given)
        spent.append(time.thread_time() - start_s)
        return found

    federation.priced = run


def drops(quick: bool) -> dict[str, Any]:
    """The same participation, once without a break and once with a server killed twice."""
    from edgetwin.systems.federated.runtime import Federation, choose

    rounds, shape = 20 if quick else 60, {"inputs": 12, "width": 16, "depth": 4, "classes": 3}
    shards = sample_shards(CLIENTS, EACH, 8, 12, 3)

    def play(folder: Path | None, kills: tuple[int, ...]) -> tuple[dict[str, bytes], int]:
        server, lost = sample_server(CLIENTS, EACH, shape, folder), 0
        for version in range(rounds):
            if version in kills:  # in the middle of a round, whose uploads are lost
                server.open(range(CLIENTS))
                server = sample_server(CLIENTS, EACH, shape, folder)
            asked = choose(CLIENTS, 1.0, 4, version)
            dropped = choose(CLIENTS, 0.3, 8, version)
            Federation(server, shards).round(asked, dropped=dropped)
            lost += len(dropped)
        return server.replica.method.snapshot(), lost

    whole, lost = play(None, ())
    with tempfile.TemporaryDirectory() as folder:
        broken, _ = play(Path(folder), (rounds // 3, 2 * rounds // 3))
    mine, theirs = (np.frombuffer(state["weights"], "<i4") for state in (whole, broken))
    return row(
        {
            "different_weights": Figure(value=int((mine != theirs).sum()), bar=0),
            "other_state_differs": Figure(value=int(whole != broken), bar=0),
        },
        rounds=rounds, share_dropped=lost / (rounds * CLIENTS), kills=2,
    )  # fmt: skip


def hostile(quick: bool) -> dict[str, Any]:
    """Uploads of every wrong kind: the weights stay, and every one is counted."""
    from edgetwin.systems.federated.rules import REFUSALS
    from edgetwin.systems.federated.runtime import Federation

    shape = {"inputs": 12, "width": 16, "depth": 4, "classes": 3}
    server = sample_server(CLIENTS, EACH, shape)
    federation = Federation(server, sample_shards(CLIENTS, EACH, 8, 12, 3))
    old = server.open([0])[0]
    late = federation.clients[0].work(old)
    server.receive(0, late)
    server.close()
    for _ in range(3):
        federation.round(range(CLIENTS))
    before, counted = server.replica.method.snapshot(), sum(server.counts.values())
    orders = server.open(range(5))
    good = {client: federation.clients[client].work(orders[client]) for client in range(4)}
    for client in (0, 1, 2):
        server.receive(client, good[client])
    n = 10_000
    wrong = _wrong_uploads(good[3], late, np.random.default_rng(0))
    for _ in range(n):
        server.receive(*next(wrong))
    counts = dict(server.counts)
    refused = sum(counts.get(reason, 0) for reason in REFUSALS)
    # What was accepted before the attack is all that the round may hold.
    record = server.close()
    clean = sample_server(CLIENTS, EACH, shape)
    clean.replica.method.restore(before)
    clean.replica.version = record.round
    clean.replica.catch_up([record])
    honest = {packet.seed for client in (0, 1, 2) for packet in _packets(good[client])}
    strange = sum(packet.seed not in honest for _, packet in record.entries)
    mine, theirs = (s.replica.method.snapshot() for s in (server, clean))
    return row(
        {
            "not_counted": Figure(value=n - refused, bar=0),
            "hostile_packets_in_the_record": Figure(value=strange, bar=0),
            "model_changed": Figure(value=int(mine != theirs), bar=0),
        },
        updates=n, counts=counts, before=counted,
    )  # fmt: skip


def _packets(data: bytes) -> list[Any]:
    from edgetwin.systems.federated.packet import parse

    return parse(data)


def _wrong_uploads(
    good: bytes, late: bytes, rng: np.random.Generator
) -> Iterator[tuple[int, bytes]]:
    """Clients and uploads that must be refused, made from a good one of client 3."""
    scalars = len(good) // 2 - 12

    def with_scalar(value: float) -> bytes:
        at = 12 + 4 * int(rng.integers(scalars // 4))
        return good[:at] + struct.pack("<f", value) + good[at + 4 :]

    def with_bit() -> bytes:
        """A flipped bit in a head: version, kind, count or seed."""
        at = int(rng.integers(12))
        return good[:at] + bytes([good[at] ^ 1 << int(rng.integers(8))]) + good[at + 1 :]

    makers: list[Callable[[], tuple[int, bytes]]] = [
        lambda: (3, rng.bytes(int(rng.integers(1, 200)))),
        lambda: (3, good[: int(rng.integers(1, len(good)))]),
        lambda: (3, good + rng.bytes(int(rng.integers(1, 64)))),
        lambda: (3, b""),
        lambda: (3, with_bit()),
        lambda: (3, with_scalar(float("nan"))),
        lambda: (3, with_scalar(float(rng.choice([np.inf, -np.inf])))),
        lambda: (3, with_scalar(float(rng.choice([-1, 1]) * 10 ** rng.uniform(6, 38)))),
        lambda: (4, good),
        lambda: (int(rng.integers(3)), good),
        lambda: (int(rng.integers(5, CLIENTS)), good),
        lambda: (int(rng.choice([-1, CLIENTS, 2**31])), good),
        lambda: (3, late),
        lambda: (int(rng.integers(5, CLIENTS)), late),
        lambda: (3, rng.bytes(1000)),
    ]
    while True:
        yield makers[int(rng.integers(len(makers)))]()
