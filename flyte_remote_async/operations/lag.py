"""Answers of replicas that lag behind: what was seen once is not unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.models.identifiers import TaskExecutionIdentifier
from flyte_remote_async.models.message import canonical_bytes
from flyte_remote_async.models.phases import NodePhase, TaskPhase
from flyte_remote_async.policy.progress import is_forward

if TYPE_CHECKING:
    from flyteidl.admin import node_execution_pb2, task_execution_pb2

    from flyte_remote_async.executions.node import FlyteNodeExecution
    from flyte_remote_async.models.phases import WorkflowPhase

__all__ = ["goes_back", "says_nothing_new", "without_lag"]


def goes_back(before: WorkflowPhase | NodePhase | TaskPhase, after: WorkflowPhase | NodePhase | TaskPhase) -> bool:
    """Whether an answer comes from a replica that lags behind: no part goes back to a phase that it has left."""
    return after != before and not is_forward(before, after)


def says_nothing_new(message: node_execution_pb2.NodeExecution, old: FlyteNodeExecution) -> bool:
    """Whether a row of a node shows no more than the snapshot before: it is the same, or of a replica that lags."""
    lags = goes_back(old.phase, NodePhase(message.closure.phase))
    return lags or canonical_bytes(message) == old.serialize_to_string()


def without_lag(
    found: list[task_execution_pb2.TaskExecution], old: FlyteNodeExecution | None
) -> list[task_execution_pb2.TaskExecution]:
    """Return the attempts that were found; in place of those of a replica that lags, those of the snapshot before."""
    before = {one.id: one for one in old.task_executions} if old is not None and old.has_attempts else {}
    attempts = []
    for message in found:
        known = before.get(TaskExecutionIdentifier.from_flyte_idl(message.id)) if before else None
        lags = known is not None and goes_back(known.phase, TaskPhase(message.closure.phase))
        attempts.append(known.to_flyte_idl() if lags and known is not None else message)
    return attempts
