"""What an execution runs, and with which inputs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import execution_pb2, launch_plan_pb2, workflow_pb2
from flyteidl.core import identifier_pb2, literals_pb2

from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE
from flyte_remote_async.devserver.naming import child_execution_name, label_value

if TYPE_CHECKING:
    from flyteidl.admin import task_pb2
    from flyteidl.core import compiler_pb2

__all__ = ["child_request", "effective_inputs", "single_task_workflow"]

_NODE_NAME_LIMIT: Final = 63
# Of a task that says nothing of retries.
_DEFAULT_RETRIES: Final = 3


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
    told = template.metadata
    node.metadata.retries.retries = told.retries.retries if told.HasField("retries") else _DEFAULT_RETRIES
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


def child_request(
    parent: execution_pb2.Execution,
    launch_plan: launch_plan_pb2.LaunchPlan | None,
    node_id: identifier_pb2.NodeExecutionIdentifier,
    reference: identifier_pb2.Identifier,
    inputs: literals_pb2.LiteralMap,
    *,
    attempt: int = 0,
) -> execution_pb2.ExecutionCreateRequest:
    """Return the request for the execution of a launch-plan node.

    Args:
        parent: The execution that has the node.
        launch_plan: What that execution was launched from; None where it was a task.
        node_id: The node.
        reference: The launch plan of the node.
        inputs: The inputs of the node.
        attempt: Which try of the node it is.

    Source: flytepropeller ``launchplan/admin.go``, and the labels of ``compiler/transformers/k8s/workflow.go``.
    """
    spec, given = execution_pb2.ExecutionSpec(launch_plan=reference), parent.spec
    metadata = spec.metadata
    metadata.mode = execution_pb2.ExecutionMetadata.CHILD_WORKFLOW
    metadata.nesting = given.metadata.nesting + 1
    metadata.parent_node_execution.CopyFrom(node_id)
    own = launch_plan.spec if launch_plan is not None else launch_plan_pb2.LaunchPlanSpec()
    spec.labels.values.update(given.labels.values or own.labels.values)
    spec.labels.values.update(_labels(parent))
    spec.annotations.SetInParent()
    spec.annotations.values.update(given.annotations.values or own.annotations.values)
    spec.security_context.CopyFrom(given.security_context)
    spec.max_parallelism = given.max_parallelism
    for config in (given, own):
        if config.raw_output_data_config.output_location_prefix and not spec.HasField("raw_output_data_config"):
            spec.raw_output_data_config.CopyFrom(config.raw_output_data_config)
        if config.HasField("interruptible") and not spec.HasField("interruptible"):
            spec.interruptible.CopyFrom(config.interruptible)
    spec.overwrite_cache = given.overwrite_cache or own.overwrite_cache
    spec.envs.SetInParent()
    spec.envs.values.extend(given.envs.values or own.envs.values)
    name = child_execution_name(parent.id.name, node_id.node_id, attempt)
    return execution_pb2.ExecutionCreateRequest(
        project=parent.id.project, domain=parent.id.domain, name=name, spec=spec, inputs=inputs
    )


def _labels(parent: execution_pb2.Execution) -> dict[str, str]:
    return {
        "execution-id": parent.id.name,
        "project": parent.id.project,
        "domain": parent.id.domain,
        "workflow-name": label_value(parent.closure.workflow_id.name),
    }
