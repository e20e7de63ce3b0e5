"""The same clients and server on Flower: its simulation, or SuperLink and SuperNodes."""
