"""Python values as literals of the types that they look like, for executions that no task has run."""

from __future__ import annotations

import dataclasses
import datetime as dt
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import interface_pb2, literals_pb2, types_pb2

from flyte_remote_async.literals import encode
from flyte_remote_async.models.literals import Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["literal_map", "variables"]

_SIMPLE: Final = {
    bool: types_pb2.BOOLEAN,
    int: types_pb2.INTEGER,
    float: types_pb2.FLOAT,
    str: types_pb2.STRING,
    dt.datetime: types_pb2.DATETIME,
    dt.timedelta: types_pb2.DURATION,
    type(None): types_pb2.NONE,
}
_PRIMITIVE: Final = {
    "integer": types_pb2.INTEGER,
    "float_value": types_pb2.FLOAT,
    "string_value": types_pb2.STRING,
    "boolean": types_pb2.BOOLEAN,
    "datetime": types_pb2.DATETIME,
    "duration": types_pb2.DURATION,
}


def literal_map(values: Mapping[str, Any]) -> literals_pb2.LiteralMap:
    """Return values as literals by name.

    Args:
        values: Plain Python values, lists and dicts of them, and literals of any kind.

    Raises:
        EncodeError: A value does not fit the type that it looks like, such as a list of several types.
    """
    return literals_pb2.LiteralMap(
        literals={name: encode(value, _type_of(value), _hint(value)).to_flyte_idl() for name, value in values.items()}
    )


def _hint(value: Any) -> Any:
    """Return the class of a record, and of a list of them: it says more than that it is one."""
    if isinstance(value, list):
        inner = _hint(value[0]) if value else None
        return inner and GenericAlias(list, (inner,))
    return type(value) if dataclasses.is_dataclass(value) or hasattr(value, "model_fields") else None


def variables(values: Mapping[str, Any]) -> interface_pb2.VariableMap:
    """Return the interface that values look like."""
    return interface_pb2.VariableMap(
        variables={name: interface_pb2.Variable(type=_type_of(value)) for name, value in values.items()}
    )


def _type_of(value: Any) -> types_pb2.LiteralType:
    if isinstance(value, Literal):
        value = value.to_flyte_idl()
    if isinstance(value, literals_pb2.Literal):
        return _type_of_literal(value)
    if type(value) in _SIMPLE:
        return types_pb2.LiteralType(simple=_SIMPLE[type(value)])
    if isinstance(value, list):
        return types_pb2.LiteralType(collection_type=_type_of(value[0] if value else None))
    # A record: dicts, dataclasses, models.
    return types_pb2.LiteralType(simple=types_pb2.STRUCT)


def _type_of_literal(literal: literals_pb2.Literal) -> types_pb2.LiteralType:
    match literal.WhichOneof("value"):
        case "collection":
            items = literal.collection.literals
            return types_pb2.LiteralType(collection_type=_type_of(next(iter(items), None)))
        case "map":
            return types_pb2.LiteralType(map_value_type=_type_of(next(iter(literal.map.literals.values()), None)))
        case _:
            return _type_of_scalar(literal.scalar)


def _type_of_scalar(scalar: literals_pb2.Scalar) -> types_pb2.LiteralType:
    match scalar.WhichOneof("value"):
        case "primitive":
            return types_pb2.LiteralType(simple=_PRIMITIVE[scalar.primitive.WhichOneof("value") or "integer"])
        case "blob":
            return types_pb2.LiteralType(blob=scalar.blob.metadata.type)
        case "structured_dataset":
            dataset = scalar.structured_dataset.metadata.structured_dataset_type
            return types_pb2.LiteralType(structured_dataset_type=dataset)
        case "none_type":
            return types_pb2.LiteralType(simple=types_pb2.NONE)
        case _:
            return types_pb2.LiteralType(simple=types_pb2.STRUCT)
