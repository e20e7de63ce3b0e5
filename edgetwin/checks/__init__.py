"""What a backend and a board must do to be one: checks for those who bring their own.

`pytest --pyargs edgetwin.checks` runs them over everything that is shipped.
"""

from edgetwin.checks.boards import BOARD_CHECKS, check_board
from edgetwin.checks.promise import ConformanceError
from edgetwin.checks.suite import BACKEND_CHECKS, check_backend

__all__ = ["BACKEND_CHECKS", "BOARD_CHECKS", "ConformanceError", "check_backend", "check_board"]
