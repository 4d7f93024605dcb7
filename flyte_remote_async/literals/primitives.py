"""Numbers, strings, booleans, None and times.

bool and int never mix, nothing is rounded or cut: a float is an int when it is whole (consoles write ints so), an int
is a float when a double holds it. A naive datetime is UTC; a date is midnight UTC. Both are flytekit's rules.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import duration_pb2, timestamp_pb2

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals.base import Codec
from flyte_remote_async.models.times import to_datetime, to_timedelta

if TYPE_CHECKING:
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["BOOL", "BY_FIELD", "FLOAT", "INT", "NONE", "STR", "from_hint", "from_type"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_SECONDS = range(-62_135_596_800, 253_402_300_800)  # years 1 to 9999
_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"-?[0-9]+")


class _Primitive(Codec):
    """A type with a primitive of its own."""

    __slots__ = ("field", "python", "simple")

    def __init__(self, python: type, field: str, simple: types_pb2.SimpleType) -> None:
        super().__init__(python.__name__)
        self.python = python
        self.field = field
        self.simple = simple

    @property
    def tag(self) -> str:  # type: ignore[override]
        """The name of the type."""
        return self.expected

    def decode(self, literal: literals_pb2.Literal) -> Any:
        primitive = literal.scalar.primitive
        which = primitive.WhichOneof("value")
        if which == self.field:
            return self.read(primitive)
        if which is None:
            return super().decode(literal)
        return self.convert(literal, which)

    def read(self, primitive: literals_pb2.Primitive) -> Any:
        """Return the value of a primitive of the type's own form."""
        return getattr(primitive, self.field)

    def convert(self, literal: literals_pb2.Literal, which: str) -> Any:
        """Return the value of a primitive of another form, where that is safe."""
        del which
        raise self.misfit(literal)

    def build(self, value: Any) -> Any:
        if type(value) is self.python:
            return value
        raise self.mismatch(value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        try:
            primitive = literals_pb2.Primitive(**{self.field: self.dump(value)})
        except ValueError as error:  # a str with half of a surrogate pair
            raise self.refusal(value, str(error)) from error
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=primitive))

    def dump(self, value: Any) -> Any:
        if type(value) is self.python:
            return value
        raise self.refusal(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == self.simple

    def owns(self, value: Any) -> bool:
        return type(value) is self.python

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        return literal.scalar.primitive.WhichOneof("value") in (self.field, None)

    def owns_plain(self, value: Any) -> bool:
        return type(value) is self.python


class _Int(_Primitive):
    __slots__ = ()

    def convert(self, literal: literals_pb2.Literal, which: str) -> Any:
        if which != "float_value":
            raise self.misfit(literal)
        return self.build(literal.scalar.primitive.float_value)

    def build(self, value: Any) -> Any:
        if type(value) is float and value.is_integer():
            return int(value)
        return super().build(value)

    def build_key(self, key: Any) -> Any:
        return int(key) if isinstance(key, str) and _WHOLE.fullmatch(key) else self.build(key)

    def encode(self, value: Any) -> literals_pb2.Literal:
        if type(value) is int and value not in _INT64:
            raise self.refusal(value, "it is beyond 64 bits")
        return super().encode(value)


class _Float(_Primitive):
    __slots__ = ()

    def convert(self, literal: literals_pb2.Literal, which: str) -> Any:
        if which != "integer":
            raise self.misfit(literal)
        return self.build(literal.scalar.primitive.integer)

    def build(self, value: Any) -> Any:
        return float(value) if _is_exact(value) else super().build(value)

    def build_key(self, key: Any) -> Any:
        try:
            return float(key) if isinstance(key, str) else self.build(key)
        except ValueError:
            raise self.mismatch(key) from None

    def dump(self, value: Any) -> Any:
        if _is_exact(value):
            return float(value)
        if type(value) is int:
            raise self.refusal(value, "a double would round it")
        return super().dump(value)


def _is_exact(value: Any) -> bool:
    try:
        return type(value) is int and int(float(value)) == value
    except OverflowError:
        return False


class _Str(_Primitive):
    __slots__ = ()

    def dump(self, value: Any) -> Any:
        if isinstance(value, enum.Enum) and isinstance(value, str):
            return str(value.value)
        return super().dump(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "enum_type" or super().fits(stored)


class _DateTime(_Primitive):
    """A datetime; Flyte keeps it in UTC, payloads keep its offset, or that it has none."""

    __slots__ = ()

    def read(self, primitive: literals_pb2.Primitive) -> Any:
        stamp = primitive.datetime
        value = to_datetime(stamp)
        if value is None:
            reason = f"{stamp.seconds} s and {stamp.nanos} ns are no time between the years 1 and 9999"
            raise DecodeError(reason, kind=self.field, expected=self.expected)
        return value

    def build(self, value: Any) -> Any:
        try:
            return dt.datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.mismatch(value) from None

    def encode(self, value: Any) -> literals_pb2.Literal:
        if not isinstance(value, dt.datetime):
            if not isinstance(value, dt.date):
                raise self.refusal(value)
            value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        passed = aware - _EPOCH
        seconds, rest = divmod(passed // _MICROSECOND, 1_000_000)
        if seconds not in _SECONDS:
            raise self.refusal(value, "in UTC it is not between the years 1 and 9999")
        stamp = timestamp_pb2.Timestamp(seconds=seconds, nanos=rest * 1000)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(datetime=stamp)))

    def dump(self, value: Any) -> Any:
        if isinstance(value, dt.datetime):
            return value.isoformat()
        raise self.refusal(value)

    def owns(self, value: Any) -> bool:
        return isinstance(value, dt.datetime)

    def owns_plain(self, value: Any) -> bool:
        del value
        return False


class _Date(_DateTime):
    """A date; in Flyte it is the datetime of its midnight in UTC."""

    __slots__ = ()

    def read(self, primitive: literals_pb2.Primitive) -> Any:
        return super().read(primitive).date()

    def build(self, value: Any) -> Any:
        try:
            return dt.date.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.mismatch(value) from None

    def encode(self, value: Any) -> literals_pb2.Literal:
        if isinstance(value, dt.datetime):
            raise self.refusal(value)
        return super().encode(value)

    def dump(self, value: Any) -> Any:
        if self.owns(value):
            return value.isoformat()
        raise self.refusal(value)

    def owns(self, value: Any) -> bool:
        return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


class _TimeDelta(_Primitive):
    """A timedelta; payloads have it as seconds."""

    __slots__ = ()

    def read(self, primitive: literals_pb2.Primitive) -> Any:
        value = to_timedelta(primitive.duration)
        if value is None:
            reason = f"{primitive.duration.seconds} s are more than a timedelta can hold"
            raise DecodeError(reason, kind=self.field, expected=self.expected)
        return value

    def build(self, value: Any) -> Any:
        if type(value) not in (int, float):
            raise self.mismatch(value)
        try:
            return dt.timedelta(seconds=value)
        except (OverflowError, ValueError):
            raise self.mismatch(value) from None

    def encode(self, value: Any) -> literals_pb2.Literal:
        if not isinstance(value, dt.timedelta):
            raise self.refusal(value)
        micros = value // _MICROSECOND
        sign = 1 if micros >= 0 else -1
        seconds, rest = divmod(abs(micros), 1_000_000)
        span = duration_pb2.Duration(seconds=sign * seconds, nanos=sign * rest * 1000)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(duration=span)))

    def dump(self, value: Any) -> Any:
        if isinstance(value, dt.timedelta):
            return value.total_seconds()
        raise self.refusal(value)

    def owns(self, value: Any) -> bool:
        return isinstance(value, dt.timedelta)


