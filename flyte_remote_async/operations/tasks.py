"""Structured concurrency whose failures leave as one plain error, and work that must not be cut off."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from anyio.abc import TaskGroup

__all__ = ["task_group", "to_the_end"]

T = TypeVar("T")


@asynccontextmanager
async def task_group() -> AsyncIterator[TaskGroup]:
    """Open an anyio task group that raises the first failure of its tasks by itself.

    The other tasks are cancelled by then, so the first failure is what happened; what follows from the cancellation
    is noise.
    """
    failure: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as failures:
        failure = _first(failures)
    if failure is not None:
        # Outside of the except block, so that the group does not hang on as the context of the error.
        raise failure


async def to_the_end(
    work: Coroutine[Any, Any, T], *, hurry: Callable[[], Coroutine[Any, Any, object]] | None = None
) -> T:
    """Return what short work gives; who is cancelled meanwhile is told when it has ended.

    A shielded scope keeps away the cancellations of AnyIO; those of asyncio (``Task.cancel``, ``asyncio.timeout``) get
    into it, so the work has a task of its own.

    Args:
        work: What is to be done whole.
        hurry: Makes it end sooner; is called once, at the first cancellation.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        left = {task} if hurry is None else {task, asyncio.ensure_future(hurry())}
        with anyio.CancelScope(shield=True):
            while left:
                # The first cancellation stands for those that follow it.
                with suppress(asyncio.CancelledError):
                    _, left = await asyncio.wait(left)
        raise


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
