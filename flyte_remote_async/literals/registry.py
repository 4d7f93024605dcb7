"""The kinds, in the order in which they are asked: which codec a type or a hint has.

A kind is a module with ``from_hint(codecs, hint, declared) -> Codec | None``, with ``from_type(codecs, declared)``, or
with both; a new one is a line in the tables here.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Hashable
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from flyteidl.core import types_pb2

from flyte_remote_async.literals import (
    classes,
    collections,
    contents,
    enums,
    failures,
    lines,
    maps,
    messages,
    own,
    primitives,
    pydantic_models,
    scalars,
    schema,
    tables,
    times,
    unions,
    wire,
)
from flyte_remote_async.literals.base import Unsupported
from flyte_remote_async.literals.context import PLAIN
from flyte_remote_async.literals.loose import any_of
from flyte_remote_async.literals.wrapped import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flyteidl.core import literals_pb2

    from flyte_remote_async.errors import LiteralError
    from flyte_remote_async.literals.base import Codec
    from flyte_remote_async.literals.context import Context

__all__ = ["Codecs"]

_HINTS: tuple[Callable[[Codecs, Any, types_pb2.LiteralType | None], Codec | None], ...] = (
    primitives.from_hint,
    times.from_hint,
    enums.from_hint,
    failures.from_hint,
    collections.from_hint,
    maps.from_hint,
    classes.from_hint,
    pydantic_models.from_hint,
    contents.from_hint,
    lines.from_hint,
    scalars.from_hint,
    messages.from_hint,
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
        self.classes: dict[Any, Codec] = {}

    def of(self, declared: types_pb2.LiteralType | None, hint: Any = Any) -> Codec:
        """Return the codec of a declared type and a hint.

        Args:
            declared: The type that the interface declares, where it is known.
            hint: The Python type that is wanted; ``Any`` leaves it to the declared type.

        Raises:
            LiteralError: There is no codec for the hint.
        """
        bare, extras = self._bare(hint, ())
        if bare is Any or bare is object:
            codec: Codec = any_of(self) if declared is None else self._of_type(declared)
        else:
            codec = self._of_hint(hint, bare, extras, declared)
        return wrapped(codec, extras) if extras else codec

    def _of_hint(self, hint: Any, bare: Any, extras: tuple[Any, ...], declared: types_pb2.LiteralType | None) -> Codec:
        if not isinstance(get_origin(bare) or bare, Hashable):
            raise self.failure("it is not a type", repr(bare))
        mine = self.context.types.of_hint(bare)
        # Unions come first: under a union type every hint means one of the variants.
        codec = unions.from_hint(self, bare, hint, declared) or (own.of_own(self.context, mine) if mine else None)
        if codec is None and declared is not None and declared.blob.format == contents.PICKLE:
            codec = contents.pickled(self, bare)
        if codec is None:
            codec = tables.from_hint(self, bare, extras, declared)
        for kind in _HINTS:
            codec = codec or kind(self, bare, declared)
        if codec is not None:
            return codec
        name = getattr(bare, "__name__", None) or repr(bare)
        reason = "there is no rule for this Python type" if _is_type(bare) else "it is not a type"
        raise self.failure(reason, name)

    def of_form(self, form: str) -> Codec:
        """Return the codec of a literal without a declared type that lies in storage, or is an error.

        Args:
            form: The field of the scalar that is set.
        """
        if form == "error":
            return failures.ERROR
        return contents.any_blob(self.context) if form == "blob" else tables.from_type(self.context, _NO_TYPE)

    def generic(self, literal: literals_pb2.Literal) -> Any:
        """Return the plain data of a Struct literal; a pickled dict only where that is allowed."""
        if literal.metadata.get("format") == "pickle":
            return contents.load_pickled_dict(self.context, literal)
        return wire.plain_struct(literal.scalar.generic)

    def failure(self, reason: str, expected: str) -> LiteralError:
        """Return the error for a type that cannot be converted at all."""
        return self._error(reason, expected=expected)

    def _of_type(self, declared: types_pb2.LiteralType) -> Codec:
        mine = self.context.types.of_declared(declared)
        if mine is not None:
            return own.of_own(self.context, mine)
        which = declared.WhichOneof("type")
        kind = _TYPES.get(which or "")
        return kind(self, declared) if kind else Unsupported(_WORDS.get(which, str(which)), which)

    def _bare(self, hint: Any, extras: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """Return a hint and its annotations apart; aliases, and the choices of a Literal, as what they stand for."""
        if get_origin(hint) is Annotated:
            return self._bare(get_args(hint)[0], (*extras, *hint.__metadata__))
        if get_origin(hint) is typing.Literal:
            kinds = {type(choice) for choice in get_args(hint)}
            if len(kinds) == 1:
                return kinds.pop(), extras
            raise self.failure("the choices of a Literal have to be of one type", repr(hint))
        # By name: the class of aliases came with Python 3.12.
        inner = {"NewType": "__supertype__", "TypeAliasType": "__value__"}.get(type(hint).__name__)
        return self._bare(getattr(hint, inner), extras) if inner else (hint, extras)


def _is_type(hint: Any) -> bool:
    return isinstance(hint, type) or get_origin(hint) is not None


def _simple(codecs: Codecs, declared: types_pb2.LiteralType) -> Codec:
    if declared.simple == types_pb2.STRUCT:
        return messages.from_type(declared) or schema.from_type(codecs, declared)
    known = types_pb2.SimpleType.DESCRIPTOR.values_by_number.get(declared.simple)
    word = known.name.lower() if known else f"simple type {declared.simple}"
    if declared.simple == types_pb2.ERROR:
        return failures.ERROR
    codec = primitives.from_type(declared) or times.from_type(declared)
    return codec or Unsupported(word, "simple", declared.simple)


def _of_many(kind: Callable[[Codec], Codec], element: Codec, word: str) -> Codec:
    if isinstance(element, Unsupported):
        return Unsupported(f"{word} of {element.expected}")
    # As flytekit has it, a date is taken for a datetime where it stands alone, and not inside of others.
    return kind(times.DATETIME_ALONE if element is times.DATETIME else element)


_TYPES: Mapping[str, Callable[[Codecs, types_pb2.LiteralType], Codec]] = {
    "simple": _simple,
    "collection_type": lambda codecs, declared: _of_many(
        collections.list_of, codecs.of(declared.collection_type), "list"
    ),
    "map_value_type": lambda codecs, declared: _of_many(
        functools.partial(maps.map_of, codecs), codecs.of(declared.map_value_type), "dict"
    ),
    "union_type": unions.from_type,
    "enum_type": lambda _, declared: enums.from_type(declared),
    "blob": lambda codecs, declared: contents.from_type(codecs.context, declared),
    "structured_dataset_type": lambda codecs, declared: tables.from_type(codecs.context, declared),
    "schema": lambda codecs, declared: tables.from_type(codecs.context, declared),
}
_WORDS = {None: "a type with nothing in it"}
_NO_TYPE = types_pb2.LiteralType()
