"""What goes into a node and what comes out, by what it runs.

Source: flytepropeller/pkg/compiler/validators (interface.go, branch.go) of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core import interface_pb2

from flyte_remote_async.devserver.compiler.bindings import check_bindings
from flyte_remote_async.devserver.compiler.builder import Interface
from flyte_remote_async.devserver.compiler.typetext import type_text
from flyte_remote_async.devserver.golang.prototext import prototext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyteidl.core import identifier_pb2

    from flyte_remote_async.devserver.compiler.builder import NodeBuilder, WorkflowBuilder
    from flyte_remote_async.devserver.compiler.problems import Problems

__all__ = ["check_interface", "find_interface"]


def check_interface(node_id: str, interface: Interface, problems: Problems) -> None:
    """Note variables without a name or a type."""
    for side in (interface.inputs, interface.outputs):
        for name, variable in side.items():
            if not name:
                problems.value_required(node_id, "paramName")
            if not variable.HasField("type"):
                problems.value_required(node_id, "param.Type")


def find_interface(workflow: WorkflowBuilder, node: NodeBuilder, problems: Problems) -> Interface | None:
    """Return the interface of a node and keep it in the node; None, with the problems noted, where it has none."""
    if node.interface is not None:
        return node.interface
    match node.message.WhichOneof("target"):
        case "task_node":
            found = _of_task(workflow, node, problems)
        case "workflow_node":
            found = _of_workflow(workflow, node, problems)
        case "branch_node":
            found = _of_branch(workflow, node, problems.scope())
        case "gate_node":
            found = _of_gate(workflow, node, problems)
        case "array_node":
            # The node inside has the array's interface: clients wrap its variables into collections themselves.
            found = find_interface(workflow, node.repeated, problems.scope())
        case _:
            found = None
            problems.value_required(node.id, "Target")
    if found is not None:
        check_interface(node.id, found, problems)
    node.interface = None if problems else found
    return node.interface


def _of_task(workflow: WorkflowBuilder, node: NodeBuilder, problems: Problems) -> Interface | None:
    if not node.message.task_node.HasField("reference_id"):
        problems.value_required(node.id, "TaskNode.ReferenceId")
        return None
    task = workflow.library.tasks[prototext(node.message.task_node.reference_id)]
    return Interface.of(task.interface) if task.HasField("interface") else Interface()


def _of_workflow(workflow: WorkflowBuilder, node: NodeBuilder, problems: Problems) -> Interface | None:
    target = node.message.workflow_node
    if target.HasField("launchplan_ref"):
        if prototext(target.launchplan_ref) == workflow.key:
            return Interface.of(workflow.template.interface)
        return _of_launch_plan(workflow, node, target.launchplan_ref, problems)
    if not target.HasField("sub_workflow_ref"):
        problems.no_workflow(node.id, "<nil>/<nil>")
        return None
    reference = prototext(target.sub_workflow_ref)
    if reference in workflow.library.faceless:
        problems.value_required(node.id, "WorkflowNode.Template.Interface")
        return None
    return Interface.of(workflow.library.templates[reference].interface)


def _of_launch_plan(
    workflow: WorkflowBuilder, node: NodeBuilder, reference: identifier_pb2.Identifier, problems: Problems
) -> Interface | None:
    plan = workflow.library.launch_plans[prototext(reference)]
    if not plan.closure.HasField("expected_inputs"):
        problems.value_required(node.id, "WorkflowNode.ExpectedInputs")
    if not plan.closure.HasField("expected_outputs"):
        problems.value_required(node.id, "WorkflowNode.ExpectedOutputs")
    expected = plan.closure.expected_inputs.parameters.items()
    # An input with a default is one of the node's only where the node binds it.
    inputs = {name: each.var for name, each in expected if each.required or node.binds(name)}
    return Interface(inputs, dict(plan.closure.expected_outputs.variables))


def _of_gate(workflow: WorkflowBuilder, node: NodeBuilder, problems: Problems) -> Interface | None:
    gate = node.message.gate_node
    match gate.WhichOneof("condition"):
        case "approve":
            # What is approved goes through.
            inputs = check_bindings(workflow, node, None, problems.scope(), both=False)
            return Interface(inputs, inputs)
        case "signal":
            if not gate.signal.HasField("type"):
                problems.value_required(node.id, "GateNode.Signal.Type")
            elif not gate.signal.output_variable_name:
                problems.value_required(node.id, "GateNode.Signal.OutputVariableName")
            else:
                given = interface_pb2.Variable(type=gate.signal.type)
                return Interface(outputs={gate.signal.output_variable_name: given})
            return None
        case "sleep":
            return Interface()
        case _:
            words = f"Can't find any condition in gate node [{node.id}]."
            problems.add("NoConditionFound", node.id, words)
            return None


def _of_branch(workflow: WorkflowBuilder, node: NodeBuilder, problems: Problems) -> Interface | None:
    if not _has_first_case(node, problems):
        return None
    inside = [case for _, case in node.cases]
    if None in inside:
        problems.value_required(node.id, "IfElse.Case.ThenNode")
    outputs: Mapping[str, interface_pb2.Variable] | None = None
    for case in (*inside, node.otherwise):
        if case is None:
            continue
        case.message.id = f"{node.id}-{case.id}"
        interface = find_interface(workflow, case, problems.scope())
        if interface is not None:
            found = interface.outputs
            outputs = found if outputs is None else _common(case.id, outputs, found, problems)
    # The variables of the conditions are among what is bound.
    inputs = check_bindings(workflow, node, None, problems.scope(), both=False)
    return None if problems or outputs is None else Interface(inputs, outputs)


def _has_first_case(node: NodeBuilder, problems: Problems) -> bool:
    branch = node.message.branch_node
    if not branch.HasField("if_else"):
        problems.value_required(node.id, "Branch.IfElse")
    elif not branch.if_else.HasField("case"):
        problems.value_required(node.id, "Branch.IfElse.Case")
    elif not branch.if_else.case.HasField("then_node"):
        problems.value_required(node.id, "Branch.IfElse.Case.ThenNode")
    return not problems


def _common(
    node_id: str,
    outputs: Mapping[str, interface_pb2.Variable],
    others: Mapping[str, interface_pb2.Variable],
    problems: Problems,
) -> Mapping[str, interface_pb2.Variable]:
    """Return the outputs that two cases of a branch share, which must have the same types."""
    common = {name: variable for name, variable in outputs.items() if name in others}
    for name, variable in common.items():
        if prototext(variable.type) != prototext(others[name].type):
            problems.mismatch(node_id, name, type_text(variable.type), type_text(others[name].type))
    return common
