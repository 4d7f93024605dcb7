"""What Flyte fills into the command of a container, such as ``{{.input}}`` and ``{{.Inputs.name}}``. Pure.

Source: flyteplugins/go/tasks/pluginmachinery/core/template of Flyte 1.16.8. Names are taken in any case.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgpack

from flyte_remote_async.devserver.golang.prototext import prototext

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flyteidl.core import literals_pb2

__all__ = ["TemplateError", "rendered", "unique_key"]

_FIELD: Final = re.compile(r"\{\{\s*[.$]([A-Za-z]+)\s*\}\}")
_INPUT: Final = re.compile(r"\{\{\s*[.$]Inputs\.([^}\s]+)\s*\}\}", re.IGNORECASE)
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-zA-Z0-9_]+")
_NOT_ALPHA_FIRST: Final = re.compile(r"^[^a-zA-Z_]+")
_LARGEST_PLAIN: Final = 1e21
_SMALLEST_PLAIN: Final = 1e-4


class TemplateError(ValueError):
    """Raised for an input that cannot be filled in."""


def unique_key(generated_name: str) -> str:
    """Return what ``{{.perRetryUniqueKey}}`` stands for.

    Args:
        generated_name: The name that Flyte gives the attempt.
    """
    return _NOT_ALPHANUMERIC.sub("_", _NOT_ALPHA_FIRST.sub("a", generated_name))


def rendered(words: Iterable[str], fields: Mapping[str, str], inputs: literals_pb2.LiteralMap) -> list[str]:
    """Return a command with everything filled in; what is no known field stays as it is.

    Args:
        words: The command.
        fields: What the fields stand for, by their names in lower case.
        inputs: The inputs of the task.

    Raises:
        TemplateError: There is no such input, or its value cannot be part of a command.
    """

    def field(match: re.Match[str]) -> str:
        return fields.get(match[1].lower(), match[0])

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in inputs.literals:
            raise TemplateError(f"input template [{match[0]}]: requested input is not found [{name}]")
        try:
            return _text(inputs.literals[name])
        except TemplateError as error:
            raise TemplateError(
                f"input template [{match[0]}]: failed to bind a value to inputName [{name}]: {error}"
            ) from None

    return [_INPUT.sub(value, _FIELD.sub(field, word)) for word in words]


def _text(literal: literals_pb2.Literal) -> str:
    match literal.WhichOneof("value"):
        case "collection":
            return f"[{','.join(map(_text, literal.collection.literals))}]"
        case "scalar":
            return _scalar(literal.scalar)
        case other:
            raise TemplateError(f"received an unexpected primitive type [{other}]")


def _scalar(scalar: literals_pb2.Scalar) -> str:
    match scalar.WhichOneof("value"):
        case "primitive":
            return _primitive(scalar.primitive)
        case "blob":
            return scalar.blob.uri
        case "schema":
            return scalar.schema.uri
        case "binary" if scalar.binary.tag == "msgpack":
            try:
                return _go(msgpack.unpackb(scalar.binary.value, strict_map_key=False))
            except (ValueError, msgpack.UnpackException) as error:
                raise TemplateError(f"failed to unmarshal messagepack bytes: {error}") from error
        case "binary":
            raise TemplateError(f"unsupported binary tag [{scalar.binary.tag}]")
        case other:
            raise TemplateError(f"received an unexpected scalar type [{other}]")


def _primitive(primitive: literals_pb2.Primitive) -> str:
    match primitive.WhichOneof("value"):
        case "datetime":
            # All digits of the nanoseconds that are not zero, as RFC 3339 has it.
            text = primitive.datetime.ToJsonString().removesuffix("Z")
            return (text.rstrip("0").rstrip(".") if "." in text else text) + "Z"
        case "duration":
            return prototext(primitive.duration)
        case None:
            raise TemplateError("received an unexpected primitive type [<nil>]")
        case name:
            return _go(getattr(primitive, name))


def _go(value: Any) -> str:
    """Return a value as Go's ``%v`` prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{_go(key)}:{_go(value[key])}' for key in sorted(value, key=str))}]"
    if isinstance(value, (list, bytes)):
        return f"[{' '.join(map(_go, value))}]"
    if isinstance(value, float):
        return _go_float(value)
    words = {None: "<nil>", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _go_float(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - that is how NaN is told
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(value), "NaN")
    if value and not _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        mantissa, _, exponent = f"{value!r}".partition("e")
        if not exponent:
            mantissa, _, exponent = f"{value:e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+03d}"
    return f"{value:.0f}" if value.is_integer() else repr(value)
