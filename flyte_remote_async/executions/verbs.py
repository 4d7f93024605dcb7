"""What an execution can be asked to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from flyteidl.admin import execution_pb2

from flyte_remote_async.executions.base import RemoteExecutionBase
from flyte_remote_async.executions.binding import bound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import timedelta

    from flyte_remote_async.executions.binding import Until
    from flyte_remote_async.executions.events import Event
    from flyte_remote_async.executions.failure import FailureReport
    from flyte_remote_async.executions.timeline import Timeline
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution

__all__ = ["ExecutionVerbs"]


class ExecutionVerbs(RemoteExecutionBase[execution_pb2.Execution]):
    """The verbs of :class:`FlyteWorkflowExecution`, each handed to the remote that the snapshot came from."""

    __slots__ = ()

    @property
    def _it(self) -> FlyteWorkflowExecution:
        return cast("FlyteWorkflowExecution", self)

    async def sync(
        self,
        sync_nodes: bool = False,
        *,
        attempts: bool = True,
        io: bool = False,
        definitions: bool = False,
        signals: bool = False,
    ) -> FlyteWorkflowExecution:
        """Return the execution as it is now; this snapshot does not change.

        What has ended is never read again: the new snapshot shares it with this one, and a snapshot that has ended and
        holds all that is asked for is returned as it is, without a request. A snapshot shows one moment: a sync of the
        status alone leaves the nodes of an earlier moment out, and the next one with nodes still need not read again
        what had ended by then.

        Args:
            sync_nodes: Whether to read the nodes, to any depth, with the child executions of launch-plan nodes.
            attempts: Whether to read the attempts of task nodes too, one request for each task node.
            io: Whether to read inputs and outputs of all that has nodes or attempts, one request for each.
            definitions: Whether to read the workflow and the tasks that ran, for ``flyte_workflow``, ``interface``
                and ``task``.
            signals: Whether to read the signals of executions with a gate node that runs, one request for each.

        Raises:
            DetachedError: The snapshot knows no remote.
            NotFoundError: The control plane does not know the execution.
            RPCError: The control plane could not be asked.
            ClosedError: The remote is closed.
        """
        remote = bound(self._remote, self.description, "sync")
        return await remote.sync(
            self._it, sync_nodes, attempts=attempts, io=io, definitions=definitions, signals=signals
        )

    async def wait(
        self,
        timeout: timedelta | float | None = None,
        poll_interval: timedelta | float | None = None,
        sync_nodes: bool = True,
        *,
        until: Until = "terminal",
    ) -> FlyteWorkflowExecution:
        """Return the execution when it has ended, well or not.

        All waits of a remote share their looks, which read the status alone; nodes are read once, at the end.

        Args:
            timeout: Seconds (or a timedelta) to wait at most, all told; None waits as long as it takes.
            poll_interval: Seconds (or a timedelta) between two looks; None adapts to the age of the execution.
            sync_nodes: Whether the snapshot that is returned has its nodes and attempts.
            until: What to wait for: ``"terminal"``, its end; ``"running"``, that it has started; or a function that
                is given each new status, without nodes, and says whether the wait is over. An end ends each wait.

        Raises:
            WaitTimeoutError: It did not end in time; its ``execution`` is the last snapshot.
            DetachedError: The snapshot knows no remote.
            NotFoundError: The control plane does not know the execution.
            PermissionDeniedError: The credentials do not allow to look at it.
            ClosedError: The remote was closed.

        Example:
            ```python
            try:
                execution = await execution.wait(timeout=600)
            except WaitTimeoutError as error:
                print("still", error.execution.phase.name)
            ```
        """
        remote = bound(self._remote, self.description, "wait")
        return await remote.wait(self._it, timeout, poll_interval, sync_nodes, until=until)

    def watch(
        self,
        timeout: timedelta | float | None = None,
        poll_interval: timedelta | float | None = None,
    ) -> AsyncGenerator[Event]:
        """Yield what happens to the execution and to all that is below it, until it has ended.

        What differs from this snapshot comes first. One that shows the end gives what was not read yet, and the end
        again, with the same phase before and after it. A phase that the
        execution or a part of it has left is never told again, and the last event is the end of the execution. It looks
        when the next event is wanted and none is left: who reads slowly gets what differs from what he saw last,
        without what came and went between.

        Args:
            timeout: Seconds (or a timedelta) to watch at most, all told; None watches as long as it takes.
            poll_interval: Seconds (or a timedelta) between two looks; None adapts to how it moves.

        Raises:
            WaitTimeoutError: It did not end in time.
            DetachedError: The snapshot knows no remote.
            NotFoundError: The control plane does not know the execution.
            ClosedError: The remote was closed.

        Example:
            ```python
            async for event in execution.watch():
                print(event)
            ```
        """
        return bound(self._remote, self.description, "watch").watch(self._it, timeout, poll_interval)

    async def terminate(self, cause: str) -> None:
        """End the execution.

        Args:
            cause: Why, for those who read it later.

        Raises:
            DetachedError: The snapshot knows no remote.
            FailedPreconditionError: It has ended already.
            NotFoundError: The control plane does not know the execution.
            RPCError: The control plane could not be asked.
        """
        await bound(self._remote, self.description, "terminate").terminate(self._it, cause)

    async def timeline(self) -> Timeline:
        """Return where the time of the execution went.

        Of an execution that has ended it is the server's own reckoning, one request. Where the server refuses that or
        leaves out nodes, and for an execution that runs, it is made from the nodes and their attempts, which are read
        as far as this snapshot does not hold them.

        Raises:
            DetachedError: The snapshot knows no remote, and its nodes were not read.
            RPCError: The control plane could not be asked.
            ClosedError: The remote is closed.

        Example:
            ```python
            timeline = await execution.timeline()
            print(timeline)
            print(timeline.totals)  # operation to time, such as how long tasks waited to be set up
            ```
        """
        if self._remote is None and self._it.has_nodes:
            from flyte_remote_async.executions.spans import timeline_of

            return timeline_of(self._it, datetime.now(UTC))
        return await bound(self._remote, self.description, "read its timeline").timeline(self._it)

    async def explain_failure(self) -> FailureReport | None:
        """Return why the execution failed, timed out or was aborted; None for one that succeeded.

        Only what is on the way to the first failure is read: the levels of nodes that failed, and the attempts of the
        node that failed first. What this snapshot has of them is not read again. A snapshot of what has ended is
        explained once, however many ask; one whose explanation has a ``problem`` is read again by the next who asks.

        Raises:
            ExecutionNotDoneError: It has not ended yet.
            DetachedError: The snapshot knows no remote.
            RPCError: The control plane could not be asked.
            ClosedError: The remote is closed.

        Example:
            ```python
            if report := await execution.explain_failure():
                print(report)
            ```
        """
        return await bound(self._remote, self.description, "explain its failure").explain_failure(self._it)

    def diff(self, old: FlyteWorkflowExecution) -> tuple[Event, ...]:
        """Return what happened between an earlier snapshot of the execution and this one, in order.

        A part starts before what is below it and ends after it; the rest is in the order of the control plane's times.
        Nothing goes back: what has ended in the earlier snapshot stays ended. Phases that came and went between the two
        looks are not made up. What was not read in the earlier snapshot counts as not there yet, what was not read in
        this one as unchanged. What both snapshots share is not looked at.

        Args:
            old: The earlier snapshot.

        Raises:
            ValueError: It is of another execution.

        Example:
            ```python
            before = execution
            execution = await execution.sync(sync_nodes=True)
            for event in execution.diff(before):
                print(event)
            ```
        """
        from flyte_remote_async.executions.diff import diff

        return diff(self._it, old)
