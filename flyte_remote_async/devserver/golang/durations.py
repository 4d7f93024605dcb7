"""Durations as Go's ``time`` package writes and reads them: ``1h0m0s``, ``1.5s``, ``20ms``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = ["DurationError", "duration_text", "parse_duration"]

_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
# There is one way to read each digit: a long text without a unit would be tried in all ways otherwise.
_PART: Final = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_LONGEST: Final = 2**63 - 1


class DurationError(ValueError):
    """A text is no duration; in Go's words."""


def duration_text(nanoseconds: int) -> str:
    """Return a number of nanoseconds as Go prints it."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    for unit in ("ns", "µs", "ms"):
        if rest < _UNITS[unit] * 1000:
            return f"{sign}{_decimal(rest, _UNITS[unit])}{unit}"
    minutes, rest = divmod(rest, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{front}{_decimal(rest, _UNITS['s'])}s"


def parse_duration(text: str) -> int:
    """Return the nanoseconds of a duration.

    Raises:
        DurationError: It is none, or longer than Go can hold.
    """
    unsigned = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if unsigned == "0":
        return 0
    parts = re.findall(_PART, unsigned) if re.fullmatch(f"({_PART})+", unsigned) else []
    total = sum(int(Decimal(number) * _UNITS[unit]) for number, unit in parts)
    if not parts or total > _LONGEST:
        raise DurationError(f'time: invalid duration "{text}"')
    return -total if text.startswith("-") else total


def _decimal(amount: int, size: int) -> str:
    whole, rest = divmod(amount, size)
    digits = len(str(size)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if rest else str(whole)
