"""Dicts: maps of literals where keys are strings, payloads where they are anything else."""

from __future__ import annotations

import collections.abc
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, get_args, get_origin

from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.literals import chunks, wire
from flyte_remote_async.literals.base import Codec, step
from flyte_remote_async.literals.gathering import PENDING
from flyte_remote_async.literals.loose import ANY
from flyte_remote_async.literals.primitives import STR

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["PLAIN_DICT", "any_keys", "from_hint", "map_of", "plain_dict"]


_TEXTS = frozenset({str})


class _Dict(Codec):
    """A dict with typed keys and values; as a literal it is a map, or a payload when its keys are no strings."""

    __slots__ = ("_exact", "codecs", "key", "packed", "value")
    tag = "Typed Dict"
    is_packed = True

    def __init__(self, key: Codec, value: Codec, codecs: Codecs | None = None, *, packed: bool) -> None:
        super().__init__(f"dict[{key.expected}, {value.expected}]")
        self.codecs = codecs
        self.key = key
        self.value = value
        self._exact = None if value.exact is None or key is not STR else frozenset({value.exact})
        self.packed = packed

    def decode(self, literal: literals_pb2.Literal) -> Any:
        if literal.WhichOneof("value") != "map":
            return super().decode(literal)
        if self.key is not STR:
            raise self.misfit(literal)
        literals = literal.map.literals
        return {key: step(f"[{key!r}]", self.value.decode, literals[key]) for key in literals}

    def decode_cut(self, data: bytes, start: int, end: int) -> Any:
        found = chunks.inside(data, start, end, chunks.MAP) if self.key is STR else None
        return None if found is None else chunks.read_map(self.value, data, *found)

    def decode_all(self, data: bytes, first: int) -> list[Any]:
        found = chunks.read_each(self, data, first)
        return super().decode_all(data, first) if found is None else found

    def generic(self, literal: literals_pb2.Literal) -> Any:
        return super().generic(literal) if self.codecs is None else self.codecs.generic(literal)

    def build(self, value: Any) -> Any:
        if value is PENDING:
            return value
        if type(value) is not dict:
            raise self.mismatch(value)
        exact = self._exact
        if exact is not None and _TEXTS.issuperset(map(type, value)) and exact.issuperset(map(type, value.values())):
            return value
        return self._both(self.key.build_key, self.value.build, value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        if self.packed:
            return wire.write_binary(self.dump(value))
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self.refusal(value)
        literals = {key: step(f"[{key!r}]", self.value.encode, item) for key, item in value.items()}
        return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=literals))

    def dump(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise self.refusal(value)
        return self._both(self.key.dump, self.value.dump, value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        if stored.WhichOneof("type") == "map_value_type":
            return self.key is STR and self.value.fits(stored.map_value_type)
        return self.packed and PLAIN_DICT.fits(stored)

    def owns(self, value: Any) -> bool:
        return isinstance(value, dict) and all(map(self.value.owns, value.values()))

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        return all(map(self.value.owns_literal, literal.map.literals.values()))

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict) and all(map(self.value.owns_plain, value.values()))

    @staticmethod
    def _both(convert_key: Callable[[Any], Any], convert: Callable[[Any], Any], items: dict[Any, Any]) -> Any:
        return {step(f"[{key!r}]", convert_key, key): step(f"[{key!r}]", convert, item) for key, item in items.items()}


class _PlainDict(Codec):
    """A dict of whatever msgpack can carry."""

    __slots__ = ("codecs",)
    tag = "Typed Dict"

    def __init__(self, codecs: Codecs | None = None) -> None:
        super().__init__("dict")
        self.codecs = codecs

    def generic(self, literal: literals_pb2.Literal) -> Any:
        return super().generic(literal) if self.codecs is None else self.codecs.generic(literal)

    def build(self, value: Any) -> Any:
        if type(value) is not dict and value is not PENDING:
            raise self.mismatch(value)
        return value

    def encode(self, value: Any) -> literals_pb2.Literal:
        return wire.write_binary(self.dump(value))

    def dump(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise self.refusal(value)
        return value

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.STRUCT

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict)


PLAIN_DICT = _PlainDict()


def plain_dict(codecs: Codecs) -> Codec:
    """Return the codec of a dict without types, which old SDKs may have pickled."""
    return _PlainDict(codecs)


def map_of(codecs: Codecs, value: Codec) -> Codec:
    """Return the codec of a map type."""
    return _Dict(STR, value, codecs, packed=False)


def any_keys(value: Codec) -> Codec:
    """Return the codec of a dict inside a payload whose keys stay what they are."""
    return _Dict(ANY, value, packed=True)


_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping, OrderedDict)


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a dict, else None."""
    if (get_origin(hint) or hint) not in _DICTS:
        return None
    if not get_args(hint):
        return _PlainDict(codecs)
    is_map = declared is not None and declared.WhichOneof("type") == "map_value_type"
    inner = declared.map_value_type if declared is not None and is_map else None
    key, value = (codecs.of(None, get_args(hint)[0]), codecs.of(inner, get_args(hint)[1]))
    packed = key is not STR or (declared is not None and PLAIN_DICT.fits(declared))
    return _Dict(key, value, codecs, packed=packed)
