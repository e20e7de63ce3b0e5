"""A thousand boards in federated rounds, against a simpy process per board that polls."""

from collections.abc import Generator
from functools import cache
from math import inf
from statistics import median
from typing import Any, final

import numpy as np
import simpy

from benchmarks.frame.side_by_side import median_ratio, side_by_side, timed_s
from edgetwin.fleet import Client, Fleet, Link, Round, Task
from edgetwin.fleet.herd import Herd
from edgetwin.kernel import advance, free_job, start_job
from edgetwin.studies import Figure, row
from hw_models import ForwardJob, load_board, load_network

Process = Generator[simpy.Event, Any, None]
BOARDS = ("jetson-nano", "jetson-tx2-nx")
N_BOARDS, SAMPLED, SEED = 1000, 100, 1
HOUR_S, PERIOD_S = 3600.0, 0.05
LINK = Link(down_bytes_per_s=2e6, up_bytes_per_s=1e6, latency_s=0.03)
DOWN_BYTES, UP_BYTES = 1e6, 160.0


def clients(names: tuple[str, ...] = BOARDS) -> list[Client]:
    """The boards in turn, in air of 15 to 30 degC."""
    air_c = np.random.default_rng(SEED).uniform(15.0, 30.0, N_BOARDS).round(0)
    boards = [load_board(name) for name in names]
    return [
        Client(board=boards[i % len(boards)], link=LINK, ambient_c=float(c))
        for i, c in enumerate(air_c)
    ]


@cache
def job_of(steps: int) -> ForwardJob:
    """So many zero-order steps of five forward passes on eight samples."""
    return ForwardJob(network=load_network("mobilenet-v2"), batch=8, passes=5, steps=float(steps))


def tasks_of(number: int, sampled: int) -> list[Task]:
    """What the server asks in a round: so many clients, 10 to 30 zero-order steps each."""
    rng = np.random.default_rng([SEED, number])
    return [
        Task(
            client=int(client),
            job=job_of(int(steps)),
            download_bytes=DOWN_BYTES,
            upload_bytes=UP_BYTES,
        )
        for client, steps in zip(
            rng.choice(N_BOARDS, sampled, replace=False),
            rng.integers(10, 30, sampled),
            strict=True,
        )
    ]


@final
class Rounds:
    """A fleet under a server that starts a round as soon as the last answer is in."""

    def __init__(self, fleet: Fleet, sampled: int, limit: float = inf) -> None:
        self.fleet, self.sampled, self.limit = fleet, sampled, limit
        self.found: list[Round] = []
        fleet.clock.process(self._server())

    def _server(self) -> Process:
        while len(self.found) < self.limit:
            tasks = tasks_of(len(self.found), self.sampled)
            self.found.append((yield self.fleet.round(tasks)))

    def run(self, until_s: float) -> None:
        """Up to until_s, every board settled there."""
        self.fleet.clock.run(until=until_s)
        self.fleet.settle()

    def ends_s(self) -> dict[tuple[int, int], float]:
        """When each answer came, by round and client."""
        return {
            (number, int(client)): found.start_s + float(end_s)
            for number, found in enumerate(self.found)
            for client, end_s in zip(found.clients, found.end_s, strict=True)
        }


@final
class Polling:
    """The same boards, each a simpy process that wakes every 50 ms; so does the server."""

    def __init__(self, fleet: Fleet, sampled: int, limit: float = inf) -> None:
        self.fleet, self.sampled, self.limit = fleet, sampled, limit
        self.env = simpy.Environment()
        self.number, self.polls = 0, 0
        self.asked: dict[int, tuple[float, Task]] = {}
        self.ends_s: dict[tuple[int, int], float] = {}
        for client, (herd, place) in enumerate(fleet.places()):
            self.env.process(self._board(client, herd, place))
        self.env.process(self._server())

    def _server(self) -> Process:
        while self.number < self.limit:
            tasks = tasks_of(self.number, self.sampled)
            begin_s = self.env.now + LINK.latency_s + DOWN_BYTES / LINK.down_bytes_per_s
            self.asked = {task.client: (begin_s, task) for task in tasks}
            while len([key for key in self.ends_s if key[0] == self.number]) < self.sampled:
                yield self.env.timeout(PERIOD_S)
            self.number += 1

    def _board(self, client: int, herd: Herd, place: int) -> Process:
        state, record = herd.states[place : place + 1], herd.lowered.record
        ticks = 0
        is_at_work = False
        while True:
            yield self.env.timeout(PERIOD_S)
            ticks += 1
            end = ticks * 50_000_000  # nanoseconds, as the kernel counts
            self.polls += 1
            if not is_at_work and client in self.asked and self.asked[client][0] <= self.env.now:
                self._start(herd, state, self.asked.pop(client)[1])
                is_at_work = True
            if advance(state, record, herd.table.rows, end) >= 0:
                free_job(state, 0)
                advance(state, record, herd.table.rows, end)
                is_at_work = False
                up_s = LINK.latency_s + UP_BYTES / LINK.up_bytes_per_s
                self.ends_s[self.number, client] = self.env.now + up_s

    def _start(self, herd: Herd, state: Any, task: Task) -> None:
        assert isinstance(task.job, ForwardJob)
        first, rows = herd.table.find(task.job)
        unit = herd.table.fastest_first(first)[0]
        phase = float(herd.table.rows[first, 0])
        start_job(state, 0, 1, unit, first, rows, float(task.job.steps), 0.0, phase, 0.0)

    def run(self, until_s: float) -> None:
        """Up to until_s."""
        self.env.run(until=until_s + PERIOD_S / 2)


