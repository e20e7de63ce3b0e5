"""The command line of a study."""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def run_command(name: str, argv: list[str] | None = None) -> int:
    """Measure benchmarks.<name>.study.STUDY and print one JSON object or a table.

    1 with --strict when a row falls short, else 0.
    """
    args = _parser(name).parse_args(argv)
    for variable in THREADS:
        os.environ[variable] = "1"
    from edgetwin.cli.output import announce_compiling, print_json, print_table
    from edgetwin.storage import strict_json, write_atomically
    from edgetwin.studies import cells, falls_short

    announce_compiling()
    chosen = import_module(f"benchmarks.{name}.study").STUDY
    study = chosen.run(args.quick)
    if args.out is not None:
        write_atomically(args.out / f"{name}.json", strict_json(study) + "\n")
        if chosen.draw is not None:
            chosen.draw(study, args.out)
    if args.json:
        print_json(study)
    else:
        heads = ["what", "figure", "value", "bar", ""]
        print_table(f"the study of {name}", heads, cells(study))
    short = falls_short(study)
    if short:
        print(f"falls short: {', '.join(short)}", file=sys.stderr)
    return 1 if args.strict and short else 0


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=f"Measure the table of benchmarks/README.md on {name} on this machine.",
    )
    parser.add_argument("--json", action="store_true", help="print exactly one JSON object")
    parser.add_argument("--quick", action="store_true", help="every row with fewer repetitions")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a row falls short")
    parser.add_argument("--out", type=Path, help=f"folder for {name}.json and its page")
    return parser
