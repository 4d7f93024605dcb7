"""A snapshot of an execution as the rows of a tree, each with its bars of a timeline. Pure.

Times are milliseconds since the epoch, so that a browser reads them at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flyte_remote_async.errors import NotSyncedError
from flyte_remote_async.executions import FlyteWorkflowExecution
from flyte_remote_async.executions.spans import span_of_execution
from flyte_remote_async.executions.timeline import SpanKind
from flyte_remote_async.models.phases import NodeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from flyte_remote_async.executions import FlyteNodeExecution, FlyteTaskExecution
    from flyte_remote_async.executions.timeline import Span
    from flyte_remote_async.models.outcomes import ExternalResource

    Shown: TypeAlias = "FlyteWorkflowExecution | FlyteNodeExecution"

__all__ = ["attempts_of", "milliseconds", "row_of_execution", "rows"]

_MOST: Final = 2_000
_OPERATION: Final = SpanKind.OPERATION
# Classes of bars: what a task or a wait does, told from what Flyte does around it.
_CLASSES: Final = {"TASK_RUNTIME": "runs", "NODE_IDLE": "waits"}


def rows(execution: FlyteWorkflowExecution, most: int = _MOST) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of an execution and of all that was read below it, parents first, and how many were left out.

    Args:
        execution: The snapshot, with its nodes.
        most: How many rows there are at most.
    """
    bars = {span.id: _bars(span) for _, span in span_of_execution(execution).walk() if span.kind is not _OPERATION}
    found: list[dict[str, Any]] = []
    left_out = 0
    stack: list[tuple[int, Shown]] = [(1, execution)]
    while stack:
        level, part = stack.pop()
        if len(found) >= most:
            left_out += 1 + (0 if isinstance(part, FlyteWorkflowExecution) else len(_elements(part)))
        elif isinstance(part, FlyteWorkflowExecution):
            found.append({"level": level, **row_of_execution(part), "bars": bars.get(part.id, [])})
        else:
            found.append({"level": level, **_row_of_node(part), "bars": bars.get(part.id, [])})
            elements = _elements(part)
            shown = elements[: most - len(found)]
            found += [_row_of_element(level + 1, part, element) for element in shown]
            left_out += len(elements) - len(shown)
        stack += [(level + 1, below) for below in reversed(_below(part))]
    return found, left_out


def _below(part: Shown) -> Sequence[Shown]:
    if isinstance(part, FlyteWorkflowExecution):
        return _inner(part.node_executions.values() if part.has_nodes else ())
    nodes = part.subworkflow_node_executions.values() if part.has_nodes else ()
    return [*_inner(nodes), *part.child_executions]


def _inner(nodes: Iterable[FlyteNodeExecution]) -> list[FlyteNodeExecution]:
    """Return nodes without the start and the end of their workflow."""
    return [node for node in nodes if node.kind not in {NodeKind.START, NodeKind.END}]


def attempts_of(node: FlyteNodeExecution) -> Sequence[FlyteTaskExecution]:
    """Return the attempts of a node; none where they could not be read, which the node's problem tells."""
    try:
        return node.task_executions
    except NotSyncedError:
        return ()


def _elements(node: FlyteNodeExecution) -> list[ExternalResource]:
    """Return the elements of an array node: the last try of each."""
    attempts = attempts_of(node) if node.kind is NodeKind.ARRAY else ()
    last: dict[int, ExternalResource] = {}
    for element in attempts[-1].external_resources if attempts else ():
        before = last.get(element.index)
        if before is None or element.retry_attempt >= before.retry_attempt:
            last[element.index] = element
    return [last[index] for index in sorted(last)]


def row_of_execution(execution: FlyteWorkflowExecution) -> dict[str, Any]:
    """Return the row of an execution: what a list shows of it too."""
    closure = execution.closure
    workflow = closure.workflow_id
    return {
        "project": execution.id.project,
        "domain": execution.id.domain,
        "execution": execution.id.name,
        "node": "",
        "kind": "execution",
        "what": workflow.name if workflow else execution.spec.launch_plan.name,
        "phase": execution.phase.name,
        "done": execution.is_done,
        **_times(execution),
    }


def _row_of_node(node: FlyteNodeExecution) -> dict[str, Any]:
    task = node.closure.task_node_metadata
    name = node.metadata.spec_node_id
    return {
        "project": node.id.execution_id.project,
        "domain": node.id.execution_id.domain,
        "execution": node.id.execution_id.name,
        "node": node.id.node_id,
        "label": name if name and name != node.id.node_id else "",
        "kind": str(node.kind).replace("_", " "),
        "problem": node.problem or "",
        "what": node.task_id.name if node.task_id else "",
        "phase": node.phase.name,
        "done": node.is_done,
        "attempts": len(attempts_of(node)),
        "cache": task.cache_status.name if task and task.cache_status else "",
        **_times(node),
    }


def _row_of_element(level: int, node: FlyteNodeExecution, element: ExternalResource) -> dict[str, Any]:
    return {
        "level": level,
        "project": node.id.execution_id.project,
        "domain": node.id.execution_id.domain,
        "execution": node.id.execution_id.name,
        "node": node.id.node_id,
        "element": element.index,
        "kind": "element",
        "what": "",
        "phase": element.phase.name,
        "done": element.phase.is_terminal,
        "attempts": element.retry_attempt + 1,
        "cache": element.cache_status.name if element.cache_status else "",
        "start": None,
        "end": None,
        "bars": [],
    }


def _times(part: Shown) -> dict[str, Any]:
    closure = part.closure
    began = closure.started_at
    if began is None and not isinstance(part, FlyteWorkflowExecution):
        began = closure.created_at  # quick plugins never say that they started
    ended = closure.updated_at if part.is_done else None
    if ended is not None and began is not None and closure.duration:
        ended = began + closure.duration
    return {"created": milliseconds(closure.created_at), "start": milliseconds(began), "end": milliseconds(ended)}


def milliseconds(at: datetime | None) -> int | None:
    """Return an instant as milliseconds since the epoch."""
    return None if at is None else round(at.timestamp() * 1000)


def _bars(span: Span) -> list[list[Any]]:
    """Return what happened in a span itself: what it was, and from when to when; no end while it lasts."""
    inner = (
        operation
        for child in span.children
        for operation in (child.children if child.kind is SpanKind.TASK else (child,))
        if operation.kind is _OPERATION
    )
    return [
        [_CLASSES.get(each.operation, "around"), milliseconds(each.start), milliseconds(each.end)] for each in inner
    ]