def measure(quick: bool) -> dict[str, Any]:
    """Board-seconds per second of a fleet over those of polling processes."""
    rounds, slice_s = (3, 10.0) if quick else (5, 30.0)
    start = Fleet(clients(), seed=SEED).snapshot()
    fleet, polled = Fleet(clients(), seed=SEED), Fleet(clients(), seed=SEED)
    work: list[Rounds] = []

    def run_fleet(sampled: int, until_s: float) -> float:
        fleet.restore(start)
        work.append(Rounds(fleet, sampled))
        return timed_s(lambda: work[-1].run(until_s)) / (N_BOARDS * until_s)

    def run_polling(_: int) -> float:
        polled.restore(start)
        polling = Polling(polled, SAMPLED)
        return timed_s(lambda: polling.run(slice_s)) / (N_BOARDS * slice_s)

    contest = side_by_side(
        {
            "polling": run_polling,
            "fleet": lambda _: run_fleet(SAMPLED, HOUR_S),
            "all": lambda _: run_fleet(N_BOARDS, HOUR_S / 10),
        },
        rounds,
    )
    apart = differences(start, 2)
    hour_s = median(contest["fleet"]) * N_BOARDS * HOUR_S
    hour = [rounds for rounds in work if rounds.sampled == SAMPLED][-1]
    return row(
        {
            "times_faster": Figure(
                value=median_ratio(contest, "polling", "fleet"), bar=500.0, at_least=True
            ),
            "answers_missing": Figure(value=float(apart["answers_missing"]), bar=0.0),
            "latest_apart_s": Figure(value=apart["latest_apart_s"], bar=4 * PERIOD_S),
            "energy_apart_share": Figure(value=apart["energy_apart_share"], bar=1e-3),
        },
        n={"rounds": rounds, "boards": N_BOARDS, "simulated_s": HOUR_S, "polled_s": slice_s},
        times_faster_all_boards_in_every_round=median_ratio(contest, "polling", "all"),
        board_s_per_s=1.0 / median(contest["fleet"]),
        polling_board_s_per_s=1.0 / median(contest["polling"]),
        answers=len(hour.found) * SAMPLED,
        federated_rounds=len(hour.found),
        wall_ms_per_round=1e3 * hour_s / len(hour.found),
        board_s_per_s_with_orin_nano=with_orin_nano(HOUR_S / 4),
        compared=apart,
        method=(
            f"{', '.join(BOARDS)} in turn, {SAMPLED} sampled a round; both use the compiled kernel "
            "and have its coasting; energy and answers compared over the same first rounds"
        ),
    )


def with_orin_nano(until_s: float) -> float:
    """Board-seconds per second when every third board is an Orin Nano, whose fan comes and goes."""
    fleet = Fleet(clients((*BOARDS, "jetson-orin-nano")), seed=SEED)
    rounds = Rounds(fleet, SAMPLED)
    return N_BOARDS * until_s / timed_s(lambda: rounds.run(until_s))


def differences(start: Any, limit: int) -> dict[str, float]:
    """Both on the same first rounds: answers, when they came, and joules of all boards."""
    fleets = [Fleet(clients(), seed=SEED) for _ in range(2)]
    for fleet in fleets:
        fleet.restore(start)
    rounds = Rounds(fleets[0], SAMPLED, limit)
    polling = Polling(fleets[1], SAMPLED, limit)
    until_s = 50.0 * limit
    rounds.run(until_s)
    polling.run(until_s)
    ends_s = rounds.ends_s()
    both = ends_s.keys() & polling.ends_s.keys()
    drawn_j = [float(fleet.energies_j().sum()) for fleet in fleets]
    return {
        "answers": len(both),
        "answers_missing": float(limit * SAMPLED - len(both)),
        "latest_apart_s": max(abs(ends_s[key] - polling.ends_s[key]) for key in both),
        "energy_apart_share": abs(drawn_j[0] / drawn_j[1] - 1.0),
        "energy_j": drawn_j[0],
        "polls": polling.polls,
    }
