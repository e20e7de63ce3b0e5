"""A voltage that is flat up to some clock and rises in a straight line from there.

Published voltage tables of this kind of chip have that shape (Tegra210: a floor up to the middle of
the table). It has two numbers where every operating point would have one, and it says something of
an operating point that no run has seen.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.board import Board
from hw_models.fit import FitResult
from hw_models.parameters import with_values

Array = NDArray[np.float64]

_KNEES: Final = 200


def with_ramp(board: Board, domain: str, result: FitResult, source: str) -> Board:
    """The board with the voltages of a domain on the ramp through those that a fit has found.

    The floor is the board's lowest voltage; standard deviations are the fit's (those of clocks that
    it left alone stay).
    """
    clock = board.clocks[domain]
    paths = [f"clocks.{domain}.volts_v[{i}]" for i in range(len(clock.freqs_hz.value))]
    known = {p.path: p for p in result.of_board}
    at = [i for i, path in enumerate(paths) if path in known]
    volts_v, std_v = (
        np.array([getattr(known[paths[i]], field) for i in at]) for field in ("value", "std")
    )
    freqs_hz, floor_v = clock.freqs_hz.array, float(clock.volts_v.array.min())
    knee_hz, slope = ramp(freqs_hz[at], volts_v, std_v, floor_v)
    on_ramp_v = floor_v + slope * np.maximum(freqs_hz - knee_hz, 0.0)
    values = {path: round(float(v), 4) for path, v in zip(paths, on_ramp_v, strict=True)}
    std = {paths[i]: round(float(s), 4) for i, s in zip(at, std_v, strict=True)}
    return with_values(board, {paths[i]: values[paths[i]] for i in at}, std=std, source=source)


def ramp(freqs_hz: Array, volts_v: Array, std_v: Array, floor_v: float) -> tuple[float, float]:
    """Knee in Hz and slope in V/Hz of the ramp nearest to voltages (n,) with errors std_v (n,)."""
    best = (np.inf, float(freqs_hz[0]), 0.0)
    span_hz = freqs_hz[-1] - freqs_hz[0]
    for knee_hz in np.linspace(freqs_hz[0] - 0.5 * span_hz, freqs_hz[-2], _KNEES).tolist():
        above = np.maximum(freqs_hz - knee_hz, 0.0) / std_v
        rise = (volts_v - floor_v) / std_v
        slope = max(float(above @ rise / (above @ above)), 0.0)
        cost = float(np.sum((rise - slope * above) ** 2))
        best = min(best, (cost, knee_hz, slope))
    return best[1], best[2]
