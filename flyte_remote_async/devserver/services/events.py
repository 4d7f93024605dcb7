"""Events, by which flytepropeller tells how an execution goes.

The engine writes for itself; these RPCs are for whoever plays propeller, and keep its rules: no phase twice, none after
the last.

Source: flyteadmin/pkg/manager/impl (execution, node_execution and task_execution managers) and
pkg/repositories/transformers of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import event_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.golang.enums import enum_name
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.services.refusals import (
    TERMINAL,
    absent,
    already_ended,
    check_attempt,
    check_node,
    known_execution,
    missing,
    with_details,
)
from flyte_remote_async.devserver.store.rows import node_key
from flyte_remote_async.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
)
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyteidl.admin import execution_pb2
    from flyteidl.event import event_pb2 as told_pb2

    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Store

__all__ = ["EventService"]

_Workflow = core_execution_pb2.WorkflowExecution
_Node = core_execution_pb2.NodeExecution
_Task = core_execution_pb2.TaskExecution
_PRODUCER: Final = "propeller"
_NODE_TERMINAL: Final = {_Node.SUCCEEDED, _Node.FAILED, _Node.TIMED_OUT, _Node.ABORTED, _Node.SKIPPED, _Node.RECOVERED}
_TASK_TERMINAL: Final = {_Task.SUCCEEDED, _Task.FAILED, _Task.ABORTED}


class EventService:
    """The RPCs that take events."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.CREATE_WORKFLOW_EVENT, self.workflow)
        registry.add(methods.CREATE_NODE_EVENT, self.node)
        registry.add(methods.CREATE_TASK_EVENT, self.task)

    async def workflow(
        self, request: event_pb2.WorkflowExecutionEventRequest
    ) -> event_pb2.WorkflowExecutionEventResponse:
        """Serve CreateWorkflowEvent."""
        if not request.HasField("event"):
            raise InvalidArgumentError("Workflow event handler was called without event")
        event = request.event
        if not event.HasField("execution_id"):
            told = prototext(event)
            raise InvalidArgumentError(f"Workflow event handler request event doesn't have an execution id - {told}")
        found = await known_execution(self._store, event.execution_id)
        _check_producer(event)

        def change(execution: execution_pb2.Execution) -> None:
            _check_workflow_phase(execution.closure.phase, event)
            closure = execution.closure
            if event.phase == _Workflow.RUNNING:
                closure.started_at.CopyFrom(event.occurred_at)
            _move(closure, event, is_terminal=event.phase in TERMINAL)
            if event.WhichOneof("output_result") == "output_uri":
                closure.outputs.uri = event.output_uri
            elif event.WhichOneof("output_result") == "error":
                closure.error.CopyFrom(event.error)

        await self._store.update_execution(found.id, change)
        if event.HasField("output_data"):
            await self._store.put_execution_data(found.id, outputs=event.output_data)
        return event_pb2.WorkflowExecutionEventResponse()

    async def node(self, request: event_pb2.NodeExecutionEventRequest) -> event_pb2.NodeExecutionEventResponse:
        """Serve CreateNodeEvent."""
        if not request.HasField("event"):
            raise missing("event")
        event = request.event
        if not event.HasField("id"):
            raise missing("id")
        check_node(event.id)
        run = event.id.execution_id
        if await self._store.get_execution(run) is None:
            reason = absent("execution", run).details
            raise NotFoundError(f"Failed to get existing execution id: [{prototext(run)}] with err: {reason}")
        _check_producer(event)
        node = await self._store.get_node(event.id)
        if node is None:
            node = _new_node(event)
        else:
            _check_node_phase(node.closure.phase, event)
        _tell_node(node, event)
        await self._store.put_node(node, event.parent_node_metadata.node_id)
        if event.HasField("output_data"):
            await self._store.put_node_data(event.id, outputs=event.output_data)
        return event_pb2.NodeExecutionEventResponse()

    async def task(self, request: event_pb2.TaskExecutionEventRequest) -> event_pb2.TaskExecutionEventResponse:
        """Serve CreateTaskEvent."""
        if not request.HasField("event"):
            raise missing("event")
        event = request.event
        if not event.HasField("occurred_at"):
            raise missing("occurred_at")
        identifier = identifier_pb2.TaskExecutionIdentifier(retry_attempt=event.retry_attempt)
        for field, told in (("task_id", "task_id"), ("node_execution_id", "parent_node_execution_id")):
            if event.HasField(told):
                getattr(identifier, field).CopyFrom(getattr(event, told))
        check_attempt(identifier)
        await known_execution(self._store, identifier.node_execution_id.execution_id)
        _check_producer(event)
        attempt = await self._store.get_attempt(identifier)
        if attempt is None:
            attempt = await self._new_attempt(identifier, event)
        else:
            _check_task_phase(attempt, event)
        _tell_attempt(attempt, event)
        await self._store.put_attempt(attempt)
        if event.HasField("output_data"):
            await self._store.put_attempt_data(identifier, outputs=event.output_data)
        return event_pb2.TaskExecutionEventResponse()

    async def _new_attempt(
        self, identifier: identifier_pb2.TaskExecutionIdentifier, event: told_pb2.TaskExecutionEvent
    ) -> task_execution_pb2.TaskExecution:
        node = identifier.node_execution_id
        if await self._store.get_node(node) is None:
            raise InternalError(f"failed to get existing node execution id: [{prototext(node)}]")
        attempt = task_execution_pb2.TaskExecution(id=identifier, input_uri=event.input_uri)
        attempt.closure.created_at.CopyFrom(event.occurred_at)
        attempt.closure.task_type = event.task_type
        attempt.closure.event_version = event.event_version
        return attempt


