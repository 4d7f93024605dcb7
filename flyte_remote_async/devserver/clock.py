"""The devserver's time: the machine's own, and ahead of it where it was advanced."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import heapq
import itertools
from typing import TYPE_CHECKING

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["Clock"]

# How long what falls due may take to come to rest before the next timer is looked at, in seconds of the machine.
_LONGEST_REST = 5.0


@attrs.define(order=True)
class _Timer:
    due: dt.datetime
    number: int
    ring: Callable[[], None] = attrs.field(eq=False)
    alarm: asyncio.TimerHandle | None = attrs.field(eq=False, default=None)


async def _turns() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


class Clock:
    """What the devserver asks for the time, and sleeps by.

    It runs as the machine's clock does. :meth:`advance` moves it forward, timer by timer in the order in which they
    fall due, so that what follows from one timer happens before the next.

    Attributes:
        at_rest: Returns when everything that a timer has set going has come to its next wait; some turns of the loop
            until the owner of the clock knows better.
    """

    def __init__(self) -> None:
        self.at_rest: Callable[[], Awaitable[None]] = _turns
        self._ahead = dt.timedelta()
        self._timers: list[_Timer] = []
        self._numbers = itertools.count()
        self._advancing: asyncio.Task[None] | None = None

    def now(self) -> dt.datetime:
        """Return the present instant, aware, in UTC."""
        return dt.datetime.now(dt.UTC) + self._ahead

    def now_ns(self) -> int:
        """Return the present instant in nanoseconds since 1970."""
        return (self.now() - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1) * 1_000

    async def sleep(self, seconds: float) -> None:
        """Sleep for some seconds of this clock."""
        await self.sleep_until(self.now() + dt.timedelta(seconds=seconds))

    async def sleep_until(self, instant: dt.datetime) -> None:
        """Sleep until this clock shows an instant; one that has passed returns at once."""
        due = anyio.Event()
        with self._timer(instant, due.set):
            await due.wait()

    @contextlib.contextmanager
    def move_on_at(self, instant: dt.datetime) -> Iterator[anyio.CancelScope]:
        """Cancel what runs inside when this clock shows an instant.

        Args:
            instant: When; one that has passed cancels at once.

        Yields:
            The scope, which knows whether it came to that.
        """
        with anyio.CancelScope() as scope, self._timer(instant, scope.cancel):
            yield scope

    @contextlib.contextmanager
    def _timer(self, instant: dt.datetime, ring: Callable[[], None]) -> Iterator[None]:
        timer = _Timer(instant, next(self._numbers), ring)
        heapq.heappush(self._timers, timer)
        self._wind(timer)
        try:
            yield
        finally:
            if timer.alarm is not None:
                timer.alarm.cancel()
            if timer in self._timers:
                self._timers.remove(timer)
                heapq.heapify(self._timers)

    def _wind(self, timer: _Timer) -> None:
        """Let a timer ring when the machine's clock has come to its instant."""
        left = max((timer.due - self.now()).total_seconds(), 0.0)
        timer.alarm = asyncio.get_running_loop().call_later(left, self._on_alarm, timer)

    def _on_alarm(self, timer: _Timer) -> None:
        if timer.due > self.now():  # the loop's clock and the wall clock do not run alike
            self._wind(timer)
        elif timer in self._timers:
            self._timers.remove(timer)
            heapq.heapify(self._timers)
            timer.ring()

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
            timer.ring()
            await self._rest()
        self._show(target)
        await self._rest()

    def _show(self, instant: dt.datetime) -> None:
        # Never back: while something came to rest, the machine's clock has gone on.
        self._ahead += max(instant - self.now(), dt.timedelta())

    async def _rest(self) -> None:
        with anyio.move_on_after(_LONGEST_REST):
            await self.at_rest()
