"""Messages into rows: pure, and done before a write is handed on, so that a message may change afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.admin import workflow_pb2
from flyteidl.core import catalog_pb2, identifier_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2

from flyte_remote_async.devserver.golang.enums import enum_name

if TYPE_CHECKING:
    from flyteidl.admin import (
        common_pb2,
        description_entity_pb2,
        execution_pb2,
        launch_plan_pb2,
        node_execution_pb2,
        project_pb2,
        signal_pb2,
        task_execution_pb2,
        task_pb2,
    )
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

__all__ = [
    "Row",
    "attempt",
    "attempt_key",
    "description",
    "entity_key",
    "execution",
    "execution_key",
    "launch_plan",
    "named_entity",
    "node",
    "node_key",
    "owner",
    "project",
    "signal",
    "tags",
    "task",
    "workflow",
]

Row = dict[str, Any]
"""Column to value."""


def owner(*parts: str | int) -> str:
    """Return the key of what belongs to an execution, a node or an attempt."""
    return "\n".join(map(str, parts))


def execution_key(identifier: identifier_pb2.WorkflowExecutionIdentifier) -> Row:
    """Return the columns that identify an execution."""
    return {
        "execution_project": identifier.project,
        "execution_domain": identifier.domain,
        "execution_name": identifier.name,
    }


def node_key(identifier: identifier_pb2.NodeExecutionIdentifier) -> Row:
    """Return the columns that identify a node execution."""
    return execution_key(identifier.execution_id) | {"node_id": identifier.node_id}


def attempt_key(identifier: identifier_pb2.TaskExecutionIdentifier) -> Row:
    """Return the columns that identify an attempt."""
    attempt_number = {"retry_attempt": identifier.retry_attempt}
    return node_key(identifier.node_execution_id) | entity_key(identifier.task_id) | attempt_number


def entity_key(identifier: identifier_pb2.Identifier) -> Row:
    """Return the columns that identify a task, a workflow or a launch plan."""
    return {
        "project": identifier.project,
        "domain": identifier.domain,
        "name": identifier.name,
        "version": identifier.version,
    }


def execution(message: execution_pb2.Execution, now: int) -> Row:
    """Return the row of an execution."""
    spec, closure = message.spec, message.closure
    is_task = spec.launch_plan.resource_type == identifier_pb2.TASK
    launched = owner(*entity_key(spec.launch_plan).values())
    return {
        **_base(closure, now),
        **execution_key(message.id),
        "launch_plan_id": None if is_task else launched,
        "workflow_id": owner(*entity_key(closure.workflow_id).values()),
        "task_id": launched if is_task else None,
        "phase": enum_name(core_execution_pb2.WorkflowExecution.Phase, closure.phase),
        **_times(closure, "execution"),
        "abort_cause": closure.abort_metadata.cause or closure.abort_cause,
        "mode": spec.metadata.mode,
        "cluster": spec.metadata.system_metadata.execution_cluster,
        **_error(closure),
        "user": spec.metadata.principal,
        "state": closure.state_change_details.state,
        "launch_entity": enum_name(identifier_pb2.ResourceType, spec.launch_plan.resource_type).lower(),
        "message": message.SerializeToString(),
    }


def tags(message: execution_pb2.Execution, now: int) -> list[Row]:
    """Return the rows that make the labels and tags of an execution something to filter by."""
    pairs = [*message.spec.labels.values.items(), *((tag, "") for tag in message.spec.tags)]
    base = {"created_at": now, "updated_at": now, **execution_key(message.id)}
    return [{**base, "key": key, "value": value} for key, value in pairs]


def node(message: node_execution_pb2.NodeExecution, parent_id: str, now: int) -> Row:
    """Return the row of a node execution; an empty parent is the top level."""
    closure = message.closure
    cached = enum_name(catalog_pb2.CatalogCacheStatus, closure.task_node_metadata.cache_status)
    return {
        **_base(closure, now),
        **node_key(message.id),
        "phase": enum_name(core_execution_pb2.NodeExecution.Phase, closure.phase),
        "input_uri": message.input_uri,
        **_times(closure, "node_execution"),
        "parent_id": parent_id or None,
        **_error(closure),
        "cache_status": cached if closure.HasField("task_node_metadata") else None,
        "message": message.SerializeToString(),
    }


def attempt(message: task_execution_pb2.TaskExecution, now: int) -> Row:
    """Return the row of one attempt of a task."""
    closure = message.closure
    return {
        **_base(closure, now),
        **attempt_key(message.id),
        "phase": enum_name(core_execution_pb2.TaskExecution.Phase, closure.phase),
        "phase_version": 0,
        "input_uri": message.input_uri,
        **_times(closure, "task_execution"),
        "message": message.SerializeToString(),
    }


def task(message: task_pb2.Task, now: int) -> Row:
    """Return the row of a task."""
    return {
        **_base(message.closure, now),
        **entity_key(message.id),
        "type": message.closure.compiled_task.template.type,
        "short_description": message.short_description,
        "message": message.SerializeToString(),
    }


def workflow(message: workflow_pb2.Workflow, now: int) -> Row:
    """Return the row of a workflow, with what a list shows of it."""
    listed = workflow_pb2.Workflow(id=message.id, short_description=message.short_description)
    shown, closure = listed.closure, message.closure
    shown.compiled_workflow.primary.template.interface.CopyFrom(closure.compiled_workflow.primary.template.interface)
    if closure.HasField("created_at"):
        shown.created_at.CopyFrom(closure.created_at)
    return {
        **_base(closure, now),
        **entity_key(message.id),
        "short_description": message.short_description,
        "message": message.SerializeToString(),
        "listed": listed.SerializeToString(),
    }


def launch_plan(message: launch_plan_pb2.LaunchPlan, now: int) -> Row:
    """Return the row of a launch plan."""
    schedule = message.spec.entity_metadata.schedule.WhichOneof("ScheduleExpression")
    kinds = {None: "NONE", "rate": "RATE"}
    return {
        **_base(message.closure, now),
        **entity_key(message.id),
        "workflow_id": owner(*entity_key(message.spec.workflow_id).values()),
        "state": message.closure.state,
        "schedule_type": kinds.get(schedule, "CRON"),
        "launch_condition_type": None,
        "message": message.SerializeToString(),
    }


def description(message: description_entity_pb2.DescriptionEntity, now: int) -> Row:
    """Return the row of the description of a version of an entity."""
    return {
        "created_at": now,
        "updated_at": now,
        "resource_type": message.id.resource_type,
        **entity_key(message.id),
        "short_description": message.short_description,
        "link": message.source_code.link,
        "message": message.SerializeToString(),
    }


def signal(message: signal_pb2.Signal, now: int) -> Row:
    """Return the row of a signal."""
    return {
        "created_at": now,
        "updated_at": now,
        **execution_key(message.id.execution_id),
        "signal_id": message.id.signal_id,
        "message": message.SerializeToString(),
    }


def project(message: project_pb2.Project, now: int) -> Row:
    """Return the row of a project."""
    return {
        "created_at": now,
        "updated_at": now,
        "identifier": message.id,
        "name": message.name,
        "description": message.description,
        "state": message.state,
        "message": message.SerializeToString(),
    }


def named_entity(message: common_pb2.NamedEntity, now: int) -> Row:
    """Return the row of what all versions of an entity share."""
    return {
        "created_at": now,
        "updated_at": now,
        "resource_type": message.resource_type,
        "project": message.id.project,
        "domain": message.id.domain,
        "name": message.id.name,
        "description": message.metadata.description,
        "state": message.metadata.state,
    }


def _base(closure: Any, now: int) -> Row:
    # The closure's own times, so that imported rows sort as they did where they come from.
    created = _instant(closure.created_at) if closure.HasField("created_at") else now
    has_updated = "updated_at" in closure.DESCRIPTOR.fields_by_name and closure.HasField("updated_at")
    return {"created_at": created, "updated_at": _instant(closure.updated_at) if has_updated else created}


def _times(closure: Any, kind: str) -> Row:
    def instant(field: str) -> int | None:
        return _instant(getattr(closure, field)) if closure.HasField(field) else None

    return {
        "started_at": instant("started_at"),
        f"{kind}_created_at": instant("created_at"),
        f"{kind}_updated_at": instant("updated_at"),
        "duration": _span(closure.duration),
    }


def _error(closure: Any) -> Row:
    if not closure.HasField("error"):
        return {"error_kind": None, "error_code": None}
    kind = enum_name(core_execution_pb2.ExecutionError.ErrorKind, closure.error.kind)
    # What a task calls its error is not refused: it would be tried again for ever.
    return {"error_kind": kind, "error_code": closure.error.code.replace("\0", "")}


def _instant(stamp: Timestamp) -> int:
    return stamp.seconds * 1_000_000_000 + stamp.nanos


def _span(duration: Duration) -> int:
    return duration.seconds * 1_000_000_000 + duration.nanos
