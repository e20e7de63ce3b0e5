"""Compiled code of the thermal system, in a room of its own: the cache follows its files alone."""
