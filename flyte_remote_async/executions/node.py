"""Nodes of executions."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
from flyteidl.admin import node_execution_pb2

from flyte_remote_async.executions.below import Below, NodeParts, evidence_of
from flyte_remote_async.models.identifiers import NodeExecutionIdentifier
from flyte_remote_async.models.message import canonical_bytes, parse
from flyte_remote_async.models.phases import NodeKind, NodePhase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.models.node_executions import NodeExecutionClosure, NodeExecutionMetaData
    from flyte_remote_async.models.outcomes import ExecutionError
    from flyte_remote_async.policy.node_kinds import Evidence

__all__ = ["FlyteNodeExecution"]


# Nobody makes a snapshot through its base class, so its constructor may take more.
@attrs.frozen(init=False, eq=False, repr=False)
class FlyteNodeExecution(NodeParts):  # type: ignore[override]
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
