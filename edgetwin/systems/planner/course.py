"""What happens around a board while somebody's script trains on it: caps and heat, no jobs."""

from collections.abc import Sequence
from typing import Final

from edgetwin.scenario import Scenario

ENDLESS_S: Final = 1e8


def caps_scenario(caps: Sequence[tuple[float, float]]) -> Scenario:
    """Caps that hold from (t_s, cap_w) on; ValueError unless they begin at 0 and ascend."""
    times_s = [t_s for t_s, _ in caps]
    if not times_s or times_s[0] != 0.0 or sorted(set(times_s)) != times_s:
        raise ValueError(f"caps start at {times_s}; give one at 0 s, then ascending times.")
    empty = Scenario(name="caps", title="Caps that change", duration_s=ENDLESS_S)
    return empty.with_(cap=list(caps))


def without_jobs(scenario: Scenario) -> Scenario:
    """A scenario whose jobs stay away: the script is the job. ValueError where it has no cap."""
    if not scenario.cap:
        raise ValueError(f"scenario {scenario.name} has no cap; give one, or --caps 0=9,600=6.5.")
    return scenario.with_(jobs=(), arrivals=None, until="duration", duration_s=ENDLESS_S)
