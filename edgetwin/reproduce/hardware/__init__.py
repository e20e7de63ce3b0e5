"""The hardware path against virtual boards: faults, hostile messages, loops, round trips."""
