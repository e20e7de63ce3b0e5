"""`python -m benchmarks.product`: measure the table of the product on this machine."""

import sys

from benchmarks.frame.command import run_command

if __name__ == "__main__":
    sys.exit(run_command("product"))
