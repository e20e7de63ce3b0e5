"""`info["calibration"]`: what is known about the board, and whether that holds right now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, final

from edgetwin.envs.info import Block
from hw_models.board import Board

if TYPE_CHECKING:
    from hw_models.certificate import Certificate


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
    whether clocks, temperatures and power lie in the validity envelope (None: nothing validated).

    The certificate is loaded when the entry is first read.
    """

    @cache
    def certified() -> "tuple[dict[str, Any], Certificate | None]":
        certificate = board.certificate
        known = board if certificate is None else certificate
        ident = board.name if certificate is None else certificate.id
        about = {"id": ident, "grade": known.grade, "sampled": how, "in_envelope": None}
        return about, certificate if certificate and certificate.envelope.speaks else None

    def entry(block: Block) -> dict[str, Any]:
        about, certificate = certified()
        found = about.copy()
        if certificate is not None:
            spans = certificate.envelope  # what it does not speak of need not be read
            now = _Now(
                temps_c=read["temps_c"](block) if spans.temps_c else {},
                power_w=read["power_w"](block) if spans.power_w else None,
                freq_hz=read["freq_hz"](block) if spans.freq_hz else {},
            )
            found["in_envelope"] = certificate.inside(now)
        return found

    return entry
