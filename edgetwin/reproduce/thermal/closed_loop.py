"""Rows of the table that compare managers at work."""

from typing import Any, Final

import numpy as np

from edgetwin.reproduce.thermal.compare import (
    averaged,
    drop_k,
    drop_share,
    fewer_violations,
    more_violations,
    violations,
)
from edgetwin.reproduce.thermal.grid import ORACLE, SWAPS, Runs
from edgetwin.reproduce.thermal.lab import HIGH_BAND, LOW_BAND, UNLEARNED, WIDE_BAND, Lab
from edgetwin.studies import Figure, row
from edgetwin.systems.thermal.toprl import PENALTIES
from edgetwin.systems.thermal.workloads import LOADS

GAP_K: Final = 0.5


def against_ondemand(lab: Lab) -> dict[str, Any]:
    """Student against GTS/ondemand at targets of 0.2 to 0.3."""
    base, students = lab.runs("gts-ondemand"), lab.students()
    low = base.where(shares=LOW_BAND)
    shares = {
        fixed: drop_share(base, students, low & base.where(fixed=fixed))
        for fixed in ("work", "duration")
    }
    more = more_violations(base, students, low)
    return row(
        {
            "drop_fixed_work": Figure(value=shares["work"]["value"], bar=0.45, at_least=True),
            "drop_fixed_duration": Figure(
                value=shares["duration"]["value"], bar=0.70, at_least=True
            ),
            "more_violations": Figure(value=more["value"], bar=0.01),
        },
        intervals={**shares, "violations": more},
        **_counts(lab, base, low),
    )


def kelvin(lab: Lab) -> dict[str, Any]:
    """The same drop in kelvin."""
    base, students = lab.runs("gts-ondemand"), lab.students()
    low = base.where(shares=LOW_BAND)
    cells = {
        f"{fixed}_{cooling.replace('-', '_')}": low & base.where(fixed=fixed, cooling=cooling)
        for fixed in ("work", "duration")
        for cooling in ("fan", "no-fan")
    }
    found = {name: drop_k(base, students, which) for name, which in cells.items()}
    by_load = {
        name: {f"{load:g}": drop_k(base, students, which & base.where(load=load)) for load in LOADS}
        for name, which in cells.items()
    }
    largest = float((base.mean_c - averaged(students, "mean_c"))[low].max())
    return row(
        {
            "duration_fan_k": Figure(value=found["duration_fan"]["value"], bar=10, at_least=True),
            "work_no_fan_k": Figure(value=found["work_no_fan"]["value"], bar=10, at_least=True),
        },
        intervals=found,
        work_fan_k=found["work_fan"]["value"],
        by_load=by_load,
        largest_of_a_run_k=largest,
        **_counts(lab, base, low),
    )


def against_rl(lab: Lab) -> dict[str, Any]:
    """Violations against TOP-RL at mean temperatures within 1 K."""
    base = lab.runs("gts-ondemand")
    everyone = {f"top-rl-{p:g}": lab.students(f"top-rl-{p:g}") for p in PENALTIES}
    students = [lab.wide_part(r) for r in lab.students()]
    which = np.ones(len(students[0].mean_c), np.bool_)
    student_c = averaged(students, "mean_c").mean()
    front = {
        name: {"mean_c": float(averaged(r, "mean_c").mean()), "violations": violations(r, which)}
        for name, r in everyone.items()
    }
    front["student"] = {"mean_c": float(student_c), "violations": violations(students, which)}
    for name in ("random-placement", "dvfs-only", "oracle", ORACLE):
        runs = [lab.wide_part(lab.runs(name))]
        front[name] = {
            "mean_c": float(runs[0].mean_c.mean()), "violations": violations(runs, which),
        }  # fmt: skip
    near = [n for n in everyone if abs(front[n]["mean_c"] - student_c) <= 1.0]
    chosen = min(near or list(everyone), key=lambda n: front[n]["violations"])
    fewer = fewer_violations(everyone[chosen], students, which)
    rival = front[chosen]["violations"]
    return row(
        {
            "fewer_violations": Figure(value=fewer["value"], bar=0.63, at_least=True),
            "temperature_gap_k": Figure(value=abs(front[chosen]["mean_c"] - student_c), bar=1.0),
            "rl_over_random": Figure(
                value=rival / max(front["random-placement"]["violations"], 1e-9), bar=1.0
            ),
            "rl_over_dvfs_only": Figure(
                value=rival / max(front["dvfs-only"]["violations"], 1e-9), bar=1.0
            ),
        },
        interval=fewer,
        chosen=chosen,
        front=front,
        **_counts(lab, lab.wide_part(base), which),
    )


