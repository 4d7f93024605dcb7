"""Filters of list RPCs, in the text that Flyte parses.

The grammar has no escapes: ``function(field,value)`` joined by ``+``, several values by ``;``. A value that holds one
of those signs or a line break cannot be sent, and one that begins with a space would lose it; they are refused here,
where the reason can be told. Times must end in ``Z``. Source: flyteadmin's ``manager/impl/util/filters.go``.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Filter",
    "FilterValue",
    "can_be_value",
    "contains",
    "eq",
    "filters_text",
    "gt",
    "gte",
    "lt",
    "lte",
    "ne",
    "not_like",
    "value_in",
    "value_not_in",
]

FilterValue: TypeAlias = "str | int | float | datetime | timedelta | enum.Enum"

_FORBIDDEN: Final = frozenset("+;,()\n")


@attrs.frozen
class Filter:
    """One condition of a list.

    Attributes:
        function: Flyte's name of the comparison, such as ``"gte"``.
        field: Column that is compared, such as ``"phase"`` or ``"created_at"``.
        values: What it is compared with.
    """

    function: str
    field: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.function}({self.field},{';'.join(self.values)})"


def _text(field: str, value: FilterValue) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            reason = f"the time for {field!r} has no time zone: use datetime.now(UTC), for one"
            raise ValueError(reason)
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():f}s"
    # A phase of ours is an IntEnum: Flyte compares phases by name.
    text = value.name if isinstance(value, enum.Enum) else str(value)
    return _sendable(text, f"{text!r} for {field!r}")


def can_be_value(text: str) -> bool:
    """Return whether a text can be written in Flyte's grammar as the value of a filter."""
    return bool(text) and not text[0].isspace() and not _FORBIDDEN & set(text)


def _sendable(text: str, what: str) -> str:
    if not can_be_value(text):
        reason = (
            f"Flyte's filters have no escapes: {what} must not be empty, begin with a space or hold a line break or "
            "one of + ; , ( ) — list without this filter and compare what comes back"
        )
        raise ValueError(reason)
    return text


def _column(field: str) -> str:
    return _sendable(field, f"the field {field!r}")


def _single(function: str, field: str, value: FilterValue) -> Filter:
    return Filter(function, _column(field), (_text(field, value),))


def _several(function: str, field: str, values: Iterable[FilterValue]) -> Filter:
    texts = tuple(_text(field, value) for value in values)
    if not texts:
        reason = f"{function} of {field!r} needs at least one value"
        raise ValueError(reason)
    return Filter(function, _column(field), texts)


def eq(field: str, value: FilterValue) -> Filter:
    """Return the filter for what equals a value.

    Args:
        field: Column, such as ``"phase"``.
        value: What it must be; a phase goes by its name.

    Raises:
        ValueError: The field or the value cannot be written in Flyte's grammar.
    """
    return _single("eq", field, value)


def ne(field: str, value: FilterValue) -> Filter:
    """Return the filter for what differs from a value; arguments and errors as :func:`eq`."""
    return _single("ne", field, value)


def gt(field: str, value: FilterValue) -> Filter:
    """Return the filter for what is above a value; arguments and errors as :func:`eq`."""
    return _single("gt", field, value)


def gte(field: str, value: FilterValue) -> Filter:
    """Return the filter for what is at or above a value; arguments and errors as :func:`eq`."""
    return _single("gte", field, value)


def lt(field: str, value: FilterValue) -> Filter:
    """Return the filter for what is below a value; arguments and errors as :func:`eq`."""
    return _single("lt", field, value)


def lte(field: str, value: FilterValue) -> Filter:
    """Return the filter for what is at or below a value; arguments and errors as :func:`eq`."""
    return _single("lte", field, value)


def contains(field: str, value: str) -> Filter:
    """Return the filter for texts that contain a text; arguments and errors as :func:`eq`."""
    return _single("contains", field, value)


def not_like(field: str, value: str) -> Filter:
    """Return the filter for texts that an SQL pattern does not match; arguments and errors as :func:`eq`."""
    return _single("not_like", field, value)


def value_in(field: str, values: Iterable[FilterValue]) -> Filter:
    """Return the filter for what is one of several values.

    Args:
        field: Column, such as ``"execution_name"``.
        values: What it may be, at least one.

    Raises:
        ValueError: There is no value, or the field or a value cannot be written in Flyte's grammar.
    """
    return _several("value_in", field, values)


def value_not_in(field: str, values: Iterable[FilterValue]) -> Filter:
    """Return the filter for what is none of several values; arguments and errors as :func:`value_in`."""
    return _several("value_not_in", field, values)


def filters_text(filters: Iterable[Filter | str]) -> str:
    """Return the text of filters that must all hold; a string is taken as Flyte's own text."""
    return "+".join(str(one) for one in filters)
