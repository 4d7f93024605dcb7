"""What is live in the store and carried by nobody: its devserver was stopped, or it came from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2

from flyte_remote_async.devserver.engine.closures import end_closure
from flyte_remote_async.devserver.runners.outcome import SYSTEM, WORKFLOW_ABORTED, aborted_node
from flyte_remote_async.devserver.store.rows import execution_key
from flyte_remote_async.devserver.store.sql import Statement
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from flyteidl.core import identifier_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.store import Store

__all__ = ["Leftovers"]

_Phases: TypeAlias = type[WorkflowPhase] | type[NodePhase] | type[TaskPhase]


class Leftovers:
    """Ends what nobody carries.

    Args:
        store: Where it is.
        clock: What instants are taken from.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def fail_all(self) -> int:
        """Write all executions that have not ended as FAILED, and those that are ABORTING as ABORTED.

        Returns:
            How many there were.
        """
        phases, marks = _live(WorkflowPhase)
        sql = f"SELECT message FROM executions WHERE phase IN ({marks}) ORDER BY id"  # noqa: S608 - marks alone
        found = [
            execution_pb2.Execution.FromString(message)
            for (message,) in await self._store.select(Statement(sql, phases))
        ]
        for execution in found:
            if WorkflowPhase(execution.closure.phase) is WorkflowPhase.ABORTING:
                await self.abort(execution.id)
            else:
                await self._end(execution.id, _interrupted(execution.id.name))
        return len(found)

    async def abort(self, execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        """Write an execution that is ABORTING as ABORTED, with all that has not ended in it."""
        await self._end(execution_id, None)

    async def _end(
        self,
        execution_id: identifier_pb2.WorkflowExecutionIdentifier,
        error: core_execution_pb2.ExecutionError | None,
    ) -> None:
        """End all that is live in an execution: FAILED with an error, ABORTED without."""
        now = self._clock.now()

        def change(message: execution_pb2.Execution) -> None:
            if WorkflowPhase(message.closure.phase).is_terminal:
                return
            _end(message.closure, core_execution_pb2.WorkflowExecution, error, now)

        with anyio.CancelScope(shield=True):
            await self._end_inside(execution_id, error, now)
            await self._store.update_execution(execution_id, change)

    async def _end_inside(
        self,
        execution_id: identifier_pb2.WorkflowExecutionIdentifier,
        error: core_execution_pb2.ExecutionError | None,
        now: dt.datetime,
    ) -> None:
        attempts = await self._rows("task_executions", "''", TaskPhase, execution_id)
        nodes = await self._rows("node_executions", "parent_id", NodePhase, execution_id)
        async with self._store.transaction() as together:
            for data, _ in attempts:
                attempt = task_execution_pb2.TaskExecution.FromString(data)
                _end(attempt.closure, core_execution_pb2.TaskExecution, error, now)
                together.put_attempt(attempt)
            for data, parent_id in nodes:
                node = node_execution_pb2.NodeExecution.FromString(data)
                _end(node.closure, core_execution_pb2.NodeExecution, error, now)
                if error is None:
                    node.closure.error.CopyFrom(aborted_node(WORKFLOW_ABORTED))
                together.put_node(node, parent_id or "")

    async def _rows(
        self,
        table: str,
        column: str,
        phase: _Phases,
        execution_id: identifier_pb2.WorkflowExecutionIdentifier,
    ) -> Sequence[tuple[bytes, str | None]]:
        key = execution_key(execution_id)
        phases, marks = _live(phase)
        where = " AND ".join(f"{name} = ?" for name in key)
        sql = f"SELECT message, {column} FROM {table} WHERE {where} AND phase IN ({marks}) ORDER BY id"  # noqa: S608
        found = await self._store.select(Statement(sql, (*key.values(), *phases)))
        return [(row[0], row[1]) for row in found]


def _live(phases: _Phases) -> tuple[list[str], str]:
    """Return the names of the phases that are not ends, and as many marks."""
    names = [phase.name for phase in phases if not phase.is_terminal]
    return names, ", ".join("?" * len(names))


def _interrupted(name: str) -> core_execution_pb2.ExecutionError:
    return core_execution_pb2.ExecutionError(
        code="DevServerStopped",
        message=f"the devserver was stopped while execution {name} ran, and does not go on: relaunch or recover it",
        kind=SYSTEM,
    )


def _end(closure: Any, phases: Any, error: core_execution_pb2.ExecutionError | None, now: dt.datetime) -> None:
    """Write an end into a closure, in the phases of its kind: FAILED with an error, ABORTED without."""
    if error is not None:
        closure.error.CopyFrom(error)
    end_closure(closure, phases.ABORTED if error is None else phases.FAILED, now)
