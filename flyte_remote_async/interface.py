"""What goes into an entity and what comes out of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, Union

import attrs
from flyteidl.core import interface_pb2

from flyte_remote_async.models.literals import LiteralType, Variable, variable_map_to_flyte_idl, variables_by_name
from flyte_remote_async.models.message import canonical_bytes
from flyte_remote_async.models.parsed import ParsedValue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

__all__ = ["PythonInterface", "TypedInterface", "python_type"]

_PYTHON_TYPES: Final[Mapping[str, Any]] = {
    "none": type(None),
    "integer": int,
    "float": float,
    "string": str,
    "boolean": bool,
    "datetime": datetime,
    "duration": timedelta,
    "enum": str,
    "struct": dict,
}


@attrs.frozen
class PythonInterface:
    """The inputs and outputs of an entity as Python types.

    Attributes:
        inputs: Types of the inputs by name.
        outputs: Types of the outputs by name.
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


class TypedInterface(ParsedValue[interface_pb2.TypedInterface]):
    """The inputs and outputs of a task, workflow or launch plan (``core.TypedInterface``).

    Variables are in the order of their names, with trailing numbers by value: the wire has no order.

    Args:
        inputs: Input variables by name.
        outputs: Output variables by name.

    Example:
        >>> str(workflow.interface)
        '(a: int, b: list[str]) -> (o0: Point)'
    """

    __slots__ = ()
    message_type: ClassVar[type[interface_pb2.TypedInterface]] = interface_pb2.TypedInterface

    def __init__(self, inputs: Mapping[str, Variable], outputs: Mapping[str, Variable]) -> None:
        message = interface_pb2.TypedInterface(inputs=_variable_map(inputs), outputs=_variable_map(outputs))
        super().__init__(canonical_bytes(message))

    @classmethod
    def from_flyte_idl(cls, p: interface_pb2.TypedInterface) -> Self:
        """Return the value of a protobuf message; later changes to the message do not show in it.

        Args:
            p: The interface.
        """
        value = cls.__new__(cls)
        ParsedValue.__init__(value, canonical_bytes(p))
        return value

    @property
    def inputs(self) -> Mapping[str, Variable]:
        """The inputs by name."""
        return MappingProxyType(variables_by_name(self._message.inputs))

    @property
    def outputs(self) -> Mapping[str, Variable]:
        """The outputs by name."""
        return MappingProxyType(variables_by_name(self._message.outputs))

    @property
    def python_interface(self) -> PythonInterface:
        """The types that values have in Python when no other is asked for."""
        return PythonInterface(_python_types(self.inputs), _python_types(self.outputs))

    def transform_interface_to_list(
        self, bound_inputs: AbstractSet[str] = frozenset(), excluded_inputs: AbstractSet[str] = frozenset()
    ) -> TypedInterface:
        """Return the interface of a map over the entity: every type becomes a list of itself.

        Args:
            bound_inputs: Names of inputs that are the same for every item, and keep their type.
            excluded_inputs: Names of inputs that the map does not have.
        """
        inputs = {
            name: variable if name in bound_inputs else _as_list(variable)
            for name, variable in self.inputs.items()
            if name not in excluded_inputs
        }
        return TypedInterface(inputs, {name: _as_list(variable) for name, variable in self.outputs.items()})

    def __str__(self) -> str:
        return f"({_signature(self.inputs)}) -> ({_signature(self.outputs)})"


def _variable_map(variables: Mapping[str, Variable]) -> interface_pb2.VariableMap | None:
    # An unset map and an empty one differ on the wire; Flyte leaves it unset.
    if not variables:
        return None
    return variable_map_to_flyte_idl(variables)


def _as_list(variable: Variable) -> Variable:
    message: Any = variable.to_flyte_idl()
    element = LiteralType.from_flyte_idl(message.type)
    message.type.CopyFrom(LiteralType.list_of(element).to_flyte_idl())
    return Variable.from_flyte_idl(message)


def _signature(variables: Mapping[str, Variable]) -> str:
    return ", ".join(f"{name}: {variable.type}" for name, variable in variables.items())


def python_type(literal_type: LiteralType) -> Any:
    """Return the type that values of a literal type have in Python when no other is asked for.

    Dataclasses are dicts and enums are strings; what has no plain Python type (a file, for one) is ``Any``.
    """
    kind = literal_type.kind
    if literal_type.element is not None:
        element = python_type(literal_type.element)
        return list[element] if kind == "collection" else dict[str, element]  # type: ignore[valid-type]
    if kind == "union" and literal_type.variants:
        return Union[tuple(map(python_type, literal_type.variants))]  # noqa: UP007 - made of values
    return _PYTHON_TYPES.get(kind, Any)


def _python_types(variables: Mapping[str, Variable]) -> dict[str, Any]:
    return {name: python_type(variable.type) for name, variable in variables.items()}
