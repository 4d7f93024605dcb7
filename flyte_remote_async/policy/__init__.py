"""Decisions: pure functions and values, without a clock, randomness or I/O of their own."""
