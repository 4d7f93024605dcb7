"""Waiting for one execution: until it has ended, runs, or is as somebody wants it."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from flyte_remote_async.models.phases import WorkflowPhase
from flyte_remote_async.operations.hub.finish import ticket_for
from flyte_remote_async.operations.hub.inbox import Inbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.operations.hub.finish import Terms

__all__ = ["condition_of", "wait"]

_NOT_STARTED = frozenset({WorkflowPhase.UNDEFINED, WorkflowPhase.QUEUED})


def condition_of(until: Any) -> Callable[[FlyteWorkflowExecution], bool] | None:
    """Return what must hold for a wait to be over; None when that is the end alone.

    Raises:
        ValueError: ``until`` is neither one of the words nor a function.
    """
    if until == "terminal":
        return None
    if until == "running":
        return _has_started
    if callable(until):
        return functools.partial(_holds, until)
    raise ValueError(f"until is 'terminal', 'running' or a function of a snapshot, not {until!r}")


def _holds(until: Callable[[FlyteWorkflowExecution], Any], execution: FlyteWorkflowExecution) -> bool:
    answer = until(execution)
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise TypeError(f"until is a plain function of a snapshot, not an async one: {until!r}")
    return bool(answer)


def _has_started(execution: FlyteWorkflowExecution) -> bool:
    return execution.phase not in _NOT_STARTED


async def wait(
    terms: Terms, execution: FlyteWorkflowExecution, condition: Callable[[FlyteWorkflowExecution], bool] | None = None
) -> FlyteWorkflowExecution:
    """Return an execution when it has ended, or when a condition holds.

    Args:
        terms: On what terms to wait.
        execution: The last snapshot.
        condition: What must hold; None waits for the end.

    Raises:
        WaitTimeoutError: It did not come to that in time.
        RPCError: The control plane refuses to tell.
        ClientStateError: The remote is closed, or used from the wrong loop or process.
    """
    if execution.is_known_to_its_end or (condition is _has_started and _has_started(execution)):
        return await terms.finish(execution, execution)
    hub = terms.session.hub
    ticket = ticket_for(execution, interval=terms.interval, deadline=terms.deadline, looks=condition is not None)
    inbox = Inbox()
    try:
        hub.join(ticket, inbox)
        while True:
            news = await inbox.get()
            found = terms.result(news, execution)
            if found is not None and (found.is_done or (condition is not None and condition(found))):
                break
    finally:
        hub.leave(ticket)
    return await terms.finish(found, execution, news)
