"""Compiled workflows made by hand, for what no recording shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from flyteidl.admin import execution_pb2, launch_plan_pb2
from flyteidl.admin import workflow_pb2 as admin_workflow_pb2
from flyteidl.core import identifier_pb2, literals_pb2, tasks_pb2, types_pb2, workflow_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Made",
    "approve",
    "array",
    "binding",
    "boolean",
    "branch",
    "integer",
    "integers",
    "launch_plan",
    "made",
    "signal",
    "sleep",
    "subworkflow",
    "task",
    "task_node",
]

INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)


def integer(value: int) -> literals_pb2.Literal:
    """Return an integer literal."""
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value)))


def boolean(value: bool) -> literals_pb2.Literal:
    """Return a boolean literal."""
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(boolean=value)))


def _id(kind: identifier_pb2.ResourceType, name: str) -> identifier_pb2.Identifier:
    return identifier_pb2.Identifier(resource_type=kind, project="p", domain="development", name=name, version="v1")


def task(
    name: str,
    inputs: Sequence[str] = ("a",),
    outputs: Sequence[str] = ("o0",),
    *,
    retries: int = 0,
    kind: str = "python-task",
    output_type: types_pb2.LiteralType = INTEGER,
) -> tasks_pb2.TaskTemplate:
    """Return a task whose inputs are integers."""
    template = tasks_pb2.TaskTemplate(id=_id(identifier_pb2.TASK, name), type=kind)
    for variable in inputs:
        template.interface.inputs.variables[variable].type.CopyFrom(INTEGER)
    for variable in outputs:
        template.interface.outputs.variables[variable].type.CopyFrom(output_type)
    template.metadata.retries.retries = retries
    return template


def binding(value: int | tuple[str, str] | literals_pb2.BindingData) -> literals_pb2.BindingData:
    """Return the binding of an integer, or of a (node, output) pair."""
    match value:
        case int():
            return literals_pb2.BindingData(scalar=integer(value).scalar)
        case (node_id, variable):
            return literals_pb2.BindingData(promise=types_pb2.OutputReference(node_id=node_id, var=variable))
        case _:
            return value


def _node(node_id: str, bindings: Mapping[str, Any], **fields: Any) -> workflow_pb2.Node:
    node = workflow_pb2.Node(id=node_id, **fields)
    for variable, value in bindings.items():
        node.inputs.add(var=variable, binding=binding(value))
    return node


def task_node(node_id: str, template: tasks_pb2.TaskTemplate, **bindings: Any) -> workflow_pb2.Node:
    """Return a node that runs a task."""
    return _node(node_id, bindings, task_node=workflow_pb2.TaskNode(reference_id=template.id))


def subworkflow(node_id: str, name: str, **bindings: Any) -> workflow_pb2.Node:
    """Return a node that runs another workflow inside of it."""
    reference = _id(identifier_pb2.WORKFLOW, name)
    return _node(node_id, bindings, workflow_node=workflow_pb2.WorkflowNode(sub_workflow_ref=reference))


def launch_plan(node_id: str, name: str, **bindings: Any) -> workflow_pb2.Node:
    """Return a node that starts an execution of a launch plan."""
    reference = _id(identifier_pb2.LAUNCH_PLAN, name)
    return _node(node_id, bindings, workflow_node=workflow_pb2.WorkflowNode(launchplan_ref=reference))


def array(node_id: str, inner: workflow_pb2.Node, of: workflow_pb2.ArrayNode, **bindings: Any) -> workflow_pb2.Node:
    """Return a node that runs another node for each item of lists; ``of`` says how."""
    of.node.CopyFrom(inner)
    return _node(node_id, bindings, array_node=of)


def integers(*values: int) -> literals_pb2.BindingData:
    """Return the binding of a list of integers."""
    items = [binding(value) for value in values]
    return literals_pb2.BindingData(collection=literals_pb2.BindingDataCollection(bindings=items))


def branch(node_id: str, if_else: workflow_pb2.IfElseBlock, **bindings: Any) -> workflow_pb2.Node:
    """Return a branch node; a binding ``a`` is the variable ``.a`` of its conditions."""
    dotted = {f".{name}": value for name, value in bindings.items()}
    return _node(node_id, dotted, branch_node=workflow_pb2.BranchNode(if_else=if_else))


def signal(node_id: str, signal_id: str) -> workflow_pb2.Node:
    """Return a gate that waits for an integer, its output ``o0``."""
    condition = workflow_pb2.SignalCondition(signal_id=signal_id, type=INTEGER, output_variable_name="o0")
    return workflow_pb2.Node(id=node_id, gate_node=workflow_pb2.GateNode(signal=condition))


def approve(node_id: str, signal_id: str, **bindings: Any) -> workflow_pb2.Node:
    """Return a gate that gives its inputs on when they are approved."""
    condition = workflow_pb2.ApproveCondition(signal_id=signal_id)
    return _node(node_id, bindings, gate_node=workflow_pb2.GateNode(approve=condition))


def sleep(node_id: str, seconds: int) -> workflow_pb2.Node:
    """Return a gate that lets time pass."""
    node = workflow_pb2.Node(id=node_id)
    node.gate_node.sleep.duration.seconds = seconds
    return node


class Made:
    """A workflow with its launch plan and an execution of it."""

    def __init__(self, workflow: admin_workflow_pb2.Workflow, max_parallelism: int, inputs: Mapping[str, int]) -> None:
        self.workflow = workflow
        launch_plan_id = _id(identifier_pb2.LAUNCH_PLAN, workflow.id.name)
        self.launch_plan = launch_plan_pb2.LaunchPlan(id=launch_plan_id)
        self.launch_plan.spec.workflow_id.CopyFrom(workflow.id)
        for key in inputs:
            parameter = self.launch_plan.closure.expected_inputs.parameters[key]
            parameter.var.type.CopyFrom(INTEGER)
            parameter.required = True
        self.execution = execution_pb2.Execution()
        self.execution.id.project, self.execution.id.domain, self.execution.id.name = (
            "p",
            "development",
            workflow.id.name,
        )
        self.execution.spec.launch_plan.CopyFrom(launch_plan_id)
        self.execution.spec.max_parallelism = max_parallelism
        self.inputs = literals_pb2.LiteralMap(literals={key: integer(value) for key, value in inputs.items()})

    def on_failure(self, node: workflow_pb2.Node, of: str = "") -> Self:
        """Give the workflow, or one that its nodes refer to, a failure node; return the workflow."""
        closure = self.workflow.closure.compiled_workflow
        for compiled in (closure.primary, *closure.sub_workflows):
            if compiled.template.id.name == (of or self.workflow.id.name):
                compiled.template.failure_node.CopyFrom(node)
        return self


def _template(
    name: str, nodes: Sequence[workflow_pb2.Node], outputs: Mapping[str, Any], *, fails_late: bool
) -> workflow_pb2.WorkflowTemplate:
    template = workflow_pb2.WorkflowTemplate(id=_id(identifier_pb2.WORKFLOW, name))
    if fails_late:
        template.metadata.on_failure = workflow_pb2.WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    template.nodes.add(id="start-node")
    template.nodes.add(id="end-node")
    template.nodes.extend(nodes)
    for variable, value in outputs.items():
        template.outputs.add(var=variable, binding=binding(value))
    return template


def made(
    nodes: Sequence[workflow_pb2.Node],
    tasks: Sequence[tasks_pb2.TaskTemplate] = (),
    outputs: Mapping[str, Any] | None = None,
    *,
    fails_late: bool = False,
    sub_workflows: Mapping[str, tuple[Sequence[workflow_pb2.Node], Mapping[str, Any]]] | None = None,
    max_parallelism: int = 0,
    name: str = "made",
    **inputs: int,
) -> Made:
    """Return a workflow of nodes.

    Args:
        nodes: All but start and end.
        tasks: What task nodes refer to.
        outputs: What the outputs are bound to.
        fails_late: Whether other nodes go on when one has failed.
        sub_workflows: Nodes and outputs of the workflows that nodes refer to, by name.
        max_parallelism: For the execution.
        name: The name of the workflow, its launch plan and the execution.
        **inputs: Integers to execute it with.
    """
    workflow = admin_workflow_pb2.Workflow(id=_id(identifier_pb2.WORKFLOW, name))
    closure = workflow.closure.compiled_workflow
    closure.primary.template.CopyFrom(_template(name, nodes, outputs or {}, fails_late=fails_late))
    for template in tasks:
        closure.tasks.add(template=template)
    for inner_name, (inner, bound) in (sub_workflows or {}).items():
        closure.sub_workflows.add(template=_template(inner_name, inner, bound, fails_late=False))
    return Made(workflow, max_parallelism, inputs)
