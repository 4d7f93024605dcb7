"""Literals of Flyte to Python values and back."""

from __future__ import annotations

from flyte_remote_async.literals.convert import decode, encode

__all__ = ["decode", "encode"]
