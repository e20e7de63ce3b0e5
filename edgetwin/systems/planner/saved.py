"""A plan as a file: its choice, and what it rests on, so that training can choose again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from edgetwin.storage import read_json
from edgetwin.systems.planner.choice import Planner
from edgetwin.systems.planner.efficiency import Efficiency
from edgetwin.systems.planner.space import Space
from edgetwin.systems.planner.surface import Belief

_BELIEF: Final = (
    "time_s", "time_share", "mean_w", "mean_share", "peak_w", "peak_share", "is_measured",
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a plan.json asks for: batch, clocks and the figures it predicts.

    planner is what the plan rests on, where the file has it.
    """

    batch: int
    freq_hz: Mapping[str, float]
    predicted: Mapping[str, Any]
    planner: Planner | None = None


def read_order(path: Path) -> Order:
    """The choice of a plan.json; ValueError for another file, or a plan for a power limit."""
    record = read_json(path)
    try:
        choice = record["choice"]
        batch = int(choice["batch"])
        clocks = choice.get("freq_hz")
        cells = record.get("cells")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{path} is no plan; expected the JSON of `edgetwin plan --out plan.json`."
        ) from None
    if not clocks:
        raise ValueError(f"{path} plans a power limit; training needs a plan made for a --board.")
    return Order(
        batch=batch, freq_hz={d: float(hz) for d, hz in clocks.items()}, predicted=choice,
        planner=None if cells is None else planner_of(cells),
    )  # fmt: skip


def planner_json(planner: Planner) -> dict[str, Any]:
    """The cells in order, what is believed of each, and what every batch size needs."""
    space, needed = planner.space, planner.efficiency
    return {
        "batch": space.batch.tolist(),
        "setting": space.setting.tolist(),
        "knob": space.knob,
        "domain": space.domain,
        "memory_hz": None if space.memory_hz is None else space.memory_hz.tolist(),
        "memory_domain": space.memory_domain,
        "fixed_hz": dict(space.fixed_hz),
        **{name: getattr(planner.belief, name).tolist() for name in _BELIEF},
        "needed": {str(b): n for b, n in needed.needed.items()},
        "needed_share": {str(b): n for b, n in needed.share.items()},
        "unit": needed.unit,
        "source": needed.source,
    }


def planner_of(said: Mapping[str, Any]) -> Planner:
    """The planner that `planner_json` wrote; ValueError for anything else."""
    try:
        memory_hz = said["memory_hz"]
        space = Space(
            batch=np.asarray(said["batch"], float),
            setting=np.asarray(said["setting"], float),
            knob=said["knob"],
            domain=said["domain"],
            memory_hz=None if memory_hz is None else np.asarray(memory_hz, float),
            memory_domain=said["memory_domain"],
            fixed_hz=dict(said["fixed_hz"]),
        )
        belief = Belief(**{
            name: np.asarray(said[name], bool if name == "is_measured" else float)
            for name in _BELIEF
        })  # fmt: skip
        needed = Efficiency(
            needed={int(b): float(n) for b, n in said["needed"].items()},
            share={int(b): float(n) for b, n in said["needed_share"].items()},
            unit=said["unit"],
            source=said["source"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are not the cells of a plan: {error}.") from None
    return Planner(space, belief, needed)
