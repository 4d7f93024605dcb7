"""Looks at large trees: the loop gets its turns, and no collection of all garbage comes in between."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import attrs
import pytest
from flyteidl.admin import node_execution_pb2

from flyte_remote_async import SpanKind, TimelineSource
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import PermissionDeniedError
from flyte_remote_async.executions.tree import fold
from flyte_remote_async.models.node_executions import NodeExecutionClosure
from flyte_remote_async.models.turns import BETWEEN
from flyte_remote_async.operations import timeline as timelines
from flyte_remote_async.operations.look import Look
from flyte_remote_async.operations.session import READS_AT_ONCE
from flyte_remote_async.policy.sync_plan import Coverage
from flyte_remote_async.testing import build_attempt, build_execution, build_node
from tests.support import recordings
from tests.support.films import refuse
from tests.support.remotes import Ledger, recorded_server, remote_of, remote_over
from tests.support.snapshots import execution_of, node_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from flyte_remote_async import FlyteRemote
    from flyte_remote_async.testing.builders import BuiltNode
    from flyte_remote_async.transport.base import Metadata, Method, Reply, Transport

pytestmark = pytest.mark.anyio

NORMAL = (700, 10, 10)


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Let the garbage collector be as in a program that sets nothing."""
    before = gc.get_threshold()
    gc.set_threshold(*NORMAL)
    yield
    gc.set_threshold(*before)


def nested(parents: int, children: int) -> list[BuiltNode]:
    return [
        build_node(f"p{p}", "RUNNING", children=[build_node(f"p{p}c{c}", "RUNNING") for c in range(children)])
        for p in range(parents)
    ]


def chain(levels: int) -> list[BuiltNode]:
    nodes = [build_node("leaf", "RUNNING")]
    for level in range(levels):
        nodes = [build_node(f"d{level}", "RUNNING", children=nodes)]
    return nodes


def tried(nodes: int, attempts: int) -> list[BuiltNode]:
    tries = [build_attempt("FAILED")] * attempts
    return [build_node(f"n{number}", "RUNNING", attempts=tries) for number in range(nodes)]


@attrs.frozen
class Stage:
    """A server with one execution, and a remote that notes how the garbage collector is set at each call."""

    server: DevServer
    remote: FlyteRemote
    calm: list[bool]


@asynccontextmanager
async def open_stage(nodes: list[BuiltNode]) -> AsyncIterator[Stage]:
    async with DevServer() as server, remote_of(server) as (remote, ledger):
        await server.load(build_execution("large", "RUNNING", nodes=nodes))
        calm: list[bool] = []
        ledger.on_call = lambda _method, _request: calm.append(gc.get_threshold()[2] > NORMAL[2])
        yield Stage(server, remote, calm)


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param(nested(11, 100), id="subworkflows"),
        pytest.param(tried(100, 15), id="attempts"),
        pytest.param([build_node("sub", "RUNNING", children=nested(11, 100))], id="two levels down"),
    ],
)
async def test_no_collection_of_all_garbage_while_a_large_tree_is_read(nodes: list[BuiltNode]) -> None:
    async with open_stage(nodes) as stage:
        first = await stage.remote.execution("large").sync(sync_nodes=True)
        assert not stage.calm[0]
        assert stage.calm[-1]
        assert gc.get_threshold() == NORMAL
        assert gc.get_count()[2] == 0
        # The next look has as many objects to begin with.
        stage.calm.clear()
        await first.sync(sync_nodes=True)
        assert all(stage.calm)
        assert gc.get_threshold() == NORMAL


@pytest.mark.parametrize("nodes", [nested(4, 100), chain(60), tried(10, 90)], ids=["nested", "deep", "attempts"])
async def test_a_small_tree_leaves_the_collector_alone(nodes: list[BuiltNode]) -> None:
    async with open_stage(nodes) as stage:
        first = await stage.remote.execution("large").sync(sync_nodes=True)
        await first.sync(sync_nodes=True)
        assert not any(stage.calm)


async def test_a_look_leaves_no_garbage_that_has_to_be_collected() -> None:
    async with open_stage(nested(10, 30)) as stage:
        handle = await stage.remote.execution("large").sync(sync_nodes=True, attempts=False)
        gc.collect()
        gc.disable()
        try:
            await handle.sync(sync_nodes=True, attempts=False)
            assert gc.collect() < 300
        finally:
            gc.enable()


# --- turns of the loop ----------------------------------------------------------------------------------------------


