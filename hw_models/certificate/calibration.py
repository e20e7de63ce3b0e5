"""From runs to a board file and its certificate: split, fit, write in, judge by what was held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from hw_models.certificate.certify import certify
from hw_models.certificate.evaluated import Evaluated, evaluate
from hw_models.certificate.model import Certificate
from hw_models.certificate.splits import SplitRuns, split_runs
from hw_models.certificate.stamped import stamped, with_fit

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.fit import FitResult, Meter, Run

SOURCE = "calibration"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """A board file with its certificate, the fit behind them, and every run driven by the board."""

    board: "Board"
    certificate: Certificate
    fit: "FitResult"
    split: SplitRuns
    runs: tuple[Evaluated, ...]


def calibrate(
    board: "Board",
    runs: Sequence["Run"],
    *,
    data: Mapping[str, str],
    recipe: str,
    hold_out: Sequence[str] = (),
    meter: "Meter | None" = None,
    days: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
    **options: Any,
) -> Calibrated:
    """Fit power and heat jointly on some runs and judge the result on the others.

    data gives the SHA-256 of every file, recipe the words that repeat the calibration, hold_out
    the runs to judge by (see `split_runs`), days the day of a run by name; further options are
    those of `fit_joint`. Errors as in `split_runs` and `fit_joint`.
    """
    from hw_models.fit import fit_joint

    split = split_runs(runs, hold_out)
    fit = fit_joint(board, split.fitted, meter=meter, seed=seed, **options)
    title = f"Power and heat of {board.name} fitted to {len(split.fitted)} run(s)"
    fitted = with_fit(board, [fit], source=SOURCE, title=title, recipe=recipe, data=data)
    certificate = certify(
        fitted,
        fit,
        data=data,
        fitted=split.fitted,
        held_out=split.held_out,
        days=days,
        same_run=split.same_run,
        notes=(split.note, *notes),
        seed=seed,
    )
    return Calibrated(
        board=stamped(fitted, certificate, SOURCE),
        certificate=certificate,
        fit=fit,
        split=split,
        runs=(*evaluate(fitted, split.fitted, fit), *evaluate(fitted, split.held_out)),
    )
