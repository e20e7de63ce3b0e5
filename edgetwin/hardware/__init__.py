"""Boards on the desk: an agent that runs on them, a link to it, and the backend in front."""

from edgetwin.hardware.device import Device
from edgetwin.hardware.errors import HardwareError, SafetyAbort
from edgetwin.hardware.safety import Limits

__all__ = ["Device", "HardwareError", "Limits", "SafetyAbort"]
