"""A recorded trace as a backend."""

from edgetwin.replay.core import RECORDED, Replay

__all__ = ["RECORDED", "Replay"]
