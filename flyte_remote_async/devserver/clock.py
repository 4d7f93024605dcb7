"""The devserver's time: the machine's own, and ahead of it where it was advanced."""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
from typing import TYPE_CHECKING

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Clock"]

# How long what falls due may take to come to rest before the next timer is looked at, in seconds of the machine.
_LONGEST_REST = 5.0


@attrs.frozen(order=True)
class _Timer:
    due: dt.datetime
    number: int
    rings: anyio.Event = attrs.field(order=False)


async def _turns() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


class Clock:
    """What the devserver asks for the time, and sleeps by.

    It runs as the machine's clock does. :meth:`advance` moves it forward, timer by timer in the order in which they
    fall due, so that what follows from one timer happens before the next.

    Args:
        at_rest: Returns when everything that a timer has set going has come to its next wait; by default some turns
            of the loop.
    """

    def __init__(self, at_rest: Callable[[], Awaitable[None]] = _turns) -> None:
        self.at_rest = at_rest
        self._ahead = dt.timedelta()
        self._timers: list[_Timer] = []
        self._numbers = itertools.count()
        self._advancing: asyncio.Task[None] | None = None

    def now(self) -> dt.datetime:
        """Return the present instant, aware, in UTC."""
        return dt.datetime.now(dt.UTC) + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Sleep for some seconds of this clock."""
        await self.sleep_until(self.now() + dt.timedelta(seconds=seconds))

    async def sleep_until(self, instant: dt.datetime) -> None:
        """Sleep until this clock shows an instant; one that has passed returns at once."""
        while (left := (instant - self.now()).total_seconds()) > 0:
            timer = _Timer(instant, next(self._numbers), anyio.Event())
            heapq.heappush(self._timers, timer)
            try:
                with anyio.move_on_after(left):
                    await timer.rings.wait()
            finally:
                if not timer.rings.is_set():
                    self._timers.remove(timer)
                    heapq.heapify(self._timers)

    def advance(
        self, delta: dt.timedelta | None = None, /, *, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> Awaitable[None]:
        """Move the clock forward.

        What falls due on the way happens in its order, each at its own instant. It begins at once; await the result to
        be sure that it has happened.

        Args:
            delta: How far; or in words by the other arguments.
            hours: Hours to add.
            minutes: Minutes to add.
            seconds: Seconds to add.

        Raises:
            ValueError: It would go back.

        Example:
            >>> await dev.clock.advance(hours=2)
        """
        step = (delta or dt.timedelta()) + dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if step < dt.timedelta():
            raise ValueError(f"a clock cannot go back, and was told to advance by {step}")
        self._advancing = asyncio.ensure_future(self._advance(step, self._advancing))
        return asyncio.shield(self._advancing)

    async def _advance(self, step: dt.timedelta, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        target = self.now() + step
        await self._rest()
        while self._timers and self._timers[0].due <= target:
            timer = heapq.heappop(self._timers)
            self._show(timer.due)
            timer.rings.set()
            await self._rest()
        self._show(target)
        await self._rest()

    def _show(self, instant: dt.datetime) -> None:
        # Never back: while something came to rest, the machine's clock has gone on.
        self._ahead += max(instant - self.now(), dt.timedelta())

    async def _rest(self) -> None:
        with anyio.move_on_after(_LONGEST_REST):
            await self.at_rest()
