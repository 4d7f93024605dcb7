"""Which cron expressions Flyte takes, and what it says of the others.

Source: github.com/robfig/cron/v3, the parser that flyteadmin 1.16.8 uses.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from flyte_remote_async.devserver.golang.durations import DurationError, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CronError", "check_cron"]

_DESCRIPTORS: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_EVERY: Final = "@every "
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_LARGEST: Final = 2**63
_HYPHENS: Final = 2


class CronError(ValueError):
    """Raised for a text that is no cron expression; its own text is Flyte's."""


@attrs.frozen
class _Field:
    """One of the fields: its least and greatest number, and names for numbers."""

    least: int
    greatest: int
    names: Mapping[str, int] = attrs.field(factory=dict)


_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (
    _Field(0, 59),
    _Field(0, 23),
    _Field(1, 31),
    _Field(1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    _Field(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def check_cron(expression: str) -> None:
    """Refuse a text that is no cron expression.

    Args:
        expression: Five fields, or a descriptor such as ``"@daily"`` or ``"@every 1h30m"``; a time zone may stand
            before: ``"TZ=Europe/Berlin 0 8 * * *"``.

    Raises:
        CronError: It is none.
    """
    if expression.startswith(("TZ=", "CRON_TZ=")):
        zone, _, expression = expression.partition("=")[2].partition(" ")
        _check_zone(zone)
        expression = expression.strip()
    if expression.startswith("@"):
        _check_descriptor(expression)
        return
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        listed = f"[{' '.join(fields)}]"
        raise CronError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: {listed}")
    for text, field in zip(fields, _FIELDS, strict=True):
        for part in filter(None, text.split(",")):
            _check_range(part, field)


def _check_zone(zone: str) -> None:
    if zone in ("", "UTC", "Local"):
        return
    import zoneinfo  # few schedules have a zone

    try:
        zoneinfo.ZoneInfo(zone)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise CronError(f"provided bad location {zone}: unknown time zone {zone}") from None


def _check_descriptor(text: str) -> None:
    if text in _DESCRIPTORS:
        return
    if not text.startswith(_EVERY):
        raise CronError(f"unrecognized descriptor: {text}")
    try:
        parse_duration(text.removeprefix(_EVERY))
    except DurationError as error:
        raise CronError(f"failed to parse duration {text}: {error}") from None


def _check_range(text: str, field: _Field) -> None:
    span, *steps = text.split("/")
    bounds = span.split("-")
    if bounds[0] in ("*", "?"):
        first, last = field.least, field.greatest
    else:
        first = _number(bounds[0], field)
        if len(bounds) > _HYPHENS:
            raise CronError(f"too many hyphens: {text}")
        last = _number(bounds[1], field) if len(bounds) == _HYPHENS else first
    step = 1
    if len(steps) > 1:
        raise CronError(f"too many slashes: {text}")
    if steps:
        step = _integer(steps[0])
        # "5/10" is from 5 on.
        last = field.greatest if len(bounds) == 1 else last
    if first < field.least:
        raise CronError(f"beginning of range ({first}) below minimum ({field.least}): {text}")
    if last > field.greatest:
        raise CronError(f"end of range ({last}) above maximum ({field.greatest}): {text}")
    if first > last:
        raise CronError(f"beginning of range ({first}) beyond end of range ({last}): {text}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")


def _number(text: str, field: _Field) -> int:
    named = field.names.get(text.lower())
    return _integer(text) if named is None else named


def _integer(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if not -_LARGEST <= Decimal(text) < _LARGEST:
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": value out of range')
    number = int(text)
    if number < 0:
        raise CronError(f"negative number ({number}) not allowed: {text}")
    return number
