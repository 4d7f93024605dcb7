"""Where the time of an execution went: spans of executions, nodes, attempts and of what Flyte does around them.

The names of operations are those of flyteadmin's ``metrics_manager.go``, for which see ``GetExecutionMetrics``.
"""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import attrs

from flyte_remote_async.executions.tree import flatten, fold, rebuild
from flyte_remote_async.models.identifiers import NodeExecutionIdentifier, TaskExecutionIdentifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier

__all__ = ["Span", "SpanKind", "Timeline", "TimelineSource"]


class SpanKind(enum.StrEnum):
    """What a span is the time of."""

    WORKFLOW = "workflow"
    NODE = "node"
    TASK = "task"
    OPERATION = "operation"


class TimelineSource(enum.StrEnum):
    """What a timeline was made from."""

    METRICS = "metrics"
    NODES = "nodes"


@attrs.frozen(eq=False)
class Span:
    """The time of an execution, of a node, of an attempt of a task, or of something that Flyte did around it.

    Attributes:
        kind: What it is the time of.
        id: The execution, node or attempt; None for an operation.
        operation: What Flyte did, such as ``"NODE_SETUP"`` or ``"TASK_RUNTIME"``; empty for other kinds.
        start: When it began, by the control plane's clock; None where the control plane does not tell.
        end: When it ended; None while it lasts.
        children: What happened in it, in order.
    """

    kind: SpanKind
    id: WorkflowExecutionIdentifier | NodeExecutionIdentifier | TaskExecutionIdentifier | None
    operation: str
    start: datetime | None
    end: datetime | None
    children: tuple[Span, ...] = attrs.field(default=(), repr=lambda children: f"{len(children)} spans")

    @property
    def name(self) -> str:
        """A short name: of the execution, the node, the task with its attempt, or the operation."""
        if isinstance(self.id, NodeExecutionIdentifier):
            return self.id.node_id
        if isinstance(self.id, TaskExecutionIdentifier):
            return f"{self.id.task_id.name} #{self.id.retry_attempt}"
        return self.operation if self.id is None else self.id.name

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None while it lasts, and where the control plane does not tell."""
        return None if self.start is None or self.end is None else self.end - self.start

    def walk(self) -> Iterator[tuple[int, Span]]:
        """Yield the span and all that is below it, each with its depth, parents before children."""
        stack = [(0, self)]
        while stack:
            depth, span = stack.pop()
            yield depth, span
            stack.extend((depth + 1, child) for child in reversed(span.children))

    def to_dict(self) -> dict[str, Any]:
        """Return the span and all that is below it as JSON-ready data: times are RFC 3339 strings in UTC."""
        return fold(self, _to_dict)

    # --- as a part of a tree: it may be thousands of levels deep --------------------------------------------------

    def _record(self) -> tuple[Any, ...]:
        return self.kind, self.id, self.operation, self.start, self.end

    def _parts(self) -> tuple[Span, ...]:
        return self.children

    @classmethod
    def _assemble(cls, record: tuple[Any, ...], parts: Sequence[Any]) -> Self:
        kind, id, operation, start, end = record
        return cls(kind, id, operation, start, end, tuple(parts))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        return self is other or flatten(self) == flatten(other)

    def __hash__(self) -> int:
        return hash(self._record())

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (flatten(self),)


def _to_dict(span: Span, children: list[dict[str, Any]]) -> dict[str, Any]:
    from flyte_remote_async.executions.rendering import instant

    return {
        "kind": str(span.kind),
        "id": None if span.id is None else str(span.id),
        "name": span.name,
        "start": instant(span.start),
        "end": instant(span.end),
        "spans": children,
    }


@attrs.frozen
class Timeline:
    """Where the time of an execution went.

    ``str(timeline)`` is a chart of lines of text; a notebook shows it as HTML, and a rich console in colours.

    Attributes:
        root: The span of the execution, with all others below it.
        source: What it was made from: the server's own reckoning, or the nodes of the execution. Made from the nodes
            it has no ``NODE_TRANSITION``, the time between a node and the ones that it waits for.
        as_of: Until when it tells: the end of the execution, or the time of the look at one that runs.
        problem: Why the server's own reckoning could not be used, where it was asked for.
    """

    root: Span
    source: TimelineSource
    as_of: datetime
    problem: str | None = None

    def spans(self, kind: SpanKind | None = None) -> Iterator[Span]:
        """Yield all spans, parents before children.

        Args:
            kind: Of which kind; None for all.
        """
        return (span for _, span in self.root.walk() if kind is None or span.kind is kind)

    @property
    def totals(self) -> Mapping[str, timedelta]:
        """How long each operation took in all, the longest first; those at the same time count each.

        What still lasts counts until :attr:`as_of`.
        """
        found: dict[str, timedelta] = {}
        for span in self.spans(SpanKind.OPERATION):
            if span.start is not None:
                took = (span.end or self.as_of) - span.start
                found[span.operation] = found.get(span.operation, timedelta()) + max(took, timedelta())
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def to_dict(self) -> dict[str, Any]:
        """Return the timeline as JSON-ready data."""
        return {"source": str(self.source), "problem": self.problem, "root": self.root.to_dict()}

    def __str__(self) -> str:
        from flyte_remote_async.executions.gantt import as_text

        return as_text(self)

    def __rich__(self) -> Any:
        from flyte_remote_async.executions.gantt import as_rich

        return as_rich(self)

    def _repr_html_(self) -> str:
        from flyte_remote_async.executions.gantt import as_html

        return as_html(self)
