"""Measurements against the peers: each row a ratio, taken in one run in alternating processes."""
