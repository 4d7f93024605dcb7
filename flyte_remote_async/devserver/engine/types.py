"""Types as propeller keeps them: without what says nothing of their values. Pure.

Source: flytepropeller ``compiler/transformers/k8s/utils.go`` (``StripInterfaceTypeMetadata``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.core import types_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyteidl.core import compiler_pb2, interface_pb2

__all__ = ["bare_type", "strip_closure", "strip_interface"]

_KEY_METADATA: Final = "cache-key-metadata"


def bare_type(declared: types_pb2.LiteralType) -> types_pb2.LiteralType:
    """Return a type without its metadata and without annotations, but for one that the cache counts."""
    bare = types_pb2.LiteralType()
    bare.CopyFrom(declared)
    bare.ClearField("metadata")
    if _KEY_METADATA not in bare.annotation.annotations.fields:
        bare.ClearField("annotation")
    for inner in _inner_types(bare):
        inner.CopyFrom(bare_type(inner))
    return bare


def _inner_types(declared: types_pb2.LiteralType) -> Iterable[types_pb2.LiteralType]:
    yield from declared.structure.dataclass_type.values()
    match declared.WhichOneof("type"):
        case "union_type":
            yield from declared.union_type.variants
        case "map_value_type":
            yield declared.map_value_type
        case "collection_type":
            yield declared.collection_type
        case "structured_dataset_type":
            yield from (column.literal_type for column in declared.structured_dataset_type.columns)
        case _:
            return


def strip_interface(interface: interface_pb2.TypedInterface) -> None:
    """Take descriptions and the metadata of types out of an interface."""
    for side in (interface.inputs, interface.outputs):
        for variable in side.variables.values():
            variable.description = ""
            variable.type.CopyFrom(bare_type(variable.type))


def strip_closure(closure: compiler_pb2.CompiledWorkflowClosure) -> None:
    """Take descriptions and the metadata of types out of all interfaces of a compiled workflow."""
    for compiled in (closure.primary, *closure.sub_workflows):
        strip_interface(compiled.template.interface)
    for task in closure.tasks:
        strip_interface(task.template.interface)
