"""What the executions of an engine share, and what they ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteidl.admin import execution_pb2
    from flyteidl.core import identifier_pb2, tasks_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.engine.activity import Activity
    from flyte_remote_async.devserver.engine.catalog import Catalog
    from flyte_remote_async.devserver.engine.gates import Gates
    from flyte_remote_async.devserver.runners import TaskCall, TaskRunner
    from flyte_remote_async.devserver.runners.outcome import Outcome
    from flyte_remote_async.devserver.store import Store

__all__ = ["Admin", "Executions", "Platform"]


class Admin(Protocol):
    """The service that a launch-plan node asks for its execution, as flytepropeller asks flyteadmin."""

    async def create(self, request: execution_pb2.ExecutionCreateRequest) -> execution_pb2.ExecutionCreateResponse:
        """Serve CreateExecution; a refusal is an :class:`RPCError`."""
        ...


class Executions(Protocol):
    """The executions of an engine, for a node that has started one."""

    async def join(self, execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        """Wait until an execution does not run any more."""
        ...

    async def abort(
        self, execution_id: identifier_pb2.WorkflowExecutionIdentifier, cause: str, principal: str = ""
    ) -> None:
        """Begin to stop an execution; one that has ended stays as it is."""
        ...


@attrs.define
class Platform:
    """What the executions of an engine share.

    Attributes:
        store: Where the entities are and where the executions are written.
        runners: What runs attempts of tasks, first come first served.
        clock: What instants and sleeps are taken from.
        executions: All that runs.
        catalog: The cache.
        gates: Where gate nodes wait for their signals.
        activity: What is on its way.
        admin: What launch-plan nodes ask for executions; None in an engine that serves none.
    """

    store: Store
    runners: Sequence[TaskRunner]
    clock: Clock
    executions: Executions
    catalog: Catalog
    gates: Gates
    activity: Activity
    admin: Admin | None = None

    def runner(self, task: tasks_pb2.TaskTemplate) -> TaskRunner | None:
        """Return what runs a task, or None where nothing does."""
        return next((runner for runner in self.runners if runner.takes(task)), None)

    async def run(self, runner: TaskRunner, call: TaskCall) -> Outcome:
        """Run an attempt and return how it ended."""
        with self.activity.attempt():
            return await runner.run(call)
