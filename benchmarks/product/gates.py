"""Gates that must not flip: unchanged policies pass, slightly worse ones are caught."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from edgetwin.gates import PolicyReport, gate, policy_report
from edgetwin.progress import Progress
from edgetwin.studies import Figure, row
from hw_models.board import Board, Knobs
from hw_models.board_schema import Governor
from hw_models.trace import Reading

if TYPE_CHECKING:
    from edgetwin.simulator import Simulator

BOARD, SCENARIO, DURATION_S = "hikey970", "gate-mix", 600.0
GATES: Final = 100
SEEDS: Final = 10
HOTTER_K: Final = 2.0
WORSE: Final = 0.02
# Shares of time that are tried on the way to a policy that is exactly so much worse.
TRIED: Final = (0.0, 0.1, 0.2, 0.3, 0.4)
TRIED_SLOW: Final = (0.0, 0.01, 0.02, 0.04)


@final
class Restless:
    """The 50 ms QoS rule, and a governor of another temper for a share of the half seconds.

    Which half seconds is drawn: by the seed of the run and by `luck`, so that two runs of the same
    policy differ. Besides, one decision in fifty is a pointless switch to powersave and back.
    """

    period_s = 0.5

    def __init__(self, governor: Governor, share: float, luck: int) -> None:
        self.governor, self.share, self.luck = governor, share, luck

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """Same seed and luck, same decisions."""
        cores = {unit.domain for unit in board.unit_list if unit.host is None}
        self._domains = sorted(cores)
        self._rng = np.random.default_rng([seed, self.luck])

    def __call__(self, reading: Reading) -> Knobs:
        """The governor of this half second."""
        draw, noise = self._rng.random(2)
        chosen: Governor = self.governor if draw < self.share else "qos-dvfs"
        if noise < 0.002:
            chosen = "powersave"
        return Knobs(governor=dict.fromkeys(self._domains, chosen))


def measure(quick: bool) -> dict[str, Any]:
    """100 gates each of an unchanged, a hotter and a slower policy, each with seeds of its own.

    Quick: the seeds of the gates are drawn from a pool of 100, else all 1000 are different.
    """
    pool = 100 if quick else GATES * SEEDS
    with Progress("gate: policies", 4 * pool) as progress:
        tuned = {
            "hotter": _share("performance", TRIED, "mean_temp_c", HOTTER_K),
            "slower": _share("powersave", TRIED_SLOW, "violation_time_share", WORSE),
        }
        made: dict[str, Callable[[], Restless]] = {
            "baseline": lambda: Restless("performance", 0.0, luck=0),
            "unchanged": lambda: Restless("performance", 0.0, luck=1),
            "hotter": lambda: Restless("performance", tuned["hotter"], luck=2),
            "slower": lambda: Restless("powersave", tuned["slower"], luck=3),
        }
        seeds = range(1000, 1000 + pool)
        reports = {name: _report(make, seeds, progress) for name, make in made.items()}
    failed = {
        name: _failures(reports[name], reports["baseline"], quick)
        for name in ("unchanged", "hotter", "slower")
    }
    effects = {name: _effects(reports[name], reports["baseline"]) for name in failed}
    return row(
        {
            "false_alarms": Figure(value=float(failed["unchanged"]), bar=1.0),
            "hotter_caught": Figure(value=float(failed["hotter"]), bar=95.0, at_least=True),
            "slower_caught": Figure(value=float(failed["slower"]), bar=95.0, at_least=True),
        },
        gates=GATES,
        seeds_per_gate=SEEDS,
        different_seeds=pool,
        shares=tuned,
        effects=effects,
        scenario=SCENARIO,
    )


def measure_unpaired(quick: bool) -> dict[str, Any]:
    """False alarms where the candidate runs with other seeds than the baseline, and the reach."""
    pool = 60 if quick else 200
    with Progress("gate: other seeds", 2 * pool) as progress:
        both = [_report(_unchanged, range(start, start + pool), progress) for start in (5000, 9000)]
    rng, alarms, reach = np.random.default_rng(7), 0, []
    for _ in range(GATES):
        old, new = (_some(one, rng.choice(pool, SEEDS, replace=False)) for one in both)
        verdict = gate(new, baseline=old)
        alarms += not verdict.ok
        reach += [c.detects for c in verdict.checks if c.figure == "mean_temp_c" and c.detects]
    return row(
        {"false_alarms": Figure(value=float(alarms), bar=1.0)},
        gates=GATES,
        seeds_per_gate=SEEDS,
        would_catch_k=float(np.median(reach)),
    )


def _unchanged() -> Restless:
    return Restless("performance", 0.0, luck=0)


def _report(make: Callable[[], Restless], seeds: Sequence[int], progress: Progress) -> PolicyReport:
    """A policy with all seeds, a hundred at a time."""
    parts = []
    for start in range(0, len(seeds), 100):
        some = seeds[start : start + 100]
        parts.append(
            policy_report(make, board=BOARD, scenario=SCENARIO, seeds=some, duration_s=DURATION_S)
        )
        progress.advance(len(some))
    return _joined(parts)


def _joined(parts: Sequence[PolicyReport]) -> PolicyReport:
    first = parts[0]
    return PolicyReport(
        policy=first.policy, board=first.board, scenario=first.scenario, digest=first.digest,
        duration_s=first.duration_s, seeds=tuple(s for one in parts for s in one.seeds),
        kpis=tuple(k for one in parts for k in one.kpis),
    )  # fmt: skip


def _some(report: PolicyReport, which: Sequence[int] | np.ndarray[Any, Any]) -> PolicyReport:
    """The part of a report that some of its seeds are."""
    return PolicyReport(
        policy=report.policy, board=report.board, scenario=report.scenario, digest=report.digest,
        duration_s=report.duration_s, seeds=tuple(report.seeds[i] for i in which),
        kpis=tuple(report.kpis[i] for i in which),
    )  # fmt: skip


def _failures(report: PolicyReport, baseline: PolicyReport, quick: bool) -> int:
    """How many of 100 gates fail, each with ten seeds, on both sides the same ten."""
    rng, n, count = np.random.default_rng(3), len(report.seeds), 0
    for number in range(GATES):
        which = rng.choice(n, SEEDS, replace=False) if quick else range(
            SEEDS * number, SEEDS * (number + 1)
        )  # fmt: skip
        count += not gate(_some(report, which), baseline=_some(baseline, which)).ok
    return count


def _effects(report: PolicyReport, baseline: PolicyReport) -> dict[str, float]:
    """By how much a policy is worse on the mean over all seeds."""
    return {
        figure: float(np.mean(_column(report, figure)) - np.mean(_column(baseline, figure)))
        for figure in ("mean_temp_c", "peak_temp_c", "violation_time_share")
    }


def _column(report: PolicyReport, figure: str) -> list[float]:
    return list(report.values(figure).values())


def _share(governor: Governor, tried: Sequence[float], figure: str, by: float) -> float:
    """The share of time that makes a figure worse by so much, between the shares that are tried."""
    seeds = range(200, 220)
    means = []
    for share in tried:
        report = policy_report(
            lambda share=share: Restless(governor, share, luck=9),
            board=BOARD, scenario=SCENARIO, seeds=seeds, duration_s=DURATION_S,
        )  # fmt: skip
        means.append(float(np.mean(_column(report, figure))))
    return float(np.interp(by, np.array(means) - means[0], tried))
