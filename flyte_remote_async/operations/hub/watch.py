"""Watching one execution: what happens to it and to all that is below it, as it happens.

The watch is pulled: it looks when its reader wants the next event and there is none left. A reader that is slow gets
the difference to what it saw last, and one that never reads costs nothing.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from flyte_remote_async.errors import RPCError
from flyte_remote_async.executions.diff import diff_in_turns
from flyte_remote_async.operations.hub.finish import ticket_for
from flyte_remote_async.operations.hub.inbox import Inbox
from flyte_remote_async.operations.look import Look
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.policy.hub.values import Ended, Moved
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
    inbox, pause = Inbox(), _PAUSES.first()
    if execution.is_done:
        return
    try:
        hub.join(ticket, inbox)
        while not execution.is_done:
            news = await inbox.get()
            hub.rest(ticket)
            before, execution = execution, await _look(terms, execution, news)
            events = await diff_in_turns(execution, before)
            for event in events:
                yield event
            pause = pause.next(moved=bool(events))
            if not execution.is_done:
                hub.look(ticket, terms.interval or pause.length(random.random))
    finally:
        hub.leave(ticket)


async def _look(terms: Terms, before: FlyteWorkflowExecution, news: Outcome) -> FlyteWorkflowExecution:
    """Return the execution as it is now, with all that is below it; as before when it cannot be read for now."""
    found = terms.result(news, before)
    message = None
    if isinstance(news, (Ended, Moved)) and found is not None and not found.error_truncated:
        message = found.to_flyte_idl()
    elif isinstance(news, Moved) and before.closure.created_at is not None:
        # The row did not move: what it says still holds.
        message = before.to_flyte_idl()
    if isinstance(news, Ended) and found is not None:
        return await terms.finish(found, before)
    try:
        return await Look(terms.session, terms.remote, _WANTED).at(before, message)
    except RPCError as error:
        if not is_passing(error):
            raise
        return before
