"""Answers to gate nodes: what a signal is set to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.admin import signal_pb2
from flyteidl.core import interface_pb2

from flyte_remote_async.errors import NotFoundError
from flyte_remote_async.models.literals import Literal, Variable
from flyte_remote_async.models.signals import Signal
from flyte_remote_async.operations.inputs import Inputs
from flyte_remote_async.transport.methods import LIST_SIGNALS, SET_SIGNAL

if TYPE_CHECKING:
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.operations.session import Session

__all__ = ["decide", "set_input"]


async def decide(session: Session, id: WorkflowExecutionIdentifier, signal_id: str, *, is_approved: bool) -> None:
    """Approve or reject what a gate node asks about.

    Args:
        session: The parts of the remote.
        id: The execution.
        signal_id: What the signal is called.
        is_approved: Whether it is approved.

    Raises:
        RPCError: It could not be set; INVALID_ARGUMENT where the gate is not reached yet.
    """
    request = _request(id, signal_id)
    request.value.scalar.primitive.boolean = is_approved
    await session.calls(SET_SIGNAL, request)


async def set_input(
    session: Session, id: WorkflowExecutionIdentifier, signal_id: str, value: Any, python_type: Any
) -> None:
    """Give a gate node the value that it waits for.

    Args:
        session: The parts of the remote.
        id: The execution.
        signal_id: What the signal is called.
        value: A Python value, or a ready literal.
        python_type: Its type, where the value alone does not tell.

    Raises:
        NotFoundError: The execution has no such signal yet.
        InvalidInputsError: The value is not of the type that is waited for.
        RPCError: It could not be set.
    """
    request = _request(id, signal_id)
    if isinstance(value, Literal):
        request.value.CopyFrom(value.to_flyte_idl())
    else:
        signals = map(Signal.from_flyte_idl, await session.reader.signals(id))
        signal = next((one for one in signals if one.signal_id == signal_id), None)
        if signal is None:
            raise NotFoundError(
                "the execution has no such signal: there is one from the moment when its gate node is reached, "
                "which `watch()` tells with SignalWanted",
                method=LIST_SIGNALS.name,
                entity=f"signal {signal_id} of {id}",
            )
        declared = Variable.from_flyte_idl(interface_pb2.Variable(type=signal.type.to_flyte_idl()))
        hints = {} if python_type is None else {signal_id: python_type}
        what = f"execution {id}"
        context = session.context_in(id.project, id.domain)
        inputs = Inputs(what, {signal_id: declared}, {signal_id: value}, hints, context)
        await inputs.check()
        request.value.CopyFrom((await inputs.stored()).literals[signal_id])
    await session.calls(SET_SIGNAL, request)


def _request(id: WorkflowExecutionIdentifier, signal_id: str) -> signal_pb2.SignalSetRequest:
    request = signal_pb2.SignalSetRequest()
    request.id.signal_id = signal_id
    request.id.execution_id.CopyFrom(id.to_flyte_idl())
    return request