def student_against_oracle(lab: Lab) -> dict[str, Any]:
    """Student in the closed loop against the oracle, unseen programs."""
    base, oracle, students = lab.runs("gts-ondemand"), lab.runs(ORACLE), lab.students()
    unseen = base.where(programs="unseen")
    ours, its = (drop_k(base, r, unseen)["value"] for r in (students, [oracle]))
    more = more_violations(oracle, students, unseen)
    seen = base.where(programs="seen")
    return row(
        {
            "share_of_oracle_drop": Figure(value=ours / its, bar=0.9, at_least=True),
            "more_violations": Figure(value=more["value"], bar=0.02),
        },
        interval=more,
        drop_k={"student": ours, "oracle": its},
        seen_programs={
            "share_of_oracle_drop": drop_k(base, students, seen)["value"]
            / drop_k(base, [oracle], seen)["value"],
            "more_violations": more_violations(oracle, students, seen),
        },
        by_targets=_by_band(lab),
        **_counts(lab, base, unseen),
    )


def unseen_cooling(lab: Lab) -> dict[str, Any]:
    """Trained with the fan, run without."""
    names = ("gts-ondemand", ORACLE, f"student-fan{SWAPS}")
    base, oracle, student = (lab.runs(name) for name in names)
    bare = base.where(cooling="no-fan")
    ours, its = (drop_share(base, [r], bare)["value"] for r in (student, oracle))
    ranks = {}
    for cooling in ("fan", "no-fan"):
        where = base.where(cooling=cooling)
        ranks[cooling] = {
            name: float(runs.mean_c[where].mean())
            for name, runs in (
                ("student", student), *((n, lab.runs(n)) for n in (*UNLEARNED, ORACLE)),
            )
        }  # fmt: skip
    return row(
        {
            "share_from_oracle": Figure(value=abs(ours - its), bar=0.05),
            "pairs_out_of_order": Figure(value=_out_of_order(ranks["fan"], ranks["no-fan"]), bar=0),
        },
        normalised_drop={"student": ours, "oracle": its},
        mean_c=ranks,
        **_counts(lab, base, bare),
    )


def _out_of_order(a: dict[str, float], b: dict[str, float]) -> int:
    """Pairs whose order differs although both gaps exceed 0.5 K."""
    names = list(a)
    return sum(
        (a[m] - a[n]) * (b[m] - b[n]) < 0 and min(abs(a[m] - a[n]), abs(b[m] - b[n])) > GAP_K
        for i, m in enumerate(names)
        for n in names[:i]
    )


def against_eas(lab: Lab) -> dict[str, Any]:
    """Student against schedutil with EAS and uclamp."""
    rival, students = lab.runs("eas-uclamp"), lab.students()
    unseen = rival.where(programs="unseen")
    cooler, more = drop_k(rival, students, unseen), more_violations(rival, students, unseen)
    is_better = cooler["low"] > 0.0 or more["high"] < 0.0
    return row(
        {"cooler_or_fewer": Figure(value=float(is_better), bar=1.0, at_least=True)},
        cooler_k=cooler,
        more_violations=more,
        **_counts(lab, rival, unseen),
    )


def _by_band(lab: Lab) -> dict[str, Any]:
    base, oracle, students = lab.runs("gts-ondemand"), lab.runs(ORACLE), lab.students()
    found = {}
    for band in (LOW_BAND, HIGH_BAND, WIDE_BAND):
        which = base.where(programs="unseen", shares=band)
        found[f"{band[0]}-{band[1]}"] = {
            "student_drop_k": drop_k(base, students, which)["value"],
            "oracle_drop_k": drop_k(base, [oracle], which)["value"],
            "violations": {
                "ondemand": violations([base], which),
                "student": violations(students, which),
                "oracle": violations([oracle], which),
            },
        }
    return found


def _counts(lab: Lab, runs: Runs, which: Any) -> dict[str, Any]:
    return {
        "n": int(which.sum()),
        "applications": int(runs.programs[which].sum()),
        "workload_seeds": lab.size.seeds,
        "training_seeds": lab.size.trainings,
    }