class AtOnce:
    """Keeps the lists of nodes below others back until all may be had, and then gives them in one turn of the loop."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._waiting = 0
        self._all = asyncio.Event()

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        reply = await self._inner.unary(method, request, timeout=timeout, metadata=metadata)
        if node_execution_pb2.NodeExecutionListRequest.FromString(request).unique_parent_id:
            self._waiting += 1
            if self._waiting % READS_AT_ONCE == 0:
                self._all.set()
            await self._all.wait()
        return reply

    async def aclose(self) -> None:
        await self._inner.aclose()


@attrs.define
class Meter:
    """Tells how far a count goes at most from one turn of the loop to the next."""

    count: Callable[[], int]
    most: int = 0
    _before: int = 0
    _handle: asyncio.Handle | None = None

    def __enter__(self) -> Self:
        self._before = self.count()
        self._turn()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._handle is not None
        self._handle.cancel()

    def _turn(self) -> None:
        now = self.count()
        self.most, self._before = max(self.most, now - self._before), now
        self._handle = asyncio.get_running_loop().call_soon(self._turn)


@asynccontextmanager
async def open_at_once() -> AsyncIterator[FlyteRemote]:
    async with DevServer() as server:
        await server.load(build_execution("large", "RUNNING", nodes=nested(READS_AT_ONCE, 90)))
        async with remote_over(lambda: AtOnce(server.transport()), Ledger()) as remote:
            yield remote


async def test_levels_that_come_in_at_once_are_taken_in_one_after_the_other() -> None:
    async with open_at_once() as remote:
        look = Look(remote._open, remote, Coverage(attempts=False))
        with Meter(lambda: len(look._drafts)) as meter:
            found = await look.at(remote.execution("large"))
        assert len(found.node_executions["p7"].subworkflow_node_executions) > 90
        assert 0 < meter.most <= 100


async def test_so_are_the_times_of_the_snapshot_before(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def noted(message: Any) -> NodeExecutionClosure:
        decoded.append(message)
        return usual(message)

    usual = NodeExecutionClosure.from_flyte_idl
    monkeypatch.setattr(NodeExecutionClosure, "from_flyte_idl", noted)
    async with open_at_once() as remote:
        first = await remote.execution("large").sync(sync_nodes=True, attempts=False)
        decoded.clear()
        with Meter(lambda: len(decoded)) as meter:
            await first.sync(sync_nodes=True, attempts=False)
        assert len(decoded) >= 90 * READS_AT_ONCE
        assert 0 < meter.most <= 100


# --- what is made of large trees ------------------------------------------------------------------------------------


@asynccontextmanager
async def open_ended() -> AsyncIterator[tuple[FlyteRemote, Ledger]]:
    nodes = [build_node(f"n{number}", "FAILED" if number == 700 else "SUCCEEDED") for number in range(1200)]
    async with DevServer() as server, remote_of(server) as (remote, ledger):
        await server.load(build_execution("large", "FAILED", nodes=nodes))
        yield remote, ledger


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, bool]]:
    """Return where timelines are made: whether on the loop's thread, and whether full collections wait."""
    seen: list[tuple[bool, bool]] = []

    def noted(usual: Callable[..., Any]) -> Callable[..., Any]:
        def make(*args: Any) -> Any:
            seen.append((threading.current_thread() is threading.main_thread(), gc.get_threshold()[2] > NORMAL[2]))
            return usual(*args)

        return make

    for name in ("timeline_of", "span_of_message"):
        monkeypatch.setattr(timelines, name, noted(getattr(timelines, name)))
    return seen


async def test_a_timeline_is_made_in_the_thread_for_such_work(where: list[tuple[bool, bool]]) -> None:
    async with open_ended() as (remote, ledger):
        refuse(ledger, "GetExecutionMetrics", lambda: PermissionDeniedError("not for you"))
        timeline = await (await remote.fetch_execution("large")).timeline()
        assert len(list(timeline.spans(SpanKind.NODE))) == 1200
        assert where == [(False, True)]
        assert gc.get_threshold() == NORMAL


async def test_so_is_that_of_the_server(where: list[tuple[bool, bool]]) -> None:
    async with recorded_server() as server, remote_of(server) as (remote, _):
        timeline = await remote.execution(recordings.labels()["samples.chain"]).timeline()
        assert timeline.source is TimelineSource.METRICS
        assert where == [(False, True)]


def test_a_tree_is_folded_in_turns() -> None:
    turns = []
    token = BETWEEN.set(lambda: turns.append(1))
    try:
        execution = execution_of(nodes=[node_of(node_id=f"n{number}") for number in range(1000)])
        assert fold(execution, lambda _, below: 1 + sum(below)) == 1001
    finally:
        BETWEEN.reset(token)
    assert len(turns) >= 10


@pytest.mark.parametrize("is_held", [True, False])
async def test_a_failure_is_searched_in_turns(monkeypatch: pytest.MonkeyPatch, is_held: bool) -> None:
    decoded: list[Any] = []
    usual = NodeExecutionClosure.from_flyte_idl

    def noted(message: Any) -> NodeExecutionClosure:
        decoded.append(gc.get_threshold()[2] > NORMAL[2])
        return usual(message)

    monkeypatch.setattr(NodeExecutionClosure, "from_flyte_idl", noted)
    async with open_ended() as (remote, _):
        execution = await remote.fetch_execution("large")
        if is_held:
            execution = await execution.sync(sync_nodes=True)
        decoded.clear()
        with Meter(lambda: len(decoded)) as meter:
            report = await execution.explain_failure()
        assert report is not None
        assert str(report.path[-1].id).endswith("n700")
        assert len(decoded) >= 1200
        assert all(decoded[:1200])
        assert 0 < meter.most <= 110
        assert gc.get_threshold() == NORMAL
