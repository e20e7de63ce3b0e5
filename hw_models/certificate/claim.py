"""Whether new data bear a certificate out: errors and coverage against what it states.

A signal contradicts the claim when its mean square error exceeds the certified one by more than
three standard errors of both, or when fewer readings lie in the 90 % interval than certified (90 %
at most) by more than three standard errors. Errors that follow one another count as fewer
readings, and an error below the sensor's own step contradicts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.certificate.evaluated import Evaluated, evaluate
from hw_models.certificate.figures import errors_of
from hw_models.certificate.intervals import counted, scatter
from hw_models.certificate.model import Certificate, Errors
from hw_models.reading import Reading
from hw_models.sampling import posterior

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.fit import Run

Array = NDArray[np.float64]

SIGMAS: Final = 3.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignalClaim:
    """What was certified of a signal, what the new data show, and whether that agrees.

    rmse and certified_rmse in the signal's unit, most_rmse the largest that agrees; share_90 the
    counted share of readings in their 90 % interval, least_share_90 the smallest that agrees.
    """

    rmse: float
    certified_rmse: float
    most_rmse: float
    share_90: float | None
    least_share_90: float | None
    holds: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A certificate applied to new runs; signals that it does not speak of are left out."""

    board: str
    certificate: Certificate
    runs: tuple[Evaluated, ...]
    errors: Mapping[str, Mapping[str, Errors]]
    signals: Mapping[str, SignalClaim]
    outside_share: float

    @property
    def inside(self) -> bool:
        """True when some signal was compared and none contradicts the claim."""
        return bool(self.signals) and all(claim.holds for claim in self.signals.values())

    def as_json(self) -> dict[str, Any]:
        """The verdict as machines read it, with the signals as `edgetwin replay` gives them."""
        keys = ("n", "bias", "mae", "rmse", "p95", "mape", "nmbe", "cvrmse")
        return {
            "board": self.board,
            "signals": {
                name: {key: getattr(rows["all"], key) for key in keys}
                for name, rows in self.errors.items()
            },
            "claim": {
                "id": self.certificate.id,
                "grade": self.certificate.grade,
                "outside_envelope_share": self.outside_share,
                "signals": {name: asdict(claim) for name, claim in self.signals.items()},
            },
            "inside": self.inside,
        }


def judge(board: "Board", certificate: Certificate, runs: Sequence["Run"]) -> Verdict:
    """New runs against a certificate; ValueError where they share no signal with it."""
    seen = evaluate(board, runs)
    errors = errors_of(seen)
    claimed = certificate.errors.get("held-out") or certificate.errors.get("fitted", {})
    widths = {s: (c.half_50, c.half_90) for s, c in certificate.coverage.items() if s in errors}
    spread = scatter(board, seen, posterior(board, certificate), certificate.seed)
    coverage = counted(seen, widths, spread)
    claims = {}
    for signal, rows in errors.items():
        if signal in claimed:
            share = coverage[signal].share_90 if signal in coverage else None
            claims[signal] = _claim(certificate, signal, claimed[signal]["all"], rows["all"], share)
    if not claims:
        raise ValueError(
            f"certificate {certificate.id} speaks of {', '.join(claimed) or 'no signal'}; "
            f"the data have {', '.join(errors) or 'none'}."
        )
    return Verdict(
        board=board.name,
        certificate=certificate,
        runs=seen,
        errors=errors,
        signals=claims,
        outside_share=outside_share(board, certificate, seen),
    )


def _claim(
    certificate: Certificate, signal: str, was: Errors, now: Errors, share_90: float | None
) -> SignalClaim:
    most_rmse = most_rmse_of(was, now, certificate.sensors[signal].resolution)
    stated = certificate.coverage[signal].share_90 if signal in certificate.coverage else None
    least = None
    if share_90 is not None:
        expected = min(0.9, 0.9 if stated is None else stated)
        noise = np.sqrt(expected * (1 - expected) * (1 / now.n_independent + 1 / was.n_independent))
        least = max(0.0, expected - SIGMAS * float(noise))
    in_interval = least is None or share_90 is None or share_90 >= least
    small = now.rmse <= certificate.sensors[signal].resolution
    return SignalClaim(
        rmse=now.rmse,
        certified_rmse=was.rmse,
        most_rmse=most_rmse,
        share_90=share_90,
        least_share_90=least,
        holds=now.rmse <= most_rmse and (in_interval or small),
    )


def most_rmse_of(was: Errors, now: Errors, resolution: float) -> float:
    """The largest error that agrees: a mean of n squares scatters by sqrt(2 / n) of itself."""
    noise = np.sqrt(2.0 / was.n_independent + 2.0 / now.n_independent)
    return max(was.rmse * float(np.sqrt(1.0 + SIGMAS * noise)), resolution)


def outside_share(board: "Board", certificate: Certificate, runs: Sequence[Evaluated]) -> float:
    """The share of readings whose clocks, temperatures or power were never seen before."""
    outside = [not certificate.inside(reading) for run in runs for reading in _readings(board, run)]
    return float(np.mean(outside))


def _readings(board: "Board", run: Evaluated) -> list[Reading]:
    """A run's readings as far as an envelope speaks of them."""
    seen = run.run.recorded
    clocks = [clock.freqs_hz.value for clock in board.clocks.values()]
    return [
        Reading(
            t_s=t_s,
            temps_c=_known(seen.zones_c, row),
            power_w=_known(seen.rails_w, row),
            energy_j=None,
            freq_hz={
                name: clocks[d][level]
                for d, (name, level) in enumerate(
                    zip(board.clocks, seen.level[row].tolist(), strict=True)
                )
            },
            busy={},
            fan=None,
            throttled=False,
            cap_w=None,
            jobs={},
        )
        for row, t_s in enumerate(seen.t_s.tolist())
    ]


def _known(values: Mapping[str, Array], row: int) -> dict[str, float | None]:
    found = {name: float(series[row]) for name, series in values.items()}
    return {name: None if np.isnan(value) else value for name, value in found.items()}
