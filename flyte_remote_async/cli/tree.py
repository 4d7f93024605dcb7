"""An execution's snapshot as a tree of entries, and as lines of text. Pure: the time is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from flyte_remote_async.errors import NotSyncedError
from flyte_remote_async.models.phases import NodeKind

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from flyte_remote_async.executions import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution

__all__ = ["ASCII", "BOXES", "Entry", "Style", "entry", "lines"]


@attrs.frozen
class Entry:
    """One execution or node.

    Attributes:
        name: What it is called.
        what: What it runs: a task's name, or the kind of node.
        phase: The name of its phase.
        seconds: How long it ran, or has run; None when it has not begun.
        note: What else there is to say, such as attempts.
        children: What is inside of it.
    """

    name: str
    what: str
    phase: str
    seconds: float | None = None
    note: str = ""
    children: tuple[Entry, ...] = ()


@attrs.frozen
class Style:
    """The strokes of a tree.

    Attributes:
        branch: Before an entry that others follow.
        last: Before the last entry.
        down: Below an entry that others follow.
    """

    branch: str
    last: str
    down: str


BOXES = Style("├── ", "└── ", "│   ")
ASCII = Style("|-- ", "`-- ", "|   ")


def entry(execution: FlyteWorkflowExecution, now: dt.datetime) -> Entry:
    """Return the entry of an execution, with its nodes where they were read.

    Args:
        execution: The snapshot.
        now: What to measure those with that still run.
    """
    closure = execution.closure
    try:
        nodes = tuple(execution.node_executions.values())
    except NotSyncedError:
        nodes = ()
    return Entry(
        execution.id.name,
        closure.workflow_id.name if closure.workflow_id else "",
        execution.phase.name,
        _seconds(closure.started_at, closure.duration, closure.updated_at, now, is_done=execution.is_done),
        children=tuple(_node(node, now) for node in nodes if _is_shown(node)),
    )


def _is_shown(node: FlyteNodeExecution) -> bool:
    return node.kind not in {NodeKind.START, NodeKind.END}


def _node(node: FlyteNodeExecution, now: dt.datetime) -> Entry:
    attempts = _attempts(node)
    closure = node.closure
    return Entry(
        node.id.node_id,
        attempts[-1].id.task_id.name if attempts else node.kind.value.replace("_", " "),
        node.phase.name,
        _seconds(
            closure.started_at or closure.created_at, closure.duration, closure.updated_at, now, is_done=node.is_done
        ),
        f"{len(attempts)} attempts" if len(attempts) > 1 else "",
        (*_children(node, now),),
    )


def _attempts(node: FlyteNodeExecution) -> tuple[FlyteTaskExecution, ...]:
    try:
        return tuple(node.task_executions)
    except NotSyncedError:
        return ()


def _children(node: FlyteNodeExecution, now: dt.datetime) -> Iterator[Entry]:
    try:
        inner = node.subworkflow_node_executions.values()
        started = node.workflow_executions
    except NotSyncedError:
        return
    yield from (_node(child, now) for child in inner if _is_shown(child))
    yield from (entry(execution, now) for execution in started)


def _seconds(
    began: dt.datetime | None,
    duration: dt.timedelta | None,
    changed: dt.datetime | None,
    now: dt.datetime,
    *,
    is_done: bool,
) -> float | None:
    if duration:
        return duration.total_seconds()
    if began is None:
        return None
    return max(((changed or began) if is_done else now) - began, began - began).total_seconds()


def lines(root: Entry, style: Style = BOXES) -> list[str]:
    """Return a tree as lines of text, in columns.

    Args:
        root: The entry at the top.
        style: The strokes.
    """
    rows = list(_rows(root, "", "", style))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join(_padded(row, widths)).rstrip() for row in rows]


def _padded(row: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    for text, width in zip(row, widths, strict=False):
        yield text.ljust(width)
    yield from row[len(widths) :]


def _rows(item: Entry, first: str, rest: str, style: Style) -> Iterator[tuple[str, ...]]:
    time = "" if item.seconds is None else f"{item.seconds:8.2f} s"
    yield first + item.name, item.what, item.phase, time, item.note
    for child in item.children:
        is_last = child is item.children[-1]
        stroke, below = (style.last, " " * len(style.down)) if is_last else (style.branch, style.down)
        yield from _rows(child, rest + stroke, rest + below, style)
