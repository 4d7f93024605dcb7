"""Cancel work wherever it awaits, one place after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

__all__ = ["cancel_at_every_step"]


async def cancel_at_every_step(
    work: Callable[[], Coroutine[Any, Any, object]],
    check: Callable[[], Awaitable[None] | None] = lambda: None,
    stretch: int = 0,
) -> int:
    """Begin work again and again, and cancel it one turn of the loop later each time, until it ends before.

    After each time it leaves no task behind.

    Args:
        work: What is begun.
        check: What must hold after each time.
        stretch: Let the steps grow by a part in so many; 0 for all of them.

    Returns:
        How often it was cancelled.
    """
    before = asyncio.all_tasks()
    times, steps, finished = 0, 0, False
    while not finished:
        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        finished = not task.cancel()
        if finished:
            await task
        else:
            times += 1
            with pytest.raises(asyncio.CancelledError):
                await task
        # What it began ends by itself, a few turns after the last one who wants it has gone.
        await eventually(lambda: asyncio.all_tasks() <= before)
        checked = check()
        if checked is not None:
            await checked
        steps += 1 + (steps // stretch if stretch else 0)
    return times
