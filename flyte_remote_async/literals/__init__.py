"""Literals of Flyte to Python values and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.literals.convert import decode, encode
    from flyte_remote_async.literals.datasets import StructuredDataset
    from flyte_remote_async.literals.failures import FlyteError
    from flyte_remote_async.literals.handles import FlyteDirectory, FlyteFile
    from flyte_remote_async.literals.resolve import read, write
    from flyte_remote_async.literals.types import Types
    from flyte_remote_async.literals.wrapped import BATCHED

__all__ = [
    "BATCHED",
    "Context",
    "FlyteDirectory",
    "FlyteError",
    "FlyteFile",
    "StructuredDataset",
    "Types",
    "decode",
    "encode",
    "read",
    "write",
]

# The kinds are imported when the first value is converted: a program that only watches executions needs none.
_HOMES = {
    "BATCHED": "wrapped",
    "Context": "context",
    "FlyteDirectory": "handles",
    "FlyteError": "failures",
    "FlyteFile": "handles",
    "StructuredDataset": "datasets",
    "Types": "types",
    "decode": "convert",
    "encode": "convert",
    "read": "resolve",
    "write": "resolve",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
