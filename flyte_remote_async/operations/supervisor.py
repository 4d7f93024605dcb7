"""The background work of a remote: tasks that belong to nobody's call and end with the remote."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Supervisor"]

T = TypeVar("T")


class Supervisor:
    """Owns tasks, and ends them from whatever task closes it.

    A task group would tie them to the task that opened the remote: a failure would cancel that one's code, and another
    task could not close the remote.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a task, which sees to its own failures.

        Args:
            work: What it does.
            name: What it is called in a list of tasks.
        """
        # Whoever happens to be the first to need it must not have his trace or his user in it.
        task = asyncio.get_running_loop().create_task(work, name=name, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Cancel the tasks, and return when they have ended."""
        ending = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)
