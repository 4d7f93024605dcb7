"""The golden corpus: literals with what flytekit 1.16.31 makes of them (``tests/data/golden/README.md``)."""

from __future__ import annotations

import base64
import contextvars
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import hashlib
import importlib
import importlib.util
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from flyteidl.core import interface_pb2, literals_pb2, types_pb2
from google.protobuf import json_format, struct_pb2, symbol_database
from google.protobuf.message import Message

from flyte_remote_async.errors import FlyteRemoteError
from flyte_remote_async.literals import FlyteDirectory, FlyteFile, StructuredDataset
from flyte_remote_async.literals.failures import FlyteError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DATA",
    "differs",
    "hint_of",
    "lacks",
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


class HashMethod:
    """Stands for flytekit's class of that name."""

    def __init__(self, calculate: Callable[[Any], str]) -> None:
        self.calculate = calculate


@functools.cache
def _types() -> Any:
    # Imported by name at run time: the corpus keeps its own style, which mypy and ruff leave alone.
    return importlib.import_module("tests.data.golden.golden_types")


@functools.cache
def _names() -> dict[str, Any]:
    classes = {"FlyteFile": FlyteFile, "FlyteDirectory": FlyteDirectory, "StructuredDataset": StructuredDataset}
    plain = {one.__name__: one for one in (int, str, float, bool, list, dict, tuple, set, frozenset, bytes, complex)}
    modules: dict[str, Any] = {"os": os, "struct_pb2": struct_pb2, "types_pb2": types_pb2}
    for name, module in (("pd", "pandas"), ("pa", "pyarrow"), ("np", "numpy"), ("pl", "polars")):
        if importlib.util.find_spec(module):
            modules[name] = importlib.import_module(module)
    others = {
        "FlyteError": FlyteError,
        "FlytePickle": object,
        "FlyteSchema": StructuredDataset,
        "Decimal": decimal.Decimal,
        "HashMethod": HashMethod,
        "FlyteAnnotation": lambda _: "annotation",
        "kwtypes": lambda **columns: columns,
        "len": len,
    }
    return {**_types().namespace(**classes), **plain, **modules, **others}


def lacks(case: dict[str, Any]) -> list[str]:
    """Return the packages that a case needs and that are not installed."""
    return [name for name in case.get("requires", ()) if name != "protobuf" and not importlib.util.find_spec(name)]


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
    """Return the Python type that a hint names."""
    return eval(text, {**_names(), "__builtins__": {}})  # noqa: S307 - expressions of the corpus


def value_of(tagged: dict[str, Any]) -> Any:
    """Return the Python value that a tagged value describes.

    Raises:
        KeyError: There is no way to make one: a frame, an array, an object of a class of its own.
    """
    return _types().build(tagged, _names(), _MAKE)


_MAKE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "FlyteFile": lambda v: FlyteFile(v["uri"], format=v["format"], metadata=v.get("metadata")),
    "FlyteDirectory": lambda v: FlyteDirectory(v["uri"], format=v["format"]),
    "StructuredDataset": lambda v: StructuredDataset(None, v["uri"], file_format=v["format"]),
    "FlyteError": lambda v: FlyteError(v["message"], v["failed_node_id"]),
    "protobuf": lambda v: json_format.ParseDict(v["json"], symbol_database.Default().GetSymbol(v["name"])()),
}


async def opened(value: Any) -> dict[int, Any]:
    """Return what all handles inside a value give when they are read, or the error, by the handle's ``id``."""
    found: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (FlyteFile, FlyteDirectory, StructuredDataset)):
            try:
                found[id(one)] = await _content(one)
            except FlyteRemoteError as error:
                found[id(one)] = error
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, (list, tuple)):
            waiting += one
        elif dataclasses.is_dataclass(one) and not isinstance(one, type):
            waiting += [getattr(one, field.name) for field in dataclasses.fields(one)]
    return found


