"""Which board a device is, and the board file of a machine that has none of its own."""

import re
from pathlib import Path
from typing import Any, Final

from edgetwin.hardware.diagnosis import ANY_HOST, board_named
from edgetwin.hardware.link import PROTOCOLS, Link
from edgetwin.hardware.safety import Limits, description
from hw_models.board import Board, load_board

# Clocks between the ends of a driver that does not list them.
_STEPS: Final = 12
_STEP_HZ: Final = 1e5


def looked_at(
    board: str | Path | Board | None, *, target: str = "local", root: str = "/"
) -> tuple[Board, dict[str, Any]]:
    """The board that a device is, or the one given, and what the agent finds of it.

    `linux-host` takes cores, clocks and zone from the machine. HardwareError without an agent.
    """
    made = None if board is None else load_board(board)
    if made is None:
        model = str(_described(load_board(ANY_HOST), target, root)["model"])
        made = load_board(board_named(model))
    made = fitted(made, target=target, root=root)
    return made, _described(made, target, root)


def fitted(board: Board, *, target: str = "local", root: str = "/") -> Board:
    """A board as it is; `linux-host` with the cores, clocks and zone of the machine."""
    if board.name != ANY_HOST:
        return board
    return adapted(board, _described(board, target, root)["inventory"])


def _described(board: Board, target: str, root: str) -> dict[str, Any]:
    link = Link(target, root)
    try:
        spec = description(board, Limits())
        return link.ask("describe", within_s=30.0, spec=spec, protocols=PROTOCOLS, inventory=True)
    finally:
        link.close()


def adapted(board: Board, inventory: dict[str, Any]) -> Board:
    """The board with what an inventory lists: {"cpus": n, "khz": [...], "zones": [type, ...]}."""
    said = board.model_dump(mode="python", by_alias=True)
    names = [f"cpu{i}" for i in range(min(int(inventory["cpus"]), 16))]
    (group,) = said["units"].values()
    group["members"], group["nodes"] = names, [group["nodes"][0]] * len(names)
    hz = _clocks_hz([float(khz) * 1e3 for khz in inventory["khz"]])
    if hz:
        said["clocks"]["cpu"] = _resampled(said["clocks"]["cpu"], hz)
    said["aliases"]["domains"] = {**dict.fromkeys(names, "cpu"), "policy0": "cpu"}
    zone = next(
        (z for z in inventory["zones"] if re.search("cpu|pkg|soc|core|acpi", z, re.I)), None
    )
    if zone is not None and zone.lower() not in said["aliases"]["zones"]:
        said["aliases"]["zones"][zone.lower()] = "cpu"
    return Board.model_validate(said)


def _clocks_hz(listed_hz: list[float]) -> list[float]:
    """The clocks of a table, or steps between the two ends of a range."""
    found = sorted({hz for hz in listed_hz if hz > 0})
    if len(found) == 2:
        low, high = found
        steps = [low + (high - low) * i / (_STEPS - 1) for i in range(_STEPS)]
        found = sorted({low, high, *(_STEP_HZ * round(hz / _STEP_HZ) for hz in steps[1:-1])})
    while len(found) > 2 * _STEPS:
        found = [*found[:-1:2], found[-1]]
    return found


def _resampled(clock: dict[str, Any], hz: list[float]) -> dict[str, Any]:
    """Voltages and change times of the file at other clocks, by their place between the ends."""
    import numpy as np

    old_hz = np.array(clock["freqs_hz"]["value"])
    share = (np.array(hz) - hz[0]) / max(hz[-1] - hz[0], 1.0)
    at_hz = old_hz[0] + share * (old_hz[-1] - old_hz[0])
    changed = dict(clock)
    for name in ("volts_v", "transition_s"):
        values = np.interp(at_hz, old_hz, np.array(clock[name]["value"])).tolist()
        changed[name] = {**clock[name], "value": values}
    changed["freqs_hz"] = {**clock["freqs_hz"], "value": hz}
    return changed
