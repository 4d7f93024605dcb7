"""Executions and nodes while their trees are being read, and the snapshots that are made of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from flyte_remote_async.executions.attempt import FlyteTaskExecution
from flyte_remote_async.executions.below import Below
from flyte_remote_async.executions.node import FlyteNodeExecution
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.identifiers import Identifier
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyteidl.admin import execution_pb2, node_execution_pb2, signal_pb2, task_execution_pb2

    from flyte_remote_async.entities import FlyteLaunchPlan, FlyteNode, FlyteTask, FlyteWorkflow
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.models.signals import Signal
    from flyte_remote_async.policy.sync_plan import Coverage

__all__ = ["Context", "ExecutionDraft", "NodeDraft", "present"]

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return a value that the order of work has put there."""
    assert value is not None  # noqa: S101 - a wrong order would be a bug of this package
    return value


_NO_NODES: Final[Mapping[str, FlyteNode]] = MappingProxyType({})


def _by_id(workflow: FlyteWorkflow) -> Mapping[str, FlyteNode]:
    nodes = (*workflow.nodes, *filter(None, (workflow.failure_node,)))
    return {node.id: node for node in nodes}


def _interface_of(node: FlyteNode) -> TypedInterface | None:
    entity: FlyteTask | FlyteWorkflow | FlyteLaunchPlan | None = None
    if node.task_node is not None:
        entity = node.task_node.flyte_task
    elif node.workflow_node is not None:
        entity = node.workflow_node.flyte_workflow or node.workflow_node.flyte_launch_plan
    return entity.interface if entity else None


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
    is_cut: bool = False
    nodes: list[NodeDraft] | None = None
    data: ExecutionData | None = None
    # What was read of its signals; empty where no node may wait for one.
    signals: Sequence[signal_pb2.Signal] = ()
    are_signals_asked: bool = False
    definitions: Mapping[str, FlyteNode] = _NO_NODES
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
        return {} if self.old is None else {node.id.node_id: node for node in self.old.known_nodes}

    @property
    def workflow_id(self) -> Identifier:
        """The workflow that it runs."""
        return Identifier.from_flyte_idl(present(self.message).closure.workflow_id)

    def define(self, context: Context) -> None:
        """Take in the definitions of the top-level nodes, where they were read."""
        workflow = context.workflows.get(self.workflow_id) if self.message else None
        if workflow is not None:
            self.definitions = _by_id(workflow)

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
        settled = (
            self.is_final
            and not self.is_cut
            and nodes is not None
            and all(node.covers(context.wanted) for node in nodes)
        )
        self.snapshot = FlyteWorkflowExecution.from_flyte_idl(
            self.message,
            remote=context.remote,
            type_hints=self.old.type_hints if self.old else None,
            nodes=nodes,
            covers=context.wanted if settled else None,
            workflow=context.workflows.get(self.workflow_id),
            data=self.data,
            signals=self._signals() if context.wanted.signals else None,
            is_cut=self.is_cut,
        )
        # What is below knows what is above: both ways round, drafts would stay until all garbage is collected.
        self.nodes = None

    def _signals(self) -> tuple[Signal, ...]:
        if not self.signals:
            return ()
        from flyte_remote_async.models.signals import Signal  # a program that meets no gate does without

        return tuple(map(Signal.from_flyte_idl, self.signals))


@attrs.define(eq=False)
class NodeDraft:
    """A node whose subtree is being read; what is None was not read (yet)."""

    message: node_execution_pb2.NodeExecution
    owner: ExecutionDraft | NodeDraft
    old: FlyteNodeExecution | None
    execution: ExecutionDraft = attrs.field(init=False)
    nodes: list[NodeDraft] | None = None
    attempts: list[task_execution_pb2.TaskExecution] | None = None
    child: ExecutionDraft | None = None
    problem: str | None = None
    data: ExecutionData | None = None
    definition: FlyteNode | None = None
    definitions: Mapping[str, FlyteNode] = _NO_NODES
    snapshot: FlyteNodeExecution | None = None

    def __attrs_post_init__(self) -> None:
        self.execution = self.owner.execution if isinstance(self.owner, NodeDraft) else self.owner

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

    def define(self, context: Context) -> None:  # noqa: ARG002 - an execution needs it
        """Take in the definition of the node and of those below it; that of what is above was taken in before."""
        spec_id = self.message.metadata.spec_node_id or self.message.id.node_id
        self.definition = self.owner.definitions.get(spec_id)
        branch = self.definition.branch_node if self.definition else None
        workflow = self.definition.workflow_node if self.definition else None
        if branch is not None:
            self.definitions = {node.id: node for node in branch.nodes}
        elif workflow is not None and workflow.flyte_workflow is not None:
            self.definitions = _by_id(workflow.flyte_workflow)

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
        self.nodes = self.child = None

    def _attempt(self, message: task_execution_pb2.TaskExecution, context: Context) -> FlyteTaskExecution:
        task = context.tasks.get(Identifier.from_flyte_idl(message.id.task_id))
        return FlyteTaskExecution.from_flyte_idl(message, remote=context.remote, task=task)

    def _interface(self, context: Context) -> TypedInterface | None:
        if self.task_id is not None:
            task = context.tasks.get(self.task_id)
            return task.interface if task else None
        if self.child and self.child.snapshot and self.child.snapshot.flyte_workflow:
            return self.child.snapshot.flyte_workflow.interface
        return _interface_of(self.definition) if self.definition else None

    def _is_settled(self, below: Below, wanted: Coverage) -> bool:
        if not self.is_final or below.problem is not None:
            return False
        nodes_settled = all(node.covers(wanted) for node in below.nodes or ())
        executions_settled = all(execution.covers(wanted) for execution in below.executions or ())
        attempts_ended = self.execution.is_final or all(
            TaskPhase(attempt.closure.phase).is_terminal for attempt in self.attempts or ()
        )
        return attempts_ended and nodes_settled and executions_settled
