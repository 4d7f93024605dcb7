"""What ends a wait of the current task from outside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Interruption"]


class Interruption:
    """Ends what its task waits for from outside, with an error: because of the deadline, or a broken connection.

    It cancels the task and takes that back when the error is raised, as ``asyncio.timeout`` does; a cancellation by
    the caller that comes at the same time wins.
    """

    __slots__ = ("_before", "_error", "_task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs on asyncio runs in a task
        self._task = task
        self._before = task.cancelling()
        self._error: Exception | None = None

    def cancel(self, error: Exception) -> None:
        """Make the task raise the error; the first one counts. grpclib's streams call it, too."""
        if self._error is None:
            self._error = error
            self._task.cancel()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._error is not None and self._task.uncancel() <= self._before:
            raise self._error from None
