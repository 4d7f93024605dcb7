"""The read of the nodes of what has ended: one for all who wait for the same and want the same."""

from __future__ import annotations

import asyncio
import copy
import functools
import random
import weakref
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from flyte_remote_async.errors import (
    ClosedError,
    DeadlineExceededError,
    FlyteRemoteError,
    NotFoundError,
    RPCError,
    UnavailableError,
    WaitFailedError,
)
from flyte_remote_async.operations.look import Look
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.policy.retry import is_passing
from flyte_remote_async.policy.sync_plan import Coverage

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.hub.values import Row

__all__ = ["WANTED", "Ending", "Endings", "own_copy"]

WANTED: Final = Coverage()
"""What a wait reads along with the nodes."""

# The nodes of an execution that has ended cannot be read when a server that is there failed so many times, each with
# its retries. A server that is away comes back.
_FAILED_LOOKS: Final = 3
_AWAY: Final = (UnavailableError, DeadlineExceededError)
_PAUSES: Final = Backoff(initial=0.2, factor=1.2, longest=30.0)


def own_copy(error: FlyteRemoteError) -> FlyteRemoteError:
    """Return an error for one of several who learn of it: each keeps the way that it was raised on."""
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    # A copy has the same list of notes.
    if hasattr(error, "__notes__"):
        own.__notes__ = list(error.__notes__)
    return own


class Endings:
    """The reads of one remote that can be shared.

    Args:
        session: The parts of the remote.
        remote: What the snapshots are bound to.
    """

    def __init__(self, session: Session, remote: Remote) -> None:
        self._session = session
        self._remote = remote
        # Who is told late shares a read that is over by then: a row is held by all who are told of it.
        self._by_row: weakref.WeakKeyDictionary[Row, list[Ending]] = weakref.WeakKeyDictionary()
        self._under_way: dict[WorkflowExecutionIdentifier, list[Ending]] = {}

    def of(
        self,
        ended: FlyteWorkflowExecution,
        before: FlyteWorkflowExecution,
        *,
        row: Row | None = None,
        interval: float | None = None,
    ) -> Ending:
        """Return the read of what somebody wants, which others may share.

        Args:
            ended: The snapshot that the waiter waited for.
            before: The snapshot that he had; what is settled in it is taken over.
            row: What he was told of; None for one who knew the end before.
            interval: Seconds between two looks that fail; None is adaptive.
        """
        ending = Ending(self._session, self._remote, ended, before, interval)
        if not ended.is_done:
            # Who comes later must not get what was so before he came.
            return ending
        shared = self._under_way.setdefault(ended.id, []) if row is None else self._by_row.setdefault(row, [])
        for one in shared:
            if one.suits(ending):
                return one
        shared.append(ending)
        if row is None:
            ending.forget = functools.partial(self._forget, shared)
        return ending

    def _forget(self, shared: list[Ending], ending: Ending) -> None:
        shared.remove(ending)
        if not shared:
            del self._under_way[ending.ended.id]


@attrs.define(eq=False)
class Ending:
    """The read of the nodes of one execution, until they are there; it ends when nobody waits for it any more.

    Attributes:
        session: The parts of the remote.
        remote: What the snapshot is bound to.
        ended: The snapshot of the end.
        before: The snapshot before.
        interval: Seconds between two looks that fail; None is adaptive.
        forget: Is called when it is over.
        last_error: How the last look failed; None when it did not.
    """

    session: Session
    remote: Remote
    ended: FlyteWorkflowExecution
    before: FlyteWorkflowExecution
    interval: float | None
    forget: Callable[[Ending], None] | None = None
    last_error: RPCError | None = None
    _waiters: int = 0
    _is_given_up: bool = False
    _task: asyncio.Task[FlyteWorkflowExecution] | None = None

    def suits(self, wanted: Ending) -> bool:
        """Whether it brings what another one would bring."""
        if self._is_given_up or self.interval != wanted.interval:
            return False
        one, other = self.before, wanted.before
        # What a snapshot holds below it goes over to the next.
        is_bare = not one.known_nodes and not other.known_nodes
        return one is other or (is_bare and one.type_hints == other.type_hints)

    async def result(self, seconds: float) -> FlyteWorkflowExecution | None:
        """Return the snapshot with its nodes; None when the time is over.

        Args:
            seconds: How long to wait at most.

        Raises:
            RPCError: The nodes cannot be read.
            ClosedError: The remote was closed.
            WaitFailedError: The read broke, or was cancelled.
        """
        task = self._task or self._begin()
        self._waiters += 1
        try:
            with anyio.move_on_after(seconds):
                await asyncio.wait([task])
        finally:
            self._waiters -= 1
            if not self._waiters and not task.done():
                await self._give_up(task)
        if not task.done() or self._is_given_up:
            return None
        return self._told(task)

    def _begin(self) -> asyncio.Task[FlyteWorkflowExecution]:
        self._task = self.session.supervisor.start(self._read(), "flyte_remote_async nodes of an end")
        self._task.add_done_callback(self._over)
        return self._task

    def _over(self, task: asyncio.Task[FlyteWorkflowExecution]) -> None:
        # Whoever is there learns of an error; where nobody is any more, nobody misses it.
        _ = task.cancelled() or task.exception()
        if self.forget is not None:
            self.forget(self)

    async def _give_up(self, task: asyncio.Task[FlyteWorkflowExecution]) -> None:
        self._is_given_up = True
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])

    def _told(self, task: asyncio.Task[FlyteWorkflowExecution]) -> FlyteWorkflowExecution:
        if task.cancelled():
            if self.session.closing.is_set():
                raise ClosedError("the remote was closed while the nodes of an execution were read: open a new one")
            raise WaitFailedError("the read of the nodes was cancelled; the execution can be waited for again")
        error = task.exception()
        if error is None:
            return task.result()
        if isinstance(error, FlyteRemoteError):
            raise own_copy(error)
        raise WaitFailedError(
            f"the read of the nodes broke, which is a bug: {type(error).__name__}: {error}; "
            "the execution can be waited for again"
        ) from error

    async def _read(self) -> FlyteWorkflowExecution:
        pause, failures = _PAUSES.first(), 0
        while not self._is_over_for_all():
            try:
                look = Look(self.session, self.remote, WANTED)
                return await look.at(self.before, self.ended.to_flyte_idl(), is_cut=self.ended.error_truncated)
            except RPCError as error:
                if self._is_over_for_all():
                    break
                failures += not isinstance(error, _AWAY)
                if failures >= _FAILED_LOOKS:
                    self._say_what_is_known(error)
                    raise
                if not isinstance(error, NotFoundError) and not is_passing(error):
                    raise
                self.last_error = error
            with anyio.move_on_after(self.interval or pause.length(random.random)):
                await self.session.closing.wait()
            pause = pause.next(moved=False)
        raise asyncio.CancelledError

    def _is_over_for_all(self) -> bool:
        # A cancellation that comes along with a failure, or with the end of a pause, can be lost on its way here.
        return self._is_given_up

    def _say_what_is_known(self, error: RPCError) -> None:
        verb = "has ended as" if self.ended.is_done else "is"
        error.add_note(
            f"{self.ended.description} {verb} {self.ended.phase.name}, and its nodes cannot be read; "
            "wait(sync_nodes=False) returns it without them"
        )
