"""Who takes part in a fleet, what they are asked to do, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.fleet.network import Link
from hw_models.board import Board
from hw_models.jobs import Job

Array = NDArray[np.float64]
STATUSES: Final = ("done", "late", "lost", "off")
DONE, LATE, LOST, OFF = range(4)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One board of a fleet, where it stands, and its way to the server.

    ambient_c None is the board's own; mode is a power mode; loss is the share of its answers that
    never arrive.
    """

    board: Board
    link: Link
    ambient_c: float | None = None
    mode: str | None = None
    cap_w: float | None = None
    loss: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss is {self.loss}; give a share from 0 to 1.")
        if self.mode is not None:
            self.board.mode(self.mode)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one client is to do in a round: download, run a job alone, upload.

    freq_hz sets clocks before the job starts; domains that are not named keep theirs.
    """

    client: int
    job: Job
    download_bytes: float = 0.0
    upload_bytes: float = 0.0
    freq_hz: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("download_bytes", "upload_bytes"):
            if not 0 <= getattr(self, name) < inf:
                raise ValueError(f"{name} is {getattr(self, name)}; give bytes, 0 or more.")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What came of a round; arrays (n_tasks,) in the order of the tasks.

    status indexes STATUSES: the answer arrived; the deadline came first; the answer was lost on
    the way; the board switched off. Times are seconds after start_s, end_s of the answer (infinite
    where none came), download_s of the start of the job and compute_s of its length, up to the
    deadline where that came first. energy_j is the board's from start to end of the job, all
    rails; throttled_s the part of compute_s below the clocks asked for; peak_c the hottest zone
    when the job ended.
    """

    start_s: float
    clients: NDArray[np.int64]
    status: NDArray[np.int64]
    download_s: Array
    compute_s: Array
    end_s: Array
    energy_j: Array
    throttled_s: Array
    peak_c: Array

    @property
    def arrived(self) -> NDArray[np.bool_]:
        """Whose answer the server has, (n_tasks,)."""
        return np.asarray(self.status == DONE)
