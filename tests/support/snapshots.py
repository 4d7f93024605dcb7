"""Snapshots of executions, nodes and attempts made up for one test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2

from flyte_remote_async import (
    FlyteNodeExecution,
    FlyteTaskExecution,
    FlyteWorkflowExecution,
    NodePhase,
    TaskPhase,
    WorkflowPhase,
)
from flyte_remote_async.executions.below import Below

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["attempt_of", "execution_of", "node_of", "set_error"]


def set_error(closure: Any) -> None:
    """Write one error into the closure of an execution, node or attempt."""
    closure.error.code = "USER:ValueError"
    closure.error.message = "three is not four"
    closure.error.kind = 1


def execution_of(
    phase: WorkflowPhase | int = WorkflowPhase.SUCCEEDED,
    *,
    name: str = "e0",
    nodes: Sequence[FlyteNodeExecution] | None = None,
    error: bool = False,
    cause: str = "",
) -> FlyteWorkflowExecution:
    """Return an execution ``p/d/<name>`` without a remote."""
    message = execution_pb2.Execution()
    message.id.project, message.id.domain, message.id.name = "p", "d", name
    message.closure.phase = int(phase)  # type: ignore[assignment]
    if error:
        set_error(message.closure)
    if cause:
        message.closure.abort_metadata.cause = cause
    return FlyteWorkflowExecution.from_flyte_idl(message, nodes=None if nodes is None else tuple(nodes))


def node_of(
    phase: NodePhase | int = NodePhase.SUCCEEDED,
    *,
    node_id: str = "n0",
    spec_node_id: str = "",
    is_parent: bool = False,
    is_array: bool = False,
    starts: str = "",
    error: bool = False,
    below: Below | None = None,
    **found: Any,
) -> FlyteNodeExecution:
    """Return a node of the execution ``p/d/e0``; ``found`` is what was read below it."""
    message = node_execution_pb2.NodeExecution()
    execution = message.id.execution_id
    message.id.node_id, execution.project, execution.domain, execution.name = node_id, "p", "d", "e0"
    message.metadata.spec_node_id = spec_node_id
    message.metadata.is_parent_node, message.metadata.is_array = is_parent, is_array
    message.closure.phase = int(phase)  # type: ignore[assignment]
    message.closure.started_at.seconds = 1_700_000_000
    if starts:
        message.closure.workflow_node_metadata.executionId.name = starts
    elif not is_parent:
        message.closure.task_node_metadata.SetInParent()
    if error:
        set_error(message.closure)
    return FlyteNodeExecution.from_flyte_idl(message, below=below or Below(**found))


def attempt_of(
    phase: TaskPhase | int = TaskPhase.SUCCEEDED, *, number: int = 0, error: bool = False
) -> FlyteTaskExecution:
    """Return an attempt of the task ``t`` for the node ``p/d/e0/n0``."""
    message = task_execution_pb2.TaskExecution()
    node = message.id.node_execution_id
    node.node_id, node.execution_id.project, node.execution_id.domain, node.execution_id.name = "n0", "p", "d", "e0"
    message.id.task_id.name, message.id.retry_attempt = "t", number
    message.closure.phase = int(phase)  # type: ignore[assignment]
    if error:
        set_error(message.closure)
    return FlyteTaskExecution.from_flyte_idl(message)
