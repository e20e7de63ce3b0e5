"""The experiment of the thermal system: managers side by side on the same workloads."""
