"""Literals of Flyte to Python values and back."""
