"""Writes what happens to an execution as a whole into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from flyteidl.core import execution_pb2

from flyte_remote_async.devserver.engine.closures import end_closure
from flyte_remote_async.devserver.engine.graph import END_NODE
from flyte_remote_async.devserver.naming import Place, root_uri
from flyte_remote_async.devserver.runners.outcome import RECOVERED
from flyte_remote_async.models.phases import WorkflowPhase

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from flyteidl.admin import execution_pb2 as admin_pb2
    from flyteidl.core import identifier_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.runners.outcome import Outcome
    from flyte_remote_async.devserver.store import Store

__all__ = ["ExecutionRecorder"]

_WORKFLOW: Final = execution_pb2.WorkflowExecution


class ExecutionRecorder:
    """Writes the phases of one execution.

    Args:
        store: Where it writes.
        clock: What it dates with.
        execution_id: Which execution.
    """

    def __init__(self, store: Store, clock: Clock, execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        self._store = store
        self._clock = clock
        self._id = execution_id

    async def run(self, workflow_id: identifier_pb2.Identifier) -> None:
        """Write the execution as RUNNING."""

        def change(message: admin_pb2.Execution, now: dt.datetime) -> None:
            message.closure.workflow_id.CopyFrom(workflow_id)
            message.closure.phase = _WORKFLOW.RUNNING
            message.closure.started_at.FromDatetime(now)

        await self._change(change)

    async def fail(self, error: execution_pb2.ExecutionError) -> None:
        """Write the execution as FAILING: it ends when what still runs was aborted and the failure was handled."""

        def change(message: admin_pb2.Execution, _now: dt.datetime) -> None:
            message.closure.phase = _WORKFLOW.FAILING
            message.closure.error.CopyFrom(error)

        await self._change(change)

    async def end(self, outcome: Outcome) -> None:
        """Write how the execution ended: through SUCCEEDING or FAILING, as Flyte does."""
        if outcome.error is not None:
            await self._end_failed(outcome.error)
            return

        def leave(message: admin_pb2.Execution, _now: dt.datetime) -> None:
            message.closure.phase = _WORKFLOW.SUCCEEDING

        def end(message: admin_pb2.Execution, now: dt.datetime) -> None:
            if outcome.phase != RECOVERED:
                message.closure.outputs.uri = Place.at_top(root_uri(self._id), END_NODE).outputs_uri()
            end_closure(message.closure, _WORKFLOW.SUCCEEDED, now)

        await self._change(leave)
        with anyio.CancelScope(shield=True):
            await self._store.put_execution_data(self._id, outputs=outcome.outputs)
        await self._change(end)

    async def _end_failed(self, error: execution_pb2.ExecutionError) -> None:
        await self.fail(error)

        def end(message: admin_pb2.Execution, now: dt.datetime) -> None:
            message.closure.error.CopyFrom(error)
            end_closure(message.closure, _WORKFLOW.FAILED, now)

        await self._change(end)

    async def announce_abort(self, cause: str, principal: str) -> None:
        """Write the execution as ABORTING, unless it is already: then it keeps its cause."""

        def change(message: admin_pb2.Execution, _now: dt.datetime) -> None:
            message.closure.abort_metadata.cause = cause
            message.closure.abort_metadata.principal = principal
            message.closure.phase = _WORKFLOW.ABORTING

        await self._change(change)

    async def abort(self) -> None:
        """Write an execution that is ABORTING as ABORTED."""

        def change(message: admin_pb2.Execution, now: dt.datetime) -> None:
            end_closure(message.closure, _WORKFLOW.ABORTED, now)

        await self._change(change, aborting=True)

    async def _change(
        self, change: Callable[[admin_pb2.Execution, dt.datetime], None], *, aborting: bool = False
    ) -> None:
        """Change the execution, unless it has ended; one that is ABORTING can only become ABORTED."""
        now = self._clock.now()

        def guarded(message: admin_pb2.Execution) -> None:
            phase = WorkflowPhase(message.closure.phase)
            if not phase.is_terminal and (aborting or phase is not WorkflowPhase.ABORTING):
                change(message, now)
                message.closure.updated_at.FromDatetime(now)

        with anyio.CancelScope(shield=True):
            await self._store.update_execution(self._id, guarded)
