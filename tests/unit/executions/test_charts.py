"""Timelines and failure reports as text, on a rich console, and as HTML."""

from __future__ import annotations

import io
import pickle
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest
from flyteidl.core import metrics_pb2
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flyte_remote_async import (
    FailureReport,
    NodeExecutionIdentifier,
    NodePhase,
    Span,
    SpanKind,
    TaskPhase,
    Timeline,
    TimelineSource,
    WorkflowExecutionIdentifier,
    WorkflowPhase,
)
from flyte_remote_async.executions import gantt, outline
from flyte_remote_async.executions.below import Below
from flyte_remote_async.executions.gantt import Use, rows, use_of
from flyte_remote_async.executions.markup import cut, moment_text, seconds_text
from flyte_remote_async.executions.spans import is_whole, span_of_execution, span_of_message, timeline_of
from tests.support.growing import film
from tests.support.snapshots import attempt_of, execution_of, node_of

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
EXECUTION = WorkflowExecutionIdentifier("p", "d", "e0")
HOSTILE = "<script>alert('x')</script>"


def at(seconds: float) -> datetime:
    """Return a time some seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def node_span(name: str, begin: float | None, end: float | None, *children: Span) -> Span:
    """Return the span of a node."""
    times = [None if one is None else at(one) for one in (begin, end)]
    return Span(SpanKind.NODE, NodeExecutionIdentifier(name, EXECUTION), "", times[0], times[1], children)


def operation(name: str, begin: float, end: float | None) -> Span:
    """Return the span of an operation."""
    return Span(SpanKind.OPERATION, None, name, at(begin), None if end is None else at(end))


def timeline_over(*children: Span, end: float | None = 10, as_of: float = 10, problem: str | None = None) -> Timeline:
    """Return a timeline of ten seconds."""
    root = Span(SpanKind.WORKFLOW, EXECUTION, "", NOON, None if end is None else at(end), children)
    return Timeline(root, TimelineSource.NODES, at(as_of), problem)


def printed(what: Any, width: int = 120) -> str:
    """Return what a rich console shows."""
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=True, color_system="truecolor").print(what)
    return re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", stream.getvalue())


class Checker(HTMLParser):
    """Checks that HTML is well-formed and stands alone."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"a", "b", "code", "div", "pre", "span", "table", "td", "tr"}
        names = [name for name, _ in attrs]
        assert not [name for name in names if name.startswith("on") or name == "src"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(text: str) -> Checker:
    """Return what was found in HTML that is well-formed and stands alone."""
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    return checker


# --- timelines ------------------------------------------------------------------------------------------------------


def test_a_timeline_is_drawn_to_scale() -> None:
    child = node_span(
        "n0", 0, 5, operation("NODE_SETUP", 0, 2.5), operation("NODE_IDLE", 2.5, 5), operation("NODE_TEARDOWN", 5, 5)
    )
    text = str(timeline_over(child, node_span("n1", 5, 10))).splitlines()
    assert text[0] == "p/d/e0: 10.00 s, from nodes"
    assert text[2].split("|")[1] == "░" * 12 + "█" * 12 + " " * 24
    assert text[3].split("|")[1] == " " * 24 + "─" * 24
    assert text[3].endswith("5.00 s")
    assert text[4].startswith("░ waiting")
    assert "n1" in printed(timeline_over(child, node_span("n1", 5, 10)))


def test_totals_are_those_of_all_nodes_the_longest_first() -> None:
    first = node_span("n0", 0, 5, operation("NODE_SETUP", 0, 1), operation("NODE_IDLE", 1, 5))
    second = node_span("n1", 5, 10, operation("NODE_TEARDOWN", 5, 7), operation("NODE_IDLE", 7, 10))
    assert list(timeline_over(first, second).totals.items()) == [
        ("NODE_IDLE", timedelta(seconds=7)),
        ("NODE_TEARDOWN", timedelta(seconds=2)),
        ("NODE_SETUP", timedelta(seconds=1)),
    ]


def test_what_still_lasts_is_drawn_until_the_look() -> None:
    timeline = timeline_over(node_span("n0", 5, None, operation("NODE_IDLE", 5, None)), end=None, as_of=20)
    text = str(timeline).splitlines()
    assert text[0] == "p/d/e0: 20.00 s …, from nodes"
    assert text[2].split("|")[1] == " " * 12 + "█" * 36
    assert text[2].endswith("15.00 s …")
    assert timeline.totals == {"NODE_IDLE": timedelta(seconds=15)}
    assert timeline.root.duration is None


def test_each_of_several_attempts_has_a_row_and_the_only_one_does_not() -> None:
    node = node_of(attempts=(attempt_of(TaskPhase.FAILED), attempt_of(number=1)))
    single = node_of(node_id="n1", attempts=(attempt_of(),))
    timeline = timeline_of(execution_of(nodes=[node, single]), NOON)
    assert [(row.depth, row.name, row.what) for row in rows(timeline)] == [
        (0, "e0", ""),
        (1, "n0", ""),
        (2, "t #0", ""),
        (2, "t #1", ""),
        (1, "n1", "t"),
    ]


def test_operations_of_other_servers_are_waiting() -> None:
    assert use_of(operation("SOMETHING_NEW", 0, 1)) is Use.WAITING
    assert use_of(operation("TASK_TEARDOWN", 0, 1)) is Use.FINISHING


def test_names_are_escaped_and_long_ones_are_cut() -> None:
    timeline = timeline_over(node_span(HOSTILE, 0, 1), node_span("x" * 500, 0, 1), problem=HOSTILE * 9)
    page = timeline._repr_html_()
    checked(page)
    assert "<script" not in page
    assert "x" * 41 not in str(timeline)


def test_a_page_has_so_many_rows() -> None:
    timeline = timeline_over(*(node_span(f"n{number}", 0, 1) for number in range(1000)))
    assert len(list(rows(timeline))) == 1001
    for text in (str(timeline), timeline._repr_html_(), printed(timeline)):
        assert "n398" in text
        assert "n399" not in text
        assert "… and 601 more" in text


def test_what_has_no_times_is_shown_all_the_same() -> None:
    timeline = timeline_of(execution_of(nodes=[node_of()]), NOON)
    assert timeline.as_of == NOON
    assert "n0" in str(timeline)
    empty = Timeline(Span(SpanKind.WORKFLOW, EXECUTION, "", None, None), TimelineSource.METRICS, NOON)
    assert str(empty).startswith("p/d/e0: 0.00 s …, from metrics")
    checked(empty._repr_html_())


def test_a_timeline_thousands_of_levels_deep_compares_pickles_and_shows_itself() -> None:
    span = node_span("last", 0, 1)
    other = node_span("last", 0, 2)
    for number in range(3000):
        span, other = node_span(f"d{number}", 0, 1, span), node_span(f"d{number}", 0, 1, other)
    assert span != other
    assert pickle.loads(pickle.dumps(span)) == span
    assert hash(span) == hash(other)
    assert (span == 1) is False
    assert "1 spans" in repr(span)
    timeline = timeline_over(span)
    assert "d2999" in str(timeline)
    checked(timeline._repr_html_())
    assert timeline.to_dict()["root"]["spans"][0]["name"] == "d2999"
    assert sum(1 for _ in timeline.spans()) == 3002


@given(st.integers(0, 2**32), st.booleans())
def test_any_film_has_timelines_that_hold_together(seed: int, timed: bool) -> None:
    for frame in film(seed, is_timed=timed):
        timeline = timeline_of(frame, at(0))
        assert timeline.root.id == frame.id
        for row in rows(timeline):
            assert all(0 <= begin <= end <= 1 for _, begin, end in row.parts)
        assert len(str(timeline).splitlines()) >= 3
        checked(timeline._repr_html_())
        for span in timeline.spans():
            ended = [child.end for child in span.children]
            assert span.end is None or None not in ended or span.kind is not SpanKind.TASK


def test_the_reckoning_of_the_server_is_not_trusted_where_it_reads_pages() -> None:
    few, many = (tuple(node_span(f"n{number}", 0, 1) for number in range(count)) for count in (47, 48))
    assert is_whole(timeline_over(*few).root)
    assert not is_whole(timeline_over(*many).root)
    assert not is_whole(timeline_over(node_span("sub", 0, 1, *many)).root)
    assert not is_whole(timeline_over(operation("WORKFLOW_SETUP", 0, 10)).root)


def test_a_span_of_a_kind_that_is_not_known_is_an_operation_without_a_name() -> None:
    span = span_of_message(metrics_pb2.Span())
    assert (span.kind, span.operation, span.start, span.end, span.name) == (SpanKind.OPERATION, "", None, None, "")


def test_a_gate_that_waits_is_idle_and_a_node_that_was_not_started_is_set_up() -> None:
    def children(phase: NodePhase, *, started: bool, duration: int = 0) -> list[tuple[str, bool]]:
        node = node_of(phase, attempts=())
        message = node.to_flyte_idl()
        closure: Any = message.closure
        closure.ClearField("task_node_metadata")
        closure.created_at.seconds = 1_699_999_990
        closure.updated_at.seconds = 1_700_000_100
        if not started:
            closure.ClearField("started_at")
        if duration:
            closure.duration.seconds = duration
        made = type(node).from_flyte_idl(message, below=Below(attempts=()))
        (span,) = span_of_execution(execution_of(WorkflowPhase.RUNNING, nodes=[made])).children
        return [(child.operation, child.end is None) for child in span.children]

    assert children(NodePhase.RUNNING, started=True) == [("NODE_SETUP", False), ("NODE_IDLE", True)]
    assert children(NodePhase.QUEUED, started=False) == [("NODE_SETUP", True)]
    assert children(NodePhase.SUCCEEDED, started=True, duration=5) == [
        ("NODE_SETUP", False),
        ("NODE_IDLE", False),
        ("NODE_TEARDOWN", False),
    ]


# --- reports --------------------------------------------------------------------------------------------------------


def report_of(**changes: Any) -> FailureReport:
    """Return the report of a node that failed in its second attempt."""
    attempts = (attempt_of(TaskPhase.FAILED, error=True), attempt_of(TaskPhase.FAILED, number=1, error=True))
    node = node_of(NodePhase.FAILED, error=True, attempts=attempts)
    execution = execution_of(WorkflowPhase.FAILED, error=True)
    report = FailureReport(
        execution=execution, path=(execution, node), error=attempts[-1].closure.error, attempts=attempts
    )
    return attrs.evolve(report, **changes)


def test_a_report_says_what_failed_with_its_whole_error() -> None:
    assert str(report_of()).splitlines() == [
        "p/d/e0  FAILED",
        "first failure:",
        "  n0  t  FAILED",
        "error:",
        "  USER:ValueError  (user)",
        "  three is not four",
        "attempts:",
        "  #0  FAILED",
        "  #1  FAILED",
    ]
    shown = printed(report_of())
    for words in ("p/d/e0  FAILED", "n0  t  FAILED", "three is not four", "#1  FAILED"):
        assert words in shown
        assert words in report_of()._repr_html_()
    assert report_of().to_dict()["path"] == ["p/d/e0", "p/d/e0/n0"]
    assert "path=" in repr(report_of())


def with_logs(*links: str, reason: str = "") -> FailureReport:
    """Return a report of an attempt with links to logs."""
    message: Any = attempt_of(TaskPhase.FAILED).to_flyte_idl()
    for link in links:
        message.closure.logs.add(name=HOSTILE, uri=link)
    message.closure.reason = reason
    return report_of(attempts=(type(attempt_of()).from_flyte_idl(message),))


def test_links_lead_to_the_web_alone_and_everything_is_escaped() -> None:
    report = with_logs("https://logs/1", "javascript:alert(1)", "file:///etc/passwd", '"><b>', reason=HOSTILE)
    page = report._repr_html_()
    assert checked(page).links == ["https://logs/1"]
    assert "<script" not in page
    assert "https://logs/1" in str(report)
    assert "javascript:alert(1)" in printed(report, width=300)


@pytest.mark.parametrize("words", ["", "no cause"])
def test_who_aborted_an_execution_may_not_be_told(words: str) -> None:
    execution = execution_of(WorkflowPhase.ABORTED, cause=words or " ")
    report = FailureReport(execution=execution, path=(execution,), error=None)
    assert "by whom is not told" in str(report)
    assert report.aborted_by == ""
    assert printed(report)
    checked(report._repr_html_())


def test_a_path_may_be_very_long() -> None:
    execution = execution_of(WorkflowPhase.FAILED, error=True)
    nodes = tuple(node_of(NodePhase.FAILED, node_id=f"n{number}") for number in range(1000))
    report = FailureReport(execution=execution, path=(execution, *nodes), error=execution.closure.error)
    assert "n999" in str(report)
    assert max(len(line) for line in str(report).splitlines()) < 100
    checked(report._repr_html_())


# --- outlines -------------------------------------------------------------------------------------------------------


def test_a_snapshot_shows_its_tree_as_text_on_a_console_and_as_html() -> None:
    child = node_of(NodePhase.RUNNING, node_id=HOSTILE, attempts=(attempt_of(), attempt_of(number=1)))
    parent = node_of(NodePhase.RUNNING, node_id="sub", is_parent=True, nodes=(child,))
    execution = execution_of(WorkflowPhase.ABORTED, nodes=[parent, node_of(node_id="n9")], cause="<b>stop")
    text = execution.tree().splitlines()
    assert [line[: len(HOSTILE) + 8].rstrip() for line in text] == ["e0", "├── sub", f"│   └── {HOSTILE}", "└── n9"]
    assert text[0].endswith("<b>stop")
    assert text[2].endswith("2 attempts")
    assert parent.tree().splitlines()[1].startswith(f"└── {HOSTILE}")
    shown = printed(execution)
    for words in ("sub", "RUNNING", "2 attempts", "<b>stop"):
        assert words in shown
    page = execution._repr_html_()
    checked(page)
    assert "<script" not in page
    assert "<b>stop" not in page
    assert "2 attempts" in page


def test_an_attempt_shows_its_reason_and_its_error() -> None:
    message: Any = attempt_of(TaskPhase.FAILED, error=True).to_flyte_idl()
    message.closure.reason = "ImagePullBackOff"
    attempt = type(attempt_of()).from_flyte_idl(message)
    assert attempt.tree() == "attempt 0  t  FAILED    ImagePullBackOff"
    assert "three is not four" in attempt._repr_html_()
    assert "ImagePullBackOff" in printed(attempt)


def test_nodes_that_were_not_read_are_said_to_be() -> None:
    assert "nodes were not read" in execution_of()._repr_html_()
    assert "nodes were not read" not in execution_of(nodes=[])._repr_html_()


def test_a_page_has_so_many_entries() -> None:
    wide = execution_of(nodes=[node_of(node_id=f"n{number}") for number in range(1000)])
    checked(wide._repr_html_())
    for text in (wide.tree(), wide._repr_html_(), printed(wide)):
        assert "n398" in text
        assert "n399" not in text
        assert "… and 601 more" in text


def test_what_is_not_shown_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def noted(cls: type[Any]) -> Any:
        def make(*args: Any) -> Any:
            made.append(cls.__name__)
            return cls(*args)

        return make

    monkeypatch.setattr(outline, "Entry", noted(outline.Entry))
    monkeypatch.setattr(gantt, "Row", noted(gantt.Row))
    wide = execution_of(nodes=[node_of(node_id=f"n{number}") for number in range(1000)])
    for show in (wide.tree, wide._repr_html_, lambda: printed(wide)):
        made.clear()
        show()
        assert made == ["Entry"] * 400
    timeline = timeline_of(wide, NOON)
    for show in (timeline.__str__, timeline._repr_html_, lambda: printed(timeline)):
        made.clear()
        show()
        assert made == ["Row"] * 400


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (-1, "0.00 s"),
        (59.994, "59.99 s"),
        (59.996, "1 min 00 s"),
        (119.7, "2 min 00 s"),
        (3599.6, "1 h 00 min"),
        (3661, "1 h 01 min"),
        (7199, "2 h 00 min"),
        (360000, "100 h 00 min"),
    ],
)
def test_times_in_words(seconds: float, text: str) -> None:
    assert seconds_text(timedelta(seconds=seconds)) == text


def test_times_that_are_not_known_are_empty_and_those_that_last_say_so() -> None:
    assert seconds_text(None) == ""
    assert seconds_text(timedelta(seconds=1), lasts=True) == "1.00 s …"
    assert moment_text(None) == ""
    assert moment_text(at(0.0015)) == "2025-01-01 12:00:00.001 UTC"


def test_texts_are_cut_to_one_line() -> None:
    assert cut(" a\n  b ", 10) == "a b"
    assert cut("x" * 11, 10) == "x" * 9 + "…"
