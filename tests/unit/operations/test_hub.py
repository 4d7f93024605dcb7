"""Waits at the hub: what many cost together, what they survive, and how they end."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from flyteidl.admin import common_pb2, execution_pb2
from flyteidl.core import execution_pb2 as core_pb2

from flyte_remote_async import Config, FlyteRemote
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.errors import (
    ClosedError,
    FlyteRemoteError,
    InvalidArgumentError,
    MalformedMessageError,
    NotFoundError,
    PermissionDeniedError,
    RPCError,
    UnavailableError,
    UnimplementedError,
    UnknownError,
    WaitFailedError,
    WaitTimeoutError,
    WrongLoopError,
)
from flyte_remote_async.operations.hub.asks import ask_list
from flyte_remote_async.policy.hub.schedule import Schedule
from flyte_remote_async.policy.hub.values import Ticket
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.methods import GET_EXECUTION, LIST_EXECUTIONS
from tests.support.cancelling import cancel_at_every_step
from tests.support.eventually import eventually
from tests.support.films import refuse
from tests.support.remotes import Ledger, remote_of, remote_over

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator, Callable, Iterable

    from flyte_remote_async import FlyteWorkflowExecution
    from flyte_remote_async.transport.base import Method

pytestmark = pytest.mark.anyio

SOON = 0.01
# What is young is looked at often.
AT = int(time.time())


def execution_at(name: str, phase: str, error: str = "", *, archived: bool = False) -> execution_pb2.Execution:
    message: Any = execution_pb2.Execution()
    message.id.project, message.id.domain, message.id.name = "flytesnacks", "development", name
    closure = message.closure
    closure.phase = core_pb2.WorkflowExecution.Phase.Value(phase)
    closure.created_at.seconds = AT
    closure.updated_at.seconds = AT + (closure.phase > 1) + (closure.phase > 2)
    if error:
        closure.error.message = error
    if archived:
        closure.state_change_details.state = execution_pb2.EXECUTION_ARCHIVED
    return message  # type: ignore[no-any-return]


@attrs.frozen
class Crowd:
    """A server with many executions, and a remote of it that counts what is asked."""

    server: DevServer
    remote: FlyteRemote
    ledger: Ledger
    rows: Counter[str]

    async def put(
        self, names: Iterable[str], phase: str = "RUNNING", error: str = "", *, archived: bool = False
    ) -> None:
        async with self.server.store.transaction() as together:
            for name in names:
                together.put_execution(execution_at(name, phase, error, archived=archived))

    def handles(self, names: Iterable[str]) -> list[FlyteWorkflowExecution]:
        return [self.remote.execution(name) for name in names]

    @property
    def polls(self) -> int:
        return self.ledger.total

    async def waiting(self, count: int) -> None:
        """Return when so many are waited for, and were looked at."""
        subjects = self.remote._open.hub.schedule.subjects
        await eventually(lambda: len(subjects) == count and all(one.heard_at is not None for one in subjects.values()))


def names_of(count: int) -> list[str]:
    return [f"e{number:04d}" for number in range(count)]


@asynccontextmanager
async def open_crowd(way: str = "in process", **overrides: Any) -> AsyncIterator[Crowd]:
    usual = {"max_attempts": 1, "max_polls_per_second": 1000}
    async with DevServer() as server, remote_of(server, way, **(usual | overrides)) as (remote, ledger):
        rows = ledger.count_rows(LIST_EXECUTIONS, lambda reply: [one.id.name for one in reply.executions])
        yield Crowd(server, remote, ledger, rows)


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    async with open_crowd() as crowd:
        yield crowd


# --- what they cost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["in process", "grpcio", "grpclib"])
async def test_a_thousand_waits_share_their_looks_and_rows_are_of_what_ended(way: str) -> None:
    async with open_crowd(way, max_polls_per_second=10) as crowd:
        names = names_of(1000)
        await crowd.put(names)
        waiting = asyncio.create_task(crowd.remote.wait_all(crowd.handles(names), sync_nodes=False))
        await crowd.waiting(1000)
        assert crowd.ledger.counts == {"ListExecutions": 1}
        await crowd.put(names, "SUCCEEDED")
        ended = await waiting
        assert [one.id.name for one in ended] == names
        assert all(one.is_successful and not one.error_truncated for one in ended)
        # One row of each to see that it is there, and one of its end; one that was due by itself was read by itself.
        assert crowd.rows.total() + crowd.ledger.counts["GetExecution"] <= 2010
        assert crowd.polls <= 30


async def test_what_was_seen_is_shown_when_it_has_ended_and_not_before(crowd: Crowd) -> None:
    names = names_of(50)
    await crowd.put(names)
    seen = [await handle.sync() for handle in crowd.handles(names)]
    crowd.ledger.clear()
    waiting = asyncio.create_task(crowd.remote.wait_all(seen, sync_nodes=False))
    await crowd.waiting(50)
    for name in names[:20]:
        await crowd.put([name], "SUCCEEDED")
    await eventually(lambda: len(crowd.remote.waits) == 30)
    # One that was due by itself was read by itself.
    assert set(crowd.rows.values()) <= {1}
    assert set(crowd.rows) <= set(names[:20])
    waiting.cancel()


async def test_one_wait_reads_its_execution_and_nothing_else(crowd: Crowd) -> None:
    await crowd.put(["one"], "SUCCEEDED")
    await crowd.remote.execution("one").wait(sync_nodes=False)
    assert crowd.ledger.counts == {"GetExecution": 1}


async def test_an_error_that_a_list_cut_is_read_whole(crowd: Crowd) -> None:
    names = names_of(40)
    await crowd.put(names, "FAILED", "why " * 50)
    ended = await crowd.remote.wait_all(crowd.handles(names), sync_nodes=False)
    assert {one.error.message for one in ended if one.error} == {"why " * 50}
    assert not any(one.error_truncated for one in ended)
    assert crowd.ledger.counts == {"ListExecutions": 1, "GetExecution": 40}


async def test_a_short_error_need_not_be_read_again(crowd: Crowd) -> None:
    names = names_of(5)
    await crowd.put(names, "FAILED", "why")
    ended = await crowd.remote.wait_all(crowd.handles(names), sync_nodes=False)
    assert {one.error.message for one in ended if one.error} == {"why"}
    assert crowd.ledger.counts == {"ListExecutions": 1}


async def test_archived_ones_are_found(crowd: Crowd) -> None:
    names = names_of(5)
    await crowd.put(names)
    waiting = asyncio.create_task(
        crowd.remote.wait_all(crowd.handles(names), poll_interval=SOON, sync_nodes=False, timeout=20)
    )
    await crowd.waiting(5)
    await crowd.put(names, "ABORTED", archived=True)
    assert {one.phase.name for one in await waiting} == {"ABORTED"}


async def test_waits_of_one_execution_share_its_looks(crowd: Crowd) -> None:
    await crowd.put(["one"])
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(crowd.remote.execution("one").wait(sync_nodes=False)) for _ in range(100)]
        await crowd.waiting(1)
        assert crowd.remote.waits[0].waiters == 100
        await crowd.put(["one"], "SUCCEEDED")
    assert all(wait.result().is_successful for wait in waits)
    assert crowd.ledger.total <= 5


async def test_projects_have_lists_of_their_own(crowd: Crowd) -> None:
    async with crowd.server.store.transaction() as together:
        for number in range(4):
            message = execution_at(f"e{number}", "SUCCEEDED")
            message.id.domain = "development" if number % 2 else "staging"
            together.put_execution(message)
    handles = [
        crowd.remote.execution(f"e{number}", domain=("staging", "development")[number % 2]) for number in range(4)
    ]
    ended = await crowd.remote.wait_all(handles, sync_nodes=False)
    assert [one.id.domain for one in ended] == ["staging", "development"] * 2
    assert crowd.ledger.counts == {"ListExecutions": 2}


async def test_a_name_that_no_filter_takes(crowd: Crowd) -> None:
    await crowd.put(["one", "two", "odd;name"], "SUCCEEDED")
    ended = await crowd.remote.wait_all(crowd.handles(["one", "two", "odd;name"]), sync_nodes=False)
    assert all(one.is_successful for one in ended)
    assert crowd.ledger.counts == {"ListExecutions": 1, "GetExecution": 1}


# --- many at once ---------------------------------------------------------------------------------------------------


async def test_all_come_in_the_given_order_with_their_nodes(crowd: Crowd) -> None:
    await crowd.put(["one", "two"], "SUCCEEDED")
    ended = await crowd.remote.wait_all(crowd.handles(["two", "one", "two"]))
    assert [one.id.name for one in ended] == ["two", "one", "two"]
    assert all(one.has_nodes for one in ended)


@pytest.mark.parametrize("flag", [True, False])
async def test_whether_errors_are_returned_can_be_a_variable(crowd: Crowd, flag: bool) -> None:
    await crowd.put(["one"], "SUCCEEDED")
    ended = await crowd.remote.wait_all(crowd.handles(["one"]), return_exceptions=flag)
    assert [type(one).__name__ for one in ended] == ["FlyteWorkflowExecution"]
    completed = crowd.remote.as_completed(crowd.handles(["one"]), return_exceptions=flag)
    assert [type(one).__name__ async for one in completed] == ["FlyteWorkflowExecution"]


async def test_whoever_leaves_early_leaves_no_task(crowd: Crowd) -> None:
    names = names_of(5)
    await crowd.put(names, "SUCCEEDED")
    before = asyncio.all_tasks()
    completed = crowd.remote.as_completed(crowd.handles(names))
    await anext(completed)
    await completed.aclose()
    left = asyncio.all_tasks() - before
    assert not [task for task in left if "hub" not in task.get_name()]


async def test_all_of_nothing_is_nothing(crowd: Crowd) -> None:
    assert await crowd.remote.wait_all([]) == []
    assert [one async for one in crowd.remote.as_completed([])] == []
    assert crowd.ledger.total == 0


async def test_what_has_ended_before_costs_nothing(crowd: Crowd) -> None:
    await crowd.put(["one"], "SUCCEEDED")
    (ended,) = await crowd.remote.wait_all(crowd.handles(["one"]))
    crowd.ledger.clear()
    assert await crowd.remote.wait_all([ended, ended]) == [ended, ended]
    assert crowd.ledger.total == 0


async def test_they_come_as_they_end(crowd: Crowd) -> None:
    names = ["one", "two", "three"]
    await crowd.put(names)
    order = []
    completed = crowd.remote.as_completed(crowd.handles(names), poll_interval=SOON)
    await crowd.put(["two"], "SUCCEEDED")
    async for ended in completed:
        order.append(ended.id.name)
        if left := {"two": "three", "three": "one"}.get(ended.id.name):
            await crowd.put([left], "FAILED")
    assert order == ["two", "three", "one"]


async def test_whoever_stops_early_leaves_nothing(crowd: Crowd) -> None:
    await crowd.put(["one", "two"])
    await crowd.put(["two"], "SUCCEEDED")
    completed = crowd.remote.as_completed(crowd.handles(["one", "two"]), poll_interval=SOON)
    async for ended in completed:
        assert ended.id.name == "two"
        break
    assert len(crowd.remote.waits) == 1
    await completed.aclose()
    assert not crowd.remote.waits


@pytest.mark.parametrize("as_list", [True, False])
async def test_one_that_cannot_be_waited_for_ends_the_wait_for_all(crowd: Crowd, *, as_list: bool) -> None:
    await crowd.put(["one"])
    handles = crowd.handles(["one", "nobody"])

    async def wait() -> None:
        if as_list:
            await crowd.remote.wait_all(handles)
        else:
            _ = [one async for one in crowd.remote.as_completed(handles)]

    with pytest.raises(NotFoundError, match="nobody"):
        await wait()
    assert not crowd.remote.waits


async def test_errors_can_be_results(crowd: Crowd) -> None:
    await crowd.put(["one", "slow"])
    await crowd.put(["one"], "SUCCEEDED")
    handles = crowd.handles(["nobody", "one", "slow"])
    ended = await crowd.remote.wait_all(handles, timeout=1.5, return_exceptions=True, sync_nodes=False)
    assert [type(one).__name__ for one in ended] == ["NotFoundError", "FlyteWorkflowExecution", "WaitTimeoutError"]
    found = [one async for one in crowd.remote.as_completed(handles[:2], return_exceptions=True)]
    assert {type(one).__name__ for one in found} == {"NotFoundError", "FlyteWorkflowExecution"}


async def test_a_slow_reader_is_not_run_ahead_of(crowd: Crowd) -> None:
    names = names_of(100)
    await crowd.put(names, "SUCCEEDED")
    completed = crowd.remote.as_completed(crowd.handles(names))
    await anext(completed)
    await asyncio.sleep(0.1)
    assert crowd.ledger.counts["ListNodeExecutions"] <= 20
    assert len([one async for one in completed]) == 99


# --- until ----------------------------------------------------------------------------------------------------------


async def test_until_it_runs(crowd: Crowd) -> None:
    await crowd.put(["one"], "QUEUED")
    waiting = asyncio.create_task(crowd.remote.execution("one").wait(until="running", poll_interval=SOON))
    await eventually(lambda: crowd.polls >= 3)
    assert not waiting.done()
    await crowd.put(["one"], "RUNNING")
    running = await waiting
    assert running.phase.name == "RUNNING"
    assert running.has_nodes
    crowd.ledger.clear()
    assert await running.wait(until="running") is not None
    assert crowd.ledger.counts["GetExecution"] == 0


async def test_what_ended_before_it_was_seen_running_has_started_too(crowd: Crowd) -> None:
    await crowd.put(["one"], "FAILED")
    assert (await crowd.remote.execution("one").wait(until="running", sync_nodes=False)).phase.name == "FAILED"


async def test_until_a_function_says_so(crowd: Crowd) -> None:
    await crowd.put(["one", "two"], "QUEUED")
    seen = []

    def is_failing(execution: FlyteWorkflowExecution) -> bool:
        seen.append(execution.phase.name)
        return execution.phase.name == "FAILING"

    other = asyncio.create_task(crowd.remote.execution("two").wait())
    waiting = asyncio.create_task(
        crowd.remote.execution("one").wait(until=is_failing, poll_interval=SOON, sync_nodes=False)
    )
    for phase in ("QUEUED", "RUNNING", "FAILING"):
        await crowd.put(["one"], phase)
        await eventually(lambda phase=phase: phase in seen)  # type: ignore[misc]
    assert (await waiting).phase.name == "FAILING"
    assert seen == ["QUEUED", "RUNNING", "FAILING"]
    other.cancel()


async def test_an_end_ends_every_wait(crowd: Crowd) -> None:
    await crowd.put(["one"], "SUCCEEDED")
    ended = await crowd.remote.execution("one").wait(until=lambda _: False, sync_nodes=False)
    assert ended.is_done


async def test_a_function_that_fails_is_the_waiters_own_affair(crowd: Crowd) -> None:
    await crowd.put(["one"])
    other = asyncio.create_task(crowd.remote.execution("one").wait())
    with pytest.raises(ZeroDivisionError):
        await crowd.remote.execution("one").wait(until=lambda _: bool(1 / 0))
    await eventually(lambda: [state.waiters for state in crowd.remote.waits] == [1])
    await crowd.put(["one"], "SUCCEEDED")
    assert (await other).is_successful


@pytest.mark.parametrize("until", ["over", 5, None])
async def test_until_something_else(crowd: Crowd, until: Any) -> None:
    with pytest.raises(ValueError, match="'terminal', 'running' or a function"):
        await crowd.remote.execution("one").wait(until=until)


# --- bad servers ----------------------------------------------------------------------------------------------------


async def test_a_server_that_restarts_in_the_middle_of_a_thousand_waits() -> None:
    async with DevServer() as server:
        names = names_of(1000)

        async def put(phase: str) -> None:
            async with server.store.transaction() as together:
                for name in names:
                    together.put_execution(execution_at(name, phase))

        await put("RUNNING")
        serving = Serving(server._options.registry.handlers())
        port = await serving.start()
        config = Config.for_endpoint(
            f"127.0.0.1:{port}", insecure=True, project="flytesnacks", domain="development", max_attempts=2
        )
        async with FlyteRemote.connect(config) as remote:
            handles = [remote.execution(name) for name in names]
            waits = [asyncio.create_task(handle.wait(sync_nodes=False)) for handle in handles]
            await eventually(lambda: all(state.stale_for < 1 and state.failures == 0 for state in remote.waits))
            await serving.stop()
            await eventually(lambda: all(state.failures > 0 for state in remote.waits))
            assert all(isinstance(state.last_error, RPCError) for state in remote.waits)
            assert not any(wait.done() for wait in waits)
            await put("SUCCEEDED")
            again = Serving(server._options.registry.handlers())
            await again.start(port=port)
            ended = await asyncio.gather(*waits)
            assert all(one.is_successful for one in ended)
            await again.stop()


@pytest.mark.parametrize(
    "error", [InvalidArgumentError, UnimplementedError, UnknownError, PermissionDeniedError, MalformedMessageError]
)
async def test_a_server_that_refuses_lists(crowd: Crowd, error: Callable[[], Exception]) -> None:
    names = names_of(20)
    await crowd.put(names)
    refuse(crowd.ledger, "ListExecutions", error)
    waiting = asyncio.create_task(
        crowd.remote.wait_all(crowd.handles(names), poll_interval=SOON, sync_nodes=False, timeout=30)
    )
    await eventually(lambda: crowd.ledger.counts["GetExecution"] >= 20)
    await crowd.put(names, "SUCCEEDED")
    assert all(one.is_successful for one in await waiting)
    assert crowd.ledger.counts["ListExecutions"] <= 2


async def test_a_server_that_forgets_one_of_many(crowd: Crowd) -> None:
    await crowd.put(["one", "two"])
    seen = [await handle.sync() for handle in crowd.handles(["one", "gone", "two"]) if handle.id.name != "gone"]
    gone = execution_at("gone", "RUNNING")
    from flyte_remote_async import FlyteWorkflowExecution

    seen.append(FlyteWorkflowExecution.from_flyte_idl(gone, remote=crowd.remote))
    waits = [asyncio.create_task(one.wait(poll_interval=SOON, sync_nodes=False)) for one in seen]
    await crowd.waiting(3)
    subject = crowd.remote._open.hub.schedule.subjects[seen[-1].id]
    subject.full_at = 0.0
    with pytest.raises(NotFoundError, match="gone"):
        await waits[-1]
    about = [request for name, request in crowd.ledger.calls if name == "GetExecution" and b"gone" in request]
    assert len(about) == 3
    await crowd.put(["one", "two"], "SUCCEEDED")
    assert all(one.is_successful for one in await asyncio.gather(*waits[:2]))


async def test_phases_that_go_back_are_not_believed(crowd: Crowd) -> None:
    names = names_of(3)
    await crowd.put(names, "FAILED", "why " * 50)
    # A list showed the end; each read by name comes from a replica that is behind.
    usual = crowd.ledger.on_reply

    def on_reply(method: Method[Any, Any], reply: Reply) -> Reply:
        if method.name == "GetExecution":
            message: Any = execution_pb2.Execution.FromString(reply.message)
            return Reply(execution_at(message.id.name, "RUNNING").SerializeToString())
        return usual(method, reply)

    crowd.ledger.on_reply = on_reply
    ended = await crowd.remote.wait_all(crowd.handles(names), sync_nodes=False)
    assert {one.phase.name for one in ended} == {"FAILED"}
    assert all(one.error_truncated for one in ended)
    crowd.ledger.on_reply = usual
    whole = await ended[0].sync()
    assert not whole.error_truncated
    assert whole.error is not None
    assert whole.error.message == "why " * 50


async def test_a_server_that_answers_slowly(crowd: Crowd) -> None:
    names = names_of(50)
    await crowd.put(names)
    handlers: dict[str, Any] = dict(crowd.server._options.registry.handlers())
    quick = handlers[LIST_EXECUTIONS.path]
    asked = 0

    async def slow(request: bytes, metadata: Any) -> Any:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.5)
        return await quick(request, metadata)

    handlers[LIST_EXECUTIONS.path] = slow
    async with remote_over(lambda: InProcessTransport(handlers), Ledger()) as remote:
        waits = [asyncio.create_task(remote.execution(name).wait(sync_nodes=False)) for name in names]
        await eventually(lambda: asked == 1)
        # One whose time is over is not held up by an answer that is under way.
        with pytest.raises(WaitTimeoutError):
            await remote.execution("e0000").wait(timeout=0.05)
        await crowd.put(names, "SUCCEEDED")
        assert all(one.is_successful for one in await asyncio.gather(*waits))
        # What is asked about is not asked about again before there is an answer.
        assert asked <= 15


async def test_an_error_of_one_is_not_that_of_another(crowd: Crowd) -> None:
    await crowd.put(["one", "two"])
    refuse(crowd.ledger, "GetExecution", lambda: PermissionDeniedError("not yours"), about="one")
    other = asyncio.create_task(crowd.remote.execution("two").wait(sync_nodes=False))
    await crowd.waiting(1)
    waits = [asyncio.create_task(crowd.remote.execution("one").wait(timeout=5)) for _ in range(2)]
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in errors} == {PermissionDeniedError}
    # An error keeps the way that it was raised on, so each waiter has one of his own.
    assert errors[0] is not errors[1]
    await crowd.put(["two"], "SUCCEEDED")
    assert (await other).is_successful


async def test_whoever_comes_while_many_are_told_is_told_too(crowd: Crowd) -> None:
    await crowd.put(["one"])
    handle = crowd.remote.execution("one")
    waits = [asyncio.create_task(handle.wait(sync_nodes=False)) for _ in range(500)]
    late: list[asyncio.Task[FlyteWorkflowExecution]] = []
    waits[0].add_done_callback(lambda _: late.append(asyncio.create_task(handle.wait(sync_nodes=False))))
    await eventually(lambda: bool(crowd.remote.waits) and crowd.remote.waits[0].waiters == 500)
    await crowd.put(["one"], "SUCCEEDED")
    assert all(one.is_successful for one in await asyncio.gather(*waits))
    assert (await late[0]).is_successful


async def test_how_the_waits_go_can_be_seen(crowd: Crowd) -> None:
    await crowd.put(["one"])
    assert not crowd.remote.waits
    waiting = asyncio.create_task(crowd.remote.execution("one").wait(poll_interval=SOON))
    await crowd.waiting(1)
    refuse(crowd.ledger, "GetExecution", lambda: UnavailableError("restarting"))
    await eventually(lambda: crowd.remote.waits[0].failures > 2)
    (state,) = crowd.remote.waits
    assert state.id.name == "one"
    assert isinstance(state.last_error, UnavailableError)
    # The first answer came after the wait began.
    assert 0 < state.stale_for < state.waiting_for
    refuse(crowd.ledger, "nothing", UnavailableError)
    await eventually(lambda: crowd.remote.waits[0].failures == 0)
    assert crowd.remote.waits[0].last_error is None
    waiting.cancel()
    await eventually(lambda: not crowd.remote.waits)


def test_how_the_waits_go_can_be_asked_outside_of_the_loop() -> None:
    async def run() -> FlyteRemote:
        async with open_crowd() as crowd:
            await crowd.put(["one"], "SUCCEEDED")
            await crowd.remote.execution("one").wait(sync_nodes=False)
            return crowd.remote

    assert asyncio.run(run()).waits == ()


async def test_the_silence_is_told_when_the_time_is_over(crowd: Crowd) -> None:
    await crowd.put(["one"])
    refuse(crowd.ledger, "GetExecution", lambda: UnavailableError("restarting"))
    began = time.monotonic()
    with pytest.raises(WaitTimeoutError, match="restarting") as caught:
        await crowd.remote.execution("one").wait(timeout=0.3, poll_interval=SOON)
    assert 0.25 <= caught.value.stale_for <= time.monotonic() - began


# --- a hub that breaks, is closed, or is left -------------------------------------------------------------------------


async def test_a_hub_that_breaks_tells_those_who_wait_and_nobody_else(crowd: Crowd) -> None:
    names = names_of(20)
    await crowd.put(names)
    broken = True

    def on_call(method: Method[Any, Any], _request: bytes) -> None:
        if method.name == "ListExecutions" and broken:
            raise ZeroDivisionError("a bug")

    crowd.ledger.on_call = on_call

    async def body() -> list[FlyteWorkflowExecution | BaseException]:
        waits = [handle.wait(sync_nodes=False) for handle in crowd.handles(names)]
        results = await asyncio.gather(*waits, return_exceptions=True)
        assert not asyncio.current_task().cancelling()  # type: ignore[union-attr]
        return results

    errors = await body()
    assert len({id(error) for error in errors}) == 20
    for error in errors:
        assert isinstance(error, WaitFailedError)
        assert "ZeroDivisionError: a bug" in str(error)
        assert isinstance(error.__cause__, ZeroDivisionError)
    # The next wait begins anew.
    broken = False
    await crowd.put(names, "SUCCEEDED")
    assert len(await crowd.remote.wait_all(crowd.handles(names), sync_nodes=False)) == 20


async def test_a_close_by_another_task_ends_all_waits(crowd: Crowd) -> None:
    names = names_of(300)
    await crowd.put(names)
    waits = [asyncio.create_task(handle.wait()) for handle in crowd.handles(names)]
    several = asyncio.create_task(crowd.remote.wait_all(crowd.handles(names[:5])))
    await crowd.waiting(300)
    before = asyncio.all_tasks()
    await asyncio.create_task(crowd.remote.aclose())
    errors = await asyncio.gather(*waits, several, return_exceptions=True)
    assert {type(error) for error in errors} == {ClosedError}
    assert not [task for task in asyncio.all_tasks() & before if "hub" in task.get_name()]
    with pytest.raises(ClosedError):
        await crowd.remote.wait_all(crowd.handles(["e0000"]))


async def test_another_event_loop_is_refused(crowd: Crowd) -> None:
    await crowd.put(["one"])
    waiting = asyncio.create_task(crowd.remote.execution("one").wait(sync_nodes=False))
    await crowd.waiting(1)
    errors: list[BaseException] = []

    def elsewhere() -> None:
        async def wait() -> None:
            await crowd.remote.execution("one").wait()

        try:
            asyncio.run(wait())
        except WrongLoopError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await eventually(lambda: not thread.is_alive())
    assert "another event loop" in str(errors[0])
    await crowd.put(["one"], "SUCCEEDED")
    assert (await waiting).is_successful


@pytest.mark.parametrize("seed", range(5))
async def test_any_subset_can_be_cancelled_at_any_moment(crowd: Crowd, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - dice of a test
    names = names_of(60)
    await crowd.put(names)
    before = asyncio.all_tasks()
    reads = crowd.remote._open.reads
    waits = {name: asyncio.create_task(crowd.remote.execution(name).wait(poll_interval=SOON)) for name in names}
    ended: set[str] = set()
    while len(ended) < len(names):
        for name in dice.sample(names, 3):
            if dice.random() < 0.4:
                waits[name].cancel()
        some = dice.sample(names, 10)
        await crowd.put(some, dice.choice(["SUCCEEDED", "FAILED"]), dice.choice(["", "why " * 50]))
        ended.update(some)
        for _ in range(dice.randrange(20)):
            await asyncio.sleep(0)
    results = await asyncio.gather(*waits.values(), return_exceptions=True)
    for name, wait in waits.items():
        assert wait.cancelled() or wait.result().id.name == name
        assert wait.cancelled() or wait.result().has_nodes
    assert not [one for one in results if isinstance(one, FlyteRemoteError)]
    assert not crowd.remote.waits
    await eventually(lambda: asyncio.all_tasks() == before)
    assert reads.borrowed_tokens == 0


async def turns_until(condition: Callable[[], bool]) -> int:
    """Return how many turns the loop made until a condition held."""
    turns = 0
    with anyio.fail_after(20):
        while not condition():
            await asyncio.sleep(0)
            turns += 1
    return turns


async def test_many_who_come_and_go_at_once_leave_the_loop_its_turns(crowd: Crowd) -> None:
    names = names_of(1000)
    await crowd.put(names)
    subjects = crowd.remote._open.hub.schedule.subjects
    together = asyncio.create_task(crowd.remote.wait_all(crowd.handles(names), sync_nodes=False))
    assert await turns_until(lambda: len(subjects) == 1000) >= 10
    await crowd.waiting(1000)
    assert crowd.ledger.counts == {"ListExecutions": 1}
    waits = [asyncio.create_task(one.wait(sync_nodes=False)) for one in crowd.handles(names)]
    await eventually(lambda: sum(len(subject.tickets) for subject in subjects.values()) == 2000)
    together.cancel()
    for wait in waits[1:]:
        wait.cancel()
    assert await turns_until(lambda: len(subjects) == 1) >= 20
    assert [state.waiters for state in crowd.remote.waits] == [1]
    waits[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits[0]
    assert crowd.remote.waits == ()


async def test_the_loop_gets_its_turn_while_a_large_page_is_gone_through(crowd: Crowd) -> None:
    names = names_of(1000)
    await crowd.put(names)
    schedule = Schedule(lambda: 0.5)
    for handle in crowd.handles(names):
        schedule.join(Ticket(handle.id), 0.0)
    (ask,) = schedule.take(0.0)
    turns: list[asyncio.Task[int]] = []
    is_read = False

    def on_reply(_method: Method[Any, Any], reply: Reply) -> Reply:
        turns.append(asyncio.create_task(turns_until(lambda: is_read)))
        return reply

    crowd.ledger.on_reply = on_reply
    rows = await ask_list(crowd.remote._open, ask)
    is_read = True
    assert rows.keys() == set(names)
    assert await turns[0] >= 10


async def test_cancelled_at_every_step_a_wait_for_all_leaves_nothing(crowd: Crowd) -> None:
    names = names_of(3)
    await crowd.put(names, "FAILED", "why " * 50)

    async def wait() -> None:
        assert len(await crowd.remote.wait_all(crowd.handles(names))) == 3

    def nobody_waits() -> None:
        assert not crowd.remote.waits

    assert await cancel_at_every_step(wait, nobody_waits) > 10


async def test_the_task_of_the_hub_is_there_while_somebody_waits(crowd: Crowd) -> None:
    def is_there() -> bool:
        return any("hub" in task.get_name() for task in asyncio.all_tasks() if not task.cancelling())

    await crowd.put(["one"])
    assert not is_there()
    waits = [asyncio.create_task(crowd.remote.execution("one").wait()) for _ in range(2)]
    await crowd.waiting(1)
    assert is_there()
    waits[0].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert is_there()
    waits[1].cancel()
    await eventually(lambda: not is_there())


async def test_a_wait_in_a_scope_that_ends_it(crowd: Crowd) -> None:
    await crowd.put(["one"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await crowd.remote.execution("one").wait()
    assert not crowd.remote.waits


async def test_an_end_that_cannot_be_read_at_once_is_read_later(crowd: Crowd) -> None:
    names = names_of(5)
    await crowd.put(names, "FAILED", "why " * 50)
    refuse(crowd.ledger, "GetExecution", lambda: UnavailableError("restarting"), times=8)
    ended = await crowd.remote.wait_all(crowd.handles(names), sync_nodes=False)
    assert {one.error.message for one in ended if one.error} == {"why " * 50}


@pytest.mark.parametrize(("bound", "most"), [(2, 2), (100, 16)])
async def test_reads_of_ends_have_a_bound_besides_that_of_all_reads(crowd: Crowd, bound: int, most: int) -> None:
    names = names_of(40)
    await crowd.put(names, "FAILED", "why " * 50)
    handlers: dict[str, Any] = dict(crowd.server._options.registry.handlers())
    answer = handlers[GET_EXECUTION.path]
    running: list[int] = [0]

    async def counted(request: bytes, metadata: Any) -> Any:
        running.append(running[-1] + 1)
        for _ in range(50):
            await asyncio.sleep(0)
        running.append(running[-1] - 1)
        return await answer(request, metadata)

    handlers[GET_EXECUTION.path] = counted
    async with remote_over(lambda: InProcessTransport(handlers), Ledger()) as remote:
        remote._open.reads.total_tokens = bound
        await remote.wait_all([remote.execution(name) for name in names], sync_nodes=False)
    assert max(running) == most


async def test_a_close_while_an_end_is_read(crowd: Crowd) -> None:
    names = names_of(5)
    await crowd.put(names, "FAILED", "why " * 50)
    refuse(crowd.ledger, "GetExecution", lambda: UnavailableError("restarting"))
    waits = [asyncio.create_task(one.wait(sync_nodes=False)) for one in crowd.handles(names)]
    await eventually(lambda: crowd.ledger.counts["GetExecution"] >= 5)
    await crowd.remote.aclose()
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in errors} == {ClosedError}


async def test_whoever_comes_while_an_end_is_read_gets_it_too(crowd: Crowd) -> None:
    names = names_of(2)
    await crowd.put(names, "FAILED", "why " * 50)
    failing = True

    def on_call(method: Method[Any, Any], _request: bytes) -> None:
        if method.name == "GetExecution" and failing:
            raise UnavailableError("restarting")

    crowd.ledger.on_call = on_call
    waits = [asyncio.create_task(one.wait(sync_nodes=False)) for one in crowd.handles(names)]
    await eventually(lambda: crowd.ledger.counts["GetExecution"] >= 2)
    late = asyncio.create_task(crowd.remote.execution(names[0]).wait(sync_nodes=False))
    await asyncio.sleep(0.05)
    failing = False
    ended = await asyncio.gather(*waits, late)
    assert {one.error.message for one in ended if one.error} == {"why " * 50}


async def test_requests_are_what_flyte_reads(crowd: Crowd) -> None:
    names = names_of(2)
    await crowd.put(names)
    seen = [await handle.sync() for handle in crowd.handles(names)]
    crowd.ledger.clear()
    waits = [asyncio.create_task(one.wait()) for one in seen]
    await crowd.waiting(2)
    request = common_pb2.ResourceListRequest.FromString(crowd.ledger.calls[0][1])
    assert request.filters == (
        "value_in(execution_name,e0000;e0001)+value_in(state,0;1)+value_in(phase,SUCCEEDED;FAILED;ABORTED;TIMED_OUT)"
    )
    assert request.limit == 3
    for wait in waits:
        wait.cancel()
