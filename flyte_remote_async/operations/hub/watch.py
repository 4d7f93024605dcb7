"""Watching one execution: what happens to it and to all that is below it, as it happens.

The watch is pulled: it looks when its reader wants the next event and there is none left. A reader that is slow gets
the difference to what it saw last, and one that never reads costs nothing.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import attrs

from flyte_remote_async.errors import NotFoundError, RPCError
from flyte_remote_async.executions.diff import diff_in_turns
from flyte_remote_async.executions.events import ExecutionPhaseChanged
from flyte_remote_async.executions.telling import entered_at
from flyte_remote_async.operations.hub.finish import ticket_for
from flyte_remote_async.operations.hub.inbox import Inbox
from flyte_remote_async.operations.look import Look
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.policy.hub.values import Ended
from flyte_remote_async.policy.retry import is_passing
from flyte_remote_async.policy.sync_plan import Coverage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from flyte_remote_async.executions.events import Event
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.operations.hub.finish import Terms
    from flyte_remote_async.policy.hub.values import Outcome

__all__ = ["watch"]

# Between two looks while nothing moves; nodes move without their execution's row.
_PAUSES: Final = Backoff(initial=0.5, factor=1.3, longest=10.0, jitter=0.1)
_WANTED: Final = Coverage(signals=True)

# What was there is gone when so many looks in a row did not find it.
_NOT_FOUND_LOOKS: Final = 3


async def watch(terms: Terms, execution: FlyteWorkflowExecution) -> AsyncGenerator[Event]:
    """Yield what happens to an execution, until it has ended.

    Args:
        terms: On what terms to watch.
        execution: The last snapshot: what differs from it is told first.

    Raises:
        WaitTimeoutError: It did not end in time.
        RPCError: The control plane refuses to tell.
        ClientStateError: The remote is closed, or used from the wrong loop or process.
    """
    hub = terms.session.hub
    ticket = ticket_for(execution, interval=terms.interval, deadline=terms.deadline, looks=True)
    inbox, pause, looks = Inbox(), _PAUSES.first(), _Looks(terms)
    if execution.is_done:
        for event in await _ended(terms, execution):
            yield event
        return
    try:
        hub.join(ticket, inbox)
        while not execution.is_done:
            news = await inbox.get()
            hub.rest(ticket)
            before, execution = execution, await looks.take(execution, news)
            events = await diff_in_turns(execution, before)
            for event in events:
                yield event
            pause = pause.next(moved=bool(events))
            if not execution.is_done:
                hub.look(ticket, terms.interval or pause.length(random.random))
    finally:
        hub.leave(ticket)


async def _ended(terms: Terms, execution: FlyteWorkflowExecution) -> tuple[Event, ...]:
    """Return what there is to tell of an execution that was known to have ended: what was not read yet, and the end."""
    whole = await terms.finish(execution, execution)
    below = await diff_in_turns(whole, execution)
    return (
        *below,
        ExecutionPhaseChanged(
            snapshot=whole,
            execution_id=whole.id,
            at=entered_at(whole),
            before=execution.phase,
            after=whole.phase,
            execution=whole,
        ),
    )


@attrs.define
class _Looks:
    """The looks of one watch.

    Attributes:
        terms: On what terms to watch.
        not_found: How many looks in a row did not find what is below the execution.
        is_behind: Whether the row moved, and what is below it could not be read since then.
    """

    terms: Terms
    not_found: int = 0
    is_behind: bool = False

    async def take(self, before: FlyteWorkflowExecution, news: Outcome) -> FlyteWorkflowExecution:
        """Return the execution as it is now, with all that is below it; as before when it cannot be read for now."""
        terms = self.terms
        found = terms.result(news, before)
        message = None
        if found is not None:
            self.is_behind = True
            message = None if found.error_truncated else found.to_flyte_idl()
        elif not self.is_behind and before.closure.created_at is not None:
            # The row did not move: what it says still holds.
            message = before.to_flyte_idl()
        if isinstance(news, Ended) and found is not None:
            return await terms.finish(found, before, news)
        try:
            now = await Look(terms.session, terms.remote, _WANTED).at(before, message)
        except RPCError as error:
            self.not_found = self.not_found + 1 if isinstance(error, NotFoundError) else 0
            if not is_passing(error) and not 0 < self.not_found < _NOT_FOUND_LOOKS:
                raise
            return before
        self.not_found, self.is_behind = 0, False
        return now
