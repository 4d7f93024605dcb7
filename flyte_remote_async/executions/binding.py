"""What a snapshot needs of the remote that made it, so that it can sync, wait and load without knowing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from flyte_remote_async.errors import DetachedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import timedelta
    from typing import Literal

    from flyte_remote_async.entities import FlyteTask
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.executions.events import Event
    from flyte_remote_async.executions.failure import FailureReport
    from flyte_remote_async.executions.timeline import Timeline
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.literals import Context
    from flyte_remote_async.models.identifiers import Identifier, WorkflowExecutionIdentifier

    Until = Literal["terminal", "running"] | Callable[[FlyteWorkflowExecution], bool]

__all__ = ["Remote", "bound"]


class Remote(Protocol):
    """The verbs of a remote that snapshots use; :class:`flyte_remote_async.FlyteRemote` has them."""

    @property
    def context(self) -> Context:
        """What the decoding of values may use."""
        ...

    async def sync(
        self,
        execution: FlyteWorkflowExecution,
        sync_nodes: bool = False,
        *,
        attempts: bool = True,
        io: bool = False,
        definitions: bool = False,
        signals: bool = False,
    ) -> FlyteWorkflowExecution:
        """Return a new snapshot of an execution."""
        ...

    async def wait(
        self,
        execution: FlyteWorkflowExecution,
        timeout: timedelta | float | None = None,
        poll_interval: timedelta | float | None = None,
        sync_nodes: bool = True,
        *,
        until: Until = "terminal",
    ) -> FlyteWorkflowExecution:
        """Return the snapshot of an execution when it has ended."""
        ...

    async def timeline(self, execution: FlyteWorkflowExecution) -> Timeline:
        """Return where the time of an execution went."""
        ...

    async def explain_failure(self, execution: FlyteWorkflowExecution) -> FailureReport | None:
        """Return why an execution failed."""
        ...

    def watch(
        self,
        execution: FlyteWorkflowExecution,
        timeout: timedelta | float | None = None,
        poll_interval: timedelta | float | None = None,
    ) -> AsyncGenerator[Event]:
        """Yield what happens to an execution."""
        ...

    async def terminate(self, execution: FlyteWorkflowExecution, cause: str) -> None:
        """End a running execution."""
        ...

    async def load_data(self, snapshot: Any) -> ExecutionData:
        """Return inputs and outputs of an execution, node or attempt."""
        ...

    async def fetch_task_by_id(self, id: Identifier) -> FlyteTask:
        """Return the task that an identifier names."""
        ...

    def console_url(self, id: WorkflowExecutionIdentifier) -> str:
        """Return the address of an execution's page in the Flyte console."""
        ...


def bound(remote: Remote | None, what: str, verb: str) -> Remote:
    """Return the remote, which must be there.

    Raises:
        DetachedError: The snapshot has no remote.
    """
    if remote is None:
        reason = (
            f"{what} knows no remote, so it cannot {verb}: it was made by hand or came out of a pickle; "
            "use `await remote.fetch_execution(name)` or `remote.execution(name)`"
        )
        raise DetachedError(reason)
    return remote
