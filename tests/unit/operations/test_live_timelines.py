"""Timelines of executions that run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flyte_remote_async import SpanKind, TimelineSource
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import DetachedError, PermissionDeniedError
from tests.support.films import Film, refuse
from tests.support.remotes import remote_of
from tests.support.snapshots import execution_of

pytestmark = pytest.mark.anyio


async def put_running(film: Film) -> None:
    """Put an execution with a task that ended and one that runs."""
    await film.execution()
    await film.node("start-node", "SUCCEEDED")
    await film.node("done")
    await film.node("task")
    await film.attempt("task")
    film.later(60)
    await film.node("done", "SUCCEEDED")
    await film.attempt("done", "SUCCEEDED")


async def test_what_runs_is_told_by_its_nodes_until_now() -> None:
    async with DevServer() as server, remote_of(server) as (remote, ledger):
        await put_running(Film(server.store))
        before = datetime.now(UTC)
        statuses = await remote.execution("film").sync(sync_nodes=True, attempts=False)
        ledger.clear()
        timeline = await statuses.timeline()
        assert ledger.counts == {"GetExecution": 1, "ListNodeExecutions": 1, "ListTaskExecutions": 2}
        assert timeline.source is TimelineSource.NODES
        assert timeline.problem is None
        assert timeline.root.end is None
        assert timeline.as_of >= before
        done, task = timeline.spans(SpanKind.NODE)
        assert (done.name, done.duration) == ("done", timedelta(seconds=60))
        assert (task.name, task.end) == ("task", None)
        assert timeline.totals["TASK_RUNTIME"] > timedelta(days=1)
        assert " …, from nodes" in str(timeline)


async def test_what_has_ended_since_is_told_as_ended() -> None:
    async with DevServer() as server, remote_of(server) as (remote, ledger):
        film = Film(server.store)
        await put_running(film)
        running = await remote.execution("film").sync(sync_nodes=True)
        film.later(60)
        await film.node("task", "SUCCEEDED")
        await film.attempt("task", "SUCCEEDED")
        await film.execution("SUCCEEDED")
        refuse(ledger, "GetExecutionMetrics", lambda: PermissionDeniedError("not for you"))
        timeline = await running.timeline()
        assert timeline.root.duration == timedelta(seconds=120)
        assert timeline.as_of == timeline.root.end
        assert timeline.problem is not None
        assert "not for you" in timeline.problem
        assert None not in {span.end for span in timeline.spans()}


async def test_a_snapshot_without_a_remote_and_without_nodes_has_no_timeline() -> None:
    with pytest.raises(DetachedError, match="read its timeline"):
        await execution_of().timeline()
