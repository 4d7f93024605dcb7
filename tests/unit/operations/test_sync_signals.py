"""Signals that are read along with the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import signal_pb2
from flyteidl.core import literals_pb2

from flyte_remote_async.cli.demo_tasks import register
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import UnavailableError
from flyte_remote_async.executions.events import SignalWanted
from flyte_remote_async.transport.methods import SET_SIGNAL
from tests.support.films import Film, refuse
from tests.support.remotes import recorded_server, remote_of

if TYPE_CHECKING:
    from flyte_remote_async import FlyteWorkflowExecution

pytestmark = pytest.mark.anyio


async def put_signal(film: Film, signal_id: str, *, is_set: bool = False) -> None:
    """Put a signal as it is now."""
    message: Any = signal_pb2.Signal()
    message.id.signal_id = signal_id
    message.id.execution_id.CopyFrom(film.id)
    message.type.simple = 4
    if is_set:
        message.value.scalar.primitive.boolean = True
    await film.store.put_signal(message)


async def put_gate(film: Film) -> None:
    """Put an execution that waits at a gate while a task runs."""
    await film.execution()
    await film.node("gate")
    await film.node("task")
    await film.attempt("task")
    await put_signal(film, "ok")


def wanted(new: FlyteWorkflowExecution, old: FlyteWorkflowExecution) -> list[tuple[str, str | None]]:
    """Return the signals that are wanted since the snapshot before, with their nodes."""
    return [(event.signal_id, event.node_id) for event in new.diff(old) if isinstance(event, SignalWanted)]


@pytest.mark.parametrize("attempts", [True, False])
async def test_signals_are_one_request_for_an_execution_that_may_wait(*, attempts: bool) -> None:
    async with DevServer() as server, remote_of(server) as (remote, ledger):
        film = Film(server.store)
        await put_gate(film)
        handle = remote.execution("film")
        without = await handle.sync(sync_nodes=True, attempts=attempts)
        assert without.signals is None
        assert ledger.counts["ListSignals"] == 0
        first = await handle.sync(sync_nodes=True, attempts=attempts, signals=True)
        assert ledger.counts["ListSignals"] == 1
        assert first.signals is not None
        assert [(signal.signal_id, signal.is_set, signal.value) for signal in first.signals] == [("ok", False, None)]
        assert first.signals[0].execution_id == first.id
        # Without attempts a running task looks like a gate, and nothing tells the two apart.
        assert wanted(first, handle) == [("ok", "gate" if attempts else None)]


async def test_nothing_is_asked_where_no_node_may_wait() -> None:
    async with DevServer() as server, remote_of(server) as (remote, ledger):
        film = Film(server.store)
        await film.execution()
        await film.node("task")
        await film.attempt("task")
        execution = await remote.execution("film").sync(sync_nodes=True, signals=True)
        assert execution.signals == ()
        film.later()
        await film.node("task", "SUCCEEDED")
        await film.execution("SUCCEEDED")
        ended = await execution.sync(sync_nodes=True, signals=True)
        assert ended.signals == ()
        assert ledger.counts["ListSignals"] == 0


async def test_a_signal_that_was_given_is_wanted_no_more_and_is_not_forgotten_when_it_cannot_be_read() -> None:
    async with DevServer() as server, remote_of(server, max_attempts=1) as (remote, ledger):
        film = Film(server.store)
        await put_gate(film)
        handle = remote.execution("film")
        first = await handle.sync(sync_nodes=True, signals=True)
        refuse(ledger, "ListSignals", lambda: UnavailableError("away"), times=1)
        second = await first.sync(sync_nodes=True, signals=True)
        assert second.signals == first.signals
        assert wanted(second, first) == []
        await put_signal(film, "ok", is_set=True)
        await put_signal(film, "more")
        third = await second.sync(sync_nodes=True, signals=True)
        assert {signal.signal_id: signal.value is not None for signal in third.signals or ()} == {
            "ok": True,
            "more": False,
        }
        assert wanted(third, second) == [("more", "gate")]


async def test_a_watch_tells_each_signal_while_its_gate_waits_for_it() -> None:
    values: dict[str, Any] = {"number": {"integer": 4}, "ok": {"boolean": True}}
    wants = []
    async with recorded_server() as server:
        register(server, pace=0.0)
        async with remote_of(server) as (remote, _):
            execution = await remote.execute(await remote.fetch_workflow("samples.gates"), inputs={"a": 3})
            async for event in execution.watch(poll_interval=0.02):
                if isinstance(event, SignalWanted):
                    wants.append((event.signal_id, event.node_id))
                    given: Any = signal_pb2.SignalSetRequest()
                    given.id.signal_id = event.signal_id
                    given.id.execution_id.CopyFrom(event.execution_id.to_flyte_idl())
                    given.value.scalar.primitive.CopyFrom(literals_pb2.Primitive(**values[event.signal_id]))
                    await remote._open.calls(SET_SIGNAL, given)
            assert wants == [("number", "n1"), ("ok", "n2")]
            assert event.snapshot.is_successful
