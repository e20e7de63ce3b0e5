"""Jetson TX2: power and heat from one trace of 107 min."""
