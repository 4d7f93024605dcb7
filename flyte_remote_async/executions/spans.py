"""Spans out of what the control plane tells: its own reckoning, or the nodes of an execution.

Out of nodes the spans are cut as flyteadmin's ``metrics_manager.go`` cuts them, but for what that cannot do: it has no
spans inside of array nodes, refuses failure nodes and other nodes that it does not find in the definition of the
workflow, and ends what still runs at the last change that was told.
"""

# ruff: noqa: SLF001 - what was read below a part is for this package, and not for users

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.executions.timeline import Span, SpanKind, Timeline, TimelineSource
from flyte_remote_async.executions.tree import fold
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.identifiers import (
    NodeExecutionIdentifier,
    TaskExecutionIdentifier,
    WorkflowExecutionIdentifier,
)
from flyte_remote_async.models.phases import NodeKind
from flyte_remote_async.models.times import datetime_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from flyteidl.core import metrics_pb2

    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.executions.node import FlyteNodeExecution

__all__ = ["is_whole", "span_of_execution", "span_of_message", "timeline_of"]

# The server reads the nodes of a level in pages of 50 without an order, so of a level that takes two it may read one
# node twice and another not at all. Start and end node are among the 50.
_SURE: Final = 48


def span_of_message(message: metrics_pb2.Span) -> Span:
    """Return the span of a message of ``GetExecutionMetrics``."""
    return fold(_Message(message), lambda part, children: _of_message(part.message, children))


class _Message:
    """A message as a part of a tree."""

    def __init__(self, message: metrics_pb2.Span) -> None:
        self.message = message

    def _parts(self) -> list[_Message]:
        return [_Message(span) for span in self.message.spans]


_KINDS: Final[dict[str | None, tuple[SpanKind, Any]]] = {
    "workflow_id": (SpanKind.WORKFLOW, WorkflowExecutionIdentifier),
    "node_id": (SpanKind.NODE, NodeExecutionIdentifier),
    "task_id": (SpanKind.TASK, TaskExecutionIdentifier),
}


def _of_message(message: metrics_pb2.Span, children: list[Span]) -> Span:
    which: str | None = message.WhichOneof("id")
    start, end = datetime_in(message, "start_time"), datetime_in(message, "end_time")
    if which not in _KINDS:
        return Span(SpanKind.OPERATION, None, message.operation_id, start, end, tuple(children))
    kind, identifier = _KINDS[which]
    return Span(kind, identifier.from_flyte_idl(getattr(message, which or "")), "", start, end, tuple(children))


def is_whole(root: Span) -> bool:
    """Whether the server's own reckoning of an execution can have all of its nodes.

    Where it did not find the start node it has no nodes at all; where a level takes several pages, some may be missing.

    Args:
        root: The span of the execution.
    """
    levels = [sum(child.kind is SpanKind.NODE for child in span.children) for _, span in root.walk()]
    return levels[0] > 0 and max(levels) < _SURE


def timeline_of(execution: FlyteWorkflowExecution, now: datetime, problem: str | None = None) -> Timeline:
    """Return the timeline of an execution whose nodes were read.

    Args:
        execution: The execution.
        now: The time of the look.
        problem: Why the server's own reckoning could not be used, where it was asked for.
    """
    root = span_of_execution(execution)
    return Timeline(root, TimelineSource.NODES, root.end or max(now, _latest(root, now)), problem)


def _latest(root: Span, now: datetime) -> datetime:
    """Return the last time that is told: the control plane's clock may be ahead."""
    return max((at for _, span in root.walk() for at in (span.start, span.end) if at is not None), default=now)


def span_of_execution(execution: FlyteWorkflowExecution) -> Span:
    """Return the span of an execution whose nodes and attempts were read."""
    made = fold(execution, _of_part)
    assert made is not None  # noqa: S101 - an execution always has one
    return made


