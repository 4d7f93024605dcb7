"""A failure report as lines of text, for a rich console, or as HTML. All three show the same sections."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import attrs

from flyte_remote_async.executions.markup import (
    COLOURS,
    DIM,
    RICH_COLOURS,
    cut,
    element,
    framed,
    moment_text,
    seconds_text,
)
from flyte_remote_async.executions.node import FlyteNodeExecution
from flyte_remote_async.executions.rendering import error_to_dict, instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.executions.failure import FailureReport
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution

__all__ = ["Line", "as_html", "as_rich", "as_text", "sections", "to_dict"]

_MOST_NAMES: Final = 10
_DEEPEST: Final = 24
_WIDE: Final = 160


@attrs.frozen
class Line:
    """A line of a report.

    Attributes:
        text: What it says.
        phase: The phase that gives it its colour; empty for none.
        link: The address that it links to; empty for none.
        depth: How far it is moved in.
        is_dim: Whether it is of less weight.
    """

    text: str
    phase: str = ""
    link: str = ""
    depth: int = 0
    is_dim: bool = False


def sections(report: FailureReport) -> Iterator[tuple[str, list[Line]]]:
    """Yield the sections of a report that have something to say: a title, and lines."""
    found = {
        "first failure": list(_path(report)),
        "error": _error(report),
        "attempts": list(_attempts(report)),
        "elements that failed": list(_elements(report)),
        "the execution says": _own_error(report),
        "aborted": _aborted(report),
        "failed as well": [Line(_names(report.also_failed))] if report.also_failed else [],
        "interrupted": [Line(_names(report.interrupted))] if report.interrupted else [],
        "not read": [Line(report.problem)] if report.problem else [],
    }
    return ((title, lines) for title, lines in found.items() if lines)


def _path(report: FailureReport) -> Iterator[Line]:
    if len(report.path) == 1:
        return
    for depth, part in enumerate(report.path[1:]):
        closure, phase = part.closure, part.phase.name
        is_last = depth == len(report.path) - 2
        what = f"  {report.task.name}" if is_last and report.task else f"  {_kind(part)}"
        at = f"  at {moment_text(closure.updated_at)}" if is_last and closure.updated_at else ""
        yield Line(f"{_name(part)}{what}  {phase}{at}", phase, depth=depth)


def _error(report: FailureReport) -> list[Line]:
    error = report.error
    if error is None:
        return []
    head = "  ".join(filter(None, (error.code, f"({error.kind.name.lower()})" if error.kind else "")))
    return [*([Line(head, "FAILED")] if head else []), *(Line(line) for line in error.message.splitlines())]


def _attempts(report: FailureReport) -> Iterator[Line]:
    for attempt in report.attempts:
        phase, took = attempt.phase.name, seconds_text(attempt.closure.duration or None)
        yield Line("  ".join(filter(None, (f"#{attempt.attempt}", phase, took))), phase)
        yield from (Line(cut(reason, _WIDE), depth=1, is_dim=True) for reason in _reasons(attempt))
        yield from (Line(log.name or log.uri, link=log.uri, depth=1) for log in attempt.logs)


def _reasons(attempt: FlyteTaskExecution) -> Iterator[str]:
    for reason in attempt.reasons:
        at = moment_text(reason.occurred_at)
        yield f"{at}  {reason.message}" if at else reason.message
    if not attempt.reasons and attempt.reason:
        yield attempt.reason


def _elements(report: FailureReport) -> Iterator[Line]:
    for element_ in report.failed_subtasks:
        phase = element_.phase.name
        yield Line(f"[{element_.index}]  {phase}  try {element_.retry_attempt}  {element_.external_id}".rstrip(), phase)
        yield from (Line(log.name or log.uri, link=log.uri, depth=1) for log in element_.logs)


def _own_error(report: FailureReport) -> list[Line]:
    own = report.execution_error
    return [] if own is None else [Line(cut(str(own), _WIDE))]


def _aborted(report: FailureReport) -> list[Line]:
    if report.aborted is None:
        return []
    by = f"by {report.aborted_by}" if report.aborted_by else "by whom is not told"
    cause = report.abort_cause or "no cause was given"
    return [Line(f"{report.aborted.id.name}: {cause}", "ABORTED"), Line(by, is_dim=True)]


def _names(nodes: Iterable[FlyteNodeExecution]) -> str:
    names = [_name(node) for node in nodes]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _name(part: FlyteWorkflowExecution | FlyteNodeExecution) -> str:
    return part.id.node_id if isinstance(part, FlyteNodeExecution) else part.id.name


def _kind(part: FlyteWorkflowExecution | FlyteNodeExecution) -> str:
    return str(part.kind).replace("_", " ") if isinstance(part, FlyteNodeExecution) else "execution"


def _head(report: FailureReport) -> str:
    execution = report.execution
    took = seconds_text(execution.closure.duration or None)
    workflow = execution.closure.workflow_id
    after = f" after {took}" if took else ""
    return f"{execution.id}{f'  {workflow.name}' if workflow else ''}  {report.phase.name}{after}"


def as_text(report: FailureReport) -> str:
    """Return the report as lines of text; the error is whole."""
    lines = [_head(report)]
    for title, content in sections(report):
        lines.append(f"{title}:")
        for line in content:
            link = f": {line.link}" if line.link and line.link != line.text else ""
            lines.append(f"  {'  ' * min(line.depth, _DEEPEST)}{line.text}{link}".rstrip())
    return "\n".join(lines)


def as_rich(report: FailureReport) -> Any:
    """Return the report for a rich console; needs rich, as whoever has such a console does."""
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(Text(_head(report), f"bold {_rich(report.phase.name)}"), guide_style="dim")
    for title, content in sections(report):
        branch = root.add(Text(title, "bold"))
        if title == "error":
            # One block: an error is read, and copied, as it is.
            branch.add(Text("\n".join(line.text for line in content)))
            continue
        for line in content:
            style = "dim" if line.is_dim else _rich(line.phase)
            text = Text("  " * min(line.depth, _DEEPEST) + line.text, style)
            if line.link:
                text.append(f"  {line.link}", f"dim link {line.link}")
            branch.add(text)
    return root


def _rich(phase: str) -> str:
    return RICH_COLOURS.get(COLOURS.get(phase, ""), "")


def as_html(report: FailureReport) -> str:
    """Return the report as HTML that stands alone."""
    colour = COLOURS.get(report.phase.name, "inherit")
    parts = [element("div", html.escape(_head(report)), f"font-weight:bold;color:{colour}")]
    for title, content in sections(report):
        parts.append(element("div", html.escape(title), f"margin-top:.6em;{DIM}"))
        if title == "error":
            text = html.escape("\n".join(line.text for line in content))
            frame = "margin:.2em 0;padding:.5em .8em;border-left:3px solid #e5534b;background:#8b949e22;color:inherit"
            parts.append(element("pre", text, f"{frame};white-space:pre-wrap;overflow-wrap:anywhere"))
        else:
            parts += [_html_line(line) for line in content]
    return framed("".join(parts))


def _html_line(line: Line) -> str:
    colour = f"color:{COLOURS[line.phase]}" if line.phase in COLOURS else ""
    place = f"margin-left:{min(line.depth, _DEEPEST) * 1.2:g}em;white-space:pre-wrap;overflow-wrap:anywhere"
    style = ";".join(filter(None, (place, DIM if line.is_dim else "", colour)))
    text = html.escape(line.text)
    # Whatever else a plugin calls a link would be run, or read from the reader's disk.
    if line.link.startswith(("http://", "https://")):
        text = element("a", text, "color:#2f81f7", href=line.link, rel="noreferrer", target="_blank")
    elif line.link and line.link != line.text:
        text += f": {html.escape(line.link)}"
    return element("div", text, style)


def to_dict(report: FailureReport) -> dict[str, Any]:
    """Return the report as JSON-ready data: phases are names, times are RFC 3339 strings in UTC."""
    return {
        "execution": str(report.execution.id),
        "phase": report.phase.name,
        "path": [str(part.id) for part in report.path],
        "task": report.task.name if report.task else None,
        "failed_at": instant(report.failed_at),
        "error": error_to_dict(report.error),
        "execution_error": error_to_dict(report.execution_error),
        "attempts": [attempt.to_dict() for attempt in report.attempts],
        "failed_subtasks": [
            {"index": one.index, "retry_attempt": one.retry_attempt, "external_id": one.external_id}
            for one in report.failed_subtasks
        ],
        "abort_cause": report.abort_cause or None,
        "aborted_by": report.aborted_by or None,
        "also_failed": [str(node.id) for node in report.also_failed],
        "interrupted": [str(node.id) for node in report.interrupted],
        "problem": report.problem,
    }
