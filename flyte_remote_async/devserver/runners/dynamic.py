"""What the stand-in of a dynamic task returns: the nodes that the task asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from flyteidl.core import dynamic_job_pb2, identifier_pb2, literals_pb2, types_pb2, workflow_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DynamicNode", "DynamicWorkflow"]


@attrs.frozen
class DynamicNode:
    """A node of a :class:`DynamicWorkflow`; ``node["o0"]`` is one of its outputs.

    Attributes:
        node_id: Its id in the workflow.
    """

    node_id: str

    def __getitem__(self, output: str) -> literals_pb2.BindingData:
        """Return an output, to be given to another node or returned."""
        return literals_pb2.BindingData(promise=types_pb2.OutputReference(node_id=self.node_id, var=output))


class DynamicWorkflow:
    """The workflow that a dynamic task asks for, built call by call as flytekit does.

    Entities are named; they have the project, domain and version of the dynamic task. Inputs are outputs of other
    nodes, Python values of JSON, or literals of flyteidl. A stand-in may return a whole ``DynamicJobSpec`` as well.

    Example::

        @dev.task("samples.dyn")
        def dyn(n: int) -> DynamicWorkflow:
            workflow = DynamicWorkflow()
            sums = [workflow.task("samples.add", a=i, b=1) for i in range(n)]
            return workflow.returns(o0=[each["o0"] for each in sums])
    """

    def __init__(self) -> None:
        #: The workflow as it is so far; its entities are not complete.
        self.spec = dynamic_job_pb2.DynamicJobSpec()

    def task(self, name: str, **inputs: Any) -> DynamicNode:
        """Add a node that runs a task.

        Args:
            name: The name of the task, such as ``"samples.add"``.
            **inputs: What it is given.
        """
        reference = identifier_pb2.Identifier(resource_type=identifier_pb2.TASK, name=name)
        node = workflow_pb2.TaskNode(reference_id=reference, overrides=workflow_pb2.TaskNodeOverrides())
        return self._add(name, inputs, task_node=node)

    def workflow(self, name: str, **inputs: Any) -> DynamicNode:
        """Add a node that runs a workflow inside of the execution.

        Args:
            name: The name of the workflow.
            **inputs: What it is given.
        """
        reference = identifier_pb2.Identifier(resource_type=identifier_pb2.WORKFLOW, name=name)
        return self._add(name, inputs, workflow_node=workflow_pb2.WorkflowNode(sub_workflow_ref=reference))

    def launch_plan(self, name: str, **inputs: Any) -> DynamicNode:
        """Add a node that starts an execution of a launch plan.

        Args:
            name: The name of the launch plan.
            **inputs: What it is given.
        """
        reference = identifier_pb2.Identifier(resource_type=identifier_pb2.LAUNCH_PLAN, name=name)
        return self._add(name, inputs, workflow_node=workflow_pb2.WorkflowNode(launchplan_ref=reference))

    def returns(self, **outputs: Any) -> DynamicWorkflow:
        """Say what the outputs of the dynamic task are, and return this workflow.

        Args:
            **outputs: By the names of the task's outputs; outputs of nodes, Python values of JSON, lists and dicts of
                them.
        """
        for name, value in outputs.items():
            self.spec.outputs.append(literals_pb2.Binding(var=name, binding=_binding(value)))
        return self

    def literals(self) -> literals_pb2.LiteralMap | None:
        """Return the outputs where they need no nodes, as flytekit leaves them then; else None."""
        if self.spec.nodes:
            return None
        return literals_pb2.LiteralMap(literals={each.var: _literal(each.binding) for each in self.spec.outputs})

    def _add(self, name: str, inputs: dict[str, Any], **target: Any) -> DynamicNode:
        node = workflow_pb2.Node(id=f"dn{len(self.spec.nodes)}", **target)
        node.metadata.name = name.rpartition(".")[2]
        node.metadata.retries.SetInParent()
        for variable in sorted(inputs):
            data = _binding(inputs[variable])
            node.inputs.append(literals_pb2.Binding(var=variable, binding=data))
            node.upstream_node_ids.extend(each for each in _promised(data) if each not in node.upstream_node_ids)
        self.spec.nodes.append(node)
        return DynamicNode(node.id)


def _binding(value: Any) -> literals_pb2.BindingData:
    match value:
        case literals_pb2.BindingData():
            return value
        case literals_pb2.Literal():
            return _of_literal(value)
        case list() | tuple():
            items = literals_pb2.BindingDataCollection(bindings=[_binding(item) for item in value])
            return literals_pb2.BindingData(collection=items)
        case dict():
            entries = literals_pb2.BindingDataMap(bindings={str(key): _binding(item) for key, item in value.items()})
            return literals_pb2.BindingData(map=entries)
        case None:
            return literals_pb2.BindingData(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))
        case _:
            primitive = literals_pb2.Primitive(**{_field(value): value})
            return literals_pb2.BindingData(scalar=literals_pb2.Scalar(primitive=primitive))


_FIELDS: Final = {bool: "boolean", int: "integer", float: "float_value", str: "string_value"}


def _field(value: Any) -> str:
    try:
        return _FIELDS[type(value)]
    except KeyError:
        raise TypeError(
            f"{value!r} cannot be given to a node: give an output of a node, a value of JSON, or a literal of flyteidl"
        ) from None


def _of_literal(literal: literals_pb2.Literal) -> literals_pb2.BindingData:
    match literal.WhichOneof("value"):
        case "collection":
            return _binding(list(literal.collection.literals))
        case "map":
            return _binding(dict(literal.map.literals))
        case _:
            return literals_pb2.BindingData(scalar=literal.scalar)


def _literal(data: literals_pb2.BindingData) -> literals_pb2.Literal:
    match data.WhichOneof("value"):
        case "collection":
            items = [_literal(item) for item in data.collection.bindings]
            return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
        case "map":
            entries = {key: _literal(item) for key, item in data.map.bindings.items()}
            return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=entries))
        case _:
            return literals_pb2.Literal(scalar=data.scalar)


def _promised(data: literals_pb2.BindingData) -> Iterator[str]:
    match data.WhichOneof("value"):
        case "promise":
            yield data.promise.node_id
        case "collection":
            for item in data.collection.bindings:
                yield from _promised(item)
        case "map":
            for item in data.map.bindings.values():
                yield from _promised(item)
        case _:
            return
