"""Which cron expressions are taken, and what is said of the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.scheduler.cron import CronError, check_cron


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "*/5 0-6,12 1,15 jan-MAR ?",
        "0 0 1/10 * 0",
        "+1 1 1 1 1",
        ", * * * *",
        "  0  8 * * mon  ",
        "@daily",
        "@every 1h30m",
        "@every -1.5ms",
        "@every 0",
        "TZ=UTC 0 8 * * *",
        "CRON_TZ=Local @hourly",
        "TZ=Europe/Berlin 0 8 * * *",
    ],
)
def test_what_is_taken(expression: str) -> None:
    check_cron(expression)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("not cron", "expected exactly 5 fields, found 2: [not cron]"),
        ("", "expected exactly 5 fields, found 0: []"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("-1 * * * *", 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'),
        ("*/-1 * * * *", "negative number (-1) not allowed: -1"),
        (
            "9223372036854775808 * * * *",
            (
                "failed to parse int from 9223372036854775808: "
                'strconv.Atoi: parsing "9223372036854775808": value out of range'
            ),
        ),
        ("@never", "unrecognized descriptor: @never"),
        ("@every day", 'failed to parse duration @every day: time: invalid duration "day"'),
        ("TZ=Nowhere/Land * * * * *", "provided bad location Nowhere/Land: unknown time zone Nowhere/Land"),
        ("TZ=../etc * * * * *", "provided bad location ../etc: unknown time zone ../etc"),
    ],
)
def test_what_is_not(expression: str, problem: str) -> None:
    with pytest.raises(CronError) as caught:
        check_cron(expression)
    assert str(caught.value) == problem


@given(st.text("0123456789*/-,?@TZ= monjanevry", max_size=20))
def test_any_text_is_taken_or_refused(expression: str) -> None:
    try:
        check_cron(expression)
    except CronError:
        return
    assert expression.startswith(("TZ=", "@")) or len(expression.split()) == 5


def test_a_number_of_any_length_is_refused() -> None:
    with pytest.raises(CronError, match="value out of range"):
        check_cron(f"{'1' * 5000} * * * *")
