"""Executions of launch plans, workflows and single tasks."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
from flyteidl.admin import execution_pb2

from flyte_remote_async.errors import NotSyncedError
from flyte_remote_async.executions.verbs import ExecutionVerbs
from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
from flyte_remote_async.models.message import canonical_bytes, parse
from flyte_remote_async.models.phases import WorkflowPhase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyte_remote_async.entities import FlyteWorkflow
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.executions.failure import Explanation
    from flyte_remote_async.executions.node import FlyteNodeExecution
    from flyte_remote_async.executions.tree import Part
    from flyte_remote_async.models.executions import ExecutionClosure, ExecutionSpec
    from flyte_remote_async.models.outcomes import ExecutionError
    from flyte_remote_async.models.signals import Signal
    from flyte_remote_async.policy.sync_plan import Coverage

__all__ = ["FlyteWorkflowExecution"]


# Nobody makes a snapshot through its base class, so its constructor may take more.
@attrs.frozen(init=False, eq=False, repr=False)
class FlyteWorkflowExecution(ExecutionVerbs):  # type: ignore[override]
    """An execution (``admin.Execution``), as it was when it was read, with the nodes that were read along.

    Example:
        ```python
        execution = await remote.fetch_execution("a7nc5pjkw55rps4rlv74")
        execution = await execution.wait(timeout=600)  # a new snapshot; the one before is unchanged
        print(await execution.outputs["o0"])
        ```

    Attributes:
        id: Which execution it is.
        phase: How far it is.
    """

    message_type: ClassVar[type[Any]] = execution_pb2.Execution

    id: WorkflowExecutionIdentifier
    phase: WorkflowPhase
    _nodes: tuple[FlyteNodeExecution, ...] | None = attrs.field(default=None, kw_only=True)
    # What was read of an execution that has ended, to the end; None while it may change.
    _covers: Coverage | None = attrs.field(default=None, kw_only=True)
    _workflow: FlyteWorkflow | None = attrs.field(default=None, kw_only=True)
    _hints: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True)
    _signals: tuple[Signal, ...] | None = attrs.field(default=None, kw_only=True)
    _is_cut: bool = attrs.field(default=False, kw_only=True)
    # Nodes of an earlier moment, which a later sync need not read again where they had ended.
    _known: tuple[FlyteNodeExecution, ...] = attrs.field(default=(), kw_only=True)

    def __init__(
        self,
        closure: ExecutionClosure,
        id: WorkflowExecutionIdentifier,
        spec: ExecutionSpec,
        remote: Remote | None = None,
        type_hints: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a snapshot by hand.

        Args:
            closure: How far the execution is, and what came of it.
            id: Which execution it is.
            spec: What was launched, and how.
            remote: The remote that sync, wait and loading go through.
            type_hints: Output name to the Python type that its value is decoded as.
        """
        message = execution_pb2.Execution(
            id=id.to_flyte_idl(), spec=spec.to_flyte_idl(), closure=closure.to_flyte_idl()
        )
        self.__attrs_init__(canonical_bytes(message), id, closure.phase, remote=remote, hints=type_hints)

    @classmethod
    def from_flyte_idl(
        cls,
        p: execution_pb2.Execution,
        *,
        remote: Remote | None = None,
        type_hints: Mapping[str, Any] | None = None,
        nodes: tuple[FlyteNodeExecution, ...] | None = None,
        covers: Coverage | None = None,
        workflow: FlyteWorkflow | None = None,
        data: ExecutionData | None = None,
        signals: tuple[Signal, ...] | None = None,
        is_cut: bool = False,
        known: tuple[FlyteNodeExecution, ...] = (),
    ) -> Self:
        """Return the snapshot of a protobuf message.

        Args:
            p: The message.
            remote: Where it came from; without one it cannot sync, wait or load.
            type_hints: Output name to the Python type that its value is decoded as.
            nodes: Its node executions, where they were read along.
            covers: What was read along, where the execution has ended and will not be read again.
            workflow: The definition of its workflow, where it was read along.
            data: Its inputs and outputs, where they were read along.
            signals: The signals that its gate nodes wait for or waited for, where they were read along.
            is_cut: Whether it came out of a list that may have cut its error.
            known: Nodes of an earlier moment, for the next sync.
        """
        self = cls.__new__(cls)
        self.__attrs_init__(
            canonical_bytes(p),
            WorkflowExecutionIdentifier.from_flyte_idl(p.id),
            WorkflowPhase(p.closure.phase),
            remote=remote,
            data_read=data,
            nodes=nodes,
            covers=covers,
            workflow=workflow,
            hints=type_hints,
            signals=signals,
            is_cut=is_cut,
            known=known,
        )
        return self

    @classmethod
    def promote_from_model(
        cls,
        base_model: FlyteWorkflowExecution | execution_pb2.Execution,
        remote: Remote | None = None,
        type_hints: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return the snapshot of a plain model: a protobuf message, or another snapshot's content.

        Args:
            base_model: The message or snapshot.
            remote: The remote that sync, wait and loading go through.
            type_hints: Output name to the Python type that its value is decoded as.
        """
        message = base_model.to_flyte_idl() if isinstance(base_model, FlyteWorkflowExecution) else base_model
        return cls.from_flyte_idl(message, remote=remote, type_hints=type_hints)

    # --- the execution itself -----------------------------------------------------------------------------------

    @property
    def description(self) -> str:
        """What this is, in words."""
        return f"execution {self.id}"

    @functools.cached_property
    def closure(self) -> ExecutionClosure:
        """How far the execution is, and what came of it."""
        from flyte_remote_async.models.executions import ExecutionClosure

        return ExecutionClosure.from_flyte_idl(self.to_flyte_idl().closure)

    @functools.cached_property
    def spec(self) -> ExecutionSpec:
        """What was launched, and how."""
        from flyte_remote_async.models.executions import ExecutionSpec

        return ExecutionSpec.from_flyte_idl(self.to_flyte_idl().spec)

    @property
    def is_done(self) -> bool:
        """Whether the execution has ended: ``SUCCEEDED``, ``FAILED``, ``ABORTED`` or ``TIMED_OUT``."""
        return self.phase.is_terminal

    @property
    def is_successful(self) -> bool:
        """Whether the execution has ended well."""
        return self.phase is WorkflowPhase.SUCCEEDED

    @property
    def error_truncated(self) -> bool:
        """Whether the message of the error may be cut: lists give its first 100 bytes. A sync reads it whole."""
        return self._is_cut

    @property
    def is_known_to_its_end(self) -> bool:
        """Whether the execution has ended and its own record was read whole, so that it need not be read again."""
        return self.is_done and not self._is_cut

    @property
    def execution_url(self) -> str | None:
        """The address of the execution's page in the Flyte console; None for a snapshot without a remote."""
        return None if self._remote is None else self._remote.console_url(self.id)

    @property
    def flyte_workflow(self) -> FlyteWorkflow | None:
        """The definition of the workflow, after a sync with definitions; None before."""
        return self._workflow

    def covers(self, wanted: Coverage) -> bool:
        """Whether the execution has ended and all that is wanted was read, so that it need not be read again."""
        return self._covers is not None and self._covers.includes(wanted)

    @property
    def has_nodes(self) -> bool:
        """Whether its nodes were read."""
        return self._nodes is not None

    @property
    def known_nodes(self) -> tuple[FlyteNodeExecution, ...]:
        """Its top-level nodes as of the last time that they were read; a later sync takes over what had ended."""
        return self._known if self._nodes is None else self._nodes

    @property
    def type_hints(self) -> Mapping[str, Any] | None:
        """Output name to the Python type that its value is decoded as, where they were given."""
        return self._hints

    @property
    def signals(self) -> tuple[Signal, ...] | None:
        """The signals that its gate nodes wait for or waited for, where they were read along; None elsewhere."""
        return self._signals

    @functools.cached_property
    def _explanation(self) -> Explanation:
        from flyte_remote_async.executions.failure import Explanation

        return Explanation()

    @functools.cached_property
    def node_executions(self) -> Mapping[str, FlyteNodeExecution]:
        """The top-level nodes by their id, start and end node included.

        Raises:
            NotSyncedError: They were not read.
        """
        if self._nodes is None:
            reason = (
                f"the nodes of {self.description} were not read: `await execution.sync(sync_nodes=True)` reads them"
            )
            raise NotSyncedError(reason)
        return MappingProxyType({node.id.node_id: node for node in self._nodes})

    # --- as a part of a tree ------------------------------------------------------------------------------------

    @property
    def _phase(self) -> WorkflowPhase:
        return self.phase

    @property
    def _closure_error(self) -> ExecutionError | None:
        return self.closure.error

    @property
    def _abort_cause(self) -> str:
        return self.closure.abort_cause

    def _record(self) -> tuple[Any, ...]:
        hints = dict(self._hints) if self._hints else None
        return self._data, self._nodes is not None, self._workflow, hints, self._signals, self._is_cut

    def _parts(self) -> tuple[Part, ...]:
        return self._nodes or ()

    @classmethod
    def _assemble(cls, record: tuple[Any, ...], parts: Sequence[Any]) -> Self:
        data, has_nodes, workflow, hints, signals, is_cut = record
        return cls.from_flyte_idl(
            parse(execution_pb2.Execution, data),
            type_hints=hints,
            nodes=tuple(parts) if has_nodes else None,
            workflow=workflow,
            signals=signals,
            is_cut=is_cut,
        )

    def _to_dict(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        from flyte_remote_async.executions.rendering import error_to_dict, times_to_dict

        closure, spec = self.closure, self.spec
        workflow = closure.workflow_id
        return {
            "project": self.id.project,
            "domain": self.id.domain,
            "name": self.id.name,
            "phase": self.phase.name,
            "is_done": self.is_done,
            "launch_plan": {"name": spec.launch_plan.name, "version": spec.launch_plan.version},
            "workflow": None if workflow is None else {"name": workflow.name, "version": workflow.version},
            "mode": spec.metadata.mode.name,
            "labels": dict(spec.labels),
            **times_to_dict(closure),
            "error": error_to_dict(closure.error),
            "abort_cause": closure.abort_cause or None,
            "url": self.execution_url,
            "nodes": None if self._nodes is None else parts,
        }

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        nodes = "" if self._nodes is None else f", {len(self._nodes)} nodes"
        return f"FlyteWorkflowExecution({self.id}, {self.phase.name}{nodes})"
