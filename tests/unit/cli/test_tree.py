from __future__ import annotations

import datetime as dt
import io
import re
from typing import TYPE_CHECKING

import pytest
from flyteidl.admin import execution_pb2, task_execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2

from flyte_remote_async.cli.view import LiveView, PlainView, open_view, style_of
from flyte_remote_async.executions import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution
from flyte_remote_async.executions.below import Below
from flyte_remote_async.executions.outline import ASCII, Entry, lines, outline

if TYPE_CHECKING:
    from flyteidl.admin import node_execution_pb2

    from tests.support.recordings import Recordings

NOW = dt.datetime(2026, 11, 22, 18, tzinfo=dt.UTC)


def snapshot(recordings: Recordings, label: str) -> FlyteWorkflowExecution:
    """A recorded execution with all its nodes, attempts and child executions, put together by hand."""
    rows = [(record.key.split("|")[1], record.message) for record in recordings.of_kind("NODE_EXECUTION", label)]
    attempts = recordings.messages(task_execution_pb2.TaskExecution, label)

    def node(message: node_execution_pb2.NodeExecution) -> FlyteNodeExecution:
        started = message.closure.workflow_node_metadata.executionId.name
        return FlyteNodeExecution.from_flyte_idl(
            message,
            below=Below(
                nodes=level(message.id.node_id) or None,
                attempts=tuple(
                    FlyteTaskExecution.from_flyte_idl(attempt)
                    for attempt in attempts
                    if attempt.id.node_execution_id.node_id == message.id.node_id
                ),
                executions=(snapshot(recordings, f"{label}/{message.id.node_id}"),) if started else None,
            ),
        )

    def level(parent: str) -> tuple[FlyteNodeExecution, ...]:
        found = sorted(
            (message for above, message in rows if above == parent),
            key=lambda message: message.closure.created_at.ToNanoseconds(),
        )
        return tuple(node(message) for message in found)

    (execution,) = recordings.messages(execution_pb2.Execution, label)
    return FlyteWorkflowExecution.from_flyte_idl(execution, nodes=level(""))


def test_the_tree_of_a_workflow_with_a_subworkflow(recordings: Recordings) -> None:
    assert lines(outline(snapshot(recordings, "samples.chain"), NOW)) == [
        "ah7v75p5n5kxbcxpn7fp  samples.chain       SUCCEEDED    134.32 s",
        "├── n0                subworkflow         SUCCEEDED    103.62 s",
        "│   ├── n0-0-n0       samples.add         SUCCEEDED     14.98 s",
        "│   └── n0-0-n1       samples.add         SUCCEEDED     87.90 s",
        "├── n1                samples.make_point  SUCCEEDED     26.70 s",
        "└── n2                samples.use_point   SUCCEEDED      3.38 s",
    ]


def test_child_executions_are_inside_of_their_node(recordings: Recordings) -> None:
    assert [
        re.split(r"(?<=\w)  ", line)[0]
        for line in lines(outline(snapshot(recordings, "samples.nested_lp"), NOW), ASCII)
    ] == [
        "a62f7jlddm9fj24vlhlg",
        "|-- n0",
        "|   `-- fcxyf2pima13wy",
        "|       |-- n0",
        "|       `-- n1",
        "`-- n1",
    ]


def test_retries_are_counted(recordings: Recordings) -> None:
    _, node = outline(snapshot(recordings, "more.exhausted"), NOW)
    assert (node.what, node.phase, node.note) == ("more.always", "FAILED", "3 attempts")
    assert lines([node])[0].endswith("s  3 attempts")


def test_what_never_started_has_the_time_from_when_it_was_queued(recordings: Recordings) -> None:
    _, first, *_ = outline(snapshot(recordings, "samples.wide5"), NOW)
    assert first.took is not None
    assert first.took.total_seconds() == pytest.approx(0.707, abs=0.001)


def test_what_runs_is_measured_until_now(recordings: Recordings) -> None:
    (recorded,) = recordings.messages(execution_pb2.Execution, "samples.chain")
    recorded.closure.phase = core_execution_pb2.WorkflowExecution.RUNNING
    recorded.closure.ClearField("duration")
    began = recorded.closure.started_at.ToDatetime(dt.UTC)
    running = FlyteWorkflowExecution.from_flyte_idl(recorded)
    (late,) = outline(running, began + dt.timedelta(seconds=5))
    (early,) = outline(running, began - dt.timedelta(seconds=5))  # a clock that goes before the server's
    assert (late.took, early.took) == (dt.timedelta(seconds=5), dt.timedelta())
    recorded.closure.ClearField("started_at")
    (waiting,) = outline(FlyteWorkflowExecution.from_flyte_idl(recorded), NOW)
    assert waiting.took is None
    assert lines([waiting]) == ["ah7v75p5n5kxbcxpn7fp  samples.chain  RUNNING"]


def test_what_was_not_read_is_left_out(recordings: Recordings) -> None:
    for label in ("samples.nested_lp", "samples.chain"):
        whole = snapshot(recordings, label)
        nodes = tuple(FlyteNodeExecution.from_flyte_idl(node.to_flyte_idl()) for node in whole.node_executions.values())
        bare = list(outline(FlyteWorkflowExecution.from_flyte_idl(whole.to_flyte_idl(), nodes=nodes), NOW))
        assert {entry.depth for entry in bare} == {0, 1}


def test_a_plain_view_writes_each_change_once_and_the_tree_at_the_end(recordings: Recordings) -> None:
    whole = snapshot(recordings, "samples.chain")
    early = FlyteWorkflowExecution.from_flyte_idl(whole.to_flyte_idl())
    stream = io.StringIO()
    with PlainView(stream) as view:
        view.show(early)
        view.show(early)
        view.finish(whole)
    written = stream.getvalue().splitlines()
    assert [line.split("  ", 1)[1] for line in written[:3]] == [
        "ah7v75p5n5kxbcxpn7fp  samples.chain  SUCCEEDED",
        "n0  subworkflow  SUCCEEDED",
        "n0-0-n0  samples.add  SUCCEEDED",
    ]
    assert len(written) == 6 + 1 + 6
    assert "134.32 s" in written[7]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_live_view_draws_the_tree(recordings: Recordings) -> None:
    stream = Terminal()
    with open_view(stream) as view:
        assert isinstance(view, LiveView)
        view.show(snapshot(recordings, "more.exhausted"))
        view.finish(snapshot(recordings, "more.exhausted"))
    assert "more.always" in stream.getvalue()
    assert "3 attempts" in stream.getvalue()


def test_without_rich_or_a_terminal_the_view_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_view(io.StringIO()), PlainView)
    monkeypatch.setitem(__import__("sys").modules, "rich.live", None)
    assert isinstance(open_view(Terminal()), PlainView)


def test_a_stream_that_cannot_write_boxes_gets_ascii() -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert style_of(narrow) is ASCII
    assert style_of(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) is not ASCII
    tree = [Entry(0, "a", "w", "P"), Entry(1, "b", "", "Q"), Entry(1, "c", "", "R", note="n")]
    assert lines(tree, ASCII) == ["a      w  P", "|-- b     Q", "`-- c     R    n"]
