"""A timeline as a chart: lines of text, a rich table, or HTML. All three show the same rows."""

from __future__ import annotations

import enum
import html
import itertools
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs

from flyte_remote_async.executions.markup import DIM, cut, element, indented, seconds_text, table
from flyte_remote_async.executions.timeline import SpanKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from flyte_remote_async.executions.timeline import Span, Timeline

__all__ = ["Row", "Use", "as_html", "as_rich", "as_text", "rows"]

# So many rows are shown: a page with more is of no use, and slow.
_MOST_ROWS: Final = 400
_WIDTH: Final = 48
_DEEPEST: Final = 12


class Use(enum.Enum):
    """What a part of a row's time was used for; the later ones are drawn over the earlier."""

    INSIDE = "inside"
    FINISHING = "finishing"
    WAITING = "waiting"
    RUNNING = "running"


_LAYERS: Final = {use: layer for layer, use in enumerate(Use)}
_RUNNING: Final = frozenset({"TASK_RUNTIME", "NODE_IDLE"})
_STROKES: Final = {Use.INSIDE: "─", Use.WAITING: "░", Use.RUNNING: "█", Use.FINISHING: "▒"}
_RICH: Final = {Use.INSIDE: "dim", Use.WAITING: "yellow", Use.RUNNING: "green", Use.FINISHING: "blue"}
_HTML: Final = {Use.INSIDE: "#8b949e", Use.WAITING: "#d4a72c", Use.RUNNING: "#2da44e", Use.FINISHING: "#6e7fd2"}


@attrs.frozen
class Row:
    """An execution, a node, or one of several attempts.

    Attributes:
        depth: How deep it is in the tree.
        name: What it is called.
        what: The task that it runs; empty for others.
        took: How long it took, or has taken so far.
        lasts: Whether it still goes on.
        parts: What its time was used for: the use, and where it begins and ends, from 0.0 to 1.0 of the whole.
    """

    depth: int
    name: str
    what: str
    took: timedelta | None
    lasts: bool
    parts: tuple[tuple[Use, float, float], ...]


def rows(timeline: Timeline) -> Iterator[Row]:
    """Yield the rows of a timeline, parents before children.

    The only attempt of a task is drawn in the row of its node.
    """
    scale = _Scale(timeline)
    return (_row(place, scale, timeline.as_of) for place in _places(timeline.root))


class _Place(NamedTuple):
    """A span that has a row, and the attempt that is drawn in the same."""

    depth: int
    span: Span
    attempt: Span | None


def _places(root: Span) -> Iterator[_Place]:
    stack = [(0, root)]
    while stack:
        depth, span = stack.pop()
        inner = [child for child in span.children if child.kind is not SpanKind.OPERATION]
        tasks = [child for child in inner if child.kind is SpanKind.TASK]
        is_only = len(tasks) == 1
        yield _Place(depth, span, tasks[0] if is_only else None)
        stack.extend((depth + 1, child) for child in reversed(inner) if not is_only or child is not tasks[0])


def _row(place: _Place, scale: _Scale, as_of: datetime) -> Row:
    depth, span, attempt = place
    what = attempt.name.rpartition(" #")[0] if attempt else ""
    inner = (*span.children, *(attempt.children if attempt else ()))
    operations = [child for child in inner if child.kind is SpanKind.OPERATION]
    parts = [(Use.INSIDE, *scale.place(span)), *((use_of(one), *scale.place(one)) for one in operations)]
    took = None if span.start is None else (span.end or as_of) - span.start
    layers = tuple(sorted(parts, key=lambda part: _LAYERS[part[0]]))
    return Row(depth, span.name, what, took, span.end is None, layers)


def use_of(operation: Span) -> Use:
    """Return what the time of an operation was used for."""
    if operation.operation in _RUNNING:
        return Use.RUNNING
    return Use.FINISHING if operation.operation.endswith("_TEARDOWN") else Use.WAITING


class _Scale:
    """Places times between the beginning and the end of a timeline."""

    def __init__(self, timeline: Timeline) -> None:
        self._begin = timeline.root.start or timeline.as_of
        self._end = timeline.as_of
        self._length = (timeline.as_of - self._begin).total_seconds() or 1.0

    def place(self, span: Span) -> tuple[float, float]:
        """Return where a span begins and ends, from 0.0 to 1.0."""
        begin, end = self._at(span.start or self._begin), self._at(span.end or self._end)
        return begin, max(begin, end)

    def _at(self, at: datetime) -> float:
        return min(max((at - self._begin).total_seconds() / self._length, 0.0), 1.0)


def _bar(row: Row, width: int) -> list[Use | None]:
    """Return what each cell of a row's bar shows."""
    cells: list[Use | None] = [None] * width
    for use, begin, end in row.parts:
        first = min(math.floor(begin * width), width - 1)
        last = max(math.ceil(end * width), first + 1)
        # What is shorter than a cell is shown where nothing else would be.
        if use in {Use.INSIDE, Use.RUNNING} or end - begin >= 0.5 / width:
            cells[first:last] = [use] * (min(last, width) - first)
    return cells


