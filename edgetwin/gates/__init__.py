"""Is a policy good enough to merge? Its figures over seeds, against limits and a baseline.

A gate must not flip by chance. Each check asks whether the mean over seeds is worse than allowed
by more than chance explains: it fails where the lower end of a one-sided Student-t interval is
beyond the limit. Against a baseline of the same seeds the differences seed by seed are what counts,
so that the luck of a draw of the scenario, the same on both sides, does not.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from edgetwin.gates.checks import Check, against_baseline, against_limit, mean
from edgetwin.gates.reports import (
    SCENARIO,
    SEEDS,
    PolicyReport,
    policy_entry,
    policy_report,
    read_report,
    study_of,
)

__all__ = [
    "SCENARIO",
    "SEEDS",
    "Check",
    "PolicyReport",
    "Verdict",
    "assert_gate",
    "gate",
    "policy_entry",
    "policy_report",
    "read_report",
    "study_of",
]

ALPHA: Final = 0.005
UPDATE: Final = "EDGETWIN_UPDATE_BASELINES"
# How much worse is forgiven, in the figure's unit; of those with %, as a share of the baseline.
TOLERANCE: Final[Mapping[str, tuple[float, str]]] = {
    "peak_temp_c": (0.5, "K"),
    "mean_temp_c": (0.5, "K"),
    "violation_time_share": (0.005, ""),
    "cap_violation_time_share": (0.005, ""),
    "throttled_time_share": (0.005, ""),
    "energy_j": (0.02, "%"),
    "time_to_target_s": (0.02, "%"),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate says: the report, its checks, the baseline if there is one."""

    report: PolicyReport
    checks: tuple[Check, ...]
    baseline: PolicyReport | None = None

    @property
    def ok(self) -> bool:
        """Do all checks hold?"""
        return all(check.ok for check in self.checks)


def gate(
    report: PolicyReport,
    *,
    max_temp_c: float | None = None,
    max_violation: float | None = None,
    limits: Mapping[str, float] | None = None,
    baseline: str | Path | PolicyReport | None = None,
    tolerance: float | Mapping[str, float] = 1.0,
    alpha: float = ALPHA,
) -> Verdict:
    """Hold a report against limits (peak temperature, share of application time below target,
    any key figure) and a baseline.

    tolerance: how much worse than the baseline is forgiven, by figure in its own unit; a number
    is a multiple of the usual ones (0.5 K, 0.5 percentage points, 2 % of energy and time). alpha:
    the chance of a false alarm of the whole gate. ValueError for a gate that checks nothing, a
    baseline of another board, scenario or duration; KeyError for an unknown figure.
    """
    most = dict(limits or {})
    most |= {} if max_temp_c is None else {"peak_temp_c": max_temp_c}
    most |= {} if max_violation is None else {"violation_time_share": max_violation}
    old = _baseline(report, baseline)
    allowed = {} if old is None else _allowed(report, old, tolerance)
    if not most and not allowed:
        raise ValueError("nothing to check; give a limit or a baseline.")
    each = alpha / (len(most) + len(allowed))
    checks = [against_limit(report, figure, limit, each) for figure, limit in most.items()]
    if old is not None:
        checks += [
            against_baseline(report, old, name, limit, each) for name, limit in allowed.items()
        ]
    return Verdict(report=report, checks=tuple(checks), baseline=old)


def assert_gate(report: PolicyReport, **asked: Any) -> Verdict:
    """`gate`, and AssertionError with every check in words where one does not hold.

    A relative baseline lies beside the test. With EDGETWIN_UPDATE_BASELINES set (or `pytest
    --edgetwin-update`) the baseline is written instead of read.
    """
    baseline = asked.get("baseline")
    if isinstance(baseline, str | Path):
        path = report.folder / baseline
        if os.environ.get(UPDATE):
            report.write(path)
        asked["baseline"] = path
    verdict = gate(report, **asked)
    lines = [("ok   " if check.ok else "FAIL ") + check.sentence for check in verdict.checks]
    title = f"{report.policy} on {report.board} under {report.scenario}"
    if not verdict.ok:
        raise AssertionError("\n  ".join([f"{title} does not pass:", *lines]))
    return verdict


def _baseline(
    report: PolicyReport, baseline: str | Path | PolicyReport | None
) -> PolicyReport | None:
    if baseline is None or isinstance(baseline, PolicyReport):
        old = baseline
    else:
        old = read_report(Path(baseline))
    if old is not None and old.digest != report.digest:
        raise ValueError(
            f"the baseline is of {old.scenario} on {old.board} for {old.duration_s:g} s, and board "
            "or scenario have changed since, or differ; write it again with --update."
        )
    return old


def _allowed(
    report: PolicyReport, old: PolicyReport, tolerance: float | Mapping[str, float]
) -> dict[str, float]:
    """By figure, the change for the worse that is forgiven, in the figure's unit."""
    if isinstance(tolerance, Mapping):
        for name in tolerance:
            report.values(name)
        return dict(tolerance)
    found = {}
    for name, (usual, unit) in TOLERANCE.items():
        before = old.values(name) if name in old.kpis[0] else {}
        if before and report.values(name):
            scale = abs(mean(before.values())) if unit == "%" else 1.0
            found[name] = tolerance * usual * scale
    return found
