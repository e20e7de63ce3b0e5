"""`python -m benchmarks.foundation`: measure the foundation's table on this machine."""

import argparse
import os
import sys
from pathlib import Path

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def main(argv: list[str] | None = None) -> int:
    """Print one JSON object or a table; 1 with --strict when a row falls short, else 0."""
    args = _parser().parse_args(argv)
    for name in THREADS:
        os.environ[name] = "1"
    from benchmarks.foundation.study import cells, falls_short, run_study
    from edgetwin.cli.output import announce_compiling, print_json, print_table
    from edgetwin.storage import strict_json, write_atomically

    announce_compiling()
    study = run_study(args.quick)
    if args.out is not None:
        write_atomically(args.out / "foundation.json", strict_json(study) + "\n")
    if args.json:
        print_json(study)
    else:
        heads = ["what", "figure", "value", "bar", ""]
        print_table("the foundation", heads, cells(study))
    short = falls_short(study)
    if short:
        print(f"falls short: {', '.join(short)}", file=sys.stderr)
    return 1 if args.strict and short else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foundation", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print exactly one JSON object")
    parser.add_argument("--quick", action="store_true", help="every row with fewer repetitions")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a row falls short")
    parser.add_argument("--out", type=Path, help="folder for foundation.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
