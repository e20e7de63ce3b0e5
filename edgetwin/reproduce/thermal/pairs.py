"""One program at a time: where each belongs, and how a background turns that round."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.reproduce.thermal.lab import Lab
from edgetwin.scenario import full_speed_ips
from edgetwin.systems.thermal.branches import outcomes
from edgetwin.systems.thermal.chip import chip_of
from edgetwin.systems.thermal.snapshots import Drawn, Snapshots
from hw_models.workloads import application_names, load_application

TARGETS: Final = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
BACKGROUNDS: Final = {
    "none": (),
    "two on big at 0.6": (("gemm", 0.6, 4), ("gemm", 0.6, 5)),
    "two on LITTLE at 0.25": (("durbin", 0.25, 0), ("durbin", 0.25, 1)),
}
PLACES: Final = 3


def where_programs_belong(lab: Lab) -> dict[str, Any]:
    """Every program alone and beside two others: kelvin of big over LITTLE, without a fan."""
    names = application_names()
    profiles = [load_application(name) for name in names]
    peaks_ips = np.array([full_speed_ips(p, lab.board) for p in profiles])
    scenes = Snapshots(lab.board, chip_of(lab.board), profiles)
    by_background = {
        title: _big_over_little_k(scenes, peaks_ips, list(names), jobs)
        for title, jobs in BACKGROUNDS.items()
    }
    alone = by_background["none"]
    return {
        "value": None, "bar": None, "ok": None, "reason": "see `pair`, `alone` and `counts`",
        "pair": _pair(names, by_background),
        "counts": {title: _counts(found) for title, found in by_background.items()},
        "alone": {
            name: dict(zip(map(str, TARGETS), row, strict=True))
            for name, row in zip(names, alone.tolist(), strict=True)
        },
    }  # fmt: skip


def _big_over_little_k(
    scenes: Snapshots, peaks_ips: NDArray[np.float64], names: list[str], jobs: Any
) -> NDArray[np.float64]:
    """Kelvin by which the coolest feasible big core is warmer, (programs, targets).

    Infinite where only LITTLE is feasible, minus infinite where only big is, NaN where none is.
    """
    n, m = len(names), len(TARGETS)
    k = n * m
    program, core = np.full((k, PLACES), -1), np.zeros((k, PLACES), np.int64)
    target_ips = np.zeros((k, PLACES))
    program[:, 0], core[:, 0] = np.repeat(np.arange(n), m), 7
    target_ips[:, 0] = np.repeat(peaks_ips, m) * np.tile(TARGETS, n)
    for at, (name, share, unit) in enumerate(jobs, start=1):
        i = names.index(name)
        program[:, at], core[:, at], target_ips[:, at] = i, unit, share * peaks_ips[i]
    drawn = Drawn(
        program=program, core=core, target_ips=target_ips, raised=np.zeros((k, 2), np.int64),
        fan=np.zeros(k, np.int64), ambient_c=np.full(k, 25.0),
    )  # fmt: skip
    states = scenes.states(drawn, np.random.default_rng(0))
    asked = np.zeros((k, PLACES), np.bool_)
    asked[:, 0] = True
    found = outcomes(scenes.chip, scenes.truth(states), np.arange(k), asked)
    temp_c = np.where(found.feasible, found.temp_c, np.inf)[:, 0]
    half = temp_c.shape[1] // 2
    with np.errstate(invalid="ignore"):
        gap_k = temp_c[:, half:].min(axis=1) - temp_c[:, :half].min(axis=1)
    return np.asarray(gap_k.reshape(n, m))


def _pair(names: Any, found: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    """The clearest program for each cluster alone, and the clearest reversals by a background."""
    alone = np.where(np.isfinite(found["none"]), found["none"], 0.0)
    told = {}
    for title, best in (("belongs on LITTLE", alone.argmax()), ("belongs on big", alone.argmin())):
        program, target = np.unravel_index(best, alone.shape)
        told[title] = _told(names, program, target, found)
    for title, beside in found.items():
        if title == "none":
            continue
        finite = np.isfinite(beside) & np.isfinite(found["none"])
        there = np.where(finite, beside, 0.0)
        turned = np.where(there * alone < 0.0, np.minimum(abs(there), abs(alone)), 0.0)
        if turned.max() > 0.0:
            program, target = np.unravel_index(turned.argmax(), turned.shape)
            told[f"turned round by {title}"] = _told(names, program, target, found)
    return told


def _told(
    names: Any, program: Any, target: Any, found: dict[str, NDArray[np.float64]]
) -> dict[str, Any]:
    return {
        "program": names[program],
        "target": TARGETS[target],
        "big_over_little_k": {title: float(gap[program, target]) for title, gap in found.items()},
    }


def _counts(gap_k: NDArray[np.float64]) -> dict[str, int]:
    """In how many (program, target) each cluster is the cooler one, or the only feasible one."""
    finite = np.isfinite(gap_k)
    return {
        "big cooler": int((finite & (gap_k < 0.0)).sum()),
        "LITTLE cooler": int((finite & (gap_k >= 0.0)).sum()),
        "only big": int(np.isneginf(gap_k).sum()),
        "only LITTLE": int(np.isposinf(gap_k).sum()),
        "none": int(np.isnan(gap_k).sum()),
    }
