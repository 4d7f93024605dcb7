"""Whether what is bound to the inputs of a node fits, and which nodes it makes it wait for.

Source: flytepropeller/pkg/compiler/validators/bindings.go of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.core import interface_pb2, types_pb2

from flyte_remote_async.devserver.compiler.bound_values import ValueCheck

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.devserver.compiler.builder import NodeBuilder, WorkflowBuilder
    from flyte_remote_async.devserver.compiler.problems import Problems

__all__ = ["add_edges", "check_bindings"]

_ANY: Final = interface_pb2.Variable(type=types_pb2.LiteralType(simple=types_pb2.NONE))


def add_edges(workflow: WorkflowBuilder, node: NodeBuilder, problems: Problems, *, both: bool = True) -> None:
    """Let a node wait for the nodes that it names and for those that its inputs come from.

    Args:
        workflow: The workflow.
        node: The node; without an interface nothing can be said, and nothing is done.
        problems: Where to note what is wrong with its bindings.
        both: Whether the other ends know the edges; not for nodes inside of branches, nor for the failure node.
    """
    if node.interface is None:
        return
    if both:
        for first in node.message.upstream_node_ids:
            workflow.add_edge(first, node.id)
    check_bindings(workflow, node, node.interface.inputs, problems, both=both)


def check_bindings(
    workflow: WorkflowBuilder,
    node: NodeBuilder,
    declared: Mapping[str, interface_pb2.Variable] | None,
    problems: Problems,
    *,
    both: bool = True,
) -> Mapping[str, interface_pb2.Variable]:
    """Check what is bound to the inputs of a node, and add the edges that follow from it.

    Args:
        workflow: The workflow.
        node: The node.
        declared: Its inputs; None takes what is bound as it is.
        problems: Where to note what is wrong.
        both: As for :func:`add_edges`.

    Returns:
        The inputs, with the types that what is bound to them has.
    """
    check = ValueCheck(workflow, node, typed=declared is not None)
    provided: set[str] = set()
    resolved = {}
    for binding in node.message.inputs:
        variable = _ANY if declared is None else declared.get(binding.var)
        if variable is None:
            problems.no_variable(node.id, binding.var)
        elif not binding.HasField("binding"):
            problems.value_required(node.id, "Binding")
        elif binding.var in provided:
            words = f"Input [{binding.var}] is bound more than once."
            problems.add("ParameterBoundMoreThanOnce", node.id, words)
        else:
            provided.add(binding.var)
            bound = check.binding(binding.var, binding.binding, variable.type, problems.scope())
            if bound is not None:
                for first in bound.upstream:
                    workflow.add_edge(first, node.id, both=both)
                resolved[binding.var] = interface_pb2.Variable(type=bound.type)
    for name, variable in (declared or {}).items():
        if name not in provided and not _is_optional(variable.type):
            problems.not_bound(node.id, name)
    return resolved


def _is_optional(declared: types_pb2.LiteralType) -> bool:
    # A variant that is no simple type counts, too: read as one, it is NONE.
    return any(variant.simple == types_pb2.NONE for variant in declared.union_type.variants)
