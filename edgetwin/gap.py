"""The gap between a twin and its board: the same policies and work on both, signal by signal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.backend import Backend, Policy, RunResult, run
from edgetwin.policies import make_policy
from hw_models.accuracy import signal_errors as errors_of
from hw_models.board import Board, Knobs
from hw_models.trace import Reading, Trace

if TYPE_CHECKING:
    from edgetwin.simulator import Simulator

Make = Callable[[int], Backend]
SIGNALS = ("temps_c", "power_w", "freq_hz", "busy")


@final
@dataclass(slots=True, kw_only=True)
class Heard:
    """A policy that remembers what it was shown and what it decided."""

    policy: Policy
    period_s: float = 0.5
    readings: list[Reading] = field(default_factory=list)
    decisions: list[Knobs] = field(default_factory=list)

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """Begin anew."""
        self.readings.clear()
        self.decisions.clear()
        self.policy.reset(board, seed=seed, twin=twin)

    def __call__(self, reading: Reading) -> Knobs:
        """What the policy says, noted."""
        knobs = self.policy(reading)
        self.readings.append(reading)
        self.decisions.append(knobs)
        return knobs


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One policy and seed on both: runs, decisions, and those of the twin's policy on the
    device's readings."""

    policy: str
    seed: int
    twin: RunResult
    device: RunResult
    decided_alike: float
    decided_alike_on_same_readings: float


def heard(name: str) -> Heard:
    """A fresh policy of that name, and its memory."""
    policy = make_policy(name)
    return Heard(policy=policy, period_s=policy.period_s)


def compare_policy(
    name: str, seed: int, make_twin: Make, make_device: Make, duration_s: float
) -> Pair:
    """Run a policy on the twin, then on the device, and once more on what the device said."""
    runs, heards = [], []
    for make in (make_twin, make_device):
        policy, backend = heard(name), make(seed)
        try:
            runs.append(run(backend, policy, duration_s=duration_s, seed=seed))
        finally:
            backend.close()
        heards.append(policy)
        board = backend.board
    again = decisions_on(name, board, heards[1].readings, seed)
    return Pair(
        policy=name,
        seed=seed,
        twin=runs[0],
        device=runs[1],
        decided_alike=share_alike(heards[0].decisions, heards[1].decisions),
        decided_alike_on_same_readings=share_alike(again, heards[1].decisions),
    )


def decisions_on(name: str, board: Board, readings: Sequence[Reading], seed: int) -> list[Knobs]:
    """What a policy decides when it is shown these readings, wherever they come from."""
    policy = make_policy(name)
    policy.reset(board, seed=seed)
    return [policy(reading) for reading in readings]


def share_alike(mine: Sequence[Knobs], theirs: Sequence[Knobs]) -> float:
    """Share of decisions that are the same, in order, as far as both go."""
    n = min(len(mine), len(theirs))
    return sum(a == b for a, b in zip(mine, theirs, strict=False)) / n if n else 1.0


def signal_errors(pairs: Sequence[Pair]) -> dict[str, dict[str, float | None]]:
    """Twin less device per signal, reading by reading over all runs, as figures by name."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for pair in pairs:
        for name, both in _side_by_side(pair.twin.trace, pair.device.trace).items():
            found.setdefault(name, []).append(both)
    return {name: _figures(name, np.concatenate(parts)) for name, parts in found.items()}


def _figures(name: str, both: NDArray[np.float64]) -> dict[str, float | None]:
    return errors_of(both[:, 1], both[:, 0], has_shares=name.startswith("power_w")).figures()


def _side_by_side(twin: Trace, device: Trace) -> dict[str, NDArray[np.float64]]:
    """Signals that both have, (n, 2): predicted and measured where both say something."""
    n = min(len(twin), len(device))
    mine, theirs = twin.columns, device.columns
    found = {}
    for name, values in mine.items():
        if name.split(".")[0] in SIGNALS and name in theirs:
            both = np.stack([values[:n].astype(float), theirs[name][:n].astype(float)], axis=1)
            known = both[~np.isnan(both).any(axis=1)]
            if len(known):
                found[name] = known
    return found


def rankings(pairs: Sequence[Pair], kpis: Sequence[str]) -> dict[str, float | None]:
    """Per key figure the share of pairs of policies that twin and device put in the same order."""
    found: dict[str, float | None] = {}
    for kpi in kpis:
        both = [(_mean(pairs, p, kpi, "twin"), _mean(pairs, p, kpi, "device"))
                for p in dict.fromkeys(pair.policy for pair in pairs)]  # fmt: skip
        known = [(a, b) for a, b in both if a is not None and b is not None]
        orders = [(a[0] - b[0]) * (a[1] - b[1]) >= 0 for a, b in combinations(known, 2)]
        found[kpi] = sum(orders) / len(orders) if orders else None
    return found


def _mean(pairs: Sequence[Pair], policy: str, kpi: str, side: str) -> float | None:
    values = [getattr(p, side).kpis.get(kpi) for p in pairs if p.policy == policy]
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def as_json(pairs: Sequence[Pair], kpis: Mapping[str, str]) -> dict[str, Any]:
    """The gap report as one object."""
    return {
        "signals": signal_errors(pairs),
        "runs": [
            {
                "policy": pair.policy, "seed": pair.seed,
                "decisions_alike": pair.decided_alike,
                "decisions_alike_on_same_readings": pair.decided_alike_on_same_readings,
                "twin": {name: pair.twin.kpis.get(name) for name in kpis},
                "device": {name: pair.device.kpis.get(name) for name in kpis},
            }
            for pair in pairs
        ],
        "ranking_alike": rankings(pairs, list(kpis)),
    }  # fmt: skip
