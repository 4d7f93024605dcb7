"""Literals from their fields, maps and JSON included, which the constructors of protobuf 5 do not take as mappings."""

from __future__ import annotations

from typing import Any

from flyteidl.core import literals_pb2
from google.protobuf import json_format

__all__ = ["literal_from", "scalar_from"]


def literal_from(fields: dict[str, Any]) -> literals_pb2.Literal:
    """Return a literal."""
    match fields:
        case {"map": {"literals": inside}}:
            literals = {key: literal_from(value) for key, value in inside.items()}
            return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=literals))
        case {"collection": {"literals": items}}:
            collection = literals_pb2.LiteralCollection(literals=[literal_from(item) for item in items])
            return literals_pb2.Literal(collection=collection)
        case {"scalar": scalar, **others}:
            return literals_pb2.Literal(scalar=scalar_from(scalar), **others)
        case _:
            return literals_pb2.Literal(**fields)


def scalar_from(fields: dict[str, Any]) -> literals_pb2.Scalar:
    """Return a scalar."""
    if "generic" not in fields:
        return literals_pb2.Scalar(**fields)
    scalar = literals_pb2.Scalar()
    scalar.generic.SetInParent()
    json_format.ParseDict(fields["generic"], scalar.generic)
    return scalar