async def _content(handle: FlyteFile | FlyteDirectory | StructuredDataset) -> Any:
    if handle.uri.startswith(("s3:", "gs:", "http", "bq:")):
        return None
    if isinstance(handle, StructuredDataset):
        return await handle.to_pandas()
    folder = Path(tempfile.mkdtemp())
    try:
        if isinstance(handle, FlyteFile):
            return await anyio.to_thread.run_sync((await handle.download(folder / "file")).read_bytes)
        await handle.download(folder)
        paths = await anyio.to_thread.run_sync(lambda: [one for one in folder.rglob("*") if one.is_file()])
        return {str(one.relative_to(folder)): await anyio.to_thread.run_sync(one.read_bytes) for one in paths}
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, folder)


_OPENED: contextvars.ContextVar[dict[int, Any]] = contextvars.ContextVar("opened")


async def differs(expected: dict[str, Any], value: Any) -> str:
    """Return where a value is not the tagged one; empty when they are the same. What handles name is compared too.

    A class that flytekit made from a type at run time counts as the dict, or the string, that we give instead.
    """
    _OPENED.set(await opened(value))
    return _differs(expected, value)


def _differs(expected: dict[str, Any], value: Any) -> str:
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
    "decimal": (decimal.Decimal, lambda e, v: decimal.Decimal(e["v"]) == v),
    "complex": (complex, lambda e, v: complex(float(e["re"]), float(e["im"])) == v),
    "timedelta": (dt.timedelta, lambda e, v: dt.timedelta(e["days"], e["seconds"], e["microseconds"]) == v),
}


def _items(expected: dict[str, Any], value: Any) -> str:
    if type(value) is not (tuple if expected["t"] == "tuple" else list):
        return f"{expected} != {value!r}"
    if "range" in expected:
        return "" if value == list(range(*expected["range"])) else "another range"
    if len(value) != len(expected["v"]):
        return f"{len(value)} items"
    return next(filter(None, map(_differs, expected["v"], value)), "")


def _dict(expected: dict[str, Any], value: Any) -> str:
    if type(value) is not dict or len(value) != len(expected["v"]):
        return f"{expected} != {value!r}"
    for key, item in expected["v"]:
        mine = [mine for mine in value if not _differs(key, mine)]
        if not mine:
            return f"no key {key}"
        if found := _differs(item, value[mine[0]]):
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
    return next(filter(None, (_differs(item, fields[name]) for name, item in expected["fields"].items())), "")


def _enum(expected: dict[str, Any], value: Any) -> str:
    if expected.get("dynamic"):
        return _differs(expected["value"], value)
    fits = isinstance(value, enum.Enum) and (type(value).__name__, value.name) == (expected["class"], expected["name"])
    return "" if fits else f"{expected} != {value!r}"


def _set(expected: dict[str, Any], value: Any) -> str:
    if type(value).__name__ != expected["t"] or len(value) != len(expected["v"]):
        return f"{expected} != {value!r}"
    return "" if all(any(not _differs(one, mine) for mine in value) for one in expected["v"]) else "another set"


def _pydantic(expected: dict[str, Any], value: Any) -> str:
    if type(value).__name__ != expected["class"]:
        return f"{expected} != {value!r}"
    return next(filter(None, (_differs(one, getattr(value, name)) for name, one in expected["fields"].items())), "")


def _error(expected: dict[str, Any], value: Any) -> str:
    same = isinstance(value, FlyteError) and value == FlyteError(expected["message"], expected["failed_node_id"])
    return "" if same else f"{expected} != {value!r}"


def _protobuf(expected: dict[str, Any], value: Any) -> str:
    same = isinstance(value, Message) and json_format.MessageToDict(value) == expected["json"]
    return "" if same else f"{expected} != {value!r}"


def _file(expected: dict[str, Any], value: Any) -> str:
    if not isinstance(value, FlyteFile) or (value.uri, value.format) != (expected["uri"], expected["format"]):
        return f"{expected} != {value!r}"
    if value.metadata != expected.get("metadata", {}):
        return f"metadata {value.metadata}"
    content = _OPENED.get()[id(value)]
    if "sha256" not in expected:
        return ""
    same = isinstance(content, bytes) and hashlib.sha256(content).hexdigest() == expected["sha256"]
    return "" if same else f"another content: {content!r}"


def _directory(expected: dict[str, Any], value: Any) -> str:
    if not isinstance(value, FlyteDirectory) or (value.uri, value.format) != (expected["uri"], expected["format"]):
        return f"{expected} != {value!r}"
    content = _OPENED.get()[id(value)]
    if "files" not in expected:
        return ""
    if not isinstance(content, dict):
        return f"{content!r}"
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    return "" if digests == expected["files"] else f"other files: {sorted(content)}"