def _shown(timeline: Timeline) -> tuple[list[Row], int]:
    """Return the rows that are shown, and how many are not."""
    # The rest is counted and not drawn: a timeline may have tens of thousands of rows.
    places, scale = _places(timeline.root), _Scale(timeline)
    shown = [_row(place, scale, timeline.as_of) for place in itertools.islice(places, _MOST_ROWS)]
    return shown, sum(1 for _ in places)


def _head(timeline: Timeline) -> str:
    took = seconds_text(timeline.as_of - (timeline.root.start or timeline.as_of), lasts=timeline.root.end is None)
    return f"{timeline.root.id}: {took}, from {timeline.source}"


def _name(row: Row) -> str:
    return "  " * min(row.depth, _DEEPEST) + cut(row.name, 40)


def as_text(timeline: Timeline) -> str:
    """Return the chart as lines of text."""
    shown, left_out = _shown(timeline)
    widths = [
        max(len(text) for text in texts)
        for texts in ([_name(row) for row in shown], [cut(row.what, 32) for row in shown])
    ]
    lines = [_head(timeline)]
    for row in shown:
        bar = "".join(" " if cell is None else _STROKES[cell] for cell in _bar(row, _WIDTH))
        time = seconds_text(row.took, lasts=row.lasts)
        lines.append(f"{_name(row):{widths[0]}}  {cut(row.what, 32):{widths[1]}}  |{bar}|  {time:>12}".rstrip())
    if left_out:
        lines.append(f"… and {left_out} more")
    lines.append(
        "  ".join(f"{_STROKES[use]} {use.value}" for use in (Use.WAITING, Use.RUNNING, Use.FINISHING, Use.INSIDE))
    )
    return "\n".join(lines)


def as_rich(timeline: Timeline) -> Any:
    """Return the chart for a rich console; needs rich, as whoever has such a console does."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown, left_out = _shown(timeline)
    grid = Table.grid(padding=(0, 2))
    for row in shown:
        bar = Text()
        for cell in _bar(row, _WIDTH):
            bar.append(" " if cell is None else _STROKES[cell], _RICH[cell] if cell else "")
        name = Text(_name(row), "bold" if row.depth == 0 else "", no_wrap=True)
        time = Text(seconds_text(row.took, lasts=row.lasts), "dim", justify="right", no_wrap=True)
        grid.add_row(name, Text(cut(row.what, 32), "dim", no_wrap=True), bar, time)
    legend = Text()
    for use in (Use.WAITING, Use.RUNNING, Use.FINISHING, Use.INSIDE):
        legend.append(_STROKES[use], _RICH[use]).append(f" {use.value}  ", "dim")
    more = [Text(f"… and {left_out} more", "dim")] if left_out else []
    return Group(Text(_head(timeline)), grid, *more, legend)


def as_html(timeline: Timeline) -> str:
    """Return the chart as HTML that stands alone."""
    shown, left_out = _shown(timeline)
    lines = [_html_row(row) for row in shown]
    if left_out:
        lines.append(element("tr", element("td", f"… and {left_out} more", DIM, colspan="4")))
    dots = "".join(
        element("span", "", f"display:inline-block;width:.8em;height:.8em;background:{_HTML[use]};margin:0 .4em 0 1em")
        + use.value
        for use in (Use.WAITING, Use.RUNNING, Use.FINISHING)
    )
    head = element("b", html.escape(_head(timeline))) + element("span", dots, DIM)
    problem = timeline.problem or ""
    note = element("div", html.escape(cut(problem, 160)), DIM, title=problem) if problem else ""
    return table(lines, head + note)


def _html_row(row: Row) -> str:
    pieces = []
    for use, begin, end in row.parts:
        thin = use is Use.INSIDE
        place = f"left:{begin * 100:.2f}%;width:{max((end - begin) * 100, 0.15):.2f}%"
        height = "top:45%;height:10%" if thin else "top:15%;height:70%"
        took = "" if thin else use.value
        style = f"position:absolute;{place};{height};background:{_HTML[use]}"
        pieces.append(element("div", "", style, title=took))
    bar = element("div", "".join(pieces), "position:relative;width:32em;height:1.4em")
    cells = (
        element("td", html.escape(row.name), indented(row.depth)),
        element("td", html.escape(row.what), f"padding:0 1em 0 0;white-space:nowrap;text-align:left;{DIM}"),
        element("td", bar, "padding:0;border-left:1px solid #8b949e55;border-right:1px solid #8b949e55"),
        element("td", seconds_text(row.took, lasts=row.lasts), "padding:0 0 0 1em;white-space:nowrap;text-align:right"),
    )
    return element("tr", "".join(cells))
