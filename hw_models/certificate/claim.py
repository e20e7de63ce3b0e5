"""Whether new data bear a certificate out: errors and coverage against what it states.

A signal contradicts the claim when its mean square error exceeds the certified one by more than
three standard errors of both, or when fewer readings lie in the 90 % interval than certified (90 %
at most) by more than three standard errors. Those come from how errors and shares vary over
stretches of two minutes; an error below the sensor's own step contradicts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.certificate.evaluated import Evaluated, evaluate
from hw_models.certificate.figures import errors_of
from hw_models.certificate.intervals import counted, scatter
from hw_models.certificate.model import Certificate, Coverage, Errors
from hw_models.certificate.points import Table, certified_result, errors_at
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

    rmse and certified_rmse (the larger of fitted and held-out) in the signal's unit, most_rmse the
    largest that agrees; share_90 the counted share of readings in their 90 % interval,
    least_share_90 the smallest that agrees.
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
    errors: Mapping[str, Errors]
    signals: Mapping[str, SignalClaim]
    outside_share: float | None

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
                name: {key: getattr(row, key) for key in keys} for name, row in self.errors.items()
            },
            "claim": {
                "id": self.certificate.id,
                "grade": self.certificate.grade,
                "outside_envelope_share": self.outside_share,
                "signals": {name: asdict(claim) for name, claim in self.signals.items()},
            },
            "inside": self.inside,
        }


def judge(
    board: "Board",
    certificate: Certificate,
    runs: Sequence["Run"] = (),
    tables: Sequence[Table] = (),
) -> Verdict:
    """New runs and tables against a certificate; ValueError where they share no signal with it.

    KeyError for a network that the certificate does not know.
    """
    seen = evaluate(board, runs)
    errors = {signal: rows["all"] for signal, rows in errors_of(seen).items()}
    for table in tables:
        errors |= errors_at(board, certified_result(certificate), table)
    claimed = _certified(certificate)
    widths = {s: (c.half_50, c.half_90) for s, c in certificate.coverage.items() if s in errors}
    spread = scatter(board, seen, posterior(board, certificate), certificate.seed)
    coverage = counted(board, seen, widths, spread)
    claims = {}
    for signal, row in errors.items():
        if signal in claimed:
            claims[signal] = _claim(certificate, signal, claimed[signal], row, coverage)
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
        outside_share=outside_share(board, certificate, seen) if seen else None,
    )


def _certified(certificate: Certificate) -> dict[str, Errors]:
    """What is promised of each signal: the larger of its errors on fitted and held-out data."""
    table: dict[str, Errors] = {}
    for by_signal in certificate.errors.values():
        for signal, rows in by_signal.items():
            if signal not in table or rows["all"].rmse > table[signal].rmse:
                table[signal] = rows["all"]
    return table


def _claim(
    certificate: Certificate,
    signal: str,
    was: Errors,
    now: Errors,
    coverage: Mapping[str, Coverage],
) -> SignalClaim:
    sensor = certificate.sensors.get(signal)
    step = sensor.resolution if sensor else 0.0
    most_rmse = most_rmse_of(was, now, step)
    stated, counts = certificate.coverage.get(signal), coverage.get(signal)
    share = None if counts is None else counts.share_90
    least = None if stated is None or counts is None else least_share_of(stated, counts)
    covered = share is None or least is None or share >= least
    return SignalClaim(
        rmse=now.rmse,
        certified_rmse=was.rmse,
        most_rmse=most_rmse,
        share_90=share,
        least_share_90=least,
        holds=now.rmse <= most_rmse and (covered or now.rmse <= step),
    )


def most_rmse_of(was: Errors, now: Errors, resolution: float) -> float:
    """The largest error that agrees with the certified one, in the signal's unit.

    The new mean square may be twice as uncertain as one of its length would be if the claim held,
    and no more: large errors that scatter widely are no excuse for themselves.
    """
    as_claimed = was.mse_error * float(np.sqrt(was.n / now.n))
    noise = SIGMAS * float(np.hypot(was.mse_error, min(now.mse_error, 2.0 * as_claimed)))
    return max(float(np.sqrt(was.rmse**2 + noise)), resolution)


def least_share_of(stated: Coverage, counts: Coverage) -> float:
    """The smallest share in the 90 % interval that agrees with the certified one."""
    expected = 0.9 if stated.share_90 is None else min(0.9, stated.share_90)
    noise = float(np.hypot(stated.error_90 or 0.0, counts.error_90 or 0.0))
    binomial = float(np.sqrt(expected * (1.0 - expected) / max(counts.n, 1)))
    return max(0.0, expected - SIGMAS * max(noise, binomial))


def outside_share(
    board: "Board", certificate: Certificate, runs: Sequence[Evaluated]
) -> float | None:
    """The share of readings whose clocks, temperatures or power were never seen before.

    None where the certificate has seen nothing.
    """
    if not certificate.envelope.speaks:
        return None
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
