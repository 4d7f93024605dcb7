"""Times of the wire as Python values: aware UTC datetimes and timedeltas.

Python's types count microseconds: what is finer is cut off, datetimes towards the past and durations towards zero. What
they cannot hold at all (a year past 9999, a malformed message) reads as None; the bytes keep it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["datetime_in", "timedelta_in", "to_datetime", "to_timedelta"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANOS: Final = 1_000_000_000


def to_datetime(timestamp: Timestamp) -> datetime | None:
    """Return the instant, in UTC; None when Python cannot hold it or its nanoseconds are out of range."""
    if not 0 <= timestamp.nanos < _NANOS:
        return None
    try:
        return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)
    except OverflowError:
        return None


def to_timedelta(duration: Duration) -> timedelta | None:
    """Return the duration; None when Python cannot hold it."""
    # One exact integer: seconds and nanos may differ in sign on the wire.
    nanos = duration.seconds * _NANOS + duration.nanos
    microseconds = nanos // 1000 if nanos >= 0 else -(-nanos // 1000)
    try:
        return timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def datetime_in(message: Message, field: str) -> datetime | None:
    """Return the instant in a field of a message; None when the field is not set."""
    return to_datetime(getattr(message, field)) if message.HasField(field) else None


def timedelta_in(message: Message, field: str) -> timedelta | None:
    """Return the duration in a field of a message; None when the field is not set."""
    return to_timedelta(getattr(message, field)) if message.HasField(field) else None
