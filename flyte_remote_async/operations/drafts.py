"""Executions and nodes while their trees are being read, and the snapshots that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from flyte_remote_async.executions.attempt import FlyteTaskExecution
from flyte_remote_async.executions.node import Below, FlyteNodeExecution
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.identifiers import Identifier
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2

    from flyte_remote_async.entities import FlyteTask, FlyteWorkflow
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.policy.sync_plan import Coverage

__all__ = ["Context", "ExecutionDraft", "NodeDraft", "present"]

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return a value that the order of work has put there."""
    assert value is not None  # noqa: S101 - a wrong order would be a bug of this package
    return value


@attrs.frozen
class Context:
    """What all snapshots of one look share.

    Attributes:
        remote: What they are bound to.
        wanted: What was read along with the nodes.
        tasks: Definitions of the tasks that ran, where they were read.
        workflows: Definitions of the workflows, where they were read.
    """

    remote: Remote
    wanted: Coverage
    tasks: Mapping[Identifier, FlyteTask | None]
    workflows: Mapping[Identifier, FlyteWorkflow | None]


@attrs.define(eq=False)
class ExecutionDraft:
    """An execution whose tree is being read; what is None was not read (yet)."""

    id: WorkflowExecutionIdentifier
    old: FlyteWorkflowExecution | None
    node: NodeDraft | None = None
    message: execution_pb2.Execution | None = None
    nodes: list[NodeDraft] | None = None
    data: ExecutionData | None = None
    snapshot: FlyteWorkflowExecution | None = None
    # Ids of the nodes whose level was asked for.
    parents: set[str] = attrs.field(factory=set)

    @property
    def is_final(self) -> bool:
        """Whether the execution has ended, so that nothing below it moves any more."""
        return self.message is not None and WorkflowPhase(self.message.closure.phase).is_terminal

    @property
    def old_nodes(self) -> Mapping[str, FlyteNodeExecution]:
        """The top-level nodes of the snapshot before."""
        return {} if self.old is None or not self.old.has_nodes else self.old.node_executions

    def is_within(self, id: WorkflowExecutionIdentifier) -> bool:
        """Whether this is the execution of that name, or one below it."""
        draft: ExecutionDraft | None = self
        while draft is not None:
            if draft.id == id:
                return True
            draft = draft.node.execution if draft.node else None
        return False

    def make(self, context: Context) -> None:
        """Make the snapshot; those of its nodes are there."""
        if self.snapshot is not None or self.message is None:
            return
        nodes = None if self.nodes is None else tuple(present(node.snapshot) for node in self.nodes)
        settled = self.is_final and nodes is not None and all(node.covers(context.wanted) for node in nodes)
        workflow_id = Identifier.from_flyte_idl(self.message.closure.workflow_id)
        self.snapshot = FlyteWorkflowExecution.from_flyte_idl(
            self.message,
            remote=context.remote,
            type_hints=self.old.type_hints if self.old else None,
            nodes=nodes,
            covers=context.wanted if settled else None,
            workflow=context.workflows.get(workflow_id),
            data=self.data,
        )


@attrs.define(eq=False)
class NodeDraft:
    """A node whose subtree is being read; what is None was not read (yet)."""

    message: node_execution_pb2.NodeExecution
    execution: ExecutionDraft
    old: FlyteNodeExecution | None
    nodes: list[NodeDraft] | None = None
    attempts: list[task_execution_pb2.TaskExecution] | None = None
    child: ExecutionDraft | None = None
    problem: str | None = None
    data: ExecutionData | None = None
    snapshot: FlyteNodeExecution | None = None

    @property
    def is_final(self) -> bool:
        """Whether the node has ended, so that nothing below it moves any more."""
        return self.execution.is_final or NodePhase(self.message.closure.phase).is_terminal

    @property
    def task_id(self) -> Identifier | None:
        """The task that the node runs, as its attempts tell."""
        return Identifier.from_flyte_idl(self.attempts[-1].id.task_id) if self.attempts else None

    @property
    def old_nodes(self) -> Mapping[str, FlyteNodeExecution]:
        """The nodes below it in the snapshot before."""
        return {} if self.old is None or not self.old.has_nodes else self.old.subworkflow_node_executions

    def make(self, context: Context) -> None:
        """Make the snapshot; those of what is below it are there."""
        if self.snapshot is not None:
            return
        attempts = None if self.attempts is None else tuple(self._attempt(one, context) for one in self.attempts)
        child = self.child.snapshot if self.child else None
        below = Below(
            nodes=None if self.nodes is None else tuple(present(node.snapshot) for node in self.nodes),
            attempts=attempts,
            executions=None if child is None else (child,),
            problem=self.problem,
            interface=self._interface(context),
        )
        if self._is_settled(below, context.wanted):
            below = below._replace(covers=context.wanted)
        self.snapshot = FlyteNodeExecution.from_flyte_idl(
            self.message, remote=context.remote, below=below, data=self.data
        )

    def _attempt(self, message: task_execution_pb2.TaskExecution, context: Context) -> FlyteTaskExecution:
        task = context.tasks.get(Identifier.from_flyte_idl(message.id.task_id))
        return FlyteTaskExecution.from_flyte_idl(message, remote=context.remote, task=task)

    def _interface(self, context: Context) -> TypedInterface | None:
        if self.task_id is not None:
            task = context.tasks.get(self.task_id)
            return task.interface if task else None
        if self.child and self.child.snapshot and self.child.snapshot.flyte_workflow:
            return self.child.snapshot.flyte_workflow.interface
        return None

    def _is_settled(self, below: Below, wanted: Coverage) -> bool:
        if not self.is_final or below.problem is not None:
            return False
        nodes_settled = all(node.covers(wanted) for node in below.nodes or ())
        executions_settled = all(execution.covers(wanted) for execution in below.executions or ())
        attempts_ended = self.execution.is_final or all(
            TaskPhase(attempt.closure.phase).is_terminal for attempt in self.attempts or ()
        )
        return attempts_ended and nodes_settled and executions_settled
