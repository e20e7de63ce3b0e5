"""Server and clients: what is accepted, what is counted, and that nothing is ever lost."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn`")

import federated_case as case  # noqa: E402

from edgetwin.systems.federated.client import Client, Replica, Shard  # noqa: E402
from edgetwin.systems.federated.messages import Order, Record  # noqa: E402
from edgetwin.systems.federated.packet import Packet, PacketForm, parse  # noqa: E402
from edgetwin.systems.federated.rules import Rules  # noqa: E402
from edgetwin.systems.federated.runtime import choose  # noqa: E402
from edgetwin.systems.federated.server import Server  # noqa: E402

METHODS: list[tuple[str, dict[str, Any]]] = [
    ("fedspzo", {}),
    ("fedspzo", {"momentum": 0.5, "normalise": True, "decay": 0.9, "lr": (1e-2, 1e-2)}),
    ("fedspzo", {"dtype": torch.bfloat16}),
    ("decomfl", {}),
    ("fedkseed", {"pool": 8}),
    ("fedavg", {}),
]


def play(server: Server, rounds: range, **given: Any) -> Server:
    federation = case.federation(server, **given)
    for version in rounds:
        dropped = choose(case.CLIENTS, 0.3, 8, version)
        federation.round(choose(case.CLIENTS, 0.7, 4, version), dropped=dropped)
    return server


@pytest.mark.parametrize(("name", "settings"), METHODS)
def test_clients_of_their_own_end_where_clients_that_share_a_replica_end(
    name: str, settings: dict[str, Any]
) -> None:
    shared = play(case.server(name, steps=3, **settings), range(5))
    own = [Replica(case.method(name, **settings)) for _ in range(case.CLIENTS)]
    apart = play(case.server(name, steps=3, **settings), range(5), replicas=own)
    assert shared.replica.method.snapshot() == apart.replica.method.snapshot()
    assert [r.to_bytes() for r in shared.records] == [r.to_bytes() for r in apart.records]
    for replica in own:  # some have missed rounds
        replica.catch_up(apart.records)
        assert replica.method.snapshot() == apart.replica.method.snapshot()


@pytest.mark.parametrize(("name", "settings"), METHODS)
def test_a_server_that_was_killed_goes_on_where_it_stood(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    whole = play(case.server(name, steps=2, **settings), range(7))
    for rounds in (range(3), range(3, 5), range(5, 7)):
        part = case.server(name, folder=tmp_path, steps=2, keep_every=2, **settings)
        assert part.version == rounds.start
        if rounds.start:
            part.open([0, 1])  # a round that the next server knows nothing of
        play(part, rounds)
    assert part.replica.method.snapshot() == whole.replica.method.snapshot()
    assert (part.counts, part.known) == (whole.counts, whole.known)


def test_a_line_cut_by_the_kill_counts_as_a_round_that_was_not_closed(tmp_path: Path) -> None:
    play(case.server(folder=tmp_path), range(3))
    log = tmp_path / "rounds.jsonl"
    log.write_bytes(log.read_bytes()[:-200])
    again = case.server(folder=tmp_path)
    assert again.version == 2
    whole = play(case.server(), range(3))
    assert play(again, range(2, 3)).replica.method.snapshot() == whole.replica.method.snapshot()


def test_a_client_that_returns_is_sent_what_it_missed_and_nothing_else() -> None:
    server = case.server()
    federation = case.federation(server)
    federation.round(range(5))
    federation.round(range(5, 9))
    orders = server.open([0, 5, 9])
    assert [len(orders[c].records) for c in (0, 5, 9)] == [2, 1, 2]
    for order in orders.values():
        assert server.order_bytes(order) == len(order.to_bytes())
        again = Order.from_bytes(order.to_bytes())
        assert again.seeds == order.seeds and again.to_bytes() == order.to_bytes()
    assert server.packets_since(orders[9]) == 9


def test_a_replica_on_disk_is_the_replica(tmp_path: Path) -> None:
    server = play(case.server(momentum=0.5, normalise=True, lr=(1e-2, 1e-2)), range(3))
    server.replica.save(tmp_path / "r.state")
    again = Replica(case.method(momentum=0.5, normalise=True, lr=(1e-2, 1e-2)))
    again.load(tmp_path / "r.state")
    assert again.version == 3
    assert again.method.snapshot() == server.replica.method.snapshot()
    (tmp_path / "r.state").write_bytes(b"no replica at all")
    with pytest.raises(ValueError, match="damaged"):
        again.load(tmp_path / "r.state")


def test_a_client_works_on_a_gap_only_when_it_is_filled() -> None:
    server = play(case.server(), range(3))
    stranger = Client(Replica(case.method()), case.shards()[0])
    with pytest.raises(ValueError, match="cannot follow version 0"):
        stranger.replica.catch_up(server.records[1:])
    with pytest.raises(ValueError, match="replica at 0"):
        stranger.work(Order(version=3, base=1, steps=1))


def test_local_steps_are_undone_and_build_on_one_another() -> None:
    server = case.server(steps=3)
    client = Client(server.replica, case.shards()[0])
    order = server.open([0])[0]
    before = server.replica.method.snapshot()
    packets = parse(client.work(order))
    assert server.replica.method.snapshot() == before
    method = server.replica.method
    for step, packet in enumerate(packets):
        found = method.estimate(client.batches(0, step), order.seeds[step])
        assert np.array_equal(found.scalars, packet.scalars)
        method.apply(packet, 1.0)


# -- what is refused --------------------------------------------------------------------------

Change = Callable[[bytes], bytes]


def with_scalar(value: float) -> Change:
    return lambda good: good[:12] + struct.pack("<f", value) + good[16:]


BAD: list[tuple[str, Change]] = [
    ("malformed", lambda good: b""),
    ("malformed", lambda good: good[:-1]),
    ("oversized", lambda good: good + b"\0"),
    ("malformed", lambda good: bytes([good[0] ^ 1]) + good[1:]),
    ("malformed", lambda good: good[:3] + b"\x21" + good[4:]),  # wire version 2
    ("malformed", lambda good: good[:3] + b"\x12" + good[4:]),  # a whole gradient
    ("foreign seed", lambda good: good[:4] + bytes([good[4] ^ 1]) + good[5:]),
    ("not finite", with_scalar(float("nan"))),
    ("not finite", with_scalar(float("inf"))),
    ("impossible", with_scalar(1e9)),
]


@pytest.mark.parametrize(("reason", "change"), BAD)
def test_a_bad_upload_is_refused_counted_and_changes_nothing(reason: str, change: Change) -> None:
    server = play(case.server(), range(2))
    client = Client(server.replica, case.shards()[0])
    good = client.work(server.open([0, 1])[0])
    before = server.replica.method.snapshot()
    assert server.receive(0, change(good)) == reason
    assert server.counts[reason] == 1
    server.close()
    assert server.replica.method.snapshot() == before


def test_who_may_send_and_when() -> None:
    server = case.server()
    client = Client(server.replica, case.shards()[0])
    good = client.work(server.open([0])[0])
    assert server.receive(0, good) == "accepted"
    assert server.receive(0, good) == "duplicate"
    assert server.receive(1, good) == "not asked"
    assert server.receive(-1, good) == "unknown client"
    assert server.receive(10**9, good) == "unknown client"
    server.close()
    assert server.receive(0, good) == "late"
    server.open([0, 1])
    assert server.receive(0, good) == "late"
    assert server.receive(1, good) == "late"
    assert dict(server.counts) == {
        "accepted": 1, "duplicate": 1, "not asked": 1, "unknown client": 2, "late": 3
    }  # fmt: skip


@pytest.mark.parametrize("outliers", ["refuse", "clip"])
def test_an_absurd_scalar_is_refused_or_cut_back(outliers: Any) -> None:
    servers = [case.server(rules=Rules(outliers=outliers)) for _ in range(2)]
    for poisoned, server in zip((True, False), servers, strict=True):
        orders = server.open(range(6))
        for number, order in orders.items():
            data = Client(server.replica, case.shards()[number]).work(order)
            if number == 2 and poisoned:
                data = with_scalar(3e4)(data)
            if number != 2 or poisoned:
                assert server.receive(number, data) == "accepted"
        server.close()
    with_it, without = (case.weights(s.replica.method) for s in servers)
    if outliers == "refuse":
        assert servers[0].counts["outlier"] == 1
        assert np.array_equal(with_it, without)
    else:
        assert servers[0].counts["clipped"] == 1
        usual = [abs(p.scalars[0]) for _, p in servers[1].records[0].entries]
        cut = abs(servers[0].records[0].entries[2][1].scalars[0])
        assert max(usual) < cut <= 30 * max(usual)


def test_one_client_cannot_make_the_usual_absurd() -> None:
    server = play(case.server(), range(4))
    for _ in range(20):
        orders = server.open([0, 1, 2])
        for number, order in orders.items():
            data = Client(server.replica, case.shards()[number]).work(order)
            server.receive(number, with_scalar(5e4)(data) if number == 0 else data)
        server.close()
    assert server.counts["outlier"] == 20


def test_a_round_without_answers_is_a_round() -> None:
    server = case.server()
    before = server.replica.method.snapshot()
    server.open([1, 2])
    record = server.close()
    assert (record.entries, server.version) == ((), 1)
    assert server.replica.method.snapshot() == before


def test_records_and_packets_survive_the_wire_and_cuts_are_noticed() -> None:
    record = play(case.server(steps=2), range(1)).records[0]
    data = record.to_bytes()
    assert Record.from_bytes(data).to_bytes() == data
    for cut in range(len(data)):
        with pytest.raises(ValueError):
            Record.from_bytes(data[:cut])
    with pytest.raises(ValueError, match="more behind"):
        Record.from_bytes(data + b"\0")
    with pytest.raises(ValueError, match="wire version 2"):
        Packet.from_bytes(struct.pack("<IQ", 2 << 28 | 1 << 24, 0))
    with pytest.raises(ValueError, match="this run has"):
        PacketForm(groups=(1, 4), limit=1.0).check(Packet(seed=0, scalars=np.zeros(3, "f4")))


def test_weights_follow_the_number_of_examples() -> None:
    server = Server(case.method(), [10, 30] + [1] * 8, seed=3)
    orders = server.open([0, 1])
    for client, order in orders.items():
        server.receive(client, Client(server.replica, case.shards()[client]).work(order))
    assert [weight for weight, _ in server.close().entries] == [0.25, 0.75]


def test_batches_of_a_shard_depend_on_round_and_step_alone() -> None:
    first, second = (Shard(case.examples(), range(24, 48), 8, [5, 1]) for _ in range(2))
    assert torch.equal(first(3, 1).inputs["x"], second(3, 1).inputs["x"])
    assert not torch.equal(first(3, 1).inputs["x"], first(3, 2).inputs["x"])
    rows = {tuple(row.tolist()) for row in case.examples().inputs["x"][24:48]}
    assert {tuple(row.tolist()) for row in first(0, 0).inputs["x"]} <= rows
