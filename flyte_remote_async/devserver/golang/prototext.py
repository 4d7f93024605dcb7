"""Messages as Go prints them, for the places where Flyte's errors quote one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

__all__ = ["prototext", "quoted"]


_ESCAPES: Final = {chr(code): f"\\x{code:02x}" for code in (*range(32), 127)} | {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}


def prototext(message: Message) -> str:
    """Return a message in the compact text format of Go's protobuf: ``project:"p" domain:"d"``."""
    parts = []
    for field, value in sorted(message.ListFields(), key=lambda pair: pair[0].index):
        parts += [f"{field.name}:{item}" for item in _items(field, value)]
    return " ".join(parts)


def _items(field: FieldDescriptor, value: Any) -> list[str]:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return [_entry(kind.fields_by_name, key, value[key]) for key in sorted(value)]
    # A ListValue of JSON is a message that can be extended.
    if hasattr(value, "extend") and not hasattr(value, "DESCRIPTOR"):
        return [_value(field, item) for item in value]
    return [_value(field, value)]


def _entry(fields: Mapping[str, FieldDescriptor], key: Any, value: Any) -> str:
    return f"{{key:{_value(fields['key'], key)} value:{_value(fields['value'], value)}}}"


def _value(field: FieldDescriptor, value: Any) -> str:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return "{" + prototext(value) + "}"
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true" if value else "false"
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return quoted(value)
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return repr(value).removesuffix(".0")
    return str(value)


def quoted(value: str | bytes) -> str:
    """Return a text in quotes, with what cannot be seen as escapes."""
    text = value if isinstance(value, str) else value.decode("latin-1")
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in text)
    return f'"{escaped}"'
