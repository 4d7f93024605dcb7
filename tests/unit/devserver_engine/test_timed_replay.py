"""Recorded executions in which time passes or people act, run again over a clock that is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, signal_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.cli.demo_tasks import TASKS
from flyte_remote_async.devserver.services.signals import SignalService
from tests.support.engine_rig import fresh, open_rig, timeless
from tests.support.made_workflows import boolean, integer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from flyte_remote_async.devserver.clock import Clock
    from tests.support.engine_rig import Rig
    from tests.support.recordings import Recordings

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rig(recordings: Recordings, clock: Clock) -> AsyncIterator[Rig]:
    async with open_rig(recordings, clock) as rig:
        for name, function in TASKS.items():
            rig.stand_ins.add(name, function)
        rig.stand_ins.add("samples.cleanup", lambda a: None)  # noqa: ARG005 - it is called by name

        @rig.stand_ins.task("more.slow")
        async def slow(a: int) -> int:
            await clock.sleep(20)
            return a

        yield rig


async def set_signals(rig: Rig, clock: Clock, execution: execution_pb2.Execution) -> None:
    service = SignalService(rig.store, rig.engine.gates.ring)
    for name, value in (("number", integer(42)), ("ok", boolean(True))):
        await clock.at_rest()
        signal_id = identifier_pb2.SignalIdentifier(execution_id=execution.id, signal_id=name)
        await service.set(signal_pb2.SignalSetRequest(id=signal_id, value=value))


async def abort_later(rig: Rig, clock: Clock, execution: execution_pb2.Execution) -> None:
    await clock.advance(seconds=30)
    await rig.engine.abort(execution.id, "stop please")


async def wait(_rig: Rig, clock: Clock, _execution: execution_pb2.Execution) -> None:
    await clock.advance(minutes=1)


DRIVERS: dict[str, Callable[[Rig, Clock, execution_pb2.Execution], Awaitable[None]]] = {
    "samples.gates": set_signals,
    "samples.sleepy": wait,
    "samples.with_handler": wait,
    "more.timing_out": wait,
    "more.long_wait": abort_later,
}


def comparable(message: Any) -> Any:
    """A row without times, and without what differs by where the code lies and by how fast a pod comes up."""
    message = timeless(message)
    if "Trace:" in message.closure.error.message or isinstance(message, node_execution_pb2.NodeExecution):
        message.closure.error.message = ""
    if isinstance(message, task_execution_pb2.TaskExecution):
        del message.closure.logs[:]
    return message


@pytest.mark.parametrize("label", DRIVERS)
async def test_rows_and_data_are_the_recorded_ones(rig: Rig, clock: Clock, recordings: Recordings, label: str) -> None:
    execution, inputs = fresh(recordings, label)
    await rig.launch(execution, inputs)
    await DRIVERS[label](rig, clock, execution)
    with anyio.fail_after(30):
        await rig.engine.join(execution.id)
    written = await rig.read(execution)

    (recorded,) = recordings.messages(execution_pb2.Execution, label)
    assert comparable(written.execution) == comparable(recorded)
    nodes = recordings.messages(node_execution_pb2.NodeExecution, label)
    assert {node.id.node_id: comparable(node) for node in nodes} == {
        node_id: comparable(node) for node_id, node in written.nodes.items()
    }
    attempts = recordings.messages(task_execution_pb2.TaskExecution, label)
    assert {(each.id.node_execution_id.node_id, each.id.retry_attempt): comparable(each) for each in attempts} == {
        key: comparable(each) for key, each in written.attempts.items()
    }
    for record in recordings.of_kind("NODE_EXECUTION_DATA", label):
        kept = await rig.store.get_node_data(written.nodes[record.key.split("/")[1]].id)
        assert kept.inputs == record.message.full_inputs
        assert kept.outputs == record.message.full_outputs


async def test_the_sleep_takes_its_time(rig: Rig, clock: Clock, recordings: Recordings) -> None:
    execution, inputs = fresh(recordings, "samples.sleepy")
    await rig.launch(execution, inputs)
    await clock.advance(seconds=4)
    assert (await rig.read(execution)).phases()["n0"] == "RUNNING"
    await clock.advance(seconds=2)
    await rig.engine.join(execution.id)
    node = (await rig.read(execution)).nodes["n0"].closure
    assert node.duration.ToTimedelta().total_seconds() == pytest.approx(5, abs=0.5)
