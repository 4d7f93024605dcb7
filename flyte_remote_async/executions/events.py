"""What happened to an execution between two looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.executions.node import FlyteNodeExecution
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.models.literals import LiteralType
    from flyte_remote_async.models.outcomes import TaskLog
    from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase

__all__ = [
    "AttemptChanged",
    "Event",
    "ExecutionPhaseChanged",
    "LogLinkAdded",
    "NodePhaseChanged",
    "SignalWanted",
]


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened to an execution, or to a part of it.

    Two events are equal when they tell the same of the same part; the snapshots that they carry are not compared.

    Attributes:
        snapshot: The execution that is watched, as it was when the event was noticed.
        execution_id: The execution that it happened in: the one that is watched, or a child execution at any depth.
        at: When it happened, by the control plane's clock; None where the control plane does not tell.
    """

    snapshot: FlyteWorkflowExecution = attrs.field(eq=False, repr=False)
    execution_id: WorkflowExecutionIdentifier = attrs.field(repr=str)
    at: datetime | None = attrs.field(default=None, repr=str)


@attrs.frozen(kw_only=True)
class ExecutionPhaseChanged(Event):
    """The execution, or a child execution, is in another phase.

    Attributes:
        before: The phase at the look before; None for a child execution that was not there.
        after: The phase now; the same as before where the end was known when the watch began.
        execution: The snapshot of the execution that changed; for the one that is watched it is ``snapshot``.
    """

    before: WorkflowPhase | None = attrs.field(repr=str)
    after: WorkflowPhase = attrs.field(repr=str)
    execution: FlyteWorkflowExecution = attrs.field(eq=False, repr=False)

    @property
    def is_terminal(self) -> bool:
        """Whether the execution that is watched has ended: no event comes after this one."""
        return self.after.is_terminal and self.execution_id == self.snapshot.id


@attrs.frozen(kw_only=True)
class NodePhaseChanged(Event):
    """A node is in another phase.

    Attributes:
        node_id: Its id, which is unique in its execution.
        parent_id: The id of the node that it is right below; None for a top-level node of its execution.
        before: The phase at the look before; None for a node that was not there.
        after: The phase now.
        node: The snapshot of the node.
    """

    node_id: str
    parent_id: str | None
    before: NodePhase | None = attrs.field(repr=str)
    after: NodePhase = attrs.field(repr=str)
    node: FlyteNodeExecution = attrs.field(eq=False, repr=False)


@attrs.frozen(kw_only=True)
class AttemptChanged(Event):
    """An attempt of a task is in another phase, or gives another reason for the phase that it is in.

    Attributes:
        node_id: The node whose task is tried.
        attempt: Which attempt it is; the first is 0.
        before: The phase at the look before; None for an attempt that was not there.
        after: The phase now; the same as before when only the reason is another.
        reason: Why it is in that phase, in the words of whatever runs it; may be empty.
        task_execution: The snapshot of the attempt.
    """

    node_id: str
    attempt: int
    before: TaskPhase | None = attrs.field(repr=str)
    after: TaskPhase = attrs.field(repr=str)
    reason: str
    task_execution: FlyteTaskExecution = attrs.field(eq=False, repr=False)


@attrs.frozen(kw_only=True)
class LogLinkAdded(Event):
    """There is a link to a log that was not there before.

    Attributes:
        node_id: The node whose task logs.
        attempt: Which attempt it is; the first is 0.
        subtask: Which element of a map it is, counted from 0; None for a log of the attempt itself.
        log: The link.
    """

    node_id: str
    attempt: int
    subtask: int | None
    log: TaskLog


@attrs.frozen(kw_only=True)
class SignalWanted(Event):
    """A gate node waits for a signal that nobody has given.

    Attributes:
        signal_id: What the signal is called in the workflow.
        node_id: The gate node; None when several gate nodes wait and nothing tells which is this one.
        type: The type of the value that is waited for.
    """

    signal_id: str
    node_id: str | None
    type: LiteralType
