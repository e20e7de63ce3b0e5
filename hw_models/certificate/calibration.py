"""From runs to a board file and its certificate: split, fit, judge by what was held out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from hw_models.certificate.certify import certify
from hw_models.certificate.evaluated import Evaluated, evaluate
from hw_models.certificate.model import Certificate, Errors, Split
from hw_models.certificate.points import PointsFit, Table, fit_points, without
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
    fits: tuple["FitResult", ...]
    split: SplitRuns
    runs: tuple[Evaluated, ...]


def calibrate(
    board: "Board",
    runs: Sequence["Run"] = (),
    *,
    tables: Sequence[Table] = (),
    data: Mapping[str, str],
    recipe: str,
    hold_out: Sequence[str] = (),
    meter: "Meter | None" = None,
    days: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
    **options: Any,
) -> Calibrated:
    """Fit power and heat jointly on some runs, speed on some points of tables; judge by the rest.

    data gives the SHA-256 of every file, recipe the words that repeat the calibration, hold_out
    the runs to judge by (see `split_runs`), days the day of a run by name; further options are
    those of `fit_joint`. ValueError without runs and tables; errors as in `split_runs`,
    `fit_joint` and `fit_points`.
    """
    if not runs and not tables:
        raise ValueError("nothing to calibrate from; give at least one trace or table.")
    split = split_runs(runs, hold_out)
    heat, points = _fits(board, split, tables, {"meter": meter, "seed": seed, **options})
    results = (*heat, *_apart(heat, points))
    title = f"Calibration of {board.name}: {len(split.fitted)} runs, {len(tables)} tables fitted"
    fitted = with_fit(board, results, source=SOURCE, title=title, recipe=recipe, data=data)
    certificate = certify(
        fitted,
        results,
        data=data,
        fitted=split.fitted,
        held_out=split.held_out,
        days=days,
        same_run=split.same_run,
        tables=_errors(points),
        notes=(*((split.note,) if runs else ()), *_networks(heat), *notes),
        seed=seed,
    )
    known = heat[0] if heat else None
    return Calibrated(
        board=stamped(fitted, certificate, SOURCE),
        certificate=certificate,
        fits=results,
        split=split,
        runs=(*evaluate(fitted, split.fitted, known), *evaluate(fitted, split.held_out)),
    )


def _fits(
    board: "Board", split: SplitRuns, tables: Sequence[Table], options: dict[str, Any]
) -> tuple[tuple["FitResult", ...], list[PointsFit]]:
    """The joint fit of the runs, if there are any, and the fits of the tables."""
    from hw_models.fit import fit_joint

    heat = (fit_joint(board, split.fitted, **options),) if split.fitted else ()
    warm = heat[0].board(board, next(iter(board.sources))) if heat else board
    return heat, fit_points(warm, tables, seed=options["seed"])


def _networks(heat: Sequence["FitResult"]) -> Iterator[str]:
    """Which thermal network was chosen, and out of which."""
    for result in heat:
        tried = {len(c.groups): c for c in result.candidates}
        for n, candidate in tried.items():
            if candidate.chosen:
                criteria = ", ".join(f"{k}: {c.criterion:.0f}" for k, c in tried.items())
                merged = [f"{a} = {' + '.join(b)}" for a, b in candidate.groups.items() if b[1:]]
                yield (
                    f"thermal network of {n} nodes ({'; '.join(merged) or 'none merged'}), chosen "
                    f"by Schwarz's criterion; by number of nodes, the lowest wins: {criteria}"
                )


def _apart(heat: Sequence["FitResult"], points: Sequence[PointsFit]) -> list["FitResult"]:
    """Fits of tables without what another fit before them has estimated."""
    taken = [p.path for result in heat for p in result.of_board]
    found = []
    for fit in points:
        found.append(without(fit.result, taken))
        taken += [p.path for p in found[-1].of_board]
    return found


def _errors(points: Sequence[PointsFit]) -> dict[Split, dict[str, Errors]]:
    table: dict[Split, dict[str, Errors]] = {}
    for fit in points:
        for split, rows in fit.errors.items():
            table.setdefault(split, {}).update(rows)
    return table
