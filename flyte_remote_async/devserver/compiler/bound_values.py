"""What is bound to one input of a node: whether it exists and has the right type, and where it comes from.

Source: flytepropeller/pkg/compiler/validators/bindings.go of Flyte 1.16.8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs
from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.devserver.compiler.graphs import START_NODE
from flyte_remote_async.devserver.compiler.problems import CrashError, Problem, Problems
from flyte_remote_async.devserver.compiler.typetext import type_text
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.validators.typecheck import castable, literal_type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flyteidl.core import interface_pb2

    from flyte_remote_async.devserver.compiler.builder import NodeBuilder, WorkflowBuilder

__all__ = ["Bound", "ValueCheck", "effective_outputs"]

# How Flyte reads the variable of a promise: a name, or one element of a list by its index.
_VARIABLE: Final = re.compile(r"(?:\[(\d+)\]\.)?(\w+)", re.ASCII)


@attrs.frozen
class Bound:
    """What is bound to an input.

    Attributes:
        type: Its type.
        upstream: Ids of the nodes that it comes from.
    """

    type: types_pb2.LiteralType
    upstream: tuple[str, ...] = ()


def effective_outputs(node: NodeBuilder, problems: Problems) -> Mapping[str, interface_pb2.Variable]:
    """Return the outputs of a node under the names that others know them by."""
    aliases: dict[str, str] = {}
    for alias in node.message.output_aliases:
        if alias.var in aliases:
            words = f"Duplicate alias [{alias.alias}] found. An output alias can only be used once in the Workflow."
            problems.add("DuplicateAlias", node.id, words)
        else:
            aliases[alias.var] = alias.alias
    if node.interface is None:
        return {}
    outputs = {aliases.pop(name, name): variable for name, variable in node.interface.outputs.items()}
    for unknown in aliases.values():
        problems.not_bound(node.id, unknown)
    return outputs


class ValueCheck:
    """Checks what is bound to the inputs of one node.

    Args:
        workflow: The workflow.
        node: The node.
        typed: Whether types are compared; else what is bound is taken as it is.
    """

    def __init__(self, workflow: WorkflowBuilder, node: NodeBuilder, *, typed: bool) -> None:
        self._workflow = workflow
        self._node = node
        self._typed = typed

    def binding(
        self, name: str, data: literals_pb2.BindingData, expected: types_pb2.LiteralType, problems: Problems
    ) -> Bound | None:
        """Check one value; return None, with the problems noted, where it does not fit."""
        kind = data.WhichOneof("value")
        if kind == "promise":
            return self._promise(name, data.promise, expected, problems)
        if kind == "scalar":
            return self._scalar(name, data.scalar, expected, problems)
        if expected.HasField("union_type"):
            return self._variant(name, data, expected, problems)
        if kind == "collection":
            return self._elements(name, "collection_type", data.collection, expected, problems)
        if kind == "map":
            return self._elements(name, "map_value_type", data.map, expected, problems)
        self._misfit(name, expected, "", problems)
        return None

    def _variant(
        self, name: str, data: literals_pb2.BindingData, expected: types_pb2.LiteralType, problems: Problems
    ) -> Bound | None:
        fits = []
        for variant in expected.union_type.variants:
            bound = self.binding(name, data, variant, Problems())
            if bound is not None:
                fits.append((variant, bound))
        told = (
            f"Input [{name}] on node [{self._node.id}] expects bindings of union type [{prototext(expected)}].  "
            f"Received [{prototext(data)}] which"
        )
        if len(fits) == 1:
            return fits[0][1]
        if fits:
            both = f"both variants [{prototext(fits[0][0])}] and [{prototext(fits[1][0])}] match."
            problems.add("AmbiguousBindingUnionValue", self._node.id, f"{told} is ambiguous as {both}")
        else:
            words = f"{told} does not match any of the variants."
            problems.add("IncompatibleBindingUnionValue", self._node.id, words)
        return None

    def _elements(
        self,
        name: str,
        kind: str,
        data: literals_pb2.BindingDataCollection | literals_pb2.BindingDataMap,
        expected: types_pb2.LiteralType,
        problems: Problems,
    ) -> Bound | None:
        if not expected.HasField(kind):
            self._misfit(name, expected, prototext(data), problems)
            return None
        element: types_pb2.LiteralType = getattr(expected, kind)
        bound = [self.binding(name, each, element, problems.scope()) for each in _bindings_in(data)]
        if problems:
            return None
        found = [each for each in bound if each is not None]
        shown = types_pb2.LiteralType()
        getattr(shown, kind).CopyFrom(found[-1].type if found else types_pb2.LiteralType())
        return Bound(shown, tuple(node_id for each in found for node_id in each.upstream))

    def _promise(
        self, name: str, promise: types_pb2.OutputReference, expected: types_pb2.LiteralType, problems: Problems
    ) -> Bound | None:
        upstream = self._workflow.nodes.get(promise.node_id or START_NODE)
        if upstream is None:
            words = f"Referenced node [{promise.node_id}] not found."
            problems.add("NodeReferenceNotFound", promise.node_id, words)
            problems.not_bound(self._node.id, name)
            return None
        variables = list(_VARIABLE.finditer(promise.var))
        if len(variables) != 1:
            problems.add("SyntaxError", self._node.id, f"Failed to parse element [{promise.var}].")
            return None
        index, variable_name = variables[0].groups()
        outputs = effective_outputs(upstream, aliasing := problems.scope())
        variable = outputs.get(variable_name)
        if aliasing or variable is None:
            if not aliasing:
                problems.no_variable(upstream.id, variable_name)
            problems.not_bound(self._node.id, name)
            return None
        source = variable.type
        assigned = _Assignment(self._node, upstream, name, promise.var)
        if index is not None:
            if source.HasField("collection_type"):
                source = source.collection_type
            else:
                assigned.mismatch(source, expected, problems)
        at = self._attribute(promise, source, problems)
        if at is None:
            return None
        if self._typed and not castable(at, expected):
            assigned.mismatch(at, expected, problems)
            return None
        promise.node_id = upstream.id
        return Bound(variable.type, (upstream.id,))

    def _attribute(
        self, promise: types_pb2.OutputReference, source: types_pb2.LiteralType, problems: Problems
    ) -> types_pb2.LiteralType | None:
        """Return the type of the part of an output that a promise's path leads to."""
        for step in promise.attr_path:
            fields = source.structure.dataclass_type
            if source.HasField("collection_type"):
                source = source.collection_type
            elif source.HasField("map_value_type"):
                source = source.map_value_type
            elif fields:
                if step.string_value not in fields:
                    words = (
                        f"Variable [{promise.var}] (type [{prototext(source)}]) "
                        f"doesn't have field [{step.string_value}]."
                    )
                    problems.add("FieldNotFound", self._node.id, words)
                    return None
                source = fields[step.string_value]
        return source

    def _scalar(
        self, name: str, scalar: literals_pb2.Scalar, expected: types_pb2.LiteralType, problems: Problems
    ) -> Bound | None:
        shown = literal_type_of(literals_pb2.Literal(scalar=scalar))
        if shown.WhichOneof("type") is None:
            kind = "*core.Scalar_Blob" if scalar.HasField("blob") else "<nil>"
            problem = Problem("UnrecognizedValue", self._node.id, f"Unrecognized value [{kind}].")
            if scalar.WhichOneof("value") is None:
                raise CrashError([problem])
            problems.extend([problem])
        elif self._typed and not castable(shown, expected):
            problems.mismatch(self._node.id, name, type_text(shown), type_text(expected))
        if expected.HasField("enum_type") and scalar.primitive.string_value not in expected.enum_type.values:
            words = (
                f"Input [{name}] on node [{self._node.id}] is an Enum and expects value to be one of "
                f"[[{' '.join(expected.enum_type.values)}]].  Received [{scalar.primitive.string_value}]"
            )
            problems.add("IllegalEnumValue", self._node.id, words)
        return None if problems else Bound(shown)

    def _misfit(self, name: str, expected: types_pb2.LiteralType, received: str, problems: Problems) -> None:
        words = (
            f"Input [{name}] on node [{self._node.id}] expects bindings of type [{prototext(expected)}].  "
            f"Received [{received}]"
        )
        problems.add("MismatchingBindings", self._node.id, words)


@attrs.frozen
class _Assignment:
    """An output of one node that is assigned to an input of another."""

    node: NodeBuilder
    upstream: NodeBuilder
    name: str
    output: str

    def mismatch(self, shown: types_pb2.LiteralType, expected: types_pb2.LiteralType, problems: Problems) -> None:
        words = (
            f"The output variable '{_named(self.upstream, self.output)}' has type [{type_text(shown)}], but it's "
            f"assigned to the input variable '{_named(self.node, self.name)}' which has type type "
            f"[{type_text(expected)}]."
        )
        problems.add("MismatchingTypes", self.node.id, words)


def _named(node: NodeBuilder, variable: str) -> str:
    return f"{node.message.metadata.name}.{variable}" if node.message.HasField("metadata") else variable


def _bindings_in(
    data: literals_pb2.BindingDataCollection | literals_pb2.BindingDataMap,
) -> Iterable[literals_pb2.BindingData]:
    if isinstance(data, literals_pb2.BindingDataMap):
        return [data.bindings[key] for key in sorted(data.bindings)]
    return data.bindings
