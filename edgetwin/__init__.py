"""Digital twins of edge boards: run a policy on a simulated, recorded or real board alike."""

__version__ = "0.1.0"
