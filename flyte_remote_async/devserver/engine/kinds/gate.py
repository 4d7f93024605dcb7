"""Gate nodes: they wait for a value, for an approval, or for time to pass.

Source: flytepropeller ``controller/nodes/gate/handler.go``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from flyteidl.core import identifier_pb2, literals_pb2, types_pb2

from flyte_remote_async.devserver.runners.outcome import Outcome, system_failure, user_failure

if TYPE_CHECKING:
    from flyteidl.admin import signal_pb2
    from flyteidl.core import workflow_pb2

    from flyte_remote_async.devserver.engine.levels import Level
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run

__all__ = ["run_gate"]

_BOOLEAN: Final = types_pb2.SimpleType.BOOLEAN


async def run_gate(
    run: Run,
    level: Level,  # noqa: ARG001 - as all kinds are called
    node: workflow_pb2.Node,
    record: NodeRecord,
    inputs: literals_pb2.LiteralMap,
) -> Outcome:
    """Wait for what the gate of a node waits for, and return how it ended."""
    gate = node.gate_node
    match gate.WhichOneof("condition"):
        case "sleep":
            return await _sleep(run, record, gate.sleep.duration.ToTimedelta())
        case "signal":
            signal = await _signal(run, record, gate.signal.signal_id, gate.signal.type)
            return Outcome(literals_pb2.LiteralMap(literals={gate.signal.output_variable_name: signal.value}))
        case "approve":
            signal = await _signal(run, record, gate.approve.signal_id, types_pb2.LiteralType(simple=_BOOLEAN))
            return _approved(signal, inputs)
        case _:
            return system_failure("BadSpecificationError", "gateNode does not have a supported condition reference")


async def _sleep(run: Run, record: NodeRecord, duration: dt.timedelta) -> Outcome:
    await _begin(run, record)
    await run.clock.sleep_until(record.message.closure.started_at.ToDatetime(dt.UTC) + duration)
    return Outcome(writes_outputs=False)


async def _signal(run: Run, record: NodeRecord, name: str, wanted: types_pb2.LiteralType) -> signal_pb2.Signal:
    signal_id = identifier_pb2.SignalIdentifier(execution_id=run.execution.id, signal_id=name)
    signal = await run.platform.gates.get_or_create(signal_id, wanted)
    if not signal.HasField("value"):
        await _begin(run, record)
    while not signal.HasField("value"):
        with run.platform.gates.listening(signal_id) as rung:
            # Only now: it may have been set before anybody listened.
            signal = await run.platform.gates.get_or_create(signal_id, wanted)
            if not signal.HasField("value"):
                await rung.wait()
    return signal


async def _begin(run: Run, record: NodeRecord) -> None:
    if record.number == 0:
        await run.recorder.run_node(record)


def _approved(signal: signal_pb2.Signal, inputs: literals_pb2.LiteralMap) -> Outcome:
    value = signal.value.scalar.primitive
    if value.WhichOneof("value") != "boolean":
        return system_failure("RuntimeExecutionError", f"received a non-boolean approve signal value [{signal.value}]")
    if not value.boolean:
        return user_failure("ReceivedRejectSignal", "received a reject signal to disapprove the node input values")
    return Outcome(inputs)
