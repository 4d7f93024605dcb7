"""The fields of classes that are records: dataclasses, attrs classes, TypedDicts and named tuples, generic ones too."""

from __future__ import annotations

import dataclasses
import sys
import typing
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Field", "Shape", "is_named_tuple", "is_record", "shape_of"]


class Field(NamedTuple):
    """A field of a record.

    Attributes:
        name: Its key in the payload, and the attribute of a value.
        argument: What the constructor calls it.
        hint: Its Python type.
        required: Whether it has no default.
    """

    name: str
    argument: str
    hint: Any
    required: bool


class Shape(NamedTuple):
    """What a record class is made of.

    Attributes:
        fields: The fields that its constructor takes, in their order.
        read: Gives a field of a value.
    """

    fields: list[Field]
    read: Callable[[Any, str], Any]


def is_named_tuple(python: Any) -> bool:
    """Tell whether a class is a named tuple."""
    return isinstance(python, type) and issubclass(python, tuple) and hasattr(python, "_fields")


def is_record(python: Any) -> bool:
    """Tell whether a class is a dataclass, an attrs class or a TypedDict."""
    return isinstance(python, type) and (
        dataclasses.is_dataclass(python) or hasattr(python, "__attrs_attrs__") or _is_typed_dict(python)
    )


def _is_typed_dict(python: Any) -> bool:
    # The class of typing_extensions is another one where Python's own lacks something.
    return isinstance(python, type) and issubclass(python, dict) and hasattr(python, "__required_keys__")


def shape_of(hint: Any) -> Shape:
    """Return the shape of a record class, of which the parameters may be given, such as ``Box[int]``.

    Raises:
        NameError: An annotation names what cannot be found.
        TypeError: An annotation is no type.
    """
    python: Any = get_origin(hint) or hint
    hints = get_type_hints(python, include_extras=True)
    bound = _bound(hint)
    hints = {name: _substituted(one, bound) for name, one in hints.items()}
    for kind, shape in _SHAPES:
        if kind(python):
            return shape(python, hints)
    return _of_named_tuple(python, hints)


def _of_dataclass(python: Any, hints: Mapping[str, Any]) -> Shape:
    missing = dataclasses.MISSING
    fields = [
        Field(one.name, one.name, hints[one.name], one.default is one.default_factory is missing)
        for one in dataclasses.fields(python)
        if one.init
    ]
    return Shape(fields, getattr)


def _of_attrs(python: Any, hints: Mapping[str, Any]) -> Shape:
    nothing = sys.modules["attr"].NOTHING
    fields = [
        Field(one.name, one.alias, hints.get(one.name, Any), one.default is nothing)
        for one in python.__attrs_attrs__
        if one.init
    ]
    return Shape(fields, getattr)


def _of_typed_dict(python: Any, hints: Mapping[str, Any]) -> Shape:
    fields: list[Field] = []
    for name, hint in hints.items():
        # The keys that the class names are wrong where its annotations are strings.
        qualifiers, bare = _qualified(hint)
        required = "Required" in qualifiers or ("NotRequired" not in qualifiers and name in python.__required_keys__)
        fields.append(Field(name, name, bare, required))
    return Shape(fields, dict.__getitem__)


def _of_named_tuple(python: Any, hints: Mapping[str, Any]) -> Shape:
    defaults = python._field_defaults
    fields = [Field(name, name, hints.get(name, Any), name not in defaults) for name in python._fields]
    return Shape(fields, getattr)


_SHAPES: tuple[tuple[Callable[[Any], bool], Callable[[Any, Mapping[str, Any]], Shape]], ...] = (
    (dataclasses.is_dataclass, _of_dataclass),
    (lambda python: hasattr(python, "__attrs_attrs__"), _of_attrs),
    (_is_typed_dict, _of_typed_dict),
)


def _qualified(hint: Any) -> tuple[set[str], Any]:
    """Return the qualifiers of a key of a TypedDict, such as ``NotRequired``, and its type without them."""
    name = getattr(get_origin(hint), "_name", None)
    if name not in {"Required", "NotRequired", "ReadOnly"}:
        return set(), hint
    qualifiers, bare = _qualified(get_args(hint)[0])
    return qualifiers | {name}, bare


def _bound(hint: Any) -> dict[Any, Any]:
    """Return what the type variables of a class and of its bases stand for."""
    python = get_origin(hint) or hint
    names = getattr(python, "__parameters__", ())
    bound = dict(zip(names, get_args(hint), strict=False)) if get_args(hint) else {}
    for base in getattr(python, "__orig_bases__", ()):
        if get_origin(base) not in {None, typing.Generic}:
            for name, meaning in _bound(base).items():
                bound.setdefault(name, _substituted(meaning, bound))
    return bound


def _substituted(hint: Any, bound: Mapping[Any, Any]) -> Any:
    """Return a hint with its type variables replaced; those of which nothing is known are anything."""
    if isinstance(hint, TypeVar):
        return bound.get(hint, Any)
    free = getattr(hint, "__parameters__", ())
    if not free or isinstance(hint, type):
        return hint
    return hint[tuple(bound.get(one, Any) for one in free)]
