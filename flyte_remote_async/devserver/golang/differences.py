"""Where two messages differ, as Flyte tells it when a version is registered again with another content.

Flyte compares the messages as Go writes them in JSON and prints the values as Go does, so both are imitated here: Go's
names for the members of a oneof, numbers for enums, ``map[key:value]`` for objects.

Source: flyteadmin/pkg/errors/errors.go of Flyte 1.16.8 and github.com/wI2L/jsondiff, which it uses.
"""

from __future__ import annotations

import base64
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

__all__ = ["differences"]

# These write themselves in JSON, as what they hold.
_PLAIN: Final = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})
_WORD: Final = re.compile(r"(?:^|_|(?<=[0-9]))([a-z])")
_SHORTEST_PRECISION: Final = 6
_SMALLEST_EXPONENT: Final = -4
_LONGEST: Final = 3 * 1024 * 1024
_CUT: Final = "\n\n... [diff truncated — exceeded gRPC max message size]"


def differences(intro: str, old: Message, new: Message) -> str:
    """Return a text about two messages: its beginning, then for each difference the path, the old and the new.

    Args:
        intro: The beginning.
        old: What is there.
        new: What was sent.

    Returns:
        The text, cut where it would not fit into a status.
    """
    found = [
        f"{path}:\n\t- {_text(before)} \n\t+ {_text(after)}"
        for path, before, after in _between("", _json(old), _json(new))
    ]
    whole = (intro + "\n".join(found)).encode()
    if len(whole) <= _LONGEST:
        return whole.decode()
    return whole[: _LONGEST - len(_CUT.encode())].decode(errors="ignore") + _CUT


def _between(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            step = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in old and key in new:
                yield from _between(step, old[key], new[key])
            else:
                yield step, old.get(key), new.get(key)
    elif isinstance(old, list) and isinstance(new, list):
        # Flyte does not tell elements that only one side has.
        for number, (before, after) in enumerate(zip(old, new, strict=False)):
            yield from _between(f"{path}/{number}", before, after)
    elif old != new:
        yield path, old, new


def _json(message: Message) -> Any:
    """Return a message as Go's encoding/json writes its struct."""
    descriptor = message.DESCRIPTOR
    if descriptor.full_name in _PLAIN:
        return MessageToDict(message)
    written: dict[str, Any] = {}
    for oneof in descriptor.oneofs:
        if not _is_optional(oneof):
            chosen = message.WhichOneof(oneof.name)
            written[_go_name(oneof.name)] = chosen and {
                _go_name(chosen): _value(descriptor.fields_by_name[chosen], getattr(message, chosen))
            }
    for field, value in message.ListFields():
        if field.containing_oneof is None or _is_optional(field.containing_oneof):
            written[field.name] = _value(field, value)
    return written


def _is_optional(oneof: Any) -> bool:
    # proto3 describes an optional field as a oneof of its own; for Go it is a field.
    return bool(oneof.name == f"_{oneof.fields[0].name}")


def _go_name(name: str) -> str:
    return _WORD.sub(lambda word: word[1].upper(), name)


def _value(field: Any, value: Any) -> Any:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        entry = kind.fields_by_name["value"]
        return {str(key): _value(entry, value[key]) for key in value}
    if hasattr(value, "extend"):
        return [_scalar(each) for each in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if hasattr(value, "DESCRIPTOR"):
        return _json(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _text(value: Any) -> str:
    """Return a value as Go prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case dict():
            return f"map[{' '.join(f'{key}:{_text(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(map(_text, value))}]"
        case str():
            return value
        case _:
            return _number(float(value))


def _number(value: float) -> str:
    # All numbers of JSON are floats for Go, printed with as few digits as tell them apart.
    sign, digits, shift = Decimal(repr(value)).normalize().as_tuple()
    exponent = len(digits) - 1 + int(shift)
    minus = "-" if sign else ""
    if _SMALLEST_EXPONENT <= exponent < _SHORTEST_PRECISION:
        return minus + format(Decimal((0, digits, int(shift))), "f")
    tail = "".join(map(str, digits[1:]))
    return f"{minus}{digits[0]}{'.' if tail else ''}{tail}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"
