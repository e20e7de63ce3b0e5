"""All managers side by side: the whole grid, trainings with other seeds, what swaps are worth."""

from typing import Any

import numpy as np

from edgetwin.reproduce.thermal.compare import averaged, fewer_violations, table, violations
from edgetwin.reproduce.thermal.grid import ORACLE, STUDENT, SWAPS
from edgetwin.reproduce.thermal.lab import UNLEARNED, Lab
from edgetwin.systems.thermal.lessons import RIVALS
from edgetwin.systems.thermal.rivals import load_tables
from edgetwin.systems.thermal.toprl import PENALTIES


def managers_table(lab: Lab) -> dict[str, Any]:
    """Every manager on the whole grid, and by range of targets."""
    runs = {name: [lab.runs(name)] for name in (*UNLEARNED, ORACLE)} | {STUDENT: lab.students()}
    first = lab.runs("gts-ondemand")
    by_cell = {
        f"{fixed}, {cooling}": table(runs, first.where(fixed=fixed, cooling=cooling))
        for fixed in ("work", "duration")
        for cooling in ("fan", "no-fan")
    }  # fmt: skip
    return {
        "value": None, "bar": None, "ok": None, "reason": "see `by_cell`",
        "by_cell": by_cell, "runs": len(first.mean_c),
    }  # fmt: skip


def stability(lab: Lab) -> dict[str, Any]:
    """How far trainings with other seeds differ."""
    found = {}
    for name in (STUDENT, "ppo", *(f"top-rl-{p:g}" for p in PENALTIES)):
        runs = [lab.wide_part(r) if name == STUDENT else r for r in lab.students(name)]
        everyone = np.ones(len(runs[0].mean_c), np.bool_)
        found[name] = {
            "mean_c": [float(r.mean_c.mean()) for r in runs],
            "violations": [violations([r], everyone) for r in runs],
        }
    tables = load_tables(lab.trainings.both / RIVALS)
    return {
        "value": None, "bar": None, "ok": None, "reason": "see `by_manager`", "by_manager": found,
        "top_rl": {
            "penalties": tables.penalties, "seeds": tables.seeds,
            "reward_by_episode": tables.rewards, "drift_of_last_quarter": tables.drift,
        },
    }  # fmt: skip


def swaps(lab: Lab) -> dict[str, Any]:
    """What swaps are worth to managers of single moves, on the wide part of the grid."""
    rivals = [f"top-rl-{p:g}" for p in PENALTIES]
    runs = {name: lab.students(name) for name in ("student", *rivals)}
    runs |= {f"{name}{SWAPS}": lab.students(f"{name}{SWAPS}") for name in rivals}
    runs[STUDENT] = [lab.wide_part(r) for r in lab.students()]
    runs |= {name: [lab.wide_part(lab.runs(name))] for name in ("oracle", ORACLE, "eas-uclamp")}
    runs[f"eas-uclamp{SWAPS}"] = [lab.runs(f"eas-uclamp{SWAPS}")]
    everyone = np.ones(len(lab.wide), np.bool_)
    best = min((f"{name}{SWAPS}" for name in rivals), key=lambda n: violations(runs[n], everyone))
    return {
        "value": None, "bar": None, "ok": None, "reason": "see `by_manager`",
        "by_manager": {
            name: {
                "mean_c": float(averaged(some, "mean_c").mean()),
                "violations": violations(some, everyone),
            }
            for name, some in runs.items()
        },
        "fewer_violations_than_rl_with_swaps": {
            "rival": best, **fewer_violations(runs[best], runs[STUDENT], everyone),
        },
    }  # fmt: skip
