"""`python -m benchmarks.speed`: measure the table of speed on this machine."""

import sys

from benchmarks.frame.command import run_command

if __name__ == "__main__":
    sys.exit(run_command("speed"))
