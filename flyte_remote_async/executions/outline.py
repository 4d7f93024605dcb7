"""A snapshot with its tree as an outline: lines of text, a rich tree, or HTML. All three show the same entries."""

# ruff: noqa: SLF001 - what was read below a part is for this package, and not for users

from __future__ import annotations

import html
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from flyte_remote_async.executions.attempt import FlyteTaskExecution
from flyte_remote_async.executions.markup import (
    COLOURS,
    DIM,
    RICH_COLOURS,
    cut,
    element,
    indented,
    last_line,
    seconds_text,
    table,
)
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.phases import NodeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flyte_remote_async.executions.node import FlyteNodeExecution

    Snapshot: TypeAlias = FlyteWorkflowExecution | FlyteNodeExecution | FlyteTaskExecution

__all__ = ["ASCII", "BOXES", "Entry", "Style", "as_html", "as_rich", "as_text", "lines", "outline"]

# So many entries are shown on a page, and so many levels: more are of no use, and slow.
_MOST: Final = 400
_DEEPEST: Final = 40
_NOTE: Final = 120


@attrs.frozen
class Entry:
    """One execution, node or attempt.

    Attributes:
        depth: How deep it is in the tree.
        name: What it is called.
        what: What it runs: a workflow's or task's name, or the kind of node.
        phase: The name of its phase.
        took: How long it ran, or has run; None when it has not begun.
        note: What else there is to say, such as attempts or an error.
    """

    depth: int
    name: str
    what: str
    phase: str
    took: timedelta | None = None
    note: str = ""


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


BOXES: Final = Style("├── ", "└── ", "│   ")
ASCII: Final = Style("|-- ", "`-- ", "|   ")


def outline(snapshot: Snapshot, now: datetime) -> Iterator[Entry]:
    """Yield the entries of a snapshot, parents before what is below them, as far as it was read.

    Start and end nodes are left out, and so are attempts but for a snapshot of one.

    Args:
        snapshot: The snapshot.
        now: What to measure those with that still run.
    """
    return (_entry(depth, part, now) for depth, part in _walk(snapshot))


def _walk(snapshot: Snapshot) -> Iterator[tuple[int, Snapshot]]:
    stack: list[tuple[int, Snapshot]] = [(0, snapshot)]
    while stack:
        depth, part = stack.pop()
        yield depth, part
        stack.extend((depth + 1, below) for below in reversed(_below(part)))


def _first(snapshot: Snapshot) -> tuple[list[Entry], int]:
    """Return the entries that are shown, and how many are not."""
    # The rest is counted and not made: a snapshot may have tens of thousands of nodes.
    parts, now = _walk(snapshot), datetime.now(UTC)
    shown = [_entry(depth, part, now) for depth, part in itertools.islice(parts, _MOST)]
    return shown, sum(1 for _ in parts)


def _below(part: Snapshot) -> Sequence[FlyteNodeExecution | FlyteWorkflowExecution]:
    if isinstance(part, FlyteWorkflowExecution):
        return _shown(part._nodes)
    if isinstance(part, FlyteTaskExecution):
        return ()
    return [*_shown(part._below.nodes), *part.child_executions]


def _shown(nodes: tuple[FlyteNodeExecution, ...] | None) -> list[FlyteNodeExecution]:
    return [node for node in nodes or () if not _is_bound(node)]


def _is_bound(node: FlyteNodeExecution) -> bool:
    """Whether it is a start or an end node."""
    # The kind is told by the whole message, which need not be read for the others.
    data = node.serialize_to_string()
    return (b"start-node" in data or b"end-node" in data) and node.kind in {NodeKind.START, NodeKind.END}


def _entry(depth: int, part: Snapshot, now: datetime) -> Entry:
    closure, phase = part.closure, part.phase.name
    began = closure.started_at
    if isinstance(part, FlyteWorkflowExecution):
        workflow = part.closure.workflow_id
        name, what = part.id.name, workflow.name if workflow else ""
    elif isinstance(part, FlyteTaskExecution):
        name, what = f"attempt {part.attempt}", part.id.task_id.name
    else:
        name, what = part.id.node_id, part.task_id.name if part.task_id else str(part.kind).replace("_", " ")
        # Quick plugins never say that they started.
        began = began or closure.created_at
    took = closure.duration or _since(began, closure.updated_at if part.is_done else now)
    return Entry(depth, name, what, phase, took, _note(part))


def _since(began: datetime | None, until: datetime | None) -> timedelta | None:
    return None if began is None else max((until or began) - began, timedelta())


