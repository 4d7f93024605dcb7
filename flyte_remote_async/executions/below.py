"""What was read below a node of an execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from flyteidl.admin import node_execution_pb2

from flyte_remote_async.errors import NotSyncedError
from flyte_remote_async.executions.base import RemoteExecutionBase
from flyte_remote_async.models.phases import NodeKind, NodePhase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.executions.node import FlyteNodeExecution
    from flyte_remote_async.executions.tree import Part
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.models.identifiers import Identifier
    from flyte_remote_async.models.outcomes import ExternalResource
    from flyte_remote_async.policy.node_kinds import Evidence
    from flyte_remote_async.policy.sync_plan import Coverage

__all__ = ["Below", "NodeParts", "evidence_of"]

T = TypeVar("T")

_WITH_ATTEMPTS: Final = frozenset({NodeKind.TASK, NodeKind.DYNAMIC, NodeKind.ARRAY})


class Below(NamedTuple):
    """What was read below a node; None is what was not read.

    Attributes:
        nodes: The node executions of a parent.
        attempts: The attempts of its task, in order.
        executions: The executions that a launch-plan node started.
        problem: Why something below could not be read, or makes no sense.
        interface: What goes in and out, where the definition behind the node is known.
        covers: What was read of a part that has ended and is settled; None while it may change.
    """

    nodes: tuple[FlyteNodeExecution, ...] | None = None
    attempts: tuple[FlyteTaskExecution, ...] | None = None
    executions: tuple[FlyteWorkflowExecution, ...] | None = None
    problem: str | None = None
    interface: TypedInterface | None = None
    covers: Coverage | None = None


def evidence_of(
    message: node_execution_pb2.NodeExecution, *, attempts: int | None = None, children: Sequence[str] | None = None
) -> Evidence:
    """Return what a node execution shows of its kind.

    Args:
        message: The node execution.
        attempts: How many attempts it has, where they were read.
        children: Ids in the workflow of the nodes below it, where they were read.
    """
    closure, metadata = message.closure, message.metadata
    from flyte_remote_async.policy.node_kinds import Evidence

    return Evidence(
        spec_node_id=metadata.spec_node_id or message.id.node_id,
        is_parent=metadata.is_parent_node or bool(children),
        is_dynamic=metadata.is_dynamic,
        is_array=metadata.is_array,
        is_eager=metadata.is_eager,
        starts_execution=bool(closure.workflow_node_metadata.executionId.name),
        has_task_metadata=closure.HasField("task_node_metadata"),
        is_started=closure.HasField("started_at"),
        is_successful=NodePhase(closure.phase) is NodePhase.SUCCEEDED,
        attempts=attempts,
        children=children,
    )


class NodeParts(RemoteExecutionBase[node_execution_pb2.NodeExecution]):
    """The parts of a :class:`FlyteNodeExecution`."""

    __slots__ = ()

    if TYPE_CHECKING:
        _below: Below

        # They are worked out once and kept, which takes the slots of the class itself.
        @property
        def _evidence(self) -> Evidence: ...
        @property
        def kind(self) -> NodeKind: ...  # noqa: D102 - where it is made
        @property
        def subworkflow_node_executions(self) -> Mapping[str, FlyteNodeExecution]: ...  # noqa: D102 - the same

    def covers(self, wanted: Coverage) -> bool:
        """Whether the node is settled and all that is wanted was read, so that it need not be read again."""
        return self._below.covers is not None and self._below.covers.includes(wanted)

    @property
    def task_id(self) -> Identifier | None:
        """The task that the node runs, as its attempts tell; None when they were not read or there are none."""
        return self._below.attempts[-1].id.task_id if self._below.attempts else None

    @property
    def has_nodes(self) -> bool:
        """Whether the nodes below it were read."""
        return self._below.nodes is not None

    @property
    def has_attempts(self) -> bool:
        """Whether the attempts of its task were read."""
        return self._below.attempts is not None

    @property
    def child_executions(self) -> tuple[FlyteWorkflowExecution, ...]:
        """The child executions that were read; empty where there are none or they were not read."""
        return self._below.executions or ()

    @property
    def task_executions(self) -> Sequence[FlyteTaskExecution]:
        """The attempts of the node's task, in order; empty for nodes that run no task.

        Raises:
            NotSyncedError: They were not read.
        """
        if self._below.attempts is None and not self._may_have_attempts:
            return ()
        return self._read(self._below.attempts, "attempts", "sync_nodes=True, attempts=True")

    @property
    def workflow_executions(self) -> Sequence[FlyteWorkflowExecution]:
        """The executions that a launch-plan node started; empty for other kinds.

        Raises:
            NotSyncedError: They were not read.
        """
        if self._below.executions is None and not self._evidence.starts_execution:
            return ()
        return self._read(self._below.executions, "child executions", "sync_nodes=True")

    @property
    def executions(self) -> Sequence[FlyteTaskExecution | FlyteNodeExecution | FlyteWorkflowExecution]:
        """What runs for the node: attempts, or the nodes or executions below it.

        Raises:
            NotSyncedError: They were not read.
        """
        return self.task_executions or self.workflow_executions or tuple(self.subworkflow_node_executions.values())

    @property
    def subtasks(self) -> Sequence[ExternalResource]:
        """The elements of an array node, as its last attempt reports them; empty for other kinds.

        Raises:
            NotSyncedError: The attempts were not read.
        """
        attempts = self.task_executions if self.kind is NodeKind.ARRAY else ()
        return attempts[-1].external_resources if attempts else ()

    def _read(self, part: tuple[T, ...] | None, what: str, how: str) -> tuple[T, ...]:
        if part is not None:
            return part
        if self._below.problem is not None:
            reason = f"the {what} of {self.description} could not be read: {self._below.problem}"
        else:
            reason = f"the {what} of {self.description} were not read: `await execution.sync({how})` reads them"
        raise NotSyncedError(reason)

    @property
    def _may_have_attempts(self) -> bool:
        from flyte_remote_async.policy.node_kinds import kind_of

        return self._evidence.is_eager or kind_of(self._evidence) in _WITH_ATTEMPTS

    def _parts(self) -> tuple[Part, ...]:
        below = self._below
        return (*(below.nodes or ()), *(below.attempts or ()), *(below.executions or ()))
