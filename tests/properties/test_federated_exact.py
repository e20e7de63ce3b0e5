"""Steps commute, can be taken back, and are the same on every replica, for any packets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra `learn`")

import federated_case as case  # noqa: E402

from edgetwin.systems.federated.grid import Grid  # noqa: E402
from edgetwin.systems.federated.packet import Packet, parse  # noqa: E402

scalars = st.floats(-200, 200, width=32)
packets = st.lists(
    st.tuples(
        st.integers(0, 2**64 - 1),
        st.lists(scalars, min_size=5, max_size=5),
        st.sampled_from([1.0, 0.25, 1 / 3, 0.01]),
    ),
    min_size=1,
    max_size=6,
)
FORMS = [
    {},
    {"dtype": torch.bfloat16},
    {"momentum": 0.7},
    {"wide": True},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
@settings(max_examples=20)
@given(made=packets, order=st.randoms(use_true_random=False))
def test_packets_commute_and_can_be_taken_back(form, made, order) -> None:  # type: ignore[no-untyped-def]
    one, other = case.method(**form), case.method(**form)
    start = one.snapshot()
    sent = [(Packet(seed=s, scalars=np.array(g, "f4")), w) for s, g, w in made]
    for packet, weight in sent:
        one.apply(Packet.from_bytes(packet.to_bytes()), weight)
    shuffled = list(sent)
    order.shuffle(shuffled)
    for packet, weight in shuffled:
        other.apply(packet, weight)
    assert one.snapshot() == other.snapshot()
    for packet, weight in shuffled:
        one.apply(packet, -weight)
    assert one.snapshot() == start
    packs = [packet for packet, _ in sent]
    for method, seen in ((one, packs), (other, packs[::-1])):
        method.end_round(seen)
    for packet, weight in sent:
        one.apply(packet, weight)
    if "momentum" not in form:  # the velocity of the two is no longer the same
        assert one.snapshot()["weights"] == other.snapshot()["weights"]


@settings(max_examples=30)
@given(
    n=st.integers(1, 400),
    moves=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([2.0**-10, -(2.0**-10), 0.0])), max_size=12
    ),
)
def test_leaning_anywhere_and_back_changes_no_bit(n: int, moves: list[tuple[int, float]]) -> None:
    generator = torch.Generator().manual_seed(n)
    start = torch.randn(n, generator=generator)
    for dtype in (torch.float32, torch.bfloat16):
        p = torch.nn.Parameter(start.clone())
        grid = Grid([p], 1, dtype=dtype)
        units, shown = grid.units(), p.detach().clone()
        for number, eps in moves:
            grid.lean(9, number, eps)
        grid.lean(9, 0, 0.0)
        assert np.array_equal(grid.units(), units)
        assert torch.equal(p, shown)


@settings(max_examples=200)
@given(data=st.binary(max_size=120))
def test_no_bytes_make_the_parser_do_anything_but_parse_or_refuse(data: bytes) -> None:
    try:
        found = parse(data)
    except ValueError:
        return
    assert b"".join(packet.to_bytes() for packet in found) == data


@settings(max_examples=50)
@given(client=st.integers(-3, 15), data=st.binary(max_size=80))
def test_a_server_never_raises_for_what_it_is_sent(client: int, data: bytes) -> None:
    server = SERVER
    before, counted = server.replica.method.snapshot(), sum(server.counts.values())
    assert server.receive(client, data) != "accepted"
    assert sum(server.counts.values()) == counted + 1
    assert server.replica.method.snapshot() == before


SERVER = case.server()
SERVER.open(range(5))
