"""What an execution runs, and with which inputs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import workflow_pb2
from flyteidl.core import identifier_pb2, literals_pb2

from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE

if TYPE_CHECKING:
    from flyteidl.admin import launch_plan_pb2, task_pb2
    from flyteidl.core import compiler_pb2

__all__ = ["effective_inputs", "single_task_workflow"]

_NODE_NAME_LIMIT: Final = 63


def effective_inputs(
    launch_plan: launch_plan_pb2.LaunchPlan, given: literals_pb2.LiteralMap
) -> literals_pb2.LiteralMap:
    """Return the inputs that an execution runs with: the launch plan's defaults, those given, and those it fixes."""
    inputs = literals_pb2.LiteralMap()
    for name, parameter in launch_plan.spec.default_inputs.parameters.items():
        if parameter.HasField("default"):
            inputs.literals[name].CopyFrom(parameter.default)
    for literals in (given.literals, launch_plan.spec.fixed_inputs.literals):
        for name, literal in literals.items():
            inputs.literals[name].CopyFrom(literal)
    return inputs


def single_task_workflow(task: task_pb2.Task) -> workflow_pb2.Workflow:
    """Return the workflow that Flyte generates to run one task.

    Source: flyteadmin ``manager/impl/util/single_task_execution.go`` and a recorded execution of a task.
    """
    template = task.closure.compiled_task.template
    node_id = "".join(c for c in template.id.name[-_NODE_NAME_LIMIT:] if c.isalnum() or c == "-")
    generated = workflow_pb2.Workflow(id=template.id)
    generated.id.resource_type = identifier_pb2.WORKFLOW
    generated.id.name = f".flytegen.{template.id.name}"
    compiled = generated.closure.compiled_workflow.primary
    compiled.template.id.CopyFrom(generated.id)
    compiled.template.interface.CopyFrom(template.interface)
    compiled.template.nodes.add(id=START_NODE)
    end = compiled.template.nodes.add(id=END_NODE)
    node = compiled.template.nodes.add(id=node_id)
    node.metadata.name = node_id
    node.metadata.retries.SetInParent()
    node.task_node.reference_id.CopyFrom(template.id)
    for name in sorted(template.interface.inputs.variables):
        _bind(node.inputs.add(var=name), START_NODE)
    for name in sorted(template.interface.outputs.variables):
        _bind(compiled.template.outputs.add(var=name), node_id)
        _bind(end.inputs.add(var=name), node_id)
    _connect(compiled.connections, node_id)
    generated.closure.compiled_workflow.tasks.add(template=template)
    return generated


def _bind(binding: literals_pb2.Binding, node_id: str) -> None:
    binding.binding.promise.node_id = node_id
    binding.binding.promise.var = binding.var


def _connect(connections: compiler_pb2.ConnectionSet, node_id: str) -> None:
    for before, after in ((START_NODE, node_id), (node_id, END_NODE)):
        connections.downstream[before].ids.append(after)
        connections.upstream[after].ids.append(before)
