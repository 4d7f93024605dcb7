"""What can be written, as statements; the store runs them at once, a transaction keeps them for its end."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flyte_remote_async.devserver.store import rows
from flyte_remote_async.devserver.store.schema import TABLES
from flyte_remote_async.devserver.store.sql import delete, insert, upsert

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from flyteidl.admin import (
        common_pb2,
        description_entity_pb2,
        execution_pb2,
        launch_plan_pb2,
        matchable_resource_pb2,
        node_execution_pb2,
        project_pb2,
        signal_pb2,
        task_execution_pb2,
        task_pb2,
        workflow_pb2,
    )
    from flyteidl.core import identifier_pb2, literals_pb2

    from flyte_remote_async.devserver.store.sql import Statement

__all__ = ["Writes", "put"]

Written_co = TypeVar("Written_co", covariant=True)


class Writes(abc.ABC, Generic[Written_co]):
    """The writes that the store and its transactions share. Each message is read when it is handed over, not later."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock

    @abc.abstractmethod
    def _write(self, statements: Sequence[Statement]) -> Written_co:
        """Run the statements, or keep them."""

    def put_execution(self, message: execution_pb2.Execution) -> Written_co:
        """Insert or replace an execution. Its labels become something to filter by."""
        now = self._clock()
        return self._write(
            [
                put("executions", rows.execution(message, now)),
                delete("execution_tags", rows.execution_key(message.id)),
                *(insert("execution_tags", row) for row in rows.tags(message, now)),
            ]
        )

    def put_node(self, message: node_execution_pb2.NodeExecution, parent_id: str = "") -> Written_co:
        """Insert or replace a node execution.

        Args:
            message: The node execution.
            parent_id: Node id of the node that it is a child of; empty at the top level.
        """
        return self._write([put("node_executions", rows.node(message, parent_id, self._clock()))])

    def put_attempt(self, message: task_execution_pb2.TaskExecution) -> Written_co:
        """Insert or replace one attempt of a task."""
        return self._write([put("task_executions", rows.attempt(message, self._clock()))])

    def put_task(self, message: task_pb2.Task) -> Written_co:
        """Insert or replace a task."""
        return self._write([put("tasks", rows.task(message, self._clock()))])

    def put_workflow(self, message: workflow_pb2.Workflow) -> Written_co:
        """Insert or replace a workflow with its compiled closure."""
        return self._write([put("workflows", rows.workflow(message, self._clock()))])

    def put_launch_plan(self, message: launch_plan_pb2.LaunchPlan) -> Written_co:
        """Insert or replace a launch plan."""
        return self._write([put("launch_plans", rows.launch_plan(message, self._clock()))])

    def put_signal(self, message: signal_pb2.Signal) -> Written_co:
        """Insert or replace a signal."""
        return self._write([put("signals", rows.signal(message, self._clock()))])

    def put_project(self, message: project_pb2.Project) -> Written_co:
        """Insert or replace a project."""
        return self._write([put("projects", rows.project(message, self._clock()))])

    def put_named_entity(self, message: common_pb2.NamedEntity) -> Written_co:
        """Keep the description and the state that all versions of an entity share."""
        return self._write([put("named_entity_metadata", rows.named_entity(message, self._clock()))])

    def put_execution_data(
        self,
        identifier: identifier_pb2.WorkflowExecutionIdentifier,
        *,
        inputs: literals_pb2.LiteralMap | None = None,
        outputs: literals_pb2.LiteralMap | None = None,
        user_inputs: literals_pb2.LiteralMap | None = None,
    ) -> Written_co:
        """Keep the inputs, the outputs or the inputs that the caller gave; None leaves that side as it is."""
        key = rows.execution_key(identifier).values()
        return self._put_data(key, inputs=inputs, outputs=outputs, user_inputs=user_inputs)

    def put_node_data(
        self,
        identifier: identifier_pb2.NodeExecutionIdentifier,
        *,
        inputs: literals_pb2.LiteralMap | None = None,
        outputs: literals_pb2.LiteralMap | None = None,
        dynamic_workflow: node_execution_pb2.DynamicWorkflowNodeMetadata | None = None,
    ) -> Written_co:
        """Keep the inputs, the outputs or the dynamic workflow of a node; None leaves that side as it is."""
        key = rows.node_key(identifier).values()
        return self._put_data(key, inputs=inputs, outputs=outputs, dynamic_workflow=dynamic_workflow)

    def put_attempt_data(
        self,
        identifier: identifier_pb2.TaskExecutionIdentifier,
        *,
        inputs: literals_pb2.LiteralMap | None = None,
        outputs: literals_pb2.LiteralMap | None = None,
    ) -> Written_co:
        """Keep the inputs or the outputs of an attempt; None leaves that side as it is."""
        return self._put_data(rows.attempt_key(identifier).values(), inputs=inputs, outputs=outputs)

    def put_description(self, message: description_entity_pb2.DescriptionEntity) -> Written_co:
        """Insert or replace the description of a version of a task or workflow."""
        return self._write([put("description_entities", rows.description(message, self._clock()))])

    def put_attributes(self, scope: rows.Row, attributes: matchable_resource_pb2.MatchingAttributes) -> Written_co:
        """Keep matchable attributes; the scope has a value for each column of the key, and the priority."""
        now = self._clock()
        row = {"created_at": now, "updated_at": now, **scope, "attributes": attributes.SerializeToString()}
        return self._write([put("resources", row)])

    def delete_attributes(self, scope: rows.Row) -> Written_co:
        """Forget the matchable attributes that have these values."""
        return self._write([delete("resources", scope)])

    def put_dynamic_workflow(
        self,
        identifier: identifier_pb2.NodeExecutionIdentifier,
        message: node_execution_pb2.DynamicNodeWorkflowResponse,
    ) -> Written_co:
        """Keep the workflow that a dynamic node compiled."""
        owner = rows.owner(*rows.node_key(identifier).values())
        return self._write([put("dynamic_workflows", {"owner": owner, "message": message.SerializeToString()})])

    def put_last_run(self, identifier: identifier_pb2.Identifier, instant: dt.datetime) -> Written_co:
        """Keep when a scheduled launch plan was due last."""
        owner = rows.owner(*rows.entity_key(identifier).values())
        return self._write([put("schedules", {"owner": owner, "last_run": instant.isoformat()})])

    def _put_data(self, key: Iterable[Any], **sides: Any) -> Written_co:
        given = {side: message.SerializeToString() for side, message in sides.items() if message is not None}
        return self._write([put("data", {"owner": rows.owner(*key), **given})])


def put(table: str, row: rows.Row) -> Statement:
    """Return the write of one row."""
    return upsert(table, TABLES[table].key, row)
