"""Durations, as Go writes and reads them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flyte_remote_async.devserver.golang.durations import DurationError, duration_text, parse_duration

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (15_000, "15µs"),
        (1_500_000, "1.5ms"),
        (20_000_000, "20ms"),
        (SECOND, "1s"),
        (-5 * SECOND, "-5s"),
        (90 * SECOND + 500_000_000, "1m30.5s"),
        (5 * 60 * SECOND, "5m0s"),
        (3600 * SECOND, "1h0m0s"),
        (36_000 * SECOND + 1, "10h0m0.000000001s"),
        (48 * 3600 * SECOND, "48h0m0s"),
    ],
)
def test_a_duration_is_written_as_in_go(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_what_is_written_is_read(nanoseconds: int) -> None:
    assert parse_duration(duration_text(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("+1.5h", 5400 * SECOND),
        ("-1h30m", -5400 * SECOND),
        (".5us", 500),
        ("1.μs", 1_000),
        ("1s1s", 2 * SECOND),
        ("1.9ns", 1),
    ],
)
def test_what_go_takes(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["", "-", "1", "+-1s", "1 s", "1d", ".s", "s", "1e3s", "9223372036854775808ns", "3000000h"]
)
def test_what_go_refuses(text: str) -> None:
    with pytest.raises(DurationError) as raised:
        parse_duration(text)
    assert str(raised.value) == f'time: invalid duration "{text}"'


@pytest.mark.parametrize("text", ["1" * 100_000, "1." * 50_000, "1h" * 50_000 + "x"])
def test_a_long_text_is_refused_at_once(text: str) -> None:
    with pytest.raises(DurationError):
        parse_duration(text)
