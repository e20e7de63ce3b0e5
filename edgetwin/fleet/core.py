"""The fleet: rounds are events on a simpy clock, boards advance when they are needed.

Nothing happens to a board between two of its jobs but idling, so its physics waits until the
next job, and then all boards of a round advance in one compiled call per kind of board.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import simpy
from numpy.typing import NDArray

from edgetwin.fleet.herd import Herd
from edgetwin.fleet.members import DONE, LATE, LOST, OFF, Client, Round, Task
from edgetwin.fleet.network import Network, transfer_ends_s
from edgetwin.kernel.state import State

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
DAY_S = 86400.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSnapshot:
    """A fleet at one instant, as plain data: time, rounds so far, states by kind of board."""

    now_s: float
    rounds: int
    states: tuple[State, ...]


@final
class Fleet:
    """Boards, their links and a server on one simpy clock in seconds; same seed, same rounds.

    A server is a process on `clock` that yields rounds:

        def server(fleet):
            while True:
                found = yield fleet.round([Task(client=3, job=job, upload_bytes=32)])

    Heat and energy carry over from round to round. What a link sends draws no power of its own.
    """

    def __init__(
        self, clients: Sequence[Client], *, network: Network | None = None, seed: int = 0
    ) -> None:
        if not clients:
            raise ValueError("a fleet needs at least one client.")
        self.clients = tuple(clients)
        self.network = network or Network()
        self.seed = seed
        self.rounds = 0
        self.clock = simpy.Environment()
        links = [client.link for client in self.clients]
        self._latency_s = np.array([link.latency_s for link in links])
        self._down_bytes_per_s = np.array([link.down_bytes_per_s for link in links])
        self._up_bytes_per_s = np.array([link.up_bytes_per_s for link in links])
        self._loss = np.array([client.loss for client in self.clients])
        by_board: dict[int, list[int]] = {}
        for i, client in enumerate(self.clients):
            by_board.setdefault(id(client.board), []).append(i)
        self._members = [np.array(members, np.int64) for members in by_board.values()]
        self._herds = [self._herd(members) for members in by_board.values()]
        self._place = np.empty((len(self.clients), 2), np.int64)  # herd and row of each client
        for h, members in enumerate(self._members):
            self._place[members, 0] = h
            self._place[members, 1] = np.arange(len(members))

    def _herd(self, members: Sequence[int]) -> Herd:
        clients = [self.clients[i] for i in members]
        return Herd(clients[0].board, clients, [self.client_seed(i) for i in members])

    def client_seed(self, client: int) -> int:
        """The seed with which a simulator of this client's board gives the same readings."""
        return int(np.random.SeedSequence([self.seed, client]).generate_state(1)[0])

    def places(self) -> list[tuple[Herd, int]]:
        """Of every client the herd it stands in and its row there."""
        return [(self._herds[herd], row) for herd, row in self._place.tolist()]

    @property
    def now_ns(self) -> int:
        """The clock in whole nanoseconds."""
        return round(self.clock.now * 1e9)

    def round(self, tasks: Sequence[Task], *, deadline_s: float = DAY_S) -> simpy.Event:
        """An event with the `Round` as its value, when the last answer is in or the deadline past.

        All downloads start now; a job starts when its download is over, an upload when its job
        is done. A job that the deadline meets is stopped there. A client takes part in one
        round at a time. ValueError for a client that is still busy, unknown or asked twice, a job
        that its board cannot run or hold in memory, a clock that it does not have.
        """
        if not 0 < deadline_s < 1e9:
            raise ValueError(f"deadline is {deadline_s} s; give a positive number of seconds.")
        found = self._price(tasks, self._places_of(tasks), deadline_s)
        self.rounds += 1
        all_in = bool(found.arrived.all())
        wait_s = float(found.end_s.max(initial=0.0)) if all_in else deadline_s
        return self.clock.timeout(wait_s, value=found)

    def _places_of(self, tasks: Sequence[Task]) -> Rows:
        """Of every task herd, row, unit and demand rows, (n_tasks, 5), once all is checked."""
        asked = [task.client for task in tasks]
        if len(set(asked)) < len(asked) or not all(0 <= c < len(self.clients) for c in asked):
            raise ValueError(
                f"clients are {asked}; name each once, from 0 to {len(self.clients) - 1}."
            )
        busy = np.array(asked, np.int64)[self._times_ns(asked) > self.now_ns]
        if len(busy):
            raise ValueError(f"client {busy[0]} is still busy at {self.clock.now:.3f} s.")
        found, known = [], {}  # of a round's jobs many are the same
        for task, (herd, row) in zip(tasks, self._place[asked].tolist(), strict=True):
            own, key = self._herds[herd], (herd, id(task.job))
            if key not in known:
                known[key] = own.demand(task.job)
            found.append((herd, row, *own.place(row, task, known[key])))
        return np.array(found, np.int64).reshape(-1, 5)

    def _times_ns(self, clients: Sequence[int]) -> Rows:
        found = np.empty(len(clients), np.int64)
        places = self._place[np.asarray(clients, np.int64)]
        for h, herd in enumerate(self._herds):
            mine = places[:, 0] == h
            found[mine] = herd.states["t_ns"][places[mine, 1]]
        return found

    def _price(self, tasks: Sequence[Task], places: Rows, deadline_s: float) -> Round:
        """Time, energy and heat of every task of a round."""
        clients = np.array([task.client for task in tasks], np.int64)
        latency_s = self._latency_s[clients]
        down_bytes = np.array([task.download_bytes for task in tasks])
        up_bytes = np.array([task.upload_bytes for task in tasks])
        download_s = transfer_ends_s(
            np.where(down_bytes > 0, latency_s, 0.0), down_bytes,
            self._down_bytes_per_s[clients], self.network.down_bytes_per_s,
        )  # fmt: skip
        start_ns = self.now_ns
        end_ns = start_ns + round(deadline_s * 1e9)
        begin_ns = np.minimum(start_ns + np.rint(download_s * 1e9).astype(np.int64), end_ns)
        worked = self._work(tasks, places, begin_ns, end_ns)
        done = worked.code >= 0
        begin_up_s = _seconds(worked.stop_ns - start_ns) + np.where(up_bytes > 0, latency_s, 0.0)
        sent_s = np.full(len(tasks), np.inf)
        sent_s[done] = transfer_ends_s(
            begin_up_s[done], up_bytes[done],
            self._up_bytes_per_s[clients[done]], self.network.up_bytes_per_s,
        )  # fmt: skip
        status = np.where(sent_s <= deadline_s, DONE, LATE)
        status[(status == DONE) & self._lost(clients)] = LOST
        status[worked.off] = OFF
        return Round(
            start_s=self.clock.now,
            clients=clients,
            status=status,
            download_s=_seconds(begin_ns - start_ns),
            compute_s=_seconds(worked.stop_ns - begin_ns),
            end_s=np.where(status == DONE, sent_s, np.inf),
            energy_j=worked.energy_j,
            throttled_s=worked.throttled_s,
            peak_c=worked.peak_c,
        )

    def _work(self, tasks: Sequence[Task], places: Rows, begin_ns: Rows, end_ns: int) -> "_Worked":
        """Boards idle up to begin_ns, (k,), and work up to the end of their jobs or end_ns."""
        found = _Worked.empty(len(tasks))
        for h, herd in enumerate(self._herds):
            mine = np.flatnonzero(places[:, 0] == h)
            if not len(mine):
                continue
            rows = places[mine, 1].copy()
            herd.advance(rows, begin_ns[mine])
            able = (begin_ns[mine] < end_ns) & (herd.states["off"][rows] == 0)
            given = [tasks[i] for i in mine[able].tolist()]
            for row, task in zip(rows[able].tolist(), given, strict=True):
                if task.freq_hz:
                    herd.set_clocks(row, task.freq_hz)
            herd.start(places[mine[able], 1:], [task.job for task in given])
            before_j, before_s = herd.energies_j(rows), herd.states["throttled_s"][rows]
            found.code[mine] = herd.advance(rows, np.full(len(rows), end_ns))
            found.stop_ns[mine] = herd.states["t_ns"][rows]
            found.off[mine] = herd.states["off"][rows] != 0
            found.energy_j[mine] = herd.energies_j(rows) - before_j
            found.throttled_s[mine] = herd.states["throttled_s"][rows] - before_s
            found.peak_c[mine] = herd.hottest_c(rows)
            herd.free(rows[able])
        return found

    def _lost(self, clients: Rows) -> NDArray[np.bool_]:
        """Whose answer does not arrive in this round; a client's luck does not depend on others."""
        luck = np.random.default_rng([self.seed, 2, self.rounds]).random(len(self.clients))
        return np.asarray(luck[clients] < self._loss[clients])

    def settle(self) -> None:
        """Bring every board to the present; boards of a round that still runs are ahead of it."""
        for herd in self._herds:
            rows = np.flatnonzero(herd.states["t_ns"] < self.now_ns)
            while len(rows):  # again for those that switch off on the way
                herd.advance(rows, np.full(len(rows), self.now_ns))
                rows = rows[herd.states["t_ns"][rows] < self.now_ns]

    def energies_j(self) -> Array:
        """Energy drawn by every client since the start, (n_clients,); settles."""
        self.settle()
        return self._by_client([herd.energies_j(_all(herd)) for herd in self._herds])

    def hottest_c(self) -> Array:
        """True temperature of every client's hottest zone, (n_clients,); settles."""
        self.settle()
        return self._by_client([herd.hottest_c(_all(herd)) for herd in self._herds])

    def _by_client(self, by_herd: Sequence[Array]) -> Array:
        found = np.empty(len(self.clients))
        for members, values in zip(self._members, by_herd, strict=True):
            found[members] = values
        return found

    def snapshot(self) -> FleetSnapshot:
        """Everything needed to go on from here, but for the processes on the clock."""
        states = tuple(herd.states.copy() for herd in self._herds)
        return FleetSnapshot(now_s=self.clock.now, rounds=self.rounds, states=states)

    def restore(self, snapshot: FleetSnapshot) -> None:
        """Go back to a snapshot of this fleet, on a new clock without processes."""
        self.clock = simpy.Environment(initial_time=snapshot.now_s)
        self.rounds = snapshot.rounds
        for herd, states in zip(self._herds, snapshot.states, strict=True):
            herd.states[:] = states


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Worked:
    """How the boards' work went; arrays (k,)."""

    stop_ns: Rows
    code: Rows
    off: NDArray[np.bool_]
    energy_j: Array
    throttled_s: Array
    peak_c: Array

    @classmethod
    def empty(cls, k: int) -> "_Worked":
        return cls(
            stop_ns=np.zeros(k, np.int64),
            code=np.zeros(k, np.int64),
            off=np.zeros(k, bool),
            energy_j=np.zeros(k),
            throttled_s=np.zeros(k),
            peak_c=np.zeros(k),
        )


def _all(herd: Herd) -> Rows:
    return np.arange(len(herd.states))


def _seconds(times_ns: Rows) -> Array:
    return np.asarray(times_ns * 1e-9, np.float64)
