"""`edgetwin excite`: the shortest run that pins a board's numbers, as a scenario."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.output import Cell, Json, note, print_json, print_table

if TYPE_CHECKING:
    from hw_models.fit import ExcitationPlan


def excite(
    board: Annotated[str, typer.Option(help="Board name or board.toml.")],
    out: Annotated[Path, typer.Option(help="Scenario file to write (.toml).")] = Path(
        "scenario.toml"
    ),
    safety_c: Annotated[
        float | None, typer.Option(help="No zone may get hotter, in degC; default: by the trips.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan a run that pins what can be pinned: clocks, loads, fan, heating and cooling.

    Example: edgetwin excite --board jetson-tx2 --out scenario.toml
    """
    from edgetwin.excitation import scenario_of, write_scenario
    from edgetwin.progress import Progress
    from hw_models.board import load_board

    if out.suffix != ".toml":
        raise ValueError(f"--out {out}: a scenario file ends in .toml.")
    made = load_board(board)
    with Progress(f"planning for {made.name}"):
        from hw_models.fit import plan_excitation

        plan = plan_excitation(made, safe_c=safety_c)
    write_scenario(scenario_of(plan, made), out)
    if as_json:
        print_json(_result(plan, out))
        return
    _print(plan)
    note(f"next: edgetwin record --scenario {out} --board {board} --out trace.parquet")


def _result(plan: "ExcitationPlan", out: Path) -> dict[str, Any]:
    return {
        "board": plan.board,
        "out": str(out),
        "duration_s": plan.duration_s,
        "segments": len(plan.segments),
        "period_s": plan.period_s,
        "safe_c": plan.safe_c,
        "hottest_c": plan.hottest_c,
        "ambient_c": plan.ambient_c,
        "expected_std": dict(plan.expected_std),
        "findings": [
            {"kind": f.kind, "paths": list(f.paths), "message": f.message, "cure": f.cure}
            for f in plan.findings
        ],
    }


def _print(plan: "ExcitationPlan") -> None:
    title = f"{plan.board}: {plan.duration_s / 60:.0f} min"
    rows: list[list[Cell]] = []
    t_s = 0.0
    for segment in plan.segments:
        rows.append([round(t_s), round(segment.duration_s), segment.why])
        t_s += segment.duration_s
    print_table(title, ["from_s", "for_s", "what for"], rows)
    print(f"hottest: {plan.hottest_c:.0f} degC expected, {plan.safe_c:.0f} degC allowed")
    for finding in plan.findings:
        print(f"{finding.kind}: {finding.message} Cure: {finding.cure}")
