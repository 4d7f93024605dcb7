"""Literals, and the variables and parameters that declare them.

A :class:`Literal` is a thin view over its bytes: making one from a message decodes nothing. Source:
``flyteidl/core/literals.proto`` and ``interface.proto``.
"""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final, Self

import attrs
from flyteidl.core import interface_pb2, literals_pb2
from google.protobuf.unknown_fields import UnknownFieldSet

from flyte_remote_async.models.message import MessageValue, canonical_bytes, parse
from flyte_remote_async.models.parsed import ParsedValue, in_order
from flyte_remote_async.models.pieces import PIECE, canonical_in_pieces, copied, merge_in_pieces
from flyte_remote_async.models.types import LiteralType
from flyte_remote_async.models.wire import fields, pair_at

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Literal",
    "LiteralType",
    "Parameter",
    "Variable",
    "literal_kind",
    "literal_map_to_flyte_idl",
    "literals_by_name",
    "literals_in_pieces",
    "parameters_by_name",
    "variable_map_to_flyte_idl",
    "variables_by_name",
]

# Rendering parses the whole value: above this many bytes a repr gives the kind and the size alone.
_REPR_BYTES: Final = 2_000


@attrs.frozen(repr=False, eq=False)
class Literal(MessageValue[literals_pb2.Literal]):
    """A value as Flyte stores it (``core.Literal``): its bytes, not yet decoded."""

    message_type: ClassVar[type[literals_pb2.Literal]] = literals_pb2.Literal

    # Bringing a large value to its canonical bytes can take longer than decoding it, and few are ever compared.
    _is_canonical: bool = True

    @classmethod
    def from_flyte_idl(cls, p: literals_pb2.Literal) -> Self:
        """Return the value of a protobuf message; later changes to the message do not show in it."""
        data = p.SerializeToString()
        return cls(data, is_canonical=False) if len(data) > PIECE else cls(canonical_bytes(p))

    @classmethod
    def from_wire(cls, data: bytes, start: int, end: int) -> Self:
        """Return the value of the message that lies between two positions of some bytes.

        Raises:
            MalformedMessageError: The bytes are no literal; for a large one decoding it says so.
        """
        if end - start <= PIECE:
            return cls(canonical_bytes(parse(literals_pb2.Literal, data[start:end])))
        return cls(copied(data, start, end), is_canonical=False)

    @property
    def wire(self) -> bytes:
        """The message's bytes; maps in them may be in any order."""
        return self._data

    def serialize_to_string(self) -> bytes:
        """Return the message's bytes, with its maps in a fixed order."""
        return self._data if self._is_canonical else self._canonical

    @functools.cached_property
    def _canonical(self) -> bytes:
        return canonical_in_pieces(literals_pb2.Literal, self._data)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._data == other._data or self.serialize_to_string() == other.serialize_to_string()

    def __hash__(self) -> int:
        return hash(self.serialize_to_string())

    # Not a ParsedValue: a parsed list of a million integers would stay in memory beside its bytes.
    @functools.cached_property
    def kind(self) -> str:
        """What kind of value it is.

        One of ``primitive``, ``none``, ``collection``, ``map``, ``union``, ``blob``, ``schema``,
        ``structured_dataset``, ``generic`` (a Struct), ``binary`` (msgpack for one), ``error``, ``offloaded``;
        ``empty`` when the message says nothing, and ``unknown`` for a kind that is newer than this package.
        """
        return literal_kind(self.to_flyte_idl())

    @property
    def hash(self) -> str:
        """The hash that the task gave the value for caching; empty when it gave none."""
        return self.to_flyte_idl().hash

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the SDK that made the value noted on it."""
        return MappingProxyType(dict(self.to_flyte_idl().metadata))

    @property
    def uri(self) -> str | None:
        """Where the data is: for a blob, schema, structured dataset or offloaded literal; None for other kinds."""
        if self.kind not in {"blob", "schema", "structured_dataset", "offloaded"}:
            return None
        message = self.to_flyte_idl()
        if self.kind == "offloaded":
            return message.offloaded_metadata.uri
        return str(getattr(message.scalar, self.kind).uri)

    def __repr__(self) -> str:
        if len(self._data) > _REPR_BYTES:
            return f"Literal({self.kind}, {len(self._data):,} bytes)"
        return super().__repr__()


def literal_kind(message: literals_pb2.Literal) -> str:
    """Return what kind of value a literal message holds, in the words of :attr:`Literal.kind`."""
    which: str | None = message.WhichOneof("value")
    if which is None:
        return "unknown" if len(UnknownFieldSet(message)) else "empty"
    if which == "offloaded_metadata":
        return "offloaded"
    if which != "scalar":
        return which
    scalar = message.scalar.WhichOneof("value")
    if scalar == "none_type":
        return "none"
    return scalar or ("unknown" if len(UnknownFieldSet(message.scalar)) else "empty")


class Variable(ParsedValue[interface_pb2.Variable]):
    """An input or output that an interface declares (``core.Variable``)."""

    __slots__ = ()
    message_type: ClassVar[type[interface_pb2.Variable]] = interface_pb2.Variable

    @classmethod
    def of(cls, literal_type: LiteralType, description: str = "") -> Self:
        """Return the variable of a type.

        Args:
            literal_type: The type of its values.
            description: Words for people.
        """
        return cls.from_flyte_idl(interface_pb2.Variable(type=literal_type.to_flyte_idl(), description=description))

    @property
    def type(self) -> LiteralType:
        """The type of its values."""
        return LiteralType.from_flyte_idl(self._message.type)

    @property
    def description(self) -> str:
        """Words for people; empty when there are none."""
        return self._message.description


class Parameter(ParsedValue[interface_pb2.Parameter]):
    """An input of a launch plan (``core.Parameter``): a variable that must be given or has a default."""

    __slots__ = ()
    message_type: ClassVar[type[interface_pb2.Parameter]] = interface_pb2.Parameter

    @property
    def var(self) -> Variable:
        """The variable."""
        return Variable.from_flyte_idl(self._message.var)

    @property
    def default(self) -> Literal | None:
        """The value that is used when none is given; None when there is no default."""
        return Literal.from_flyte_idl(self._message.default) if self._message.HasField("default") else None

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self._message.WhichOneof("behavior") == "required" and self._message.required

    @property
    def behavior(self) -> str | None:
        """How a missing value is made up for.

        One of ``"default"``, ``"required"``, ``"artifact_query"``, ``"artifact_id"``; None when nothing is said.
        """
        which: str | None = self._message.WhichOneof("behavior")
        return which


def literals_by_name(message: literals_pb2.LiteralMap) -> dict[str, Literal]:
    """Return the literals of a map, in natural order of their names; none of them is decoded."""
    return in_order({name: Literal.from_flyte_idl(value) for name, value in message.literals.items()})


def literals_in_pieces(data: bytes, start: int = 0, end: int | None = None) -> dict[str, Literal]:
    """Return the literals of a serialised map as :func:`literals_by_name` does, without parsing any large one whole.

    Args:
        data: Bytes with the ``core.LiteralMap`` in them.
        start: Where it starts.
        end: Where it ends; None for the end of the bytes.

    Raises:
        MalformedMessageError: The bytes are not such a map.
    """
    end = len(data) if end is None else end
    found: dict[str, Literal] = {}
    try:
        for field in fields(data, start, end):
            key, value = pair_at(data, field.start, field.end)
            name = data[key.start : key.end].decode()
            found[name] = Literal.from_wire(data, value.start, value.end)
    except ValueError:
        # A form that no ordinary writer makes; protobuf has the last word.
        return literals_by_name(merge_in_pieces(literals_pb2.LiteralMap, data[start:end]))
    return in_order(found)


def literal_map_to_flyte_idl(literals: Mapping[str, Literal]) -> literals_pb2.LiteralMap:
    """Return the protobuf map of literals."""
    return literals_pb2.LiteralMap(literals={name: value.to_flyte_idl() for name, value in literals.items()})


def variables_by_name(message: interface_pb2.VariableMap) -> dict[str, Variable]:
    """Return the variables of a map, in natural order of their names."""
    return in_order({name: Variable.from_flyte_idl(value) for name, value in message.variables.items()})


def variable_map_to_flyte_idl(variables: Mapping[str, Variable]) -> interface_pb2.VariableMap:
    """Return the protobuf map of variables."""
    return interface_pb2.VariableMap(variables={name: value.to_flyte_idl() for name, value in variables.items()})


def parameters_by_name(message: interface_pb2.ParameterMap) -> dict[str, Parameter]:
    """Return the parameters of a map, in natural order of their names."""
    return in_order({name: Parameter.from_flyte_idl(value) for name, value in message.parameters.items()})
