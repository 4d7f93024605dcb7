"""Texts of the environment and values of a file, made into what a field wants; a ValueError says what does not fit.

No message quotes the value: it may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.config.values import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CONVERTERS"]

_TRUE: Final = frozenset({"true", "1", "on", "yes", "t", "y"})
_FALSE: Final = frozenset({"false", "0", "off", "no", "f", "n"})
_DURATION: Final = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)"
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise ValueError("a text is wanted here, not a list or a mapping")  # noqa: TRY004 - callers catch one class
    return str(value).strip()


def _boolean(value: Any) -> bool:
    # flytekit takes every other word as true, so that a slip of the pen in "insecure" switches TLS off.
    text = _text(value).lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ValueError("true or false is wanted here")


def _texts(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else _text(value).split(",")
    return tuple(text for part in parts if (text := _text(part)))


def _arguments(value: Any) -> tuple[str, ...]:
    # An argument may be empty or have spaces at its ends when it is given as an item of a list.
    return tuple(str(part) for part in value) if isinstance(value, list) else _texts(value)


def _seconds(value: Any) -> float:
    """Read Go's notation for durations, such as ``"1m30s"``, or a number of seconds."""
    text = _text(value)
    parts = re.findall(_DURATION, text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    else:
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise ValueError('a duration such as "15s", "1m30s" or a number of seconds is wanted here')
    return seconds


def _number(value: Any) -> int:
    try:
        number = int(_text(value))
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError("a whole number is wanted here, 0 or more")
    return number


CONVERTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": _text,
    "bool": _boolean,
    "texts": _texts,
    "arguments": _arguments,
    "seconds": _seconds,
    "number": _number,
    "path": lambda value: Path(_text(value)),
    "secret": lambda value: Secret(_text(value)),
}
