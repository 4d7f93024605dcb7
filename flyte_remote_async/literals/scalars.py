"""Types that only a payload can have: bytes, and what a dataclass writes as a string."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import ipaddress
import pathlib
import uuid
from typing import TYPE_CHECKING, Any

from flyte_remote_async.literals.base import Codec

if TYPE_CHECKING:
    from flyteidl.core import types_pb2

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_hint"]


class _Bytes(Codec):
    """Bytes inside a payload."""

    __slots__ = ()

    def build(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return value
        raise self.mismatch(value)

    def dump(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return value
        raise self.refusal(value)

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, bytes)


class _Text(Codec):
    """A type that a payload has as a string, and whose class reads it back."""

    __slots__ = ("python",)

    def __init__(self, python: type[Any]) -> None:
        super().__init__(python.__name__)
        self.python = python

    def build(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise self.mismatch(value)
        try:
            return self.python(value)
        except (ValueError, ArithmeticError):
            raise self.mismatch(value) from None

    def dump(self, value: Any) -> Any:
        if isinstance(value, self.python):
            return str(value)
        raise self.refusal(value)

    def owns(self, value: Any) -> bool:
        return isinstance(value, self.python)


class _Time(_Text):
    """A time of day."""

    __slots__ = ()

    def build(self, value: Any) -> Any:
        try:
            return dt.time.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.mismatch(value) from None

    def dump(self, value: Any) -> Any:
        if isinstance(value, dt.time):
            return value.isoformat()
        raise self.refusal(value)


_TEXTS = (
    decimal.Decimal,
    fractions.Fraction,
    ipaddress.IPv4Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Address,
    ipaddress.IPv6Interface,
    ipaddress.IPv6Network,
    uuid.UUID,
)
_BY_HINT: dict[Any, Codec] = {bytes: _Bytes("bytes"), dt.time: _Time(dt.time), **{one: _Text(one) for one in _TEXTS}}


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is one of these types, else None."""
    del codecs, declared
    if isinstance(hint, type) and issubclass(hint, pathlib.PurePath):
        return _Text(hint)
    try:
        return _BY_HINT.get(hint)
    except TypeError:  # a hint that cannot be hashed is none of these
        return None