def _check_producer(event: Any) -> None:
    """Refuse an event of another cluster than the execution is on; here as with one cluster, it is on none by name."""
    if event.producer_id not in {"", _PRODUCER}:
        reason = event_pb2.EventFailureReason()
        reason.incompatible_cluster.cluster = event.producer_id
        raise with_details(
            FailedPreconditionError,
            f"Cluster/producer from event [{event.producer_id}] does not match existing workflow execution "
            "clusterInDB: []",
            reason,
        )


def _check_workflow_phase(phase: int, event: told_pb2.WorkflowExecutionEvent) -> None:
    now, told = enum_name(_Workflow.Phase, phase), enum_name(_Workflow.Phase, event.phase)
    run = prototext(event.execution_id)
    if phase == event.phase != _Workflow.QUEUED:
        raise AlreadyExistsError(f"This phase {now} was already recorded for workflow execution {run}")
    if phase in TERMINAL:
        raise already_ended(f"Invalid phase change from {now} to {told} for workflow execution {run}", now)
    if phase == _Workflow.RUNNING and event.phase == _Workflow.QUEUED:
        raise FailedPreconditionError(f"Cannot go from {now} to {told} for workflow execution {run}")
    if phase == _Workflow.ABORTING and event.phase not in TERMINAL:
        raise FailedPreconditionError(f"Invalid phase change from aborting to {told} for workflow execution {run}")


def _check_node_phase(phase: int, event: told_pb2.NodeExecutionEvent) -> None:
    now, told = enum_name(_Node.Phase, phase), enum_name(_Node.Phase, event.phase)
    if phase == event.phase:
        raise AlreadyExistsError(f"This phase was already recorded {now} for {prototext(event.id)}")
    if phase in _NODE_TERMINAL:
        named = "/".join(map(str, node_key(event.id).values()))
        raise already_ended(f"Invalid phase change from {now} to {told} for node execution {named}", told)


def _check_task_phase(attempt: task_execution_pb2.TaskExecution, event: told_pb2.TaskExecutionEvent) -> None:
    phase, named = attempt.closure.phase, prototext(attempt.id)
    now, told = enum_name(_Task.Phase, phase), enum_name(_Task.Phase, event.phase)
    if phase == event.phase and event.phase_version == 0:
        raise AlreadyExistsError(
            f"have already recorded task execution phase {told} (version: {event.phase_version}) for {named}"
        )
    if phase in _TASK_TERMINAL:
        raise already_ended(f"invalid phase change from {now} to {told} for task execution {named}", told)


def _new_node(event: told_pb2.NodeExecutionEvent) -> node_execution_pb2.NodeExecution:
    node = node_execution_pb2.NodeExecution(id=event.id, input_uri=event.input_uri)
    node.closure.created_at.CopyFrom(event.occurred_at)
    node.metadata.retry_group = event.retry_group
    node.metadata.spec_node_id = event.spec_node_id
    node.metadata.is_array = event.is_array
    return node


def _tell_node(node: node_execution_pb2.NodeExecution, event: told_pb2.NodeExecutionEvent) -> None:
    closure = node.closure
    node.metadata.is_parent_node = event.is_parent
    node.metadata.is_dynamic = event.is_dynamic
    if event.phase == _Node.RUNNING:
        closure.started_at.CopyFrom(event.occurred_at)
    _move(closure, event, is_terminal=event.phase in _NODE_TERMINAL)
    _result(closure, event)
    closure.deck_uri = event.deck_uri or closure.deck_uri
    if event.HasField("workflow_node_metadata"):
        closure.workflow_node_metadata.executionId.CopyFrom(event.workflow_node_metadata.execution_id)
    if event.HasField("task_node_metadata"):
        told = event.task_node_metadata
        closure.task_node_metadata.cache_status = told.cache_status
        closure.task_node_metadata.checkpoint_uri = told.checkpoint_uri
        if told.HasField("catalog_key"):
            closure.task_node_metadata.catalog_key.CopyFrom(told.catalog_key)


def _tell_attempt(attempt: task_execution_pb2.TaskExecution, event: told_pb2.TaskExecutionEvent) -> None:
    closure = attempt.closure
    if event.phase == _Task.RUNNING and not closure.HasField("started_at"):
        closure.started_at.CopyFrom(event.occurred_at)
    _move(closure, event, is_terminal=event.phase in _TASK_TERMINAL)
    _result(closure, event)
    closure.logs.extend(log for log in event.logs if log not in closure.logs)
    if event.reason:
        closure.reason = event.reason
        closure.reasons.add(message=event.reason, occurred_at=event.occurred_at)
    if event.HasField("custom_info"):
        closure.custom_info.CopyFrom(event.custom_info)
    if event.HasField("metadata"):
        closure.metadata.CopyFrom(event.metadata)


def _move(closure: Any, event: Any, *, is_terminal: bool) -> None:
    closure.phase = event.phase
    closure.updated_at.CopyFrom(event.occurred_at)
    if is_terminal and closure.HasField("started_at"):
        span = event.occurred_at.ToNanoseconds() - closure.started_at.ToNanoseconds()
        closure.duration.FromNanoseconds(span)


def _result(closure: Any, event: Any) -> None:
    result = event.WhichOneof("output_result")
    if result == "output_uri":
        closure.output_uri = event.output_uri
    elif result == "error":
        closure.error.CopyFrom(event.error)
