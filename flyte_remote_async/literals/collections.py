"""Lists; and the tuples and sets that a payload holds as lists."""

from __future__ import annotations

import collections.abc
from collections import deque
from typing import TYPE_CHECKING, Any, get_args, get_origin

from flyteidl.core import literals_pb2

from flyte_remote_async.literals import chunks
from flyte_remote_async.literals.base import Codec, each

if TYPE_CHECKING:
    from flyteidl.core import types_pb2

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_hint", "list_of"]


class _List(Codec):
    __slots__ = ("_exact", "element")
    tag = "Typed List"
    is_packed = True

    def __init__(self, element: Codec) -> None:
        super().__init__(f"list[{element.expected}]")
        self.element = element
        self._exact = None if element.exact is None else frozenset({element.exact})

    def decode(self, literal: literals_pb2.Literal) -> Any:
        if literal.WhichOneof("value") != "collection":
            return super().decode(literal)
        return each(self.element.decode, literal.collection.literals)

    def decode_cut(self, data: bytes, start: int, end: int) -> Any:
        found = chunks.inside(data, start, end, chunks.COLLECTION)
        return None if found is None else chunks.read_list(self.element, data, *found)

    def decode_all(self, data: bytes, first: int) -> list[Any]:
        found = chunks.read_each(self, data, first)
        return super().decode_all(data, first) if found is None else found

    def build(self, value: Any) -> Any:
        if type(value) is not list:
            raise self.mismatch(value)
        if self._exact is not None and self._exact.issuperset(map(type, value)):
            return value
        return each(self.element.build, value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        if not isinstance(value, list):
            raise self.refusal(value)
        elements = each(self.element.encode, value)
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=elements))

    def dump(self, value: Any) -> Any:
        if not isinstance(value, list):
            raise self.refusal(value)
        return each(self.element.dump, value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "collection_type" and self.element.fits(stored.collection_type)

    def owns(self, value: Any) -> bool:
        return isinstance(value, list) and all(map(self.element.owns, value))

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        return all(map(self.element.owns_literal, literal.collection.literals))

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, list) and all(map(self.element.owns_plain, value))


class _Unordered(Codec):
    """A set, frozenset, deque or tuple of any length inside a payload."""

    __slots__ = ("element", "python")

    def __init__(self, python: type[Any], element: Codec) -> None:
        super().__init__(f"{python.__name__}[{element.expected}]")
        self.python = python
        self.element = element

    def build(self, value: Any) -> Any:
        if type(value) is not list:
            raise self.mismatch(value)
        elements = each(self.element.build, value)
        try:
            return self.python(elements)
        except TypeError:  # a set of what cannot be hashed
            raise self.mismatch(value) from None

    def dump(self, value: Any) -> Any:
        if not isinstance(value, self.python):
            raise self.refusal(value)
        return each(self.element.dump, value)


class _Tuple(Codec):
    """A tuple of fixed length inside a payload."""

    __slots__ = ("elements",)

    def __init__(self, elements: tuple[Codec, ...]) -> None:
        super().__init__(f"tuple[{', '.join(element.expected for element in elements)}]")
        self.elements = elements

    def build(self, value: Any) -> Any:
        if type(value) is not list or len(value) != len(self.elements):
            raise self.mismatch(value)
        pairs = zip(self.elements, value, strict=True)
        return tuple(each(lambda pair: pair[0].build(pair[1]), pairs))

    def dump(self, value: Any) -> Any:
        if not isinstance(value, tuple) or len(value) != len(self.elements):
            raise self.refusal(value)
        pairs = zip(self.elements, value, strict=True)
        return each(lambda pair: pair[0].dump(pair[1]), pairs)


def list_of(element: Codec) -> Codec:
    """Return the codec of a list."""
    return _List(element)


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a list, tuple or set, else None."""
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin in _LISTS:
        is_list = declared is not None and declared.WhichOneof("type") == "collection_type"
        inner = declared.collection_type if declared is not None and is_list else None
        return _List(codecs.of(inner, *args) if args else codecs.of(inner))
    if origin is tuple and args and args[-1:] != (Ellipsis,):
        return _Tuple(tuple(codecs.of(None, arg) for arg in args))
    python = _OTHERS.get(origin) if isinstance(origin, type) else None
    return _Unordered(python, codecs.of(None, *args[:1])) if python is not None else None


_LISTS = (list, collections.abc.Sequence, collections.abc.MutableSequence, collections.abc.Collection)
_OTHERS: dict[type, type[Any]] = {
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    deque: deque,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}
