"""The only constructor of backends: the same call for a twin, a recording and a real board."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgetwin.backend import Backend
from edgetwin.scenario import Scenario, load_scenario
from hw_models.board import Board, load_board
from hw_models.naming import unknown
from hw_models.plugins import Registry
from hw_models.trace import Trace, read_trace

KINDS = ("sim", "replay", "hardware")
BACKENDS: Registry[Callable[..., Backend]] = Registry("edgetwin.backends", "backend")
"""Backends of third parties: called with board=, scenario= and seed=, and trace= if given."""


def register_backend(kind: str, make: Callable[..., Backend]) -> None:
    """Add a kind of backend; ValueError where the name is taken."""
    if kind in KINDS:
        raise ValueError(f"a backend named {kind!r} exists; choose another name.")
    BACKENDS.add(kind, make)


def backend_kinds() -> tuple[str, ...]:
    """Kinds of backends: those of edgetwin, then those that others have added."""
    return (*KINDS, *BACKENDS.names())


def make_backend(
    kind: str = "sim",
    *,
    board: str | Path | Board,
    scenario: str | Path | Scenario | None = None,
    seed: int = 0,
    trace: str | Path | Trace | None = None,
    coast: bool = True,
    **device: Any,
) -> Backend:
    """A backend of a kind: "sim" (twin), "replay" (trace), "hardware" (board), or an added one.

    board, scenario and trace are names, paths or objects. Further options are those of `Device`:
    target (local or ssh://user@host), root, limits, ... KeyError for an unknown kind or name,
    ValueError when what the kind needs is missing or does not fit, HardwareError for a board that
    does not answer.
    """
    made = load_board(board)
    if kind == "hardware":
        from edgetwin.hardware import Device
        from edgetwin.hardware.host import fitted

        if trace is not None:
            raise ValueError("backend 'hardware' takes no trace; use backend 'replay'.")
        plan = None if scenario is None else load_scenario(scenario)
        place = {name: device[name] for name in ("target", "root") if name in device}
        return Device(fitted(made, **place), scenario=plan, seed=seed, **device)
    if device:
        raise ValueError(f"{', '.join(device)}: for backend 'hardware' only, not for {kind!r}.")
    if kind == "sim":
        from edgetwin.simulator import Simulator

        if trace is not None:
            raise ValueError("backend 'sim' takes no trace; use backend 'replay'.")
        plan = None if scenario is None else load_scenario(scenario)
        return Simulator(made, scenario=plan, seed=seed, coast=coast)
    if kind == "replay":
        from edgetwin.replay import Replay

        if trace is None:
            raise ValueError("backend 'replay' needs a trace; give a file or a Trace.")
        return Replay(made, trace if isinstance(trace, Trace) else read_trace(trace))
    added = BACKENDS.find(kind)
    if added is not None:
        plan = None if scenario is None else load_scenario(scenario)
        given = {} if trace is None else {"trace": trace}
        return added(board=made, scenario=plan, seed=seed, **given)
    raise KeyError(unknown("backend", kind, backend_kinds()))
