"""An event loop for tests, of which each has its own in a process that they share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

__all__ = ["TestLoop"]

Ts = TypeVarTuple("Ts")


class TestLoop(asyncio.SelectorEventLoop):
    """An event loop that drops what grpc.aio still has for it when it is closed.

    grpc.aio has one poller for all loops: what is left of a loop that was closed would fail the loop that runs then,
    and with it a test that did nothing wrong (grpc/grpc#25364).
    """

    __test__ = False

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Do what every loop does, but for late calls of grpc's."""
        if self.is_closed() and str(callback.__module__).startswith("grpc."):
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)
