"""Thousands of boards at once: the batch, the fleet, sweeps, and the peers beside them."""
