"""Wait for what must become true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def eventually_so(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Return once a condition that must be awaited holds; raise TimeoutError when it does not in good time."""
    with anyio.fail_after(seconds):
        while True:
            if await condition():
                return
            await anyio.sleep(0.005)


async def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Return once a condition holds; raise TimeoutError when it does not in good time."""
    with anyio.fail_after(seconds):
        while True:
            if condition():
                return
            # What is waited for has no event of its own.
            await anyio.sleep(0.005)
