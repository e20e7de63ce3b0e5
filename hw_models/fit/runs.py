"""Runs that may be fitted: recorded sessions that were looked at before anything trusts them."""

from dataclasses import dataclass
from typing import final

from hw_models.fit.result import Finding
from hw_models.recorded import Recorded


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A named session of one board: what it recorded, of which file, and what is wrong with it.

    sha256 is that of the file (of the columns where there was none); start_s is where the session
    begins on the clock of its file. Readings that are not to be trusted are NaN in recorded.
    """

    name: str
    recorded: Recorded
    sha256: str
    start_s: float
    findings: tuple[Finding, ...]
