"""How fast and how faithful: every figure we promise, measured side by side in one run."""
