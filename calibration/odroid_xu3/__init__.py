"""Odroid XU3: a big.LITTLE board with a rail per cluster and a zone per big core."""