def _dataset(expected: dict[str, Any], value: Any) -> str:
    if not isinstance(value, StructuredDataset) or value.uri != expected.get("uri", value.uri):
        return f"{expected} != {value!r}"
    if value.file_format != (expected.get("format") or ""):
        return f"format {value.file_format}"
    content, frame = _OPENED.get()[id(value)], expected.get("frame")
    if expected["t"] == "StructuredDataset" and list(value.columns) != [name for name, _ in expected["columns"] or ()]:
        return f"columns {value.columns}"
    if frame is None:
        return ""
    if "error" in frame:
        return "" if isinstance(content, FlyteRemoteError) else "no error"
    return _frame(frame, content)


def _frame(expected: dict[str, Any], value: Any) -> str:
    if type(value).__name__ != "DataFrame" or list(value.columns) != expected["columns"]:
        return f"{expected} != {value!r}"
    index = next(filter(None, map(_cell, expected["index"], value.index.tolist())), "")
    return index or _rows(expected["rows"], [[row[name] for name in expected["columns"]] for _, row in _records(value)])


def _records(frame: Any) -> Any:
    # Whole columns as objects: a row of numbers would be made one of floats.
    return frame.astype(object).iterrows()


def _table(expected: dict[str, Any], value: Any) -> str:
    names = [name for name, _ in expected["schema"]]
    collected = value.collect() if expected["t"].endswith("LazyFrame") else value
    if type(value).__module__.partition(".")[0] != expected["t"].partition(".")[0]:
        return f"{type(value)}"
    rows = collected.to_pylist() if hasattr(collected, "to_pylist") else collected.to_dicts()
    types = [str(one) for one in (collected.schema.types if hasattr(collected.schema, "types") else collected.dtypes)]
    if [known.replace("element", "item") for _, known in expected["schema"]] != [
        t.replace("element", "item") for t in types
    ]:
        return f"types {types}"
    return _rows(expected["rows"], [[row[name] for name in names] for row in rows])


def _rows(expected: list[list[Any]], rows: list[list[Any]]) -> str:
    if len(expected) != len(rows):
        return f"{len(rows)} rows"
    return next(
        filter(None, (_cell(e, v) for es, vs in zip(expected, rows, strict=True) for e, v in zip(es, vs, strict=True))),
        "",
    )


def _cell(expected: dict[str, Any], value: Any) -> str:
    if expected["t"] == "null":
        return "" if value is None or value != value else f"{value!r} is no null"  # noqa: PLR0124 - NaN
    plain = value.tolist() if hasattr(value, "tolist") else value
    convert = {"datetime": "to_pydatetime", "timedelta": "to_pytimedelta"}.get(expected["t"], "")
    return _differs(expected, getattr(plain, convert)() if hasattr(plain, convert) else plain)


def _array(expected: dict[str, Any], value: Any) -> str:
    if (str(value.dtype), list(value.shape)) != (expected["dtype"], expected["shape"]):
        return f"{expected} != {value!r}"
    return next(filter(None, map(_cell, expected["data"], value.reshape(-1).tolist())), "")


def _iterator(expected: dict[str, Any], value: Any) -> str:
    if not isinstance(value, Iterator):
        return f"{value!r} is no iterator"
    return _items({"t": "list", "v": expected["items"]}, list(value))


_COMPARE: dict[str, Any] = {
    "list": _items,
    "tuple": _items,
    "dict": _dict,
    "set": _set,
    "frozenset": _set,
    "dataclass": _dataclass,
    "enum": _enum,
    "pydantic": _pydantic,
    "protobuf": _protobuf,
    "FlyteError": _error,
    "FlyteFile": _file,
    "FlyteDirectory": _directory,
    "StructuredDataset": _dataset,
    "FlyteSchema": _dataset,
    "pandas.DataFrame": _frame,
    "pyarrow.Table": _table,
    "polars.DataFrame": _table,
    "polars.LazyFrame": _table,
    "numpy.ndarray": _array,
    "iterator": _iterator,
    "filehandle": lambda expected, value: _differs(expected["content"], value.read()),
}


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
