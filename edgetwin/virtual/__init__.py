"""The twin served as the file tree of its device, so that unchanged hardware code runs on it."""

from edgetwin.virtual.board_tree import VirtualBoard, virtual_board
from edgetwin.virtual.plain import write_plain
from edgetwin.virtual.twin import Twin

__all__ = ["Twin", "VirtualBoard", "virtual_board", "write_plain"]
