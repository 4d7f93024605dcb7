"""A message value that parses its bytes once, on the first read, and then reads its fields from the parsed message."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

import attrs
from google.protobuf.message import Message as ProtobufMessage

from flyte_remote_async.models.message import MessageValue

__all__ = ["ParsedValue", "in_order", "value_in"]

M = TypeVar("M", bound=ProtobufMessage)
T = TypeVar("T")
V = TypeVar("V", bound=MessageValue[Any])


@attrs.frozen(repr=False)
class ParsedValue(MessageValue[M]):
    """The base of message values whose properties are read often.

    Subclasses are plain classes with empty ``__slots__``: attrs would add a third of a millisecond of import time to
    each, and they have no attributes of their own.
    """

    # Read it only, and never by indexing a map with a key that may be missing: protobuf would insert it.
    @functools.cached_property
    def _message(self) -> M:
        return self.to_flyte_idl()


def _natural(name: str) -> tuple[str, int, str]:
    prefix = name.rstrip("0123456789")
    digits = name[len(prefix) :]
    return prefix, len(digits), digits


def in_order(names: dict[str, T]) -> dict[str, T]:
    """Return a dict sorted by name, with trailing numbers by their value: ``o2`` is before ``o10``.

    Protobuf maps have no order, and Flyte names unnamed outputs ``o0``, ``o1`` and so on.
    """
    return {name: names[name] for name in sorted(names, key=_natural)}


def value_in(value_class: type[V], message: ProtobufMessage, field: str) -> V | None:
    """Return the value of a field that is a message; None when the field is not set."""
    return value_class.from_flyte_idl(getattr(message, field)) if message.HasField(field) else None
