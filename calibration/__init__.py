"""How we know: from measured data to board files and workload profiles, run from a checkout."""
