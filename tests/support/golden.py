"""The golden corpus: literals with what flytekit 1.16.31 makes of them (``tests/data/golden/README.md``)."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import functools
import importlib
import json
import math
from pathlib import Path
from typing import Any

from flyteidl.core import interface_pb2, literals_pb2, types_pb2

__all__ = [
    "DATA",
    "Unknown",
    "differs",
    "hint_of",
    "literal_cases",
    "literal_of",
    "map_cases",
    "map_of",
    "same_literal",
    "type_of",
    "value_of",
    "variables_of",
]

DATA = Path(__file__).parent.parent / "data" / "golden"


class Unknown:
    """Stands for every class that a hint names and this package has no rule for."""

    def __class_getitem__(cls, item: object) -> type[Unknown]:
        return cls


class _Names(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        return type(name, (Unknown,), {})


@functools.cache
def _types() -> Any:
    # Imported by name at run time: the corpus keeps its own style, which mypy and ruff leave alone.
    return importlib.import_module("tests.data.golden.golden_types")


@functools.cache
def _names() -> dict[str, Any]:
    classes = {name: _Names()[name] for name in ("FlyteFile", "FlyteDirectory", "StructuredDataset")}
    plain: dict[str, Any] = {
        "int": int,
        "str": str,
        "float": float,
        "bool": bool,
        "list": list,
        "dict": dict,
        "tuple": tuple,
    }
    plain |= {"set": set, "bytes": bytes, "len": len}
    modules = {name: _Module() for name in ("pd", "pa", "np", "pl", "os", "struct_pb2", "types_pb2")}
    calls = {
        "HashMethod": lambda _: "hash",
        "FlyteAnnotation": lambda _: "annotation",
        "kwtypes": lambda **_: "kw",
        "len": len,
    }
    return _Names(_types().namespace(**classes) | plain | modules | calls)


class _Module:
    def __getattr__(self, name: str) -> Any:
        return type(name, (Unknown,), {})


_RESULTS = {"nohint", "hint_result", "encode_nohint", "encode_result", "with_hints", "as_python_native"}


def _lines(name: str) -> list[dict[str, Any]]:
    cases = [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    for case in cases:
        case.update({key: _types().relocate(case[key], str(DATA / "data")) for key in _RESULTS & set(case)})
    return cases


def literal_cases() -> list[dict[str, Any]]:
    """Return the cases of single literals."""
    return _lines("literals_public.jsonl")


def map_cases() -> list[dict[str, Any]]:
    """Return the cases of whole outputs."""
    return _lines("maps_public.jsonl")


def literal_of(case: dict[str, Any], key: str = "literal") -> literals_pb2.Literal | None:
    """Return the literal of a case."""
    message: literals_pb2.Literal | None = _load(case, key, literals_pb2.Literal)
    return message


def type_of(case: dict[str, Any]) -> types_pb2.LiteralType | None:
    """Return the declared type of a case."""
    message: types_pb2.LiteralType | None = _load(case, "type", types_pb2.LiteralType)
    return message


def map_of(case: dict[str, Any]) -> literals_pb2.LiteralMap:
    """Return the literals of a map case."""
    message: literals_pb2.LiteralMap = _load(case, "literal_map", literals_pb2.LiteralMap)
    return message


def variables_of(case: dict[str, Any]) -> interface_pb2.VariableMap | None:
    """Return the variables of a map case."""
    message: interface_pb2.VariableMap | None = _load(case, "variable_map", interface_pb2.VariableMap)
    return message


def _load(case: dict[str, Any], key: str, message: Any) -> Any:
    return _types().load_proto(case, key, message, str(DATA / "data"))


def hint_of(text: str) -> Any:
    """Return the Python type that a hint names; classes that are not at hand are :class:`Unknown`."""
    return eval(text, {"__builtins__": {}}, _names())  # noqa: S307 - expressions of the corpus


def value_of(tagged: dict[str, Any]) -> Any:
    """Return the Python value that a tagged value describes.

    Raises:
        KeyError: Its class is not at hand.
    """
    return _types().build(tagged, dict(_names()))


def differs(expected: dict[str, Any], value: Any) -> str:
    """Return where a value is not the tagged one; empty when they are the same.

    A class that flytekit made from a type at run time counts as the dict, or the string, that we give instead.
    """
    tag = expected["t"]
    compare = _COMPARE.get(tag)
    if compare is not None:
        return str(compare(expected, value))
    known = _SCALARS.get(tag)
    if known is None:
        return f"a {tag} cannot be compared"
    return "" if type(value) is known[0] and known[1](expected, value) else f"{expected} != {value!r}"


def _float(expected: dict[str, Any], value: float) -> bool:
    other = float.fromhex(expected["hex"]) if expected["hex"] not in {"inf", "-inf", "nan"} else float(expected["hex"])
    return value.hex() == other.hex() or (math.isnan(value) and math.isnan(other))


def _datetime(expected: dict[str, Any], value: dt.datetime) -> bool:
    offset = value.utcoffset()
    seconds = None if offset is None else offset.total_seconds()
    return value == dt.datetime.fromisoformat(expected["v"]) and seconds == expected["utcoffset_s"]


_SCALARS: dict[str, tuple[type, Any]] = {
    "none": (type(None), lambda _, __: True),
    "bool": (bool, lambda e, v: e["v"] is v),
    "int": (int, lambda e, v: int(e["v"]) == v),
    "float": (float, _float),
    "str": (str, lambda e, v: e["v"] == v),
    "bytes": (bytes, lambda e, v: base64.b64decode(e["b64"]) == v),
    "datetime": (dt.datetime, _datetime),
    "date": (dt.date, lambda e, v: e["v"] == v.isoformat()),
    "timedelta": (dt.timedelta, lambda e, v: dt.timedelta(e["days"], e["seconds"], e["microseconds"]) == v),
}


def _items(expected: dict[str, Any], value: Any) -> str:
    if type(value) is not (tuple if expected["t"] == "tuple" else list):
        return f"{expected} != {value!r}"
    if "range" in expected:
        return "" if value == list(range(*expected["range"])) else "another range"
    if len(value) != len(expected["v"]):
        return f"{len(value)} items"
    return next(filter(None, map(differs, expected["v"], value)), "")


def _dict(expected: dict[str, Any], value: Any) -> str:
    if type(value) is not dict or len(value) != len(expected["v"]):
        return f"{expected} != {value!r}"
    for key, item in expected["v"]:
        mine = [mine for mine in value if not differs(key, mine)]
        if not mine:
            return f"no key {key}"
        if found := differs(item, value[mine[0]]):
            return found
    return ""


def _dataclass(expected: dict[str, Any], value: Any) -> str:
    if expected.get("dynamic"):
        fields = value if isinstance(value, dict) else None
    else:
        known = dataclasses.is_dataclass(value) and type(value).__name__ == expected["class"]
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)} if known else None
    if fields is None or set(fields) != set(expected["fields"]):
        return f"{expected} != {value!r}"
    return next(filter(None, (differs(item, fields[name]) for name, item in expected["fields"].items())), "")


def _enum(expected: dict[str, Any], value: Any) -> str:
    if expected.get("dynamic"):
        return differs(expected["value"], value)
    fits = isinstance(value, enum.Enum) and (type(value).__name__, value.name) == (expected["class"], expected["name"])
    return "" if fits else f"{expected} != {value!r}"


_COMPARE: dict[str, Any] = {"list": _items, "tuple": _items, "dict": _dict, "dataclass": _dataclass, "enum": _enum}


def same_literal(one: literals_pb2.Literal, other: literals_pb2.Literal) -> bool:
    """Tell whether two literals are equal, msgpack payloads and maps compared as values, hashes left out."""
    return bool(_comparable(one) == _comparable(other))


def _comparable(literal: literals_pb2.Literal) -> Any:
    import msgpack

    which = literal.WhichOneof("value")
    if which == "collection":
        return [_comparable(one) for one in literal.collection.literals]
    if which == "map":
        return {name: _comparable(one) for name, one in literal.map.literals.items()}
    if literal.scalar.WhichOneof("value") == "union":
        stored = types_pb2.LiteralType()
        stored.CopyFrom(literal.scalar.union.type)
        required = stored.metadata.fields["required"].list_value.values
        names = sorted(one.string_value for one in required)
        stored.metadata.ClearField("fields")
        return ("union", _comparable(literal.scalar.union.value), stored.SerializeToString(deterministic=True), names)
    if literal.scalar.WhichOneof("value") == "binary":
        plain = msgpack.unpackb(literal.scalar.binary.value, strict_map_key=False)
        return ("binary", literal.scalar.binary.tag, _exact(plain))
    bare = literals_pb2.Literal(scalar=literal.scalar)
    return bare.SerializeToString(deterministic=True)


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {(type(key), key): _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return (type(value), value.hex() if isinstance(value, float) else value)
