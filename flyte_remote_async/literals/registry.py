"""The kinds, in the order in which they are asked: which codec a type or a hint has.

A kind is a module with ``from_hint(codecs, hint, declared) -> Codec | None``, with ``from_type(codecs, declared)``, or
with both; a new one is a line in the tables here.
"""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from flyteidl.core import types_pb2

from flyte_remote_async.literals import collections, enums, maps, primitives, records, schema, times, unions
from flyte_remote_async.literals.base import Unsupported
from flyte_remote_async.literals.context import PLAIN
from flyte_remote_async.literals.loose import ANY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flyte_remote_async.errors import LiteralError
    from flyte_remote_async.literals.base import Codec
    from flyte_remote_async.literals.context import Context

__all__ = ["Codecs"]

# Unions come first: under a union type every hint means one of the variants.
_HINTS: tuple[Callable[[Codecs, Any, types_pb2.LiteralType | None], Codec | None], ...] = (
    unions.from_hint,
    primitives.from_hint,
    times.from_hint,
    enums.from_hint,
    collections.from_hint,
    maps.from_hint,
    records.from_hint,
)


class Codecs:
    """Makes the codecs of one conversion.

    Args:
        error: What is raised where a type or a hint has no codec.
        context: What the conversion may use.
    """

    def __init__(self, error: type[LiteralError], context: Context = PLAIN) -> None:
        self._error = error
        self.context = context
        # Codecs of classes, which may refer to themselves and to each other.
        self.classes: dict[type, Codec] = {}

    def of(self, declared: types_pb2.LiteralType | None, hint: Any = Any) -> Codec:
        """Return the codec of a declared type and a hint.

        Args:
            declared: The type that the interface declares, where it is known.
            hint: The Python type that is wanted; ``Any`` leaves it to the declared type.

        Raises:
            LiteralError: There is no codec for the hint.
        """
        hint = self._bare(hint)
        if hint is Any or hint is object:
            return ANY if declared is None else self._of_type(declared)
        for kind in _HINTS:
            codec = kind(self, hint, declared)
            if codec is not None:
                return codec
        name = getattr(hint, "__name__", None) or repr(hint)
        reason = "there is no rule for this Python type" if _is_type(hint) else "it is not a type"
        raise self.failure(reason, name)

    def failure(self, reason: str, expected: str) -> LiteralError:
        """Return the error for a type that cannot be converted at all."""
        return self._error(reason, expected=expected)

    def _of_type(self, declared: types_pb2.LiteralType) -> Codec:
        which = declared.WhichOneof("type")
        kind = _TYPES.get(which or "")
        return kind(self, declared) if kind else Unsupported(_WORDS.get(which, str(which)), which)

    def _bare(self, hint: Any) -> Any:
        """Return a hint without what does not change the value: annotations, aliases, the choices of a Literal."""
        if get_origin(hint) is Annotated:
            return self._bare(get_args(hint)[0])
        if get_origin(hint) is typing.Literal:
            kinds = {type(choice) for choice in get_args(hint)}
            if len(kinds) == 1:
                return kinds.pop()
            raise self.failure("the choices of a Literal have to be of one type", repr(hint))
        # By name: the class of aliases came with Python 3.12.
        inner = {"NewType": "__supertype__", "TypeAliasType": "__value__"}.get(type(hint).__name__)
        return self._bare(getattr(hint, inner)) if inner else hint


def _is_type(hint: Any) -> bool:
    return isinstance(hint, type) or get_origin(hint) is not None


def _simple(codecs: Codecs, declared: types_pb2.LiteralType) -> Codec:
    if declared.simple == types_pb2.STRUCT:
        return schema.from_type(codecs, declared)
    known = types_pb2.SimpleType.DESCRIPTOR.values_by_number.get(declared.simple)
    word = known.name.lower() if known else f"simple type {declared.simple}"
    codec = primitives.from_type(declared) or times.from_type(declared)
    return codec or Unsupported(word, "simple", declared.simple)


_TYPES: Mapping[str, Callable[[Codecs, types_pb2.LiteralType], Codec]] = {
    "simple": _simple,
    "collection_type": lambda codecs, declared: collections.list_of(codecs.of(declared.collection_type)),
    "map_value_type": lambda codecs, declared: maps.map_of(codecs.of(declared.map_value_type)),
    "union_type": unions.from_type,
    "enum_type": lambda _, declared: enums.from_type(declared),
}
_WORDS = {"structured_dataset_type": "structured_dataset", None: "a type with nothing in it"}
