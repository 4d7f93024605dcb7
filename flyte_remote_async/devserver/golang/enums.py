"""Enums as Go's protobuf writes them: by name, and numbers without a name as numbers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["enum_name"]


def enum_name(enum: Any, number: int) -> str:
    """Return the name of a value of an enum; the number itself where this flyteidl has no name for it.

    Args:
        enum: The enum, such as ``identifier_pb2.ResourceType``.
        number: The value.
    """
    known: Mapping[int, Any] = enum.DESCRIPTOR.values_by_number
    return str(known[number].name) if number in known else str(number)
