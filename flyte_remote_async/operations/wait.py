"""Waiting for an execution to end.

A wait is not a retry: it survives any number of looks that fail for a reason that may pass, such as a server that
restarts, until its own time is over. Looks read the status alone; nodes are read once, at the end.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from flyte_remote_async.errors import DeadlineExceededError, NotFoundError, RPCError, UnavailableError, WaitTimeoutError
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.operations.sync import Look
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.policy.retry import is_passing
from flyte_remote_async.policy.sync_plan import Coverage

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.backoff import Pause

__all__ = ["Waiter", "wait"]

# Seconds that the look at the deadline may take.
_LAST_LOOK: Final = 1.0

# An execution that was seen is not gone before so many looks in a row did not find it.
_NOT_FOUND_LOOKS: Final = 3

# The nodes of an execution that has ended cannot be read when a server that is there failed so many times, each with
# its retries. A server that is away comes back.
_UNFINISHED_LOOKS: Final = 3
_AWAY: Final = (UnavailableError, DeadlineExceededError)


@attrs.define(eq=False)
class Waiter:
    """Waits for one execution.

    Attributes:
        look: Returns the execution as it is now, status alone, within some seconds.
        finish: Returns the snapshot that the waiter gets, for an execution that has ended.
        closing: Is set when the remote is closed: then the next look comes at once, and says so.
        pause: How long to pause before the second look.
    """

    look: Callable[[float | None], Awaitable[FlyteWorkflowExecution]]
    finish: Callable[[FlyteWorkflowExecution], Awaitable[FlyteWorkflowExecution]]
    closing: asyncio.Event
    pause: Pause
    last_error: Exception | None = None
    _not_found: int = 0
    _unfinished: int = 0

    async def wait(
        self, execution: FlyteWorkflowExecution, *, seen: bool, timeout: float | None
    ) -> FlyteWorkflowExecution:
        """Return the execution when it has ended.

        Args:
            execution: The last snapshot.
            seen: Whether it came from the control plane, so that it must exist.
            timeout: Seconds to wait at most, all told; None waits as long as it takes.

        Raises:
            WaitTimeoutError: It did not end in time.
            NotFoundError: It does not exist, or is gone.
            RPCError: The control plane refuses to tell.
        """
        start = anyio.current_time()
        deadline = None if timeout is None else start + timeout
        while True:
            before = execution
            left = None if deadline is None else deadline - anyio.current_time()
            try:
                # The last look, at the deadline, still has time for an answer.
                execution = await self.look(None if left is None else max(left, _LAST_LOOK))
                if execution.is_done:
                    return await self._finish(execution, timeout, deadline)
                self.last_error = None
                self._not_found = 0
            except RPCError as error:
                self._judge(error, execution, seen=seen)
            seen = seen or self.last_error is None
            left = None if deadline is None else deadline - anyio.current_time()
            if left is not None and left <= 0:
                raise self._timed_out(execution, timeout)
            with anyio.move_on_after(self.pause.length(random.random, left)):
                await self.closing.wait()
            moved = execution.serialize_to_string() != before.serialize_to_string()
            self.pause = self.pause.next(moved=moved)

    async def _finish(
        self, ended: FlyteWorkflowExecution, timeout: float | None, deadline: float | None
    ) -> FlyteWorkflowExecution:
        """Return what the waiter gets, within its time."""
        left = math.inf if deadline is None else max(deadline - anyio.current_time(), _LAST_LOOK)
        with anyio.move_on_after(left):
            return await self.finish(ended)
        raise self._timed_out(ended, timeout)

    def _judge(self, error: RPCError, execution: FlyteWorkflowExecution, *, seen: bool) -> None:
        """Note an error that may pass; raise one that will not."""
        if execution.is_done and not isinstance(error, _AWAY):
            self._unfinished += 1
            if self._unfinished >= _UNFINISHED_LOOKS:
                error.add_note(
                    f"{execution.description} has ended as {execution.phase.name}, and its nodes cannot be read; "
                    "wait(sync_nodes=False) returns it without them"
                )
                raise error
        if isinstance(error, NotFoundError):
            self._not_found += 1
            lasts = not seen or self._not_found >= _NOT_FOUND_LOOKS
        else:
            self._not_found = 0
            lasts = not is_passing(error)
        if lasts:
            raise error
        self.last_error = error

    def _timed_out(self, execution: FlyteWorkflowExecution, timeout: float | None) -> WaitTimeoutError:
        if execution.is_done:
            message = f"{execution.description} has {execution.phase.name}, but its nodes could not be read in time"
        else:
            message = (
                f"{execution.description} did not end within {timeout:g} seconds: it is {execution.phase.name}; "
                "it goes on, and can be waited for again"
            )
        if self.last_error is not None:
            message += f"; the last look failed: {self.last_error}"
        return WaitTimeoutError(message, execution=execution, last_error=self.last_error)


async def wait(
    session: Session,
    remote: Remote,
    execution: FlyteWorkflowExecution,
    *,
    timeout: float | None,
    poll_interval: float | None,
    sync_nodes: bool,
) -> FlyteWorkflowExecution:
    """Return an execution when it has ended.

    Args:
        session: The parts of the remote.
        remote: What the snapshots are bound to.
        execution: The last snapshot.
        timeout: Seconds to wait at most, all told; None waits as long as it takes.
        poll_interval: Seconds between two looks; None adapts to how the execution moves.
        sync_nodes: Whether the nodes are read at the end.

    Raises:
        WaitTimeoutError: It did not end in time.
        RPCError: The control plane refuses to tell.
        ClosedError: The remote was closed.
    """

    async def look(left: float | None) -> FlyteWorkflowExecution:
        if execution.is_done:
            return execution
        message = await session.reader.execution(execution.id, timeout=left)
        return FlyteWorkflowExecution.from_flyte_idl(message, remote=remote, type_hints=execution.type_hints)

    async def finish(ended: FlyteWorkflowExecution) -> FlyteWorkflowExecution:
        if not sync_nodes or ended.covers(Coverage()):
            return ended
        return await Look(session, remote, Coverage()).at(execution, ended.to_flyte_idl())

    waiter = Waiter(look, finish, session.closing, _first_pause(poll_interval))
    seen = execution.closure.created_at is not None
    return await waiter.wait(execution, seen=seen, timeout=timeout)


def _first_pause(poll_interval: float | None) -> Pause:
    if poll_interval is None:
        return Backoff(initial=0.2, factor=1.2, longest=30.0, jitter=0.1).first()
    return Backoff(initial=poll_interval, factor=1.0, longest=poll_interval, jitter=0.0).first()
