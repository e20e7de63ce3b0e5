"""Synthetic loads of a scenario, as jobs that arrive and leave."""

from collections.abc import Iterator
from typing import Final

from edgetwin.scenario_schema import LoadEntry
from hw_models.board import Board
from hw_models.jobs import LoadJob

# No multiple of any usual reading period: readings see the share, not the beat.
PULSE_S: Final = 3.7


def load_job(entry: LoadEntry, board: Board) -> LoadJob:
    """The job that runs while a load works; KeyError for an unknown unit."""
    unit = board.unit(entry.unit)
    pulsed = unit.host is not None
    return LoadJob(
        busy=1.0 if pulsed else entry.busy,
        freq_hz=entry.freq_hz or board.clocks[unit.domain].freqs_hz.value[-1],
        bytes_per_s=entry.memory_bytes_per_s,
    )


def pulses(entry: LoadEntry, board: Board) -> Iterator[tuple[float, float]]:
    """When a load works, as (start, duration) in s: throughout, or the share of every pulse."""
    if board.unit(entry.unit).host is None or entry.busy == 1.0:
        yield entry.at_s, entry.lifetime_s
        return
    count = int(entry.lifetime_s / PULSE_S)
    for i in range(count + 1):
        left_s = entry.lifetime_s - i * PULSE_S
        works_s = min(left_s, entry.busy * PULSE_S)
        if works_s > 1e-6:
            yield entry.at_s + i * PULSE_S, works_s
