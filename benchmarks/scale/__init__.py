"""Looks, refreshes and waits at scale, side by side with flytekit's client: ``python -m benchmarks.scale --help``."""
