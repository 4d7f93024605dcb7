"""Literals as text for people, and the places that they name. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs
from flyteidl.core import types_pb2

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals.wire import read_binary
from flyte_remote_async.models.structs import struct_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flyteidl.core import literals_pb2
    from flyteidl.core.literals_pb2 import Literal

__all__ = ["Shown", "shown"]

_MOST_PLACES: Final = 20
_LINE: Final = 60


@attrs.frozen
class Shown:
    """A literal as it is shown.

    Attributes:
        text: The value: a string as it is, anything with parts as JSON.
        places: The URIs of the files that it names: the first twenty.
        is_text: Whether the text is the value of a string, and not what stands for a value.
    """

    text: str
    places: tuple[str, ...]
    is_text: bool


def shown(literal: Literal) -> Shown:
    """Return a literal as it is shown.

    Args:
        literal: The literal.
    """
    value = _plain(literal)
    is_text = isinstance(value, str) and _is_string(literal)
    return Shown(value if isinstance(value, str) else _json(value), tuple(_first(_places(literal))), is_text)


def _json(value: Any) -> str:
    """Return JSON in one line or several, with NaN as Python writes it, and in words what JSON has not."""
    line = json.dumps(value, ensure_ascii=False, default=_in_words)
    if len(line) <= _LINE:
        return line
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=_in_words)
    except RecursionError:  # lines of their own take more of the stack
        return line


def _in_words(value: object) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


def _is_string(literal: Literal) -> bool:
    while literal.scalar.HasField("union"):
        literal = literal.scalar.union.value
    return literal.scalar.primitive.HasField("string_value")


def _plain(literal: Literal) -> Any:
    match literal.WhichOneof("value"):
        case "scalar":
            return _scalar(literal.scalar)
        case "collection":
            return [_plain(item) for item in literal.collection.literals]
        case "map":
            return {key: _plain(literal.map.literals[key]) for key in sorted(literal.map.literals)}
        case "offloaded_metadata":
            stored = literal.offloaded_metadata
            return f"{stored.uri} ({stored.size_bytes} bytes, stored apart)"
    return None


def _scalar(scalar: literals_pb2.Scalar) -> Any:
    kind = scalar.WhichOneof("value")
    return _SCALARS[kind](getattr(scalar, kind)) if kind in _SCALARS else None


def _primitive(primitive: literals_pb2.Primitive) -> Any:
    match primitive.WhichOneof("value"):
        case "datetime" | "duration" as kind:
            moment = getattr(primitive, kind)
            try:
                return moment.ToJsonString()
            except ValueError:  # beyond the years 1 to 9999
                return f"{moment.seconds}.{moment.nanos:09}s"
        case str() as kind:
            return getattr(primitive, kind)
    return None


def _binary(binary: literals_pb2.Binary) -> Any:
    try:
        value = read_binary(binary)
        json.dumps(value, default=_in_words)  # keys that JSON has not, and what is too deep, are only found by trying
    except (DecodeError, TypeError, ValueError, RecursionError):
        return f"<{len(binary.value)} bytes{f' of {binary.tag}' if binary.tag else ''}>"
    return value


_SCALARS: Final[dict[str | None, Callable[[Any], Any]]] = {
    "primitive": _primitive,
    "union": lambda union: _plain(union.value),
    "generic": struct_to_dict,
    "binary": _binary,
    "error": lambda error: f"error at {error.failed_node_id}: {error.message}",
    "blob": lambda blob: blob.uri,
    "schema": lambda schema: schema.uri,
    "structured_dataset": lambda dataset: dataset.uri,
}


def _places(literal: Literal) -> Iterator[str]:
    stack = [literal]
    while stack:
        item = stack.pop()
        scalar = item.scalar
        kind = scalar.WhichOneof("value")
        if kind == "blob":
            # A directory is many objects, and as one it cannot be opened.
            if scalar.blob.metadata.type.dimensionality == types_pb2.BlobType.SINGLE:
                yield scalar.blob.uri
        elif kind == "union":
            stack.append(scalar.union.value)
        elif item.HasField("offloaded_metadata"):
            yield item.offloaded_metadata.uri
        else:
            stack += reversed(item.collection.literals)
            stack += [item.map.literals[key] for key in sorted(item.map.literals, reverse=True)]


def _first(places: Iterator[str]) -> Iterator[str]:
    for _, place in zip(range(_MOST_PLACES), places, strict=False):
        yield place
