"""`edgetwin gate POLICY`: pass a policy or fail a CI job, for a reason and not by chance."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli import options
from edgetwin.cli.output import Cell, Json, announce_compiling, note, print_json, print_table
from edgetwin.cli.run import check_numbers, command

if TYPE_CHECKING:
    from edgetwin.gates import PolicyReport, Verdict


def gate(
    policy: options.PolicyPlace,
    board: options.BoardName = None,
    scenario: options.ScenarioName = None,
    task: Annotated[
        str, typer.Option(help="Its board is the default, and its scenario.")
    ] = "thermal",
    baseline: options.Baseline = None,
    update: options.Update = False,
    max_temp_c: options.MaxTemp = None,
    max_violation: options.MaxViolation = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="FIGURE=MOST, any key figure; may be repeated.")
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(help="FIGURE=BY, or a multiple of the usual tolerances; may be repeated."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How many; default: the baseline's, or 10.")
    ] = None,
    seed: options.FirstSeed = 0,
    duration_s: options.Duration = None,
    jobs: options.Jobs = 1,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML to write.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Markdown to write.")] = None,
    out: options.Out = None,
    as_json: Json = False,
) -> int:
    """Hold a policy against limits and the main branch's figures; exit 1 when it got worse.

    Example: edgetwin gate mine/mine.py:make --baseline mine/main.json --junit gate.xml
    """
    from edgetwin.gates import gate, read_report

    check_numbers(1 if seeds is None else seeds, seed, duration_s)
    if update and baseline is None:
        raise ValueError("--update writes a baseline; name its file with --baseline.")
    old = None if baseline is None or update else read_report(baseline)
    where = _where(old, task, board, scenario, seed, seeds, duration_s)
    limits, allowed = _pairs("--limit", limit), _tolerance(tolerance)
    if not update:
        _expect_checks(old, max_temp_c, max_violation, limits)
    announce_compiling()
    report = _report(policy, where, jobs, out)
    if update and baseline is not None:
        report.write(baseline)
        note(f"baseline of {report.policy} written: {baseline}")
        old = report
    verdict = gate(report, max_temp_c=max_temp_c, max_violation=max_violation, limits=limits,
                   baseline=old, tolerance=allowed)  # fmt: skip
    _keep(verdict, where, junit, summary, out)
    if as_json:
        from edgetwin.report.gate_files import as_json as ready

        print_json(ready(verdict))
    else:
        _print(verdict)
    return 0 if verdict.ok else 1


def _where(
    old: "PolicyReport | None",
    task: str,
    board: str | None,
    scenario: str | None,
    seed: int,
    seeds: int | None,
    duration_s: float | None,
) -> dict[str, Any]:
    """What is run: what was asked for, else what the baseline ran, else the task's own."""
    from edgetwin.gates import SCENARIO, SEEDS
    from edgetwin.tasks import find_task

    chosen = find_task(task)
    return {
        "board": board or (chosen.board if old is None else _shipped(old.board, chosen.board)),
        "scenario": scenario or (SCENARIO if task == "thermal" else chosen.scenario),
        "seeds": range(seed, seed + (seeds or SEEDS)) if old is None or seeds else old.seeds,
        "duration_s": duration_s or (None if old is None else old.duration_s),
    }


def _shipped(name: str, default: str) -> str:
    """The baseline's board where its name says all; a file has to be named again."""
    from hw_models.board import board_names

    return name if name in board_names() else default


def _expect_checks(
    old: "PolicyReport | None", most_c: float | None, most: float | None, limits: dict[str, float]
) -> None:
    """Nothing to check is said before anything is run."""
    if old is None and most_c is None and most is None and not limits:
        raise ValueError(
            "nothing to check; give --baseline FILE, --max-temp, --max-violation or --limit."
        )


def _report(policy: str, where: dict[str, Any], jobs: int, out: Path | None) -> "PolicyReport":
    from edgetwin.gates import policy_report, study_of

    if out is None:
        return policy_report(policy, **where, jobs=jobs)
    study = study_of(policy, **where)
    with study.open(out, command(), verb="gate") as folder:
        return policy_report(policy, **where, jobs=jobs, out=folder)


def _pairs(option: str, given: list[str] | None) -> dict[str, float]:
    """FIGURE=NUMBER pairs of an option."""
    found = {}
    for text in given or ():
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise ValueError(f"{option} {text}: give FIGURE=NUMBER, as peak_temp_c=60.") from None
    return found


def _tolerance(given: list[str] | None) -> float | dict[str, float]:
    if not given:
        return 1.0
    if len(given) == 1 and "=" not in given[0]:
        try:
            return float(given[0])
        except ValueError:
            raise ValueError(f"--tolerance {given[0]}: give a number or FIGURE=BY.") from None
    return _pairs("--tolerance", given)


def _keep(
    verdict: "Verdict", where: dict[str, Any], junit: Path | None, summary: Path | None,
    out: Path | None,
) -> None:  # fmt: skip
    from edgetwin.report import gate_files
    from edgetwin.storage import strict_json, write_atomically
    from hw_models.board import load_board
    from hw_models.trace import read_trace

    if junit is not None:
        gate_files.write_junit(verdict, junit)
    if summary is not None:
        write_atomically(summary, gate_files.markdown(verdict))
    if out is None:
        return
    report = verdict.report
    write_atomically(out / "kpis.json", strict_json(gate_files.as_json(verdict)) + "\n")
    found = list(out.glob(f"*/{report.seeds[0]}/trace.parquet"))
    board = load_board(where["board"])
    page = gate_files.gate_page(
        verdict, board, read_trace(found[0]), command(), out / "report.html"
    )
    note(f"page: {page}; look at it with: edgetwin view {out}")


def _print(verdict: "Verdict") -> None:
    report = verdict.report
    rows: list[list[Cell]] = [
        [check.figure, check.kind, check.value, check.low, check.limit, check.detects,
         "ok" if check.ok else "FAIL"]
        for check in verdict.checks
    ]  # fmt: skip
    title = (
        f"{report.policy} on {report.board} under {report.scenario}, {len(report.seeds)} seeds: "
        + ("passed" if verdict.ok else "FAILED")
    )
    heads = ["figure", "against", "mean", "beyond chance", "limit", "would catch", ""]
    print_table(title, heads, rows)
    for check in verdict.checks:
        if not check.ok:
            print(check.sentence)
