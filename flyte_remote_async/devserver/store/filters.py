"""The filter grammar of Flyte's lists: ``f(field,value)`` joined by ``+``, into conditions with bound values.

What is legal, and how a refusal is worded, is flyteadmin's: a field is a column of the entity's table, or of a table
that the entity may be joined with (``launch_plan.name``); repeated values are separated by ``;``. Nothing is escaped.

Source: flyteadmin/pkg/manager/impl/util/filters.go and pkg/common/filters.go of Flyte 1.16.8.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs

from flyte_remote_async.devserver.golang.durations import DurationError, parse_duration
from flyte_remote_async.devserver.store import Condition
from flyte_remote_async.devserver.store.schema import TABLES, ColumnType
from flyte_remote_async.devserver.store.sql import check_texts
from flyte_remote_async.errors import InvalidArgumentError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COLUMNS", "LETTERS", "equals", "joins", "parse_filters"]

_EXPRESSION: Final = re.compile(r"(.+)\((.+),\s?(.+)\)")
_COMPARISONS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "ne": "<>"}
_LIKES: Final = {"contains": "LIKE", "not_like": "NOT LIKE"}
_MEMBERSHIPS: Final = {"value_in": "IN", "value_not_in": "NOT IN"}

LETTERS: Final = {
    "executions": "e",
    "launch_plans": "l",
    "node_executions": "ne",
    "tasks": "t",
    "task_executions": "te",
    "workflows": "w",
    "entities": "nen",
    "named_entity_metadata": "nem",
    "projects": "p",
    "signals": "s",
    "admin_tags": "at",
    "execution_tags": "et",
}
"""Table to the short name by which Flyte's messages call its entity."""

_PREFIXES: Final = {
    "task.": "tasks",
    "workflow.": "workflows",
    "launch_plan.": "launch_plans",
    "execution.": "executions",
    "node_execution.": "node_executions",
    "task_execution.": "task_executions",
    "entities.": "entities",
    "named_entity_metadata.": "named_entity_metadata",
    "project.": "projects",
    "signal.": "signals",
    "admin_tag.": "admin_tags",
    "execution_tag.": "execution_tags",
}
_JOINABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "executions": ("launch_plans", "workflows", "tasks", "admin_tags", "execution_tags"),
    "launch_plans": ("workflows",),
    "node_executions": ("executions",),
    "task_executions": ("tasks", "executions", "node_executions"),
    "entities": ("named_entity_metadata",),
}
_NAMED: Final = {"resource_type", "project", "domain", "name", "description", "state"}
_METADATA: Final = TABLES["named_entity_metadata"].columns
COLUMNS: Final[Mapping[str, Mapping[str, ColumnType]]] = {
    **{name: table.columns for name, table in TABLES.items()},
    "entities": {name: _METADATA[name] for name in sorted(_NAMED)},
    "admin_tags": {
        "name": ColumnType.TEXT,
        **{name: TABLES["execution_tags"].columns[name] for name in ("id", "created_at", "updated_at", "deleted_at")},
    },
}
"""Table to the columns that a filter or a sort may name."""

