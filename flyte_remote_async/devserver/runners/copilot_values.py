"""Values as Flyte's copilot writes them to files, and reads them from there. Pure.

Source: flytecopilot/data and flyteidl/clients/go/coreutils of Flyte 1.16.8.
"""

from __future__ import annotations

import base64
import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import json_format, struct_pb2

from flyte_remote_async.devserver.golang.durations import duration_text, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["json_value", "literal_of", "primitive_text", "summary"]

_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)\d*(Z|[+-]\d\d:\d\d)", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", re.ASCII | re.IGNORECASE)
_SHORTEST_EXPONENT: Final = 1e21
_TRUE: Final = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE: Final = {"0", "f", "F", "FALSE", "false", "False"}
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def primitive_text(primitive: literals_pb2.Primitive) -> str:
    """Return what a file has for a primitive."""
    match primitive.WhichOneof("value"):
        case "boolean":
            return str(primitive.boolean).lower()
        case "float_value":
            return _float_text(primitive.float_value)
        case "datetime":
            text = primitive.datetime.ToJsonString().removesuffix("Z")
            return (text.rstrip("0").rstrip(".") if "." in text else text) + "Z"
        case "duration":
            return duration_text(primitive.duration.ToNanoseconds())
        case None:
            return "null"
        case kind:
            return str(getattr(primitive, kind))


def json_value(scalar: literals_pb2.Scalar) -> Any:
    """Return what ``inputs.json`` has for a scalar that is neither a file nor a union."""
    match scalar.WhichOneof("value"):
        case "primitive":
            return _json_primitive(scalar.primitive)
        case "binary":
            return base64.b64encode(scalar.binary.value).decode()
        case "error":
            return scalar.error.message
        case "generic":
            return json_format.MessageToDict(scalar.generic)
        case _:
            return None


def summary(values: Mapping[str, Any]) -> bytes:
    """Return ``inputs.json``: all inputs by name.

    Raises:
        ValueError: A number is none for JSON.
    """
    return json.dumps(
        _as_in_go(values), sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def literal_of(simple: types_pb2.SimpleType, content: bytes) -> literals_pb2.Literal:
    """Return the output that a file holds.

    Args:
        simple: The type of the output.
        content: What is in the file.

    Raises:
        ValueError: It is no value of the type; in Flyte's words where they tell more than Go's.
    """
    content = content.strip(b" \n\t")
    text = "" if simple == types_pb2.BINARY else content.decode()
    literal = literals_pb2.Literal()
    scalar = literal.scalar
    match simple:
        case types_pb2.STRUCT:
            scalar.generic.CopyFrom(_struct(text))
        case types_pb2.BINARY:
            scalar.binary.value, scalar.binary.tag = content, "msgpack"
        case types_pb2.ERROR:
            scalar.error.message = text
        case types_pb2.NONE:
            scalar.none_type.SetInParent()
        case _ if simple in _READERS:
            _READERS[simple](scalar.primitive, text)
        case _:
            raise ValueError(f"unsupported type {simple}")
    return literal


def _as_in_go(value: Any) -> Any:
    """Return a value of JSON with its numbers as Go writes them: without a fraction where there is none."""
    match value:
        case dict():
            return {key: _as_in_go(each) for key, each in value.items()}
        case list():
            return [_as_in_go(each) for each in value]
        case float() if value.is_integer() and abs(value) < _SHORTEST_EXPONENT:
            return int(value)
        case _:
            return value


def _float_text(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value != value:  # noqa: PLR0124 - that is how NaN is told
        return "NaN"
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def _json_primitive(primitive: literals_pb2.Primitive) -> Any:
    match primitive.WhichOneof("value"):
        case "datetime":
            return primitive_text(primitive)
        case "duration" | None:  # Flyte leaves durations out of its summary
            return None
        case kind:
            return getattr(primitive, kind)


def _struct(text: str) -> struct_pb2.Struct:
    try:
        return json_format.Parse(text, struct_pb2.Struct())
    except json_format.ParseError as error:
        raise ValueError(f"failed to load generic type as json.: {error}") from error


def _integer(primitive: literals_pb2.Primitive, text: str) -> None:
    digits = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f'failed to parse integer value: strconv.ParseInt: parsing "{text}": invalid syntax')
    if not _SMALLEST <= int(text) <= _LARGEST:
        raise ValueError(f'failed to parse integer value: strconv.ParseInt: parsing "{text}": value out of range')
    primitive.integer = int(text)


def _float(primitive: literals_pb2.Primitive, text: str) -> None:
    if _FLOAT.fullmatch(text) is None:
        raise ValueError(f'failed to parse Float value: strconv.ParseFloat: parsing "{text}": invalid syntax')
    if math.isinf(float(text)) and "inf" not in text.lower():
        raise ValueError(f'failed to parse Float value: strconv.ParseFloat: parsing "{text}": value out of range')
    primitive.float_value = float(text)


def _boolean(primitive: literals_pb2.Primitive, text: str) -> None:
    if text not in _TRUE | _FALSE:
        raise ValueError(f'failed to parse Bool value: strconv.ParseBool: parsing "{text}": invalid syntax')
    primitive.boolean = text in _TRUE


def _string(primitive: literals_pb2.Primitive, text: str) -> None:
    primitive.string_value = text


def _duration(primitive: literals_pb2.Primitive, text: str) -> None:
    try:
        primitive.duration.FromNanoseconds(parse_duration(text))
    except ValueError as error:
        raise ValueError(f"failed to parse Duration, valid formats: e.g. 300ms, -1.5h, 2h45m: {error}") from None


def _datetime(primitive: literals_pb2.Primitive, text: str) -> None:
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f'failed to parse Datetime in RFC3339 format: cannot parse "{text}"')
    try:
        primitive.datetime.FromJsonString(found[1] + found[2])
    except ValueError as error:
        raise ValueError(f"failed to parse Datetime in RFC3339 format: {error}") from None


_READERS: Final[Mapping[types_pb2.SimpleType, Callable[[literals_pb2.Primitive, str], None]]] = {
    types_pb2.INTEGER: _integer,
    types_pb2.FLOAT: _float,
    types_pb2.BOOLEAN: _boolean,
    types_pb2.STRING: _string,
    types_pb2.DURATION: _duration,
    types_pb2.DATETIME: _datetime,
}
