"""The nodes of what has ended are read once for all who wait for the same and want the same."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest

from flyte_remote_async import FlyteWorkflowExecution
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.errors import (
    ClosedError,
    InternalError,
    PermissionDeniedError,
    UnavailableError,
    WaitFailedError,
    WaitTimeoutError,
    WrongLoopError,
)
from flyte_remote_async.transport.methods import LIST_NODE_EXECUTIONS
from tests.support.eventually import eventually
from tests.support.films import Film, refuse
from tests.support.remotes import Ledger, remote_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from flyte_remote_async import FlyteRemote

pytestmark = pytest.mark.anyio

READ_ONCE = {"ListNodeExecutions": 1, "ListTaskExecutions": 1}


@attrs.frozen
class Stage:
    """An execution of one task, a remote that waits for it, and a gate before what its nodes are read with."""

    film: Film
    remote: FlyteRemote
    ledger: Ledger
    gate: asyncio.Event

    @property
    def handle(self) -> FlyteWorkflowExecution:
        return self.remote.execution("film")

    async def end(self, phase: str = "SUCCEEDED") -> None:
        await self.film.execution(phase)

    @property
    def reads(self) -> dict[str, int]:
        """What was asked for below the execution."""
        return {name: count for name, count in self.ledger.counts.items() if name in {*READ_ONCE, "GetNodeExecution"}}

    async def waiting(self, count: int, timeout: float | None = None) -> list[asyncio.Task[FlyteWorkflowExecution]]:
        """Return so many waits, each of its own handle, once the hub has them all."""
        waits = [asyncio.create_task(self.handle.wait(timeout=timeout, poll_interval=0.01)) for _ in range(count)]
        await eventually(lambda: [state.waiters for state in self.remote.waits] == [count])
        return waits

    async def held(self) -> None:
        """Return when somebody reads the nodes, and is held at the gate."""
        await eventually(lambda: self.ledger.counts["ListNodeExecutions"] >= 1)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as stage:
        yield stage


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    async with DevServer() as server:
        film = Film(server.store)
        await film.execution("RUNNING")
        await film.node("task", "SUCCEEDED")
        await film.attempt("task", "SUCCEEDED")
        handlers: dict[str, Any] = dict(server._options.registry.handlers())
        usual, gate = handlers[LIST_NODE_EXECUTIONS.path], asyncio.Event()
        gate.set()

        async def gated(request: bytes, metadata: Any) -> Any:
            await gate.wait()
            return await usual(request, metadata)

        handlers[LIST_NODE_EXECUTIONS.path] = gated
        ledger = Ledger()
        remote = remote_over(lambda: InProcessTransport(handlers), ledger, max_attempts=1, max_polls_per_second=1000)
        async with remote:
            yield Stage(film, remote, ledger, gate)


def after(turns: int, do: Callable[[], object]) -> None:
    """Do something when the loop has turned so many times."""
    loop = asyncio.get_running_loop()
    loop.call_soon(*(after, turns - 1, do) if turns else (do,))


async def test_many_who_wait_for_one_read_its_nodes_once(stage: Stage) -> None:
    waits = await stage.waiting(300)
    await stage.end()
    ended = await asyncio.gather(*waits)
    assert all(one is ended[0] for one in ended)
    assert list(ended[0].node_executions) == ["task"]
    assert stage.reads == READ_ONCE


async def test_those_who_are_told_late_share_a_read_that_is_over(stage: Stage) -> None:
    # So many that the first ones mostly have their nodes before the last ones are told of the end.
    waits = await stage.waiting(1000)
    await stage.end()
    await asyncio.gather(*waits)
    assert stage.reads == READ_ONCE


async def test_a_list_of_waits_shares_with_others(stage: Stage) -> None:
    both = asyncio.create_task(stage.remote.wait_all([stage.handle, stage.handle], poll_interval=0.01))
    alone = asyncio.create_task(stage.handle.wait(poll_interval=0.01))
    await eventually(lambda: [state.waiters for state in stage.remote.waits] == [3])
    await stage.end()
    one, other = await both
    assert one is other is await alone
    assert stage.reads == READ_ONCE


async def test_those_who_know_the_end_share_a_read_while_it_is_under_way(stage: Stage) -> None:
    await stage.end()
    status = await stage.handle.sync()
    again = await stage.handle.sync()
    one, *others = await asyncio.gather(status.wait(), status.wait(), again.wait())
    assert all(other is one for other in others)
    assert stage.reads == READ_ONCE
    # A snapshot of the status does not keep a tree; who waits again reads again.
    assert (await status.wait()).has_nodes
    assert stage.reads == dict.fromkeys(READ_ONCE, 2)


async def test_a_cancelled_wait_does_not_end_the_read_for_others(stage: Stage) -> None:
    stage.gate.clear()
    waits = await stage.waiting(3)
    await stage.end()
    await stage.held()
    for wait in waits[:2]:
        wait.cancel()
    await asyncio.wait(waits[:2])
    assert all(wait.cancelled() for wait in waits[:2])
    stage.gate.set()
    assert (await waits[2]).has_nodes
    assert stage.reads == READ_ONCE


async def test_a_read_that_nobody_waits_for_is_given_up(stage: Stage) -> None:
    before = len(asyncio.all_tasks())
    stage.gate.clear()
    waits = await stage.waiting(2)
    await stage.end()
    await stage.held()
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)
    await eventually(lambda: len(asyncio.all_tasks()) == before)
    stage.gate.set()
    assert (await stage.handle.wait()).has_nodes
    assert stage.reads["ListNodeExecutions"] == 2


@pytest.mark.parametrize("kind", ["asyncio", "anyio"])
async def test_waits_for_many_that_are_cancelled_leave_no_task(stage: Stage, kind: str) -> None:
    await stage.end()
    status = await stage.handle.sync()
    stage.gate.clear()
    before = asyncio.all_tasks()
    with anyio.CancelScope() as scope:
        if kind == "anyio":
            asyncio.get_running_loop().call_later(0.02, scope.cancel)
            await stage.remote.wait_all([status] * 5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await stage.remote.wait_all([status] * 5)
    assert stage.reads["ListNodeExecutions"] == 1
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("turns", range(12))
async def test_a_wait_that_is_cancelled_as_its_look_fails_ends(stage: Stage, turns: int) -> None:
    await stage.end()
    status = await stage.handle.sync()
    wait = asyncio.create_task(status.wait(poll_interval=0.001))

    def failing() -> UnavailableError:
        after(turns, wait.cancel)
        return UnavailableError("away")

    refuse(stage.ledger, "ListNodeExecutions", failing)
    await asyncio.wait([wait], timeout=30)
    assert wait.cancelled()
    assert not [task for task in asyncio.all_tasks() if "nodes of an end" in task.get_name()]


async def test_another_loop_does_not_share_a_read(stage: Stage) -> None:
    await stage.end()
    status = await stage.handle.sync()
    stage.gate.clear()
    waiting = asyncio.create_task(status.wait())
    await stage.held()
    with pytest.raises(WrongLoopError, match="belongs to another event loop"):
        await anyio.to_thread.run_sync(lambda: asyncio.run(status.wait(timeout=5)))
    stage.gate.set()
    assert (await waiting).has_nodes


async def test_one_whose_time_is_over_leaves_the_read_to_others(stage: Stage) -> None:
    stage.gate.clear()
    await stage.end()
    status = await stage.handle.sync()
    patient = asyncio.create_task(status.wait())
    with pytest.raises(WaitTimeoutError, match="has SUCCEEDED, but its nodes could not be read in time"):
        await status.wait(timeout=0)
    stage.gate.set()
    assert (await patient).has_nodes
    assert stage.reads == READ_ONCE


async def test_an_error_reaches_all_and_each_has_his_own(stage: Stage) -> None:
    waits = await stage.waiting(300)
    refuse(stage.ledger, "ListNodeExecutions", lambda: PermissionDeniedError("not yours"))
    await stage.end()
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in errors} == {PermissionDeniedError}
    assert len({id(error) for error in errors}) == 300
    for number, error in enumerate(errors):
        assert isinstance(error, PermissionDeniedError)
        error.add_note(f"of {number}")
    assert {len(getattr(error, "__notes__", ())) for error in errors} == {1}
    assert stage.reads == {"ListNodeExecutions": 1}


async def test_a_read_that_breaks_is_told_to_each_and_ends_no_other_wait(stage: Stage) -> None:
    refuse(stage.ledger, "ListNodeExecutions", lambda: ZeroDivisionError("a bug"))
    await stage.end()
    status = await stage.handle.sync()
    one, other = await stage.remote.wait_all([status, await stage.handle.sync()], return_exceptions=True)
    assert isinstance(one, WaitFailedError)
    assert isinstance(other, WaitFailedError)
    assert one is not other
    assert isinstance(one.__cause__, ZeroDivisionError)
    assert "is a bug: ZeroDivisionError: a bug" in str(one)


async def test_errors_that_pass_are_waited_out_once_for_all(stage: Stage) -> None:
    waits = await stage.waiting(100)
    refuse(stage.ledger, "ListNodeExecutions", UnavailableError, times=3)
    await stage.end()
    assert all(one.has_nodes for one in await asyncio.gather(*waits))
    assert stage.reads == {"ListNodeExecutions": 4, "ListTaskExecutions": 1}


async def test_after_an_error_the_next_wait_reads_anew(stage: Stage) -> None:
    await stage.end()
    status = await stage.handle.sync()
    refuse(stage.ledger, "ListNodeExecutions", lambda: InternalError("broken"), times=3)
    with pytest.raises(InternalError, match="broken") as caught:
        await status.wait(poll_interval=0.001)
    assert "has ended as SUCCEEDED" in caught.value.__notes__[0]
    assert (await status.wait(poll_interval=0.001)).has_nodes


async def test_what_each_wants_is_his(stage: Stage) -> None:
    known = await stage.handle.sync(sync_nodes=True)
    stage.ledger.clear()
    handle = stage.handle.to_flyte_idl()
    hinted = FlyteWorkflowExecution.from_flyte_idl(handle, remote=stage.remote, type_hints={"o0": int})
    waits = [asyncio.create_task(one.wait(poll_interval=0.01)) for one in (stage.handle, hinted, known)]
    await eventually(lambda: [state.waiters for state in stage.remote.waits] == [3])
    await stage.end()
    plain, typed, shared = await asyncio.gather(*waits)
    assert (plain.type_hints, typed.type_hints, shared.type_hints) == (None, {"o0": int}, None)
    assert shared.node_executions["task"] is known.node_executions["task"]
    assert plain.node_executions["task"] is not known.node_executions["task"]


async def test_each_who_waits_for_a_start_sees_what_is_so_then(stage: Stage) -> None:
    one, other = await asyncio.gather(stage.handle.wait(until="running"), stage.handle.wait(until="running"))
    assert one is not other
    assert stage.reads == dict.fromkeys(READ_ONCE, 2)


async def test_a_remote_that_is_closed_tells_all(stage: Stage) -> None:
    stage.gate.clear()
    waits = await stage.waiting(3)
    await stage.end()
    await stage.held()
    await stage.remote.aclose()
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in errors} == {ClosedError}


async def test_a_remote_that_is_closed_between_two_looks_tells_all(stage: Stage) -> None:
    refuse(stage.ledger, "ListNodeExecutions", UnavailableError)
    await stage.end()
    status = await stage.handle.sync()
    waits = [asyncio.create_task(status.wait(poll_interval=60)) for _ in range(2)]
    await stage.held()
    await stage.remote.aclose()
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in errors} == {ClosedError}


async def test_a_read_that_a_stranger_cancels_is_told(stage: Stage) -> None:
    stage.gate.clear()
    waits = await stage.waiting(2)
    await stage.end()
    await stage.held()
    for task in asyncio.all_tasks():
        if "nodes of an end" in task.get_name():
            task.cancel()
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in errors} == {WaitFailedError}


async def test_nothing_is_kept_of_a_read_that_is_over(stage: Stage) -> None:
    waits = await stage.waiting(3)
    await stage.end()
    await asyncio.gather(*waits)
    status = await stage.handle.sync()
    await status.wait()
    del waits
    gc.collect()
    endings = stage.remote._open.endings(stage.remote)
    assert not endings._under_way
    assert not endings._by_row
