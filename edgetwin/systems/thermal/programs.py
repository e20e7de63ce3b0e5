"""Which programs a manager learns from and on which it is tested."""

from dataclasses import fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.jobs import ApplicationProfile, CorePhases
from hw_models.workloads import application_names, datasets, parsec_names, polybench_names

HELD_OUT: Final = ("adi", "bicg", "cholesky", "durbin", "mvt", "seidel-2d")
"""PolyBench programs kept from training: one of each kind of access pattern and speed-up."""

CHECKED: Final = ("2mm", "deriche", "floyd-warshall", "jacobi-2d")
"""Programs that early stopping and calibration look at, and that no weight is fitted to."""


def training_programs() -> tuple[str, ...]:
    """PolyBench without the held-out programs: what demonstrations are drawn from."""
    return tuple(name for name in polybench_names() if name not in HELD_OUT)


def unseen_programs() -> tuple[str, ...]:
    """PARSEC and the held-out PolyBench programs."""
    return (*HELD_OUT, *parsec_names())


SETS: Final = {"seen": training_programs, "unseen": unseen_programs, "all": application_names}


def variants(name: str) -> tuple[str, ...]:
    """The data sets a program was measured with; each is a program of its own to learn from."""
    return datasets(name)


def blend(a: ApplicationProfile, b: ApplicationProfile, share: float) -> ApplicationProfile:
    """A program that spends a share of its instructions as `a` does and the rest as `b`.

    Every cost per instruction is linear, so that the blend's costs are the weighted means; its
    phases are finer than any reading. Blends are for training: programs between the measured ones.
    """

    def mix(kind: str, field: str) -> NDArray[np.float64]:
        means = [_mean(p, kind, field) for p in (a, b)]
        return np.array([share * means[0] + (1.0 - share) * means[1]])

    return ApplicationProfile(
        name=f"{a.name}+{b.name}",
        suite="blend",
        dataset=f"{a.dataset}+{b.dataset}",
        source=f"{share:.3f} of {a.source}, the rest {b.source}",
        phase_insns=np.array([1e9]),
        by_kind={
            kind: CorePhases(**{f.name: mix(kind, f.name) for f in fields(CorePhases)})
            for kind in a.by_kind
        },
        footprint_bytes=max(a.footprint_bytes, b.footprint_bytes),
    )


def _mean(profile: ApplicationProfile, kind: str, field: str) -> float:
    values = getattr(profile.by_kind[kind], field)
    return float(np.average(values, weights=profile.phase_insns))
