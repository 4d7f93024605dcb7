from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flyteidl.admin import execution_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.models.times import datetime_in, timedelta_in, to_datetime, to_timedelta

INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 999))
def test_an_instant_is_read_to_the_microsecond(instant: datetime, finer: int) -> None:
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    timestamp.nanos += finer
    read = to_datetime(timestamp)
    assert read == instant
    assert read.tzinfo is UTC


@given(st.timedeltas(), st.integers(0, 999))
def test_a_duration_is_cut_towards_zero(duration: timedelta, finer: int) -> None:
    microseconds = duration // timedelta(microseconds=1)
    nanos = abs(microseconds) * 1000 + finer
    seconds, rest = divmod(nanos, 1_000_000_000)
    sign = -1 if microseconds < 0 else 1
    assert to_timedelta(Duration(seconds=sign * seconds, nanos=sign * rest)) == duration


@given(INT64, INT32)
def test_no_time_of_the_wire_raises(seconds: int, nanos: int) -> None:
    instant = to_datetime(Timestamp(seconds=seconds, nanos=nanos))
    assert instant is None or instant.tzinfo is UTC
    duration = to_timedelta(Duration(seconds=seconds, nanos=nanos))
    assert duration is None or isinstance(duration, timedelta)


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (0, 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-62_135_596_800, 0, datetime(1, 1, 1, tzinfo=UTC)),
        (253_402_300_799, 999_999_999, datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        (-1, 999_999_999, datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        (253_402_300_800, 0, None),
        (-62_135_596_801, 0, None),
        (0, -1, None),
        (0, 1_000_000_000, None),
        (2**63 - 1, 0, None),
    ],
)
def test_the_edges_of_instants(seconds: int, nanos: int, expected: datetime | None) -> None:
    assert to_datetime(Timestamp(seconds=seconds, nanos=nanos)) == expected


def test_a_duration_with_mixed_signs_is_added_up() -> None:
    assert to_timedelta(Duration(seconds=1, nanos=-500_000_000)) == timedelta(seconds=0.5)
    assert to_timedelta(Duration(seconds=2**62)) is None


def test_a_field_that_is_not_set_is_none() -> None:
    closure = execution_pb2.ExecutionClosure(created_at=Timestamp(seconds=1), duration=Duration(seconds=2))
    assert datetime_in(closure, "created_at") == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert datetime_in(closure, "started_at") is None
    assert timedelta_in(closure, "duration") == timedelta(seconds=2)
    assert timedelta_in(execution_pb2.ExecutionClosure(), "duration") is None
