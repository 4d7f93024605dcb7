"""Datetimes, dates and durations.

Flyte keeps a datetime in UTC; a naive one is UTC, a date is midnight UTC. Both are flytekit's rules. Payloads have ISO
strings, which keep their offset or that they have none, and seconds for durations.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import duration_pb2, timestamp_pb2

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals.primitives import Primitive
from flyte_remote_async.models.times import to_datetime, to_timedelta

if TYPE_CHECKING:
    from flyte_remote_async.literals.base import Codec
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["DATETIME", "DATETIME_ALONE", "TIMEDELTA", "from_hint", "from_type"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_SECONDS = range(-62_135_596_800, 253_402_300_800)  # years 1 to 9999


class _DateTime(Primitive):
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


class _DateTimeAlone(_DateTime):
    """A datetime that a date does not pass for."""

    __slots__ = ()

    def encode(self, value: Any) -> literals_pb2.Literal:
        if not isinstance(value, dt.datetime):
            raise self.refusal(value, "give the hint list[date] for dates")
        return super().encode(value)


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


class _TimeDelta(Primitive):
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


DATETIME = _DateTime(dt.datetime, "datetime", types_pb2.DATETIME)
DATETIME_ALONE = _DateTimeAlone(dt.datetime, "datetime", types_pb2.DATETIME)
_DATE = _Date(dt.date, "datetime", types_pb2.DATETIME)
TIMEDELTA = _TimeDelta(dt.timedelta, "duration", types_pb2.DURATION)


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is one of these types, else None."""
    del codecs, declared
    return next((codec for codec in (DATETIME, _DATE, TIMEDELTA) if hint is codec.python), None)


def from_type(declared: types_pb2.LiteralType) -> Codec | None:
    """Return the codec of a DATETIME or DURATION type, else None."""
    if declared.simple == types_pb2.DATETIME:
        # A variant of a union says that it is a date, a plain type cannot.
        return _DATE if declared.structure.tag == _DATE.tag else DATETIME
    return TIMEDELTA if declared.simple == types_pb2.DURATION else None
