"""Gate nodes: signals, approvals and sleeps, over a clock that is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import signal_pb2
from flyteidl.core import identifier_pb2, types_pb2, workflow_pb2

from flyte_remote_async.devserver.services.signals import SignalService
from flyte_remote_async.errors import InvalidArgumentError
from flyte_remote_async.models.phases import NodePhase
from tests.support.engine_rig import phase
from tests.support.made_workflows import INTEGER, approve, boolean, integer, made, signal, sleep, task, task_node

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2

    from flyte_remote_async.devserver.clock import Clock
    from tests.support.engine_rig import Rig, Written
    from tests.support.made_workflows import Made

pytestmark = pytest.mark.anyio

ADD = task("t.add", ("a", "b"))


async def wait_for(rig: Rig, clock: Clock, work: Made) -> Written:
    await clock.at_rest()
    return await rig.read(work.execution)


def service(rig: Rig) -> SignalService:
    return SignalService(rig.store, rig.engine.gates.ring)


def setting(work: Made, name: str, value: literals_pb2.Literal) -> signal_pb2.SignalSetRequest:
    signal_id = identifier_pb2.SignalIdentifier(execution_id=work.execution.id, signal_id=name)
    return signal_pb2.SignalSetRequest(id=signal_id, value=value)


async def test_a_signal_exists_from_when_its_gate_is_reached(rig: Rig, clock: Clock) -> None:
    nodes = [
        sleep("n0", 60),
        signal("n1", "number"),
        task_node("n2", ADD, a=("n1", "o0"), b=1),
    ]
    nodes[1].upstream_node_ids.append("n0")
    work = made(nodes, [ADD], {"x": ("n2", "o0")})
    await rig.start(work)
    await clock.at_rest()
    with pytest.raises(InvalidArgumentError, match="signal does not exist"):
        await service(rig).set(setting(work, "number", integer(42)))
    listing = signal_pb2.SignalListRequest(workflow_execution_id=work.execution.id, limit=10)
    assert not (await service(rig).list(listing)).signals

    await clock.advance(minutes=1)
    (found,) = (await service(rig).list(listing)).signals
    assert (found.id.signal_id, found.type) == ("number", INTEGER)
    written = await rig.read(work.execution)
    assert written.phases() == {"start-node": "SUCCEEDED", "n0": "SUCCEEDED", "n1": "RUNNING"}

    await service(rig).set(setting(work, "number", integer(42)))
    written = await rig.end(work)
    assert written.outputs.literals["x"].scalar.primitive.integer == 43
    assert written.nodes["n1"].closure.output_uri.endswith("n1/data/0/outputs.pb")
    assert not written.nodes["n0"].closure.output_uri
    data = await rig.store.get_node_data(written.nodes["n1"].id)
    assert data.outputs.literals["o0"] == integer(42)


async def test_an_approval_gives_its_inputs_on(rig: Rig, clock: Clock) -> None:
    work = made([approve("n0", "ok", a=("start-node", "a"))], [], {"x": ("n0", "a")}, a=7)
    await rig.start(work)
    await clock.at_rest()
    await service(rig).set(setting(work, "ok", boolean(True)))
    written = await rig.end(work)
    assert written.outputs.literals["x"] == integer(7)


async def test_a_rejection_fails_the_gate(rig: Rig, clock: Clock) -> None:
    work = made([approve("n0", "ok")])
    await rig.start(work)
    await clock.at_rest()
    await service(rig).set(setting(work, "ok", boolean(False)))
    written = await rig.end(work)
    error = written.nodes["n0"].closure.error
    assert (error.code, error.kind) == ("ReceivedRejectSignal", error.USER)
    assert error.message == "received a reject signal to disapprove the node input values"
    assert written.execution.closure.error == error


async def test_two_gates_share_a_signal_and_a_later_one_does_not_wait(rig: Rig, clock: Clock) -> None:
    nodes = [signal("n0", "number"), signal("n1", "number"), signal("n2", "number")]
    nodes[2].upstream_node_ids.extend(["n0", "n1"])
    work = made(nodes)
    await rig.start(work)
    await clock.at_rest()
    await service(rig).set(setting(work, "number", integer(1)))
    written = await rig.end(work)
    assert phase(written) == "SUCCEEDED"
    assert written.nodes["n0"].closure.HasField("started_at")
    assert not written.nodes["n2"].closure.HasField("started_at")  # it never ran


async def test_the_last_value_set_before_the_gate_looks_wins(rig: Rig, clock: Clock) -> None:
    first = made([signal("n0", "number")], [], {"x": ("n0", "o0")})
    await rig.start(first)
    await clock.at_rest()
    request = setting(first, "number", integer(1))
    found = await rig.store.get_signal(request.id)
    assert found is not None
    await service(rig).set(request)
    await service(rig).set(setting(first, "number", integer(2)))
    written = await rig.end(first)
    assert written.outputs.literals["x"].scalar.primitive.integer in {1, 2}
    kept = await rig.store.get_signal(request.id)
    assert kept is not None
    assert kept.value == integer(2)


async def test_a_signal_of_another_type_is_no_approval(rig: Rig) -> None:
    work = made([approve("n0", "ok")])
    await rig.put(work)
    await rig.store.put_signal(
        signal_pb2.Signal(
            id=identifier_pb2.SignalIdentifier(execution_id=work.execution.id, signal_id="ok"),
            type=types_pb2.LiteralType(simple=types_pb2.INTEGER),
            value=integer(1),
        )
    )
    await rig.launch(work.execution, work.inputs)
    written = await rig.end(work)
    assert "received a non-boolean approve signal value" in written.execution.closure.error.message


async def test_a_gate_without_condition(rig: Rig) -> None:
    written = await rig.run_made(made([workflow_pb2.Node(id="n0", gate_node=workflow_pb2.GateNode())]))
    error = written.execution.closure.error
    assert (error.code, error.message) == (
        "BadSpecificationError",
        "gateNode does not have a supported condition reference",
    )


@pytest.mark.parametrize("gate", [signal("n0", "number"), approve("n0", "ok"), sleep("n0", 9999)])
async def test_a_gate_has_a_timeout(rig: Rig, clock: Clock, gate: workflow_pb2.Node) -> None:
    node: Any = workflow_pb2.Node()
    node.CopyFrom(gate)
    node.metadata.timeout.seconds = 300
    work = made([node])
    await rig.start(work)
    await clock.advance(minutes=4)
    assert (await rig.read(work.execution)).phases()["n0"] == "RUNNING"
    await clock.advance(minutes=2)
    written = await rig.end(work)
    error = written.execution.closure.error
    assert error.code == "RetriesExhausted|TimeoutExpired"
    assert error.message == "[1/1] currentAttempt done. Last Error: USER::task execution timeout [5m0s] expired"
    assert written.phases()["n0"] == "FAILED"


async def test_a_gate_that_is_tried_again_waits_again(rig: Rig, clock: Clock) -> None:
    node = signal("n0", "number")
    node.metadata.timeout.seconds = 300
    node.metadata.retries.retries = 1
    work = made([node], [], {"x": ("n0", "o0")})
    await rig.start(work)
    await clock.advance(minutes=6)
    assert (await rig.read(work.execution)).phases()["n0"] == "RUNNING"
    await service(rig).set(setting(work, "number", integer(5)))
    written = await rig.end(work)
    assert written.outputs.literals["x"] == integer(5)
    assert written.nodes["n0"].closure.output_uri.endswith("n0/data/1/outputs.pb")


async def test_an_aborted_gate_waits_no_more(rig: Rig, clock: Clock) -> None:
    work = made([signal("n0", "number"), sleep("n1", 60)])
    await rig.start(work)
    await clock.at_rest()
    await rig.engine.abort(work.execution.id, "enough")
    written = await rig.end(work)
    assert {NodePhase(node.closure.phase).name for key, node in written.nodes.items() if key != "start-node"} == {
        "ABORTED"
    }
    rig.engine.gates.ring(setting(work, "number", integer(1)).id)
    assert clock._timers == []
    assert rig.engine.gates._waiting == {}