def _note(part: Snapshot) -> str:
    if isinstance(part, FlyteWorkflowExecution):
        return cut(part.closure.abort_cause, _NOTE)
    if isinstance(part, FlyteTaskExecution):
        return cut(part.reason, _NOTE)
    attempts = len(part._below.attempts or ())
    return f"{attempts} attempts" if attempts > 1 else ""


def lines(entries: Iterable[Entry], style: Style = BOXES) -> list[str]:
    """Return entries as lines of text, in columns.

    Args:
        entries: The entries, parents first.
        style: The strokes.
    """
    every = list(entries)
    rows = []
    for item, strokes in zip(every, _strokes(every, style), strict=True):
        time = "" if item.took is None else f"{item.took.total_seconds():8.2f} s"
        rows.append((strokes + item.name, item.what, item.phase, time, item.note))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return ["  ".join([*map(str.ljust, row[:3], widths), *row[3:]]).rstrip() for row in rows]


def _strokes(entries: Sequence[Entry], style: Style) -> list[str]:
    """Return what stands before each entry; of very deep ones the outer strokes are left out."""
    found: list[str] = []
    # Whether an entry of each depth follows, seen from the end.
    follows: list[bool] = []
    for item in reversed(entries):
        del follows[item.depth + 1 :]
        follows += [False] * (item.depth + 1 - len(follows))
        first = max(1, item.depth - _DEEPEST)
        outer = "".join(style.down if follows[depth] else " " * len(style.down) for depth in range(first, item.depth))
        own = "" if item.depth == 0 else style.branch if follows[item.depth] else style.last
        found.append(("… " if first > 1 else "") + outer + own)
        follows[item.depth] = True
    return found[::-1]


def as_text(snapshot: Snapshot) -> str:
    """Return the outline as lines of text."""
    shown, left_out = _first(snapshot)
    return "\n".join([*lines(shown), *([f"… and {left_out} more"] if left_out else [])])


def as_rich(snapshot: Snapshot) -> Any:
    """Return the outline as a rich tree; needs rich, as whoever has such a console does."""
    from rich.tree import Tree

    # rich walks down a tree by recursion.
    root = Tree("", hide_root=True)
    above = [root]
    shown, left_out = _first(snapshot)
    for item in shown:
        depth = min(item.depth, _DEEPEST)
        del above[depth + 1 :]
        above.append(above[depth].add(_label(item)))
    if left_out:
        root.add(f"… and {left_out} more", style="dim")
    return root


def _label(item: Entry) -> Any:
    from rich.text import Text

    return Text.assemble(
        (item.name, "bold"),
        f"  {item.what}  ",
        (item.phase, RICH_COLOURS.get(COLOURS.get(item.phase, ""), "")),
        ("" if item.took is None else f"  {seconds_text(item.took)}", "dim"),
        (f"  {item.note}" if item.note else "", "dim"),
    )


def as_html(snapshot: Snapshot) -> str:
    """Return the outline as HTML that stands alone."""
    shown, left_out = _first(snapshot)
    rows = [_html_row(item) for item in shown]
    if left_out:
        rows.append(element("tr", element("td", f"… and {left_out} more", DIM, colspan="5")))
    return table(rows, _html_head(snapshot))


def _html_head(snapshot: Snapshot) -> str:
    head = element("b", html.escape(type(snapshot).__name__)) + " " + html.escape(str(snapshot.id))
    if isinstance(snapshot, FlyteWorkflowExecution):
        url = snapshot.execution_url or ""
        if url.startswith(("http://", "https://")):
            head += " " + element("a", "console", "color:#2f81f7", href=url, rel="noreferrer", target="_blank")
        if not snapshot.has_nodes:
            head += element("span", " nodes were not read", DIM)
    error = snapshot.closure.error
    if error is not None:
        head += element("div", html.escape(cut(last_line(error), 400)), f"color:{COLOURS['FAILED']}")
    return head


def _html_row(item: Entry) -> str:
    gap = "padding:0 1em 0 0;white-space:nowrap;text-align:left"
    colour = f";color:{COLOURS[item.phase]}" if item.phase in COLOURS else ""
    cells = (
        element("td", html.escape(item.name), indented(item.depth)),
        element("td", html.escape(item.what), f"{gap};{DIM}"),
        element("td", html.escape(item.phase), gap + colour),
        element("td", seconds_text(item.took), "padding:0 1em 0 0;white-space:nowrap;text-align:right"),
        element("td", html.escape(item.note), f"{gap};{DIM}"),
    )
    return element("tr", "".join(cells))
