"""Waiting for many executions: each is given out when it has ended."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import anyio.lowlevel

from flyte_remote_async.concurrency import to_the_end
from flyte_remote_async.errors import FlyteRemoteError
from flyte_remote_async.operations.hub.finish import ticket_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.operations.hub.finish import Terms
    from flyte_remote_async.policy.hub.values import Outcome, Ticket

__all__ = ["as_completed"]

# The nodes of so many are read at one time, or wait to be given out.
_FINISHED_AHEAD: Final = 16

# So many come before the loop gets its turn.
_STRIDE: Final = 100


class _Arrivals:
    """The executions that have ended, in that order; one place for the news of all tickets."""

    def __init__(self, executions: Sequence[FlyteWorkflowExecution]) -> None:
        self.executions = executions
        self.tickets: dict[Ticket, int] = {}
        self.ended: deque[tuple[int, Outcome | None]] = deque()
        self.changed = asyncio.Event()

    def put(self, news: Outcome) -> None:
        """Take in the news for a ticket, as an inbox does; the first are the last."""
        index = self.tickets.pop(news.ticket, None)  # type: ignore[union-attr] # all that waiters are told has one
        if index is not None:
            self.ended.append((index, news))
            self.changed.set()


async def as_completed(
    terms: Terms, executions: Sequence[FlyteWorkflowExecution], *, return_exceptions: bool
) -> AsyncGenerator[tuple[int, FlyteWorkflowExecution | FlyteRemoteError]]:
    """Yield the index and the snapshot of each execution, or the error instead, in the order in which they end.

    Args:
        terms: On what terms to wait.
        executions: The last snapshots.
        return_exceptions: Whether an error is yielded; otherwise it is raised.

    Raises:
        FlyteRemoteError: One cannot be waited for.
    """
    arrivals = _Arrivals(executions)
    finishing: dict[asyncio.Task[FlyteWorkflowExecution | FlyteRemoteError], int] = {}
    hub, left = terms.session.hub, len(executions)
    try:
        with hub.gathering():
            for index, execution in enumerate(executions):
                if execution.is_known_to_its_end:
                    arrivals.ended.append((index, None))
                else:
                    ticket = ticket_for(execution, interval=terms.interval, deadline=terms.deadline)
                    arrivals.tickets[ticket] = index
                    hub.join(ticket, arrivals)
                if (index + 1) % _STRIDE == 0:
                    await anyio.lowlevel.checkpoint()
        while left:
            arrivals.changed.clear()
            while arrivals.ended and len(finishing) < _FINISHED_AHEAD:
                index, news = arrivals.ended.popleft()
                task = asyncio.create_task(_finished(terms, executions[index], news))
                task.add_done_callback(lambda _: arrivals.changed.set())
                finishing[task] = index
            for task in [task for task in finishing if task.done()]:
                left -= 1
                index, one = finishing.pop(task), task.result()
                if isinstance(one, FlyteRemoteError) and not return_exceptions:
                    raise one
                yield index, one
                arrivals.changed.set()
            await arrivals.changed.wait()
    finally:
        for ticket in tuple(arrivals.tickets):
            hub.leave(ticket)
        await _end(finishing)


async def _end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return when they have ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await to_the_end(asyncio.wait(tasks))


async def _finished(
    terms: Terms, before: FlyteWorkflowExecution, news: Outcome | None
) -> FlyteWorkflowExecution | FlyteRemoteError:
    try:
        ended = before if news is None else terms.result(news, before)
        return before if ended is None else await terms.finish(ended, before, news)
    except FlyteRemoteError as error:
        return error
