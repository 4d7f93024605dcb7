"""Whether a node is complete: its interface, its references, the cases of a branch and their conditions.

Source: flytepropeller/pkg/compiler/validators (node.go, condition.go) of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core import literals_pb2

from flyte_remote_async.devserver.compiler.bindings import add_edges
from flyte_remote_async.devserver.compiler.bound_values import effective_outputs
from flyte_remote_async.devserver.compiler.graphs import END_NODE, START_NODE
from flyte_remote_async.devserver.compiler.interfaces import find_interface
from flyte_remote_async.devserver.compiler.typetext import type_text
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.validators.typecheck import literal_type_of

if TYPE_CHECKING:
    from flyteidl.core import condition_pb2, types_pb2

    from flyte_remote_async.devserver.compiler.builder import NodeBuilder, WorkflowBuilder
    from flyte_remote_async.devserver.compiler.problems import Problems

__all__ = ["check_node"]


def check_node(workflow: WorkflowBuilder, node: NodeBuilder, problems: Problems) -> None:
    """Note what is wrong with a node and the nodes inside of it; complete it where nothing is."""
    if not node.id:
        problems.value_required("<node>", "Id")
    if node.id in (START_NODE, END_NODE):
        return
    if find_interface(workflow, node, problems.scope()) is not None:
        effective_outputs(node, problems.scope())
    # Clients may list them in any order; two registrations of one workflow are to be the same.
    upstream = sorted(node.message.upstream_node_ids)
    del node.message.upstream_node_ids[:]
    node.message.upstream_node_ids.extend(upstream)
    match node.message.WhichOneof("target"):
        case "branch_node":
            _check_branch(workflow, node, problems)
        case "workflow_node" if node.message.workflow_node.HasField("sub_workflow_ref"):
            reference = prototext(node.message.workflow_node.sub_workflow_ref)
            problems.extend(workflow.library.failed.get(reference, ()))


def _check_branch(workflow: WorkflowBuilder, node: NodeBuilder, problems: Problems) -> None:
    checking = problems.scope()
    if not node.message.branch_node.if_else.HasField("case"):
        checking.no_condition(node.id)
    inside = []
    for condition, case in node.cases:
        _check_expression(node, condition, checking.scope())
        if case is None:
            checking.add("BranchNodeIdNotFound", node.id, "BranchNode not assigned")
        else:
            inside.append(case)
    if node.otherwise is not None:
        inside.append(node.otherwise)
    elif node.message.branch_node.if_else.WhichOneof("default") is None:
        words = "Branch Node must have either the else case set or a default error."
        checking.add("BranchNodeHasNoDefault", node.id, words)
    for case in inside:
        check_node(workflow, case, checking.scope())
    if not checking:
        for case in inside:
            add_edges(workflow, case, problems.scope(), both=False)


def _check_expression(
    node: NodeBuilder, expression: condition_pb2.BooleanExpression | None, problems: Problems
) -> None:
    if expression is None:
        problems.no_condition(node.id)
        return
    match expression.WhichOneof("expr"):
        case "comparison":
            comparison = expression.comparison
            right = comparison.right_value if comparison.HasField("right_value") else None
            left = comparison.left_value if comparison.HasField("left_value") else None
            shown = _operand_type(node, "RightValue", right, problems.scope())
            other = _operand_type(node, "LeftValue", left, problems.scope())
            if shown is not None and other is not None and prototext(shown) != prototext(other):
                problems.mismatch(node.id, "RightValue", type_text(shown), type_text(other))
        case "conjunction":
            for side in ("left_expression", "right_expression"):
                given = expression.conjunction.HasField(side)
                inner = getattr(expression.conjunction, side) if given else None
                _check_expression(node, inner, problems.scope())
        case _:
            problems.value_required(node.id, "Expr")


def _operand_type(
    node: NodeBuilder, side: str, operand: condition_pb2.Operand | None, problems: Problems
) -> types_pb2.LiteralType | None:
    if operand is None:
        problems.value_required(node.id, side)
    elif operand.HasField("primitive"):
        return literal_type_of(literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=operand.primitive)))
    elif not operand.var:
        # A scalar is not among what Flyte's compiler takes here.
        problems.value_required(node.id, f"{side}.Val")
    elif node.interface is None:
        problems.value_required(node.id, operand.var)
    elif operand.var in node.interface.inputs:
        return node.interface.inputs[operand.var].type
    else:
        problems.no_variable(node.id, operand.var)
    return None
