"""Waits: what they ask, how they end, what they survive."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest

from flyte_remote_async import Config, FlyteRemote
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.errors import (
    AbortedError,
    ClosedError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    MessageTooLargeError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    RPCCancelledError,
    UnauthenticatedError,
    UnavailableError,
    UnknownError,
    WaitTimeoutError,
)
from flyte_remote_async.transport.methods import GET_EXECUTION, LIST_NODE_EXECUTIONS
from tests.support.cancelling import cancel_at_every_step
from tests.support.eventually import eventually
from tests.support.films import Film, refuse
from tests.support.remotes import Ledger, remote_over
from tests.support.stages import open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from flyte_remote_async import FlyteWorkflowExecution
    from flyte_remote_async.transport.base import Metadata, Method
    from tests.support.stages import Stage

pytestmark = pytest.mark.anyio

SOON = 0.001


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as stage:
        await stage.run()
        yield stage


async def test_polls_read_the_status_and_the_end_reads_the_nodes_once(stage: Stage) -> None:
    stage.play("QUEUED", "RUNNING", "RUNNING", "SUCCEEDING", "SUCCEEDED")
    ended = await stage.handle().wait(poll_interval=SOON)
    assert ended.is_successful
    assert list(ended.node_executions) == ["task"]
    assert stage.ledger.counts == {"GetExecution": 5, "ListNodeExecutions": 1, "ListTaskExecutions": 1}
    assert [name for name, _ in stage.ledger.calls][:5] == ["GetExecution"] * 5


async def test_without_nodes_the_status_is_all(stage: Stage) -> None:
    stage.play("RUNNING", "FAILED")
    ended = await stage.handle().wait(poll_interval=timedelta(milliseconds=1), sync_nodes=False)
    assert ended.phase.name == "FAILED"
    assert not ended.has_nodes
    assert stage.ledger.counts == {"GetExecution": 2}


@pytest.mark.parametrize("phase", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"])
async def test_every_end_is_one(stage: Stage, phase: str) -> None:
    stage.play(phase)
    assert (await stage.handle().wait()).phase.name == phase


async def test_what_has_ended_is_not_looked_at_again(stage: Stage) -> None:
    stage.play("SUCCEEDED")
    ended = await stage.handle().wait()
    stage.ledger.clear()
    assert await ended.wait() is ended
    assert await ended.wait(sync_nodes=False, timeout=0) is ended
    assert stage.ledger.total == 0


async def test_the_nodes_of_what_has_ended_are_read_without_another_look(stage: Stage) -> None:
    stage.play("SUCCEEDED")
    status = await stage.handle().sync()
    stage.ledger.clear()
    assert await status.wait(sync_nodes=False) is status
    assert (await status.wait()).has_nodes
    assert stage.ledger.counts == {"ListNodeExecutions": 1, "ListTaskExecutions": 1}


async def test_the_snapshot_before_is_unchanged_and_its_settled_parts_are_shared(stage: Stage) -> None:
    await stage.film.node("early", "SUCCEEDED")
    await stage.film.attempt("early", "SUCCEEDED")
    before = await stage.handle().sync(sync_nodes=True)
    stage.play("SUCCEEDED")
    after = await before.wait()
    assert before.phase.name == "RUNNING"
    assert after.node_executions["early"] is before.node_executions["early"]


async def test_adaptive_pauses_by_default(stage: Stage) -> None:
    stage.play("RUNNING", "RUNNING", "SUCCEEDED")
    assert (await stage.handle().wait(sync_nodes=False)).is_done


# --- the deadline ---------------------------------------------------------------------------------------------------


async def test_no_time_is_one_look(stage: Stage) -> None:
    with pytest.raises(WaitTimeoutError, match=r"within 0 seconds: it is RUNNING") as caught:
        await stage.handle().wait(timeout=0)
    assert stage.ledger.counts == {"GetExecution": 1}
    assert caught.value.execution.phase.name == "RUNNING"
    assert caught.value.last_error is None
    assert isinstance(caught.value, TimeoutError)
    stage.play("SUCCEEDED")
    assert (await stage.handle().wait(timeout=0, sync_nodes=False)).is_done


@pytest.mark.parametrize("timeout", [0.5, timedelta(milliseconds=500)])
async def test_what_ends_during_the_last_pause_is_seen_at_the_deadline(
    stage: Stage, timeout: float | timedelta
) -> None:
    stage.play("RUNNING", "SUCCEEDED")
    ended = await stage.handle().wait(timeout=timeout, poll_interval=timedelta(hours=1), sync_nodes=False)
    assert ended.is_done
    assert stage.ledger.counts == {"GetExecution": 2}


async def test_the_time_is_for_the_wait_as_a_whole(stage: Stage) -> None:
    with pytest.raises(WaitTimeoutError, match=r"film did not end within 0\.05 seconds.*waited for again") as caught:
        await stage.handle().wait(timeout=0.05, poll_interval=0.02)
    # Looks at 0, 0.02, 0.04 and at the deadline, and fewer on a busy machine.
    assert 1 <= stage.ledger.counts["GetExecution"] <= 4
    assert caught.value.execution.phase.name == "RUNNING"


async def test_the_last_error_is_told(stage: Stage) -> None:
    refuse(stage.ledger, "GetExecution", lambda: UnavailableError("restarting"))
    with pytest.raises(WaitTimeoutError, match=r"the last look failed: .*restarting") as caught:
        await stage.handle().wait(timeout=0.01, poll_interval=SOON)
    assert isinstance(caught.value.last_error, UnavailableError)
    assert caught.value.execution.phase.name == "UNDEFINED"


async def test_nodes_that_cannot_be_read_in_time_are_told_apart(stage: Stage) -> None:
    stage.play("SUCCEEDED")
    refuse(stage.ledger, "ListNodeExecutions", lambda: UnavailableError("restarting"))
    with pytest.raises(WaitTimeoutError, match="has SUCCEEDED, but its nodes could not be read in time") as caught:
        await stage.handle().wait(timeout=0.01, poll_interval=SOON)
    assert caught.value.execution.is_successful


async def test_the_nodes_are_read_within_the_time_too(stage: Stage) -> None:
    await stage.film.execution("SUCCEEDED")
    handlers: dict[str, Any] = dict(stage.server._options.registry.handlers())
    path = LIST_NODE_EXECUTIONS.path

    async def never(_request: bytes, _metadata: Metadata) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    handlers[path] = never
    remote = remote_over(lambda: InProcessTransport(handlers), Ledger())
    async with remote:
        with pytest.raises(WaitTimeoutError, match="has SUCCEEDED, but its nodes") as caught:
            await remote.execution("film").wait(timeout=0.01)
    assert caught.value.execution.is_successful


async def test_the_nodes_of_what_ended_in_time_are_read_when_there_is_none_left(stage: Stage) -> None:
    await stage.end()
    ended = await stage.handle().wait(timeout=0)
    assert list(ended.node_executions) == ["task"]


async def test_nodes_that_a_server_cannot_read_do_not_hold_the_waiter_for_ever(stage: Stage) -> None:
    stage.play("SUCCEEDED")
    refuse(stage.ledger, "ListNodeExecutions", lambda: InternalError("broken"))
    with pytest.raises(InternalError, match="broken") as caught:
        await stage.handle().wait(poll_interval=SOON)
    assert "has ended as SUCCEEDED" in caught.value.__notes__[0]
    assert (await stage.handle().wait(sync_nodes=False)).is_successful


@pytest.mark.parametrize("bad", [-1, -0.001, math.inf, math.nan, timedelta(seconds=-1)])
@pytest.mark.parametrize("name", ["timeout", "poll_interval"])
async def test_times_that_are_none(stage: Stage, name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=name):
        await stage.handle().wait(**{name: bad})
    assert stage.ledger.total == 0


@pytest.mark.parametrize("bad", ["5", "soon", b"5"])
@pytest.mark.parametrize("name", ["timeout", "poll_interval"])
async def test_words_are_no_times(stage: Stage, name: str, bad: Any) -> None:
    with pytest.raises(TypeError, match=name):
        await stage.handle().wait(**{name: bad})
    assert stage.ledger.total == 0


async def test_an_async_predicate_is_refused(stage: Stage) -> None:
    async def until(_seen: FlyteWorkflowExecution) -> bool:
        return True

    wanted: Any = until
    with pytest.raises(TypeError, match="not an async one"):
        await stage.handle().wait(until=wanted)
    assert not stage.remote.waits


@pytest.mark.parametrize("timeout", [0.3, 0.8])
async def test_the_time_holds_where_nothing_is_answered(stage: Stage, timeout: float) -> None:
    handlers: dict[str, Any] = dict(stage.server._options.registry.handlers())

    async def never(_request: bytes, _metadata: Metadata) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    handlers[GET_EXECUTION.path] = never
    async with remote_over(lambda: InProcessTransport(handlers), Ledger()) as remote:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(WaitTimeoutError, match="did not answer in that time") as caught:
            await remote.execution("film").wait(timeout=timeout)
        assert timeout <= asyncio.get_running_loop().time() - begun
        assert timeout <= caught.value.stale_for < timeout + 0.2


async def test_an_interval_of_nothing_is_refused(stage: Stage) -> None:
    with pytest.raises(ValueError, match=r"poll_interval .* above 0"):
        await stage.handle().wait(poll_interval=0)


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError,
        DeadlineExceededError,
        ResourceExhaustedError,
        AbortedError,
        InternalError,
        UnknownError,
        RPCCancelledError,
    ],
)
async def test_any_number_of_errors_that_may_pass(stage: Stage, error: Callable[[], Exception]) -> None:
    stage.play("SUCCEEDED")
    refuse(stage.ledger, "GetExecution", error, times=20)
    assert (await stage.handle().wait(poll_interval=SOON)).is_done
    assert stage.ledger.counts["GetExecution"] == 21


@pytest.mark.parametrize(
    "error",
    [
        lambda: PermissionDeniedError("not yours"),
        lambda: UnauthenticatedError("who are you"),
        lambda: InvalidArgumentError("no"),
        lambda: MessageTooLargeError("65 MB"),
        lambda: UnavailableError("CERTIFICATE_VERIFY_FAILED"),
    ],
)
async def test_errors_that_will_not_pass(stage: Stage, error: Callable[[], Exception]) -> None:
    refuse(stage.ledger, "GetExecution", error)
    with pytest.raises(type(error())):
        await stage.handle().wait(poll_interval=SOON)
    assert stage.ledger.total == 1


async def test_errors_while_the_nodes_are_read_may_pass_too(stage: Stage) -> None:
    stage.play("RUNNING", "SUCCEEDED")
    refuse(stage.ledger, "ListNodeExecutions", UnavailableError, times=3)
    assert (await stage.handle().wait(poll_interval=SOON)).has_nodes


async def test_errors_while_the_nodes_of_what_has_ended_are_read_may_pass_too(stage: Stage) -> None:
    stage.play("SUCCEEDED")
    status = await stage.handle().sync()
    refuse(stage.ledger, "ListNodeExecutions", UnavailableError, times=3)
    assert (await status.wait(poll_interval=SOON)).has_nodes


async def test_a_handle_to_nothing_is_told_at_once(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match="flytesnacks/development/nobody"):
        await stage.remote.execution("nobody").wait()
    assert stage.ledger.total == 1


async def test_what_was_seen_is_gone_after_three_looks(stage: Stage) -> None:
    seen = await stage.handle().sync()
    stage.ledger.clear()
    refuse(stage.ledger, "GetExecution", NotFoundError)
    with pytest.raises(NotFoundError):
        await seen.wait(poll_interval=SOON)
    assert stage.ledger.total == 3


async def test_what_was_seen_may_be_missing_for_a_moment(stage: Stage) -> None:
    seen = await stage.handle().sync()
    stage.play("RUNNING", "SUCCEEDED")
    refuse(stage.ledger, "GetExecution", NotFoundError, times=2)
    assert (await seen.wait(poll_interval=SOON)).is_done


async def test_looks_that_do_not_find_it_count_in_a_row_alone(stage: Stage) -> None:
    seen = await stage.handle().sync()
    stage.play("RUNNING", "RUNNING", "SUCCEEDED")
    errors = iter([NotFoundError, NotFoundError, None, NotFoundError, UnavailableError, NotFoundError, NotFoundError])

    def on_call(method: Method[Any, Any], _request: bytes) -> None:
        error = next(errors, None) if method.name == "GetExecution" else None
        if error is not None:
            raise error

    stage.ledger.on_call = on_call
    assert (await seen.wait(poll_interval=SOON)).is_done


@pytest.mark.parametrize("way", ["grpcio", "grpclib"])
async def test_a_server_that_restarts(way: Literal["grpcio", "grpclib"]) -> None:
    async with DevServer() as server:
        film = Film(server.store)
        await film.execution()
        config = Config(
            endpoint=server.endpoint,
            insecure=True,
            project="flytesnacks",
            domain="development",
            transport=way,
            max_attempts=1,
        )
        async with FlyteRemote.connect(config) as remote:
            waiting = asyncio.create_task(remote.execution("film").wait(poll_interval=0.02, timeout=30))
            await asyncio.sleep(0.1)
            async with server.outage():
                await asyncio.sleep(0.1)
                assert not waiting.done()
                await film.execution("SUCCEEDED")
            assert (await waiting).is_successful


# --- many, closed, cancelled ----------------------------------------------------------------------------------------


async def test_many_wait_for_one(stage: Stage) -> None:
    execution = await stage.handle().sync()
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(execution.wait(poll_interval=SOON)) for _ in range(20)]
        await asyncio.sleep(0.01)
        await stage.film.execution("SUCCEEDED")
    assert all(wait.result().is_successful for wait in waits)


async def test_a_close_ends_a_wait_that_pauses(stage: Stage) -> None:
    waiting = asyncio.create_task(stage.handle().wait(poll_interval=3600))
    await asyncio.sleep(0.05)
    await stage.remote.aclose()
    with pytest.raises(ClosedError, match="closed"):
        await waiting


async def test_a_close_ends_a_wait_that_pauses_between_two_reads_of_nodes(stage: Stage) -> None:
    await stage.end()
    refuse(stage.ledger, "ListNodeExecutions", lambda: UnavailableError("restarting"))
    waiting = asyncio.create_task(stage.handle().wait(poll_interval=3600))
    await eventually(lambda: stage.ledger.counts["ListNodeExecutions"] == 1)
    await stage.remote.aclose()
    with pytest.raises(ClosedError):
        await waiting


async def test_a_wait_after_the_close(stage: Stage) -> None:
    handle = stage.handle()
    await stage.remote.aclose()
    with pytest.raises(ClosedError):
        await handle.wait()


@pytest.mark.parametrize("verb", ["wait", "sync", "outputs"])
async def test_a_cancellation_at_any_await_leaks_nothing(stage: Stage, verb: str) -> None:
    await stage.film.execution("SUCCEEDED", output_data={"literals": {}})
    reads = stage.remote._open.reads
    execution = await stage.handle().sync() if verb == "outputs" else stage.handle()

    async def work() -> None:
        match verb:
            case "wait":
                await execution.wait(poll_interval=SOON)
            case "sync":
                await execution.sync(sync_nodes=True, io=True, definitions=True)
            case _:
                await execution.inputs.all()

    async def nothing_is_locked() -> None:
        nonlocal execution
        assert reads.borrowed_tokens == 0
        # The same works, for the same snapshot.
        await work()
        execution = await stage.handle().sync() if verb == "outputs" else stage.handle()

    assert await cancel_at_every_step(work, nothing_is_locked) > 3
