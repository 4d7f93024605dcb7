"""Structured concurrency: failures that leave as one plain error, work that is not cut off, and work that is shared."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from anyio.abc import TaskGroup

__all__ = ["Shared", "in_thread", "task_group", "to_the_end"]

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


class Shared(Generic[T]):
    """Work that is done once for all who ask for it while it is under way.

    The first who asks does it. If he is cancelled, the next of those who wait does it; if it fails, all who waited fail
    with it. Whoever asks afterwards starts anew.
    """

    __slots__ = ("_flight",)

    def __init__(self) -> None:
        self._flight: _Flight[T] | None = None

    async def get(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what the work gives that is under way, or else this work."""
        # Made here and not before: nothing may bind to a loop before it is used on one.
        flight = self._flight = self._flight or _Flight()
        async with flight.lock:
            if not flight.results and flight.error is None:
                await self._fly(flight, work)
        if flight.error is not None:
            raise flight.error
        return flight.results[0]

    async def _fly(self, flight: _Flight[T], work: Callable[[], Awaitable[T]]) -> None:
        try:
            flight.results.append(await work())
        except Exception as error:  # noqa: BLE001 - all who wait are told
            flight.error = error
        self._flight = None


class _Flight(Generic[T]):
    __slots__ = ("error", "lock", "results")

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.results: list[T] = []
        self.error: Exception | None = None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
