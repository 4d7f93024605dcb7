"""The user's own types, from their registry."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2

from flyte_remote_async.errors import DecodeError, FlyteRemoteError
from flyte_remote_async.literals.base import Codec
from flyte_remote_async.models.literals import Literal

if TYPE_CHECKING:
    from flyteidl.core import types_pb2

    from flyte_remote_async.literals.access import Objects
    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.literals.types import OwnType

__all__ = ["of_own"]


class _Own(Codec):
    __slots__ = ("context", "own", "tag")

    def __init__(self, context: Context, own: OwnType) -> None:
        super().__init__(own.python_type.__name__)
        self.context = context
        self.own = own
        self.tag = own.tag

    def decode(self, literal: literals_pb2.Literal) -> Any:
        if literal.WhichOneof("value") == "offloaded_metadata" or literal.scalar.WhichOneof("value") == "union":
            return super().decode(literal)
        ours = Literal.from_flyte_idl(literal)
        convert = self.own.from_literal
        if not inspect.iscoroutinefunction(convert):
            try:
                return convert(ours)
            except (TypeError, ValueError) as error:
                raise self._failed(error) from error

        async def fetch(objects: Objects) -> Any:
            try:
                return await convert(ours, objects)
            except FlyteRemoteError:
                raise
            except (TypeError, ValueError) as error:
                raise self._failed(error) from error

        reason = f"a {self.expected} is read from storage: await it through a resolver"
        return self.context.bring((self.own.python_type, ours), fetch, reason)

    def encode(self, value: Any) -> literals_pb2.Literal:
        if not isinstance(value, self.own.python_type):
            raise self.refusal(value)
        try:
            literal = self.own.to_literal(value)
        except (TypeError, ValueError) as error:
            raise self.refusal(value, str(error)) from error
        message = literal.to_flyte_idl() if isinstance(literal, Literal) else literal
        if not isinstance(message, literals_pb2.Literal):
            raise self.refusal(value, f"its to_literal gave a {type(literal).__name__}, and not a Literal")
        return message

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        mine = self.own.literal_type.to_flyte_idl()
        if mine.WhichOneof("type") != stored.WhichOneof("type"):
            return False
        return mine.simple == stored.simple and mine.blob.dimensionality == stored.blob.dimensionality

    def owns(self, value: Any) -> bool:
        return isinstance(value, self.own.python_type)

    def _failed(self, error: Exception) -> DecodeError:
        return DecodeError(f"its from_literal failed: {error}", expected=self.expected)


def of_own(context: Context, own: OwnType) -> Codec:
    """Return the codec of a user's own type."""
    return _Own(context, own)
