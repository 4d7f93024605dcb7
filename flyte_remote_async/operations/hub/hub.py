"""The hub of a remote: asks what its schedule says, and tells those who wait.

It is one task, which is there while somebody waits, and until the last question is answered. Nobody who waits has a
task, a timer or a request of his own, and whoever goes takes nothing along that another one needs.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel

from flyte_remote_async.concurrency import task_group
from flyte_remote_async.errors import (
    ClientStateError,
    ClosedError,
    FlyteRemoteError,
    WaitFailedError,
)
from flyte_remote_async.operations.hub.asks import ask_list, ask_one
from flyte_remote_async.policy.filters import can_be_value
from flyte_remote_async.policy.hub.answers import answered, expired, failed, read, unread
from flyte_remote_async.policy.hub.schedule import Schedule
from flyte_remote_async.policy.hub.values import Cut, Ended, Failed, Kind, Moved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anyio.abc import TaskGroup

    from flyte_remote_async.operations.hub.inbox import Receiver
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.hub.values import Ask, Outcome, Row, Subject, Ticket

__all__ = ["Hub"]

# Executions that have ended are read by themselves, so many at one time: their reads must not hold up others.
_END_READS: Final = 16

# So many are told before the loop gets its turn.
_STRIDE: Final = 50


class Hub:
    """Looks at all executions that are waited for under one identity.

    Args:
        session: The parts of the remote.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._polls = 0
        self._end_readers = 0
        self._gatherings = 0
        self._begin()

    def _begin(self) -> None:
        self.schedule = Schedule(
            random.random,
            polls_per_second=self._session.config.max_polls_per_second,
            ahead=time.time() - self.now,
        )
        self._ends: deque[Subject] = deque()
        self._left: deque[Ticket] = deque()

    @property
    def now(self) -> float:
        """The time that deadlines go by, in seconds; it only moves forward."""
        return self._loop.time()

    # --- for those who wait -------------------------------------------------------------------------------------

    def join(self, ticket: Ticket, receiver: Receiver) -> None:
        """Take in one who waits.

        Args:
            ticket: Who waits for what. It is let go of with :meth:`leave`, whatever happens.
            receiver: Where the news for him are to come in.

        Raises:
            ClientStateError: The remote is closed, or this is another loop or process.
        """
        _ = self._session.transport.check("wait")
        self._see_to_task()
        ticket.owner = receiver
        self.schedule.join(ticket, self.now, is_listable=can_be_value(ticket.id.name))
        subject = self.schedule.subjects[ticket.id]
        if subject.is_settled and subject.end is not None:
            receiver.put(Ended(ticket, subject.end))
        self._wake_up()

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Ask nothing within the block, so that those who come in several turns of the loop share their requests."""
        self._gatherings += 1
        try:
            yield
        finally:
            self._gatherings -= 1
            self._changed.set()

    def leave(self, ticket: Ticket) -> None:
        """Let go of one who waits no more; one who has left is fine."""
        # Thousands may be cancelled in one turn of the loop, which is theirs: the hub sees to it in turns of its own,
        # while it is there.
        if self._task is None:
            self.schedule.leave(ticket)
        else:
            self._left.append(ticket)
            self._changed.set()

    def settle(self) -> None:
        """Take those out of the schedule who left."""
        while self._left:
            self.schedule.leave(self._left.popleft())

    def rest(self, ticket: Ticket) -> None:
        """Look no more for one who waits, until :meth:`look`."""
        self.schedule.rest(ticket)
        self._changed.set()

    def look(self, ticket: Ticket, pause: float) -> None:
        """Look again for one who rested, after a pause in seconds at most."""
        _ = self._session.transport.check("watch")
        self._see_to_task()
        self.schedule.wake(ticket, self.now, pause)
        self._wake_up()

    def close(self) -> None:
        """Let everyone know that the remote is closed; the supervisor ends the task."""
        self._fail(ClosedError("the remote was closed while an execution was waited for: open a new one"))

    # --- the task -----------------------------------------------------------------------------------------------

    def _wake_up(self) -> None:
        self._changed.set()
        if self._task is None:
            self._polls = self._end_readers = 0
            self._task = self._session.supervisor.start(self._run(), "flyte_remote_async hub")
            self._task.add_done_callback(self._ended)

    def _see_to_task(self) -> None:
        # It may have ended a moment ago, before its callback could run.
        if self._task is not None and self._task.done():
            self._ended(self._task)

    async def _run(self) -> None:
        async with task_group() as group:
            # What was asked is answered, or fails by its own deadline: whoever goes does not cancel it, since another
            # one may rest who needs the answer.
            while await self._is_needed():
                await self._turn(group)
            # Here, so that whoever comes from now on begins anew.
            self._task = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Tell those who wait when the task ended by anything but itself; that belongs to them."""
        if self._task is not task:
            return
        self._task = None
        # A group whose task was cancelled by nobody of ours may end without an error.
        error = None if task.cancelled() else task.exception()
        what = "'s task was cancelled" if error is None else f" broke, which is a bug: {type(error).__name__}: {error}"
        failure = WaitFailedError(
            f"the wait failed, since the hub of all waits{what}; the executions go on, and can be waited for again"
        )
        failure.__cause__ = error
        self._fail(failure)

    async def _turn(self, group: TaskGroup) -> None:
        """Do what is due, and wait until something is."""
        self._changed.clear()
        for ask in () if self._gatherings else self.schedule.take(self.now):
            self._polls += 1
            group.start_soon(self._poll, ask)
            # Each is of many.
            await anyio.lowlevel.checkpoint()
        await self._tell(expired(self.schedule, self.now))
        for _ in range(min(len(self._ends), _END_READS - self._end_readers)):
            self._end_readers += 1
            group.start_soon(self._read_ends)
        with anyio.move_on_after(math.inf if self._gatherings else max(0.0, self.schedule.next_at - self.now)):
            await self._changed.wait()

    async def _is_needed(self) -> bool:
        for count in itertools.count(1):
            if not self._left:
                break
            self.schedule.leave(self._left.popleft())
            if count % _STRIDE == 0:
                await anyio.lowlevel.checkpoint()
        return bool(self._polls or self._end_readers or self._ends or not self.schedule.is_idle)

    async def _poll(self, ask: Ask) -> None:
        schedule = self.schedule
        try:
            rows = await self._rows(ask)
        except ClientStateError as error:
            self._fail(error)
        except FlyteRemoteError as error:
            await self._tell(failed(schedule, self.now, ask, error))
        else:
            await self._tell(answered(schedule, self.now, ask, rows))
        finally:
            self._polls -= 1
            self._changed.set()

    async def _rows(self, ask: Ask) -> dict[str, Row]:
        if ask.kind is Kind.ONE:
            return await ask_one(self._session, ask.subjects[0].id)
        return await ask_list(self._session, ask)

    async def _tell(self, outcomes: Iterable[Outcome | None]) -> None:
        for count, outcome in enumerate(outcomes, 1):
            if outcome is None:
                await anyio.lowlevel.checkpoint()
            elif isinstance(outcome, Cut):
                self._ends.append(outcome.subject)
                self._changed.set()
            else:
                outcome.ticket.owner.put(outcome)
                if not isinstance(outcome, Moved):
                    self.leave(outcome.ticket)
            if count % _STRIDE == 0:
                await anyio.lowlevel.checkpoint()

    def _fail(self, error: FlyteRemoteError) -> None:
        """Tell everyone that it is over, and begin anew with nobody."""
        tickets = [ticket for subject in self.schedule.subjects.values() for ticket in subject.tickets]
        self._begin()
        for ticket in tickets:
            ticket.owner.put(Failed(ticket, error))
        self._changed.set()

    # --- the read of what has ended -----------------------------------------------------------------------------

    async def _read_ends(self) -> None:
        try:
            while self._ends:
                subject = self._ends.popleft()
                while subject.tickets and not subject.is_settled:
                    await self._tell(await self._read_end(subject))
                    if not subject.is_settled:
                        await anyio.sleep(self.schedule.pause_after(subject.failures))
        finally:
            self._end_readers -= 1
            self._changed.set()

    async def _read_end(self, subject: Subject) -> Iterable[Outcome]:
        try:
            async with self._session.reads:
                rows = await ask_one(self._session, subject.id)
        except ClientStateError as error:
            self._fail(error)
            return ()
        except FlyteRemoteError as error:
            return unread(subject, error)
        return read(subject, rows[subject.id.name])
