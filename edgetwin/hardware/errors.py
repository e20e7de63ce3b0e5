"""What may go wrong with a board on the desk, for those who can do something about it."""


class HardwareError(RuntimeError):
    """The board cannot be reached or driven; the message names the cause. Exit code 3."""


class SafetyAbort(RuntimeError):  # noqa: N818  it is an end of a run, not a mistake
    """The board was too hot or could not be watched, and was given back. Exit code 4."""
