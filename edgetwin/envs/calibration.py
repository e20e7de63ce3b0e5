"""`info["calibration"]`: what is known about the board, and whether that holds right now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from edgetwin.envs.info import Block
from hw_models.board import Board


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    """What a certificate's envelope speaks of."""

    temps_c: Mapping[str, float | None]
    power_w: Mapping[str, float | None] | None
    freq_hz: Mapping[str, float]


def calibration_entry(
    board: Board, how: str | None, read: Mapping[str, Callable[[Block], Any]]
) -> Callable[[Block], dict[str, Any]]:
    """id and grade of the certificate (else of the board file), how the board was sampled, and
    whether clocks, temperatures and power lie in the validity envelope (None: no certificate).

    The certificate is loaded when the entry is first read.
    """

    about = {"id": board.name, "grade": board.grade, "sampled": how, "in_envelope": None}

    def entry(block: Block) -> dict[str, Any]:
        certificate = board.certificate
        if certificate is None:
            return about.copy()
        spans = certificate.envelope  # what it does not speak of need not be read
        now = _Now(
            temps_c=read["temps_c"](block) if spans.temps_c else {},
            power_w=read["power_w"](block) if spans.power_w else None,
            freq_hz=read["freq_hz"](block) if spans.freq_hz else {},
        )
        known = {"id": certificate.id, "grade": certificate.grade}
        return about | known | {"in_envelope": certificate.inside(now)}

    return entry
