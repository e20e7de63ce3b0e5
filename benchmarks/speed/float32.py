"""float32 boards against float64 boards: temperatures, and decisions that differ."""

from statistics import median
from typing import Any

import numpy as np

from benchmarks.frame.side_by_side import median_ratio, side_by_side, timed_s
from benchmarks.speed.boards import Crowd
from edgetwin.studies import Figure, row

N_BOARDS, DURATION_S, STEP_S = 256, 600.0, 0.5


def measure(quick: bool) -> dict[str, Any]:
    """The median difference over boards and time, the share of clock levels that differ."""
    steps = int((60.0 if quick else DURATION_S) / STEP_S)
    exact = Crowd(N_BOARDS, STEP_S, steps)
    short = Crowd(N_BOARDS, STEP_S, steps, dtype=np.float32)
    differences_k, differing = [], []
    for a, b in zip(exact.actions, short.actions, strict=True):
        exact.env.step(a)
        short.env.step(b)
        temps_c = [crowd.env.batch.node_temps_c() for crowd in (exact, short)]
        differences_k.append(np.abs(temps_c[0] - temps_c[1]).max(axis=1))
        levels = [_levels(crowd) for crowd in (exact, short)]
        differing.append(float((levels[0] != levels[1]).mean()))
    for crowd in (exact, short):
        crowd.steps += steps
    drawn_j = [crowd.checked()["energy_j"] for crowd in (exact, short)]
    contest = side_by_side(
        {name: _timed(crowd, 20) for name, crowd in (("float64", exact), ("float32", short))}, 5
    )
    return row(
        {"median_difference_k": Figure(value=float(np.median(differences_k)), bar=0.05)},
        n={"boards": N_BOARDS, "steps": steps},
        largest_difference_k=float(np.max(differences_k)),
        share_of_levels_that_differ=float(np.mean(differing)),
        median_at_end_k=median(differences_k[-1].tolist()),
        energy_ratio=drawn_j[1] / drawn_j[0],
        times_faster=median_ratio(contest, "float64", "float32"),
    )


def _levels(crowd: Crowd) -> Any:
    batch = crowd.env.batch
    return np.stack([batch.get("level", d) for d in range(len(batch.lowered.domains))])


def _timed(crowd: Crowd, steps: int) -> Any:
    def run() -> None:
        for actions in crowd.actions[:steps]:
            crowd.env.step(actions)

    return lambda _: timed_s(run)
