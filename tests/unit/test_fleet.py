"""A fleet is its boards, each as its simulator has it, in rounds that a server asks for."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import simpy

from edgetwin.fleet import STATUSES, Client, Fleet, Link, Network, Round, Task
from edgetwin.fleet.network import fair_shares, transfer_ends_s
from edgetwin.simulator import Simulator
from hw_models import ForwardJob, Knobs, load_board, load_network

LINK = Link(down_bytes_per_s=2e6, up_bytes_per_s=1e6, latency_s=0.05)
NET = load_network("mobilenet-v2")
JOB = ForwardJob(network=NET, batch=8, passes=5, steps=20)
NANO, NX = load_board("jetson-nano"), load_board("jetson-tx2-nx")


def fleet(n: int = 4, *, seed: int = 0, network: Network | None = None, **client: Any) -> Fleet:
    boards = (NANO, NX)
    members = [Client(**{"board": boards[i % 2], "link": LINK, **client}) for i in range(n)]
    return Fleet(members, seed=seed, network=network)


def task(client: int, **changes: Any) -> Task:
    sizes = {"download_bytes": 1e6, "upload_bytes": 160.0}
    return Task(**{"client": client, "job": JOB, **sizes, **changes})


def one_round(made: Fleet, *tasks: Task, deadline_s: float = 600.0) -> Round:
    """The round, and the clock at its end."""
    return made.clock.run(until=made.round(tasks, deadline_s=deadline_s))


def same(one: Round, other: Round) -> bool:
    names = ("status", "compute_s", "end_s", "energy_j", "peak_c", "throttled_s")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


# -- boards -----------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [0, 1])
def test_a_client_is_the_twin_of_its_board(client: int) -> None:
    made = fleet(seed=3)
    found = one_round(made, task(1 - client), task(client))
    alone = Simulator(made.clients[client].board, seed=made.client_seed(client))
    alone.advance(0.05 + 0.5)
    before_j = alone.kpis()["energy_j"]
    alone.submit(JOB)
    alone.advance(float(found.compute_s[1]))
    assert [job.end_s for job in alone.results()] == [pytest.approx(0.55 + found.compute_s[1])]
    assert found.energy_j[1] == pytest.approx(alone.kpis()["energy_j"] - before_j, rel=1e-12)
    made.settle()
    alone.run_until(made.now_ns)
    assert made.energies_j()[client] == pytest.approx(alone.kpis()["energy_j"], rel=1e-5)
    zones = [z.node for z in alone.board.sensors.zones.values()]
    hottest_c = max(alone.node_temps_c()[node] for node in zones)
    assert made.hottest_c()[client] == pytest.approx(hottest_c, abs=1e-3)


def test_a_board_that_waits_is_as_warm_as_one_that_is_looked_at() -> None:
    lazy, watched = fleet(), fleet()
    for made in (lazy, watched):
        one_round(made, task(0), task(1))
    for at_s in np.linspace(watched.clock.now + 1.0, 300.0, 40):
        watched.clock.run(until=float(at_s))
        watched.settle()
    lazy.clock.run(until=300.0)
    assert lazy.energies_j() == pytest.approx(watched.energies_j(), rel=1e-5)
    assert lazy.hottest_c() == pytest.approx(watched.hottest_c(), abs=2e-3)


def test_heat_and_energy_carry_over_from_round_to_round() -> None:
    made = fleet()
    long = ForwardJob(network=NET, batch=8, passes=5, steps=200)
    first, second = (one_round(made, task(0, job=long)) for _ in range(2))
    assert second.peak_c[0] > first.peak_c[0] + 0.5
    assert second.energy_j[0] > first.energy_j[0]  # warm silicon leaks more
    idle_j, worked_j = made.energies_j()[2], made.energies_j()[0]
    assert worked_j > idle_j
    assert worked_j > first.energy_j[0] + second.energy_j[0]


def test_a_slower_clock_takes_longer_at_less_power() -> None:
    freqs_hz = NANO.clocks["gpu"].freqs_hz.value
    found = [one_round(fleet(), task(0, freq_hz={"gpu": hz})) for hz in (freqs_hz[2], freqs_hz[-1])]
    slow, fast = found
    assert slow.compute_s[0] > 1.5 * fast.compute_s[0]
    assert slow.energy_j[0] / slow.compute_s[0] < fast.energy_j[0] / fast.compute_s[0]


def test_each_board_has_its_own_air() -> None:
    made = Fleet([Client(board=NANO, link=LINK, ambient_c=c) for c in (10.0, 35.0)])
    cold_c, warm_c = made.hottest_c()
    assert warm_c - cold_c == pytest.approx(25.0, abs=2.0)


def test_a_board_that_switches_off_says_so_and_stays_off() -> None:
    made = Fleet([Client(board=NANO, link=LINK, ambient_c=c) for c in (20.0, 120.0)])
    for _ in range(2):
        found = one_round(made, task(0), task(1), deadline_s=60.0)
        assert [STATUSES[s] for s in found.status] == ["done", "off"]
        assert found.end_s[1] == np.inf
    assert made.clock.now == 120.0


# -- rounds -----------------------------------------------------------------------------------


def test_times_of_a_round_add_up() -> None:
    made = fleet()
    found = one_round(made, task(0), task(1), task(3))
    assert found.download_s == pytest.approx([0.55] * 3)
    assert found.end_s == pytest.approx(found.download_s + found.compute_s + 0.05 + 160e-6)
    assert found.arrived.all()
    assert made.clock.now == pytest.approx(found.end_s.max())
    assert found.compute_s[1] == pytest.approx(found.compute_s[2], rel=1e-6)


def test_what_the_deadline_meets_is_late_and_stopped_there() -> None:
    made = fleet()
    found = one_round(made, task(0, job=JOB), task(1), deadline_s=2.0)
    assert [STATUSES[s] for s in found.status] == ["late", "late"]
    assert found.compute_s == pytest.approx(2.0 - found.download_s)
    assert made.clock.now == 2.0
    assert not np.isfinite(found.end_s).any()
    again = one_round(made, task(0), deadline_s=600.0)  # free for the next round
    assert STATUSES[again.status[0]] == "done"


def test_a_download_past_the_deadline_leaves_the_board_idle() -> None:
    made = fleet()
    found = one_round(made, task(0, download_bytes=1e9), deadline_s=5.0)
    assert STATUSES[found.status[0]] == "late"
    assert found.compute_s[0] == 0.0
    assert found.energy_j[0] == 0.0
    assert made.energies_j()[0] == pytest.approx(made.energies_j()[2], rel=1e-5)


def test_an_answer_that_is_lost_was_worked_for() -> None:
    lossy, sound = fleet(loss=1.0), fleet()
    lost, done = (one_round(made, task(0), deadline_s=60.0) for made in (lossy, sound))
    assert (STATUSES[lost.status[0]], STATUSES[done.status[0]]) == ("lost", "done")
    assert lost.energy_j[0] == done.energy_j[0]
    assert (lossy.clock.now, lost.end_s[0]) == (60.0, np.inf)


def test_the_luck_of_a_client_does_not_depend_on_who_else_is_asked() -> None:
    def statuses(*clients: int) -> list[list[int]]:
        made = fleet(6, loss=0.5, seed=1)
        rounds = [one_round(made, *map(task, clients), deadline_s=60.0) for _ in range(8)]
        return [found.status[: len(clients)].tolist() for found in rounds]

    alone, together = statuses(4), statuses(0, 4, 1)
    assert [status[0] for status in alone] == [status[1] for status in together]
    assert len({status[0] for status in alone}) == 2


def test_a_server_is_a_process_on_the_clock() -> None:
    made, kept = fleet(), []

    def server(clock: simpy.Environment) -> Iterator[Any]:
        while True:
            kept.append((yield made.round([task(0), task(2)], deadline_s=300.0)))
            yield clock.timeout(10.0)

    made.clock.process(server(made.clock))
    made.clock.run(until=120.0)
    starts_s = [found.start_s for found in kept]
    ends_s = [found.start_s + found.end_s.max() for found in kept]
    assert len(kept) > 2
    assert starts_s[1:] == pytest.approx([end_s + 10.0 for end_s in ends_s[:-1]])


def test_rounds_of_different_clients_may_overlap() -> None:
    made = fleet()
    both = [made.round([task(0)]), made.round([task(1)])]
    with pytest.raises(ValueError, match=r"client 0 is still busy at 0\.000 s"):
        made.round([task(0)])
    made.clock.run(until=both[0] & both[1])
    alone = [one_round(fleet(), task(c)) for c in (0, 1)]
    assert all(same(event.value, other) for event, other in zip(both, alone, strict=True))


def test_the_same_seed_gives_the_same_rounds_and_a_snapshot_goes_on_alike() -> None:
    one, other = (fleet(loss=0.5, seed=5) for _ in range(2))
    tasks = [task(0), task(1), task(3)]
    for made in (one, other):
        one_round(made, *tasks, deadline_s=60.0)
    kept = one.snapshot()
    onward = [one_round(one, *tasks, deadline_s=60.0) for _ in range(3)]
    assert same(onward[0], one_round(other, *tasks, deadline_s=60.0))
    one.restore(kept)
    assert one.clock.now == kept.now_s
    again = [one_round(one, *tasks, deadline_s=60.0) for _ in range(3)]
    assert all(same(a, b) for a, b in zip(onward, again, strict=True))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda made: made.round([task(0), task(0)]), "name each once"),
        (lambda made: made.round([task(9)]), "from 0 to 3"),
        (lambda made: made.round([task(0)], deadline_s=0.0), "deadline is 0.0 s"),
        (lambda made: made.round([task(0, freq_hz={"gpu": 1.0})]), "gpu cannot run at 1 Hz"),
        (
            lambda made: made.round([task(0, job=ForwardJob(
                network=load_network("opt-1.3b"), batch=8, passes=1, steps=1))]),
            "needs .* bytes of memory, and jetson-nano has",
        ),
        (lambda made: task(0, upload_bytes=-1.0), "upload_bytes is -1"),
        (lambda made: Link(down_bytes_per_s=0.0, up_bytes_per_s=1.0), "positive rates"),
        (lambda made: Link(down_bytes_per_s=1.0, up_bytes_per_s=1.0, latency_s=-1.0), "latency_s"),
        (lambda made: Network(up_bytes_per_s=np.nan), "positive rates"),
        (lambda made: Client(board=NANO, link=LINK, loss=2.0), "loss is 2.0"),
        (lambda made: Fleet([]), "at least one client"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(ask: Any, said: str) -> None:
    made = fleet()
    with pytest.raises(ValueError, match=said) as caught:
        ask(made)
    assert "\n" not in str(caught.value)
    assert one_round(made, task(0)).arrived.all()  # nothing of it has happened


def test_clocks_go_back_to_their_governor_only_when_a_round_says_so() -> None:
    made = fleet()
    low_hz = NANO.clocks["gpu"].freqs_hz.value[0]
    first = one_round(made, task(0, freq_hz={"gpu": low_hz}))
    second = one_round(made, task(0))
    assert second.compute_s[0] == pytest.approx(first.compute_s[0], rel=1e-3)
    assert Knobs(freq_hz={"gpu": low_hz}).freq_hz == {"gpu": low_hz}


# -- the network ------------------------------------------------------------------------------


def test_a_network_without_limit_leaves_links_alone() -> None:
    ends_s = transfer_ends_s(
        np.array([0.0, 2.0]), np.array([10.0, 10.0]), np.array([1.0, 5.0]), np.inf
    )
    assert ends_s.tolist() == [10.0, 4.0]


def test_equal_transfers_share_a_network_evenly() -> None:
    ends_s = transfer_ends_s(np.zeros(4), np.full(4, 10.0), np.full(4, 9.0), 8.0)
    assert ends_s.tolist() == [5.0] * 4


def test_a_slow_link_leaves_its_share_to_the_others() -> None:
    assert fair_shares(np.array([10.0, 1.0, 10.0]), 9.0).tolist() == [4.0, 1.0, 4.0]


def test_late_starters_slow_the_others_down_from_then_on() -> None:
    # 10 bytes alone for 1 s at 4/s, then shared at 2/s: 1 + 6/2; the other then has 4/s alone
    ends_s = transfer_ends_s(np.array([0.0, 1.0]), np.array([10.0, 10.0]), np.full(2, 9.0), 4.0)
    assert ends_s.tolist() == [4.0, 5.0]


def test_a_shared_network_moves_no_more_than_it_can_and_never_rests() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        k = int(rng.integers(1, 12))
        starts_s, sizes = rng.uniform(0.0, 0.5, k), rng.uniform(1.0, 9.0, k)
        rates, shared = np.full(k, 100.0), float(rng.uniform(1.0, 5.0))
        ends_s = transfer_ends_s(starts_s, sizes, rates, shared)
        order = np.argsort(starts_s)
        idle_s = starts_s[order][0]
        assert ends_s.max() >= idle_s + sizes.sum() / shared - 1e-9
        assert (ends_s >= starts_s + sizes / shared - 1e-9).all()
        if k > 1 and (starts_s[order][1:] < starts_s[order][0] + sizes[order][0] / shared).all():
            assert ends_s.max() == pytest.approx(idle_s + sizes.sum() / shared)


def test_a_transfer_of_nothing_ends_as_it_starts() -> None:
    ends_s = transfer_ends_s(np.array([3.0, 0.0]), np.zeros(2), np.ones(2), 1.0)
    assert ends_s.tolist() == [3.0, 0.0]


def test_a_crowded_server_makes_a_round_longer() -> None:
    alone = one_round(fleet(), task(0), task(1))
    shared = one_round(fleet(network=Network(down_bytes_per_s=2e6)), task(0), task(1))
    assert shared.download_s == pytest.approx([1.05, 1.05])
    assert (shared.end_s > alone.end_s + 0.4).all()
