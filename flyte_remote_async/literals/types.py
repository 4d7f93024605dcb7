"""A user's own types: how they are written and read, and by which tag a union knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, get_origin

from flyte_remote_async.models.literals import LiteralType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyteidl.core import literals_pb2, types_pb2

    from flyte_remote_async.models.literals import Literal

__all__ = ["NO_TYPES", "OwnType", "Types"]

ToLiteral: TypeAlias = Callable[[Any], Any]
FromLiteral: TypeAlias = Callable[..., Any]


class OwnType(NamedTuple):
    """One type of a user's own.

    Attributes:
        python_type: The class.
        tag: What a union calls it: the name of its type transformer in flytekit.
        literal_type: The type that an interface declares for it.
        to_literal: Makes the literal of a value.
        from_literal: Makes the value of a literal; an async function gets the stored objects as a second argument.
    """

    python_type: type[Any]
    tag: str
    literal_type: LiteralType
    to_literal: ToLiteral
    from_literal: FromLiteral


class Types:
    """The types of a user's own; a registry that never changes, a larger one is a new one.

    Example:
        >>> types = Types().with_type(
        ...     Celsius,
        ...     tag="Celsius",
        ...     literal_type=LiteralType.from_flyte_idl(types_pb2.LiteralType(simple=types_pb2.FLOAT)),
        ...     to_literal=lambda value: Literal.of(value.degrees),
        ...     from_literal=lambda literal: Celsius(literal.to_flyte_idl().scalar.primitive.float_value),
        ... )
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: tuple[OwnType, ...] = ()

    def with_type(
        self,
        python_type: type[Any],
        *,
        tag: str,
        literal_type: LiteralType | types_pb2.LiteralType,
        to_literal: Callable[[Any], Literal | literals_pb2.Literal],
        from_literal: FromLiteral,
    ) -> Types:
        """Return a registry with one more type; it takes the place of one for the same class.

        Args:
            python_type: The class; subclasses count too, unless they are registered themselves.
            tag: What a union calls it. A task of flytekit reads it only if this is the name of its type transformer.
            literal_type: The type that an interface declares for it.
            to_literal: Makes the literal of a value; it should raise TypeError or ValueError for one that does not fit.
            from_literal: Makes the value of a :class:`Literal`; it should raise TypeError or ValueError for one that
                does not fit. An async function is called with the literal and the :class:`Objects`, and may read files.
        """
        declared = literal_type if isinstance(literal_type, LiteralType) else LiteralType.from_flyte_idl(literal_type)
        added = Types()
        others = tuple(one for one in self._known if one.python_type is not python_type)
        added._known = (*others, OwnType(python_type, tag, declared, to_literal, from_literal))
        return added

    def of_hint(self, hint: Any) -> OwnType | None:
        """Return the type for a hint: the class itself, or the nearest class that it is derived from."""
        python = get_origin(hint) or hint
        if not self._known or not isinstance(python, type):
            return None
        known = {one.python_type: one for one in self._known}
        return next((known[base] for base in python.__mro__ if base in known), None)

    def of_declared(self, declared: types_pb2.LiteralType) -> OwnType | None:
        """Return the type for a declared type: by its tag in a union, else by what it declares."""
        if not self._known:
            return None
        tag = declared.structure.tag
        if tag:
            return next((one for one in self._known if one.tag == tag), None)
        alike = (one for one in self._known if one.literal_type.kind in _TELLING and _is(one, declared))
        return next(alike, None)

    def __iter__(self) -> Iterator[OwnType]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"Types({', '.join(one.python_type.__name__ for one in self._known)})"


# A float may be a float. Only a type that says more than its kind can tell a type of one's own without a hint.
_TELLING = frozenset({"blob", "struct"})


def _is(own: OwnType, declared: types_pb2.LiteralType) -> bool:
    if own.literal_type.kind == "blob" and not own.literal_type.blob_format:
        return False
    if own.literal_type.kind == "struct" and not own.literal_type.metadata:
        return False
    mine = own.literal_type.to_flyte_idl()
    return bool(mine.WhichOneof("type") == declared.WhichOneof("type")) and (
        mine.blob == declared.blob and mine.simple == declared.simple and mine.metadata == declared.metadata
    )


NO_TYPES = Types()
