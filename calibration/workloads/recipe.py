"""Makes the files of hw_models/workloads: python -m calibration.workloads.recipe [--help]."""

import argparse
import os
from pathlib import Path

from calibration.workloads.applications import write_applications
from calibration.workloads.networks import write_networks

PARTS = ("applications", "networks")


def main() -> None:
    """Write the files; exits 2 when the measured data are needed and absent."""
    options = _parser().parse_args()
    parts = [options.only] if options.only else PARTS
    if "applications" in parts:
        data = options.data or os.environ.get("EDGETWIN_DATA", "")
        if not (Path(data) / "cpu_apps" / "app_profiles.csv").is_file():
            _parser().error("cpu_apps not found: give --data or set EDGETWIN_DATA to its parent.")
        write_applications(Path(data), options.out)
    if "networks" in parts:
        write_networks(options.out)


def _parser() -> argparse.ArgumentParser:
    shipped = Path(__file__).parents[2] / "hw_models" / "workloads"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="make this part only (default: both)")
    parser.add_argument("--data", help="folder that holds cpu_apps (default: $EDGETWIN_DATA)")
    parser.add_argument("--out", type=Path, default=shipped, help="folder to write to")
    return parser


if __name__ == "__main__":
    main()
