"""The simulated board."""

from edgetwin.simulator.core import Process, Simulator, Snapshot

__all__ = ["Process", "Simulator", "Snapshot"]
