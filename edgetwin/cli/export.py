"""`edgetwin export RUN`: a run's trace for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from edgetwin.cli.output import Json, print_json

FORMS = {"perfetto": ".json", "csv": ".csv", "parquet": ".parquet"}


def export(
    run: Annotated[Path, typer.Argument(help="Folder of --out, or a trace file.")],
    to: Annotated[
        str, typer.Option(help="perfetto (and chrome://tracing), csv or parquet.")
    ] = "perfetto",
    trace: Annotated[
        str | None, typer.Option(help="Which trace, as 'ondemand, seed 0'; default: the first.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; default: beside the run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a trace as Perfetto JSON (ui.perfetto.dev opens it), CSV or Parquet, units included.

    Example: edgetwin export out/thermal --to perfetto --out run.json
    """
    from edgetwin.report.kept import read_kept
    from edgetwin.report.perfetto import write_perfetto
    from hw_models.naming import unknown

    if to not in FORMS:
        raise KeyError(unknown("form", to, FORMS))
    kept = read_kept(run)
    if not kept.traces:
        raise ValueError(f"{run} holds no trace; a sweep keeps figures only.")
    label, found = kept.read(trace)
    name = f"{kept.name}{'' if to == 'perfetto' else '-copy'}{FORMS[to]}"
    path = out or (run.parent / name if run.is_file() else run / name)
    if to == "perfetto":
        write_perfetto(found, path, f"{kept.name}: {label}")
    elif to == "csv":
        found.to_csv(path)
    else:
        found.to_parquet(path)
    if as_json:
        print_json({"out": str(path), "trace": label, "readings": len(found)})
        return
    print(path)
