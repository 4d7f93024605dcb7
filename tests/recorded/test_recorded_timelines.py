"""Timelines of the recorded executions, from the server's own reckoning and from the nodes."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async import NodeKind
from flyte_remote_async.errors import UnavailableError
from flyte_remote_async.executions.spans import span_of_execution, span_of_message
from flyte_remote_async.executions.timeline import SpanKind, TimelineSource
from tests.support import recordings
from tests.support.films import refuse
from tests.support.remotes import WAYS, recorded_server, remote_of

if TYPE_CHECKING:
    from flyte_remote_async.executions.timeline import Span

pytestmark = pytest.mark.anyio

LABELS = recordings.labels()
# Of these two the server gave nothing; of a hundred nodes it did not find the start node on its pages.
REFUSED = ("samples.with_handler", "more.deep")
LEFT_OUT = "samples.wide100"


def shape(span: Span) -> list[tuple[int, str, Any, Any]]:
    """Return a tree of spans with what both sources can tell, times without their last digits."""
    return [
        (depth, one.name, _hundredths(one.start), _hundredths(one.end))
        for depth, one in span.walk()
        if one.operation != "NODE_TRANSITION"
    ]


def _hundredths(at: Any) -> int | None:
    return None if at is None else round(at.timestamp() * 100)


async def test_the_nodes_tell_what_the_server_reckons() -> None:
    compared = 0
    async with recorded_server() as server, remote_of(server) as (remote, _):
        for record in recordings.load().of_kind("EXECUTION_METRICS"):
            execution = await remote.execution(record.key).sync(sync_nodes=True)
            kinds = {node.kind for node in execution.node_executions.values()}
            if record.label == LEFT_OUT or NodeKind.ARRAY in kinds:
                continue
            reckoned, told = shape(span_of_message(record.message.span)), shape(span_of_execution(execution))
            if not execution.is_successful and len(told) > len(reckoned):
                # The server looks for what comes before the end node, which may not have been reached.
                assert told.pop()[1] == "WORKFLOW_TEARDOWN"
            assert told == reckoned, record.label
            compared += 1
    assert compared > 25


@pytest.mark.parametrize("way", WAYS)
async def test_what_ended_is_one_request(way: str) -> None:
    async with recorded_server() as server, remote_of(server, way) as (remote, ledger):
        execution = await remote.fetch_execution(LABELS["samples.chain"])
        ledger.clear()
        timeline = await execution.timeline()
        assert ledger.counts == {"GetExecutionMetrics": 1}
        assert timeline.source is TimelineSource.METRICS
        assert timeline.problem is None
        assert timeline.root.id == execution.id
        assert timeline.as_of == timeline.root.end == execution.closure.updated_at
        names = [span.name for span in timeline.spans(SpanKind.NODE)]
        assert names == ["n0", "n0-0-n0", "n0-0-n1", "n1", "n2"]
        (task,) = (span for span in timeline.spans(SpanKind.TASK) if span.name == "samples.use_point #0")
        assert [child.operation for child in task.children] == ["TASK_SETUP", "TASK_RUNTIME", "TASK_TEARDOWN"]
        assert timeline.totals["TASK_RUNTIME"] == timedelta(seconds=28)
        assert list(timeline.totals.values()) == sorted(timeline.totals.values(), reverse=True)


@pytest.mark.parametrize("label", [*REFUSED, LEFT_OUT])
async def test_where_the_server_refuses_or_leaves_out_nodes_the_nodes_are_read(label: str) -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.execution(LABELS[label]).sync(sync_nodes=True)
        ledger.clear()
        timeline = await execution.timeline()
        assert ledger.counts == {"GetExecutionMetrics": 1}
        assert timeline.source is TimelineSource.NODES
        assert timeline.problem is not None
        nodes = [node for node in execution.node_executions.values() if node.kind not in {NodeKind.START, NodeKind.END}]
        below = [span.name for span in timeline.root.children if span.kind is SpanKind.NODE]
        assert below == [node.id.node_id for node in nodes]
        statuses = await remote.execution(LABELS[label]).sync(sync_nodes=True, attempts=False)
        assert await statuses.timeline() == timeline


async def test_a_handle_is_looked_up_first() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        timeline = await remote.execution(LABELS["samples.chain"]).timeline()
        assert timeline.source is TimelineSource.METRICS
        assert ledger.counts == {"GetExecution": 1, "GetExecutionMetrics": 1}


async def test_a_snapshot_without_a_remote_tells_what_it_holds() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, _):
        execution = await remote.execution(LABELS["samples.gates"]).sync(sync_nodes=True)
        detached = pickle.loads(pickle.dumps(execution))
        timeline = await detached.timeline()
        assert timeline.source is TimelineSource.NODES
        assert timeline.problem is None
        assert shape(timeline.root) == shape(span_of_execution(execution))


async def test_a_server_that_is_away_is_an_error_of_the_nodes() -> None:
    async with recorded_server() as server, remote_of(server, max_attempts=1) as (remote, ledger):
        execution = await remote.fetch_execution(LABELS["samples.chain"])
        refuse(ledger, "GetExecutionMetrics", lambda: UnavailableError("away"))
        assert (await execution.timeline()).source is TimelineSource.NODES
        ledger.on_call = _away
        with pytest.raises(UnavailableError):
            await execution.timeline()


def _away(_method: Any, _request: bytes) -> None:
    reason = "away"
    raise UnavailableError(reason)


@pytest.mark.parametrize("label", LABELS)
async def test_every_timeline_shows_itself(label: str) -> None:
    async with recorded_server() as server, remote_of(server) as (remote, _):
        timeline = await remote.execution(LABELS[label]).timeline()
        assert LABELS[label] in str(timeline)
        assert LABELS[label] in timeline._repr_html_()
        assert pickle.loads(pickle.dumps(timeline)) == timeline
        assert timeline.to_dict()["source"] == str(timeline.source)
