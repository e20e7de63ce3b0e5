"""Transfer: what a calibrated board or a measured sibling says of a new workload's points.

A `Task` is a set of operating points of one workload, with three ways to predict all of them from
k that were profiled: the physical form with priors from the source (`twin`), a network learned on
the source with its last layer refitted (`powertrain`), and interpolation between the profiled
points alone (`interpolation`). `learning_curve` tells how far each is off as k grows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from hw_models.fit.designs import space_filling
from hw_models.fit.learned import Learned, learn, refit

Array = NDArray[np.float64]
Positions = NDArray[np.int64]
# Means and standard deviations as shares of them, (n,) each, by response.
Said = Mapping[str, tuple[Array, Array]]

METHODS: Final = ("twin", "powertrain", "interpolation")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The points of the source: features (m, d), and every response (m,) at them."""

    features: Array
    responses: Mapping[str, Array]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Points of one workload: axes (n,) each as they are set, responses (n,) where measured.

    features (n, d) are what learned methods see. A response is NaN where it was not measured.
    twin predicts all n points from those profiled at the positions it is given, with a seed. fewest
    is how many it needs.
    """

    name: str
    axes: Mapping[str, Array]
    features: Array
    responses: Mapping[str, Array]
    twin: Callable[[Positions, int], Said]
    reference: Reference
    fewest: int

    @property
    def measured(self) -> Positions:
        """Positions at which every response was measured."""
        is_known = np.all([np.isfinite(values) for values in self.responses.values()], axis=0)
        return np.flatnonzero(is_known)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """MAPE of one method on one response after k points: mean over designs, 5 and 95 % quantiles.

    n is the number of designs (seeds times tasks).
    """

    k: int
    method: str
    response: str
    mape: float
    low: float
    high: float
    n: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """A task after k points: which were profiled, and what the twin says of all of them."""

    task: Task
    profiled: Positions
    said: Said

    def rows(self) -> list[dict[str, str | float | None]]:
        """One row per point: workload, axes, profiled, and each response with std and measured."""
        found = []
        for i in range(len(self.task.features)):
            row: dict[str, str | float | None] = {"workload": self.task.name}
            row |= {axis: float(values[i]) for axis, values in self.task.axes.items()}
            row["profiled"] = bool(i in self.profiled)
            for response, (mean, share) in self.said.items():
                seen = float(self.task.responses[response][i])
                row[response] = float(mean[i])
                row[f"std_{response}"] = float(mean[i] * share[i])
                row[f"measured_{response}"] = seen if np.isfinite(seen) else None
            found.append(row)
        return found


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What transfer found: predictions per task, and the learning curve up to k points."""

    k: int
    found: tuple[Transferred, ...]
    curve: tuple[CurvePoint, ...]


def transfer(
    tasks: Sequence[Task], k: int, *, seeds: int = 10, seed: int = 0, ks: Sequence[int] = ()
) -> Transfer:
    """Every task predicted from k of its measured points, and how the error falls on the way to k.

    The points are space-filling and chosen by seed, without seeing a response. The curve has only
    tasks with points left to be judged on. ValueError for fewer points than the twin needs.
    """
    found = []
    for task in tasks:
        used = min(k, len(task.measured))
        if used < task.fewest:
            raise ValueError(
                f"{used} points of {task.name} to profile; transfer needs {task.fewest}."
            )
        profiled = _profiled(task, used, seed)
        found.append(Transferred(task=task, profiled=profiled, said=task.twin(profiled, seed)))
    counts = ks or default_counts(min((t.fewest for t in tasks), default=2), k)
    return Transfer(
        k=k, found=tuple(found), curve=learning_curve(tasks, counts, range(seed, seed + seeds))
    )


def default_counts(fewest: int, k: int) -> tuple[int, ...]:
    """Numbers of points for a curve: doubling from the fewest, ending at k."""
    counts = [fewest]
    while counts[-1] * 2 < k:
        counts.append(counts[-1] * 2)
    return tuple(dict.fromkeys((*counts, k))) if k > fewest else (k,)


def learning_curve(
    tasks: Sequence[Task], ks: Sequence[int], seeds: Sequence[int]
) -> tuple[CurvePoint, ...]:
    """Errors of every method on the points that were not profiled, for each number of points."""
    found, learned = [], _Learners()
    for k in ks:
        errors: dict[tuple[str, str], list[float]] = {}
        for task in tasks:
            if task.fewest <= k < len(task.measured):
                for seed in seeds:
                    for key, mape in _errors(task, k, seed, learned).items():
                        errors.setdefault(key, []).append(mape)
        found += [_point(k, *key, np.array(mapes)) for key, mapes in errors.items()]
    return tuple(found)


@final
class _Learners:
    """Networks learned on references, each once: three seeds take turns."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str, int], Learned] = {}

    def of(self, reference: Reference, response: str, seed: int) -> Learned:
        key = id(reference), response, seed % 3
        if key not in self._kept:
            ln = np.log(reference.responses[response])
            self._kept[key] = learn(reference.features, ln, seed=seed % 3)
        return self._kept[key]


def _point(k: int, method: str, response: str, mapes: Array) -> CurvePoint:
    low, high = np.quantile(mapes, (0.05, 0.95))
    return CurvePoint(
        k=k, method=method, response=response, mape=float(mapes.mean()), low=float(low),
        high=float(high), n=len(mapes),
    )  # fmt: skip


def _errors(task: Task, k: int, seed: int, learned: _Learners) -> dict[tuple[str, str], float]:
    """MAPE on the unprofiled points of one design, by method and response."""
    used = _profiled(task, k, seed)
    rest = np.setdiff1d(task.measured, used)
    twin = task.twin(used, seed)
    found = {}
    for response, values in task.responses.items():
        said = {
            "twin": twin[response][0][rest],
            "powertrain": _powertrain(
                task, response, used, rest, learned.of(task.reference, response, seed)
            ),
            "interpolation": interpolated(task.features, values, used, rest),
        }
        for method in METHODS:
            found[method, response] = float(np.mean(np.abs(said[method] / values[rest] - 1)))
    return found


def _profiled(task: Task, k: int, seed: int) -> Positions:
    known = task.measured
    axes = [axis[known] for axis in task.axes.values()]
    return known[space_filling(axes, k, np.random.default_rng(seed))]


def _powertrain(
    task: Task, response: str, used: Positions, rest: Positions, learned: Learned
) -> Array:
    ln = np.log(task.responses[response][used])
    return np.exp(refit(learned, task.features[used], ln, task.features[rest]))


def interpolated(features: Array, values: Array, used: Positions, rest: Positions) -> Array:
    """Responses (n_rest,) between the profiled points: radial splines of ln over the features.

    Linear splines about a plane where there are points enough to lay one, else about a constant.
    """
    spread = np.maximum(features[used].std(axis=0), 1e-9)
    spans = np.linalg.matrix_rank(features[used] - features[used].mean(axis=0))
    degree = 1 if spans == features.shape[1] and len(used) > features.shape[1] + 1 else 0
    spline = RBFInterpolator(
        features[used] / spread, np.log(values[used]), kernel="linear", degree=degree
    )
    return np.asarray(np.exp(spline(features[rest] / spread)))