class _Null(Codec):
    """None."""

    __slots__ = ()
    tag = "none"
    optional = True

    def decode(self, literal: literals_pb2.Literal) -> Any:
        return None if literal.scalar.WhichOneof("value") == "none_type" else super().decode(literal)

    def build(self, value: Any) -> Any:
        if value is not None:
            raise self.mismatch(value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        self.dump(value)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))

    def dump(self, value: Any) -> Any:
        if value is not None:
            raise self.refusal(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.NONE

    def owns_plain(self, value: Any) -> bool:
        return value is None


INT = _Int(int, "integer", types_pb2.INTEGER)
FLOAT = _Float(float, "float_value", types_pb2.FLOAT)
STR = _Str(str, "string_value", types_pb2.STRING)
BOOL = _Primitive(bool, "boolean", types_pb2.BOOLEAN)
DATETIME = _DateTime(dt.datetime, "datetime", types_pb2.DATETIME)
DATE = _Date(dt.date, "datetime", types_pb2.DATETIME)
TIMEDELTA = _TimeDelta(dt.timedelta, "duration", types_pb2.DURATION)
NONE = _Null("None")

_BY_HINT: dict[Any, Codec] = {
    int: INT,
    float: FLOAT,
    str: STR,
    bool: BOOL,
    dt.datetime: DATETIME,
    dt.date: DATE,
    dt.timedelta: TIMEDELTA,
    type(None): NONE,
    None: NONE,
}
_BY_TYPE: dict[int, Codec] = {
    types_pb2.INTEGER: INT,
    types_pb2.FLOAT: FLOAT,
    types_pb2.STRING: STR,
    types_pb2.BOOLEAN: BOOL,
    types_pb2.DATETIME: DATETIME,
    types_pb2.DURATION: TIMEDELTA,
    types_pb2.NONE: NONE,
}

BY_FIELD: dict[str, Codec] = {one.field: one for one in (INT, FLOAT, STR, BOOL, DATETIME, TIMEDELTA)}


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is one of these types, else None."""
    del codecs, declared
    try:
        return _BY_HINT.get(hint)
    except TypeError:  # a hint that cannot be hashed is none of these
        return None


def from_type(declared: types_pb2.LiteralType) -> Codec | None:
    """Return the codec of a simple type, else None."""
    if declared.simple == types_pb2.DATETIME and declared.structure.tag == DATE.tag:
        return DATE  # a variant of a union says so, a plain type cannot
    return _BY_TYPE.get(declared.simple)
