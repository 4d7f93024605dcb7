"""What one who waits gets in the end: a snapshot, with its nodes where they are wanted, or one plain error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
from flyteidl.admin import execution_pb2

from flyte_remote_async.errors import WaitTimeoutError
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.message import parse
from flyte_remote_async.operations.hub.asks import seconds
from flyte_remote_async.operations.hub.endings import WANTED, own_copy
from flyte_remote_async.policy.hub.schedule import GRACE
from flyte_remote_async.policy.hub.values import Ended, Failed, Moved, Ticket

if TYPE_CHECKING:
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.hub.values import Outcome, Row

__all__ = ["Terms", "snapshot_of", "ticket_for"]


def ticket_for(
    execution: FlyteWorkflowExecution,
    *,
    interval: float | None = None,
    deadline: float | None = None,
    looks: bool = False,
) -> Ticket:
    """Return the ticket of one who waits for an execution.

    Args:
        execution: The last snapshot.
        interval: Seconds between two looks; None adapts to its age.
        deadline: When to give up, on the hub's clock; None is never.
        looks: Whether to be told of each look.
    """
    closure: Any = execution.to_flyte_idl().closure
    created = seconds(closure, "created_at")
    # The control plane gives every execution that time, so a snapshot that has it came from there.
    return Ticket(
        execution.id,
        is_seen=created is not None,
        looks=looks,
        interval=interval,
        deadline=deadline,
        created=created,
    )


def snapshot_of(row: Row, before: FlyteWorkflowExecution, remote: Remote) -> FlyteWorkflowExecution:
    """Return the snapshot of a row.

    Args:
        row: What was seen.
        before: The snapshot before.
        remote: What the snapshot is bound to.
    """
    return FlyteWorkflowExecution.from_flyte_idl(
        row.message, remote=remote, type_hints=before.type_hints, is_cut=row.is_cut
    )


@attrs.frozen(kw_only=True)
class Terms:
    """On what terms somebody waits.

    Attributes:
        session: The parts of the remote.
        remote: What the snapshots are bound to.
        timeout: Seconds to wait at most, all told; None waits as long as it takes.
        deadline: When that is over, on the hub's clock.
        interval: Seconds between two looks; None adapts to the age of the execution.
        sync_nodes: Whether the snapshot that is returned has its nodes and attempts.
    """

    session: Session
    remote: Remote
    timeout: float | None = None
    deadline: float | None = None
    interval: float | None = None
    sync_nodes: bool = True

    @classmethod
    def from_now(
        cls, session: Session, remote: Remote, *, timeout: float | None, interval: float | None, sync_nodes: bool
    ) -> Terms:
        """Return terms whose time begins now."""
        deadline = None if timeout is None else session.hub.now + timeout
        return cls(
            session=session,
            remote=remote,
            timeout=timeout,
            deadline=deadline,
            interval=interval,
            sync_nodes=sync_nodes,
        )

    def result(self, news: Outcome, before: FlyteWorkflowExecution) -> FlyteWorkflowExecution | None:
        """Return the snapshot that news bring; None for a look that brought none.

        Args:
            news: What came of the wait.
            before: The snapshot before.

        Raises:
            WaitTimeoutError: The time is over.
            FlyteRemoteError: The execution cannot be waited for.
        """
        match news:
            case Ended(row=row) | Moved(row=row):
                return None if row is None else snapshot_of(row, before, self.remote)
            case Failed(error=error):
                raise own_copy(error)
            case _:
                raise self._timed_out(news, before)

    async def finish(
        self, ended: FlyteWorkflowExecution, before: FlyteWorkflowExecution, news: Outcome | None = None
    ) -> FlyteWorkflowExecution:
        """Return what the waiter gets, for an execution that need not be looked at any more.

        Args:
            ended: Its snapshot.
            before: The snapshot that the waiter had; what is settled in it is taken over.
            news: What he was told; None for one who knew the end before.

        Raises:
            WaitTimeoutError: The nodes could not be read in time.
            RPCError: The nodes cannot be read.
            ClientStateError: The remote is closed, or used from the wrong loop or process.
            WaitFailedError: The read of the nodes broke.
        """
        if not self.sync_nodes or ended.covers(WANTED):
            return ended
        # A read that others began is a task of their loop.
        _ = self.session.transport.check("wait")
        left = math.inf if self.deadline is None else self.deadline - self.session.hub.now
        row = news.row if isinstance(news, (Ended, Moved)) else None
        ending = self.session.endings(self.remote).of(ended, before, row=row, interval=self.interval)
        found = await ending.result(max(left, GRACE))
        if found is None:
            raise self._without_nodes(ended, ending.last_error)
        return found

    def _timed_out(self, news: Any, before: FlyteWorkflowExecution) -> WaitTimeoutError:
        execution = before
        if news.shown is not None:
            message = parse(execution_pb2.Execution, news.shown)
            execution = FlyteWorkflowExecution.from_flyte_idl(message, remote=self.remote, type_hints=before.type_hints)
        words = (
            f"{execution.description} did not end within {self.timeout:g} seconds: it is {execution.phase.name}; "
            "it goes on, and can be waited for again"
        )
        if news.last_error is None and not news.is_heard:
            words += "; the control plane did not answer in that time"
        return self._timeout_error(words, execution, news.last_error, news.stale_for)

    def _without_nodes(self, ended: FlyteWorkflowExecution, last_error: Exception | None) -> WaitTimeoutError:
        verb = "has" if ended.is_done else "is"
        message = f"{ended.description} {verb} {ended.phase.name}, but its nodes could not be read in time"
        return self._timeout_error(message, ended, last_error, 0.0)

    def _timeout_error(
        self, message: str, execution: FlyteWorkflowExecution, last_error: Exception | None, stale_for: float
    ) -> WaitTimeoutError:
        if last_error is not None:
            message += f"; the last look failed: {last_error}"
        return WaitTimeoutError(message, execution=execution, last_error=last_error, stale_for=stale_for)
