"""One thread that does pieces of work one after another; what waits meanwhile is handed to it together."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Job", "Worker"]

T = TypeVar("T")


class Job(Generic[T]):
    """A piece of work, who waits for it, and how it ended.

    Attributes:
        work: What is to be done.
        loop: The loop of who waits.
        future: What it waits on.
        value: What the work returned.
        error: What it raised instead.
    """

    __slots__ = ("error", "future", "loop", "value", "work")

    def __init__(self, work: T) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.value: Any = None
        self.error: BaseException | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for it; work that nobody waits for is not begun."""
        return not self.future.cancelled()

    def tell(self) -> None:
        """Give the end of the work to who waits; on its loop."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.value)
        else:
            self.future.set_exception(self.error)


class Worker(Generic[T]):
    """A thread for work that must not be done at the same time, nor on an event loop.

    A thread costs a switch for each time that it is woken, which is more than most pieces of work take: so it takes all
    that waits.

    Args:
        do: Called in the thread with the jobs that wait, to set the value or the error of each.
    """

    def __init__(self, do: Callable[[Sequence[Job[T]]], None]) -> None:
        self._do = do
        self._waiting: queue.SimpleQueue[Job[T]] = queue.SimpleQueue()
        self._unfinished = 0
        self._last: Job[T] | None = None
        self._thread = threading.Thread(target=self._serve, name="devserver store", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits or is being done."""
        return not self._unfinished

    @property
    def is_stopping(self) -> bool:
        """Whether it takes no more work."""
        return self._last is not None

    async def run(self, work: T) -> Any:
        """Have work done, and return what it returns. Work that was begun is finished, also when this is cancelled."""
        return await self._put(Job(work))

    async def stop(self, work: T) -> Any:
        """Have a last piece of work done, alone and after all that waits, and let the thread end."""
        self._last = Job(work)
        return await self._put(self._last)

    def _put(self, job: Job[T]) -> asyncio.Future[Any]:
        self._unfinished += 1
        self._waiting.put(job)
        return job.future

    def _serve(self) -> None:
        while True:
            jobs, last = self._take()
            self._do([job for job in jobs if job.is_wanted])
            if last is not None:
                self._do([last])
                jobs.append(last)
            self._tell(jobs)
            if last is not None:
                return

    def _take(self) -> tuple[list[Job[T]], Job[T] | None]:
        """Return what waits, waiting for it, and the last of all jobs where that has come."""
        jobs: list[Job[T]] = []
        job = self._waiting.get()
        with contextlib.suppress(queue.Empty):
            while job is not self._last:
                jobs.append(job)
                job = self._waiting.get_nowait()
            return jobs, job
        return jobs, None

    def _tell(self, jobs: Sequence[Job[T]]) -> None:
        by_loop = defaultdict(list)
        for job in jobs:
            by_loop[job.loop].append(job)
        for loop, told in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._tell_all, told)

    def _tell_all(self, jobs: Sequence[Job[T]]) -> None:
        self._unfinished -= len(jobs)
        for job in jobs:
            job.tell()