def _of_part(part: Any, found: list[Span | None]) -> Span | None:
    children = [span for span in found if span is not None]
    if isinstance(part, FlyteWorkflowExecution):
        return _of_execution(part, children)
    if not isinstance(part.id, NodeExecutionIdentifier):
        return _of_attempt(part)
    # Start and end nodes have no time of their own.
    return None if part.kind in {NodeKind.START, NodeKind.END} else _of_node(part, children)


def _of_execution(execution: FlyteWorkflowExecution, nodes: list[Span]) -> Span:
    closure = execution.closure
    end = closure.updated_at if execution.is_done else None
    began = _begun(execution._nodes or ())
    setup = _operation("WORKFLOW_SETUP", closure.created_at, began or end)
    children = (*setup, *nodes, *_rest("WORKFLOW_TEARDOWN", nodes, end))
    return Span(SpanKind.WORKFLOW, execution.id, "", closure.created_at, end, children)


def _of_node(node: FlyteNodeExecution, pieces: list[Span]) -> Span:
    closure = node.closure
    end = closure.updated_at if node.is_done else None
    if pieces:
        children = _around(node, pieces, end)
    elif node.kind is NodeKind.GATE and closure.started_at is not None:
        idle = None if closure.duration is None or end is None else closure.started_at + closure.duration
        children = _operation("NODE_SETUP", closure.created_at, closure.started_at)
        children += _operation("NODE_IDLE", closure.started_at, idle)
        children += () if idle is None else _operation("NODE_TEARDOWN", idle, end)
    else:
        children = _operation("NODE_SETUP", closure.created_at, end)
    return Span(SpanKind.NODE, node.id, "", closure.created_at, end, children)


def _around(node: FlyteNodeExecution, pieces: list[Span], end: datetime | None) -> tuple[Span, ...]:
    """Return what happened in a node, with what Flyte did before, between and after."""
    began = _begun(node._below.nodes or ())
    tries = [piece for piece in pieces if piece.kind is SpanKind.TASK]
    rest = [piece for piece in pieces if piece.kind is not SpanKind.TASK]
    entered = tries[0].start if tries else began or rest[0].start
    children = [*_operation("NODE_SETUP", node.closure.created_at, entered)]
    for number, piece in enumerate(tries):
        if number:
            children += _operation("NODE_RESET", tries[number - 1].end, piece.start)
        children.append(piece)
    if tries and (rest or began):
        children += _operation("NODE_RESET", tries[-1].end, began or rest[0].start)
    return (*children, *rest, *_rest("NODE_TEARDOWN", rest or tries, end))


def _of_attempt(attempt: FlyteTaskExecution) -> Span:
    closure = attempt.closure
    end = closure.updated_at if attempt.is_done else None
    children: tuple[Span, ...]
    if closure.started_at is None:
        children = _operation("TASK_SETUP", closure.created_at, end)
    else:
        ran = end if end is None or not closure.duration else closure.started_at + closure.duration
        children = _operation("TASK_SETUP", closure.created_at, closure.started_at)
        children += _operation("TASK_RUNTIME", closure.started_at, ran)
        children += () if ran is None or end is None or end < ran else _operation("TASK_TEARDOWN", ran, end)
    return Span(SpanKind.TASK, attempt.id, "", closure.created_at, end, children)


def _operation(name: str, start: datetime | None, end: datetime | None) -> tuple[Span, ...]:
    """Return the span of an operation; none where it is not known when it began."""
    return () if start is None else (Span(SpanKind.OPERATION, None, name, start, end),)


def _rest(name: str, inner: list[Span], end: datetime | None) -> tuple[Span, ...]:
    """Return the span from the last end of what is inside to the end; none while something lasts."""
    ends = [span.end for span in inner if span.end is not None]
    if end is None or not ends or max(ends) > end:
        return ()
    return _operation(name, max(ends), end)


def _begun(nodes: Sequence[FlyteNodeExecution]) -> datetime | None:
    """Return when the nodes of a workflow could begin: when its start node was through."""
    return next((node.closure.updated_at for node in nodes if node.kind is NodeKind.START), None)
