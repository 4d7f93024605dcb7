"""LiteralsResolver: what a user holds of the inputs and outputs of an execution."""

from __future__ import annotations

from flyte_remote_async.config.values import IN_PLACE_BYTES
from flyte_remote_async.resolver.item import LiteralItem
from flyte_remote_async.resolver.resolver import LiteralsResolver
from flyte_remote_async.resolver.source import LoadedLiterals, Loader
from flyte_remote_async.resolver.workers import ProcessWork

__all__ = ["IN_PLACE_BYTES", "LiteralItem", "LiteralsResolver", "LoadedLiterals", "Loader", "ProcessWork"]
