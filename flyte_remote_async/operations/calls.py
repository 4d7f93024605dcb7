"""The typed door to the control plane: a message goes in, a message comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from google.protobuf.message import Message

from flyte_remote_async.errors import MalformedMessageError, RPCError
from flyte_remote_async.models.message import parse

if TYPE_CHECKING:
    from flyte_remote_async.transport.base import Metadata, Method, Transport

__all__ = ["Calls"]

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

# Parsing costs about 10 ns a byte and holds the interpreter lock: above this a reply is parsed beside the loop.
IN_PLACE_BYTES: Final = 256 * 1024

# The fields of which the name of an entity is made.
_OUTER: Final = ("node_execution_id", "execution_id")
_INNER: Final = ("project", "domain", "name", "node_id", "signal_id")


class Calls:
    """Makes typed calls over a transport.

    Args:
        transport: The way to the control plane.
        headers: Metadata that goes with each call.
    """

    def __init__(self, transport: Transport, headers: Metadata = ()) -> None:
        self._transport = transport
        self._headers = headers

    async def __call__(self, method: Method[Q, R], request: Q, *, timeout: float | None = None) -> R:
        """Make one call.

        Args:
            method: The RPC.
            request: Its request message.
            timeout: Seconds that the call may take, retries included; None leaves it to the transport.

        Returns:
            The response message.

        Raises:
            RPCError: The call did not succeed; it says what it was about.
            MalformedMessageError: The reply is not the message that it should be.
            ClientStateError: The remote is closed, or used from the wrong loop or process.
        """
        reply = await self.reply(method, request, timeout=timeout)
        try:
            if len(reply) <= IN_PLACE_BYTES:
                return parse(method.response_type, reply)
            # A program whose replies are small need not import these.
            from flyte_remote_async.models.pieces import merge_in_pieces
            from flyte_remote_async.resolver import workers

            return await workers.beside(merge_in_pieces, method.response_type, reply)
        except MalformedMessageError as error:
            reason = f"{method.name}: the reply is malformed: {error}"
            raise MalformedMessageError(reason) from error

    async def reply(self, method: Method[Q, R], request: Q, *, timeout: float | None = None) -> bytes:
        """Make one call and return the response as it came, unparsed; arguments and errors as for a call."""
        try:
            reply = await self._transport.unary(
                method, request.SerializeToString(), timeout=timeout, metadata=self._headers
            )
        except RPCError as error:
            error.entity = error.entity or subject_of(request)
            raise
        return reply.message


def subject_of(request: Message) -> str | None:
    """Return what a request is about, such as ``"p/d/samples.chain:v2"``; None when it says nothing."""
    fields = {field.name: value for field, value in request.ListFields()}
    found = fields.get("id", fields.get("node_execution_id", fields.get("workflow_execution_id", request)))
    if isinstance(found, str):
        return found
    return _path(found) or None


def _path(message: Message) -> str:
    parts = {field.name: value for field, value in message.ListFields()}
    path = "".join(f"{_path(parts[name])}/" for name in _OUTER if name in parts)
    path += "/".join(str(parts[name]) for name in _INNER if parts.get(name) and isinstance(parts[name], str))
    return path.rstrip("/") + (f":{parts['version']}" if parts.get("version") else "")
