"""Answers to gate nodes: approvals, rejections and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import literals_pb2

from flyte_remote_async import SignalWanted
from flyte_remote_async.errors import InvalidArgumentError, InvalidInputsError, NotFoundError
from flyte_remote_async.models.literals import Literal
from tests.support.remotes import recorded_server, remote_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote, FlyteWorkflowExecution

pytestmark = pytest.mark.anyio


@pytest.fixture
async def remote() -> AsyncIterator[FlyteRemote]:
    async with recorded_server() as dev, remote_of(dev) as (remote, _):
        dev.stand_in("samples.add", lambda a, b=1: a + b)
        yield remote


async def launched(remote: FlyteRemote) -> FlyteWorkflowExecution:
    return await remote.execute(await remote.fetch_workflow("samples.gates"), inputs={"a": 3}, name="gates")


async def answered(remote: FlyteRemote, answers: dict[str, Any]) -> FlyteWorkflowExecution:
    """Run the workflow with gates, and answer all that it asks."""
    execution = await launched(remote)
    async for event in execution.watch(poll_interval=0.01):
        if isinstance(event, SignalWanted):
            await answers[event.signal_id](event.signal_id, event.execution_id.name)
        execution = event.snapshot
    return execution


async def test_values_and_approvals_let_it_go_on(remote: FlyteRemote) -> None:
    async def number(signal_id: str, name: str) -> None:
        assert [signal.is_set async for signal in remote.list_signals(name)] == [False]
        await remote.set_input(signal_id, name, 4)

    ended = await answered(remote, {"number": number, "ok": remote.approve})
    assert ended.is_successful
    signals = [signal async for signal in remote.list_signals("gates")]
    values = [signal.value.to_flyte_idl().scalar.primitive for signal in signals if signal.value is not None]
    assert [signal.signal_id for signal in signals] == ["number", "ok"]
    assert [value.integer or value.boolean for value in values] == [4, True]


async def test_a_ready_literal_is_sent_as_it_is(remote: FlyteRemote) -> None:
    async def number(signal_id: str, name: str) -> None:
        scalar = literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=4))
        await remote.set_input(signal_id, name, Literal.from_flyte_idl(literals_pb2.Literal(scalar=scalar)))

    ended = await answered(remote, {"number": number, "ok": remote.reject})
    assert ended.phase.name == "FAILED"


async def test_a_value_of_another_type_is_not_sent() -> None:
    async with recorded_server() as dev, remote_of(dev) as (remote, ledger):
        await wanted(remote)
        with pytest.raises(InvalidInputsError, match="number"):
            await remote.set_input("number", "gates", "four")
        assert ledger.counts["SetSignal"] == 0
        with pytest.raises(InvalidArgumentError, match="not castable"):
            await remote.approve("number", "gates")
        await remote.set_input("number", "gates", 4, python_type=int)
        assert ledger.counts["SetSignal"] == 2


async def test_there_is_no_signal_before_its_gate_is_reached(remote: FlyteRemote) -> None:
    await wanted(remote)
    with pytest.raises(NotFoundError, match=r"ok.*SignalWanted"):
        await remote.set_input("ok", "gates", value=True)
    with pytest.raises(InvalidArgumentError, match="signal does not exist"):
        await remote.approve("ok", "gates")


async def wanted(remote: FlyteRemote) -> None:
    """Return when the first signal is waited for."""
    execution = await launched(remote)
    async for event in execution.watch(poll_interval=0.01):
        if isinstance(event, SignalWanted):
            return
