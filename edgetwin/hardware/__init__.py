"""Boards on the desk: an agent that runs on them, a link to it, and the backend in front."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgetwin.hardware.errors import HardwareError, SafetyAbort

if TYPE_CHECKING:
    from edgetwin.hardware.device import Device
    from edgetwin.hardware.safety import Limits

__all__ = ["Device", "HardwareError", "Limits", "SafetyAbort"]

_HOMES = {"Device": "edgetwin.hardware.device", "Limits": "edgetwin.hardware.safety"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'edgetwin.hardware' has no attribute {name!r}")
