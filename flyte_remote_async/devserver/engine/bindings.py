"""What the inputs of a node are, given what ran before it. Pure.

Source: flytepropeller ``controller/nodes/resolve.go`` and ``attr_path_resolver.go``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2, types_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flyteidl.core import execution_pb2

__all__ = ["BindingError", "promised_nodes", "resolve", "tell_error"]


class BindingError(Exception):
    """An input that cannot be built from what the nodes before it gave."""


def resolve(
    bindings: Iterable[literals_pb2.Binding], outputs: Mapping[str, literals_pb2.LiteralMap]
) -> literals_pb2.LiteralMap:
    """Return the inputs that bindings describe.

    Args:
        bindings: The inputs of a node, or the outputs of a workflow.
        outputs: What the nodes gave that have ended, by node id; the workflow's own inputs are ``start-node``'s.

    Raises:
        BindingError: A node or output that is not there, or a path into a value that has no such part.
    """
    values = {}
    for binding in bindings:
        try:
            values[binding.var] = _value(binding.binding, outputs)
        except BindingError as error:
            raise BindingError(f"Error binding Var [wf].[{binding.var}], caused by: {error}") from error
    return literals_pb2.LiteralMap(literals=values)


def tell_error(inputs: literals_pb2.LiteralMap, node_id: str, error: execution_pb2.ExecutionError) -> None:
    """Put what a workflow failed with into the input ``err`` of its failure node, where it has that.

    Args:
        inputs: The inputs of the failure node.
        node_id: The id of the failure node: Flyte gives it as the node that failed.
        error: What the workflow failed with.
    """
    if "err" not in inputs.literals:
        return
    told = literals_pb2.Literal()
    told.scalar.error.message = error.message
    told.scalar.error.failed_node_id = node_id
    kind = types_pb2.LiteralType(simple=types_pb2.ERROR, structure=types_pb2.TypeStructure(tag="FlyteError"))
    inputs.literals["err"].scalar.union.CopyFrom(literals_pb2.Union(value=told, type=kind))


def promised_nodes(bindings: Iterable[literals_pb2.Binding]) -> set[str]:
    """Return the ids of the nodes whose outputs the bindings need."""
    return {node_id for binding in bindings for node_id in _promises(binding.binding)}


def _promises(data: literals_pb2.BindingData) -> set[str]:
    match data.WhichOneof("value"):
        case "promise":
            return {data.promise.node_id}
        case "collection":
            parts: Iterable[literals_pb2.BindingData] = data.collection.bindings
        case "map":
            parts = data.map.bindings.values()
        case _:
            parts = ()
    return {node_id for part in parts for node_id in _promises(part)}


def _value(data: literals_pb2.BindingData, outputs: Mapping[str, literals_pb2.LiteralMap]) -> literals_pb2.Literal:
    match data.WhichOneof("value"):
        case "promise":
            literal = _promised(data.promise, outputs)
        case "collection":
            items = [_value(item, outputs) for item in data.collection.bindings]
            literal = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
        case "map":
            entries = {key: _value(item, outputs) for key, item in data.map.bindings.items()}
            literal = literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=entries))
        case "scalar":
            literal = literals_pb2.Literal(scalar=data.scalar)
        case other:
            raise BindingError(f"a binding of kind {other or 'nothing'} cannot be resolved")
    return _in_union(literal, data.union.targetType) if data.HasField("union") else literal


def _in_union(literal: literals_pb2.Literal, target: types_pb2.LiteralType) -> literals_pb2.Literal:
    """Wrap a value for a union input, unless it is wrapped already."""
    if literal.scalar.HasField("union") or not target.ByteSize():
        return literal
    union = literals_pb2.Union(value=literal, type=target)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(union=union))


def _promised(
    promise: types_pb2.OutputReference, outputs: Mapping[str, literals_pb2.LiteralMap]
) -> literals_pb2.Literal:
    if promise.node_id not in outputs:
        raise BindingError(f"node {promise.node_id} has no outputs yet")
    literals = outputs[promise.node_id].literals
    if promise.var not in literals:
        raise BindingError(f"node {promise.node_id} has no output {promise.var!r}")
    return _part(literals[promise.var], promise.attr_path)


def _part(literal: literals_pb2.Literal, path: Sequence[types_pb2.PromiseAttribute]) -> literals_pb2.Literal:
    """Return the part of a literal that a path such as ``.a["b"][0]`` leads to."""
    for position, step in enumerate(path):
        match literal.WhichOneof("value"):
            case "map":
                literal = _at(literal.map.literals, step)
            case "collection":
                literal = _at(literal.collection.literals, step)
            case _:
                return _part_of_scalar(literal.scalar, path[position:])
    return literal


def _part_of_scalar(scalar: literals_pb2.Scalar, path: Sequence[types_pb2.PromiseAttribute]) -> literals_pb2.Literal:
    if scalar.HasField("binary") and scalar.binary.tag == "msgpack":
        # Not at the top: only workflows that reach into dataclasses need it.
        import msgpack

        value: Any = msgpack.unpackb(scalar.binary.value, strict_map_key=False)
        for step in path:
            value = _at(value, step)
        binary = literals_pb2.Binary(value=msgpack.packb(value), tag="msgpack")
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary))
    if scalar.HasField("generic"):
        from google.protobuf import json_format

        value = json_format.MessageToDict(scalar.generic)
        for step in path:
            value = _at(value, step)
        return _from_json(value)
    raise BindingError(f"a {scalar.WhichOneof('value')} has no parts, and a promise asks for one")


def _at(container: Any, step: types_pb2.PromiseAttribute) -> Any:
    key = getattr(step, step.WhichOneof("value") or "string_value")
    try:
        return _look_up(container, key)
    except (LookupError, TypeError) as error:
        raise BindingError(f"{key!r} is not in {container}") from error


def _look_up(container: Any, key: str | int) -> Any:
    # A protobuf map makes the entry that it is asked for.
    if isinstance(key, str) and key not in container:
        raise KeyError(key)
    return container[key]


def _from_json(value: Any) -> literals_pb2.Literal:
    if isinstance(value, list):
        items = [_from_json(item) for item in value]
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
    scalar = literals_pb2.Scalar()
    match value:
        case dict():
            scalar.generic.update(value)
        case bool():
            scalar.primitive.boolean = value
        case float():
            scalar.primitive.float_value = value
        case str():
            scalar.primitive.string_value = value
        case _:
            scalar.none_type.SetInParent()
    return literals_pb2.Literal(scalar=scalar)
