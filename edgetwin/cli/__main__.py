"""`python -m edgetwin.cli`: the command line without its script."""

from edgetwin.cli import main

main()
