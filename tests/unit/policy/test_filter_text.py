"""The text of filters, read back by a parser of Flyte's grammar."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async import NodePhase, TaskPhase, WorkflowPhase, filters
from flyte_remote_async.devserver.store.filters import parse_filters

if TYPE_CHECKING:
    from collections.abc import Callable

ONE: dict[str, Callable[[str, Any], filters.Filter]] = {
    "eq": filters.eq,
    "ne": filters.ne,
    "gt": filters.gt,
    "gte": filters.gte,
    "lt": filters.lt,
    "lte": filters.lte,
    "contains": filters.contains,
    "not_like": filters.not_like,
}
SEVERAL = {"value_in": filters.value_in, "value_not_in": filters.value_not_in}
OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

FORBIDDEN = "+;,()\n"
NUL = "\0"  # Flyte's database refuses it
sendable = st.text(
    st.characters(exclude_characters=FORBIDDEN + NUL, exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda text: not text[0].isspace())


def read_back(*given: filters.Filter) -> list[Any]:
    conditions = parse_filters(filters.filters_text(given), "executions")
    assert len(conditions) == len(given)
    return [condition.values[0] for condition in conditions]


@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
def test_the_function_has_the_name_that_flyte_gives_it(name: str) -> None:
    made = ONE[name]("phase", "FAILED") if name in ONE else SEVERAL[name]("phase", ["FAILED", "ABORTED"])
    assert made.function == name
    assert str(made) == (f"{name}(phase,FAILED)" if name in ONE else f"{name}(phase,FAILED;ABORTED)")
    assert len(parse_filters(str(made), "executions")) == 1


@pytest.mark.parametrize("name", OPERATORS)
@given(value=sendable)
def test_a_comparison_arrives_as_it_was_meant(name: str, value: str) -> None:
    (condition,) = parse_filters(str(ONE[name]("execution_name", value)), "executions")
    assert condition.sql == f'"executions"."execution_name" {OPERATORS[name]} ?'
    assert condition.values == (value,)


@given(value=sendable)
def test_a_pattern_arrives_as_it_was_meant(value: str) -> None:
    assert read_back(filters.contains("execution_name", value), filters.not_like("execution_name", value)) == [
        f"%{value}%",
        value,
    ]


@pytest.mark.parametrize("name", SEVERAL)
@given(values=st.lists(sendable, min_size=1, max_size=5))
def test_several_values_arrive_in_order(name: str, values: list[str]) -> None:
    (listed,) = read_back(SEVERAL[name]("execution_name", values))
    assert json.loads(listed) == values


@given(values=st.lists(sendable, max_size=4))
def test_all_filters_of_a_list_arrive(values: list[str]) -> None:
    assert read_back(*(filters.eq("execution_name", value) for value in values)) == values


@given(
    at=st.datetimes(
        min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis wants them so, and adds the zone
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - the same
        timezones=st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_times_arrive_to_the_microsecond_and_end_in_z(at: datetime) -> None:
    text = str(filters.gte("updated_at", at))
    assert text.endswith("Z)")
    assert "+" not in text
    (nanoseconds,) = read_back(filters.gte("updated_at", at))
    assert nanoseconds == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


@given(duration=st.timedeltas(min_value=timedelta(days=-100), max_value=timedelta(days=100)))
def test_durations_arrive_to_the_microsecond(duration: timedelta) -> None:
    (nanoseconds,) = read_back(filters.gt("duration", duration))
    # The parser goes through a float.
    assert round(nanoseconds / 1000) == duration // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("FAILED", "eq(phase,FAILED)"),
        (WorkflowPhase.TIMED_OUT, "eq(phase,TIMED_OUT)"),
        (NodePhase.DYNAMIC_RUNNING, "eq(phase,DYNAMIC_RUNNING)"),
        (TaskPhase.RETRYABLE_FAILED, "eq(phase,RETRYABLE_FAILED)"),
        (7, "eq(phase,7)"),
        (-1, "eq(phase,-1)"),
        (0.5, "eq(phase,0.5)"),
        (timedelta(minutes=1, milliseconds=5), "eq(phase,60.005000s)"),
        (datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), "eq(phase,2025-01-02T03:04:05Z)"),
        (datetime(2025, 1, 2, 3, 4, 5, 60, tzinfo=UTC), "eq(phase,2025-01-02T03:04:05.000060Z)"),
        ("a b/c:d=e%", "eq(phase,a b/c:d=e%)"),
    ],
)
def test_values_of_all_types_have_a_text(value: Any, text: str) -> None:
    assert str(filters.eq("phase", value)) == text


@pytest.mark.parametrize("value", [pattern.format(sign) for sign in FORBIDDEN for pattern in ("{}", "{}a", "a{}b")])
def test_what_the_grammar_cannot_carry_is_refused(value: str) -> None:
    made = [
        *(functools.partial(make, "execution_name", value) for make in ONE.values()),
        *(functools.partial(make, "execution_name", ["ok", value]) for make in SEVERAL.values()),
    ]
    for make in made:
        with pytest.raises(ValueError, match="no escapes") as caught:
            make()
        assert f"{value!r} for 'execution_name'" in str(caught.value)


@pytest.mark.parametrize("value", ["", " a", "\ta", " "])
def test_a_value_that_flyte_would_read_as_another_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="no escapes"):
        filters.eq("execution_name", value)


@pytest.mark.parametrize("field", ["", "a,b", "phase,FAILED)+eq(state", "eq(phase", " phase", "pha\nse"])
def test_a_field_that_is_no_column_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="no escapes"):
        filters.eq(field, "FAILED")
    with pytest.raises(ValueError, match="no escapes"):
        filters.value_in(field, ["FAILED"])


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        filters.gte("created_at", datetime(2025, 1, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("name", SEVERAL)
def test_no_values_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="at least one"):
        SEVERAL[name]("phase", [])


def test_texts_of_flyte_pass_as_they_are() -> None:
    mixed: list[filters.Filter | str] = [filters.eq("phase", "FAILED"), "gt(duration,100)"]
    assert filters.filters_text(mixed) == "eq(phase,FAILED)+gt(duration,100)"
    assert filters.filters_text([]) == ""


def test_filters_are_values() -> None:
    assert filters.eq("phase", WorkflowPhase.FAILED) == filters.eq("phase", "FAILED")
    assert hash(filters.eq("phase", "FAILED")) == hash(filters.eq("phase", "FAILED"))
    assert filters.eq("phase", "FAILED") != filters.ne("phase", "FAILED")
