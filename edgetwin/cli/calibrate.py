"""`edgetwin calibrate TRACE...`: from measured runs to a board file with a certificate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.measured import read_measured
from edgetwin.cli.output import Cell, Json, note, print_json, print_table
from edgetwin.cli.run import command

if TYPE_CHECKING:
    from edgetwin.cli.measured import Measured
    from edgetwin.runs import RunFolder
    from hw_models.board import Board
    from hw_models.certificate.calibration import Calibrated
    from hw_models.certificate.model import Certificate, Split


def calibrate(
    traces: Annotated[
        list[Path], typer.Argument(help="Traces, tegrastats logs, latency or step tables.")
    ],
    board: Annotated[str, typer.Option(help="Board to start from: a name or board.toml.")],
    out: Annotated[Path, typer.Option(help="Folder for board.toml and certificate.json.")],
    holdout: Annotated[
        list[str] | None, typer.Option(help="A run to judge by, not to fit; may be repeated.")
    ] = None,
    meter: Annotated[
        Path | None, typer.Option(help="CSV of an external power meter: t_s,power_w.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="Power mode, for clocks that a log lacks.")
    ] = None,
    choose_nodes: Annotated[
        bool, typer.Option("--choose-nodes", help="Try coarser thermal networks; the data choose.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of starts, draws and splits of tables.")] = 0,
    as_json: Json = False,
) -> None:
    """Fit a board to measured runs; say how far to trust every number and prediction.

    Example: edgetwin calibrate run1.log run2.log --board jetson-orin-nano --out calibrated
    """
    from edgetwin.progress import Progress
    from edgetwin.runs import RunFolder
    from hw_models.board import load_board

    if seed < 0:
        raise ValueError(f"--seed {seed}: give a whole number from 0 on.")
    before = load_board(board)
    measured = read_measured(before, traces, mode, meter)
    arguments = {
        "verb": "calibrate",
        "data": [path.name for path in traces],
        "board": before.name,
        "holdout": holdout or [],
        "meter": None if meter is None else meter.name,
        "mode": mode,
        "choose_nodes": choose_nodes,
        "seed": seed,
    }
    with RunFolder.create(out, command(), arguments, _hashes(before, measured.data)) as folder:
        with Progress(f"fitting {before.name}"):
            found = _fitted(before, measured, arguments)
        _keep(before, found, folder)
    result = _result(found, out)
    if as_json:
        print_json(result)
        return
    _print(found.certificate)
    note(f"next: edgetwin validate NEW_TRACE --board {out / 'board.toml'}")


def _fitted(before: "Board", measured: "Measured", arguments: dict[str, Any]) -> "Calibrated":
    from hw_models.certificate.calibration import calibrate
    from hw_models.fit import coarser

    return calibrate(
        before,
        measured.runs,
        tables=measured.tables,
        data=measured.data,
        recipe=_recipe(arguments),
        hold_out=arguments["holdout"],
        meter=measured.meter,
        days=measured.days,
        seed=arguments["seed"],
        networks=coarser(before) if arguments["choose_nodes"] else None,
    )


def _recipe(arguments: dict[str, Any]) -> str:
    """The words that repeat this calibration, without the folders of this machine."""
    held = "".join(f" --holdout {name}" for name in arguments["holdout"])
    more = "".join(
        f" --{option} {arguments[option]}" for option in ("meter", "mode") if arguments[option]
    )
    more += " --choose-nodes" if arguments["choose_nodes"] else ""
    files = " ".join(arguments["data"])
    return (
        f"edgetwin calibrate {files} --board {arguments['board']}{held}{more} "
        f"--seed {arguments['seed']}"
    )


def _hashes(board: "Board", data: dict[str, str]) -> dict[str, str]:
    from hashlib import sha256

    return {**data, "board": sha256(board.model_dump_json().encode()).hexdigest()}


def _keep(before: "Board", found: "Calibrated", folder: "RunFolder") -> None:
    """board.toml, certificate.json and the page."""
    from edgetwin.report.calibration_page import write_calibration_page
    from hw_models.board_file import write_board
    from hw_models.certificate import write_certificate

    write_board(found.board, folder.path / "board.toml")
    write_certificate(found.certificate, folder.path / "certificate.json")
    folder.write_kpis(_result(found, folder.path))
    from hw_models.fit import lumped

    page = folder.path / "report.html"
    for candidate in (c for fit in found.fits for c in fit.candidates if c.chosen):
        before = lumped(before, candidate.groups)  # the numbers that the fit began with
    write_calibration_page(before, found.certificate, found.runs, command(), page)


def _result(found: "Calibrated", out: Path) -> dict[str, Any]:
    """What machines read: the certificate in short."""
    certificate = found.certificate
    return {
        "board": certificate.board,
        "id": certificate.id,
        "grade": certificate.grade,
        "reason": certificate.reason,
        "out": str(out),
        "parameters": [p.model_dump(mode="json") for p in certificate.parameters],
        "runs": [run.model_dump(mode="json") for run in certificate.runs],
        "errors": {
            split: {signal: rows["all"].model_dump(mode="json") for signal, rows in table.items()}
            for split, table in certificate.errors.items()
        },
        "coverage": {s: c.model_dump(mode="json") for s, c in certificate.coverage.items()},
        "skill": {s: k.model_dump(mode="json") for s, k in certificate.skill.items()},
        "findings": [f.model_dump(mode="json") for f in certificate.findings],
    }


def _print(certificate: "Certificate") -> None:
    split: Split = "held-out" if "held-out" in certificate.errors else "fitted"
    rows = [
        [signal, e["all"].n, e["all"].bias, e["all"].mae, e["all"].rmse, e["all"].p95,
         _share(e["all"].mape), _inside(certificate, signal)]
        for signal, e in certificate.errors[split].items()
    ]  # fmt: skip
    title = f"{certificate.id}: grade {certificate.grade} ({certificate.reason}); {split} runs"
    heads = ["signal", "n", "bias", "MAE", "RMSE", "P95", "MAPE [%]", "in 90 % interval [%]"]
    print_table(title, heads, rows)
    numbers: list[list[Cell]] = [[p.path, p.value, p.std, p.status] for p in certificate.parameters]
    print_table("Parameters", ["parameter", "value", "std", "status"], numbers)
    for finding in certificate.findings:
        print(f"{finding.kind}: {finding.message} {finding.cure}".rstrip())
    for line in certificate.notes:
        print(f"note: {line}")


def _share(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def _inside(certificate: "Certificate", signal: str) -> float | None:
    found = certificate.coverage.get(signal)
    return None if found is None else _share(found.share_90)
