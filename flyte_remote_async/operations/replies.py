"""Replies with inputs and outputs: taken apart where the literals are, and never parsed whole.

A list of five million integers is 60 MB of reply, which protobuf would parse in one call of half a second, into
objects of ten times that size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from flyte_remote_async.errors import MalformedMessageError
from flyte_remote_async.models.literals import literals_in_pieces
from flyte_remote_async.models.message import parse
from flyte_remote_async.models.pieces import PIECE, merge_in_pieces
from flyte_remote_async.models.wire import LENGTH_DELIMITED, fields
from flyte_remote_async.resolver.workers import beside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.models.literals import Literal
    from flyte_remote_async.operations.calls import Calls

__all__ = ["DataReply", "LiteralBytes", "read_data"]

# The same in the replies of all three data RPCs.
_FULL_INPUTS: Final = 3
_FULL_OUTPUTS: Final = 4
_LITERALS: Final = 1


@attrs.frozen
class LiteralBytes:
    """A ``core.LiteralMap`` that lies between two positions of some bytes."""

    data: bytes = attrs.field(repr=False)
    start: int = 0
    end: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the map has no literal in it."""
        # Looks at the first field, as a map of literals has no other.
        return all(field.number != _LITERALS for field in fields(self.data, self.start, self.end))

    async def literals(self) -> Mapping[str, Literal]:
        """Return the literals by name; a large map is taken apart beside the loop.

        Raises:
            MalformedMessageError: The bytes are not a map of literals.
        """
        if self.end - self.start <= PIECE:
            return literals_in_pieces(self.data, self.start, self.end)
        return await beside(literals_in_pieces, self.data, self.start, self.end)


@attrs.frozen
class DataReply:
    """What a data RPC answered.

    Attributes:
        message: The response without its literals.
        full_inputs: The literals of the inputs.
        full_outputs: The literals of the outputs.
    """

    message: Any
    full_inputs: LiteralBytes
    full_outputs: LiteralBytes


async def read_data(calls: Calls, method: Any, request: Any) -> DataReply:
    """Ask a data RPC.

    Args:
        calls: Makes the call.
        method: ``GetExecutionData`` or one of its sisters for nodes and attempts.
        request: Its request.

    Raises:
        RPCError: The call did not succeed.
        MalformedMessageError: The reply is not the message that it should be.
    """
    data = await calls.reply(method, request)
    try:
        reply = _cut(method.response_type, data)
        _ = reply.full_inputs.is_empty, reply.full_outputs.is_empty
    except ValueError:
        # Not what an ordinary server writes; protobuf has the last word.
        return await _parsed(method, data)
    return reply


async def _parsed(method: Any, data: bytes) -> DataReply:
    try:
        message = await beside(merge_in_pieces, method.response_type, data)
    except MalformedMessageError as error:
        reason = f"{method.name}: the reply is malformed: {error}"
        raise MalformedMessageError(reason) from error
    full = [one.SerializeToString() for one in (message.full_inputs, message.full_outputs)]
    return DataReply(message, *(LiteralBytes(one, 0, len(one)) for one in full))


def _cut(response_type: Any, data: bytes) -> DataReply:
    """Cut a reply; ValueError when it cannot be."""
    maps: dict[int, LiteralBytes] = {}
    rest: list[bytes] = []
    for field in fields(data, 0, len(data)):
        if field.number not in {_FULL_INPUTS, _FULL_OUTPUTS}:
            rest.append(data[field.begin : field.end])
        elif field.wire_type != LENGTH_DELIMITED or field.number in maps:
            raise ValueError(field)
        else:
            maps[field.number] = LiteralBytes(data, field.start, field.end)
    empty = LiteralBytes(b"")
    message = parse(response_type, b"".join(rest))
    return DataReply(message, maps.get(_FULL_INPUTS, empty), maps.get(_FULL_OUTPUTS, empty))
