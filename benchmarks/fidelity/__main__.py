"""`python -m benchmarks.fidelity`: measure the table of fidelity on the data in EDGETWIN_DATA."""

import sys

from benchmarks.frame.command import run_command

if __name__ == "__main__":
    sys.exit(run_command("fidelity"))
