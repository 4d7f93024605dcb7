"""From an execution that was made by hand to the messages that Flyte would have of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flyteidl.admin import (
    execution_pb2,
    launch_plan_pb2,
    node_execution_pb2,
    task_execution_pb2,
    task_pb2,
    workflow_pb2,
)
from flyteidl.core import execution_pb2 as core_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.naming import Place, attempt_name, root_uri
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.testing.values import literal_map, variables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from flyte_remote_async.testing.builders import BuiltAttempt, BuiltExecution, BuiltNode

__all__ = ["Writer"]

_START, _END = "start-node", "end-node"
_NOT_STARTED: Final = (0, 1)
"""UNDEFINED and QUEUED, of executions, nodes and attempts alike."""


class Writer:
    """Writes one execution.

    Args:
        built: The execution.
    """

    def __init__(self, built: BuiltExecution) -> None:
        self._built = built
        self._id = identifier_pb2.WorkflowExecutionIdentifier(
            project=built.project, domain=built.domain, name=built.name
        )
        self._written: list[tuple[str, str, Message]] = []
        self._tasks: dict[str, task_pb2.Task] = {}

    def messages(self) -> list[tuple[str, str, Message]]:
        """Return the kind, the key and the message of all that there is to know."""
        self._execution()
        self._definition()
        root = root_uri(self._id)
        self._level(self._built.nodes, None, root, has_succeeded=self._built.phase is WorkflowPhase.SUCCEEDED)
        for name, task in self._tasks.items():
            self._add("TASK", f"{self._built.project}/{self._built.domain}/{name}/{self._built.version}", task)
        return self._written

    def _add(self, kind: str, key: str, message: Message) -> None:
        self._written.append((kind, key, message))

    def _identifier(self, kind: identifier_pb2.ResourceType, name: str) -> identifier_pb2.Identifier:
        built = self._built
        return identifier_pb2.Identifier(
            resource_type=kind, project=built.project, domain=built.domain, name=name, version=built.version
        )

    def _date(self, closure: Any, *, is_terminal: bool, phase: int) -> None:
        """Fill in the times of something that is in a phase."""
        ended = self._built.created_at + self._built.duration
        closure.created_at.FromDatetime(self._built.created_at)
        closure.updated_at.FromDatetime(ended if is_terminal else self._built.created_at)
        if phase not in _NOT_STARTED:
            closure.started_at.FromDatetime(self._built.created_at)
            if is_terminal:
                closure.duration.FromTimedelta(self._built.duration)

    # --- the execution and what it runs ---

    def _execution(self) -> None:
        built = self._built
        message = execution_pb2.Execution(id=self._id)
        message.spec.launch_plan.CopyFrom(self._identifier(identifier_pb2.LAUNCH_PLAN, built.workflow))
        message.spec.labels.values.update(built.labels)
        closure = message.closure
        closure.phase = cast("Any", int(built.phase))
        closure.workflow_id.CopyFrom(self._identifier(identifier_pb2.WORKFLOW, built.workflow))
        self._date(closure, is_terminal=built.phase.is_terminal, phase=built.phase)
        if built.phase in (WorkflowPhase.ABORTED, WorkflowPhase.ABORTING):
            closure.abort_metadata.cause = built.abort_cause
        elif built.error is not None:
            closure.error.CopyFrom(built.error)
        elif built.phase is WorkflowPhase.SUCCEEDED:
            closure.outputs.uri = Place.at_top(root_uri(self._id), _END).outputs_uri()
        self._add("EXECUTION", built.name, message)
        data = execution_pb2.WorkflowExecutionGetDataResponse(
            full_inputs=literal_map(built.inputs), full_outputs=literal_map(built.outputs)
        )
        self._add("EXECUTION_DATA", built.name, data)

    def _definition(self) -> None:
        built = self._built
        key = f"{built.project}/{built.domain}/{built.workflow}/{built.version}"
        workflow = workflow_pb2.Workflow(id=self._identifier(identifier_pb2.WORKFLOW, built.workflow))
        template = workflow.closure.compiled_workflow.primary.template
        template.id.CopyFrom(workflow.id)
        template.interface.inputs.CopyFrom(variables(built.inputs))
        template.interface.outputs.CopyFrom(variables(built.outputs))
        workflow.closure.created_at.FromDatetime(built.created_at)
        self._add("WORKFLOW", key, workflow)
        plan = launch_plan_pb2.LaunchPlan(id=self._identifier(identifier_pb2.LAUNCH_PLAN, built.workflow))
        plan.spec.workflow_id.CopyFrom(workflow.id)
        plan.closure.expected_outputs.CopyFrom(template.interface.outputs)
        for name, variable in template.interface.inputs.variables.items():
            plan.closure.expected_inputs.parameters[name].var.CopyFrom(variable)
            plan.closure.expected_inputs.parameters[name].required = True
        plan.closure.created_at.FromDatetime(built.created_at)
        self._add("LAUNCH_PLAN", key, plan)

    # --- nodes ---

    def _level(self, nodes: Sequence[BuiltNode], parent: Place | None, root: str, *, has_succeeded: bool) -> None:
        """Write the nodes of a workflow, its start and its end included."""
        if not nodes:
            return

        def place(node_id: str) -> Place:
            return parent.inside(node_id) if parent else Place.at_top(root, node_id)

        self._row(place(_START), NodePhase.SUCCEEDED)
        for node in nodes:
            self._node(node, place(node.node_id), root)
        if has_succeeded:
            self._row(place(_END), NodePhase.SUCCEEDED)

    def _row(self, place: Place, phase: NodePhase) -> node_execution_pb2.NodeExecution:
        message = node_execution_pb2.NodeExecution()
        message.id.execution_id.CopyFrom(self._id)
        message.id.node_id = place.node_id
        message.metadata.spec_node_id = place.spec_id
        message.metadata.retry_group = place.retry_group
        message.closure.phase = cast("Any", int(phase))
        self._date(message.closure, is_terminal=phase.is_terminal, phase=phase)
        self._add("NODE_EXECUTION", f"{self._built.name}/{place.node_id}|{place.parent_id}", message)
        return message

    def _node(self, node: BuiltNode, place: Place, root: str) -> None:
        message = self._row(place, node.phase)
        message.input_uri = place.inputs_uri
        message.metadata.is_parent_node = bool(node.children)
        if node.error is not None:
            message.closure.error.CopyFrom(node.error)
        elif node.phase is NodePhase.SUCCEEDED:
            message.closure.output_uri = place.outputs_uri(max(len(node.attempts) - 1, 0))
        data = node_execution_pb2.NodeExecutionGetDataResponse(
            full_inputs=literal_map(node.inputs), full_outputs=literal_map(node.outputs)
        )
        self._add("NODE_EXECUTION_DATA", f"{self._built.name}/{place.node_id}", data)
        if node.children:
            self._level(node.children, place, root, has_succeeded=node.phase is NodePhase.SUCCEEDED)
            return
        self._task(node)
        message.closure.task_node_metadata.SetInParent()
        for number, attempt in enumerate(node.attempts):
            self._attempt(node, place, number, attempt)

    def _task(self, node: BuiltNode) -> None:
        task = self._tasks.setdefault(node.task, task_pb2.Task())
        task.id.CopyFrom(self._identifier(identifier_pb2.TASK, node.task))
        template = task.closure.compiled_task.template
        template.id.CopyFrom(task.id)
        template.type = "python-task"
        template.interface.inputs.MergeFrom(variables(node.inputs))
        template.interface.outputs.MergeFrom(variables(node.outputs))
        task.closure.created_at.FromDatetime(self._built.created_at)

    def _attempt(self, node: BuiltNode, place: Place, number: int, attempt: BuiltAttempt) -> None:
        message = task_execution_pb2.TaskExecution(input_uri=place.inputs_uri)
        message.id.task_id.CopyFrom(self._identifier(identifier_pb2.TASK, node.task))
        message.id.node_execution_id.execution_id.CopyFrom(self._id)
        message.id.node_execution_id.node_id = place.node_id
        message.id.retry_attempt = number
        closure = message.closure
        closure.phase = cast("Any", int(attempt.phase))
        closure.task_type = "python-task"
        closure.reason = attempt.reason
        closure.metadata.generated_name = attempt_name(self._built.name, place.node_id, number)
        self._date(closure, is_terminal=attempt.phase.is_terminal, phase=attempt.phase)
        for uri in attempt.logs:
            closure.logs.add(uri=uri, name="Logs", message_format=core_pb2.TaskLog.JSON)
        if attempt.error is not None:
            closure.error.CopyFrom(attempt.error)
        elif attempt.phase is TaskPhase.SUCCEEDED:
            closure.output_uri = place.outputs_uri(number)
        key = f"{self._built.name}/{place.node_id}/{node.task}/{number}"
        self._add("TASK_EXECUTION", key, message)
        is_last = number == len(node.attempts) - 1
        data = task_execution_pb2.TaskExecutionGetDataResponse(
            full_inputs=literal_map(node.inputs), full_outputs=literal_map(node.outputs if is_last else {})
        )
        self._add("TASK_EXECUTION_DATA", key, data)
