"""Noise as a function of a counter: compiled for the CPU, in torch for other devices."""
