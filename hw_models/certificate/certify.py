"""A certificate is worked out: from a fitted board, its fit, and runs that were held out."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models.certificate.evaluated import Evaluated, evaluate
from hw_models.certificate.figures import block_errors_of, errors_of, skill_of
from hw_models.certificate.grading import graded
from hw_models.certificate.intervals import counted, half_widths, scatter
from hw_models.certificate.model import (
    Certificate,
    CertifiedFinding,
    CertifiedParameter,
    CertifiedRun,
    DataFile,
    Envelope,
    Errors,
    SensorNote,
    Span,
    Split,
)
from hw_models.sampling import posterior

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.fit import Finding, FitResult, Parameter, Run

_STARTS_NOTE: Final = (
    "open loop: clocks, loads, memory traffic and fan from the log; ambient and temperatures at "
    "the start estimated from each run, everything else predicted"
)


def certify(
    board: "Board",
    results: "FitResult | Sequence[FitResult]",
    *,
    data: Mapping[str, str],
    fitted: Sequence["Run"] = (),
    held_out: Sequence["Run"] = (),
    days: Mapping[str, str] | None = None,
    same_run: bool = False,
    tables: Mapping[Split, Mapping[str, Errors]] | None = None,
    documents_only: str = "",
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Certificate:
    """Everything that can be said about a fitted board: errors, coverage, skill, envelope, grade.

    board has the fitted numbers (`FitResult.board`); data gives the SHA-256 by file name; days the
    day of a run by its name; same_run says that held-out runs are blocks of the fitted ones;
    tables errors of latency grids and step tables by split and signal; documents_only is the
    reason for grade C where nothing of the board itself was measured. Of several results the
    parameters are taken as independent. ValueError where a board parameter appears twice.
    """
    found = (results,) if not isinstance(results, Sequence) else tuple(results)
    seen = evaluate(board, fitted, _with_conditions(found))
    unseen = evaluate(board, held_out)
    tables = tables or {}
    bare = Certificate.model_validate(
        {
            "board": board.name,
            "grade": "B",
            "reason": "not graded yet",
            "seed": seed,
            "data": [DataFile(file=file, sha256=digest) for file, digest in data.items()],
            "sensors": _sensors(board, (*seen, *unseen)),
            "runs": (*_runs(seen, "fitted", days), *_runs(unseen, "held-out", days)),
            "parameters": [_parameter(p) for result in found for p in result.of_board],
            "covariance": _covariance(found),
            "nuisances": [_parameter(p) for r in found for p in r.parameters if p.is_nuisance],
            "findings": _findings(found, (*fitted, *held_out)),
            "notes": (*((_STARTS_NOTE,) if seen else ()), *notes, *_notes(found)),
        }
    )
    whole = bare.model_copy(
        update=_figures(board, bare, seen, unseen, tables)
        | {"envelope": _envelope(board, (*seen, *unseen))}
    )
    grade = {"grade": "C", "reason": documents_only}
    update = grade if documents_only else graded(board, whole, same_run=same_run)
    return whole.model_copy(update=update).named()


def _figures(
    board: "Board",
    bare: Certificate,
    seen: Sequence[Evaluated],
    unseen: Sequence[Evaluated],
    tables: Mapping[Split, Mapping[str, Errors]],
) -> dict[str, Any]:
    """Errors of both splits, coverage and skill on the held-out one."""
    errors = {"fitted": errors_of(seen), "held-out": errors_of(unseen)}
    for split, by_signal in tables.items():
        errors[split] |= {signal: {"all": row} for signal, row in by_signal.items()}
    law = posterior(board, bare)
    spread = scatter(board, unseen, law, bare.seed)
    return {
        "errors": {split: table for split, table in errors.items() if table},
        "blocks": {
            split: block_errors_of(runs)
            for split, runs in (("fitted", seen), ("held-out", unseen))
            if runs
        },
        "coverage": counted(board, unseen, half_widths(board, seen), spread),
        "skill": skill_of(seen, unseen),
    }


def _with_conditions(results: Sequence["FitResult"]) -> "FitResult | None":
    """The result that estimated where runs started: ambient and temperatures."""
    for result in results:
        if any(p.path.endswith(".ambient_c") for p in result.parameters if p.is_nuisance):
            return result
    return None


def _parameter(parameter: "Parameter") -> CertifiedParameter:
    low, high = (x if isfinite(x) else None for x in (parameter.low, parameter.high))
    return CertifiedParameter(
        path=parameter.path,
        value=parameter.value,
        std=parameter.std,
        low=low,
        high=high,
        status=parameter.status,
        interval=parameter.interval,
    )


def _covariance(results: Sequence["FitResult"]) -> list[list[float]]:
    """Board parameters only: what belongs to runs is marginalised by leaving its rows out."""
    paths = [p.path for result in results for p in result.of_board]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ValueError(f"{twice} was fitted twice; fit it jointly, or leave one fit out.")
    whole, at = np.zeros((len(paths), len(paths))), 0
    for result in results:
        block = result.covariance_of([p.path for p in result.of_board])
        end = at + len(block)
        whole[at:end, at:end] = 0.5 * (block + block.T)
        at = end
    rows: list[list[float]] = whole.tolist()
    return rows


def _runs(
    runs: Sequence[Evaluated], split: Split, days: Mapping[str, str] | None
) -> Iterator[CertifiedRun]:
    for run in runs:
        t_s = run.t_s
        period_s = float(np.median(np.diff(t_s))) if len(t_s) > 1 else 0.0
        due = round((t_s[-1] - t_s[0]) / period_s) + 1 if period_s else len(t_s)
        yield CertifiedRun(
            name=run.run.name,
            split=split,
            sha256=run.run.sha256,
            day=(days or {}).get(run.run.name),
            n=len(t_s),
            start_s=float(t_s[0]),
            end_s=float(t_s[-1]),
            period_s=period_s,
            dropped=max(0, due - len(t_s)),
            ambient_c=run.ambient_c,
            findings=tuple(finding.message for finding in run.run.findings),
        )


def _sensors(board: "Board", runs: Sequence[Evaluated]) -> dict[str, SensorNote]:
    names = {signal for run in runs for signal in run.measured}
    rails = {f"power_w.{k}": (r.resolution_w, r.period_s) for k, r in board.sensors.rails.items()}
    zones = {f"temps_c.{k}": (z.resolution_k, z.period_s) for k, z in board.sensors.zones.items()}
    return {
        name: SensorNote(resolution=step.value, period_s=every_s.value)
        for name, (step, every_s) in (rails | zones).items()
        if name in names
    }


def _findings(
    results: Sequence["FitResult"], runs: Sequence["Run"]
) -> tuple[CertifiedFinding, ...]:
    found: list[Finding] = [f for result in results for f in result.findings]
    found += [f for run in runs for f in run.findings]
    rows = (
        CertifiedFinding(kind=f.kind, paths=f.paths, message=f.message, cure=f.cure) for f in found
    )
    return tuple({row.model_dump_json(): row for row in rows}.values())


def _notes(results: Sequence["FitResult"]) -> Iterator[str]:
    yield from dict.fromkeys(note for result in results for note in result.notes)


def _envelope(board: "Board", runs: Sequence[Evaluated]) -> Envelope:
    """The lowest and highest clock, load, temperature and power that any run saw."""
    seen = [run.run.recorded for run in runs]
    if not seen:
        return Envelope()
    level = np.concatenate([s.level for s in seen])
    busy = np.concatenate([s.busy for s in seen])
    measured = {name: [r.measured[name] for r in runs if name in r.measured] for name in _all(runs)}
    spans = {name: _span(np.concatenate(parts)) for name, parts in measured.items()}
    return Envelope(
        freq_hz={
            name: _span(clock.freqs_hz.array[level[:, d]])
            for d, (name, clock) in enumerate(board.clocks.items())
        },
        busy={unit.name: _span(busy[:, u]) for u, unit in enumerate(board.unit_list)},
        temps_c={k.partition(".")[2]: v for k, v in spans.items() if k.startswith("temps_c.")},
        power_w={k.partition(".")[2]: v for k, v in spans.items() if k.startswith("power_w.")},
        fan=tuple(sorted({int(x) for s in seen for x in np.unique(s.fan)})),
    )


def _all(runs: Sequence[Evaluated]) -> dict[str, None]:
    return dict.fromkeys(name for run in runs for name in run.measured)


def _span(values: Any) -> Span:
    return float(np.nanmin(values)), float(np.nanmax(values))
