"""Structured concurrency whose failures leave as one plain error, never as a group."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

__all__ = ["task_group"]


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


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
