"""Signals that gate nodes wait for. Source: ``flyteidl/admin/signal.proto``."""

from __future__ import annotations

from typing import ClassVar

from flyteidl.admin import signal_pb2

from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
from flyte_remote_async.models.literals import Literal, LiteralType
from flyte_remote_async.models.parsed import ParsedValue, value_in

__all__ = ["Signal"]


class Signal(ParsedValue[signal_pb2.Signal]):
    """A signal of an execution (``admin.Signal``); it exists from the moment when its gate node is reached."""

    __slots__ = ()
    message_type: ClassVar[type[signal_pb2.Signal]] = signal_pb2.Signal

    @property
    def signal_id(self) -> str:
        """What it is called in the workflow."""
        return self._message.id.signal_id

    @property
    def execution_id(self) -> WorkflowExecutionIdentifier:
        """The execution that waits for it."""
        return WorkflowExecutionIdentifier.from_flyte_idl(self._message.id.execution_id)

    @property
    def type(self) -> LiteralType:
        """The type of the value that is waited for; a boolean where something is to be approved."""
        return LiteralType.from_flyte_idl(self._message.type)

    @property
    def value(self) -> Literal | None:
        """The value that was given; None while it is waited for."""
        return value_in(Literal, self._message, "value")

    @property
    def is_set(self) -> bool:
        """Whether the value was given."""
        return self._message.HasField("value")
