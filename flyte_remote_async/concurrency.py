"""Structured concurrency whose failures leave as one plain error, and work that must not be cut off."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from anyio.abc import TaskGroup

__all__ = ["in_thread", "task_group", "to_the_end"]

T = TypeVar("T")
Args = TypeVarTuple("Args")


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
    work: Coroutine[Any, Any, T],
    *,
    hurry: Callable[[], Coroutine[Any, Any, object]] | None = None,
    undo: Callable[[T], Coroutine[Any, Any, object]] | None = None,
) -> T:
    """Return what short work gives; who is cancelled meanwhile is told when it has ended.

    A shielded scope keeps away the cancellations of AnyIO; those of asyncio (``Task.cancel``, ``asyncio.timeout``) get
    into it, so the work has a task of its own.

    Args:
        work: What is to be done whole.
        hurry: Makes it end sooner; is called once, at the first cancellation.
        undo: Takes back what the work gave where who wanted it was cancelled.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
        return task.result()
    except asyncio.CancelledError:
        await _ended({task} if hurry is None else {task, asyncio.ensure_future(hurry())})
        failed = task.cancelled() or task.exception() is not None
        if undo is not None and not failed:
            await _ended({asyncio.ensure_future(undo(task.result()))})
        raise


async def _ended(tasks: set[asyncio.Future[Any]]) -> None:
    with anyio.CancelScope(shield=True):
        while tasks:
            # The first cancellation stands for those that follow it.
            with suppress(asyncio.CancelledError):
                _, tasks = await asyncio.wait(tasks)


async def in_thread(function: Callable[[*Args], T], *args: *Args, undo: Callable[[T], object] | None = None) -> T:
    """Return what a function gives that is called in a thread, and called to its end whoever is cancelled.

    Args:
        function: Opens, makes or removes something, in short time.
        *args: Its arguments.
        undo: Is called in a thread with what the function gave where who wanted it was cancelled.
    """
    work = anyio.to_thread.run_sync(function, *args)
    return await to_the_end(work, undo=None if undo is None else lambda it: anyio.to_thread.run_sync(undo, it))


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