_REFERENCES: Final = {"launch_plan_id", "workflow_id", "task_id", "parent_id"}
"""Columns that in Flyte have the number of a row of another table, which no client knows."""
_BOUNDS: Final = {ColumnType.INTEGER: 1 << 31, ColumnType.BIGINT: 1 << 63}
_DATE: Final = re.compile(r"\d{4}-\d\d?-\d\d?\b.*|\d{6,}|0+")
_NUMBER: Final = re.compile(r"[+-]?(\d+(_\d+)*(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SMALLEST_PLAIN, _SMALLEST_LARGE = 1e-4, 1e6

_OF_AN_EXECUTION: Final = {"executions", "node_executions", "task_executions", "signals"}
_VERSIONED_KEY: Final = " || char(10) || ".join(f"{{0}}.{part}" for part in ("project", "domain", "name", "version"))
_SAME_EXECUTION: Final = " AND ".join(f'"{{0}}".{part} = "{{1}}".{part}' for part in TABLES["executions"].key)
_JOINS: Final = {
    ("executions", other): f'JOIN "{other}" ON executions.{column} = {_VERSIONED_KEY.format(other)}'
    for other, column in (("launch_plans", "launch_plan_id"), ("workflows", "workflow_id"), ("tasks", "task_id"))
} | {
    ("executions", "execution_tags"): "JOIN execution_tags ON "
    + _SAME_EXECUTION.format("executions", "execution_tags"),
    ("launch_plans", "workflows"): f"JOIN workflows ON launch_plans.workflow_id = {_VERSIONED_KEY.format('workflows')}",
    ("node_executions", "executions"): "JOIN executions ON " + _SAME_EXECUTION.format("node_executions", "executions"),
    ("task_executions", "executions"): "JOIN executions ON " + _SAME_EXECUTION.format("task_executions", "executions"),
    ("task_executions", "node_executions"): "JOIN node_executions ON "
    + _SAME_EXECUTION.format("task_executions", "node_executions")
    + " AND task_executions.node_id = node_executions.node_id",
    ("task_executions", "tasks"): "LEFT JOIN tasks ON "
    + " AND ".join(f"task_executions.{part} = tasks.{part}" for part in ("project", "domain", "name", "version")),
}


@attrs.frozen
class _Column:
    """The column that a field of a filter names."""

    table: str
    name: str
    type: ColumnType

    @property
    def sql(self) -> str:
        if self.table == "named_entity_metadata" and self.name == "state":
            # An entity that nobody described has no row there, and is active.
            return 'COALESCE("named_entity_metadata"."state", 0)'
        return f'"{self.table}"."{self.name}"'


def parse_filters(text: str, table: str) -> tuple[Condition, ...]:
    """Return the conditions of a filter.

    Args:
        text: The filter; the empty text is no condition.
        table: The table that is listed.

    Raises:
        InvalidArgumentError: The text is not in the grammar, or names a function or field that is not legal here.
        UnknownError: A value is not of the column's type; Flyte answers with its database's message.
    """
    return tuple(_condition(part, table) for part in text.split("+")) if text else ()


def equals(table: str, **values: Any) -> tuple[Condition, ...]:
    """Return the conditions that columns have these values; None is NULL."""
    return tuple(
        Condition(f'"{table}"."{name}" IS ?', (value,), table)
        if value is None
        else Condition(f'"{table}"."{name}" = ?', (value,), table)
        for name, value in values.items()
    )


def joins(table: str, conditions: tuple[Condition, ...]) -> tuple[str, ...]:
    """Return the JOIN clauses that bring in the other tables that conditions name."""
    others = dict.fromkeys(condition.table for condition in conditions if condition.table != table)
    return tuple(_JOINS[table, other] for other in others)


def _condition(expression: str, table: str) -> Condition:
    match = _EXPRESSION.search(expression)
    if match is None:
        raise InvalidArgumentError("invalid value for filters")
    function, field, text = match.groups()
    column = _column(field, table)
    values = text.split(";")
    if function in _MEMBERSHIPS:
        # One bound value however many there are: SQLite limits the number of marks.
        check_texts(values)
        listed = json.dumps([_value(value, column.type) for value in values])
        sql = f"{column.sql} {_MEMBERSHIPS[function]} (SELECT value FROM json_each(?))"  # noqa: S608 - names of ours
        return Condition(sql, (listed,), column.table)
    if function in _LIKES:
        return _like(function, column, values)
    if function not in _COMPARISONS:
        raise InvalidArgumentError(f"unrecognized filter function: {function}")
    operator = _COMPARISONS[function]
    if len(values) > 1:
        raise _no_operator(column, operator, "record", values)
    return Condition(f"{column.sql} {operator} ?", (_value(text, column.type),), column.table)


def _like(function: str, column: _Column, values: list[str]) -> Condition:
    if function == "not_like" and len(values) > 1:
        raise _no_operator(column, "!~~", "record", values)
    if column.type is not ColumnType.TEXT:
        raise _no_operator(column, "~~" if function == "contains" else "!~~", "unknown", values)
    # Several values are what Go prints for a list of them.
    pattern = values[0] if len(values) == 1 else f"[{' '.join(values)}]"
    pattern = f"%{pattern}%" if function == "contains" else pattern
    return Condition(f"{column.sql} {_LIKES[function]} ? ESCAPE '\\'", (pattern,), column.table)


def _no_operator(column: _Column, operator: str, other: str, values: list[str]) -> UnknownError:
    kind = column.type.value
    if column.type is ColumnType.INTERVAL:
        # Flyte reads durations before it asks, and asks with what it has read.
        kind = "bigint"
        for value in values:
            _duration(value)
    return UnknownError(f"failed database operation with operator does not exist: {kind} {operator} {other}")


def _column(field: str, table: str) -> _Column:
    prefix = next((prefix for prefix in _PREFIXES if field.startswith(prefix)), "")
    entity, name = _PREFIXES.get(prefix, table), field.removeprefix(prefix)
    if entity != table and entity not in _JOINABLE.get(table, ()):
        raise InvalidArgumentError(f"'{LETTERS[entity]}' entity is not allowed in filters")
    if name not in COLUMNS[entity]:
        raise InvalidArgumentError(f"'{LETTERS[entity]}.{name}' is invalid filter")
    if (entity, name) == ("entities", "resource_type"):
        raise UnknownError("failed database operation with column entities.resource_type does not exist")
    kind = COLUMNS[entity][name]
    if entity in _OF_AN_EXECUTION and name in ("project", "domain", "name"):
        # An attempt has the columns of its task, and Flyte takes these three for those of its execution.
        name = f"execution_{name}"
    if entity in _OF_AN_EXECUTION | {"launch_plans"} and name in _REFERENCES:
        kind = ColumnType.BIGINT
    if entity == "admin_tags":
        entity, name = "execution_tags", "key" if name == "name" else name
    if entity == "entities" and name in ("description", "state"):
        entity = "named_entity_metadata"
    return _Column(entity, name, kind)


def _value(text: str, kind: ColumnType) -> Any:
    match kind:
        case ColumnType.TEXT:
            return text
        case ColumnType.INTERVAL:
            return _duration(text)
        case ColumnType.TIMESTAMP:
            return _timestamp(text)
        case _:
            if not re.fullmatch(r"\s*[+-]?\d+\s*", text, re.ASCII):
                raise _unreadable(kind, text)
            # A Decimal reads as many digits as there are; an int of Python refuses thousands.
            if not -_BOUNDS[kind] <= Decimal(text) < _BOUNDS[kind]:
                raise UnknownError(
                    f'failed database operation with value "{text}" is out of range for type {kind.value}'
                )
            return int(text)


def _timestamp(text: str) -> int:
    # Nanoseconds are kept; datetime knows microseconds alone.
    match = re.fullmatch(r"(.*?\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?", text)
    try:
        instant = dt.datetime.fromisoformat(match[1] + (match[3] or "") if match else text)
    except ValueError:
        if _DATE.fullmatch(text):
            raise UnknownError(f'failed database operation with date/time field value out of range: "{text}"') from None
        raise _unreadable(ColumnType.TIMESTAMP, text) from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=dt.UTC)
    since = instant - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    fraction = int(((match and match[2]) or "0").ljust(9, "0"))
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + fraction


def _duration(text: str) -> int:
    """Return the nanoseconds of a duration; a number without a unit is of seconds, and of fewer than a million."""
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        text = _printed(float(text)) + "s"
    try:
        return parse_duration(text)
    except (DurationError, OverflowError):
        raise InvalidArgumentError(f"Failed to parse duration [{text}]") from None


def _printed(number: float) -> str:
    """Return a number as Go prints it: large and small ones with an exponent, which makes them no duration."""
    if number == 0 or _SMALLEST_PLAIN <= abs(number) < _SMALLEST_LARGE:
        return f"{number:f}"
    mantissa, _, exponent = f"{Decimal(repr(number)).normalize():e}".partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:]:0>2}"


def _unreadable(kind: ColumnType, text: str) -> UnknownError:
    return UnknownError(f'failed database operation with invalid input syntax for type {kind.value}: "{text}"')
