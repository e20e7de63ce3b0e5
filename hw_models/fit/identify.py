"""What data cannot tell: numbers nothing moves, combinations that cancel, pairs that trade off.

Everything is judged on the z scale, on which the weak prior has a standard deviation of 1 in every
direction: a direction whose standard error is close to 1 was not measured but assumed.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.advice import cure, plain
from hw_models.fit.covariance import Spread
from hw_models.fit.places import NOT_PINNED_STD, WEAK, Place
from hw_models.fit.result import Finding, Status

Array = NDArray[np.float64]

# Below this information on its own, a number moves nothing that was measured.
DEAD: Final = 0.1
# A direction of which the data leave more than this share of the prior variance is flat.
FLAT: Final = 0.5
# What is left of a flat direction in a number this well known does not matter.
_NEGLIGIBLE_STD: Final = 0.02
TRADED: Final = 0.95
_AT_BOUND: Final = 1e-6
_MEMBER: Final = 0.3
_MOST_NAMED: Final = 5
_SCALED: Final = ("power.", "thermal.", "limits.fan.power_w")


def statuses(
    places: Sequence[Place], z: Array, spread: Spread, *, at_start: bool = False
) -> tuple[tuple[Status, ...], tuple[Finding, ...]]:
    """The status of every parameter, and the findings that explain those that are not pinned.

    at_start is for plans: numbers that the file puts on a bound have not run there.
    """
    alone = _information_alone(spread)
    is_dead = (alone < DEAD) & (np.abs(z) < 1.0)
    values = [p.value(float(x)) for p, x in zip(places, z, strict=True)]
    at_bound = np.array([_is_at_bound(p, v) for p, v in zip(places, values, strict=True)])
    at_bound &= not at_start
    directions = _flat_directions(spread.covariance, is_dead | at_bound)
    variance = np.diag(spread.covariance)
    hidden = np.zeros(len(z))
    for share, direction in directions:
        hidden += share * direction**2
    is_flat = ~is_dead & ~at_bound & (hidden > 0.5 * variance) & (variance > _NEGLIGIBLE_STD**2)
    is_loose = variance > NOT_PINNED_STD**2
    correlation = spread.covariance / np.sqrt(np.outer(variance, variance))
    is_judged = ~(is_dead | at_bound | is_flat | is_loose)
    pairs = [
        (i, k)
        for i, k in zip(*np.nonzero(np.triu(np.abs(correlation) > TRADED, 1)), strict=True)
        if is_judged[i] and is_judged[k]
    ]
    traded = {int(i) for pair in pairs for i in pair}
    found: list[Status] = []
    for i in range(len(z)):
        found.append(
            "dead" if is_dead[i]
            else "at bound" if at_bound[i]
            else "flat" if is_flat[i]
            else "not pinned" if is_loose[i]
            else "traded off" if i in traded
            else "pinned"
        )  # fmt: skip
    findings = (
        *_dead(places, found),
        *_bounds(places, found, values),
        *_flat(places, z, directions, found),
        *_loose(places, found, variance),
        *(_traded(places[i], places[k], float(correlation[i, k])) for i, k in pairs),
    )
    return tuple(found), findings


def _information_alone(spread: Spread) -> Array:
    """What the data know of each number if all others were known, 1 for as much as the prior."""
    gain, noise = np.diag(spread.information), np.diag(spread.meat)
    return np.asarray(gain**2 / np.maximum(np.maximum(noise, 1e-3 * gain), 1e-300))


def _is_at_bound(place: Place, value: float) -> bool:
    room = _AT_BOUND * (place.high - place.low)
    return value <= place.low + room or value >= place.high - room


def _flat_directions(covariance: Array, is_out: NDArray[np.bool_]) -> list[tuple[float, Array]]:
    """Directions (p,) of length 1 of two or more numbers that the data leave open, with the
    variance they keep."""
    inside = np.flatnonzero(~is_out)
    variances, basis = np.linalg.eigh(covariance[np.ix_(inside, inside)])
    found = []
    for i in np.flatnonzero(variances > FLAT):
        direction = np.zeros(len(covariance))
        direction[inside] = basis[:, i]
        if len(_members(direction)) > 1:
            found.append((float(variances[i]), direction))
    return found


def _members(direction: Array) -> list[int]:
    """The numbers that take part in a direction."""
    size = np.abs(direction)
    return [int(i) for i in np.flatnonzero(size > _MEMBER * size.max())]


def _dead(places: Sequence[Place], found: Sequence[Status]) -> Iterator[Finding]:
    for place, status in zip(places, found, strict=True):
        if status == "dead" and not place.path.startswith("runs."):
            yield Finding(
                kind="dead",
                paths=(place.path,),
                message=f"{plain(place.path)} moves nothing that was measured; the board file's "
                "number stands.",
                cure=cure(place.path),
            )


def _bounds(
    places: Sequence[Place], found: Sequence[Status], values: Sequence[float]
) -> Iterator[Finding]:
    for place, status, value in zip(places, found, values, strict=True):
        if status == "at bound":
            end = "lowest" if value - place.low < place.high - value else "highest"
            yield Finding(
                kind="at bound",
                paths=(place.path,),
                message=f"{plain(place.path)} ran to {value:.3g}, the {end} value allowed: the "
                "data ask for something this model does not have.",
                cure="look at the residuals; " + cure(place.path),
            )


def _flat(
    places: Sequence[Place],
    z: Array,
    directions: Sequence[tuple[float, Array]],
    found: Sequence[Status],
) -> Iterator[Finding]:
    for _, direction in directions:
        members = _members(direction)
        if not any(found[i] == "flat" for i in members):
            continue
        paths = tuple(places[i].path for i in members)
        yield Finding(
            kind="flat",
            paths=paths,
            message=_combination(places, z, direction, members),
            cure="; ".join(dict.fromkeys(cure(path) for path in _few(paths))),
        )


def _few(paths: Sequence[str]) -> Sequence[str]:
    return [path for path in paths if not path.startswith("runs.")][:3] or paths[:1]


def _combination(
    places: Sequence[Place], z: Array, direction: Array, members: Sequence[int]
) -> str:
    if all(_is_temperature(places[i].path) for i in members):
        return (
            "only differences to the room are known: sensor offsets, the ambient and initial "
            "temperatures may all shift by the same amount."
        )
    change = {i: float(direction[i]) * places[i].slope(float(z[i])) for i in members}
    if _is_scale(places, z, direction):
        return (
            "only ratios are known: all powers, capacities and conductances times one factor give "
            "the same temperatures, so that nothing here tells the scale in watts."
        )
    first = max(members, key=lambda i: abs(float(direction[i])))
    sign = 1.0 if change[first] > 0 else -1.0
    largest = sorted(members, key=lambda i: -abs(float(direction[i])))[:_MOST_NAMED]
    words = [f"{plain(places[i].path)} by {sign * change[i]:+.2g}" for i in largest]
    more = f" and {len(members) - len(largest)} more" if len(members) > len(largest) else ""
    return f"only a combination is known: {', '.join(words)}{more}: together they change nothing."


def _is_temperature(path: str) -> bool:
    return "offset_k" in path or path.endswith("ambient_c") or ".initial_c[" in path


def _is_scale(places: Sequence[Place], z: Array, direction: Array) -> bool:
    """Is this direction the one in which all powers and thermal numbers grow by one factor?"""
    scaled = np.array(
        [
            0.0 if not p.path.startswith(_SCALED) else p.value(float(x)) / p.slope(float(x))
            for p, x in zip(places, z, strict=True)
        ]
    )
    length = float(np.linalg.norm(scaled))
    return length > 0 and abs(float(direction @ scaled)) > 0.9 * length


def _loose(places: Sequence[Place], found: Sequence[Status], variance: Array) -> Iterator[Finding]:
    for place, status, left in zip(places, found, variance, strict=True):
        if status == "not pinned" and not place.path.startswith("runs."):
            yield Finding(
                kind="not pinned",
                paths=(place.path,),
                message=f"{plain(place.path)} is known no better than before: its error is "
                f"{WEAK * np.sqrt(left):.1f} times what the board file says.",
                cure=cure(place.path),
            )


def _traded(a: Place, b: Place, correlation: float) -> Finding:
    how = "rises as" if correlation > 0 else "falls as"
    return Finding(
        kind="traded off",
        paths=(a.path, b.path),
        message=f"{plain(a.path)} {how} {plain(b.path)} rises (correlation {correlation:+.3f}): "
        "trust what they do together, neither alone.",
        cure="; ".join(dict.fromkeys(cure(p.path) for p in (a, b))),
    )
