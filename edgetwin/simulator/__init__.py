"""The simulated board, and many of them at once."""

from edgetwin.simulator.batch import BatchSimulator
from edgetwin.simulator.core import Process, Simulator, Snapshot

__all__ = ["BatchSimulator", "Process", "Simulator", "Snapshot"]
