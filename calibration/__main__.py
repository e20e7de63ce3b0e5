"""Makes shipped boards from measured data: python -m calibration [BOARD ...] [--data DIR]."""

import argparse
import sys
from pathlib import Path

from calibration.build import recipes, write


def main() -> int:
    """Run the recipes named (all by default); exits 2 in one line where data are absent."""
    options = _parser().parse_args()
    known = recipes()
    for name in options.boards or known:
        if name not in known:
            print(f"no recipe {name!r}; there are {', '.join(known)}.", file=sys.stderr)
            return 2
        try:
            result = known[name](options.data)
        except FileNotFoundError as absent:
            print(absent, file=sys.stderr)
            return 2
        for path in write(name, result, options.out):
            print(path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m calibration", description=__doc__)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="recipes to run (default: all)")
    parser.add_argument(
        "--data", type=Path, help="folder of measured data (default: $EDGETWIN_DATA)"
    )
    parser.add_argument("--out", type=Path, help="write everything here instead of into the tree")
    return parser


if __name__ == "__main__":
    sys.exit(main())
