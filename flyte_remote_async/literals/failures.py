"""FlyteError: the error that a task passed on as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.literals.base import Codec

if TYPE_CHECKING:
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["ERROR", "FlyteError", "from_hint"]


@attrs.frozen
class FlyteError:
    """An error as a value (``core.Error``): what a failure handler of a workflow gets. It is not an exception.

    Attributes:
        message: What went wrong.
        failed_node_id: The node that failed.
    """

    message: str
    failed_node_id: str = ""


class _Error(Codec):
    __slots__ = ()
    tag = "FlyteError"

    def decode(self, literal: literals_pb2.Literal) -> Any:
        if not literal.scalar.HasField("error"):
            return super().decode(literal)
        error = literal.scalar.error
        return FlyteError(error.message, error.failed_node_id)

    def encode(self, value: Any) -> literals_pb2.Literal:
        if not isinstance(value, FlyteError):
            raise self.refusal(value)
        error = types_pb2.Error(message=value.message, failed_node_id=value.failed_node_id)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(error=error))

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.ERROR

    def owns(self, value: Any) -> bool:
        return isinstance(value, FlyteError)

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        return literal.scalar.HasField("error")


ERROR = _Error("FlyteError")


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is FlyteError, else None."""
    del codecs, declared
    return ERROR if hint is FlyteError else None
