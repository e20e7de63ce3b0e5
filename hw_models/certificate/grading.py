"""The grade of a certificate, by a rule that anyone can check against its figures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from hw_models.certificate.model import Certificate, Errors

if TYPE_CHECKING:
    from hw_models.board import Board

MOST_MAE_K: Final = 1.0
MOST_P95_K: Final = 2.0
MOST_MAPE: Final = 0.05
MOST_NMBE: Final = 0.02


def graded(board: "Board", certificate: Certificate, *, same_run: bool) -> dict[str, Any]:
    """grade and reason.

    B: fitted. A: and runs that were held out are predicted within the bars: every zone MAE <= 1 K
    and P95 <= 2 K, the input rail in means over 20 s (every rail where there is none) MAPE <= 5 %
    and |NMBE| <= 2 %. A+: and those runs are all of other days than the fitted ones. Blocks of one
    run and points of one table are not another run: they give B, whatever they show.
    """
    held = [run for run in certificate.runs if run.split == "held-out"]
    if not held:
        points = "held-out" in certificate.errors
        what = "points of the same tables were held out" if points else "no run was held out"
        return {"grade": "B", "reason": f"fitted; {what}"}
    missed = list(_missed(board, certificate))
    shown = "; ".join(missed) or "all bars held"
    if same_run:
        return {"grade": "B", "reason": f"fitted; held-out blocks of the same run: {shown}"}
    if missed:
        return {"grade": "B", "reason": f"fitted; held-out runs miss the bars: {shown}"}
    fitted_days = {run.day for run in certificate.runs if run.split == "fitted"}
    days = {run.day for run in held}
    if None in days | fitted_days or days & fitted_days:
        return {"grade": "A", "reason": "held-out runs predicted within the bars"}
    return {"grade": "A+", "reason": "held-out runs of another day predicted within the bars"}


def _missed(board: "Board", certificate: Certificate) -> Iterator[str]:
    """Every bar that the held-out runs miss, with the figure."""
    for signal, by_regime in certificate.errors.get("held-out", {}).items():
        if signal.startswith("temps_c."):
            yield from _too_far(signal, by_regime["all"])
    rails = certificate.blocks.get("held-out", {})
    main = f"power_w.{board.sensors.input_rail}"
    for signal, row in rails.items():
        if signal == main or main not in rails:
            yield from _too_much(signal, row)


def _too_far(signal: str, row: Errors) -> Iterator[str]:
    if row.mae > MOST_MAE_K:
        yield f"{signal} MAE {row.mae:.2g} K"
    if row.p95 > MOST_P95_K:
        yield f"{signal} P95 {row.p95:.2g} K"


def _too_much(signal: str, row: Errors) -> Iterator[str]:
    if row.mape is None or row.mape > MOST_MAPE:
        shown = "undefined" if row.mape is None else f"{row.mape:.1%}"
        yield f"{signal} MAPE {shown}"
    if row.nmbe is None or abs(row.nmbe) > MOST_NMBE:
        shown = "undefined" if row.nmbe is None else f"{row.nmbe:.1%}"
        yield f"{signal} NMBE {shown}"
