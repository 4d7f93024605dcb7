"""A thread for each call of a function that may hang: nobody has to wait for it, not even the end of the process."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["call_in_thread"]

T = TypeVar("T")


async def call_in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread of its own, which is left behind when this is cancelled.

    AnyIO's worker threads are joined when the interpreter exits, so that a function that hangs would keep it from that.

    Args:
        function: Returns; it must not raise.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        value = context.run(function)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, ended, value)

    threading.Thread(target=work, name="stand-in", daemon=True).start()
    return await ended


def _tell(ended: asyncio.Future[T], value: T) -> None:
    if not ended.done():
        ended.set_result(value)
