"""Nodes of executions."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar

import attrs
from flyteidl.admin import node_execution_pb2

from flyte_remote_async.errors import NotSyncedError
from flyte_remote_async.executions.base import RemoteExecutionBase
from flyte_remote_async.models.identifiers import NodeExecutionIdentifier
from flyte_remote_async.models.message import canonical_bytes, parse
from flyte_remote_async.models.phases import NodeKind, NodePhase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.executions.tree import Part
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.models.identifiers import Identifier
    from flyte_remote_async.models.node_executions import NodeExecutionClosure, NodeExecutionMetaData
    from flyte_remote_async.models.outcomes import ExecutionError, ExternalResource
    from flyte_remote_async.policy.node_kinds import Evidence
    from flyte_remote_async.policy.sync_plan import Coverage

__all__ = ["Below", "FlyteNodeExecution", "evidence_of"]

T = TypeVar("T")


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


# Nobody makes a snapshot through its base class, so its constructor may take more.
@attrs.frozen(init=False, eq=False, repr=False)
class FlyteNodeExecution(RemoteExecutionBase[node_execution_pb2.NodeExecution]):  # type: ignore[override]
    """A node of an execution (``admin.NodeExecution``), as it was when it was read, with what was read below it.

    Attributes:
        id: Which node of which execution it is.
        phase: How far it is.
    """

    message_type: ClassVar[type[Any]] = node_execution_pb2.NodeExecution

    id: NodeExecutionIdentifier
    phase: NodePhase
    _below: Below = attrs.field(factory=Below, kw_only=True)

    def __init__(
        self,
        id: NodeExecutionIdentifier,
        input_uri: str,
        closure: NodeExecutionClosure,
        metadata: NodeExecutionMetaData,
    ) -> None:
        """Make a snapshot by hand; it knows no remote.

        Args:
            id: Which node it is.
            input_uri: Where its inputs are stored.
            closure: How far it is, and what came of it.
            metadata: What Flyte notes on the node.
        """
        message = node_execution_pb2.NodeExecution(
            id=id.to_flyte_idl(),
            input_uri=input_uri,
            closure=closure.to_flyte_idl(),
            metadata=metadata.to_flyte_idl(),
        )
        self.__attrs_init__(canonical_bytes(message), id, closure.phase)

    @classmethod
    def from_flyte_idl(
        cls,
        p: node_execution_pb2.NodeExecution,
        *,
        remote: Remote | None = None,
        below: Below | None = None,
        data: ExecutionData | None = None,
    ) -> Self:
        """Return the snapshot of a protobuf message.

        Args:
            p: The message.
            remote: Where it came from; without one it cannot load its data.
            below: What was read below the node.
            data: Its inputs and outputs, where they were read along.
        """
        self = cls.__new__(cls)
        self.__attrs_init__(
            canonical_bytes(p),
            NodeExecutionIdentifier.from_flyte_idl(p.id),
            NodePhase(p.closure.phase),
            remote=remote,
            data_read=data,
            below=below or Below(),
        )
        return self

    @classmethod
    def promote_from_model(cls, base_model: FlyteNodeExecution | node_execution_pb2.NodeExecution) -> Self:
        """Return the snapshot of a plain model: a protobuf message, or another snapshot's content."""
        return cls.from_flyte_idl(
            base_model.to_flyte_idl() if isinstance(base_model, FlyteNodeExecution) else base_model
        )

    # --- the node itself ----------------------------------------------------------------------------------------

    @property
    def description(self) -> str:
        """What this is, in words."""
        return f"node {self.id}"

    @functools.cached_property
    def closure(self) -> NodeExecutionClosure:
        """How far the node is, and what came of it."""
        from flyte_remote_async.models.node_executions import NodeExecutionClosure

        return NodeExecutionClosure.from_flyte_idl(self.to_flyte_idl().closure)

    @functools.cached_property
    def metadata(self) -> NodeExecutionMetaData:
        """What Flyte notes on the node: its id in the workflow, and whether it is a parent, dynamic or an array."""
        from flyte_remote_async.models.node_executions import NodeExecutionMetaData

        return NodeExecutionMetaData.from_flyte_idl(self.to_flyte_idl().metadata)

    @functools.cached_property
    def input_uri(self) -> str:
        """Where the inputs are stored."""
        return self.to_flyte_idl().input_uri

    @property
    def spec_node_id(self) -> str:
        """The node's id in the workflow; its own id where the server notes none."""
        return self.metadata.spec_node_id or self.id.node_id

    @functools.cached_property
    def kind(self) -> NodeKind:
        """What kind of node it is, told by what it left behind; ``unknown`` where that makes no sense."""
        if self._below.problem is not None:
            return NodeKind.UNKNOWN
        from flyte_remote_async.policy.node_kinds import kind_of

        return kind_of(self._evidence)

    @property
    def problem(self) -> str | None:
        """Why the node is of kind ``unknown``, in words; None for a sound node."""
        if self._below.problem is None and self.kind is NodeKind.UNKNOWN:
            return f"the nodes below {self.description} are neither those of a subworkflow nor those of a branch"
        return self._below.problem

    @property
    def interface(self) -> TypedInterface | None:
        """The interface of the task, subworkflow or launch plan behind the node; None when it is not known."""
        return self._below.interface

    @property
    def is_done(self) -> bool:
        """Whether the node has ended; a skipped and a recovered node have."""
        return self.phase.is_terminal

    @property
    def is_successful(self) -> bool:
        """Whether the node has outputs: it succeeded, or was recovered."""
        return self.phase in {NodePhase.SUCCEEDED, NodePhase.RECOVERED}

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

    # --- what is below it ---------------------------------------------------------------------------------------

    @functools.cached_property
    def subworkflow_node_executions(self) -> Mapping[str, FlyteNodeExecution]:
        """The nodes below a subworkflow, dynamic, branch or array node by their id; empty for other kinds.

        Raises:
            NotSyncedError: They were not read.
        """
        if self._below.nodes is None and not self._evidence.is_parent:
            return MappingProxyType({})
        nodes = self._read(self._below.nodes, "nodes", "sync_nodes=True")
        return MappingProxyType({node.id.node_id: node for node in nodes})

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

    @functools.cached_property
    def _evidence(self) -> Evidence:
        nodes, attempts = self._below.nodes, self._below.attempts
        return evidence_of(
            self.to_flyte_idl(),
            attempts=None if attempts is None else len(attempts),
            children=None if nodes is None else [node.spec_node_id for node in nodes],
        )

    # --- as a part of a tree ------------------------------------------------------------------------------------

    @property
    def _phase(self) -> NodePhase:
        return self.phase

    @property
    def _closure_error(self) -> ExecutionError | None:
        error, attempts = self.closure.error, self._below.attempts
        # Lists cut the error of a node to 100 bytes; its last attempt has it whole.
        whole = attempts[-1].closure.error if error and attempts else None
        return whole if error and whole and whole.message.startswith(error.message) else error

    @property
    def error_truncated(self) -> bool:
        """Whether the message of the error may be cut: lists give its first 100 bytes, and attempts have it whole."""
        error = self.closure.error
        if error is None or self._closure_error is not error:
            return False
        from flyte_remote_async.models.outcomes import is_cut

        attempts = self._below.attempts
        whole = attempts[-1].closure.error if attempts else None
        return is_cut(error.message) and (whole is None or whole.message != error.message)

    def _record(self) -> tuple[Any, ...]:
        below = self._below
        counts = tuple(None if part is None else len(part) for part in (below.nodes, below.attempts, below.executions))
        return self._data, counts, below.problem, below.interface

    def _parts(self) -> tuple[Part, ...]:
        below = self._below
        return (*(below.nodes or ()), *(below.attempts or ()), *(below.executions or ()))

    @classmethod
    def _assemble(cls, record: tuple[Any, ...], parts: Sequence[Any]) -> Self:
        data, counts, problem, interface = record
        left = iter(parts)
        nodes, attempts, executions = (
            None if count is None else tuple(next(left) for _ in range(count)) for count in counts
        )
        below = Below(nodes=nodes, attempts=attempts, executions=executions, problem=problem, interface=interface)
        return cls.from_flyte_idl(parse(node_execution_pb2.NodeExecution, data), below=below)

    def _to_dict(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        from flyte_remote_async.executions.rendering import error_to_dict, times_to_dict

        left = iter(parts)
        below = self._below
        nodes, attempts, executions = (
            None if part is None else [next(left) for _ in part]
            for part in (below.nodes, below.attempts, below.executions)
        )
        cached = self.closure.task_node_metadata
        return {
            "id": self.id.node_id,
            "spec_node_id": self.spec_node_id,
            "kind": str(self.kind),
            "phase": self.phase.name,
            "is_done": self.is_done,
            **times_to_dict(self.closure),
            "cache_status": cached.cache_status.name if cached else None,
            "error": error_to_dict(self._closure_error),
            "problem": self.problem,
            "nodes": nodes,
            "attempts": attempts,
            "executions": executions,
        }

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"FlyteNodeExecution({self.id}, {self.kind}, {self.phase.name})"


_WITH_ATTEMPTS = frozenset({NodeKind.TASK, NodeKind.DYNAMIC, NodeKind.ARRAY})
