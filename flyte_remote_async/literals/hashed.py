"""Values with a hash: ``Annotated[T, HashMethod(...)]`` notes one on the literal, for Flyte's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyte_remote_async.literals.base import Codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteidl.core import literals_pb2, types_pb2

__all__ = ["hashed"]


class _Hashed(Codec):
    __slots__ = ("codec", "method", "tag")

    def __init__(self, codec: Codec, method: Any) -> None:
        super().__init__(codec.expected)
        self.codec = codec
        self.method = method
        self.tag = codec.tag

    def decode(self, literal: literals_pb2.Literal) -> Any:
        return self.codec.decode(literal)

    def build(self, value: Any) -> Any:
        return self.codec.build(value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        literal = self.codec.encode(value)
        literal.hash = str(self.method.calculate(value))
        return literal

    def dump(self, value: Any) -> Any:
        return self.codec.dump(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return self.codec.fits(stored)

    def owns(self, value: Any) -> bool:
        return self.codec.owns(value)

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        return self.codec.owns_literal(literal)

    def owns_plain(self, value: Any) -> bool:
        return self.codec.owns_plain(value)


def hashed(codec: Codec, extras: Sequence[Any]) -> Codec:
    """Return a codec that also notes the hash, where one of the annotations has a method ``calculate``."""
    method = next((one for one in extras if callable(getattr(one, "calculate", None))), None)
    return codec if method is None else _Hashed(codec, method)
