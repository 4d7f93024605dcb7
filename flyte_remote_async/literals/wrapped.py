"""What an annotation adds to a type: a hash for Flyte's cache, or that pickles were written in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.literals.base import Codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteidl.core import literals_pb2, types_pb2

__all__ = ["BATCHED", "wrapped"]

BATCHED: Final = "batched"
"""Marks a list of pickles of flytekit 1.5 to 1.13, which wrote several elements into one: ``Annotated[list, BATCHED]``.

Nothing in such a literal says so: a list of lists of one's own looks the same. Pickles have to be allowed besides.
"""


class _Wrapped(Codec):
    """Another codec."""

    __slots__ = ("codec", "tag")

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec.expected)
        self.codec = codec
        self.tag = codec.tag

    def decode(self, literal: literals_pb2.Literal) -> Any:
        return self.codec.decode(literal)

    def build(self, value: Any) -> Any:
        return self.codec.build(value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        return self.codec.encode(value)

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


class _Hashed(_Wrapped):
    """Notes the hash of a value on its literal."""

    __slots__ = ("method",)

    def __init__(self, codec: Codec, method: Any) -> None:
        super().__init__(codec)
        self.method = method

    def encode(self, value: Any) -> literals_pb2.Literal:
        literal = super().encode(value)
        literal.hash = str(self.method.calculate(value))
        return literal


class _Batched(_Wrapped):
    """A list of pickles, each of which holds several of its elements."""

    __slots__ = ()

    def decode(self, literal: literals_pb2.Literal) -> Any:
        batches = super().decode(literal)
        if not isinstance(batches, list):
            raise self.mismatch(batches)
        return [one for batch in batches for one in (batch if isinstance(batch, list) else [batch])]


def wrapped(codec: Codec, extras: Sequence[Any]) -> Codec:
    """Return a codec with what annotations add to it."""
    if any(isinstance(one, str) and one == BATCHED for one in extras):
        codec = _Batched(codec)
    method = next((one for one in extras if callable(getattr(one, "calculate", None))), None)
    return codec if method is None else _Hashed(codec, method)
