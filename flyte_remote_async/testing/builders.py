"""Executions in any phase, made by hand: what a devserver shows of them as if they had run."""

from __future__ import annotations

import datetime as dt
import enum
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
from flyteidl.core import execution_pb2 as core_pb2

from flyte_remote_async.devserver.store.lines import to_line
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.testing.rows import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.protobuf.message import Message

__all__ = ["BuiltAttempt", "BuiltExecution", "BuiltNode", "build_attempt", "build_execution", "build_node"]

Phase = TypeVar("Phase", bound=enum.IntEnum)

_ATTEMPT_OF: Final = {
    NodePhase.RUNNING: TaskPhase.RUNNING,
    NodePhase.SUCCEEDED: TaskPhase.SUCCEEDED,
    NodePhase.FAILING: TaskPhase.FAILED,
    NodePhase.FAILED: TaskPhase.FAILED,
    NodePhase.TIMED_OUT: TaskPhase.FAILED,
    NodePhase.ABORTED: TaskPhase.ABORTED,
}
"""The last attempt of a node that is in this phase; a node in another has none."""


@attrs.frozen(kw_only=True)
class BuiltAttempt:
    """One attempt of a task; :func:`build_attempt` makes one."""

    phase: TaskPhase
    error: core_pb2.ExecutionError | None
    logs: Sequence[str]
    reason: str


@attrs.frozen(kw_only=True)
class BuiltNode:
    """One node; :func:`build_node` makes one."""

    node_id: str
    phase: NodePhase
    task: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    error: core_pb2.ExecutionError | None
    attempts: Sequence[BuiltAttempt]
    children: Sequence[BuiltNode]


@attrs.frozen(kw_only=True)
class BuiltExecution:
    """An execution with its nodes, attempts and entities; an iterable of the lines that ``dev.load`` takes."""

    name: str
    phase: WorkflowPhase
    workflow: str
    version: str
    project: str
    domain: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    error: core_pb2.ExecutionError | None
    abort_cause: str
    nodes: Sequence[BuiltNode]
    created_at: dt.datetime
    duration: dt.timedelta
    labels: Mapping[str, str]

    def messages(self) -> list[tuple[str, str, Message]]:
        """Return the kind, the key and the message of all that Flyte would know of it."""
        return Writer(self).messages()

    def __iter__(self) -> Iterator[str]:
        for kind, key, message in self.messages():
            yield to_line(kind, key, message)


def build_attempt(
    phase: str | TaskPhase = TaskPhase.SUCCEEDED,
    *,
    error: str | core_pb2.ExecutionError | None = None,
    logs: Sequence[str] = (),
    reason: str = "",
) -> BuiltAttempt:
    """Return one attempt of a task.

    Args:
        phase: Its phase, such as ``"FAILED"``.
        error: What went wrong; a text is an error of the user's code.
        logs: Addresses of its logs.
        reason: Why it is in this phase, in Flyte's words.
    """
    known = _phase(TaskPhase, phase)
    return BuiltAttempt(
        phase=known, error=_error(error, needed=known is TaskPhase.FAILED), logs=tuple(logs), reason=reason
    )


def build_node(
    node_id: str,
    phase: str | NodePhase = NodePhase.SUCCEEDED,
    *,
    task: str = "tests.task",
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    error: str | core_pb2.ExecutionError | None = None,
    attempts: Sequence[BuiltAttempt] | None = None,
    logs: Sequence[str] = (),
    children: Sequence[BuiltNode] = (),
) -> BuiltNode:
    """Return one node: of a task, or of a subworkflow where it has children.

    Args:
        node_id: Its id in its workflow, such as ``"n0"``.
        phase: Its phase, such as ``"FAILED"``.
        task: The name of its task.
        inputs: Its inputs by name: Python values or literals.
        outputs: Its outputs by name.
        error: What went wrong; a text is an error of the user's code.
        attempts: The attempts of its task; by default the one that its phase tells of.
        logs: Addresses of the logs of that one.
        children: The nodes of the subworkflow that it runs.
    """
    known = _phase(NodePhase, phase)
    failure = _error(error, needed=known in (NodePhase.FAILED, NodePhase.FAILING, NodePhase.TIMED_OUT))
    if attempts is None:
        found = None if children else _ATTEMPT_OF.get(known)
        attempts = () if found is None else (build_attempt(found, error=failure, logs=logs),)
    return BuiltNode(
        node_id=node_id,
        phase=known,
        task=task,
        inputs=inputs or {},
        outputs=outputs or {},
        error=failure,
        attempts=tuple(attempts),
        children=tuple(children),
    )


def build_execution(
    name: str,
    phase: str | WorkflowPhase = WorkflowPhase.SUCCEEDED,
    *,
    workflow: str = "tests.workflow",
    version: str = "v1",
    project: str = "flytesnacks",
    domain: str = "development",
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    error: str | core_pb2.ExecutionError | None = None,
    abort_cause: str = "",
    nodes: Sequence[BuiltNode] = (),
    created_at: dt.datetime | None = None,
    duration: float | dt.timedelta = 1.0,
    labels: Mapping[str, str] | None = None,
) -> BuiltExecution:
    """Return an execution in any phase, with the workflow, the launch plan and the tasks that belong to it.

    A devserver takes it with ``dev.load``; loading another one of the same name moves it on.

    Args:
        name: Its name.
        phase: Its phase, such as ``"RUNNING"``.
        workflow: The name of the workflow and of its launch plan.
        version: Their version, and that of the tasks.
        project: Its project.
        domain: Its domain.
        inputs: Its inputs by name: Python values or literals.
        outputs: Its outputs by name.
        error: What went wrong; a text is an error of the user's code.
        abort_cause: Why it was aborted.
        nodes: Its nodes.
        created_at: When it was created, aware; now by default.
        duration: How long it ran, in seconds.
        labels: Its labels.

    Raises:
        ValueError: There is no such phase.

    Example:
        >>> failed = build_execution("e1", "FAILED", nodes=[build_node("n0", "FAILED", error="ValueError: no")])
        >>> await dev.load(failed)
    """
    known = _phase(WorkflowPhase, phase)
    return BuiltExecution(
        name=name,
        phase=known,
        workflow=workflow,
        version=version,
        project=project,
        domain=domain,
        inputs=inputs or {},
        outputs=outputs or {},
        error=_error(error, needed=known in (WorkflowPhase.FAILED, WorkflowPhase.FAILING, WorkflowPhase.TIMED_OUT)),
        abort_cause=abort_cause,
        nodes=tuple(nodes),
        created_at=created_at or dt.datetime.now(dt.UTC),
        duration=duration if isinstance(duration, dt.timedelta) else dt.timedelta(seconds=duration),
        labels=labels or {},
    )


def _phase(kind: type[Phase], phase: str | Phase) -> Phase:
    if not isinstance(phase, str):
        return phase
    try:
        return kind[phase]
    except KeyError:
        raise ValueError(f"{phase!r} is no phase: there are {', '.join(kind.__members__)}") from None


def _error(error: str | core_pb2.ExecutionError | None, *, needed: bool) -> core_pb2.ExecutionError | None:
    if error is None and needed:
        error = "it failed"
    if isinstance(error, str):
        return core_pb2.ExecutionError(code="USER:Error", message=error, kind=core_pb2.ExecutionError.USER)
    return error
